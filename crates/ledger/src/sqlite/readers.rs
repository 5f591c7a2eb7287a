//! A few threads that read, each with a connection that cannot write.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use rusqlite::{Connection, OpenFlags};

use super::OpenError;
use crate::answer::Answer;
use crate::contract::ReadError;
use crate::limits::{LOCK_WAIT, READ_QUEUE};

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// See the file's head.
pub(super) struct Readers {
    /// None once closed.
    queue: Mutex<Option<SyncSender<Read>>>,
}

impl Readers {
    pub(super) fn start(database: &Path, threads: usize) -> Result<Self, OpenError> {
        let (queue, reads) = sync_channel(READ_QUEUE);
        let reads = Arc::new(Mutex::new(reads));
        for number in 0..threads.max(1) {
            let connection = connect(database)?;
            let reads = Arc::clone(&reads);
            let name = format!("ledger-read-{number}");
            thread::Builder::new().name(name).spawn(move || run(&connection, &reads)).map_err(OpenError::Thread)?;
        }
        Ok(Self { queue: Mutex::new(Some(queue)) })
    }

    /// Reads on one of the threads.
    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    ) -> Answer<T, ReadError> {
        let (reply, answer) = Answer::later();
        let read: Read = Box::new(move |connection| {
            // Whoever asked may not wait any more.
            let _ = reply.send(read(connection));
        });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return Answer::ready(Err(ReadError::Closed)) };
        match queue.try_send(read) {
            Ok(()) => answer,
            Err(TrySendError::Full(_)) => Answer::ready(Err(ReadError::Busy)),
            Err(TrySendError::Disconnected(_)) => Answer::ready(Err(ReadError::Closed)),
        }
    }

    /// Takes nothing more; the threads end when they have answered what waits.
    pub(super) fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn connect(database: &Path) -> rusqlite::Result<Connection> {
    // Not SQLITE_OPEN_READ_ONLY: a reader of a write-ahead log writes to its index.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(LOCK_WAIT)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn run(connection: &Connection, reads: &Mutex<Receiver<Read>>) {
    loop {
        let read = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match read {
            Ok(read) => read(connection),
            Err(_) => return,
        }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(io::Error::other(error))
    }
}
