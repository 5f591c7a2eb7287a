//! Phones in web pages: who is signed in, how a page calls, how it is rung and takes a call. The audio is the signal
//! room's WebRTC; who may sign in, and how this is spoken over HTTP, the http room decides.

mod desk;
mod heard;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringback_core::{self as core, Identity, LegId};
use ringback_signal::{self as signal, Incoming, OfferError, Peer};
use tokio::sync::{broadcast, mpsc, watch};

use super::incoming::reached;
use super::{HangUp, Line, Phones, stopped};
use crate::directory::{Directory, User, dialled};
use crate::engine::fresh_id;
use crate::limits;
use crate::trace::Entry;
pub(super) use desk::Whom;
use desk::{Declined, Desk, Ring, SessionKey, SignedIn, SipOver};
use heard::Heard;
pub(crate) use heard::{Entries, Next};

/// What a page is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PageEvent {
    /// Somebody calls. Both names are for people.
    Ringing {
        /// The leg, to be answered or declined.
        leg: LegId,
        /// Who calls.
        from: String,
        /// Whom.
        called: String,
    },
    /// A leg of this page is up.
    Answered {
        /// Which.
        leg: LegId,
    },
    /// A leg of this page is over, or rings no more.
    Ended {
        /// Which.
        leg: LegId,
        /// Why, for people.
        reason: &'static str,
    },
}

/// Why a page's request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PageError {
    /// No session, or one that is over.
    #[error("sign in: the session is over, or the server was started again")]
    NotSignedIn,
    /// As many pages are signed in as may be.
    #[error("as many pages are signed in as may be, in all or as this user: sign out in another one")]
    TooManySessions,
    /// Neither a bot that this user may call nor a meeting.
    #[error(
        "nobody can be called there: give a number, name or id of a bot of the user's tenant, or the number of a meeting"
    )]
    NobodyThere,
    /// This page has as many legs as it may.
    #[error("this page is in as many calls as it may be: hang one up")]
    TooManyLegs,
    /// The offer.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The leg neither rings at this page nor is its.
    #[error("the leg neither rings at this page nor is its own; perhaps it has ended")]
    NoLeg,
    /// Another page or phone was first.
    #[error("the call was answered at another phone")]
    Taken,
}

/// A signed-in page, as its token names it.
pub(crate) struct Session {
    key: SessionKey,
    /// Who is signed in.
    pub(crate) user: Arc<User>,
}

impl SignedIn {
    /// The user, if he is still in the directory, with the same password, and need not have said it or did.
    fn may_stay(&self, directory: &Directory) -> Option<Arc<User>> {
        let user = directory.user(&self.user)?;
        (user.ha1 == self.ha1 && (self.asked || directory.is_open())).then(|| Arc::clone(user))
    }
}

/// The desk of all pages.
#[derive(Default)]
pub(super) struct Pages {
    desk: Mutex<Desk>,
}

impl Pages {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(token: &str) -> SessionKey {
    let mut key = SessionKey::default();
    key.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    key
}

/// Sessions. That the user may sign in was checked.
impl Phones {
    /// Signs in, where a password was `asked` for, by that; returns the session's token, of which only a digest is kept.
    pub(crate) fn sign_in(&self, user: &User, asked: bool) -> Result<String, PageError> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(|_| PageError::TooManySessions)?;
        let token = URL_SAFE_NO_PAD.encode(secret);
        let who = SignedIn { user: user.id.clone(), ha1: user.ha1.clone(), asked };
        self.desk().sign_in(Instant::now(), key_of(&token), who)?;
        Ok(token)
    }

    /// The session of a token.
    pub(crate) fn session(&self, token: &str) -> Result<Session, PageError> {
        let (key, directory) = (key_of(token), self.shared.directory.current());
        let user = self.desk().signed_in(Instant::now(), &key).and_then(|who| who.may_stay(&directory));
        Ok(Session { key, user: user.ok_or(PageError::NotSignedIn)? })
    }

    /// Signs out, and hangs up.
    pub(crate) fn sign_out(&self, session: &Session) {
        self.end_session(&session.key);
    }

    /// The directory was replaced: who could not sign in any more as he did is signed out.
    pub(crate) fn review_sessions(&self) {
        let directory = self.shared.directory.current();
        let desk = self.desk();
        let over = desk.sessions().filter(|(_, who)| who.may_stay(&directory).is_none());
        let over: Vec<SessionKey> = over.map(|(key, _)| *key).collect();
        drop(desk);
        over.iter().for_each(|key| self.end_session(key));
    }

    fn end_session(&self, key: &SessionKey) {
        let legs = self.desk().sign_out(key);
        legs.into_iter().for_each(|leg| self.page_gone(leg));
    }

    /// What a page is told from now on, in the place of who listened before; first what rings already.
    pub(crate) fn page_events(&self, session: &Session) -> mpsc::Receiver<PageEvent> {
        let (events, receiver) = mpsc::channel(limits::PAGE_EVENTS);
        self.desk().follow(&session.key, events);
        receiver
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.shared.pages.desk()
    }
}

