//! What every store promises. One suite (`tests/all/suite.rs`) holds each store to it.
//!
//! The trait is object safe: the engine holds an `Arc<dyn Ledger>`. Requests never block; each
//! answers with a future ([`Answer`]) and is carried out whether or not that future is awaited.

use ringback_core::{AppId, CallId, ConversationId, Epoch, Now, Record, TenantId};
use thiserror::Error;

use crate::answer::{Answer, Unanswered};

/// How many records a conversation has; the number of its last one. 0: none yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Version(pub u64);

impl Version {
    /// The version after one more record.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A place in a conversation's notices: which record, and which of its notices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Cursor {
    /// The record.
    pub version: Version,
    /// The notice within it; the meaning is the lane's own.
    pub index: u32,
}

/// Where a call is: committed with the record that began it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexRow {
    /// The call.
    pub call: CallId,
    /// Whose call it is.
    pub app: AppId,
    /// The app's tenant.
    pub tenant: TenantId,
}

/// One record to add to a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// Who writes. The epoch that appended last owns the conversation.
    pub epoch: Epoch,
    /// To what.
    pub conversation: ConversationId,
    /// How many records it has; `Version(0)` begins it.
    pub expected: Version,
    /// What became true.
    pub record: Record,
    /// Calls that this record began.
    pub index: Vec<IndexRow>,
    /// Where this record ends the conversation: when.
    pub ended: Option<Now>,
    /// It ends something (an operation, a call, a leg), so it may use the reserved room of a full disk.
    pub terminal: bool,
}

/// A call as found in the index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallRow {
    /// The call.
    pub call: CallId,
    /// Where its events are.
    pub conversation: ConversationId,
    /// Whose call it is.
    pub app: AppId,
    /// The app's tenant.
    pub tenant: TenantId,
    /// When its conversation ended, if it has.
    pub ended: Option<Now>,
}

/// A conversation that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenConversation {
    /// Which.
    pub conversation: ConversationId,
    /// Its last record.
    pub version: Version,
    /// Its owner.
    pub epoch: Epoch,
}

/// A call of an ended conversation whose bot may not have been told everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnfinishedLane {
    /// The call.
    pub call: CallId,
    /// Where its events are.
    pub conversation: ConversationId,
    /// How far its lane came, as last recorded.
    pub cursor: Option<Cursor>,
}

/// A mark: this notice was given up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undelivered {
    /// Whose notice.
    pub call: CallId,
    /// Which one.
    pub at: Cursor,
    /// Why, and whatever else an operator should see.
    pub text: String,
}

/// Something that is not a conversation (design §4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// Its id within its kind.
    pub id: String,
    /// How often it was put.
    pub version: Version,
    /// What it says.
    pub text: String,
}

/// What a store did since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Transactions made durable.
    pub commits: u64,
    /// Appends answered well (a repeat counts again).
    pub records: u64,
    /// Lane marks made durable (cursors put and lanes done, after merging).
    pub marks: u64,
    /// Writes refused because the disk was full.
    pub full: u64,
}

/// Why a record was not added. Nothing of it is recorded, except that after [`Io`](Self::Io) and
/// [`Closed`](Self::Closed) the outcome is unknown: repeat the append, or read back.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AppendError {
    /// Someone else added a record.
    #[error("the conversation is at version {}", found.0)]
    WrongVersion {
        /// Its last record.
        found: Version,
    },
    /// The writer's epoch lost the conversation: hang up its legs and stop its lanes.
    #[error("the conversation belongs to epoch {}", owner.0)]
    WrongEpoch {
        /// The new owner.
        owner: Epoch,
    },
    /// The disk is full.
    #[error("the disk that holds the ledger is full")]
    Full,
    /// The store is closed.
    #[error("the ledger is closed")]
    Closed,
    /// More is waiting than the store takes; try again.
    #[error("the ledger's queue is full")]
    Busy,
    /// The store failed.
    #[error("the ledger failed: {0}")]
    Io(String),
}

/// Why something other than a record was not written.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum WriteError {
    /// The disk is full.
    #[error("the disk that holds the ledger is full")]
    Full,
    /// The store is closed.
    #[error("the ledger is closed")]
    Closed,
    /// More is waiting than the store takes; try again.
    #[error("the ledger's queue is full")]
    Busy,
    /// The store failed.
    #[error("the ledger failed: {0}")]
    Io(String),
}

/// Why a document was not put.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PutError {
    /// Someone else put it.
    #[error("the document is at version {}", found.0)]
    WrongVersion {
        /// Its version; 0: it does not exist.
        found: Version,
    },
    /// The store could not.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why something was not read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ReadError {
    /// A record that this build cannot read: quarantine that one conversation.
    #[error("record {} of conversation {conversation} cannot be read: {why}", version.0)]
    Unreadable {
        /// Whose record.
        conversation: ConversationId,
        /// Which.
        version: Version,
        /// What is wrong with it.
        why: String,
    },
    /// The store is closed.
    #[error("the ledger is closed")]
    Closed,
    /// More is waiting than the store takes; try again.
    #[error("the ledger's reading queue is full")]
    Busy,
    /// The store failed.
    #[error("the ledger failed: {0}")]
    Io(String),
}

