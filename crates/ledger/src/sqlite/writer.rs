//! The one thread that writes: group commit.
//!
//! It takes what waits, applies it in one transaction, commits (one sync to the disk), and only
//! then answers. While it commits, the next batch gathers: the busier, the larger the batches.
//! Checkpoints happen here too, between batches, so that nothing else ever writes to the file.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rusqlite::Connection;

use super::command::Command;
use super::fault::Fault;
use super::queue::{Marks, Next, Queue};
use super::room::Room;
use super::tables::Tables;
use crate::contract::{Stats, WriteError};
use crate::limits::{GATHER, GATHER_FROM, ROOM_PROBE, WAL_PAGES};

/// What the writer did, to be read by others.
#[derive(Default)]
pub(super) struct Counters {
    commits: AtomicU64,
    records: AtomicU64,
    marks: AtomicU64,
    full: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> Stats {
        Stats {
            commits: self.commits.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
            marks: self.marks.load(Ordering::Relaxed),
            full: self.full.load(Ordering::Relaxed),
        }
    }
}

/// See the file's head.
pub(super) struct Writer {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    tables: Tables,
    room: Room,
    /// Pages in the write-ahead log, as the last commit left it.
    wal_pages: Arc<AtomicU32>,
    /// Held until the store is closed.
    lock: File,
}

/// How a batch is applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One after the other; the first that fails takes all with it.
    Together,
    /// Each in a savepoint of its own, so that it fails alone: the second try.
    EachAlone,
}

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        room: Room,
        queue: Arc<Queue>,
        counters: Arc<Counters>,
        lock: File,
    ) -> rusqlite::Result<Self> {
        let wal_pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&wal_pages);
        // Takes the place of SQLite's own automatic checkpoint, which would delay the answers.
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { queue, counters, tables: Tables::new(connection), room, wal_pages, lock })
    }

    /// Until the store is closed.
    pub(super) fn run(mut self) {
        /// However the thread ends, nobody waits for it in vain.
        struct Ends(Arc<Queue>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.abandon();
            }
        }
        let _ends = Ends(Arc::clone(&self.queue));
        let closers = loop {
            match self.queue.next() {
                Next::Batch(commands, marks) => {
                    let busy = commands.len() >= GATHER_FROM;
                    self.write(commands, marks);
                    if busy {
                        std::thread::sleep(GATHER);
                    }
                }
                Next::Close(closers) => break closers,
            }
            if self.wal_pages.load(Ordering::Relaxed) > WAL_PAGES {
                self.checkpoint("PASSIVE");
            }
        };
        self.checkpoint("TRUNCATE");
        let Self { tables, lock, .. } = self;
        drop(tables);
        drop(lock);
        for closer in closers {
            let _ = closer.send(Ok(()));
        }
    }

    /// One batch: durable, then answered.
    fn write(&mut self, mut commands: Vec<Box<dyn Command>>, marks: Marks) {
        self.room.look(&self.tables.connection);
        if self.room.is_tight() {
            commands = self.refuse(commands);
        }
        let mut outcome = self.attempt(&mut commands, &marks, Mode::Together);
        if outcome == Err(Fault::Full) && self.room.give_up(&self.tables.connection) {
            commands = self.refuse(commands);
            outcome = self.attempt(&mut commands, &marks, Mode::Together);
        }
        if matches!(outcome, Err(Fault::Other(_))) {
            outcome = self.attempt(&mut commands, &marks, Mode::EachAlone);
        }
        match outcome {
            Ok(()) => {
                let records = commands.iter().map(|command| command.records()).sum();
                self.counters.commits.fetch_add(1, Ordering::Relaxed);
                self.counters.records.fetch_add(records, Ordering::Relaxed);
                self.counters.marks.fetch_add(marks.len() as u64, Ordering::Relaxed);
            }
            Err(fault) => {
                let error = WriteError::from(fault);
                tracing::error!(%error, commands = commands.len(), "a commit failed");
                if !marks.is_empty() {
                    self.queue.give_back(marks, ROOM_PROBE);
                }
                for command in &mut commands {
                    command.fail(error.clone());
                }
            }
        }
        for command in commands {
            command.settle();
        }
    }

    /// The disk is full: answers those that may not use the reserve, and leaves the others.
    fn refuse(&self, commands: Vec<Box<dyn Command>>) -> Vec<Box<dyn Command>> {
        let (allowed, refused): (Vec<_>, Vec<_>) = commands.into_iter().partition(|command| command.may_use_reserve());
        self.counters.full.fetch_add(refused.len() as u64, Ordering::Relaxed);
        for mut command in refused {
            command.fail(WriteError::Full);
            command.settle();
        }
        allowed
    }

    /// One transaction, taken back as a whole if it fails.
    fn attempt(&mut self, commands: &mut [Box<dyn Command>], marks: &Marks, mode: Mode) -> Result<(), Fault> {
        self.transact(commands, marks, mode).map_err(|error| {
            let fault = Fault::of(&error);
            if fault == Fault::NotDurable {
                tracing::error!(%error, "a sync to the disk failed: stopping, so that a new start reads what is there");
                std::process::abort();
            }
            if let Err(error) = self.tables.roll_back() {
                // Without this the next transaction could not begin, nor this one ever end.
                tracing::error!(%error, "a failed transaction cannot be taken back: stopping");
                std::process::abort();
            }
            fault
        })
    }

    fn transact(&mut self, commands: &mut [Box<dyn Command>], marks: &Marks, mode: Mode) -> rusqlite::Result<()> {
        self.tables.begin()?;
        for command in commands {
            match mode {
                Mode::Together => command.apply(&mut self.tables)?,
                Mode::EachAlone => {
                    if let Err(error) = self.tables.alone(|tables| command.apply(tables))? {
                        command.fail(Fault::of(&error).into());
                    }
                }
            }
        }
        if !marks.is_empty() {
            self.tables.mark(marks)?;
        }
        self.tables.commit()
    }

    /// Copies the write-ahead log into the database; the log is then written from its beginning.
    fn checkpoint(&mut self, how: &str) {
        let sql = format!("PRAGMA wal_checkpoint({how})");
        let outcome = self.tables.connection.query_row(&sql, (), |_| Ok(()));
        let Err(error) = outcome else { return };
        match Fault::of(&error) {
            Fault::NotDurable => {
                tracing::error!(%error, "a sync to the disk failed: stopping, so that a new start reads what is there");
                std::process::abort();
            }
            Fault::Full => {
                self.room.give_up(&self.tables.connection);
            }
            Fault::Other(error) => tracing::warn!(%error, "a checkpoint failed; the next one may not"),
        }
    }
}
