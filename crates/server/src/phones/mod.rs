//! Phones: the engine's legs and audio, made of the signal room's SIP and WebRTC, the media room's shards,
//! and test lines. Turns their events into the engine's inputs.
//!
//! It must not know: what a call may do, HTTP, lanes.

mod audio;
mod incoming;
mod keys;
mod page;
mod prompts;
mod recording;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use ringback_core::{self as core, AppId, Identity, Input, LegId, TenantId};
use ringback_media::{Media, MediaEvent, MediaSink, Strays};
use ringback_signal::{self as signal, LegEvent, LegSink, Sip, WebRtc};
use tokio::task::AbortHandle;
use uuid::Uuid;

pub(crate) use page::{Entries, Next, PageError, PageEvent, Session};
pub(crate) use ringback_signal::OfferError;

use page::Pages;
use prompts::Prompts;

use crate::directory::{Destination, SharedDirectory, SipHome, dialled};
use crate::engine::{Engine, Legs};
use crate::limits;
use crate::meetings::Meetings;
use crate::outbound::Outbound;
use crate::recordings::Recordings;
use crate::scripted::ScriptedPhones;
use crate::trace::Trace;
use crate::trace::metrics::Astray;

/// What carries a leg.
#[derive(Debug)]
enum Line {
    /// A SIP dialog.
    Sip {
        /// The trunk it goes through, if any.
        trunk: Option<String>,
        /// Why we hang it up, once we do.
        why: Option<HangUp>,
        /// Ends it after the longest time a trunk's call may last.
        guard: Option<AbortHandle>,
    },
    /// A bot's seat in a meeting: a mixer of the media room.
    Seat,
    /// WebRTC with a page.
    Web {
        /// Why we hang it up, once we do.
        why: Option<HangUp>,
    },
    /// Nothing yet: pages ring, and nobody has taken it.
    Rings,
    /// A test line: answers at once, prompts finish at once, and it says a tone of a second whenever it is recorded.
    Test,
}

/// Why a leg is hung up by us.
#[derive(Clone, Copy, Debug)]
enum HangUp {
    /// Its conversation let go of it.
    Released,
    /// Its audio stopped.
    TimedOut,
    /// It lasted as long as a trunk's call may.
    TooLong,
    /// It was not wanted: SIP's word for why.
    Declined(u16),
    /// It was kept out of a meeting: why, for people.
    KeptOut(&'static str),
}

/// The phones: a handle, cheap to clone.
#[derive(Clone)]
pub(crate) struct Phones {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    directory: SharedDirectory,
    outbound: Outbound,
    recordings: Recordings,
    scripted: ScriptedPhones,
    meetings: Meetings,
    trace: Trace,
    runtime: tokio::runtime::Handle,
    lines: Mutex<HashMap<LegId, Line>>,
    plays: Mutex<HashMap<core::OperationId, AbortHandle>>,
    prompts: Arc<Prompts>,
    pages: Pages,
    wires: OnceLock<Wires>,
}

/// What phones are connected by.
pub(crate) struct Wires {
    pub(crate) media: Media,
    pub(crate) sip: Sip,
    pub(crate) webrtc: WebRtc,
    pub(crate) home: SipHome,
    /// Where the page with a phone is, without trailing slash.
    pub(crate) page: String,
}

impl Phones {
    /// The meetings that phones may dial.
    pub(crate) fn meetings(&self) -> Meetings {
        self.shared.meetings.clone()
    }

    /// SIP dialogs, those that ring included.
    pub(crate) fn sip_legs(&self) -> usize {
        self.wires().map_or(0, |wires| wires.sip.legs())
    }

    /// Legs of pages.
    pub(crate) fn web_legs(&self) -> usize {
        self.wires().map_or(0, |wires| wires.webrtc.legs())
    }

    /// Places where phones are registered.
    pub(crate) fn sip_registrations(&self) -> usize {
        self.wires().map_or(0, |wires| wires.sip.registrations())
    }

