//! A conversation's mailbox: verbs, which may be refused when it is full, and happenings, which may
//! not be lost (only keys give way).

use ringback_core::{CallId, Input, Operation, OperationId};
use tokio::sync::{mpsc, oneshot};

use super::{CallView, Done, EngineError, Inbox};
use crate::limits;

/// Something asked of a conversation.
pub(crate) enum Message {
    /// Decide, record, answer.
    Verb {
        /// What.
        input: Box<Input>,
        /// The answer.
        reply: oneshot::Sender<Result<Done, EngineError>>,
    },
    /// Look at a call.
    View {
        /// Which.
        call: CallId,
        /// The answer.
        reply: oneshot::Sender<Result<CallView, EngineError>>,
    },
    /// Look at an operation that may still be in memory.
    Operation {
        /// Of which call.
        call: CallId,
        /// Which.
        operation: OperationId,
        /// The answer.
        reply: oneshot::Sender<Option<Operation>>,
    },
}

/// The way in.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    verbs: mpsc::Sender<Message>,
    happenings: mpsc::Sender<Input>,
}

/// A mailbox and its other end.
pub(crate) fn open() -> (Mailbox, Inbox) {
    let (verbs, verb_inbox) = mpsc::channel(limits::MAILBOX);
    let (happenings, happening_inbox) = mpsc::channel(limits::HAPPENINGS);
    (Mailbox { verbs, happenings }, (verb_inbox, happening_inbox))
}

impl Mailbox {
    /// Asks, or says that the mailbox is full.
    pub(crate) fn verb(&self, message: Message) -> Result<(), EngineError> {
        self.verbs.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => EngineError::Busy("the call's mailbox"),
            // The conversation ended between the look-up and now.
            mpsc::error::TrySendError::Closed(_) => EngineError::Refused(ringback_core::Refusal::CallNotFound),
        })
    }

    /// Asks, waiting for a place.
    pub(crate) async fn verb_waiting(&self, message: Message) -> Result<(), EngineError> {
        self.verbs.send(message).await.map_err(|_| EngineError::Stopping)
    }

    /// Tells. Never blocks. Keys give way early, so that everything else finds room.
    pub(crate) fn happening(&self, input: Input) {
        let key = matches!(input, Input::ToneHeard { .. });
        if key && self.happenings.capacity() <= limits::HAPPENINGS_KEPT {
            tracing::warn!("a key was dropped: the conversation has too many waiting");
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = self.happenings.try_send(input) {
            tracing::error!("a happening was lost: the conversation's mailbox is full");
        }
    }
}
