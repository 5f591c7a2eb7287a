//! The durable log: one contract ([`Ledger`]), its stores, and what they share.
//!
//! What is here is recorded or it did not happen: an answered append survives `kill -9` and power
//! loss one instant later. Stores: [`MemoryLedger`] for tests and simulation, with crash points,
//! and [`SqliteLedger`], the embedded default.
//!
//! This room must not know: what events mean (it reads none of them), HTTP, legs, media, or the
//! clock. It stores records, says who owns a conversation, and finds conversations again.
#![forbid(unsafe_code)]

mod answer;
mod contract;
mod form;
pub mod limits;
mod memory;
pub mod raw_limit;
mod sqlite;

pub use answer::{Answer, Unanswered};
pub use contract::{
    Append, AppendError, CallRow, Cursor, Document, IndexRow, Ledger, OpenConversation, PutError, ReadError, Stats,
    Undelivered, UnfinishedLane, Version, WriteError,
};
pub use memory::MemoryLedger;
pub use sqlite::{OpenError, SqliteConfig, SqliteLedger};
