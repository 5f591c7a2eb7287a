//! Who asks through something on this machine, so that the peer's address says nothing: a browser that shows a page of
//! another site, and a proxy or tunnel.
//!
//! It must not know: what is asked for.

use hyper::header::{HOST, HeaderMap, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{StatusCode, Uri};

use super::origin::Origins;
use super::refusals::Refused;

const SITE: &str = "sec-fetch-site";

/// Whether a proxy says that it passed this on (RFC 7239). One that says nothing of itself is not noticed.
pub(crate) fn passed_on(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for"].iter().any(|name| headers.contains_key(*name))
}

/// Whether a browser sent this for a page. Browsers add an `Origin` to whatever is neither GET nor HEAD (Fetch §3.2), and
/// `Sec-Fetch-Site` to all that goes to loopback or by https; programs add neither. A GET of a page under another name for
/// this address may have neither: without a token, which takes a POST, it reads nothing of anybody.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key(SITE)
}

/// Refuses what a page of another site sent, before its body is read. Three things a browser adds say so, and no page
/// can change them: the host that was asked for (a name of the attacker's that was made to lead here is none of ours),
/// the page's origin, and whether it is the same site. Nothing here answers to CORS.
pub(crate) fn check(origins: &Origins, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let asked: Option<Authority> = uri.authority().cloned().or_else(|| headers.get(HOST)?.to_str().ok()?.parse().ok());
    let ours = asked.filter(|asked| origins.is_ours(asked.host()));
    let Some(asked) = ours else { return Err(foreign("the Host it asked for is none of this server's names")) };
    if let Some(origin) = text(ORIGIN.as_str()) {
        let host = origin.split_once("://").map(|(_, host)| host);
        let public = origins.public_url.as_deref();
        if !(host.is_some_and(|host| host.eq_ignore_ascii_case(asked.as_str())) || public == Some(origin)) {
            return Err(foreign("its Origin is another one"));
        }
    }
    match text(SITE) {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(foreign("its browser says so (Sec-Fetch-Site)")),
    }
}

fn foreign(why: &str) -> Refused {
    let message = format!("A page of another site may not ask this server: {why}.");
    Refused::new(StatusCode::FORBIDDEN, "accessDenied", message)
}
