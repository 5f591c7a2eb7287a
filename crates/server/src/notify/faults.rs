//! Faults of the network between the lanes and a bot, made on purpose so that a test sees whether the bot stands them:
//! notices that come late, not at all, twice or out of order. Bounded, in memory, gone after so many notices.
//!
//! A fault bends how a notice travels, not what is recorded of it: a lost one is recorded as undelivered and shown, and a
//! cursor moves only past what was told or given up (design promise 4).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringback_core::{AppId, CallId};
use uuid::Uuid;

use crate::engine::LaneOwner;
use crate::limits;

/// What happens to a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It comes so much later, and with it those behind it.
    Delay(Duration),
    /// It never comes.
    Drop,
    /// It comes again once the bot has it.
    Duplicate,
    /// It comes after the next one. Not an incoming call, for which nothing comes next, nor a call's last.
    Swap,
}

/// A fault that waits for its notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// By which it is taken back.
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    /// Only of this app's calls.
    pub(crate) app: Option<AppId>,
    /// Only of this call.
    pub(crate) call: Option<CallId>,
    /// How many notices it still meets, at least 1.
    pub(crate) next: u32,
}

/// As many faults wait as may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// All faults that wait, the first made first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) -> Result<(), TooMany> {
        let mut faults = self.lock();
        if faults.len() >= limits::FAULTS {
            return Err(TooMany);
        }
        faults.push(fault);
        Ok(())
    }

    pub(crate) fn all(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// Takes one back, if it still waits.
    pub(crate) fn remove(&self, id: Uuid) -> bool {
        self.lock().extract_if(.., |fault| fault.id == id).next().is_some()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// What happens to the next notice of a call.
    pub(super) fn take(&self, owner: &LaneOwner, may_swap: bool) -> Option<Kind> {
        let mut faults = self.lock();
        let place = faults.iter().position(|fault| {
            fault.app.as_ref().is_none_or(|app| *app == owner.app)
                && fault.call.is_none_or(|call| call == owner.call)
                && (may_swap || fault.kind != Kind::Swap)
        })?;
        let fault = &mut faults[place];
        let kind = fault.kind;
        fault.next = fault.next.saturating_sub(1);
        if fault.next == 0 {
            faults.remove(place);
        }
        Some(kind)
    }

    // Each change leaves the list whole, so a poisoned lock is still sound.
    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_core::{ConversationId, TenantId};

    fn owner(app: &str, call: u128) -> LaneOwner {
        LaneOwner {
            call: CallId(Uuid::from_u128(call)),
            conversation: ConversationId(Uuid::nil()),
            app: AppId::new(app),
            tenant: TenantId::new("t"),
        }
    }

    #[test]
    fn a_fault_meets_whom_it_is_for_and_so_many() {
        let faults = Faults::default();
        let fault = |kind, app: Option<&str>, call: Option<u128>, next| Fault {
            id: Uuid::now_v7(),
            kind,
            app: app.map(AppId::new),
            call: call.map(|call| CallId(Uuid::from_u128(call))),
            next,
        };
        faults.add(fault(Kind::Swap, None, None, 1)).unwrap();
        faults.add(fault(Kind::Drop, Some("a"), None, 2)).unwrap();
        faults.add(fault(Kind::Duplicate, None, Some(7), 1)).unwrap();
        assert_eq!(faults.take(&owner("b", 1), false), None);
        assert_eq!(faults.take(&owner("b", 7), false), Some(Kind::Duplicate));
        assert_eq!(faults.take(&owner("a", 1), false), Some(Kind::Drop));
        assert_eq!(faults.take(&owner("a", 1), true), Some(Kind::Swap), "the first made is the first met");
        assert_eq!(faults.take(&owner("a", 1), true), Some(Kind::Drop));
        assert_eq!((faults.take(&owner("a", 1), true), faults.all()), (None, vec![]));
    }

    #[test]
    fn they_are_bounded() {
        let faults = Faults::default();
        let fault = Fault { id: Uuid::now_v7(), kind: Kind::Drop, app: None, call: None, next: 1 };
        for _ in 0..limits::FAULTS {
            faults.add(fault.clone()).unwrap();
        }
        assert_eq!(faults.add(fault), Err(TooMany));
        faults.clear();
        assert_eq!(faults.all(), []);
    }
}
