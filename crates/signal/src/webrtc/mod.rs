//! Phones in web pages: audio by WebRTC. A page's offer makes a leg, whose audio goes through a port of the media room; one
//! thread and one UDP socket carry all of them. This file is the handle; `thread` is the thread, `peer` one leg in it.
//! Knows no page, no HTTP and no user: who may offer, and whom that reaches, others decide.

mod peer;
mod thread;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringback_media::{Codec, LegId, Media, Port};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::sdp::{self, SdpError};
use crate::{EndCause, LegSink, limits};

/// What we speak with browsers: what every one of them has (RFC 7874 §3), and G.722, which carries twice the band.
const CODECS: &[Codec] = &[Codec::G722, Codec::Pcmu];

/// Where WebRTC is served.
#[derive(Clone, Debug)]
pub struct WebRtcConfig {
    /// The address of the UDP socket; port 0 picks one.
    pub bind: SocketAddr,
    /// The address that pages are told, where it is not `bind`'s.
    pub public_address: Option<IpAddr>,
}

/// Why an offer makes no leg. Nothing is held then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It does not read.
    #[error("the session description cannot be read: it must be a browser's offer (RFC 8829)")]
    Malformed,
    /// It reads, and offers something else.
    #[error("the session description must offer one stream of audio, with PCMU or G722, and nothing else")]
    NothingInCommon,
    /// As many legs as may be.
    #[error("as many pages are in calls as may be at once ({})", limits::MAX_WEB_LEGS)]
    Full,
    /// The server stops, or WebRTC does not run.
    #[error("there is no WebRTC: the server is stopping")]
    Unavailable,
}

impl From<SdpError> for OfferError {
    fn from(error: SdpError) -> OfferError {
        match error {
            SdpError::Malformed => OfferError::Malformed,
            SdpError::NothingInCommon => OfferError::NothingInCommon,
        }
    }
}

/// A running WebRTC endpoint. Clones are the same one. What becomes of a leg is told to the [`LegSink`]: `Answered` once it
/// was accepted and is connected, `Ended` once, last.
#[derive(Clone)]
pub struct WebRtc {
    shared: Arc<Shared>,
}

/// What the handle and the thread share.
struct Shared {
    media: Media,
    bound: SocketAddr,
    /// What pages are told to send to.
    candidate: SocketAddr,
    openings: mpsc::Sender<Opening>,
    slots: Arc<Semaphore>,
    orders: Orders,
    /// Ends the thread's wait: there are orders, or packets in a port.
    woken: Arc<Notify>,
}

/// A leg to be made, and who waits for its answer.
struct Opening {
    leg: NewLeg,
    reply: oneshot::Sender<Result<String, OfferError>>,
}

/// What a leg is made of.
struct NewLeg {
    id: LegId,
    offer: String,
    codec: Codec,
    /// Names the offer's stream.
    mid: String,
    port: Port,
    slot: OwnedSemaphorePermit,
}

/// What a leg was told to do and has not done yet.
#[derive(Clone, Debug, Default)]
struct Order {
    accept: bool,
    hang_up: Option<EndCause>,
}

/// The orders of all legs. Each has one place, so none is lost and nothing grows.
#[derive(Default)]
struct Orders {
    legs: Mutex<HashMap<LegId, Order>>,
    fresh: AtomicBool,
    stop: AtomicBool,
}

impl Orders {
    fn legs(&self) -> MutexGuard<'_, HashMap<LegId, Order>> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that were given since to legs that are `made`; nothing is locked where there are none. Those of a leg still to
    /// be made wait for it.
    fn take(&self, made: impl Fn(&LegId) -> bool) -> Vec<(LegId, Order)> {
        if !self.fresh.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        let mut legs = self.legs();
        let given = legs.iter_mut().filter(|(leg, order)| (order.accept || order.hang_up.is_some()) && made(leg));
        given.map(|(leg, order)| (*leg, std::mem::take(order))).collect()
    }

    /// Some may wait to be taken.
    fn look(&self) {
        self.fresh.store(true, Ordering::Release);
    }
}

