//! Where a request goes: a URL, read once and kept in the form in which it is used.

use super::limits;
use crate::directory::{BadUrl, Origin};
use hyper::Uri;
use hyper::header::HeaderValue;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// What a connection leads to, and so what it may be used again for.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) origin: Origin,
    pub(super) secure: bool,
}

/// An http or https URL that can be requested. Cheap to clone compared with reading it.
#[derive(Clone)]
pub struct Target {
    pub(super) place: Arc<Place>,
    /// The `Host` header.
    pub(super) authority: HeaderValue,
    /// Path and query, as the request line wants it.
    pub(super) path: Uri,
    url: Url,
}

impl Target {
    /// Reads a URL as a bot gave it.
    pub fn parse(text: &str) -> Result<Target, BadUrl> {
        if text.len() > limits::URL_BYTES {
            return Err(BadUrl);
        }
        Target::of(Url::parse(text).map_err(|_| BadUrl)?)
    }

    /// The same from a URL that was read before.
    pub fn of(url: Url) -> Result<Target, BadUrl> {
        let origin = Origin::of(&url)?;
        let authority = match url.port() {
            Some(port) => HeaderValue::try_from(format!("{}:{port}", origin.host)),
            None => HeaderValue::try_from(&origin.host),
        };
        let path = match url.query() {
            Some(query) => Uri::try_from(format!("{}?{query}", url.path())),
            None => Uri::try_from(url.path()),
        };
        let (authority, path) = (authority.map_err(|_| BadUrl)?, path.map_err(|_| BadUrl)?);
        let place = Arc::new(Place { origin, secure: url.scheme() == "https" });
        Ok(Target { place, authority, path, url })
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Host and port.
    pub fn origin(&self) -> &Origin {
        &self.place.origin
    }

    /// Where a `Location` leads from here.
    pub fn join(&self, location: &str) -> Result<Target, BadUrl> {
        if location.len() > limits::URL_BYTES {
            return Err(BadUrl);
        }
        Target::of(self.url.join(location).map_err(|_| BadUrl)?)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Path and query of a callback may hold secrets.
        write!(f, "Target({}:{})", self.place.origin.host, self.place.origin.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_for_the_request() {
        for (text, host, port, authority, path) in [
            ("http://bot.example", "bot.example", 80, "bot.example", "/"),
            ("https://Bot.Example:443/a%20b?q=1#f", "bot.example", 443, "bot.example", "/a%20b?q=1"),
            ("https://bot.example:8443/a", "bot.example", 8443, "bot.example:8443", "/a"),
            ("http://[::1]:3978/api", "[::1]", 3978, "[::1]:3978", "/api"),
            ("http://0x7f.1/", "127.0.0.1", 80, "127.0.0.1", "/"),
            ("http://bücher.example/ü?ü", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/%C3%BC?%C3%BC"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.place.origin.host.as_str(), target.place.origin.port), (host, port), "{text}");
            assert_eq!(
                (target.authority.to_str().unwrap(), target.path.to_string().as_str()),
                (authority, path),
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_requested_is_refused() {
        let long = format!("http://x/{}", "a".repeat(limits::URL_BYTES));
        for text in [
            "",
            "x",
            "/a",
            "ftp://x/",
            "file:///etc/passwd",
            "http://",
            "http://u@x/",
            "http://u:p@x/",
            "http://x:0/",
            &long,
        ] {
            assert!(Target::parse(text).is_err(), "{text:.40}");
        }
    }

    #[test]
    fn what_is_printed_tells_no_secret() {
        let target = Target::parse("https://bot.example/hook?code=hunter2").unwrap();
        assert!(!format!("{target:?}").contains("hunter2"), "{target:?}");
    }

    #[test]
    fn a_location_is_read_from_where_it_stands() {
        let at = Target::parse("https://a.example/x/y?z").unwrap();
        for (location, to) in [
            ("/q", "https://a.example/q"),
            ("w", "https://a.example/x/w"),
            ("//b.example/q", "https://b.example/q"),
            ("http://10.0.0.1/", "http://10.0.0.1/"),
        ] {
            assert_eq!(at.join(location).unwrap().url().as_str(), to);
        }
        assert!(at.join("file:///etc/passwd").is_err());
    }
}
