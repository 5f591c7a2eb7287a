//! What is to be done again and again at a trunk (register, ask whether it is there): when next,
//! after success and after failure. Pure; the time (since start) is an argument.

use std::time::Duration;

use crate::limits::{UPKEEP_AFTER_FAILURE, UPKEEP_LONGEST_WAIT};

/// When it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Upkeep {
    due: Duration,
    failures: u32,
}

/// Why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may go better soon.
    Passing,
    /// It will not before the operator changes something.
    Lasting,
}

impl Upkeep {
    /// Due at once.
    pub(crate) fn new(now: Duration) -> Upkeep {
        Upkeep { due: now, failures: 0 }
    }

    pub(crate) fn is_due(&self, now: Duration) -> bool {
        now >= self.due
    }

    /// It is under way; not due again before `done` or `failed` say so.
    pub(crate) fn begun(&mut self) {
        self.due = Duration::MAX;
    }

    /// Done, and due again after `wait`.
    pub(crate) fn done(&mut self, now: Duration, wait: Duration) {
        *self = Upkeep { due: now + wait, failures: 0 };
    }

    /// Failed: due again after a wait that doubles each time.
    pub(crate) fn failed(&mut self, now: Duration, failure: Failure) {
        let doubled = UPKEEP_AFTER_FAILURE * 2u32.pow(self.failures.min(10));
        let wait = match failure {
            Failure::Passing => doubled.min(UPKEEP_LONGEST_WAIT),
            Failure::Lasting => UPKEEP_LONGEST_WAIT,
        };
        *self = Upkeep { due: now + wait, failures: self.failures.saturating_add(1) };
    }
}

/// When a registration good for `granted` is refreshed: half a minute before its end, or at half
/// its time if that is shorter.
pub(crate) fn refresh_after(granted: Duration) -> Duration {
    (granted / 2).max(granted.saturating_sub(Duration::from_secs(30)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_back_off_and_success_forgets_them() {
        let mut upkeep = Upkeep::new(Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert!(upkeep.is_due(now));
            upkeep.begun();
            assert!(!upkeep.is_due(now + Duration::from_secs(1_000_000)));
            upkeep.failed(now, Failure::Passing);
            waits.push((upkeep.due - now).as_secs());
            now = upkeep.due;
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 600, 600, 600]);
        upkeep.done(now, Duration::from_secs(5));
        assert!(!upkeep.is_due(now + Duration::from_secs(4)) && upkeep.is_due(now + Duration::from_secs(5)));
        upkeep.failed(now, Failure::Passing);
        assert_eq!(upkeep.due - now, UPKEEP_AFTER_FAILURE);
        upkeep.done(now, Duration::ZERO);
        upkeep.failed(now, Failure::Lasting);
        assert_eq!(upkeep.due - now, UPKEEP_LONGEST_WAIT);
    }

    #[test]
    fn a_registration_is_refreshed_before_its_end() {
        for (granted, after) in [(3_600, 3_570), (60, 30), (40, 20), (0, 0)] {
            assert_eq!(refresh_after(Duration::from_secs(granted)), Duration::from_secs(after));
        }
    }
}
