//! The text of a path: its segments, keys and ids, decoded. It must not know what the contract names.

use std::borrow::Cow;

use crate::path::{RouteError, unknown};

/// The segments of a path, decoded, without the empty ones.
#[derive(Clone)]
pub(crate) struct Walk<'a> {
    rest: &'a str,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(path: &'a str) -> Self {
        Self { rest: path }
    }

    pub(crate) fn next(&mut self) -> Option<Cow<'a, str>> {
        self.rest = self.rest.trim_start_matches('/');
        let (segment, rest) = self.rest.split_once('/').unwrap_or((self.rest, ""));
        self.rest = rest;
        (!segment.is_empty()).then(|| decode(segment))
    }

    /// The next segment; without one, the path ends at `last`, which is nothing by itself.
    pub(crate) fn needed(&mut self, last: &str) -> Result<Cow<'a, str>, RouteError> {
        self.next().ok_or_else(|| unknown(last))
    }

    /// Nothing may follow.
    pub(crate) fn end(&mut self) -> Result<(), RouteError> {
        self.next().map_or(Ok(()), |segment| Err(unknown(&segment)))
    }
}

/// Splits `calls('ID')` into its name and its key; an empty key is no key, but part of the name.
pub(crate) fn keyed(segment: Cow<'_, str>) -> (Cow<'_, str>, Option<Cow<'_, str>>) {
    fn split(segment: &str) -> Option<(&str, &str)> {
        let (name, key) = segment.strip_suffix("')")?.split_once("('")?;
        (!key.is_empty()).then_some((name, key))
    }
    match segment {
        Cow::Borrowed(text) => match split(text) {
            Some((name, key)) => (name.into(), Some(key.into())),
            None => (segment, None),
        },
        Cow::Owned(ref text) => match split(text) {
            Some((name, key)) => (name.to_owned().into(), Some(key.to_owned().into())),
            None => (segment, None),
        },
    }
}

/// An id in the one form everyone compares: lower case, with the dashes of a GUID.
pub(crate) fn id(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        let text = text.to_ascii_lowercase();
        let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
        return parts.join("-").into();
    }
    match text.bytes().any(|b| b.is_ascii_uppercase()) {
        true => text.to_ascii_lowercase().into(),
        false => text,
    }
}

/// Percent-decoding. A `%` without two hex digits stands for itself; what is not UTF-8 then
/// becomes U+FFFD, which no id contains.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match rest {
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned().into(),
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// The same in a form's manner (`application/x-www-form-urlencoded`): a `+` is a space.
pub(crate) fn decode_form(text: &str) -> Cow<'_, str> {
    match text.contains('+') {
        true => decode(&text.replace('+', " ")).into_owned().into(),
        false => decode(text),
    }
}

/// An action's name without its namespace.
pub(crate) fn bare(segment: &str) -> &str {
    const NAMESPACE: &str = "microsoft.graph.";
    match segment.split_at_checked(NAMESPACE.len()) {
        Some((head, name)) if head.eq_ignore_ascii_case(NAMESPACE) => name,
        _ => segment,
    }
}
