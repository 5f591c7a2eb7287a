//! Keys by SIP INFO, in the two forms phones use: `application/dtmf-relay` (`Signal=5` and
//! `Duration=160` on lines of their own) and `application/dtmf` (the key alone). Pure.

use ringback_media::Tone;

/// The content types read, for `Accept`.
pub(crate) const ACCEPT: &str = "application/dtmf-relay, application/dtmf";

/// What an INFO says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Info {
    /// A key was pressed.
    Key(Tone),
    /// Nothing: some phones send it empty to see whether the call still stands.
    Nothing,
    /// A key we do not know, or none where there should be one: 400.
    Malformed,
    /// Another content type: 415.
    Unknown,
}

/// Reads a body of this content type.
pub(crate) fn read(content_type: &str, body: &[u8]) -> Info {
    if body.is_empty() {
        return Info::Nothing;
    }
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let Ok(text) = std::str::from_utf8(body) else {
        return Info::Malformed;
    };
    let signal = if kind.eq_ignore_ascii_case("application/dtmf-relay") {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let mut signals = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case("signal"));
        signals.next().map(|(_, value)| value.trim())
    } else if kind.eq_ignore_ascii_case("application/dtmf") {
        Some(text.trim())
    } else {
        return Info::Unknown;
    };
    signal.and_then(tone).map_or(Info::Malformed, Info::Key)
}

/// A key as itself, or by its event code (RFC 4733 table 3) where that has two digits.
fn tone(signal: &str) -> Option<Tone> {
    let mut chars = signal.chars();
    match (chars.next(), chars.next()) {
        (Some(key), None) => Tone::of_key(key),
        (Some(_), Some(_)) if signal.eq_ignore_ascii_case("flash") => Some(Tone::Flash),
        (Some(_), Some(_)) if signal.len() == 2 => Tone::of_event(signal.parse().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_in_both_forms() {
        for (kind, body, expected) in [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Info::Key(Tone::Digit(5))),
            ("application/dtmf-relay", "Duration= 250\nsignal = *\n", Info::Key(Tone::Star)),
            ("application/DTMF-Relay; x=y", "Signal=11", Info::Key(Tone::Pound)),
            ("application/dtmf-relay", "Signal=d", Info::Key(Tone::D)),
            ("application/dtmf-relay", "Signal=flash", Info::Key(Tone::Flash)),
            ("application/dtmf", "#", Info::Key(Tone::Pound)),
            ("application/dtmf", " 7\r\n", Info::Key(Tone::Digit(7))),
            ("application/dtmf", "16", Info::Key(Tone::Flash)),
            ("application/dtmf", "77", Info::Malformed),
            ("application/dtmf", "é", Info::Malformed),
            ("application/dtmf-relay", "Duration=160", Info::Malformed),
            ("application/dtmf-relay", "Signal=", Info::Malformed),
            ("application/media_control+xml", "<x/>", Info::Unknown),
            ("", "5", Info::Unknown),
            ("", "", Info::Nothing),
        ] {
            assert_eq!(read(kind, body.as_bytes()), expected, "{kind} {body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read(relay: bool, body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(if relay { "application/dtmf-relay" } else { "application/dtmf" }, &body);
        }
    }
}
