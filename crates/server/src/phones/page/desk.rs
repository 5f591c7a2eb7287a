//! Who is signed in at a page's phone, what rings there and who may still take it, which legs are whose: one value, changed
//! under one lock, so that the first answer wins. Time and names are told; nothing here calls, waits or knows audio.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use ringback_core::LegId;
use tokio::sync::{mpsc, oneshot, watch};

use super::heard::{Entries, Heard};
use super::{PageError, PageEvent};
use crate::limits;

/// What a session is known by: the digest of its token.
pub(super) type SessionKey = [u8; 32];

/// Whose phones ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Those of one user, by id.
    User(String),
    /// All: somebody is called whom nobody knows.
    Anyone,
}

/// What rings.
pub(super) struct Ring {
    pub(super) whom: Whom,
    /// Who calls, for people.
    pub(super) from: String,
    /// Who is called, for people.
    pub(super) called: String,
    /// What is to be heard of the call.
    pub(super) heard: Heard,
}

struct Ringing {
    ring: Ring,
    /// The user's SIP phone rings too.
    sip: bool,
    /// Not yet told to pages: the SIP phone is rung first, so that there is something to cancel.
    announced: bool,
    declined: HashSet<SessionKey>,
    /// A page answered, and the user's SIP phone is being cancelled.
    claimed: Option<Claim>,
    over: watch::Sender<bool>,
}

struct Claim {
    by: SessionKey,
    /// Told once the SIP phone rings no more.
    free: Option<oneshot::Sender<()>>,
}

/// Who signed in, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedIn {
    /// The user's id.
    pub(super) user: String,
    /// The digest of the SIP password that the user had.
    pub(super) ha1: Option<String>,
    /// That password was asked for.
    pub(super) asked: bool,
}

struct Session {
    who: SignedIn,
    used: Instant,
    events: Option<mpsc::Sender<PageEvent>>,
    /// Its legs, the newest last; some are over.
    legs: VecDeque<LegId>,
}

impl Session {
    fn is_here(&self) -> bool {
        self.events.as_ref().is_some_and(|events| !events.is_closed())
    }

    /// A page that reads too slowly to be told is cut off; it comes again and hears what rings.
    fn tell(&mut self, event: PageEvent) {
        if self.events.as_ref().is_some_and(|events| events.try_send(event).is_err()) {
            self.events = None;
        }
    }
}

struct Leg {
    owner: SessionKey,
    answered: bool,
    /// `None`: over.
    alive: Option<watch::Sender<bool>>,
    over: watch::Receiver<bool>,
    /// Once its call is known.
    heard: Option<Heard>,
}

/// What a page's "no" left of a ring.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Declined {
    /// Others ring on.
    OthersRing,
    /// No page rings any more.
    Last,
}

/// What the end of a user's SIP phone means for a leg that pages ring for, too.
pub(super) enum SipOver {
    /// No page rings: the leg is over.
    Leg,
    /// Pages ring on.
    PagesRing,
    /// A page has answered, and goes on from here.
    Claimed,
}

/// Why a leg is over whose end was told to nobody.
const MISSED: &str = "it was over when this page came back";
/// Why pages that were not first ring no more.
const ELSEWHERE: &str = "answered at another phone";

/// The table.
#[derive(Default)]
pub(super) struct Desk {
    sessions: HashMap<SessionKey, Session>,
    rings: HashMap<LegId, Ringing>,
    legs: HashMap<LegId, Leg>,
}

impl Desk {
    /// Signs a user in. Those who are gone for long make room, then those without a page.
    pub(super) fn sign_in(&mut self, now: Instant, key: SessionKey, who: SignedIn) -> Result<(), PageError> {
        self.expire(now);
        let room = |desk: &mut Desk, most: usize, of: &dyn Fn(&Session) -> bool| {
            let full = |desk: &Desk| desk.sessions.values().filter(|session| of(session)).count() >= most;
            if full(desk) {
                desk.make_room(of);
            }
            !full(desk)
        };
        if !room(self, limits::PAGE_SESSIONS_PER_USER, &|session| session.who.user == who.user)
            || !room(self, limits::PAGE_SESSIONS, &|_| true)
        {
            return Err(PageError::TooManySessions);
        }
        self.sessions.insert(key, Session { who, used: now, events: None, legs: VecDeque::new() });
        Ok(())
    }