    /// Phones that are not connected yet; called from within the runtime.
    pub(crate) fn new(
        engine: Engine,
        directory: SharedDirectory,
        outbound: Outbound,
        recordings: Recordings,
        scripted: ScriptedPhones,
        trace: Trace,
    ) -> Self {
        let shared = Shared {
            engine,
            directory,
            outbound,
            recordings,
            scripted,
            meetings: Meetings::default(),
            trace,
            runtime: tokio::runtime::Handle::current(),
            lines: Mutex::default(),
            plays: Mutex::default(),
            prompts: Arc::default(),
            pages: Pages::default(),
            wires: OnceLock::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Connects them. Once; until then every leg fails.
    pub(crate) fn connect(&self, wires: Wires) {
        let _ = self.shared.wires.set(wires);
    }

    fn wires(&self) -> Option<&Wires> {
        self.shared.wires.get()
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<LegId, Line>> {
        // Changed only by whole inserts and removes, so a poisoned lock is still sound.
        self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happening(&self, leg: LegId, input: Input) {
        self.shared.engine.happening(leg, input);
    }

    fn ended(&self, leg: LegId, cause: core::EndCause) {
        let line = self.lines().remove(&leg);
        if let (Some(Line::Seat), Some(wires)) = (line, self.wires()) {
            wires.media.close(leg.0);
        }
        self.happening(leg, Input::LegEnded { leg, cause });
    }

    /// Calls of a trunk, both directions.
    fn calls_of_trunk(&self, name: &str) -> usize {
        let on = |line: &&Line| matches!(line, Line::Sip { trunk: Some(trunk), .. } if trunk == name);
        self.lines().values().filter(on).count()
    }

    fn enter(&self, leg: LegId, trunk: Option<String>) {
        self.lines().insert(leg, Line::Sip { trunk, why: None, guard: None });
    }

    fn place_sip(
        &self,
        leg: LegId,
        to: signal::Destination,
        trunk: Option<String>,
        from: &Identity,
        caller: Option<String>,
    ) {
        let Some(wires) = self.wires() else {
            return self.ended(leg, core::EndCause::Unreachable);
        };
        self.enter(leg, trunk);
        let from_user = caller.unwrap_or_else(|| from.id.clone());
        wires.sip.place(leg.0, signal::Place { to, from_user, from_display: from.display_name.clone() });
    }

    /// What the far end's id leads to, resolved again: the directory may have changed.
    fn resolve(&self, app: &AppId, to: &Identity) -> Option<Destination> {
        let directory = self.shared.directory.current();
        let app = directory.app(app)?;
        directory.resolve_target(app, to.kind, &to.id, &self.wires()?.home).ok()
    }

    /// Calls the scripted phone that stands for this far end, whoever else would be there; false if there is none.
    fn place_scripted(&self, leg: LegId, from: &Identity, to: &Identity, resolved: Option<&Destination>) -> bool {
        let number = match resolved {
            Some(Destination::Phone(user) | Destination::Test(user)) => user.sip.clone(),
            Some(Destination::Trunk { number, .. }) => number.clone(),
            Some(Destination::Uri(_) | Destination::Anyone) | None => dialled(&to.id),
        };
        let Some((phone, address)) = self.shared.scripted.address_of(&number) else { return false };
        if let Some((call, _)) = self.shared.engine.call_of_leg(leg) {
            self.shared.scripted.joined(phone, call);
        }
        self.place_sip(leg, signal::Destination::Uri(address), None, from, None);
        true
    }

    fn is_sip(&self, leg: LegId) -> bool {
        matches!(self.lines().get(&leg), Some(Line::Sip { .. }))
    }

    /// Notes why we hang a leg up; the first reason stays.
    fn because(&self, leg: LegId, reason: HangUp) {
        if let Some(Line::Sip { why, .. } | Line::Web { why }) = self.lines().get_mut(&leg) {
            why.get_or_insert(reason);
        }
    }

    /// Hangs up what carries a leg.
    fn hang_up_line(&self, leg: LegId) {
        let by_web = matches!(self.lines().get(&leg), Some(Line::Web { .. }));
        match self.wires() {
            Some(wires) if by_web => wires.webrtc.hang_up(leg.0, signal::EndCause::LocalHangUp),
            Some(wires) => wires.sip.hang_up(leg.0),
            None => {}
        }
    }

    /// Hangs up every phone, because the server stops; waits for that at most `within`.
    pub(crate) async fn stop(&self, within: Duration) {
        let ours: Vec<LegId> = {
            let lines = self.lines();
            lines.iter().filter(|(_, line)| matches!(line, Line::Test | Line::Seat)).map(|(leg, _)| *leg).collect()
        };
        for leg in ours {
            self.ended(leg, stopped());
        }
        self.stop_pages();
        if let Some(wires) = self.wires() {
            tokio::join!(wires.sip.shutdown(within), wires.webrtc.shutdown(within));
        }
    }

    fn answered(&self, leg: LegId) {
        let mut lines = self.lines();
        let Some(Line::Sip { trunk: Some(_), guard, .. }) = lines.get_mut(&leg) else { return };
        let this = self.clone();
        let task = self.shared.runtime.spawn(async move {
            tokio::time::sleep(limits::TRUNK_CALL).await;
            this.because(leg, HangUp::TooLong);
            this.hang_up_line(leg);
        });
        *guard = Some(task.abort_handle());
    }

    fn cause(&self, leg: LegId, cause: signal::EndCause) -> core::EndCause {
        let line = self.lines().remove(&leg);
        let why = match line {
            Some(Line::Sip { why, guard, .. }) => {
                if let Some(guard) = guard {
                    guard.abort();
                }
                why
            }
            Some(Line::Web { why }) => {
                self.tell_page_ended(leg, &cause, why);
                why
            }
            Some(Line::Rings | Line::Test | Line::Seat) | None => None,
        };
        match cause {
            signal::EndCause::LocalHangUp => match why {
                Some(HangUp::Released | HangUp::Declined(_) | HangUp::KeptOut(_)) => core::EndCause::LocalHangUp,
                Some(HangUp::TimedOut) => core::EndCause::MediaTimeout,
                Some(HangUp::TooLong) => {
                    core::EndCause::Failed("the call lasted as long as a trunk's call may".to_owned())
                }
                None => stopped(),
            },
            signal::EndCause::FarHangUp => core::EndCause::FarHangUp,
            signal::EndCause::Cancelled => core::EndCause::Cancelled,
            signal::EndCause::Busy => core::EndCause::Busy,
            signal::EndCause::NoAnswer => core::EndCause::NoAnswer,
            signal::EndCause::Unreachable => core::EndCause::Unreachable,
            signal::EndCause::Declined(status) => core::EndCause::Declined(status),
            signal::EndCause::MediaTimeout => core::EndCause::MediaTimeout,
            signal::EndCause::Failed(why) => core::EndCause::Failed(why),
        }
    }
}

impl Legs for Phones {
    fn place(&self, leg: LegId, app: &AppId, _tenant: &TenantId, from: &Identity, to: &Identity) {
        let resolved = self.resolve(app, to);
        if self.place_scripted(leg, from, to, resolved.as_ref()) {
            return;
        }
        match resolved {
            None => self.ended(leg, core::EndCause::Unreachable),
            Some(Destination::Test(_)) => {
                self.lines().insert(leg, Line::Test);
                self.happening(leg, Input::LegAnswered { leg, dialog: String::new() });
            }
            Some(Destination::Phone(user)) => self.place_user(leg, &user, from),
            Some(Destination::Anyone) => self.place_anyone(leg, to, from),
            Some(Destination::Uri(uri)) => self.place_sip(leg, signal::Destination::Uri(uri), None, from, None),
            Some(Destination::Trunk { trunk, number }) => {
                if self.calls_of_trunk(&trunk.name) >= trunk.max_calls as usize {
                    return self
                        .ended(leg, core::EndCause::Failed("the trunk carries as many calls as it may".to_owned()));
                }
                let to = signal::Destination::Trunk { trunk: Arc::new(trunk.signal()), number };
                let caller =
                    self.shared.directory.current().app(app).and_then(|app| trunk.caller(app).map(str::to_owned));
                self.place_sip(leg, to, Some(trunk.name.clone()), from, caller);
            }
        }
    }

    fn take_seat(&self, leg: LegId) {
        let Some(wires) = self.wires() else {
            return self.ended(leg, core::EndCause::Failed("there is no media".to_owned()));
        };
        if let Err(error) = wires.media.open_mixer(leg.0) {
            return self.ended(leg, core::EndCause::Failed(error.to_string()));
        }
        self.lines().insert(leg, Line::Seat);
        self.happening(leg, Input::LegAnswered { leg, dialog: String::new() });
    }

    fn admit(&self, leg: LegId, seat: LegId) {
        // It may have hung up before the meeting knew of it, and then nobody would tell.
        let wires = self.wires().filter(|_| self.lines().contains_key(&leg));
        let Some(wires) = wires else { return self.ended(leg, core::EndCause::Cancelled) };
        match wires.media.mix(leg.0, seat.0) {
            Ok(()) => self.accept(leg),
            Err(error) => {
                tracing::warn!(%error, "a phone was kept out of its meeting");
                self.decline(leg, incoming::UNAVAILABLE);
            }
        }
    }

    fn accept(&self, leg: LegId) {
        let by_web = matches!(self.lines().get(&leg), Some(Line::Web { .. }));
        match self.wires() {
            Some(wires) if by_web => wires.webrtc.accept(leg.0),
            Some(wires) => wires.sip.accept(leg.0),
            None => {}
        }
    }

    fn decline(&self, leg: LegId, status: u16) {
        self.because(leg, HangUp::Declined(status));
        let by_web = matches!(self.lines().get(&leg), Some(Line::Web { .. }));
        match self.wires() {
            Some(wires) if by_web => wires.webrtc.hang_up(leg.0, signal::EndCause::LocalHangUp),
            Some(wires) => wires.sip.decline(leg.0, status),
            None => {}
        }
    }

    fn hang_up(&self, leg: LegId, dialog: Option<&str>) {
        self.silence_pages(leg);
        let known = self.lines().get(&leg).map(|line| matches!(line, Line::Sip { .. } | Line::Web { .. }));
        match (known, self.wires()) {
            (Some(true), Some(_)) => {
                self.because(leg, HangUp::Released);
                self.hang_up_line(leg);
            }
            // A leg of an earlier process: its far end gets a BYE from what was recorded.
            (None, Some(wires)) => {
                if let Some(dialog) = dialog.filter(|dialog| !dialog.is_empty()) {
                    wires.sip.hang_up_after_restart(dialog);
                }
                self.ended(leg, core::EndCause::LocalHangUp);
            }
            (Some(false), _) | (_, None) => self.ended(leg, core::EndCause::LocalHangUp),
        }
    }
}

impl LegSink for Phones {
    fn leg(&self, leg: Uuid, event: LegEvent) {
        let leg = LegId(leg);
        match event {
            LegEvent::Incoming(incoming) => self.incoming(leg, incoming),
            LegEvent::Ringing => {}
            // A page was first: the SIP phone is being cancelled, and its end is what is told.
            LegEvent::Answered { .. } if self.is_sip(leg) && !self.sip_was_first(leg) => {}
            LegEvent::Answered { dialog } => {
                self.answered(leg);
                self.tell_page_answered(leg);
                self.happening(leg, Input::LegAnswered { leg, dialog });
            }
            LegEvent::Held(held) => self.happening(leg, Input::LegHeld { leg, held }),
            LegEvent::Ended(_) if self.is_sip(leg) && self.rings_on(leg) => {}
            LegEvent::Ended(cause) => {
                let cause = self.cause(leg, cause);
                self.ended(leg, cause);
            }
        }
    }
}

impl MediaSink for Phones {
    fn closed(&self, _leg: Uuid, strays: Strays) {
        let metrics = self.shared.trace.metrics();
        metrics.astray(Astray::Foreign, strays.foreign);
        metrics.astray(Astray::Malformed, strays.malformed);
        metrics.astray(Astray::Unsent, strays.unsent);
    }

    fn woke_late(&self, slots: u64) {
        self.shared.trace.metrics().slots_missed(slots);
    }

    fn media(&self, leg: Uuid, event: MediaEvent) {
        let leg = LegId(leg);
        match event {
            MediaEvent::Finished { play } => {
                let outcome = core::PlayOutcome::Played;
                self.happening(leg, Input::PlayFinished { operation: core::OperationId(play), outcome });
            }
            MediaEvent::Tone { tone } => self.happening(leg, Input::ToneHeard { leg, tone: keys::heard(tone) }),
            MediaEvent::TimedOut => {
                self.because(leg, HangUp::TimedOut);
                self.hang_up_line(leg);
            }
        }
    }
}

/// How a leg ends when nobody asked for it but the operator.
fn stopped() -> core::EndCause {
    core::EndCause::Failed("the server was stopped".to_owned())
}
