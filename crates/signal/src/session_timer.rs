//! Session timers (RFC 4028): both sides of the negotiation, and when a session is to be refreshed
//! or given up. Pure: facts of messages and the time (since start) in, what to do out. Knows no
//! message, no socket and no clock.

use std::time::Duration;

/// The intervals we want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionBounds {
    /// What we ask for, and grant at most, in seconds.
    pub usual: u32,
    /// The least we agree to (`Min-SE`), in seconds.
    pub least: u32,
}

impl Default for SessionBounds {
    /// RFC 4028 §4 recommends half an hour, and allows no less than 90 s.
    fn default() -> SessionBounds {
        SessionBounds { usual: 1_800, least: 90 }
    }
}

/// Who refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresher {
    Us,
    Them,
}

/// What was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// In seconds.
    pub(crate) interval: u32,
    pub(crate) refresher: Refresher,
}

/// What a request or response says of session timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// `Supported` or `Require` names `timer`.
    pub(crate) supported: bool,
    /// `Session-Expires`, in seconds.
    pub(crate) expires: Option<u32>,
    /// `refresher=uac`: whoever sent the request; `false`: whoever answers it.
    pub(crate) by_requester: Option<bool>,
    /// `Min-SE`, in seconds.
    pub(crate) least: Option<u32>,
}

/// What a request of the far end comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    /// No timer.
    Nothing,
    Terms(Terms),
    /// 422, with our `Min-SE`.
    TooBrief,
}

/// Answers what the far end's INVITE or UPDATE asks (RFC 4028 §9, table 2).
pub(crate) fn grant(asked: &Said, bounds: SessionBounds) -> Granted {
    let least = asked.least.unwrap_or(0).max(bounds.least);
    let usual = bounds.usual.max(least);
    match (asked.supported, asked.expires) {
        (true, Some(expires)) if expires < bounds.least => Granted::TooBrief,
        (true, Some(expires)) => {
            let refresher = if asked.by_requester == Some(false) { Refresher::Us } else { Refresher::Them };
            Granted::Terms(Terms { interval: expires.clamp(least, usual), refresher })
        }
        // They know timers and do not ask: we do.
        (true, None) => Granted::Terms(Terms { interval: usual, refresher: Refresher::Us }),
        // Somebody on the way asked; who cannot refresh need not.
        (false, Some(expires)) => {
            Granted::Terms(Terms { interval: expires.clamp(least, usual), refresher: Refresher::Us })
        }
        (false, None) => Granted::Nothing,
    }
}

/// What a 2xx to our own request agreed; `None`: no timer (RFC 4028 §7.2).
pub(crate) fn agreed(said: &Said, bounds: SessionBounds) -> Option<Terms> {
    let interval = said.expires?.max(bounds.least);
    let refresher = if said.by_requester == Some(false) { Refresher::Them } else { Refresher::Us };
    Some(Terms { interval, refresher })
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Refresh the session.
    Refresh,
    /// Nobody refreshed: hang up.
    HangUp,
}

/// The timer of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionTimer {
    terms: Terms,
    /// When the session was agreed or refreshed last.
    since: Duration,
    /// A refresh of ours is under way, or failed.
    tried: bool,
    /// No refresh before, where the far end could not take one at once.
    not_before: Duration,
}

impl SessionTimer {
    /// From an agreement or a refresh at `now`.
    pub(crate) fn start(terms: Terms, now: Duration) -> SessionTimer {
        SessionTimer { terms, since: now, tried: false, not_before: now }
    }

    pub(crate) fn terms(&self) -> Terms {
        self.terms
    }

    /// A refresh of ours was turned away, and may go better later.
    pub(crate) fn try_later(&mut self, now: Duration) {
        self.tried = false;
        self.not_before = now + self.interval() / 8;
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.terms.interval.into())
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> Duration {
        // The BYE must arrive before the far end has given the session up (RFC 4028 §10).
        let end = self.since + self.interval() - (self.interval() / 3).min(Duration::from_secs(32));
        if self.refreshes() { (self.since + self.interval() / 2).max(self.not_before).min(end) } else { end }
    }

    /// Whether a refresh of ours is due before the end.
    fn refreshes(&self) -> bool {
        self.terms.refresher == Refresher::Us && !self.tried
    }