    fn make_room(&mut self, of: &dyn Fn(&Session) -> bool) {
        let idle = self.sessions.iter().filter(|(_, session)| of(session) && !session.is_here());
        if let Some(key) = idle.min_by_key(|(_, session)| session.used).map(|(key, _)| *key) {
            self.forget(&key);
        }
    }

    /// Signs out; its legs are the caller's to end.
    pub(super) fn sign_out(&mut self, key: &SessionKey) -> Vec<LegId> {
        let alive = self.legs.iter().filter(|(_, leg)| leg.owner == *key && leg.alive.is_some());
        let alive = alive.map(|(id, _)| *id).collect();
        self.forget(key);
        alive
    }

    fn forget(&mut self, key: &SessionKey) {
        self.sessions.remove(key);
        self.legs.retain(|_, leg| leg.owner != *key || leg.alive.is_some());
    }

    fn expire(&mut self, now: Instant) {
        for session in self.sessions.values_mut().filter(|session| session.events.is_some() && !session.is_here()) {
            // It was open until now, or until shortly before.
            (session.events, session.used) = (None, now);
        }
        let idle = |session: &Session| now.saturating_duration_since(session.used) > limits::PAGE_SESSION_IDLE;
        let gone = self.sessions.iter().filter(|(_, session)| !session.is_here() && idle(session));
        let gone: Vec<SessionKey> = gone.map(|(key, _)| *key).collect();
        gone.iter().for_each(|key| self.forget(key));
    }

    /// Whose session it is; it counts as used.
    pub(super) fn signed_in(&mut self, now: Instant, key: &SessionKey) -> Option<&SignedIn> {
        self.expire(now);
        let session = self.sessions.get_mut(key)?;
        session.used = now;
        Some(&session.who)
    }

