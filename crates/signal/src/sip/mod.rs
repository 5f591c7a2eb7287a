//! The SIP user agent and registrar. This file: what the rest of Ringback sees of it, and what its
//! parts share. `dispatch` sorts requests, `incoming` and `placed` bring a call up, `call` carries
//! it until it ends, `leg` is what they have in common, `wire` hides the SIP library, `streams` carries it
//! over TCP and TLS.

mod call;
pub(crate) mod challenged;
mod dispatch;
pub(crate) mod flow;
mod framing;
mod incoming;
mod info;
mod leg;
pub(crate) mod message;
mod nat;
mod placed;
mod refresh;
mod screen;
mod socket;
mod stream;
mod streams;
mod timers;
mod trunk;
mod trunks;
pub(crate) mod wire;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringback_media::{LegId, Media};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::dialog::Dialog;
use crate::digest::Challenger;
use crate::limits;
use crate::registrar::Registrar;
use crate::session_timer::SessionBounds;
use crate::sources::Sources;
pub use flow::{Flow, Transport};
use leg::Orders;
pub use trunk::Trunk;
pub use trunks::TrunkStatus;
use trunks::Trunks;
use wire::{Asked, Listen, Wire};

/// Where and as whom to speak SIP.
#[derive(Clone, Debug)]
pub struct SipConfig {
    /// The address to listen at, UDP and TCP; port 0 picks one.
    pub bind: SocketAddr,
    /// The address to listen at for TLS, and with which certificate.
    pub tls: Option<(SocketAddr, Arc<rustls::ServerConfig>)>,
    /// What outgoing TLS connections believe; none: they are not made.
    pub tls_client: Option<Arc<rustls::ClientConfig>>,
    /// The address others reach us at, where it is not `bind`'s: goes into `Via`, `Contact` and
    /// session descriptions.
    pub public_address: Option<IpAddr>,
    /// The realm of digest authentication.
    pub realm: String,
    /// `User-Agent`.
    pub user_agent: String,
    /// How long a session lasts without a refresh.
    pub session: SessionBounds,
}

/// Who may do what. Answered from memory; must not block.
pub trait SipDirectory: Send + Sync + 'static {
    /// `md5(user:realm:password)` in hexadecimal of a user who may register and call, see
    /// [`crate::ha1`].
    fn ha1(&self, user: &str) -> Option<String>;
    /// The name of the trunk that this comes from.
    fn trunk_of(&self, source: Flow) -> Option<String>;
    /// The scripted phone of the server's own that this comes from. It needs no password, and states the caller itself.
    /// Where there are none, `None`.
    fn scripted(&self, source: Flow) -> Option<String> {
        let _ = source;
        None
    }
    /// All trunks.
    fn trunks(&self) -> Vec<Trunk>;
    /// Whether the peer is behind a NAT: its signalling and media go where they come from.
    fn nat(&self, peer: &Peer) -> bool;
}

/// Who is at the far end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A user of the directory, by name.
    User(String),
    /// A trunk, by name.
    Trunk(String),
    /// A scripted phone of the server's own, by its id.
    Scripted(String),
}

/// Whom to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A user of the directory, where they are registered.
    User(String),
    /// A number through a trunk.
    Trunk {
        /// The trunk.
        trunk: Arc<Trunk>,
        /// The number, as the trunk wants it.
        number: String,
    },
    /// A `sip:` or `sips:` address.
    Uri(String),
}

/// A call to place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whom to call.
    pub to: Destination,
    /// The user part of `From`.
    pub from_user: String,
    /// The display name of `From`.
    pub from_display: Option<String>,
}

/// A call that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Whom it comes from, as proven by password or address.
    pub peer: Peer,
    /// The caller: a user's name, or the number that a trunk or a scripted phone states.
    pub from: String,
    /// The caller's display name, as stated.
    pub from_display: Option<String>,
    /// Whom they call: the user part of the request's address.
    pub called: String,
}