/// Calls of pages.
impl Phones {
    /// A page calls what is dialled, with its offer: the leg, and the answer to the offer. Whether a bot answers, events
    /// tell. To be awaited to its end, as is [`page_answers`](Phones::page_answers).
    pub(crate) async fn page_calls(
        &self,
        session: &Session,
        to: &str,
        offer: String,
    ) -> Result<(LegId, String), PageError> {
        let incoming = Incoming {
            peer: Peer::User(session.user.sip.clone()),
            from: session.user.sip.clone(),
            from_display: Some(session.user.name.clone()),
            called: to.to_owned(),
        };
        let bot = reached(&self.shared.directory.current(), &incoming).is_some();
        if !bot && self.shared.meetings.dialled(&dialled(to)).is_none() {
            return Err(PageError::NobodyThere);
        }
        let wires = self.wires().ok_or(OfferError::Unavailable)?;
        let begun = self.shared.trace.timeline().follow();
        let leg = LegId(fresh_id());
        // The page may hear of the leg before it has the answer to its offer.
        self.desk().calls(leg, &session.key)?;
        self.lines().insert(leg, Line::Web { why: None });
        let answer = wires.webrtc.open(leg.0, offer).await.inspect_err(|_| {
            self.lines().remove(&leg);
            self.desk().calls_not(leg);
        })?;
        self.still_here(session, leg)?;
        self.offer(leg, &incoming, false);
        self.hears(leg, Some(begun));
        Ok((leg, answer))
    }

    /// A leg of a page hears its call from now on, if it is known; that of a meeting is once the leg is in it.
    fn hears(&self, leg: LegId, begun: Option<broadcast::Receiver<Entry>>) {
        if let Some((call, conversation)) = self.shared.engine.call_of_leg(leg) {
            self.desk().hears(leg, Heard::new(self.shared.trace.timeline(), begun, call, conversation));
        }
    }

    /// A page takes what rings there. A SIP phone of the user that rings too is cancelled first.
    pub(crate) async fn page_answers(&self, session: &Session, leg: LegId, offer: String) -> Result<String, PageError> {
        let wires = self.wires().ok_or(OfferError::Unavailable)?;
        // What cannot be taken must not cost the caller the phones that ring.
        wires.webrtc.check(&offer)?;
        let freed = self.desk().claim(leg, &session.key)?;
        if let Some(freed) = freed {
            wires.sip.hang_up(leg.0);
            let _ = freed.await;
        }
        self.lines().insert(leg, Line::Web { why: None });
        match wires.webrtc.open(leg.0, offer).await {
            Ok(answer) if self.desk().won(leg, &session.key) => {
                self.still_here(session, leg)?;
                wires.webrtc.accept(leg.0);
                Ok(answer)
            }
            // Its caller hung up meanwhile.
            Ok(_) => {
                wires.webrtc.hang_up(leg.0, signal::EndCause::LocalHangUp);
                Err(PageError::NoLeg)
            }
            Err(error) => {
                self.desk().ring_over(leg, "its audio could not be connected");
                self.ended(leg, core::EndCause::Failed("a page that answered could not be connected".to_owned()));
                Err(error.into())
            }
        }
    }

    /// A page hangs up, gives up calling, or does not want what rings there.
    pub(crate) fn page_hangs_up(&self, session: &Session, leg: LegId) -> Result<(), PageError> {
        if self.desk().holds(leg, &session.key) {
            self.page_gone(leg);
            return Ok(());
        }
        let declined = self.desk().decline(leg, &session.key)?;
        // 603 Decline (RFC 3261 §21.6.2); a SIP phone that rings decides for itself.
        let only_pages = matches!(self.lines().get(&leg), Some(Line::Rings));
        if declined == Declined::Last && only_pages {
            self.ended(leg, core::EndCause::Declined(603));
        }
        Ok(())
    }

    /// The timeline of the call that a leg of this page is in, or that rings there; and what tells that it is over.
    pub(crate) fn page_timeline(
        &self,
        session: &Session,
        leg: LegId,
    ) -> Result<(Entries, watch::Receiver<bool>), PageError> {
        self.desk().heard(leg, &session.key).ok_or(PageError::NoLeg)
    }

    /// Who signs out hangs up, but not yet what was just being opened.
    fn still_here(&self, session: &Session, leg: LegId) -> Result<(), PageError> {
        if self.desk().knows(&session.key) {
            return Ok(());
        }
        self.page_gone(leg);
        Err(PageError::NotSignedIn)
    }

    fn page_gone(&self, leg: LegId) {
        if let Some(wires) = self.wires() {
            wires.webrtc.hang_up(leg.0, signal::EndCause::FarHangUp);
        }
    }
}

