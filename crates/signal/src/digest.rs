//! Digest authentication, server side (RFC 2617 and RFC 7616 with MD5, as phones speak it), and the
//! hashes of both sides.
//! Knows header values and user names; no messages, no sockets, no clock, no passwords (only
//! `md5(user:realm:password)`).
//!
//! Nonces are ours and not kept: a time and an HMAC over it and the source's address under a
//! key drawn at start. A correct answer to a nonce that is too old, of an earlier process, or used
//! with this count before, is told `stale=true`, so that the phone tries again by itself. What is
//! kept is how far the nonces of granted requests were counted.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use md5::{Digest as _, Md5};

use crate::limits;

/// `md5(user:realm:password)` in lower-case hexadecimal: what [`crate::SipDirectory::ha1`] gives
/// for a user, so that no password need be kept (RFC 2617 §3.2.2.2).
pub fn ha1(user: &str, realm: &str, password: &str) -> String {
    Algorithm::Md5.digest(&[user, realm, password])
}

/// A hash of digest authentication, weakest first (RFC 7616 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    /// From the parameter of a challenge; none means MD5.
    pub(crate) fn of(name: Option<&str>) -> Option<Algorithm> {
        let known = [Algorithm::Md5, Algorithm::Sha256];
        match name {
            None => Some(Algorithm::Md5),
            Some(name) => known.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name)),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// The hash of the parts with colons between them, in lower-case hexadecimal.
    pub(crate) fn digest(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Algorithm::Md5 => hex(&Md5::digest(text.as_bytes())),
            Algorithm::Sha256 => hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref()),
        }
    }
}

/// The response a client owes to a challenge (RFC 7616 §3.4.1). `qop` is `(nc, cnonce)` where
/// the challenge offered `qop="auth"`.
pub(crate) fn response(
    algorithm: Algorithm,
    ha1: &str,
    nonce: &str,
    method: &str,
    uri: &str,
    qop: Option<(&str, &str)>,
) -> String {
    let ha2 = algorithm.digest(&[method, uri]);
    match qop {
        Some((nc, cnonce)) => algorithm.digest(&[ha1, nonce, nc, cnonce, "auth", &ha2]),
        None => algorithm.digest(&[ha1, nonce, &ha2]),
    }
}

/// How far the nonces of granted requests were counted, so that none can be repeated.
#[derive(Default)]
struct Counts {
    used: HashMap<String, (u32, Duration)>,
}

impl Counts {
    /// Takes note of a use; false when it is none that may come (RFC 7616 §3.4: the count rises),
    /// or when there is no room for one more nonce.
    fn advance(&mut self, nonce: &str, count: u32, now: Duration) -> bool {
        if let Some((last, _)) = self.used.get_mut(nonce) {
            let rises = count > *last;
            *last = count.max(*last);
            return rises;
        }
        if self.used.len() >= limits::MAX_NONCES {
            self.used.retain(|_, (_, since)| now.saturating_sub(*since) <= limits::NONCE_LIFE);
        }
        if self.used.len() >= limits::MAX_NONCES {
            return false;
        }
        self.used.insert(nonce.to_owned(), (count, now));
        true
    }
}

/// The parameters of a `Digest …` header value, names in lower case, values without quotes.
/// `None` when it is not one, or longer than [`limits::MAX_AUTHORIZATION`].
pub(crate) fn parameters(value: &str) -> Option<HashMap<String, String>> {
    if value.len() > limits::MAX_AUTHORIZATION {
        return None;
    }
    let (scheme, mut rest) = value.trim().split_once(char::is_whitespace)?;
    if !scheme.eq_ignore_ascii_case("digest") {
        return None;
    }
    let mut found = HashMap::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(found);
        }
        let (name, after) = rest.split_once('=')?;
        let (text, after) = parameter_value(after.trim_start())?;
        found.insert(name.trim().to_ascii_lowercase(), text);
        rest = after;
    }
}

/// One token or quoted string, and what follows it.
fn parameter_value(from: &str) -> Option<(String, &str)> {
    let Some(quoted) = from.strip_prefix('"') else {
        let end = from.find(',').unwrap_or(from.len());
        return Some((from[..end].trim().to_owned(), &from[end..]));
    };
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &quoted[at + 1..])),
            '\\' => text.push(chars.next()?.1),
            _ => text.push(c),
        }
    }
    None
}

/// What became of a request's credentials.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are this user's.
    Granted(String),
    /// They are right, but for a nonce that is not (or no longer) ours: challenge with `stale`.
    Stale,
    /// Missing, malformed, for another realm, of an unknown user, or wrong. Never says which.
    Refused,
}

/// Challenges requests and judges the answers.
pub(crate) struct Challenger {
    realm: String,
    opaque: String,
    key: hmac::Key,
    counts: Mutex<Counts>,
    /// The number of the next nonce.
    serial: AtomicU32,
}