    /// All sessions.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (&SessionKey, &SignedIn)> {
        self.sessions.iter().map(|(key, session)| (key, &session.who))
    }

    /// A page listens from now on, in the place of one that did, and hears what rings already, and how its legs are: it may
    /// have missed that.
    pub(super) fn follow(&mut self, key: &SessionKey, events: mpsc::Sender<PageEvent>) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.events = Some(events);
        for id in session.legs.clone() {
            match self.legs.get(&id) {
                Some(leg) if leg.alive.is_none() => session.tell(PageEvent::Ended { leg: id, reason: MISSED }),
                Some(leg) if leg.answered => session.tell(PageEvent::Answered { leg: id }),
                _ => {}
            }
        }
        for (leg, ringing) in &self.rings {
            if ringing.rings(key, session) {
                session.tell(ringing.event(*leg));
            }
        }
    }

    /// Enters what is about to ring, where a SIP phone may ring too. True if a page is there for it.
    pub(super) fn enter_ring(&mut self, leg: LegId, ring: Ring, sip: bool) -> bool {
        let heard = self.sessions.values().any(|session| session.is_here() && ring.is_for(session));
        let (over, _) = watch::channel(false);
        let declined = HashSet::new();
        self.rings.insert(leg, Ringing { ring, sip, announced: false, declined, claimed: None, over });
        heard
    }

    /// Nobody is to ring after all.
    pub(super) fn drop_ring(&mut self, leg: LegId) {
        self.rings.remove(&leg);
    }

    /// Lets the pages ring.
    pub(super) fn announce(&mut self, leg: LegId) {
        let Some(ringing) = self.rings.get_mut(&leg) else { return };
        ringing.announced = true;
        for (key, session) in &mut self.sessions {
            if ringing.rings(key, session) {
                session.tell(ringing.event(leg));
            }
        }
    }

    /// A page answers, and the leg counts as one of its own. If the user's SIP phone rings too, it is to be cancelled, and the channel tells when it is.
    pub(super) fn claim(&mut self, leg: LegId, key: &SessionKey) -> Result<Option<oneshot::Receiver<()>>, PageError> {
        let room = self.room(key);
        let session = self.sessions.get(key).ok_or(PageError::NotSignedIn)?;
        let ringing = self.rings.get_mut(&leg).filter(|ringing| ringing.rings(key, session));
        let ringing = ringing.ok_or(PageError::NoLeg)?;
        if ringing.claimed.is_some() {
            return Err(PageError::Taken);
        }
        room?;
        let (free, freed) = oneshot::channel();
        ringing.claimed = Some(Claim { by: *key, free: ringing.sip.then_some(free) });
        Ok(ringing.sip.then_some(freed))
    }

    /// The page that claimed it has it: the others fall silent, and the leg is its, though it may have
    /// [signed out](Desk::knows) meanwhile. False if nothing rings any more.
    pub(super) fn won(&mut self, leg: LegId, key: &SessionKey) -> bool {
        let Some(ringing) = self.rings.remove(&leg) else { return false };
        self.silence(leg, &ringing, Some(key), ELSEWHERE);
        let (over, heard) = (ringing.over.subscribe(), Some(ringing.ring.heard));
        self.enter_leg(leg, *key, Leg { owner: *key, answered: false, alive: Some(ringing.over), over, heard });
        true
    }

    /// A page does not want it.
    pub(super) fn decline(&mut self, leg: LegId, key: &SessionKey) -> Result<Declined, PageError> {
        let session = self.sessions.get(key).ok_or(PageError::NotSignedIn)?;
        let ringing = self.rings.get_mut(&leg).filter(|ringing| ringing.rings(key, session));
        let ringing = ringing.ok_or(PageError::NoLeg)?;
        ringing.declined.insert(*key);
        if ringing.claimed.is_some() || self.is_rung(leg) {
            return Ok(Declined::OthersRing);
        }
        self.rings.remove(&leg);
        Ok(Declined::Last)
    }

    /// Nothing rings any more, for this reason. True if it rang.
    pub(super) fn ring_over(&mut self, leg: LegId, reason: &'static str) -> bool {
        let Some(ringing) = self.rings.remove(&leg) else { return false };
        self.silence(leg, &ringing, None, reason);
        true
    }

    /// The SIP phone answered. False if a page was first.
    pub(super) fn sip_answered(&mut self, leg: LegId) -> bool {
        let claimed = self.rings.get(&leg).is_some_and(|ringing| ringing.claimed.is_some());
        if !claimed {
            self.ring_over(leg, ELSEWHERE);
        }
        !claimed
    }

    /// The SIP phone rings no more.
    pub(super) fn sip_over(&mut self, leg: LegId) -> SipOver {
        let Some(ringing) = self.rings.get_mut(&leg) else { return SipOver::Leg };
        ringing.sip = false;
        if let Some(claim) = &mut ringing.claimed {
            if let Some(free) = claim.free.take() {
                // Who waited for it may be gone; then the ring is dropped by whoever claimed it.
                let _ = free.send(());
            }
            return SipOver::Claimed;
        }
        if self.is_rung(leg) {
            return SipOver::PagesRing;
        }
        self.rings.remove(&leg);
        SipOver::Leg
    }

    /// A page rings that somebody has open.
    fn is_rung(&self, leg: LegId) -> bool {
        let here = |ringing: &Ringing| {
            self.sessions.iter().any(|(key, session)| session.is_here() && ringing.rings(key, session))
        };
        self.rings.get(&leg).is_some_and(here)
    }

    /// Everything that rings is over, because the server stops.
    pub(super) fn all_over(&mut self, reason: &'static str) {
        let legs: Vec<LegId> = self.rings.keys().copied().collect();
        for leg in legs {
            self.ring_over(leg, reason);
        }
    }

    fn silence(&mut self, leg: LegId, ringing: &Ringing, but: Option<&SessionKey>, reason: &'static str) {
        if !ringing.announced {
            return;
        }
        for (key, session) in &mut self.sessions {
            if but != Some(key) && ringing.rings(key, session) {
                session.tell(PageEvent::Ended { leg, reason });
            }
        }
    }

    /// Whether a session may have another leg: those that it has claimed and not won yet count.
    fn room(&self, key: &SessionKey) -> Result<(), PageError> {
        let alive = self.legs.values().filter(|leg| leg.owner == *key && leg.alive.is_some()).count();
        let claims = self.rings.values().filter_map(|ringing| ringing.claimed.as_ref());
        let claimed = claims.filter(|claim| claim.by == *key).count();
        if alive + claimed < limits::PAGE_LEGS { Ok(()) } else { Err(PageError::TooManyLegs) }
    }

    /// Somebody is signed in with it.
    pub(super) fn knows(&self, key: &SessionKey) -> bool {
        self.sessions.contains_key(key)
    }

    /// A page calls: entered before its offer is taken, so that no two take the last place.
    pub(super) fn calls(&mut self, leg: LegId, key: &SessionKey) -> Result<(), PageError> {
        if !self.knows(key) {
            return Err(PageError::NotSignedIn);
        }
        self.room(key)?;
        let (alive, over) = watch::channel(false);
        self.enter_leg(leg, *key, Leg { owner: *key, answered: false, alive: Some(alive), over, heard: None });
        Ok(())
    }

    /// The offer was not taken: there is no such leg, and never was.
    pub(super) fn calls_not(&mut self, leg: LegId) {
        let owner = self.legs.remove(&leg).map(|leg| leg.owner);
        if let Some(session) = owner.and_then(|owner| self.sessions.get_mut(&owner)) {
            session.legs.retain(|other| *other != leg);
        }
    }

    /// What is to be heard of a leg's call; the first time counts.
    pub(super) fn hears(&mut self, leg: LegId, heard: Heard) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.heard.get_or_insert(heard);
        }
    }

    /// Of a session's legs that are over, the oldest is forgotten.
    fn enter_leg(&mut self, id: LegId, key: SessionKey, leg: Leg) {
        self.legs.insert(id, leg);
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.legs.push_back(id);
        let is_over = |legs: &HashMap<LegId, Leg>, id: &LegId| legs.get(id).is_none_or(|leg| leg.alive.is_none());
        while session.legs.len() > limits::PAGE_LEGS {
            let Some(oldest) = session.legs.iter().position(|id| is_over(&self.legs, id)) else { break };
            session.legs.remove(oldest).map(|id| self.legs.remove(&id));
        }
    }

    /// The leg is up.
    pub(super) fn leg_answered(&mut self, leg: LegId) {
        self.legs.entry(leg).and_modify(|leg| leg.answered = true);
        self.tell_owner(leg, PageEvent::Answered { leg });
    }

    /// The leg is over.
    pub(super) fn leg_ended(&mut self, leg: LegId, reason: &'static str) {
        self.tell_owner(leg, PageEvent::Ended { leg, reason });
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.alive = None;
        if !self.sessions.contains_key(&entry.owner) {
            self.legs.remove(&leg);
        }
    }

    fn tell_owner(&mut self, leg: LegId, event: PageEvent) {
        let owner = self.legs.get(&leg).map(|leg| leg.owner);
        if let Some(session) = owner.and_then(|owner| self.sessions.get_mut(&owner)) {
            session.tell(event);
        }
    }

    /// The leg is this session's, and not over.
    pub(super) fn holds(&self, leg: LegId, key: &SessionKey) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.owner == *key && leg.alive.is_some())
    }

    /// What is heard of the call of a leg, which is this session's, or rings there; and what tells that the leg is over.
    pub(super) fn heard(&mut self, leg: LegId, key: &SessionKey) -> Option<(Entries, watch::Receiver<bool>)> {
        if let Some(leg) = self.legs.get_mut(&leg) {
            let heard = leg.heard.as_mut().filter(|_| leg.owner == *key)?;
            return Some((heard.follow(), leg.over.clone()));
        }
        let (ringing, session) = (self.rings.get_mut(&leg)?, self.sessions.get(key)?);
        ringing.rings(key, session).then(|| (ringing.ring.heard.follow(), ringing.over.subscribe()))
    }
}

impl Ring {
    fn is_for(&self, session: &Session) -> bool {
        match &self.whom {
            Whom::User(user) => session.who.user == *user,
            Whom::Anyone => true,
        }
    }
}

impl Ringing {
    fn rings(&self, key: &SessionKey, session: &Session) -> bool {
        self.announced && self.ring.is_for(session) && !self.declined.contains(key)
    }

    fn event(&self, leg: LegId) -> PageEvent {
        PageEvent::Ringing { leg, from: self.ring.from.clone(), called: self.ring.called.clone() }
    }
}