/// What becomes of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// First event of an incoming leg, whose id is new. The far end is told that it rings.
    Incoming(Incoming),
    /// A placed leg rings at the far end.
    Ringing,
    /// The call is up both ways and its media connected.
    Answered {
        /// Opaque text, good for [`Sip::hang_up_after_restart`].
        dialog: String,
    },
    /// The far end put us on hold (no media wanted from us), or took us off.
    Held(bool),
    /// The leg is over. Exactly once, last.
    Ended(EndCause),
}

/// Why a leg ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// The far end hung up.
    FarHangUp,
    /// The caller gave up before an answer.
    Cancelled,
    /// The far end is busy (486, 600).
    Busy,
    /// It rang until the ring limit.
    NoAnswer,
    /// Not registered, no response, or 404, 408, 480.
    Unreachable,
    /// The far end answered with this other final status.
    Declined(u16),
    /// We hung up, cancelled or declined.
    LocalHangUp,
    /// Nothing was heard for too long. Never told by this room; for its users.
    MediaTimeout,
    /// Something else, in words for an operator, without numbers or names of people.
    Failed(String),
}

/// Hears what becomes of legs. Called on the signalling tasks; must not block.
pub trait LegSink: Send + Sync + 'static {
    /// See [`LegEvent`].
    fn leg(&self, leg: LegId, event: LegEvent);
}

/// Why signalling did not start.
#[derive(Debug, thiserror::Error)]
pub enum SipError {
    /// The address cannot be listened at.
    #[error("cannot listen for SIP at {address}: {source}. Another program may use it; choose another address")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// The far end's half of a dialog: `Call-ID` and our own tag.
type DialogKey = (String, String);

/// What the parts share.
pub(crate) struct Core {
    config: SipConfig,
    media: Media,
    directory: Arc<dyn SipDirectory>,
    sink: Arc<dyn LegSink>,
    wire: Wire,
    started: Instant,
    challenger: Challenger,
    sources: Mutex<Sources>,
    registrar: Mutex<Registrar>,
    legs: Mutex<HashMap<LegId, watch::Sender<Orders>>>,
    dialogs: Mutex<HashMap<DialogKey, mpsc::Sender<Asked>>>,
    trunks: Mutex<Trunks>,
    slots: Arc<Semaphore>,
    restart_slots: Semaphore,
}

/// A lock whose holder cannot leave half-done work behind: a panic while it is held is no reason
/// for others to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// Time since start.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A running SIP user agent. Clones are the same one. Commands are one-way and do not block; what
/// becomes of them is told to the [`LegSink`].
#[derive(Clone)]
pub struct Sip {
    core: Arc<Core>,
    runtime: Handle,
}

impl Sip {
    /// Starts to listen. Must be called within a tokio runtime, which then carries all calls.
    pub async fn start(
        config: SipConfig,
        media: Media,
        directory: Arc<dyn SipDirectory>,
        sink: Arc<dyn LegSink>,
    ) -> Result<Sip, SipError> {
        let listen = Listen {
            bind: config.bind,
            tcp: true,
            tls: config.tls.clone(),
            client: config.tls_client.clone(),
            public: config.public_address,
            user_agent: &config.user_agent,
        };
        let opened = Wire::open(listen).await;
        let (wire, requests) = opened.map_err(|(address, source)| SipError::Bind { address, source })?;
        let core = Arc::new(Core {
            challenger: Challenger::new(&config.realm),
            config,
            media,
            directory,
            sink,
            wire,
            started: Instant::now(),
            sources: Mutex::default(),
            registrar: Mutex::default(),
            legs: Mutex::default(),
            dialogs: Mutex::default(),
            trunks: Mutex::default(),
            slots: Arc::new(Semaphore::new(limits::MAX_LEGS)),
            restart_slots: Semaphore::new(limits::MAX_RESTART_BYES),
        });
        tokio::spawn(dispatch::serve(Arc::downgrade(&core), requests));
        tokio::spawn(trunks::keep(Arc::downgrade(&core)));
        let runtime = Handle::current();
        Ok(Sip { core, runtime })
    }