impl Challenger {
    /// A challenger with a fresh random key.
    pub(crate) fn new(realm: &str) -> Challenger {
        let mut seed = [0u8; 32];
        // The system's generator does not fail once a process runs; without it nothing is safe.
        rand::fill(&mut seed).expect("the system gives random bytes");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &seed);
        let opaque = hex(&hmac::sign(&key, b"opaque").as_ref()[..8]);
        Challenger { realm: realm.to_owned(), opaque, key, counts: Mutex::default(), serial: AtomicU32::new(0) }
    }

    /// The value of a `WWW-Authenticate` header for a request from `source` at `now` (time since
    /// start).
    pub(crate) fn challenge(&self, source: IpAddr, now: Duration, stale: bool) -> String {
        format!(
            "Digest realm=\"{}\", nonce=\"{}\", opaque=\"{}\", algorithm=MD5, qop=\"auth\"{}",
            self.realm,
            self.nonce(source, now.as_millis() as u64, self.serial.fetch_add(1, Ordering::Relaxed)),
            self.opaque,
            if stale { ", stale=true" } else { "" },
        )
    }

    /// Judges an `Authorization` value. `find` gives a user's HA1; an unknown user costs the same
    /// work as a known one.
    pub(crate) fn judge(
        &self,
        value: &str,
        method: &str,
        source: IpAddr,
        now: Duration,
        find: impl FnOnce(&str) -> Option<String>,
    ) -> Verdict {
        let Some(given) = parameters(value) else {
            return Verdict::Refused;
        };
        let get = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
        let algorithm = get("algorithm");
        let known_algorithm = algorithm.is_empty() || algorithm.eq_ignore_ascii_case("md5");
        let qop = match get("qop") {
            "" => None,
            "auth" => Some((get("nc"), get("cnonce"))),
            _ => return Verdict::Refused,
        };
        let user = get("username");
        let found = find(user);
        let known = found.is_some();
        let ha1 = found.unwrap_or_else(|| hex(&hmac::sign(&self.key, user.as_bytes()).as_ref()[..16]));
        let expected = response(Algorithm::Md5, &ha1, get("nonce"), method, get("uri"), qop);
        let right = equal(&expected, &get("response").to_ascii_lowercase());
        if !(right && known && known_algorithm && get("realm") == self.realm) {
            return Verdict::Refused;
        }
        let ours = self.is_fresh(get("nonce"), source, now) && get("opaque") == self.opaque;
        // Without a count a nonce is good once.
        let count = match qop {
            Some((nc, _)) => u32::from_str_radix(nc, 16).unwrap_or(0),
            None => u32::MAX,
        };
        if ours && count > 0 && self.counts().advance(get("nonce"), count, now) {
            Verdict::Granted(user.to_owned())
        } else {
            Verdict::Stale
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Changed only by whole inserts and removes, so a poisoned lock is still sound.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `serial` tells two of one millisecond apart.
    fn nonce(&self, source: IpAddr, millis: u64, serial: u32) -> String {
        let made = format!("{millis:016x}{serial:08x}");
        let tag = hmac::sign(&self.key, format!("{made}{source}").as_bytes());
        format!("{made}{}", hex(&tag.as_ref()[..16]))
    }

    fn is_fresh(&self, nonce: &str, source: IpAddr, now: Duration) -> bool {
        let made = nonce.get(..16).and_then(|t| u64::from_str_radix(t, 16).ok());
        let serial = nonce.get(16..24).and_then(|t| u32::from_str_radix(t, 16).ok());
        let (Some(made), Some(serial)) = (made, serial) else {
            return false;
        };
        let age = (now.as_millis() as u64).checked_sub(made);
        age.is_some_and(|age| u128::from(age) <= limits::NONCE_LIFE.as_millis())
            && equal(&self.nonce(source, made, serial), nonce)
    }
}

fn equal(a: &str, b: &str) -> bool {
    verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));
    const NOW: Duration = Duration::from_secs(1_000);

    fn answer(challenge: &str, user: &str, password: &str, method: &str, qop: bool) -> String {
        let asked = parameters(challenge).unwrap();
        let (realm, nonce) = (&asked["realm"], &asked["nonce"]);
        let uri = "sip:ringback";
        let with = qop.then_some(("00000001", "c0ffee"));
        let response = response(Algorithm::Md5, &ha1(user, realm, password), nonce, method, uri, with);
        let tail = if qop { ", qop=auth, nc=00000001, cnonce=\"c0ffee\"" } else { "" };
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=MD5, opaque=\"{}\"{tail}",
            asked["opaque"]
        )
    }

    fn directory(user: &str) -> Option<String> {
        (user == "1001").then(|| ha1("1001", "ringback", "secret"))
    }

    fn judge(challenger: &Challenger, value: &str, method: &str, from: IpAddr, now: Duration) -> Verdict {
        challenger.judge(value, method, from, now, directory)
    }

    #[test]
    fn the_example_of_rfc_2617() {
        let ha1 = ha1("Mufasa", "testrealm@host.com", "Circle Of Life");
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let qop = Some(("00000001", "0a4f113b"));
        let given = response(Algorithm::Md5, &ha1, nonce, "GET", "/dir/index.html", qop);
        assert_eq!(given, "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn right_credentials_are_granted_with_and_without_qop() {
        let challenger = Challenger::new("ringback");
        for qop in [true, false] {
            let challenge = challenger.challenge(HERE, NOW, false);
            let value = answer(&challenge, "1001", "secret", "REGISTER", qop);
            assert_eq!(judge(&challenger, &value, "REGISTER", HERE, NOW), Verdict::Granted("1001".into()));
            // Whoever heard it cannot say it again.
            assert_eq!(judge(&challenger, &value, "REGISTER", HERE, NOW), Verdict::Stale);
        }
    }

    #[test]
    fn a_nonce_is_counted_upwards_and_their_number_is_bounded() {
        let mut counts = Counts::default();
        assert!(counts.advance("a", 1, NOW) && counts.advance("a", 3, NOW));
        assert!(!counts.advance("a", 3, NOW) && !counts.advance("a", 2, NOW));
        for n in 1..limits::MAX_NONCES {
            assert!(counts.advance(&n.to_string(), 1, NOW));
        }
        assert!(!counts.advance("one more", 1, NOW));
        assert!(counts.advance("a", 4, NOW), "who is known goes on");
        assert!(counts.advance("one more", 1, NOW + limits::NONCE_LIFE * 2), "the old ones are forgotten");
        assert_eq!(counts.used.len(), 1);
    }

    #[test]
    fn wrong_ones_are_refused_whoever_sends_them() {
        let challenger = Challenger::new("ringback");
        let challenge = challenger.challenge(HERE, NOW, false);
        let good = answer(&challenge, "1001", "secret", "REGISTER", true);
        for bad in [
            answer(&challenge, "1001", "wrong", "REGISTER", true),
            answer(&challenge, "nobody", "secret", "REGISTER", true),
            good.replace("realm=\"ringback\"", "realm=\"other\""),
            good.replace("algorithm=MD5", "algorithm=SHA-256"),
            good.replace("qop=auth", "qop=auth-int"),
            good.replace("Digest", "Basic"),
            String::new(),
        ] {
            assert_eq!(judge(&challenger, &bad, "REGISTER", HERE, NOW), Verdict::Refused, "{bad}");
        }
        assert_eq!(judge(&challenger, &good, "INVITE", HERE, NOW), Verdict::Refused);
    }

    #[test]
    fn a_nonce_is_good_for_its_time_its_source_and_its_maker() {
        let challenger = Challenger::new("ringback");
        let value = answer(&challenger.challenge(HERE, NOW, false), "1001", "secret", "INVITE", true);
        let late = NOW + limits::NONCE_LIFE + Duration::from_millis(1);
        assert_eq!(judge(&challenger, &value, "INVITE", HERE, late), Verdict::Stale);
        assert_eq!(judge(&challenger, &value, "INVITE", THERE, NOW), Verdict::Stale);
        assert_eq!(judge(&Challenger::new("ringback"), &value, "INVITE", HERE, NOW), Verdict::Stale);
        let before = NOW - Duration::from_secs(1);
        assert_eq!(judge(&challenger, &value, "INVITE", HERE, before), Verdict::Stale);
    }

    #[test]
    fn another_opaque_is_not_ours() {
        let challenger = Challenger::new("ringback");
        let value = answer(&challenger.challenge(HERE, NOW, false), "1001", "secret", "INVITE", true);
        let value = value.replace(&format!("opaque=\"{}\"", challenger.opaque), "opaque=\"x\"");
        assert_eq!(judge(&challenger, &value, "INVITE", HERE, NOW), Verdict::Stale);
    }

    #[test]
    fn quoting_is_understood() {
        let found = parameters(r#"Digest a="x, \"y\"",b = plain , c="""#).unwrap();
        assert_eq!((found["a"].as_str(), found["b"].as_str(), found["c"].as_str()), ("x, \"y\"", "plain", ""));
        assert!(parameters("Digest a=\"open").is_none());
        assert!(parameters(&format!("Digest a=\"{}\"", "x".repeat(limits::MAX_AUTHORIZATION))).is_none());
    }

    proptest! {
        #[test]
        fn no_value_panics_or_is_granted(value in "(Digest )?[ -~é]{0,300}") {
            let challenger = Challenger::new("ringback");
            prop_assert_eq!(judge(&challenger, &value, "INVITE", HERE, NOW), Verdict::Refused);
        }
    }
}