impl WebRtc {
    /// Binds the socket, makes the one DTLS certificate of this start, and begins the thread.
    pub fn start(config: &WebRtcConfig, media: Media, sink: Arc<dyn LegSink>) -> io::Result<WebRtc> {
        let socket = UdpSocket::bind(config.bind)?;
        socket.set_nonblocking(true)?;
        let bound = socket.local_addr()?;
        let candidate = SocketAddr::new(config.public_address.unwrap_or(bound.ip()), bound.port());
        let (openings, opened) = mpsc::channel(limits::MAX_OFFERS_WAITING);
        let shared = Arc::new(Shared {
            media,
            bound,
            candidate,
            openings,
            slots: Arc::new(Semaphore::new(limits::MAX_WEB_LEGS)),
            orders: Orders::default(),
            woken: Arc::default(),
        });
        thread::begin(Arc::clone(&shared), socket, opened, sink)?;
        Ok(WebRtc { shared })
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.bound
    }

    /// Makes a leg of a page's offer; `leg` must be new. Returns the answer. The leg is connected once the page has come by
    /// ICE and DTLS; not come within [`limits::WEB_CONNECT_LIMIT`], it ends. To be awaited to its end: dropped before, it
    /// may hold the leg's media.
    pub async fn open(&self, leg: LegId, offer: String) -> Result<String, OfferError> {
        let (codec, mid) = sdp::browsers_audio(offer.as_bytes(), CODECS)?;
        let shared = &self.shared;
        let slot = Arc::clone(&shared.slots).try_acquire_owned().map_err(|_| OfferError::Full)?;
        let woken = Arc::clone(&shared.woken);
        let port = shared.media.open_port(leg, move || woken.notify_one()).map_err(|_| OfferError::Unavailable)?;
        let (reply, answer) = oneshot::channel();
        shared.orders.legs().insert(leg, Order::default());
        let new = NewLeg { id: leg, offer, codec, mid, port, slot };
        let sent = shared.openings.send(Opening { leg: new, reply }).await.is_ok();
        let answer =
            if sent { answer.await.unwrap_or(Err(OfferError::Unavailable)) } else { Err(OfferError::Unavailable) };
        if answer.is_err() {
            shared.forget(leg);
        }
        answer
    }

    /// Whether an offer would be taken, whoever made it.
    pub fn check(&self, offer: &str) -> Result<(), OfferError> {
        sdp::browsers_audio(offer.as_bytes(), CODECS).map(|_| ()).map_err(OfferError::from)
    }

    /// Answers the leg: it is told `Answered` once it is connected.
    pub fn accept(&self, leg: LegId) {
        self.order(leg, |order| order.accept = true);
    }

    /// Ends a leg; its end is told with this cause. The first one stays.
    pub fn hang_up(&self, leg: LegId, cause: EndCause) {
        self.order(leg, |order| _ = order.hang_up.get_or_insert(cause));
    }

    /// Legs alive: those whose end was not told.
    pub fn legs(&self) -> usize {
        limits::MAX_WEB_LEGS - self.shared.slots.available_permits()
    }

    /// Ends all legs and the thread, within the time given.
    pub async fn shutdown(&self, within: Duration) {
        self.shared.orders.stop.store(true, Ordering::Release);
        self.shared.woken.notify_one();
        // The thread has the receiver, and ends when all ends were told.
        let _ = tokio::time::timeout(within, self.shared.openings.closed()).await;
    }

    fn order(&self, leg: LegId, change: impl FnOnce(&mut Order)) {
        if let Some(order) = self.shared.orders.legs().get_mut(&leg) {
            change(order);
        }
        self.shared.orders.look();
        self.shared.woken.notify_one();
    }
}

impl Shared {
    /// The leg is over: it takes no orders, and its media closes.
    fn forget(&self, leg: LegId) {
        self.orders.legs().remove(&leg);
        self.media.close(leg);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_given_before_a_leg_is_made_wait_for_it() {
        let orders = Orders::default();
        let [early, made] = [LegId::from_u128(1), LegId::from_u128(2)];
        for leg in [early, made] {
            orders.legs().insert(leg, Order { accept: false, hang_up: Some(EndCause::FarHangUp) });
        }
        orders.look();
        let taken = |made: &dyn Fn(&LegId) -> bool| {
            let taken = orders.take(made).into_iter().filter(|(_, order)| order.hang_up.is_some());
            taken.map(|(leg, _)| leg).collect::<Vec<_>>()
        };
        assert_eq!(taken(&|leg| *leg == made), [made]);
        assert!(taken(&|_| true).is_empty(), "nothing is new");
        orders.look();
        assert_eq!(taken(&|_| true), [early], "it was made");
        orders.look();
        assert!(taken(&|_| true).is_empty(), "once");
    }
}
