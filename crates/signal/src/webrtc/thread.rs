//! The one thread of all WebRTC legs: waits for datagrams, orders, packets in ports and time, and gives each leg what is
//! its. Nothing here blocks but the wait. What reads a page's bytes may panic, and ends one leg then.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ringback_media::LegId;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::net::{Protocol, Receive};
use str0m::{Input, crypto};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::peer::{Peer, Tools};
use super::{OfferError, Opening, Shared};
use crate::{EndCause, LegSink, limits};

/// Starts it.
pub(super) fn begin(
    shared: Arc<Shared>,
    socket: std::net::UdpSocket,
    openings: mpsc::Receiver<Opening>,
    sink: Arc<dyn LegSink>,
) -> io::Result<()> {
    let crypto = Arc::new(crypto::from_feature_flags());
    let certificate = crypto.dtls_provider.generate_certificate();
    let certificate = certificate.ok_or_else(|| io::Error::other("no certificate for DTLS could be made"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let socket = {
        let _inside = runtime.enter();
        UdpSocket::from_std(socket)?
    };
    let thread =
        Thread { shared, socket, openings, sink, crypto, certificate, peers: HashMap::new(), sources: HashMap::new() };
    std::thread::Builder::new().name("webrtc".to_owned()).spawn(move || runtime.block_on(thread.run()))?;
    Ok(())
}

struct Thread {
    shared: Arc<Shared>,
    socket: UdpSocket,
    openings: mpsc::Receiver<Opening>,
    sink: Arc<dyn LegSink>,
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    peers: HashMap<LegId, Peer>,
    /// Whose datagrams come from where, as far as it is known.
    sources: HashMap<SocketAddr, LegId>,
}

impl Thread {
    async fn run(mut self) {
        let mut buffer = vec![0; limits::WEB_DATAGRAM_BYTES];
        while !self.shared.orders.stop.load(Ordering::Acquire) {
            let due = self.peers.values().map(Peer::due).min();
            tokio::select! {
                opening = self.openings.recv() => match opening {
                    Some(opening) => self.open(opening),
                    None => break,
                },
                _ = self.socket.readable() => self.read(&mut buffer),
                () = self.shared.woken.notified() => {}
                () = at(due) => {}
            }
            self.obey();
            let now = Instant::now();
            for peer in self.peers.values_mut() {
                alone(peer, |peer| peer.carry(now, &self.socket));
            }
            self.bury();
        }
        for peer in self.peers.values_mut() {
            let stopped = EndCause::Failed("the server was stopped".to_owned());
            alone(peer, |peer| peer.hang_up(&self.socket, stopped));
        }
        self.bury();
    }

    fn open(&mut self, opening: Opening) {
        let tools = Tools {
            shared: Arc::clone(&self.shared),
            sink: Arc::clone(&self.sink),
            crypto: Arc::clone(&self.crypto),
            certificate: self.certificate.clone(),
        };
        let Opening { leg: new, reply } = opening;
        let leg = new.id;
        let made = caught(|| Peer::new(new, tools, Instant::now()));
        match made.unwrap_or(Err(OfferError::Malformed)) {
            Ok((peer, answer)) => {
                self.peers.insert(leg, peer);
                // It may have been hung up meanwhile.
                self.shared.orders.look();
                if reply.send(Ok(answer)).is_err() {
                    // Who offered is gone already.
                    self.end(leg, EndCause::FarHangUp);
                }
            }
            Err(error) => _ = reply.send(Err(error)),
        }
    }

    fn obey(&mut self) {
        for (leg, order) in self.shared.orders.take(|leg| self.peers.contains_key(leg)) {
            if let Some(cause) = order.hang_up {
                self.end(leg, cause);
            } else if let Some(peer) = self.peers.get_mut(&leg) {
                alone(peer, Peer::accept);
            }
        }
    }

    fn end(&mut self, leg: LegId, cause: EndCause) {
        if let Some(peer) = self.peers.get_mut(&leg) {
            alone(peer, |peer| peer.hang_up(&self.socket, cause));
        }
    }

    /// Reads what has come, so much at a time.
    fn read(&mut self, buffer: &mut [u8]) {
        for _ in 0..limits::WEB_DATAGRAMS_AT_ONCE {
            match self.socket.try_recv_from(buffer) {
                Ok((length, source)) => self.datagram(source, &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // "Port unreachable" to something we sent.
                Err(_) => {}
            }
        }
    }

    fn datagram(&mut self, source: SocketAddr, bytes: &[u8]) {
        // Whatever is neither STUN, DTLS nor RTP ends here; so does what no leg knows.
        let read = caught(|| Receive::new(Protocol::Udp, source, self.shared.candidate, bytes));
        let Some(Ok(receive)) = read else { return };
        let input = Input::Receive(Instant::now(), receive);
        let accepts = |leg: &LegId| {
            let peer = self.peers.get(leg);
            peer.is_some_and(|peer| caught(|| peer.accepts(&input)).unwrap_or(false))
        };
        let known = self.sources.get(&source).copied().filter(accepts);
        let Some(leg) = known.or_else(|| self.peers.keys().copied().find(accepts)) else { return };
        if known.is_none() {
            if self.sources.len() >= limits::MAX_WEB_SOURCES {
                self.sources.clear();
            }
            self.sources.insert(source, leg);
        }
        if let Some(peer) = self.peers.get_mut(&leg) {
            alone(peer, |peer| peer.input(input, &self.socket));
        }
    }

    /// Forgets legs that ended.
    fn bury(&mut self) {
        if self.peers.values().any(Peer::is_over) {
            self.peers.retain(|_, peer| !peer.is_over());
            self.sources.retain(|_, leg| self.peers.contains_key(leg));
        }
    }
}

/// Does something with one leg. A panic ends it, and no other.
fn alone(peer: &mut Peer, what: impl FnOnce(&mut Peer)) {
    if caught(|| what(peer)).is_none() {
        peer.panicked();
    }
}

/// `None`: it panicked, and what it worked on is not to be worked on again.
fn caught<T>(what: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(what)).ok()
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
