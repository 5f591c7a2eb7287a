//! Session timers in SIP's headers: what messages say of them, and what ours say (RFC 4028). Pure.

use rsipstack::sip::Header;
use rsipstack::sip::prelude::HeadersExt;

use super::message::{self, header};
use crate::session_timer::{Refresher, Said, SessionBounds, Terms};

/// The option tag.
pub(crate) const TIMER: &str = "timer";

/// What a message says of session timers. A number that cannot be read is none.
pub(crate) fn said(message: &impl HeadersExt) -> Said {
    let expires = message::first(message, ["Session-Expires", "x"]);
    let mut parts = expires.unwrap_or_default().split(';').map(str::trim);
    let seconds = parts.next().and_then(|seconds| seconds.parse().ok());
    let refresher =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("refresher"));
    Said {
        supported: message::lists(message, ["Supported", "k"], TIMER) || message::lists(message, ["Require"; 2], TIMER),
        expires: seconds,
        by_requester: refresher.map(|(_, who)| who.trim().eq_ignore_ascii_case("uac")),
        least: least(message),
    }
}

/// `Min-SE`, in seconds.
pub(crate) fn least(message: &impl HeadersExt) -> Option<u32> {
    message::first(message, ["Min-SE"; 2])?.split(';').next()?.trim().parse().ok()
}

/// What our INVITE, re-INVITE or UPDATE asks. `refresh`: the terms there are; we refresh them.
pub(crate) fn asked(interval: u32, bounds: SessionBounds, refresh: bool) -> [Header; 2] {
    let who = if refresh { ";refresher=uac" } else { "" };
    [header("Session-Expires", format!("{interval}{who}")), header("Min-SE", bounds.least.min(interval).to_string())]
}

/// What our 2xx says of the terms granted (RFC 4028 §9).
pub(crate) fn granted(terms: Terms) -> Vec<Header> {
    let Terms { interval, refresher } = terms;
    match refresher {
        Refresher::Us => vec![header("Session-Expires", format!("{interval};refresher=uas"))],
        // Who is to refresh must know how.
        Refresher::Them => {
            vec![header("Session-Expires", format!("{interval};refresher=uac")), header("Require", TIMER)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsipstack::sip::Request;

    fn request(headers: &str) -> Request {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{headers}\r\n");
        text.as_bytes().try_into().unwrap()
    }

    #[test]
    fn what_messages_say() {
        let full =
            said(&request("Supported: 100rel, timer\r\nSession-Expires: 900 ; refresher=uas\r\nMin-SE: 120\r\n"));
        assert_eq!(full, Said { supported: true, expires: Some(900), by_requester: Some(false), least: Some(120) });
        let compact = said(&request("k: timer\r\nx: 90;refresher=UAC;y\r\n"));
        assert_eq!(compact, Said { supported: true, expires: Some(90), by_requester: Some(true), least: None });
        for headers in ["", "Session-Expires: soon\r\n", "Supported: timers\r\n", "Min-SE: -1\r\n"] {
            assert_eq!(said(&request(headers)), Said::default(), "{headers}");
        }
    }
}
