//! Playing ended: the operation ends, and the next one's turn comes in the same record.

use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::OperationId;
use crate::input::PlayOutcome;
use crate::operation::OperationStatus;
use crate::result::ResultInfo;

pub(crate) fn decide(conversation: &Conversation, operation: OperationId, outcome: PlayOutcome) -> Vec<Event> {
    let Some(call) = conversation.call_running(operation) else { return vec![] };
    let (status, result) = ended(outcome);
    conversation.end_running(call, operation, status, result)
}

/// How an operation ends.
pub(super) fn ended(outcome: PlayOutcome) -> (OperationStatus, ResultInfo) {
    match outcome {
        PlayOutcome::Played => (OperationStatus::Completed, ResultInfo::success()),
        PlayOutcome::Invalid(why) => (OperationStatus::Failed, ResultInfo::prompt_invalid(&why)),
        PlayOutcome::Unavailable(why) => (OperationStatus::Failed, ResultInfo::prompt_unavailable(&why)),
        PlayOutcome::Failed(why) => (OperationStatus::Failed, ResultInfo::prompt_failed(&why)),
    }
}
