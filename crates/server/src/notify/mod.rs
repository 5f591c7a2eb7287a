//! Lanes: the ordered delivery of each call's notices to its bot's webhook (design §5, §6).
//!
//! A lane is fed from memory; when that overflows, or after a restart, it reads the log again. This
//! room must not know: how a call decides, who calls whom, or HTTP's serving side.

mod lane;
mod post;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ringback_core::CallId;
use ringback_ledger::Ledger;

use crate::auth::Auth;
use crate::directory::SharedDirectory;
use crate::engine::{Engine, Hold, LaneOwner, Posted, Tell};
use crate::outbound::Outbound;
use crate::trace::Timeline;
use queue::Queue;

/// What every lane shares.
pub(crate) struct Shared {
    engine: Engine,
    ledger: Arc<dyn Ledger>,
    auth: Arc<Auth>,
    directory: SharedDirectory,
    outbound: Outbound,
    timeline: Timeline,
    lanes: Mutex<HashMap<CallId, Arc<Queue>>>,
}

/// The lanes: a handle, cheap to clone.
#[derive(Clone)]
pub(crate) struct Lanes {
    shared: Arc<Shared>,
}

impl Lanes {
    pub(crate) fn new(
        engine: Engine,
        ledger: Arc<dyn Ledger>,
        auth: Arc<Auth>,
        directory: SharedDirectory,
        outbound: Outbound,
        timeline: Timeline,
    ) -> Self {
        let lanes = Mutex::new(HashMap::new());
        Self { shared: Arc::new(Shared { engine, ledger, auth, directory, outbound, timeline, lanes }) }
    }

    /// How many lanes still have something to tell.
    pub(crate) fn busy(&self) -> usize {
        self.shared.lock().values().filter(|queue| queue.is_busy()).count()
    }

    fn start(&self, owner: LaneOwner, behind: bool) {
        let queue = Arc::new(Queue::new(behind));
        self.shared.lock().insert(owner.call, Arc::clone(&queue));
        tokio::spawn(lane::run(Arc::clone(&self.shared), owner, queue));
    }

    fn with(&self, call: CallId, feed: impl FnOnce(&Queue)) {
        let queue = self.shared.lock().get(&call).cloned();
        if let Some(queue) = queue {
            feed(&queue);
        }
    }
}

impl Shared {
    // The map is changed only by whole inserts and removes, so a poisoned lock is still sound.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<CallId, Arc<Queue>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, call: CallId) {
        self.lock().remove(&call);
    }
}

impl Tell for Lanes {
    fn open(&self, owner: LaneOwner) {
        self.start(owner, false);
    }

    fn reopen(&self, owner: LaneOwner) {
        self.start(owner, true);
    }

    fn hold(&self, call: CallId, hold: Hold) {
        self.with(call, |queue| queue.hold(hold));
    }

    fn tell(&self, call: CallId, posted: Posted) {
        self.with(call, |queue| queue.push(posted));
    }

    fn abandon(&self, call: CallId) {
        self.with(call, Queue::abandon);
    }
}
