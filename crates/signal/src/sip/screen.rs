//! A message at first sight, before the SIP library reads it: what is no SIP is dropped, a request
//! that cannot be understood is refused with the reason (RFC 3261 §8.2, RFC 4475), where the
//! library would drop it without a word. Pure: bytes in, a verdict out. Knows no socket and no call.

use rsipstack::sip::headers::ToTypedHeader;
use rsipstack::sip::headers::untyped::{From as FromHeader, To as ToHeader, Via as ViaHeader};
use rsipstack::sip::{Method, Scheme, Uri};

use super::framing;

/// What a message looks like.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// One that the library can read.
    Message,
    /// The same in other words: unfolded, without white space that means nothing, and with its
    /// length, which a datagram may leave out (RFC 3261 §7.3.1, §20.14).
    Rewritten(Vec<u8>),
    /// Nothing of SIP.
    Noise,
    /// SIP, but neither to be understood nor to be answered.
    Unfit,
    /// A request, and the refusal it gets.
    Refused(Vec<u8>),
}

/// The headers every answer repeats, each with its compact form (RFC 3261 §8.2.6.2).
const REPEATED: [(&str, &str); 5] = [("via", "v"), ("from", "f"), ("to", "t"), ("call-id", "i"), ("cseq", "cseq")];

/// A sequence number is below 2³¹ (RFC 3261 §8.1.1.5).
const MOST_CSEQ: u32 = (1 << 31) - 1;

/// A status and its reason.
type Status = (u16, &'static str);

/// Looks at a whole message: a datagram, or what [`framing`] cut out of a stream.
pub(crate) fn look(message: &[u8]) -> Sight {
    let Some(end) = message.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Sight::Noise;
    };
    let Ok(head) = std::str::from_utf8(&message[..end]) else {
        return Sight::Noise;
    };
    let body = &message[end + 4..];
    let tidied = tidy(head);
    let head = tidied.as_deref().unwrap_or(head);
    let readable = || match (&tidied, body.is_empty() || framing::content_length(head.as_bytes()) != Ok(None)) {
        (None, true) => Sight::Message,
        (_, true) => Sight::Rewritten([head.as_bytes(), b"\r\n\r\n", body].concat()),
        (_, false) => {
            let length = format!("\r\nContent-Length: {}\r\n\r\n", body.len());
            Sight::Rewritten([head.as_bytes(), length.as_bytes(), body].concat())
        }
    };
    if head.starts_with("SIP/2.0 ") {
        return if is_response(head) { readable() } else { Sight::Unfit };
    }
    let line = head.split("\r\n").next().unwrap_or_default();
    // SIP's own word at the end tells a bad request from another protocol.
    let version = line.trim_end().rsplit_once([' ', '\t']).map_or("", |(_, version)| version);
    if !version.starts_with("SIP/") {
        return Sight::Noise;
    }
    match request(line, head, body) {
        Ok(()) => readable(),
        // Whatever is wrong with an ACK, there is no answer to it (RFC 3261 §17.1.1.2).
        Err(_) if line.starts_with("ACK ") => Sight::Unfit,
        Err(status) => refusal(head, status).map_or(Sight::Unfit, Sight::Refused),
    }
}

/// The refusal of a request whose body was not read, for a head that came by a stream.
pub(crate) fn refuse(head: &[u8], status: Status) -> Option<Vec<u8>> {
    let head = std::str::from_utf8(head).ok()?.trim_end_matches("\r\n");
    let is_request = head.split("\r\n").next().is_some_and(|line| line.ends_with(" SIP/2.0"));
    if is_request { refusal(head, status) } else { None }
}

/// 513, of a message beyond [`crate::limits::MAX_MESSAGE`].
pub(crate) const TOO_LARGE: Status = (513, "Message Too Large");
/// 400, of a stream whose next message cannot be found.
pub(crate) const NO_LENGTH: Status = (400, "Content-Length Missing Or Malformed");

/// Headers that are made of names, addresses and parameters, with their compact forms. White space
/// around their separators means nothing (RFC 3261 §25.1: SWS), and the library does not know it.
const STRUCTURED: [&str; 10] = ["via", "v", "from", "f", "to", "t", "contact", "m", "route", "record-route"];

