//! What every leg has, whoever called: its orders, the requests in its dialog, its media, and the
//! promise that its end is told exactly once.

use std::net::SocketAddr;
use std::sync::Arc;

use ringback_media::{Codec, LegId};
use rsipstack::sip::Header;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use super::flow::Transport;
use super::wire::Asked;
use super::{Core, DialogKey, EndCause, LegEvent, lock};
use crate::credentials::Answerer;
use crate::limits;
use crate::sdp::{Agreed, Local};
use crate::session_timer::SessionTimer;

/// What a leg was told to do so far. Repeating an order changes nothing, so orders need no queue
/// and none is ever lost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Orders {
    pub(crate) accept: bool,
    pub(crate) decline: Option<u16>,
    pub(crate) hang_up: bool,
}

/// What a leg hears from either side.
pub(crate) enum Heard {
    /// What it was told to do.
    Orders(Orders),
    /// What the far end asks within the dialog.
    Request(Asked),
}

/// One leg. Dropped, it takes itself off all lists; not ended by then, it tells that it failed.
pub(crate) struct Leg {
    pub(crate) core: Arc<Core>,
    pub(crate) id: LegId,
    orders: watch::Receiver<Orders>,
    /// Requests of the far end within the dialog.
    requests: mpsc::Receiver<Asked>,
    /// Our side of the session.
    pub(crate) local: Option<Local>,
    /// What was agreed last.
    pub(crate) agreed: Option<Agreed>,
    /// The far end is behind a NAT.
    pub(crate) nat: bool,
    /// Our `Contact` in this call: where and by what the far end reaches us.
    pub(crate) contact: Header,
    /// Answers the far end when it asks who we are.
    pub(crate) answerer: Answerer,
    /// The session timer, once the call is up and both sides know of it.
    pub(crate) timer: Option<SessionTimer>,
    /// The far end takes UPDATE (RFC 3311).
    pub(crate) updates: bool,
    key: DialogKey,
    ended: bool,
    _slot: OwnedSemaphorePermit,
}

impl Leg {
    /// Puts a leg on the lists under which orders (`id`) and requests (`key`) find it. `None` when
    /// the id is taken.
    pub(crate) fn enrol(core: &Arc<Core>, id: LegId, key: DialogKey, slot: OwnedSemaphorePermit) -> Option<Leg> {
        let contact = core.wire.contact(Transport::Udp, false);
        let (orders, ordered) = watch::channel(Orders::default());
        let (requests, requested) = mpsc::channel(limits::MAX_REQUESTS_WAITING);
        let mut legs = lock(&core.legs);
        if legs.contains_key(&id) {
            return None;
        }
        legs.insert(id, orders);
        drop(legs);
        lock(&core.dialogs).insert(key.clone(), requests);
        Some(Leg {
            core: core.clone(),
            id,
            orders: ordered,
            requests: requested,
            local: None,
            agreed: None,
            nat: false,
            contact,
            answerer: Answerer::default(),
            timer: None,
            updates: false,
            key,
            ended: false,
            _slot: slot,
        })
    }

    /// Opens the media socket; false when no port is free.
    pub(crate) fn open_media(&mut self) -> bool {
        let Ok(rtp) = self.core.media.open_rtp(self.id) else {
            return false;
        };
        let ip = if self.core.config.public_address.is_some() || rtp.addr.ip().is_unspecified() {
            self.core.wire.reached.ip()
        } else {
            rtp.addr.ip()
        };
        self.local = Some(Local {
            address: SocketAddr::new(ip, rtp.addr.port()),
            // A session number must differ between calls, no more (RFC 8866 §5.2).
            session: self.id.as_u128() as u64 >> 1,
            version: 1,
            codecs: Codec::ALL,
        });
        true
    }

    /// Connects the media as agreed, and tells when that puts us on hold or takes us off. What is agreed again, as a
    /// refresh does, changes nothing: audio that comes from behind a NAT stays where it was found.
    pub(crate) fn connect(&mut self, agreed: Agreed) {
        let before = self.agreed.replace(agreed);
        if before == Some(agreed) {
            return;
        }
        self.core.media.connect(self.id, agreed.remote(self.nat));
        if before.is_some_and(|b| b.held() != agreed.held()) {
            self.tell(LegEvent::Held(agreed.held()));
        }
    }

    /// Our side of the session for the next description, which is one version on.
    pub(crate) fn next_local(&mut self) -> Option<Local> {
        let local = self.local.as_mut()?;
        local.version += 1;
        Some(*local)
    }

    /// Tells an event, unless the leg ended.
    pub(crate) fn tell(&self, event: LegEvent) {
        if !self.ended {
            self.core.sink.leg(self.id, event);
        }
    }

    /// Ends the leg: its media closes, it takes no orders, its end is told. Signalling that is
    /// still owed may go on. Again: nothing.
    pub(crate) fn end(&mut self, cause: EndCause) {
        if self.ended {
            return;
        }
        lock(&self.core.legs).remove(&self.id);
        self.core.media.close(self.id);
        self.tell(LegEvent::Ended(cause));
        self.ended = true;
    }

    /// Ends a leg that was never told of, without telling its end.
    pub(crate) fn forget(mut self) {
        lock(&self.core.legs).remove(&self.id);
        self.core.media.close(self.id);
        self.ended = true;
    }

    /// Waits for an order that `wanted` looks for, or a request in the dialog. Cancel-safe.
    pub(crate) async fn heard(&mut self, wanted: impl FnMut(&Orders) -> bool) -> Heard {
        let Leg { orders, requests, .. } = self;
        let ordered = async {
            let ordered = orders.wait_for(wanted).await.map(|orders| *orders);
            match ordered {
                Ok(orders) => orders,
                // The leg ended: it takes no orders any more.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            orders = ordered => Heard::Orders(orders),
            Some(request) = requests.recv() => Heard::Request(request),
        }
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.end(EndCause::Failed("the leg was dropped".to_owned()));
        lock(&self.core.dialogs).remove(&self.key);
    }
}
