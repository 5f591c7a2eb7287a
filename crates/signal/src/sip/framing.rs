//! Messages out of a stream of bytes: by `Content-Length` (RFC 3261 §18.3), with the keep-alives
//! between them (RFC 5626 §3.5.1). Pure: bytes in, frames out; what is kept is bounded.

use crate::limits::{MAX_HEAD, MAX_MESSAGE};

/// What a stream carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A whole message, as it came.
    Message(Vec<u8>),
    /// A double CRLF: the far end asks whether we are there.
    Ping,
}

/// Why nothing more can be read from a stream. With a head, its request can still be refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// No SIP: another protocol, most likely.
    Garbage,
    /// A head without end.
    EndlessHead,
    /// A message longer than [`MAX_MESSAGE`].
    TooLong(Vec<u8>),
    /// No `Content-Length`, several that differ, or one that is no number: where the next message
    /// begins is unknown.
    NoLength(Vec<u8>),
}

/// Cuts one stream.
#[derive(Default)]
pub(crate) struct Framer {
    kept: Vec<u8>,
    /// How much of `kept` is known to hold no end of a head.
    searched: usize,
    /// The length of the message whose head was read.
    whole: Option<usize>,
}

impl Framer {
    /// Takes what was read. At most one read beyond a whole message is kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
    }

    /// Whether a message has begun and is not whole.
    pub(crate) fn begun(&self) -> bool {
        self.kept.iter().any(|b| !matches!(b, b'\r' | b'\n'))
    }

    /// The next frame; `None` until more is read. After an error, nothing can be read any more.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Broken> {
        let length = match self.whole {
            Some(length) => length,
            None => {
                if let Some(ping) = self.skip_line_ends() {
                    return Ok(Some(ping));
                }
                let Some(length) = self.head()? else {
                    return Ok(None);
                };
                *self.whole.insert(length)
            }
        };
        if self.kept.len() < length {
            return Ok(None);
        }
        let rest = self.kept.split_off(length);
        (self.searched, self.whole) = (0, None);
        Ok(Some(Frame::Message(std::mem::replace(&mut self.kept, rest))))
    }

    /// Line ends before a message mean nothing (RFC 3261 §7.5), two together are a ping.
    fn skip_line_ends(&mut self) -> Option<Frame> {
        loop {
            if self.kept.starts_with(b"\r\n\r\n") {
                self.kept.drain(..4);
                return Some(Frame::Ping);
            }
            let begins = self.kept.get(..2) == Some(b"\r\n");
            // It may be the first half of a ping.
            if !begins || self.kept.len() == 2 || self.kept[2..] == *b"\r" {
                return None;
            }
            self.kept.drain(..2);
        }
    }

    /// The length of the message that begins, once its head is whole.
    fn head(&mut self) -> Result<Option<usize>, Broken> {
        // A method or `SIP/2.0` begins with something printed. A TLS handshake, say, does not.
        if self.kept.first().is_some_and(|b| !b.is_ascii_graphic() && !matches!(b, b'\r' | b'\n')) {
            return Err(Broken::Garbage);
        }
        let from = self.searched.saturating_sub(3);
        let end = self.kept[from..].windows(4).position(|w| w == b"\r\n\r\n");
        self.searched = self.kept.len();
        let end = match end {
            Some(end) => from + end + 4,
            None if self.kept.len() > MAX_HEAD => return Err(Broken::EndlessHead),
            None => return Ok(None),
        };
        if end > MAX_HEAD {
            return Err(Broken::EndlessHead);
        }
        let head = &self.kept[..end];
        match content_length(head) {
            Ok(Some(body)) if body <= MAX_MESSAGE - end => Ok(Some(end + body)),
            Ok(Some(_)) => Err(Broken::TooLong(head.to_vec())),
            Ok(None) | Err(BadLength) => Err(Broken::NoLength(head.to_vec())),
        }
    }
}

/// A `Content-Length` that is no number, or several that differ.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLength;

/// What a head says of its body's length, in bytes. A number too large to count is the largest.
pub(crate) fn content_length(head: &[u8]) -> Result<Option<usize>, BadLength> {
    let mut found = None;
    for line in head.split(|b| *b == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            continue;
        };
        let name = line[..colon].trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let digits = line[colon + 1..].trim_ascii();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(BadLength);
        }
        let value = std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(usize::MAX);
        if found.replace(value).is_some_and(|before| before != value) {
            return Err(BadLength);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(length: &str, body: &str) -> Vec<u8> {
        format!("OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n{length}\r\n{body}").into_bytes()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Frame>, Broken> {
        let mut framer = Framer::default();
        framer.push(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = framer.next()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn messages_and_pings_are_told_apart() {
        let (one, two) = (message("Content-Length: 3\r\n", "abc"), message("l:0\r\n", ""));
        let bytes = [b"\r\n\r\n".as_slice(), &one, b"\r\n", &two, b"\r\n\r\n\r\n\r\n\r\n"].concat();
        let frames = read(&bytes).unwrap();
        assert_eq!(frames, [Frame::Ping, Frame::Message(one), Frame::Message(two), Frame::Ping, Frame::Ping]);
    }

    #[test]
    fn what_cannot_be_cut_is_told() {
        assert_eq!(read(b"\x16\x03\x01\x02"), Err(Broken::Garbage));
        assert!(matches!(read(&message("", "")), Err(Broken::NoLength(_))));
        assert!(matches!(read(&message("Content-Length: -9\r\n", "")), Err(Broken::NoLength(_))));
        assert!(matches!(read(&message("Content-Length: 1\r\nl: 2\r\n", "")), Err(Broken::NoLength(_))));
        assert!(matches!(read(&message("Content-Length: 70000\r\n", "")), Err(Broken::TooLong(_))));
        assert!(matches!(read(&message("Content-Length: 99999999999999999999999\r\n", "")), Err(Broken::TooLong(_))));
        let endless = [b"OPTIONS sip:a@b SIP/2.0\r\n".to_vec(), b"X: y\r\n".repeat(MAX_HEAD / 6)].concat();
        assert_eq!(read(&endless), Err(Broken::EndlessHead));
    }

    #[test]
    fn a_message_that_has_begun_is_known_as_such() {
        let mut framer = Framer::default();
        framer.push(b"\r\n");
        assert_eq!((framer.next(), framer.begun()), (Ok(None), false));
        framer.push(b"OPT");
        assert_eq!((framer.next(), framer.begun()), (Ok(None), true));
    }

    proptest! {
        #[test]
        fn how_a_stream_is_cut_into_reads_does_not_matter(
            bodies in prop::collection::vec("[ -~\r\n]{0,40}", 1..6), pings in 0usize..3, cut in 1usize..30
        ) {
            let mut bytes = Vec::new();
            for body in &bodies {
                bytes.extend(message(&format!("Content-Length: {}\r\n", body.len()), body));
                bytes.extend(b"\r\n\r\n".repeat(pings));
            }
            let mut framer = Framer::default();
            let mut frames = Vec::new();
            for piece in bytes.chunks(cut) {
                framer.push(piece);
                while let Some(frame) = framer.next().unwrap() {
                    frames.push(frame);
                }
            }
            prop_assert_eq!(frames, read(&bytes).unwrap());
            prop_assert!(!framer.begun());
        }

        #[test]
        fn any_bytes_are_read_and_little_is_kept(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..40)) {
            let mut framer = Framer::default();
            for piece in pieces {
                framer.push(&piece);
                loop {
                    match framer.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
                prop_assert!(framer.kept.len() <= MAX_MESSAGE + 200);
            }
        }
    }
}