/// The head on one line for each header, without white space that means nothing. `None`: it is so
/// already, as nearly always.
fn tidy(head: &str) -> Option<String> {
    let loose = |line: &str| {
        let name = line.split(':').next().unwrap_or_default();
        let structured = STRUCTURED.iter().any(|known| name.trim().eq_ignore_ascii_case(known));
        name.ends_with([' ', '\t'])
            || structured && [" ;", "; ", " =", "= ", "/ ", " /", " ,", "\t"].iter().any(|odd| line.contains(odd))
    };
    let folded = head.contains("\r\n ") || head.contains("\r\n\t");
    if !folded && !head.split("\r\n").skip(1).any(loose) {
        return None;
    }
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let mut lines = unfolded.split("\r\n");
    let mut tidied = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        tidied.push_str("\r\n");
        let Some((name, value)) = line.split_once(':') else {
            tidied.push_str(line);
            continue;
        };
        let name = name.trim_end();
        tidied.push_str(name);
        tidied.push_str(": ");
        match STRUCTURED.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            true => squeeze(value.trim(), &mut tidied),
            false => tidied.push_str(value.trim()),
        }
    }
    Some(tidied)
}

/// A structured value without white space around its separators, outside of quotes.
fn squeeze(value: &str, into: &mut String) {
    let mut quoted = false;
    let mut escaped = false;
    let mut gap = false;
    for c in value.chars() {
        if !quoted && matches!(c, ' ' | '\t') {
            gap = true;
            continue;
        }
        let separates = |c: char| matches!(c, ';' | '=' | '/' | ',');
        if gap && !separates(c) && !into.ends_with(separates) && !into.ends_with(": ") {
            into.push(' ');
        }
        gap = false;
        into.push(c);
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
    }
}

/// Whether the library can find a response's transaction. Broken ones are dropped: the request is
/// repeated, or its time runs out.
fn is_response(head: &str) -> bool {
    let status = head.get(8..11).and_then(|s| s.parse::<u16>().ok());
    let ends = head.as_bytes().get(11).is_none_or(|b| matches!(b, b' ' | b'\r'));
    ends && status.is_some_and(|s| (100..700).contains(&s)) && REPEATED.iter().all(|name| first(head, *name).is_some())
}

/// `Err`: what a request is refused with.
fn request(line: &str, head: &str, body: &[u8]) -> Result<(), Status> {
    let mut parts = line.split(' ');
    let (Some(method), Some(uri), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err((400, "Bad Request Line"));
    };
    if version != "SIP/2.0" {
        return Err((505, "Version Not Supported"));
    }
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b)) {
        return Err((400, "Bad Method"));
    }
    // The method is looked at before all else (RFC 3261 §8.2.1).
    if !method.parse::<Method>().is_ok_and(|known| known.to_string() == method) {
        return Err((501, "Not Implemented"));
    }
    address(uri)?;
    headers(head, method)?;
    match framing::content_length(head.as_bytes()) {
        Ok(Some(length)) if length > body.len() => Err((400, "Body Shorter Than Content-Length")),
        Ok(_) => Ok(()),
        Err(framing::BadLength) => Err((400, "Bad Content-Length")),
    }
}

/// The address a request is for (RFC 3261 §8.2.2.1).
fn address(uri: &str) -> Result<(), Status> {
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    let scheme = uri.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
    let scheme = scheme.map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("sip" | "sips" | "tel") => {}
        Some(_) => return Err((416, "Unsupported URI Scheme")),
        None => return Err((400, "Bad Request-URI")),
    }
    match Uri::try_from(uri) {
        // A header part means something only where an address is written, not where it is used
        // (RFC 3261 §19.1.1).
        Ok(uri) if uri.headers.is_empty() || matches!(uri.scheme, Some(Scheme::Other(_))) => Ok(()),
        _ => Err((400, "Bad Request-URI")),
    }
}

/// What every request must have, once each (RFC 3261 §8.1.1).
fn headers(head: &str, method: &str) -> Result<(), Status> {
    let bad = |why| (400, why);
    let via = first(head, REPEATED[0]).ok_or(bad("Via Missing"))?;
    let from = only(head, REPEATED[1]).ok_or(bad("From Missing Or Repeated"))?;
    let to = only(head, REPEATED[2]).ok_or(bad("To Missing Or Repeated"))?;
    let call_id = only(head, REPEATED[3]).ok_or(bad("Call-ID Missing Or Repeated"))?;
    let cseq = only(head, REPEATED[4]).ok_or(bad("CSeq Missing Or Repeated"))?;
    let top = ViaHeader::new(via).first_value().ok();
    // An answer repeats them all, and goes where they say.
    if top.and_then(|via| via.typed().ok()).is_none() || !values(head, REPEATED[0]).all(is_whole) {
        return Err(bad("Bad Via"));
    }
    let tag = FromHeader::new(from).typed().ok().and_then(|from| from.tag().cloned());
    if tag.is_none_or(|tag| tag.value().is_empty()) || !is_balanced(from) {
        return Err(bad("Bad From"));
    }
    if ToHeader::new(to).typed().is_err() || !is_balanced(to) {
        return Err(bad("Bad To"));
    }
    if call_id.is_empty() || call_id.contains(char::is_whitespace) {
        return Err(bad("Bad Call-ID"));
    }
    let (number, of) = cseq.split_once(char::is_whitespace).ok_or(bad("Bad CSeq"))?;
    if number.parse::<u32>().is_ok_and(|n| n <= MOST_CSEQ) && of.trim() == method {
        Ok(())
    } else {
        Err(bad("Bad CSeq"))
    }
}

