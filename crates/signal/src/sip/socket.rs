//! The UDP socket under the SIP library: keeps the library's unbounded queues bounded, and answers
//! what the library would drop without a word. Knows datagrams, not calls.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use rsipstack::platform::net::UdpSocket as PlatformSocket;
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transport::{SipConnection, TransportEvent};
use tokio::net::UdpSocket;

use super::screen::{self, Sight};
use super::streams::Streams;
use crate::limits;
use crate::sources::Sources;

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

/// Tells the backlog and the streams what the library has taken out of its queue.
pub(crate) struct Handled(pub(crate) Arc<Backlog>, pub(crate) Streams);

#[async_trait]
impl TransportEventInspector for Handled {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        if let TransportEvent::Incoming(_, SipConnection::Channel(_), _) = event {
            self.1.handled();
        } else if matches!(event, TransportEvent::Incoming(..)) {
            self.0.handled.fetch_add(1, Ordering::Relaxed);
            self.0.last.store(self.0.millis(), Ordering::Relaxed);
        }
        Some(event)
    }
}

/// The socket, with its backlog.
pub(crate) struct Socket {
    inner: UdpSocket,
    backlog: Arc<Backlog>,
    /// How much each source may be refused: a datagram's source may be a lie, and the refusal then goes to a victim.
    refusals: Mutex<Sources>,
}

impl Socket {
    pub(crate) fn new(inner: UdpSocket, backlog: Arc<Backlog>) -> Socket {
        Socket { inner, backlog, refusals: Mutex::default() }
    }

    fn may_refuse(&self, source: SocketAddr) -> bool {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.take(source.ip(), self.backlog.started.elapsed())
    }
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
            // A keep-alive, which the library answers (RFC 5626 §3.5.1).
            if buffer[..length].iter().all(|b| matches!(b, b'\r' | b'\n')) {
                return Ok((length, source));
            }
            let length = match screen::look(&buffer[..length]) {
                Sight::Message => length,
                Sight::Rewritten(bytes) if bytes.len() <= buffer.len() => {
                    buffer[..bytes.len()].copy_from_slice(&bytes);
                    bytes.len()
                }
                Sight::Refused(answer) => {
                    if self.may_refuse(source) {
                        // To where it came from, as `rport` would have it.
                        let _ = self.inner.send_to(&answer, source).await;
                    }
                    continue;
                }
                Sight::Rewritten(_) | Sight::Noise | Sight::Unfit => continue,
            };
            if self.backlog.admit() {
                return Ok((length, source));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_the_count_heals() {
        let backlog = Backlog::new();
        let admitted = (0..10_000).filter(|_| backlog.admit()).count() as u64;
        assert!(admitted >= limits::MAX_DATAGRAMS_WAITING);
        assert!(admitted < 10_000);
        backlog.handled.fetch_add(1, Ordering::Relaxed);
        assert!(backlog.admit());
    }

    #[tokio::test]
    async fn a_source_is_refused_only_so_often() {
        let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let socket = Socket::new(UdpSocket::bind(here).await.unwrap(), Backlog::new());
        let refused = (0..10_000).filter(|_| socket.may_refuse(here)).count();
        assert!((limits::SOURCE_BURST as usize..5_000).contains(&refused), "{refused}");
        assert!(socket.may_refuse("192.0.2.1:5060".parse().unwrap()));
    }
}
