//! Small readings and makings of SIP messages: headers by name, users and tags, texts made safe.
//! Pure; knows no socket and no call.

use std::net::IpAddr;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{Header, Request, Scheme, Uri, typed};

/// The methods we answer, for `Allow`.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REGISTER";

/// The content type of session descriptions.
pub(crate) const SDP: &str = "application/sdp";

/// A header by its name. `value` must be one line.
pub(crate) fn header(name: &str, value: impl Into<String>) -> Header {
    make_header(name, value.into())
}

/// The values of all headers of that name, in order. Compact forms are known to the parser only
/// for headers it knows; those we read are.
pub(crate) fn values<'a>(message: &'a impl HeadersExt, name: &'a str) -> impl Iterator<Item = &'a str> {
    let headers = message.headers().iter();
    headers.filter(move |h| h.name().eq_ignore_ascii_case(name)).map(Header::value)
}

/// The first header of either name: the long one and the compact one.
pub(crate) fn first<'a>(message: &'a impl HeadersExt, names: [&'a str; 2]) -> Option<&'a str> {
    names.into_iter().find_map(|name| values(message, name).next())
}

/// Whether a list of words in headers of either name holds one, without regard to case.
pub(crate) fn lists(message: &impl HeadersExt, names: [&str; 2], word: &str) -> bool {
    let is = |value: &str| value.split(',').any(|item| item.trim().eq_ignore_ascii_case(word));
    names.into_iter().any(|name| values(message, name).any(is))
}

/// The extensions a request requires and we do not have (RFC 3261 §8.2.2.3).
pub(crate) fn unsupported(request: &Request) -> Vec<String> {
    let required = values(request, "Require").flat_map(|value| value.split(','));
    let unknown =
        required.map(str::trim).filter(|tag| !tag.is_empty() && !tag.eq_ignore_ascii_case(super::timers::TIMER));
    unknown.map(line).collect()
}

/// The sequence number.
pub(crate) fn cseq(message: &impl HeadersExt) -> Option<u32> {
    message.cseq_header().ok()?.seq().ok()
}

/// `Call-ID`.
pub(crate) fn call_id(message: &impl HeadersExt) -> Option<String> {
    Some(message.call_id_header().ok()?.value().to_owned())
}

/// The tag of `To`.
pub(crate) fn to_tag(message: &impl HeadersExt) -> Option<String> {
    let tag = message.to_header().ok()?.tag().ok()??;
    Some(tag.value().to_owned()).filter(|t| !t.is_empty())
}

/// The tag of `From`.
pub(crate) fn from_tag(message: &impl HeadersExt) -> Option<String> {
    let tag = message.from_header().ok()?.tag().ok()??;
    Some(tag.value().to_owned()).filter(|t| !t.is_empty())
}

/// Who `From` names: user part and display name, both decoded and made safe.
pub(crate) fn caller(request: &Request) -> (String, Option<String>) {
    let Some(from) = request.from_header().ok().and_then(|h| h.typed().ok()) else {
        return (String::new(), None);
    };
    let display = from.display_name.map(|d| line(&d)).filter(|d| !d.is_empty());
    (user(&from.uri), display)
}

/// The user `To` names.
pub(crate) fn called_of_to(request: &Request) -> String {
    let to = request.to_header().ok().and_then(|h| h.typed().ok());
    to.map(|to| user(&to.uri)).unwrap_or_default()
}

/// The user part of an address, percent-decoded. Of a `tel:` address, the number.
pub(crate) fn user(uri: &Uri) -> String {
    let text = match (&uri.scheme, uri.user()) {
        (Some(Scheme::Other(other)), _) if other.eq_ignore_ascii_case("tel") => uri.host_with_port.host.to_string(),
        (_, user) => decode(user.unwrap_or_default()),
    };
    line(&text)
}

/// The first `Contact` of a message, as an address fit for a request line.
pub(crate) fn contact(message: &impl HeadersExt) -> Option<Uri> {
    let contact = message.typed_contact_headers().ok()?.into_iter().next()?;
    address(&contact.uri.to_string())
}

/// A `sip:` or `sips:` address from text: no other scheme, one line, no header part; its user part decoded,
/// because the library encodes it when it prints.
pub(crate) fn address(text: &str) -> Option<Uri> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"".contains(c)) {
        return None;
    }
    let mut uri = Uri::try_from(text).ok()?;
    if !matches!(uri.scheme, Some(Scheme::Sip | Scheme::Sips)) {
        return None;
    }
    uri.headers.clear();
    if let Some(auth) = &mut uri.auth {
        auth.user = decode(&auth.user);
    }
    Some(uri)
}

/// An address of a user at a host: `sip:user@host`, the user part encoded where needed.
pub(crate) fn address_of(user: &str, host: &str) -> Option<Uri> {
    let mut uri = Uri::try_from(format!("sip:{host}").as_str()).ok()?;
    uri.auth = Some(rsipstack::sip::Auth { user: line(user), password: None });
    Some(uri)
}

/// A `From` or `To` value: `"display" <address>;tag=…`.
pub(crate) fn name_address(display: Option<&str>, uri: &Uri, tag: Option<&str>) -> String {
    let display = display.map(|d| line(d).replace(['"', '\\'], ""));
    let display = display.filter(|d| !d.is_empty()).map(|d| format!("\"{d}\" "));
    let tag = tag.map(|t| format!(";tag={t}")).unwrap_or_default();
    format!("{}<{uri}>{tag}", display.unwrap_or_default())
}

/// The `Record-Route` entries of a message, in its order, as `<sip:…;lr>`.
pub(crate) fn record_routes(message: &impl HeadersExt) -> Vec<String> {
    let routes = message.typed_record_route_headers().unwrap_or_default();
    routes.iter().map(typed::RecordRoute::to_string).collect()
}

/// The IP address an address names its host by, if it does.
pub(crate) fn ip(uri: &Uri) -> Option<IpAddr> {
    uri.host_with_port.host.clone().try_into().ok()
}

/// Whether an address wants TLS all the way.
pub(crate) fn is_secure(uri: &Uri) -> bool {
    uri.scheme == Some(Scheme::Sips)
}

/// Text as one line of at most 128 characters without control characters.
fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|c| u8::from_str_radix(std::str::from_utf8(c).ok()?, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn users_are_decoded_once_and_printed_encoded() {
        let uri = address("sip:a%23b%20c@192.0.2.1:5070;ob").unwrap();
        assert_eq!(user(&uri), "a#b c");
        assert_eq!(uri.to_string(), "sip:a%23b%20c@192.0.2.1:5070;ob");
        assert_eq!(ip(&uri), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(user(&Uri::try_from("tel:+15551234").unwrap()), "+15551234");
    }

    #[test]
    fn only_plain_sip_addresses_are_addresses() {
        for text in ["tel:1", "http://x", "sip:a@b\r\nX: y", "sip:a@b c", "", "<sip:a>"] {
            assert!(address(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn names_cannot_break_a_header() {
        let uri = address("sip:1@h").unwrap();
        let value = name_address(Some("a\"\r\nVia: x\\"), &uri, Some("t"));
        assert_eq!(value, "\"aVia: x\" <sip:1@h>;tag=t");
        let uri = address_of("1\r\nVia: <x>", "192.0.2.1").unwrap();
        assert!(!uri.to_string().contains(['\r', '\n', '<', '>']), "{uri}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,60}", escaped in "(%[0-9a-fG]{0,2}|é|a){0,20}") {
            let _ = address(&text).map(|u| user(&u));
            let _ = decode(&escaped);
        }
    }
}
