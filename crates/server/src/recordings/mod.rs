//! Recordings on disk: written as they come, made whole before they are told, found again after a crash, bounded per app,
//! and forgotten with their calls.
//!
//! It must not know: what a call is, who may read, HTTP, the ledger.

mod file;
mod writer;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ringback_core::{AppId, CallId, OperationId};
use ringback_media::limits::RATE;
use ringback_media::{TapeEnd, TapeIn, wav};

use crate::limits;
use writer::{Open, Writer};

/// Whose recording it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Owner {
    pub(crate) app: AppId,
    pub(crate) call: CallId,
    /// The recording's id.
    pub(crate) operation: OperationId,
}

/// What became of a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    /// How its tape ended, or why the disk did not take it to its end.
    pub(crate) end: Result<TapeEnd, String>,
    /// There is a file of what was recorded until then.
    pub(crate) kept: bool,
}

/// Why a recording does not begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NoRoom {
    /// The app keeps as much as it may.
    #[error("the app's recordings take as much room as they may")]
    App,
    /// Too many are being written.
    #[error("too many recordings are being written")]
    Writer,
}

/// The recordings: a handle, cheap to clone.
#[derive(Clone)]
pub(crate) struct Recordings {
    shared: Arc<Shared>,
    writer: Writer,
}

/// What the handle and the writer share.
struct Shared {
    folder: PathBuf,
    index: Mutex<Index>,
    /// A recording is no longer being written.
    settled: Condvar,
}

#[derive(Default)]
struct Index {
    entries: HashMap<OperationId, Entry>,
    /// Bytes of each app's recordings, those being written at their longest.
    used: HashMap<AppId, u64>,
    /// How many are being written.
    open: usize,
}

#[derive(Clone)]
struct Entry {
    owner: Owner,
    bytes: u64,
    since: SystemTime,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// It is being written.
    Open,
    /// A part of it was left by a process that died, or by a disk that did not let it be made whole.
    Part,
    /// It is whole.
    Whole,
}

impl Recordings {
    /// Finds what is in the folder, makes it if needed, and starts the writer.
    pub(crate) fn open(folder: &Path) -> io::Result<Recordings> {
        file::make_folder(folder)?;
        let mut index = Index::default();
        for found in file::scan(folder)? {
            let state = if found.whole { State::Whole } else { State::Part };
            index.enter(Entry { owner: found.owner, bytes: found.bytes, since: found.since, state });
        }
        let shared = Arc::new(Shared { folder: folder.to_owned(), index: Mutex::new(index), settled: Condvar::new() });
        let writer = Writer::start(Arc::clone(&shared))?;
        Ok(Recordings { shared, writer })
    }

    /// Whether an app that may keep `most` bytes has room for a recording of this length.
    pub(crate) fn has_room(&self, app: &AppId, most: u64, length: Duration) -> bool {
        self.shared.index().used(app) + bytes_of(length) <= most
    }

    /// Begins a recording of at most `length` for an app that may keep `most` bytes. What is put on the tape is written; when
    /// the tape has ended and the file is whole, on disk and under its name, `done` is called, on the writer's thread. Never
    /// blocks.
    pub(crate) fn begin(
        &self,
        owner: Owner,
        most: u64,
        length: Duration,
        done: impl FnOnce(Outcome) + Send + 'static,
    ) -> Result<TapeIn, NoRoom> {
        let bytes = bytes_of(length);
        let mut index = self.shared.index();
        if index.used(&owner.app) + bytes > most {
            return Err(NoRoom::App);
        }
        if index.open >= limits::RECORDINGS {
            return Err(NoRoom::Writer);
        }
        let (tape, out) = ringback_media::tape(self.writer.waker());
        let open = Open::new(owner.clone(), out, Box::new(done));
        if !self.writer.take(open) {
            return Err(NoRoom::Writer);
        }
        index.enter(Entry { owner, bytes, since: SystemTime::now(), state: State::Open });
        Ok(tape)
    }

    /// Of these recordings, those that are whole, once what is being written is written and what an earlier process left of
    /// one is made whole. Blocks, for [`limits::RECOVER`] at most for each that is still being written.
    pub(crate) fn recover(&self, recordings: &[OperationId]) -> Vec<OperationId> {
        let whole = |id: &&OperationId| match self.settled(**id) {
            Some(Entry { state: State::Whole, .. }) => true,
            Some(Entry { state: State::Part, owner, .. }) => self.complete(&owner),
            Some(Entry { state: State::Open, .. }) | None => false,
        };
        recordings.iter().filter(whole).copied().collect()
    }

