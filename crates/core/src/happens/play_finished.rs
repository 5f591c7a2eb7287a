//! Playing, or sending tones, ended: the operation ends, and the next one's turn comes in the same record.

use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::OperationId;
use crate::input::PlayOutcome;
use crate::operation::{OperationKind, OperationStatus};
use crate::result::ResultInfo;

pub(crate) fn decide(conversation: &Conversation, operation: OperationId, outcome: PlayOutcome) -> Vec<Event> {
    let Some(call) = conversation.call_running(operation) else { return vec![] };
    let tones = call.running().filter(|running| matches!(running.kind, OperationKind::SendDtmfTones { .. }));
    let (status, result) = match (tones, outcome) {
        (Some(running), PlayOutcome::Failed(why)) => (running.kind.ended_badly(), ResultInfo::tones_failed(&why)),
        (_, outcome) => ended(outcome),
    };
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
