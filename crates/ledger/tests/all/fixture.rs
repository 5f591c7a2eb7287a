//! What the tests write, and the stores they write it to.

use std::future::Future;

use ringback_core::{AppId, CallId, ConversationId, Epoch, Event, Now, Record, TenantId, Tone};
use ringback_ledger::{Append, Cursor, IndexRow, Ledger, MemoryLedger, OpenError, SqliteConfig, SqliteLedger, Version};
use tempfile::TempDir;
use uuid::Uuid;

/// Runs a test's future.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// A store under test, that can be closed and opened again.
pub(crate) enum Store {
    Memory(MemoryLedger),
    Sqlite(Option<SqliteLedger>, TempDir),
}

impl Store {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryLedger::new())
    }

    pub(crate) fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        Self::Sqlite(Some(open(&folder).unwrap()), folder)
    }

    pub(crate) fn ledger(&self) -> &dyn Ledger {
        match self {
            Self::Memory(ledger) => ledger,
            Self::Sqlite(ledger, _) => ledger.as_ref().unwrap(),
        }
    }

    /// Drops the store, without a word, and opens it again.
    pub(crate) fn reopen(self) -> Self {
        match self {
            Self::Memory(ledger) => Self::Memory(ledger.restart()),
            Self::Sqlite(ledger, folder) => {
                drop(ledger);
                Self::Sqlite(Some(open(&folder).unwrap()), folder)
            }
        }
    }
}

/// The settings of a test: a small reserve, so that a folder costs little.
pub(crate) fn config(folder: &TempDir) -> SqliteConfig {
    SqliteConfig { reserve_bytes: 256 * 1024, ..SqliteConfig::new(folder.path()) }
}

pub(crate) fn open(folder: &TempDir) -> Result<SqliteLedger, OpenError> {
    SqliteLedger::open(&config(folder))
}

pub(crate) fn conversation(number: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(number))
}

pub(crate) fn call(number: u128) -> CallId {
    CallId(Uuid::from_u128(number))
}

pub(crate) fn app(name: &str) -> AppId {
    AppId::new(name)
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name)
}

pub(crate) fn at(version: u64, index: u32) -> Cursor {
    Cursor { version: Version(version), index }
}

/// A record that no other sequence number makes.
pub(crate) fn record(sequence: i64) -> Record {
    Record::new(Now(1_000_000 + sequence), vec![Event::ToneHeard { call: call(1), sequence, tone: Tone::Tone5 }])
}

/// The `sequence`th record of a conversation, by epoch 1; the first one is sequence 1.
pub(crate) fn append(conversation: ConversationId, sequence: u64) -> Append {
    Append {
        epoch: Epoch(1),
        conversation,
        expected: Version(sequence - 1),
        record: record(i64::try_from(sequence).unwrap()),
        index: Vec::new(),
        ended: None,
        terminal: false,
    }
}

/// The first record of a conversation, with one call in it.
pub(crate) fn begin(conversation: ConversationId, call: CallId) -> Append {
    let index = vec![IndexRow { call, app: app("app"), tenant: tenant("tenant") }];
    Append { index, ..append(conversation, 1) }
}
