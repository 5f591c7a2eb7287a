//! Lanes: the ordered delivery of each call's notices to its bot's webhook (design §5, §6).
//!
//! A lane is fed from memory; when that overflows, or after a restart, it reads the log again. This
//! room must not know: how a call decides, who calls whom, or HTTP's serving side.

mod faults;
mod lane;
mod post;
mod queue;
mod resend;
mod trial;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ringback_core::{AppId, CallId, Now};
use ringback_ledger::Ledger;
use tokio::task::AbortHandle;

use crate::auth::Auth;
use crate::directory::{BadUrl, SharedDirectory};
use crate::engine::{Engine, Hold, LaneOwner, Posted, Tell};
use crate::outbound::{Outbound, Target};
use crate::trace::Trace;
pub(crate) use faults::{Fault, Faults, Kind, TooMany};
use queue::Queue;
pub(crate) use resend::{ResendError, Resent, Which};

/// What every lane shares.
pub(crate) struct Shared {
    engine: Engine,
    ledger: Arc<dyn Ledger>,
    auth: Arc<Auth>,
    directory: SharedDirectory,
    outbound: Outbound,
    trace: Trace,
    lanes: Mutex<HashMap<CallId, Open>>,
    faults: Faults,
}

/// A lane that still has something to tell, or may have.
struct Open {
    queue: Arc<Queue>,
    task: AbortHandle,
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
        trace: Trace,
    ) -> Self {
        let (lanes, faults) = (Mutex::new(HashMap::new()), Faults::default());
        Self { shared: Arc::new(Shared { engine, ledger, auth, directory, outbound, trace, lanes, faults }) }
    }

    /// Faults made on purpose.
    pub(crate) fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// How many lanes still have something to tell.
    pub(crate) fn busy(&self) -> usize {
        self.shared.lock().values().filter(|lane| lane.queue.is_busy()).count()
    }

    /// Since when the notice has waited that has waited longest for its delivery; none waits: `None`. What a lane has
    /// yet to read from the log counts once it is read.
    pub(crate) fn oldest(&self) -> Option<Now> {
        self.shared.lock().values().filter_map(|lane| lane.queue.oldest()).min()
    }

    /// Tells nothing more: what is left is told by whoever opens the ledger next.
    pub(crate) fn stop(&self) {
        for (_, lane) in self.shared.lock().drain() {
            lane.task.abort();
        }
    }

    fn start(&self, owner: LaneOwner, behind: bool) {
        let (call, queue) = (owner.call, Arc::new(Queue::new(behind)));
        // Entered under the lock, so that its end finds it.
        let mut lanes = self.shared.lock();
        let task = tokio::spawn(lane::run(Arc::clone(&self.shared), owner, Arc::clone(&queue))).abort_handle();
        lanes.insert(call, Open { queue, task });
    }

    fn with(&self, call: CallId, feed: impl FnOnce(&Queue)) {
        let queue = self.shared.lock().get(&call).map(|lane| Arc::clone(&lane.queue));
        if let Some(queue) = queue {
            feed(&queue);
        }
    }
}

impl Shared {
    // The map is changed only by whole inserts and removes, so a poisoned lock is still sound.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<CallId, Open>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the operator says that an app's callback leads, if that is elsewhere.
    fn leads(&self, app: &AppId, callback: &Target) -> Result<Option<Target>, BadUrl> {
        let directory = self.directory.current();
        directory.app(app).and_then(|app| app.reach.of_callback(callback.url())).map(Target::of).transpose()
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

    fn catch_up(&self, call: CallId) {
        self.with(call, Queue::fall_behind);
    }

    fn abandon(&self, call: CallId) {
        self.with(call, Queue::abandon);
    }
}