    /// The address listened at, UDP and TCP.
    pub fn local_addr(&self) -> SocketAddr {
        self.core.wire.bound
    }

    /// The address listened at for TLS.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.core.wire.bound_tls
    }

    /// Places a call; `leg` must be new.
    pub fn place(&self, leg: LegId, place: Place) {
        let core = self.core.clone();
        let Ok(slot) = core.slots.clone().try_acquire_owned() else {
            let cause = EndCause::Failed("too many calls at once".to_owned());
            core.sink.leg(leg, LegEvent::Ended(cause));
            return;
        };
        let Some(leg) = placed::enrol(&core, leg, slot) else {
            tracing::error!(%leg, "a leg was placed twice");
            return;
        };
        self.runtime.spawn(placed::run(leg, place));
    }

    /// Answers an incoming leg.
    pub fn accept(&self, leg: LegId) {
        self.order(leg, |orders| orders.accept = true);
    }

    /// Refuses an incoming leg with a status of 300 to 699; others become 603.
    pub fn decline(&self, leg: LegId, status: u16) {
        let status = if (300..700).contains(&status) { status } else { 603 };
        self.order(leg, |orders| orders.decline = Some(status));
    }

    /// Ends a leg in whatever state it is.
    pub fn hang_up(&self, leg: LegId) {
        self.order(leg, |orders| orders.hang_up = true);
    }

    /// Ends the dialog that a [`LegEvent::Answered`] of an earlier process named, if it still is.
    /// Best effort: a BYE, repeated until answered or for 32 s.
    pub fn hang_up_after_restart(&self, dialog: &str) {
        let Some(mut dialog) = Dialog::from_text(dialog) else {
            tracing::error!("a recorded dialog cannot be read; its far end is left to find out");
            return;
        };
        dialog.local_cseq = dialog.local_cseq.saturating_add(limits::RESTART_CSEQ_STEP);
        let core = self.core.clone();
        self.runtime.spawn(async move {
            let Ok(_slot) = core.restart_slots.acquire().await else {
                return;
            };
            if let Some(mut bye) = call::send_bye(&core, &mut dialog).await {
                let _ = tokio::time::timeout(limits::AFTERMATH, bye.last()).await;
            }
        });
    }

    /// Legs alive, those whose end was told and whose far end is still being let go included.
    pub fn legs(&self) -> usize {
        lock(&self.core.dialogs).len()
    }

    /// Places where phones are registered.
    pub fn registrations(&self) -> usize {
        lock(&self.core.registrar).live(self.core.now())
    }

    /// Whether the user can be called.
    pub fn registered(&self, user: &str) -> bool {
        let now = self.core.now();
        lock(&self.core.registrar).current(user, now, |flow| self.core.wire.is_open(flow)).is_some()
    }

    /// How the trunks are that we register at or ask whether they are there.
    pub fn trunks(&self) -> Vec<TrunkStatus> {
        lock(&self.core.trunks).status(self.core.now())
    }

    /// Hangs up all legs, takes us off the trunks where we are registered, and stops, within the time given.
    pub async fn shutdown(&self, within: Duration) {
        for orders in lock(&self.core.legs).values() {
            orders.send_modify(|orders| orders.hang_up = true);
        }
        // All slots free means that no leg is left.
        let all = u32::try_from(limits::MAX_LEGS).unwrap_or(u32::MAX);
        let gone = async { tokio::join!(self.core.slots.acquire_many(all), trunks::leave(&self.core)) };
        let _ = tokio::time::timeout(within, gone).await;
        self.core.slots.close();
        self.core.wire.close();
    }

    fn order(&self, leg: LegId, change: impl FnOnce(&mut Orders)) {
        if let Some(orders) = lock(&self.core.legs).get(&leg) {
            orders.send_modify(change);
        }
    }
}