/// Calls to pages.
impl Phones {
    /// A user is called: the phones in his pages ring, and his SIP phone.
    pub(super) fn place_user(&self, leg: LegId, user: &User, from: &Identity) {
        let ring = self.ring(leg, Whom::User(user.id.clone()), from, user.name.clone());
        let sip = self.wires().is_some_and(|wires| wires.sip.registered(&user.sip));
        let pages = ring.is_some_and(|ring| self.desk().enter_ring(leg, ring, sip));
        if !pages {
            self.desk().drop_ring(leg);
            if !sip {
                self.nobody(leg, "nobody is at this user's phone");
            }
        }
        if sip || !pages {
            self.place_sip(leg, signal::Destination::User(user.sip.clone()), None, from, None);
        } else {
            self.lines().insert(leg, Line::Rings);
        }
        // Not before: the first page may answer at once.
        self.desk().announce(leg);
    }

    /// Somebody is called whom nobody knows: every page rings, and says for whom. Where there is none, it rings until the
    /// caller gives up, since who reads of it may open a page.
    pub(super) fn place_anyone(&self, leg: LegId, called: &Identity, from: &Identity) {
        let name = called.display_name.clone().unwrap_or_else(|| called.id.clone());
        let Some(ring) = self.ring(leg, Whom::Anyone, from, name) else {
            return self.ended(leg, core::EndCause::Unreachable);
        };
        if !self.desk().enter_ring(leg, ring, false) {
            self.nobody(leg, "nobody is at a page's phone to take this call for someone unknown");
        }
        self.lines().insert(leg, Line::Rings);
        self.desk().announce(leg);
    }

    fn ring(&self, leg: LegId, whom: Whom, from: &Identity, called: String) -> Option<Ring> {
        let (call, conversation) = self.shared.engine.call_of_leg(leg)?;
        let heard = Heard::new(self.shared.trace.timeline(), None, call, conversation);
        let from = from.display_name.clone().unwrap_or_else(|| from.id.clone());
        Some(Ring { whom, from, called, heard })
    }

    fn nobody(&self, leg: LegId, what: &str) {
        let Some((call, _)) = self.shared.engine.call_of_leg(leg) else { return };
        let page = self.wires().map(|wires| wires.page.as_str()).unwrap_or_default();
        let text = format!("{what}: open {page}/ and sign in");
        self.shared.trace.timeline().add("event", || Entry::about(call, text));
    }

    /// Nobody needs to take it any more.
    pub(super) fn silence_pages(&self, leg: LegId) {
        self.desk().ring_over(leg, "the caller gave up");
    }

    /// A SIP phone answered. False if a page did before: then it is being cancelled.
    pub(super) fn sip_was_first(&self, leg: LegId) -> bool {
        self.desk().sip_answered(leg)
    }

    /// A SIP phone rings no more. True if that is not the end of the leg, because pages ring for it, or one has taken it.
    pub(super) fn rings_on(&self, leg: LegId) -> bool {
        let over = self.desk().sip_over(leg);
        match over {
            SipOver::Leg => return false,
            SipOver::PagesRing => self.lines().insert(leg, Line::Rings),
            SipOver::Claimed => self.lines().insert(leg, Line::Web { why: None }),
        };
        true
    }

    /// The page of an answered leg is told.
    pub(super) fn tell_page_answered(&self, leg: LegId) {
        self.hears(leg, None);
        self.desk().leg_answered(leg);
    }

    /// The page of a leg is told why it is over.
    pub(super) fn tell_page_ended(&self, leg: LegId, cause: &signal::EndCause, why: Option<HangUp>) {
        self.desk().leg_ended(leg, reason(cause, why));
    }

    /// Ends what rings in pages, because the server stops.
    pub(super) fn stop_pages(&self) {
        self.desk().all_over(STOPPED);
        let ringing: Vec<LegId> = {
            let lines = self.lines();
            lines.iter().filter(|(_, line)| matches!(line, Line::Rings)).map(|(leg, _)| *leg).collect()
        };
        ringing.into_iter().for_each(|leg| self.ended(leg, stopped()));
    }
}

const STOPPED: &str = "the server was stopped";

/// Why a leg is over, as its page shows it.
fn reason(cause: &signal::EndCause, why: Option<HangUp>) -> &'static str {
    match (cause, why) {
        (signal::EndCause::FarHangUp, _) => "hung up here",
        (signal::EndCause::MediaTimeout, _) | (_, Some(HangUp::TimedOut)) => {
            "nothing was heard of this page for too long"
        }
        (signal::EndCause::LocalHangUp, Some(HangUp::Declined(486))) => "the bot is busy",
        (signal::EndCause::LocalHangUp, Some(HangUp::Declined(404))) => "nobody can be called there",
        (signal::EndCause::LocalHangUp, Some(HangUp::Declined(408 | 480))) => "the bot did not answer",
        (signal::EndCause::LocalHangUp, Some(HangUp::Declined(503))) => "the bot takes no more calls just now",
        (signal::EndCause::LocalHangUp, Some(HangUp::Declined(_))) => "the bot declined",
        (signal::EndCause::LocalHangUp, Some(HangUp::KeptOut(why))) => why,
        (signal::EndCause::LocalHangUp, _) => "the other side hung up",
        (signal::EndCause::Failed(_), None) => "the connection to this page broke, or the server was stopped",
        _ => "it failed",
    }
}