/// Whether there is something before and behind every separator, outside of quotes.
fn is_whole(value: &str) -> bool {
    let mut quoted = false;
    let mut nothing = true;
    for c in value.chars() {
        quoted ^= c == '"';
        match c {
            ';' | ',' if !quoted && nothing => return false,
            ';' | ',' if !quoted => nothing = true,
            c => nothing &= c.is_whitespace(),
        }
    }
    !nothing
}

/// Whether every quote is closed.
fn is_balanced(value: &str) -> bool {
    let mut quoted = false;
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => drop(chars.next()),
            _ => {}
        }
    }
    !quoted
}

/// The values of a header.
fn values<'a>(head: &'a str, name: (&'a str, &'a str)) -> impl Iterator<Item = &'a str> {
    head.split("\r\n").skip(1).filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        let found = found.trim_end();
        let is = found.eq_ignore_ascii_case(name.0) || found.eq_ignore_ascii_case(name.1);
        is.then(|| value.trim())
    })
}

fn first<'a>(head: &'a str, name: (&'a str, &'a str)) -> Option<&'a str> {
    values(head, name).next()
}

fn only<'a>(head: &'a str, name: (&'a str, &'a str)) -> Option<&'a str> {
    let mut all = values(head, name);
    all.next().filter(|_| all.next().is_none())
}

