//! The embedded store: one SQLite file in WAL mode, synced with every commit.
//!
//! One thread writes, in group commits ([`writer`]); a few read ([`readers`]). Anyone can open
//! `ringback.db` with an SQLite tool ([`schema`]). A lock file keeps a second process out.

mod command;
mod fault;
mod queue;
mod readers;
mod reads;
mod room;
mod schema;
mod tables;
mod writer;
mod writes;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use ringback_core::{AppId, CallId, ConversationId, Epoch, Now, Record, TenantId};
use rusqlite::{Connection, OpenFlags};
use thiserror::Error;

use self::command::{Request, command};
use self::queue::{LaneMark, Queue};
use self::readers::Readers;
use self::room::Room;
use self::writer::{Counters, Writer};
use crate::answer::Answer;
use crate::contract::{
    Append, AppendError, CallRow, Cursor, Document, Ledger, OpenConversation, PutError, ReadError, Stats, Undelivered,
    UnfinishedLane, Version, WriteError,
};
use crate::form;
use crate::limits::{LOCK_WAIT, READERS, RESERVE_BYTES};

/// The database's file.
const DATABASE: &str = "ringback.db";
/// Locked while a process has the store open.
const LOCK: &str = "ringback.lock";
/// Room to give up when the disk is full.
const RESERVE: &str = "ringback.reserve";

/// Where and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SqliteConfig {
    /// The data folder; made if it is not there.
    pub folder: PathBuf,
    /// Room kept for a full disk, in bytes.
    pub reserve_bytes: u64,
    /// A bound for the database file, the reserve included; none: the disk's.
    pub max_bytes: Option<u64>,
}

impl SqliteConfig {
    /// The usual store in a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), reserve_bytes: RESERVE_BYTES, max_bytes: None }
    }
}

/// Why a store was not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be used.
    #[error("{} cannot be used: {source}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A newer Ringback wrote it. Nothing was changed.
    #[error(
        "the ledger was written by a newer version (its layout is {found}, this build knows up to {known}); use that version, or another data folder"
    )]
    Newer {
        /// Its layout.
        found: i64,
        /// The newest that this build knows.
        known: usize,
    },
    /// Not a ledger. Nothing was changed.
    #[error("{DATABASE} is an SQLite file, but not a Ringback ledger; use another data folder")]
    Foreign,
    /// SQLite refused.
    #[error("the ledger cannot be opened: {0}")]
    Database(io::Error),
    /// A thread could not be started.
    #[error("the ledger's threads cannot be started: {0}")]
    Thread(io::Error),
}

/// See the file's head.
pub struct SqliteLedger {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    readers: Readers,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLedger").field("stats", &self.counters.read()).finish_non_exhaustive()
    }
}

impl SqliteLedger {
    /// Opens the ledger in a folder, or begins one. Blocks for some milliseconds.
    pub fn open(config: &SqliteConfig) -> Result<Self, OpenError> {
        let path_error = |path: &Path, source| OpenError::Path { path: path.to_owned(), source };
        fs::create_dir_all(&config.folder).map_err(|error| path_error(&config.folder, error))?;
        let lock_path = config.folder.join(LOCK);
        let lock = private_file(&lock_path).map_err(|error| path_error(&lock_path, error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse(config.folder.clone()),
            TryLockError::Error(error) => path_error(&lock_path, error),
        })?;
        let database = config.folder.join(DATABASE);
        private_file(&database).map_err(|error| path_error(&database, error))?;

        let connection = connect(&database)?;
        let room = Room::new(config.folder.join(RESERVE), config.reserve_bytes, config.max_bytes, &connection);
        let readers = Readers::start(&database, READERS)?;
        let (queue, counters) = (Arc::new(Queue::default()), Arc::new(Counters::default()));
        let writer = Writer::new(connection, room, Arc::clone(&queue), Arc::clone(&counters), lock)?;
        let writer = thread::Builder::new().name("ledger-write".to_owned()).spawn(move || writer.run());
        let writer = Mutex::new(Some(writer.map_err(OpenError::Thread)?));
        Ok(Self { queue, counters, readers, writer })
    }

    fn write<R: Request>(&self, request: R) -> Answer<R::Answer, R::Refusal> {
        let (command, answer) = command(request);
        self.queue.push(command);
        answer
    }
}

/// A file that only its owner reads: it holds telephone numbers.
fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The writing connection.
fn connect(database: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(LOCK_WAIT)?;
    // Statements of ours, all of them.
    connection.set_prepared_statement_cache_capacity(64);
    connection.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    schema::prepare(&mut connection)?;
    Ok(connection)
}

