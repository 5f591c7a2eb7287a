//! The UDP socket under the SIP library: keeps the library's unbounded queues bounded, and answers
//! what the library would drop without a word. Knows datagrams, not calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use rsipstack::platform::net::UdpSocket as PlatformSocket;
use rsipstack::sip::Method;
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transport::TransportEvent;
use tokio::net::UdpSocket;

use crate::limits;

/// Counts datagrams handed to the library and those it has come to handle; their difference is
/// what waits in its queue. Datagrams that do not parse are never handled, so the count drifts
/// up; when nothing was handled for a while, nothing waits, and it starts anew.
pub(crate) struct Backlog {
    handed: AtomicU64,
    handled: AtomicU64,
    started: Instant,
    /// Milliseconds since `started` at which something was last handled.
    last: AtomicU64,
}

impl Backlog {
    pub(crate) fn new() -> Arc<Backlog> {
        Arc::new(Backlog {
            handed: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            started: Instant::now(),
            last: AtomicU64::new(0),
        })
    }

    fn millis(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Whether one more datagram may wait. Called by one task only.
    fn admit(&self) -> bool {
        let handled = self.handled.load(Ordering::Relaxed);
        let waiting = self.handed.load(Ordering::Relaxed).saturating_sub(handled);
        if waiting >= limits::MAX_DATAGRAMS_WAITING {
            let idle = self.millis().saturating_sub(self.last.load(Ordering::Relaxed));
            if u128::from(idle) < limits::DATAGRAM_COUNT_RESET.as_millis() {
                return false;
            }
            self.handed.store(handled, Ordering::Relaxed);
            self.last.store(self.millis(), Ordering::Relaxed);
        }
        self.handed.fetch_add(1, Ordering::Relaxed);
        true
    }
}

/// Tells the backlog what the library has taken out of its queue.
pub(crate) struct Handled(pub(crate) Arc<Backlog>);

#[async_trait]
impl TransportEventInspector for Handled {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        if matches!(event, TransportEvent::Incoming(..)) {
            self.0.handled.fetch_add(1, Ordering::Relaxed);
            self.0.last.store(self.0.millis(), Ordering::Relaxed);
        }
        Some(event)
    }
}

/// The socket, with its backlog.
pub(crate) struct Socket {
    pub(crate) inner: UdpSocket,
    pub(crate) backlog: Arc<Backlog>,
}

#[async_trait]
impl PlatformSocket for Socket {
    async fn recv_from(&self, buffer: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        loop {
            // An error here is an ICMP answer to something sent earlier; its transaction's timer
            // deals with it.
            let Ok((length, source)) = self.inner.recv_from(buffer).await else {
                tokio::task::yield_now().await;
                continue;
            };
            match sort(&buffer[..length]) {
                Sorted::Message if self.backlog.admit() => return Ok((length, source)),
                Sorted::Message | Sorted::Noise => {}
                Sorted::UnknownMethod(answer) => {
                    let _ = self.inner.send_to(&answer, source).await;
                }
            }
        }
    }

    async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> rsipstack::Result<usize> {
        Ok(self.inner.send_to(bytes, to).await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.inner.local_addr()?)
    }
}

/// What a datagram looks like at first sight.
#[derive(Debug, PartialEq, Eq)]
enum Sorted {
    /// A message, or a keep-alive, which the library answers.
    Message,
    /// Nothing of SIP.
    Noise,
    /// A request whose method the library does not know, and the 501 it gets.
    UnknownMethod(Vec<u8>),
}

fn sort(datagram: &[u8]) -> Sorted {
    if datagram.iter().all(|b| matches!(b, b'\r' | b'\n')) {
        return Sorted::Message;
    }
    let Some(end) = datagram.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Sorted::Noise;
    };
    let Ok(head) = std::str::from_utf8(&datagram[..end]) else {
        return Sorted::Noise;
    };
    let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    if first.starts_with("SIP/2.0 ") {
        return Sorted::Message;
    }
    let (Some((method, _)), true) = (first.split_once(' '), first.ends_with(" SIP/2.0")) else {
        return Sorted::Noise;
    };
    if method.parse::<Method>().is_ok() {
        return Sorted::Message;
    }
    match not_implemented(headers) {
        Some(answer) => Sorted::UnknownMethod(answer),
        None => Sorted::Noise,
    }
}

/// A stateless 501 (RFC 3261 §8.2.1, §8.2.7) that repeats the headers an answer must. `None` when
/// one is missing. Sent to where the request came from, as `rport` would have it.
fn not_implemented(headers: &str) -> Option<Vec<u8>> {
    let mut answer = String::from("SIP/2.0 501 Not Implemented\r\n");
    let mut seen = [false; 5];
    let wanted = [("via", "v"), ("from", "f"), ("to", "t"), ("call-id", "i"), ("cseq", "cseq")];
    for line in headers.split("\r\n") {
        let name = line.split(':').next()?.trim().to_ascii_lowercase();
        let Some(index) = wanted.iter().position(|(long, short)| name == *long || name == *short) else {
            continue;
        };
        seen[index] = true;
        answer.push_str(line);
        if index == 2 && !line.contains("tag=") {
            answer.push_str(";tag=unimplemented");
        }
        answer.push_str("\r\n");
    }
    answer.push_str("Content-Length: 0\r\n\r\n");
    seen.iter().all(|s| *s).then(|| answer.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADERS: &str = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\n\
        To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 FROB\r\nSubject: no\r\n\r\n";

    #[test]
    fn datagrams_are_sorted() {
        for text in ["\r\n\r\n", "\r\n", "OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n"] {
            assert_eq!(sort(text.as_bytes()), Sorted::Message, "{text}");
        }
        for text in
            ["hello", "GET / HTTP/1.1\r\n\r\n", "FROB sip:a SIP/2.0\r\nVia: x\r\n\r\n", "INVITE sip:a SIP/2.0\r\n"]
        {
            assert_eq!(sort(text.as_bytes()), Sorted::Noise, "{text}");
        }
    }

    #[test]
    fn an_unknown_method_is_told_so() {
        let Sorted::UnknownMethod(answer) = sort(format!("FROB sip:c@d SIP/2.0\r\n{HEADERS}").as_bytes()) else {
            panic!("it has an unknown method");
        };
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("SIP/2.0 501 "), "{answer}");
        assert!(answer.contains("To: <sip:c@d>;tag=unimplemented\r\n"), "{answer}");
        assert!(!answer.contains("Subject"), "{answer}");
    }

    #[test]
    fn what_waits_is_bounded_and_the_count_heals() {
        let backlog = Backlog::new();
        let admitted = (0..10_000).filter(|_| backlog.admit()).count() as u64;
        assert!(admitted >= limits::MAX_DATAGRAMS_WAITING);
        assert!(admitted < 10_000);
        backlog.handled.fetch_add(1, Ordering::Relaxed);
        assert!(backlog.admit());
    }

    proptest! {
        #[test]
        fn any_datagram_is_sorted(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = sort(&bytes);
        }

        #[test]
        fn any_headers_are_answered_or_not(method in "[A-Z]{1,6}", headers in "([a-zA-Z-]{0,8}:?[ -~]{0,20}\r\n){0,8}") {
            let _ = sort(format!("{method} sip:a SIP/2.0\r\n{headers}\r\n").as_bytes());
        }
    }
}
