//! What the engine answers: copies of state, cut at the moment of the answer.

use ringback_core::{Call, ConversationId, Identity, LegPhase, Operation, ParticipantId, Refusal};
use thiserror::Error;
use tokio::sync::oneshot;

/// A call as it stands; its operations are left out (they are listed on their own).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallView {
    /// Graph's `callChainId`.
    pub conversation: ConversationId,
    /// The call.
    pub call: Call,
    /// Its leg, for the operator.
    pub leg: LegPhase,
    /// Everyone in the conversation.
    pub roster: Vec<(ParticipantId, Identity)>,
}

/// What became of a verb.
#[derive(Debug)]
pub struct Done {
    /// The operation, where the verb answers with one.
    pub operation: Option<Operation>,
    /// The call, where the verb answers with it.
    pub call: Option<CallView>,
    /// Drop this when the answer's last byte was handed to its connection: until then the call's
    /// lane waits.
    pub hold: Option<oneshot::Sender<()>>,
}

/// Why the engine did not do what was asked. Nothing happened, unless the text says otherwise.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The contract refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A queue or a table is full; try again.
    #[error("{0} is full")]
    Busy(&'static str),
    /// The app has as many calls as it may.
    #[error("the app has {0} calls, which is as many as it may have at once")]
    TooManyCalls(usize),
    /// A bot is in the meeting already.
    #[error("a bot is in this meeting already, and one is all that a meeting takes so far: hang up its call first")]
    MeetingTaken,
    /// No bot is in the meeting.
    #[error("no bot is in the meeting")]
    NobodyThere,
    /// The disk is full.
    #[error("the disk is full")]
    StorageFull,
    /// Stopping, or the conversation was given up.
    #[error("the server is stopping")]
    Stopping,
    /// The ledger failed; the text is for the operator.
    #[error("the ledger failed: {0}")]
    Ledger(String),
}
