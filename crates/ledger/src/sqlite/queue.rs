//! What waits for the writer: a bounded queue of commands, and the lanes' marks, merged per call.
//!
//! One lock for both, held for a push or a swap only, never across a write.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringback_core::CallId;

use super::command::Command;
use crate::answer::Reply;
use crate::contract::{Cursor, WriteError};
use crate::limits::{BATCH, MARK_DELAY, QUEUE};

/// How far a lane came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LaneMark {
    pub(super) cursor: Option<Cursor>,
    pub(super) done: bool,
}

impl LaneMark {
    fn merge(&mut self, other: Self) {
        self.cursor = self.cursor.max(other.cursor);
        self.done |= other.done;
    }
}

/// One entry a call, so there are never more than calls.
pub(super) type Marks = HashMap<CallId, LaneMark>;

/// What the writer does next.
pub(super) enum Next {
    /// One commit.
    Batch(Vec<Box<dyn Command>>, Marks),
    /// Nothing is left, and the store closes: those who wait for that.
    Close(Vec<Reply<(), WriteError>>),
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    commands: VecDeque<Box<dyn Command>>,
    marks: Marks,
    /// When the marks are written at the latest.
    marks_due: Option<Instant>,
    closed: bool,
    closers: Vec<Reply<(), WriteError>>,
    asleep: bool,
}

impl Queue {
    /// Adds a command, or answers it at once with why not.
    pub(super) fn push(&self, mut command: Box<dyn Command>) {
        let mut state = self.lock();
        let refusal = if state.closed {
            WriteError::Closed
        } else if state.commands.len() >= QUEUE {
            WriteError::Busy
        } else {
            state.commands.push_back(command);
            return self.wake(state);
        };
        drop(state);
        command.fail(refusal);
        command.settle();
    }

    /// Merges a mark into those that wait. Dropped when closed: nobody waits for it.
    pub(super) fn note(&self, call: CallId, mark: LaneMark) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.marks.entry(call).or_default().merge(mark);
        if state.marks_due.is_none() {
            state.marks_due = Some(Instant::now() + MARK_DELAY);
            self.wake(state);
        }
    }

    /// Takes marks back that could not be written; they are tried again after `delay`.
    pub(super) fn give_back(&self, marks: Marks, delay: Duration) {
        let mut state = self.lock();
        for (call, mark) in marks {
            state.marks.entry(call).or_default().merge(mark);
        }
        state.marks_due = Some(Instant::now() + delay);
    }

    /// Takes nothing more; what waits is still written, and then `reply` is answered.
    pub(super) fn close(&self, reply: Option<Reply<(), WriteError>>) {
        let mut state = self.lock();
        if state.closed && state.closers.is_empty() {
            // The writer has gone; a dropped reply answers `Closed`.
            return;
        }
        state.closed = true;
        state.closers.extend(reply);
        self.wake(state);
    }

    /// The writer's thread ends, in whatever way: all who wait are answered `Closed`.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        let (commands, closers) = (std::mem::take(&mut state.commands), std::mem::take(&mut state.closers));
        drop(state);
        drop((commands, closers));
    }

    /// Waits for work.
    pub(super) fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let due = state.marks_due.is_some_and(|due| due <= now);
            if !state.commands.is_empty() || due || (state.closed && !state.marks.is_empty()) {
                let count = state.commands.len().min(BATCH);
                let commands = state.commands.drain(..count).collect();
                state.marks_due = None;
                return Next::Batch(commands, std::mem::take(&mut state.marks));
            }
            if state.closed {
                return Next::Close(std::mem::take(&mut state.closers));
            }
            state.asleep = true;
            state = match state.marks_due {
                Some(due) => {
                    let woken = self.wake.wait_timeout(state, due.duration_since(now));
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.asleep = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is one step that cannot panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.wake.notify_one();
        }
    }
}
