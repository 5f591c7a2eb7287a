//! Digest authentication, client side (RFC 7616; RFC 8760 for SIP): the answer to a challenge, by
//! SHA-256 or MD5. Knows header values, a user and a password; no messages, no sockets.

use std::fmt;

use crate::digest::{self, Algorithm};

/// Who we are at a trunk or registrar.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

/// Answers the challenges to one request after the other.
#[derive(Debug, Default)]
pub(crate) struct Answerer {
    login: Option<Login>,
    /// Challenges to the current request answered so far.
    answered: u32,
    nonce: String,
    /// How often `nonce` was used (`nc`).
    count: u32,
}

/// A challenge was answered, and the same again is no use: it was answered already and the nonce
/// was not too old, it asks for what we do not know, or there is no login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoUse;

impl Answerer {
    pub(crate) fn new(login: Option<Login>) -> Answerer {
        Answerer { login, ..Answerer::default() }
    }

    /// Whether there is anybody to log in as.
    pub(crate) fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// A new request, for which challenges count anew.
    pub(crate) fn begin(&mut self) {
        self.answered = 0;
    }

    /// The value of `Authorization` (or `Proxy-Authorization`) that answers the challenges of one
    /// response: the first of the strongest kind we know. `fresh` is a client nonce.
    pub(crate) fn answer<'a>(
        &mut self,
        challenges: impl Iterator<Item = &'a str>,
        method: &str,
        uri: &str,
        fresh: &str,
    ) -> Result<String, NoUse> {
        let login = self.login.as_ref().ok_or(NoUse)?;
        let known = challenges.filter_map(|value| {
            let challenge = digest::parameters(value)?;
            let algorithm = Algorithm::of(challenge.get("algorithm").map(String::as_str))?;
            Some((algorithm, challenge))
        });
        let best = known.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let (algorithm, challenge) = best.ok_or(NoUse)?;
        let is_stale = challenge.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        // A third challenge is not worth it even then.
        if self.answered >= 2 || (self.answered == 1 && !is_stale) {
            return Err(NoUse);
        }
        let (realm, nonce) = (challenge.get("realm").ok_or(NoUse)?, challenge.get("nonce").ok_or(NoUse)?);
        let qop = match challenge.get("qop") {
            None => false,
            Some(offered) if offered.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err(NoUse),
        };
        self.answered += 1;
        if self.nonce != *nonce {
            self.nonce.clone_from(nonce);
            self.count = 0;
        }
        self.count += 1;
        let nc = format!("{:08x}", self.count);
        let ha1 = algorithm.digest(&[&login.user, realm, &login.password]);
        let proof = digest::response(algorithm, &ha1, nonce, method, uri, qop.then_some((&nc, fresh)));
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{proof}\", algorithm={}",
            quoted(&login.user),
            quoted(realm),
            quoted(nonce),
            algorithm.name()
        );
        if qop {
            value += &format!(", qop=auth, nc={nc}, cnonce=\"{fresh}\"");
        }
        if let Some(opaque) = challenge.get("opaque") {
            value += &format!(", opaque=\"{}\"", quoted(opaque));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answerer() -> Answerer {
        Answerer::new(Some(Login { user: "Mufasa".into(), password: "Circle of Life".into() }))
    }

    fn get(value: &str, name: &str) -> String {
        digest::parameters(value).unwrap().remove(name).unwrap_or_default()
    }

    /// RFC 7616 §3.9.1.
    const RFC: [&str; 2] = [
        "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
        "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
    ];

    #[test]
    fn the_examples_of_rfc_7616() {
        let fresh = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (challenges, response) in [
            (&RFC[..1], "8ca523f5e9506fed4657c9700eebdbec"),
            (&RFC[..], "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let value = answerer().answer(challenges.iter().copied(), "GET", "/dir/index.html", fresh).unwrap();
            assert_eq!(get(&value, "response"), response, "{value}");
            assert_eq!((get(&value, "nc"), get(&value, "qop")), ("00000001".into(), "auth".into()));
        }
    }

    #[test]
    fn a_nonce_is_counted_and_a_stale_one_replaced() {
        let mut answerer = answerer();
        let mut ask = |challenge: &str, begin: bool| {
            if begin {
                answerer.begin();
            }
            answerer.answer([challenge].into_iter(), "INVITE", "sip:x", "c")
        };
        assert_eq!(get(&ask(RFC[0], true).unwrap(), "nc"), "00000001");
        assert_eq!(ask(RFC[0], false), Err(NoUse), "the password is wrong");
        assert_eq!(get(&ask(RFC[0], true).unwrap(), "nc"), "00000002");
        let stale = format!("{}, stale=TRUE", RFC[0].replace("7ypf", "8ypf"));
        assert_eq!(get(&ask(&stale, false).unwrap(), "nc"), "00000001");
        assert_eq!(ask(&stale, false), Err(NoUse));
    }

    #[test]
    fn what_we_do_not_know_is_not_answered() {
        for challenge in [
            "Basic realm=\"x\"".to_owned(),
            RFC[0].replace("MD5", "MD5-sess"),
            RFC[0].replace("auth, auth-int", "auth-int"),
            RFC[0].replace("realm=", "kingdom="),
        ] {
            assert_eq!(answerer().answer([challenge.as_str()].into_iter(), "GET", "/", "c"), Err(NoUse), "{challenge}");
        }
        assert_eq!(Answerer::default().answer(RFC.into_iter(), "GET", "/", "c"), Err(NoUse));
        // Without a quality of protection, as RFC 2069 had it.
        let old = RFC[0].replace("qop=\"auth, auth-int\", ", "").replace(", algorithm=MD5", "");
        let value = answerer().answer([old.as_str()].into_iter(), "GET", "/", "c").unwrap();
        assert!(!value.contains("nc=") && !value.contains("qop="), "{value}");
    }
}