/// A stateless refusal (RFC 3261 §8.2.7) that repeats what there is of the headers an answer
/// must have. `None` without a `Via`, which says that somebody waits for an answer.
fn refusal(head: &str, (status, reason): Status) -> Option<Vec<u8>> {
    let mut answer = format!("SIP/2.0 {status} {reason}\r\n");
    let mut lines = head.split("\r\n").skip(1).peekable();
    let mut via = false;
    while let Some(line) = lines.next() {
        let name = line.split(':').next().unwrap_or_default().trim_end();
        let is = |(long, short): &(&str, &str)| name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short);
        let Some(index) = REPEATED.iter().position(is) else {
            continue;
        };
        via |= index == 0;
        answer.push_str(line);
        while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
            answer.push(' ');
            answer.push_str(more.trim());
        }
        if index == 2 && !line.contains("tag=") {
            answer.push_str(";tag=refused");
        }
        answer.push_str("\r\n");
    }
    answer.push_str("Content-Length: 0\r\n\r\n");
    via.then(|| answer.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADERS: &str = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\n\
        To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nSubject: no\r\n\r\n";

    fn status(line: &str, headers: &str) -> Option<u16> {
        match look(format!("{line}\r\n{headers}").as_bytes()) {
            Sight::Refused(answer) => String::from_utf8(answer).unwrap()[8..11].parse().ok(),
            Sight::Message => Some(0),
            _ => None,
        }
    }

    #[test]
    fn messages_and_noise() {
        assert_eq!(status("OPTIONS sip:a@b SIP/2.0", HEADERS), Some(0));
        assert_eq!(status("SIP/2.0 200 OK", HEADERS), Some(0));
        for (line, headers) in [
            ("hello", ""),
            ("GET / HTTP/1.1", "\r\n"),
            ("FROB sip:a SIP/2.0", "Subject: no via\r\n\r\n"),
            ("OPTIONS sip:a@b SIP/2.0", "Via: x\r\n"),
            ("SIP/2.0 4294967301 better not", HEADERS),
            ("SIP/2.0 200 OK", "Via: SIP/2.0/UDP a\r\n\r\n"),
            ("ACK sip:a@b SIP/2.0", HEADERS),
            ("ACK sip:a@b SIP/7.0", HEADERS),
        ] {
            assert_eq!(status(line, headers), None, "{line}");
        }
    }

    #[test]
    fn each_fault_has_its_status() {
        for (line, expected) in [
            ("FROB sip:c@d SIP/2.0", 501),
            ("OPTIONS sip:c@d SIP/7.0", 505),
            ("OPTIONS  sip:c@d  SIP/2.0", 400),
            ("OPTIONS sip:c@d SIP/2.0 ", 400),
            ("OPTIONS <sip:c@d> SIP/2.0", 400),
            ("OPTIONS sip:c@d; lr SIP/2.0", 400),
            ("OPTIONS sip:c@d?Route=%3Csip:x%3E SIP/2.0", 400),
            ("OPTIONS mailto:c@d SIP/2.0", 416),
            ("OPTIONS c SIP/2.0", 400),
        ] {
            assert_eq!(status(line, HEADERS), Some(expected), "{line}");
        }
        assert_eq!(status("FROB sip:c@d SIP/2.0", &HEADERS.replace("OPTIONS", "FROB")), Some(501));
        for (from, to) in [
            ("Call-ID: x\r\n", ""),
            ("Call-ID: x\r\n", "Call-ID: x\r\ni: y\r\n"),
            ("CSeq: 1 OPTIONS", "CSeq: 4294967296 OPTIONS"),
            ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
            (";tag=1", ""),
            ("f: <sip:a@b>;tag=1", "f: <sip:a@b"),
            ("SIP/2.0/UDP 192.0.2.9", "SIP/2.0/CARRIER 192.0.2.9"),
            ("branch=z9hG4bK1", "branch=z9hG4bK1;;,;,,"),
            ("branch=z9hG4bK1", ";branch=z9hG4bK1"),
            ("branch=z9hG4bK1", "branch=z9hG4bK1\r\nVia: SIP/2.0/UDP c ;"),
            ("Subject: no", "Content-Length: 9"),
            ("Subject: no", "Content-Length: -9"),
        ] {
            assert_eq!(status("OPTIONS sip:c@d SIP/2.0", &HEADERS.replace(from, to)), Some(400), "{to}");
        }
    }

    #[test]
    fn a_refusal_repeats_what_an_answer_must() {
        let headers = HEADERS.replace("OPTIONS", "FROB").replace("z9hG4bK1", "z9hG4bK1\r\n ;rport");
        let Sight::Refused(answer) = look(format!("FROB sip:c@d SIP/2.0\r\n{headers}").as_bytes()) else {
            panic!("it has an unknown method");
        };
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("SIP/2.0 501 "), "{answer}");
        assert!(answer.contains("branch=z9hG4bK1;rport\r\n"), "{answer}");
        assert!(answer.contains("To: <sip:c@d>;tag=refused\r\n"), "{answer}");
        assert!(!answer.contains("Subject"), "{answer}");
    }

    #[test]
    fn a_datagram_without_a_length_gets_one() {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{HEADERS}body");
        let Sight::Rewritten(bytes) = look(text.as_bytes()) else {
            panic!("it has a body");
        };
        assert!(bytes.ends_with(b"no\r\nContent-Length: 4\r\n\r\nbody"));
    }

    #[test]
    fn white_space_that_means_nothing_goes_and_what_is_quoted_stays() {
        let head = "OPTIONS sip:a@b SIP/2.0\r\nTO :\r\n sip:a@b ;   tag    = 19\r\nVia: SIP  / 2.0\r\n\t/UDP   c ; branch = 1 ,\r\n SIP/2.0/TCP d\r\n\
            From: \"a ; \\\" b\"   <sip:c@d> ; tag=1\r\nSubject:  two  words\r\n and = more";
        assert_eq!(
            tidy(head).unwrap(),
            "OPTIONS sip:a@b SIP/2.0\r\nTO: sip:a@b;tag=19\r\nVia: SIP/2.0/UDP c;branch=1,SIP/2.0/TCP d\r\n\
             From: \"a ; \\\" b\" <sip:c@d>;tag=1\r\nSubject: two  words and = more"
        );
        assert_eq!(tidy(HEADERS.trim_end()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = look(&bytes);
            let _ = refuse(&bytes, TOO_LARGE);
        }

        #[test]
        fn any_headers_are_looked_at(method in "[A-Z]{1,6}", headers in "([a-zA-Z-]{0,8}:?[ -~]{0,20}\r\n){0,8}") {
            let _ = look(format!("{method} sip:a SIP/2.0\r\n{headers}\r\n").as_bytes());
        }
    }
}