impl Drop for SqliteLedger {
    fn drop(&mut self) {
        self.readers.close();
        self.queue.close(None);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has said so; its commands were answered `Closed`.
            let _ = writer.join();
        }
    }
}

impl Ledger for SqliteLedger {
    fn append(&self, append: Append) -> Answer<Version, AppendError> {
        // Printed here, not on the writer's thread, which is the one that everybody waits for.
        match form::print(&append.record) {
            Ok(text) => self.write(writes::AppendText {
                epoch: append.epoch,
                conversation: append.conversation,
                expected: append.expected,
                text,
                index: append.index,
                ended: append.ended,
                terminal: append.terminal,
            }),
            Err(why) => Answer::ready(Err(AppendError::Io(why))),
        }
    }

    fn read(
        &self,
        conversation: ConversationId,
        after: Version,
        at_most: usize,
    ) -> Answer<Vec<(Version, Record)>, ReadError> {
        self.readers.read(move |database| reads::records(database, conversation, after, at_most))
    }

    fn call(&self, call: CallId) -> Answer<Option<CallRow>, ReadError> {
        self.readers.read(move |database| reads::call(database, call))
    }

    fn calls_of(
        &self,
        app: &AppId,
        tenant: &TenantId,
        before: Option<CallId>,
        at_most: usize,
    ) -> Answer<Vec<CallRow>, ReadError> {
        let (app, tenant) = (app.clone(), tenant.clone());
        self.readers.read(move |database| reads::calls_of(database, &app, &tenant, before, at_most))
    }

    fn open_conversations(
        &self,
        after: Option<ConversationId>,
        at_most: usize,
    ) -> Answer<Vec<OpenConversation>, ReadError> {
        self.readers.read(move |database| reads::open_conversations(database, after, at_most))
    }

    fn cursor_put(&self, call: CallId, cursor: Cursor) {
        self.queue.note(call, LaneMark { cursor: Some(cursor), done: false });
    }

    fn lane_done(&self, call: CallId) {
        self.queue.note(call, LaneMark { cursor: None, done: true });
    }

    fn cursor_get(&self, call: CallId) -> Answer<Option<Cursor>, ReadError> {
        self.readers.read(move |database| reads::cursor_of(database, call))
    }

    fn unfinished_lanes(&self, after: Option<CallId>, at_most: usize) -> Answer<Vec<UnfinishedLane>, ReadError> {
        self.readers.read(move |database| reads::unfinished_lanes(database, after, at_most))
    }

    fn note_undelivered(&self, mark: Undelivered) -> Answer<(), WriteError> {
        self.write(writes::GiveUp(mark))
    }

    fn undelivered(&self, call: CallId, after: Option<Cursor>, at_most: usize) -> Answer<Vec<Undelivered>, ReadError> {
        self.readers.read(move |database| reads::undelivered(database, call, after, at_most))
    }

    fn join(&self, node: &str) -> Answer<Epoch, WriteError> {
        self.write(writes::Join(node.to_owned()))
    }

    fn document_get(&self, kind: &str, id: &str) -> Answer<Option<Document>, ReadError> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.readers.read(move |database| reads::document(database, &kind, &id))
    }

    fn document_put_if_version(
        &self,
        kind: &str,
        id: &str,
        expected: Version,
        text: String,
    ) -> Answer<Version, PutError> {
        self.write(writes::Put { kind: kind.to_owned(), id: id.to_owned(), expected, text })
    }

    fn document_remove_if_version(&self, kind: &str, id: &str, expected: Version) -> Answer<(), PutError> {
        self.write(writes::Remove { kind: kind.to_owned(), id: id.to_owned(), expected })
    }

    fn document_list(&self, kind: &str, after: Option<&str>, at_most: usize) -> Answer<Vec<Document>, ReadError> {
        let (kind, after) = (kind.to_owned(), after.map(str::to_owned));
        self.readers.read(move |database| reads::documents(database, &kind, after.as_deref(), at_most))
    }

    fn purge(&self, ended_before: Now, at_most: usize) -> Answer<u64, WriteError> {
        self.write(writes::Purge { ended_before, at_most })
    }

    fn flush(&self) -> Answer<(), WriteError> {
        self.write(writes::Flush)
    }

    fn close(&self) -> Answer<(), WriteError> {
        self.readers.close();
        let (reply, answer) = Answer::later();
        self.queue.close(Some(reply));
        answer
    }

    fn stats(&self) -> Stats {
        self.counters.read()
    }
}
