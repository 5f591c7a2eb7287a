//! What one lane has to tell, between the engine that feeds it and the task that delivers it.
//! Bounded: beyond the bound it forgets, and remembers only that it must read the log.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringback_core::Now;
use ringback_ledger::{Cursor, Version};
use tokio::sync::{Notify, oneshot};

use crate::engine::{Hold, Posted};
use crate::limits;

#[derive(Debug, Default)]
struct State {
    posted: VecDeque<Posted>,
    holds: VecDeque<Hold>,
    behind: bool,
    abandoned: bool,
    delivering: bool,
    /// When the notice under delivery was recorded.
    since: Option<Now>,
    came_to: Cursor,
}

/// A lane's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

/// What a lane does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Deliver this.
    Deliver(Box<Posted>),
    /// Memory does not hold what comes next: read the log.
    ReadLog,
    /// Nothing more may be told.
    Stop,
}

impl Queue {
    pub(crate) fn new(behind: bool) -> Self {
        Self { state: Mutex::new(State { behind, delivering: behind, ..State::default() }), changed: Notify::new() }
    }

    pub(crate) fn push(&self, posted: Posted) {
        let mut state = self.lock();
        // Once behind, everything later is read from the log too: memory would only jump the queue.
        if state.behind || state.posted.len() >= limits::LANE {
            state.behind = true;
        } else {
            state.posted.push_back(posted);
        }
        drop(state);
        self.changed.notify_one();
    }

    pub(crate) fn hold(&self, hold: Hold) {
        let mut state = self.lock();
        // The oldest has been released long since, or its time is nearly up.
        if state.holds.len() >= limits::HOLDS {
            state.holds.pop_front();
        }
        state.holds.push_back(hold);
    }

    pub(crate) fn abandon(&self) {
        self.lock().abandoned = true;
        self.changed.notify_one();
    }

    pub(crate) fn is_busy(&self) -> bool {
        let state = self.lock();
        state.delivering || state.behind || !state.posted.is_empty()
    }

    /// When the oldest notice in memory, the one under delivery included, was recorded.
    pub(crate) fn oldest(&self) -> Option<Now> {
        let state = self.lock();
        state.since.or_else(|| state.posted.front().map(|posted| posted.at))
    }

    /// A notice recorded then is being delivered.
    pub(crate) fn begin(&self, at: Now) {
        self.lock().since = Some(at);
    }

    /// The lane is done with everything up to there.
    pub(crate) fn done(&self, cursor: Cursor) {
        let mut state = self.lock();
        state.since = None;
        state.came_to = cursor;
    }

    /// What the lane is done with.
    pub(crate) fn came_to(&self) -> Cursor {
        self.lock().came_to
    }

    /// Waits for what is next after `done`.
    pub(crate) async fn next(&self, done: Cursor) -> Next {
        loop {
            if let Some(next) = self.try_next(done) {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// Something newer than `than` is waiting: an ask that old has been settled.
    pub(crate) async fn newer(&self, than: Cursor) {
        loop {
            {
                let state = self.lock();
                if state.abandoned || state.posted.iter().any(|posted| posted.cursor > than) {
                    // The one permit of the Notify may have been taken from `next`: give it back.
                    self.changed.notify_one();
                    return;
                }
            }
            self.changed.notified().await;
        }
    }

    fn try_next(&self, done: Cursor) -> Option<Next> {
        let mut state = self.lock();
        state.delivering = false;
        if state.abandoned {
            return Some(Next::Stop);
        }
        while let Some(posted) = state.posted.pop_front() {
            // What was read from the log while it was also queued is told once.
            if posted.cursor > done {
                state.delivering = true;
                return Some(Next::Deliver(Box::new(posted)));
            }
        }
        if state.behind {
            // From here on new notices are queued again; the reading that follows sees all before.
            state.behind = false;
            state.delivering = true;
            return Some(Next::ReadLog);
        }
        None
    }

    /// The log holds more than one reading: read again before anything is taken from memory.
    pub(crate) fn still_behind(&self) {
        let mut state = self.lock();
        state.behind = true;
        // Queued notices are later than what is still to be read, and will be read with it.
        state.posted.clear();
    }

    /// Memory may lack something: the log is read before anything more is told.
    pub(crate) fn fall_behind(&self) {
        self.still_behind();
        self.changed.notify_one();
    }

    /// The answers that hold notices of `version`.
    pub(crate) fn holds_of(&self, version: Version) -> Vec<oneshot::Receiver<()>> {
        let mut state = self.lock();
        let mut held = vec![];
        while state.holds.front().is_some_and(|hold| hold.version <= version) {
            held.extend(state.holds.pop_front().map(|hold| hold.released));
        }
        held
    }

    // Each change leaves the state whole, so a poisoned lock is still sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