    /// An entry, once it is not being written any more.
    fn settled(&self, id: OperationId) -> Option<Entry> {
        let open = |index: &mut Index| index.entries.get(&id).is_some_and(|entry| entry.state == State::Open);
        let waited = self.shared.settled.wait_timeout_while(self.shared.index(), limits::RECOVER, open);
        let (index, _) = waited.unwrap_or_else(PoisonError::into_inner);
        index.entries.get(&id).cloned()
    }

    fn complete(&self, owner: &Owner) -> bool {
        let kept = file::complete(&self.shared.folder, owner);
        self.shared.settle(owner, &kept);
        kept.is_ok_and(|bytes| bytes > 0)
    }

    /// A whole recording and its length in bytes. Blocks for as long as the disk takes to open a file.
    pub(crate) fn read(&self, recording: OperationId) -> Option<(File, u64)> {
        let owner = {
            let index = self.shared.index();
            let entry = index.entries.get(&recording).filter(|entry| entry.state == State::Whole)?;
            entry.owner.clone()
        };
        file::read(&self.shared.folder, &owner).ok()
    }

    /// Calls with recordings of at least this age.
    pub(crate) fn old_calls(&self, age: Duration) -> Vec<CallId> {
        let Some(before) = SystemTime::now().checked_sub(age) else { return Vec::new() };
        let index = self.shared.index();
        let old = index.entries.values().filter(|entry| entry.state != State::Open && entry.since <= before);
        let mut calls: Vec<CallId> = old.map(|entry| entry.owner.call).collect();
        calls.sort_unstable();
        calls.dedup();
        calls
    }

    /// Forgets a call's recordings. Blocks for as long as the disk takes.
    pub(crate) fn forget(&self, call: CallId) {
        let of_call = |entry: &&Entry| entry.owner.call == call && entry.state != State::Open;
        let gone: Vec<Owner> =
            self.shared.index().entries.values().filter(of_call).map(|entry| entry.owner.clone()).collect();
        for owner in gone {
            match file::remove(&self.shared.folder, &owner) {
                Ok(()) => drop(self.shared.index().leave(owner.operation)),
                Err(error) => tracing::warn!(recording = %owner.operation, %error, "a recording could not be removed"),
            }
        }
    }
}

impl Shared {
    /// A recording is written, or made whole: so many bytes are kept, or none, and then it is as if it had not been. What
    /// could not be made whole is left as it is, for the operator, until its call is forgotten.
    fn settle(&self, owner: &Owner, kept: &io::Result<u64>) {
        let mut index = self.index();
        let entry = index.leave(owner.operation);
        match kept {
            Ok(0) => {}
            Ok(bytes) => entry.into_iter().for_each(|e| index.enter(Entry { bytes: *bytes, state: State::Whole, ..e })),
            Err(error) => {
                tracing::error!(recording = %owner.operation, %error, "a recording could not be made whole; its part is left");
                entry.into_iter().for_each(|entry| index.enter(Entry { state: State::Part, ..entry }));
            }
        }
        self.settled.notify_all();
    }

    // Changed only by whole inserts and removes, so a poisoned lock is still sound.
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn used(&self, app: &AppId) -> u64 {
        self.used.get(app).copied().unwrap_or(0)
    }

    fn enter(&mut self, entry: Entry) {
        *self.used.entry(entry.owner.app.clone()).or_default() += entry.room();
        self.open += usize::from(entry.state == State::Open);
        self.entries.insert(entry.owner.operation, entry);
    }

    fn leave(&mut self, recording: OperationId) -> Option<Entry> {
        let entry = self.entries.remove(&recording)?;
        self.open -= usize::from(entry.state == State::Open);
        if let Some(used) = self.used.get_mut(&entry.owner.app) {
            *used = used.saturating_sub(entry.room());
            if *used == 0 {
                self.used.remove(&entry.owner.app);
            }
        }
        Some(entry)
    }
}

impl Entry {
    /// What it counts for: a file takes a block at least, so that many small ones are bounded, too.
    fn room(&self) -> u64 {
        self.bytes.max(limits::RECORDING_LEAST)
    }
}

/// Bytes of a recording of this length.
fn bytes_of(length: Duration) -> u64 {
    wav::HEADER_BYTES + length.as_millis() as u64 * u64::from(RATE) / 1_000 * 2
}

#[cfg(test)]
mod tests;
