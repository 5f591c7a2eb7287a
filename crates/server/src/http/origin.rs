//! How a client reaches us: what the links in an answer begin with.

use std::borrow::Cow;
use std::net::SocketAddr;

use hyper::header::{HOST, HeaderMap};
use hyper::http::uri::Authority;

use crate::tls::{Names, STANDS_IN_FOR};

/// Everything by which links may begin.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    /// The operator's word, without trailing slash.
    pub(crate) public_url: Option<String>,
    /// The names that are ours.
    pub(crate) names: Names,
    /// Where HTTP listens.
    pub(crate) http: SocketAddr,
    /// Where HTTPS listens.
    pub(crate) https: SocketAddr,
}

impl Origins {
    /// Whether a host, as in a URL, is one of ours.
    pub(crate) fn is_ours(&self, host: &str) -> bool {
        self.names.contains(host)
    }

    /// Scheme and host, without trailing slash, under which this request reached us or its links should.
    ///
    /// Under Microsoft's names, those: no proxy says so of itself, and a bot that was led here by them knows no other.
    /// Else the operator's `public_url`. Else the host that was asked for, if it is ours: a host that a client makes up
    /// gets into no link. Else the listener's address.
    pub(crate) fn of(&self, secure: bool, target: &hyper::Uri, headers: &HeaderMap) -> Cow<'_, str> {
        let (scheme, listener) = if secure { ("https", self.https) } else { ("http", self.http) };
        let header = || headers.get(HOST)?.to_str().ok()?.parse().ok();
        // RFC 9112 §3.2.2: a target with a host in it overrules the header.
        let asked: Option<Authority> = target.authority().cloned().or_else(header);
        let asked = asked.filter(|asked| !asked.as_str().contains('@'));
        let stands_in = |asked: &Authority| STANDS_IN_FOR.iter().any(|host| asked.host().eq_ignore_ascii_case(host));
        match (asked, &self.public_url) {
            (Some(asked), _) if stands_in(&asked) => Cow::Owned(format!("{scheme}://{asked}")),
            (_, Some(public_url)) => Cow::Borrowed(public_url),
            (Some(asked), None) if self.names.contains(asked.host()) => Cow::Owned(format!("{scheme}://{asked}")),
            (_, None) => Cow::Owned(format!("{scheme}://{listener}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(public_url: Option<&str>) -> Origins {
        let mut names = Names::default();
        names.add("ringback.lan").unwrap();
        Origins {
            public_url: public_url.map(str::to_owned),
            names,
            http: "127.0.0.1:8480".parse().unwrap(),
            https: "[::1]:8443".parse().unwrap(),
        }
    }

    fn of(public_url: Option<&str>, secure: bool, host: &str) -> String {
        let mut headers = HeaderMap::new();
        if let Ok(host) = host.parse() {
            headers.insert(HOST, host);
        }
        origins(public_url).of(secure, &hyper::Uri::from_static("/"), &headers).into_owned()
    }

    #[test]
    fn links_lead_back_the_way_the_client_came() {
        assert_eq!(of(None, true, "localhost:18443"), "https://localhost:18443");
        assert_eq!(of(None, false, "Ringback.LAN"), "http://Ringback.LAN");
        assert_eq!(of(None, true, "[::1]:8443"), "https://[::1]:8443");
        assert_eq!(of(None, true, "login.microsoftonline.com"), "https://login.microsoftonline.com");
    }

    #[test]
    fn a_host_that_is_not_ours_gets_into_no_link() {
        for host in ["evil.example", "", "localhost:1:2", "user@localhost", "localhost.evil.example", "a b"] {
            assert_eq!(of(None, true, host), "https://[::1]:8443", "{host}");
            assert_eq!(of(None, false, host), "http://127.0.0.1:8480", "{host}");
        }
    }

    #[test]
    fn what_the_operator_says_comes_before_what_a_proxy_may_have_made_of_the_host() {
        let said = Some("https://calls.example");
        assert_eq!(of(said, false, "127.0.0.1:8480"), "https://calls.example");
        assert_eq!(of(said, true, "127.0.0.1:8443"), "https://calls.example");
        assert_eq!(of(said, true, "graph.microsoft.com"), "https://graph.microsoft.com");
    }

    #[test]
    fn a_whole_target_overrules_the_header() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "127.0.0.1:1".parse().unwrap());
        let target = hyper::Uri::from_static("http://localhost:8480/healthz");
        assert_eq!(origins(None).of(false, &target, &headers), "http://localhost:8480");
    }
}