    /// What is due at `now`. A refresh is asked for once.
    pub(crate) fn at(&mut self, now: Duration) -> Due {
        if now < self.next() {
            return Due::Nothing;
        }
        if self.refreshes() {
            self.tried = true;
            return Due::Refresh;
        }
        Due::HangUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: SessionBounds = SessionBounds { usual: 1_800, least: 90 };

    fn said(supported: bool, expires: Option<u32>, by_requester: Option<bool>, least: Option<u32>) -> Said {
        Said { supported, expires, by_requester, least }
    }

    fn terms(interval: u32, refresher: Refresher) -> Granted {
        Granted::Terms(Terms { interval, refresher })
    }

    #[test]
    fn what_they_ask_and_what_they_get() {
        use Refresher::{Them, Us};
        for (asked, expected) in [
            (said(false, None, None, None), Granted::Nothing),
            (said(true, None, None, None), terms(1_800, Us)),
            (said(true, None, None, Some(3_600)), terms(3_600, Us)),
            (said(true, Some(600), None, None), terms(600, Them)),
            (said(true, Some(600), Some(true), None), terms(600, Them)),
            (said(true, Some(600), Some(false), None), terms(600, Us)),
            (said(true, Some(7_200), None, None), terms(1_800, Them)),
            (said(true, Some(7_200), None, Some(3_600)), terms(3_600, Them)),
            (said(true, Some(89), None, None), Granted::TooBrief),
            (said(true, Some(90), None, None), terms(90, Them)),
            (said(false, Some(60), Some(true), None), terms(90, Us)),
        ] {
            assert_eq!(grant(&asked, BOUNDS), expected, "{asked:?}");
        }
    }

    #[test]
    fn what_their_answer_agrees() {
        assert_eq!(agreed(&said(true, None, None, None), BOUNDS), None);
        let of = |by| agreed(&said(false, Some(900), by, None), BOUNDS).unwrap().refresher;
        assert_eq!([of(Some(true)), of(None), of(Some(false))], [Refresher::Us, Refresher::Us, Refresher::Them]);
    }

    #[test]
    fn the_refresher_refreshes_at_half_time_and_is_given_up_on() {
        let seconds = Duration::from_secs;
        let mut ours = SessionTimer::start(Terms { interval: 1_800, refresher: Refresher::Us }, seconds(100));
        assert_eq!(ours.at(seconds(999)), Due::Nothing);
        assert_eq!(ours.at(seconds(1_000)), Due::Refresh);
        assert_eq!(ours.at(seconds(1_001)), Due::Nothing);
        assert_eq!(ours.at(seconds(1_868)), Due::HangUp);
        let mut later = SessionTimer::start(Terms { interval: 800, refresher: Refresher::Us }, seconds(0));
        assert_eq!(later.at(seconds(400)), Due::Refresh);
        later.try_later(seconds(401));
        assert_eq!((later.at(seconds(500)), later.at(seconds(501))), (Due::Nothing, Due::Refresh));
        assert_eq!(later.at(seconds(768)), Due::HangUp);
        let mut theirs = SessionTimer::start(Terms { interval: 90, refresher: Refresher::Them }, seconds(0));
        assert_eq!(theirs.at(seconds(59)), Due::Nothing);
        assert_eq!(theirs.at(seconds(60)), Due::HangUp);
    }

    proptest! {
        #[test]
        fn two_of_us_agree(usual in 90u32..10_000, other in 90u32..10_000, least in 90u32..5_000) {
            let mine = SessionBounds { usual: usual.max(least), least };
            let theirs = SessionBounds { usual: other, least: 90 };
            let asked = said(true, Some(mine.usual), None, Some(mine.least));
            let Granted::Terms(granted) = grant(&asked, theirs) else {
                panic!("it is long enough");
            };
            prop_assert!(granted.interval >= mine.least);
            let answer = said(true, Some(granted.interval), Some(granted.refresher == Refresher::Them), None);
            let heard = agreed(&answer, mine).unwrap();
            prop_assert_eq!(heard.interval, granted.interval);
            prop_assert_ne!(heard.refresher, granted.refresher);
        }

        #[test]
        fn a_session_nobody_refreshes_ends_before_its_time(interval in 1u32..100_000, ours: bool) {
            let refresher = if ours { Refresher::Us } else { Refresher::Them };
            let mut timer = SessionTimer::start(Terms { interval, refresher }, Duration::ZERO);
            let mut last = Duration::ZERO;
            let mut refreshes = 0;
            loop {
                let next = timer.next();
                prop_assert!(next >= last && next <= Duration::from_secs(interval.into()));
                last = next;
                match timer.at(next) {
                    Due::Refresh => refreshes += 1,
                    Due::HangUp => break,
                    Due::Nothing => prop_assert!(false, "something is due"),
                }
            }
            prop_assert_eq!(refreshes, u32::from(ours));
        }
    }
}