impl From<WriteError> for AppendError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Full => Self::Full,
            WriteError::Closed => Self::Closed,
            WriteError::Busy => Self::Busy,
            WriteError::Io(why) => Self::Io(why),
        }
    }
}

impl Unanswered for AppendError {
    fn unanswered() -> Self {
        Self::Closed
    }
}

impl Unanswered for WriteError {
    fn unanswered() -> Self {
        Self::Closed
    }
}

impl Unanswered for PutError {
    fn unanswered() -> Self {
        Self::Write(WriteError::Closed)
    }
}

impl Unanswered for ReadError {
    fn unanswered() -> Self {
        Self::Closed
    }
}

/// The durable log.
///
/// Pages: `at_most` is cut to [`limits::PAGE`](crate::limits::PAGE); an answer shorter than asked
/// for is the last page. Reads see everything answered before they were asked for.
pub trait Ledger: Send + Sync + 'static {
    /// Adds a record; answers once it is durable, with its version (`expected` + 1).
    ///
    /// Checked in this order: a lower epoch than the owner's is refused; a repeat (same
    /// conversation, same `expected`, same record) answers as the first did and changes nothing;
    /// another `expected` than the conversation's version is refused. Record, index rows and
    /// `ended` are durable together or not at all.
    fn append(&self, append: Append) -> Answer<Version, AppendError>;

    /// The records of a conversation after a version, in order; none if there is no such conversation.
    fn read(
        &self,
        conversation: ConversationId,
        after: Version,
        at_most: usize,
    ) -> Answer<Vec<(Version, Record)>, ReadError>;

    /// Where a call is.
    fn call(&self, call: CallId) -> Answer<Option<CallRow>, ReadError>;

    /// An app's calls, open and ended, the last begun first; `before`: the last one of the page before.
    fn calls_of(
        &self,
        app: &AppId,
        tenant: &TenantId,
        before: Option<CallId>,
        at_most: usize,
    ) -> Answer<Vec<CallRow>, ReadError>;

    /// Conversations that have not ended, by id.
    fn open_conversations(
        &self,
        after: Option<ConversationId>,
        at_most: usize,
    ) -> Answer<Vec<OpenConversation>, ReadError>;

    /// Notes how far a call's lane came; a lower cursor than recorded changes nothing. It rides
    /// the next commit, or one of its own [`MARK_DELAY`](crate::limits::MARK_DELAY) later. Nobody
    /// waits for it: one lost in a crash is a notice told twice. Unknown calls are ignored.
    fn cursor_put(&self, call: CallId, cursor: Cursor);

    /// Notes that a call's lane has nothing more to tell; like [`cursor_put`](Self::cursor_put).
    fn lane_done(&self, call: CallId);

    /// How far a call's lane came, as last recorded.
    fn cursor_get(&self, call: CallId) -> Answer<Option<Cursor>, ReadError>;

    /// Calls of ended conversations whose lane is not done, the first begun first.
    fn unfinished_lanes(&self, after: Option<CallId>, at_most: usize) -> Answer<Vec<UnfinishedLane>, ReadError>;

    /// Records that a notice was given up. May be left unawaited. A repeat changes nothing.
    /// Unknown calls are ignored.
    fn note_undelivered(&self, mark: Undelivered) -> Answer<(), WriteError>;

    /// A call's notices that were given up, in order.
    fn undelivered(&self, call: CallId, after: Option<Cursor>, at_most: usize) -> Answer<Vec<Undelivered>, ReadError>;

    /// A node's process starts: a new epoch, higher than any before it in this ledger.
    fn join(&self, node: &str) -> Answer<Epoch, WriteError>;

    /// One document.
    fn document_get(&self, kind: &str, id: &str) -> Answer<Option<Document>, ReadError>;

    /// Puts a document, new with `Version(0)`; answers its new version. A repeat answers as the first did.
    fn document_put_if_version(
        &self,
        kind: &str,
        id: &str,
        expected: Version,
        text: String,
    ) -> Answer<Version, PutError>;

    /// Removes a document of this version; one that does not exist is removed already. Its next put begins with `Version(0)`.
    fn document_remove_if_version(&self, kind: &str, id: &str, expected: Version) -> Answer<(), PutError>;

    /// The documents of a kind, by id.
    fn document_list(&self, kind: &str, after: Option<&str>, at_most: usize) -> Answer<Vec<Document>, ReadError>;

    /// Removes conversations that ended before a moment and whose lanes are all done (so that no
    /// notice is forgotten untold), with all that hangs on them, the longest ended first; answers how many. Ask again until it answers 0: one request removes at most
    /// `at_most`, and stops after [`PURGE_RECORDS`](crate::limits::PURGE_RECORDS) records.
    fn purge(&self, ended_before: Now, at_most: usize) -> Answer<u64, WriteError>;

    /// Answers once everything asked for and noted so far is durable.
    fn flush(&self) -> Answer<(), WriteError>;

    /// Flushes and closes; later requests answer `Closed`. Dropping the last handle does the same.
    fn close(&self) -> Answer<(), WriteError>;

    /// What the store did since it was opened.
    fn stats(&self) -> Stats;
}
