//! Recording ended: the operation ends, and the next one's turn comes in the same record; or, where the call only waited
//! for it, every operation and the call end with it.

use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::happens::play_finished;
use crate::ids::OperationId;
use crate::input::RecordOutcome;
use crate::operation::OperationStatus;
use crate::result::ResultInfo;

pub(crate) fn decide(conversation: &Conversation, operation: OperationId, outcome: RecordOutcome) -> Vec<Event> {
    let Some(call) = conversation.call_running(operation) else { return Vec::new() };
    let (status, result) = ended(outcome);
    conversation.end_running(call, operation, status, result)
}

/// How an operation ends: `completed` where there is a recording, and only then.
fn ended(outcome: RecordOutcome) -> (OperationStatus, ResultInfo) {
    use OperationStatus::{Completed, Failed};
    match outcome {
        RecordOutcome::StopTone => (Completed, ResultInfo::stop_tone()),
        RecordOutcome::MaxDuration => (Completed, ResultInfo::max_duration()),
        RecordOutcome::MaxSilence => (Completed, ResultInfo::max_silence()),
        RecordOutcome::CutShort(why) => (Completed, ResultInfo::cut_short(&why)),
        RecordOutcome::InitialSilence => (Failed, ResultInfo::initial_silence()),
        RecordOutcome::Nothing => (Failed, ResultInfo::cancelled()),
        RecordOutcome::Prompt(outcome) => (Failed, play_finished::ended(outcome).1),
        RecordOutcome::Failed(why) => (Failed, ResultInfo::recording_failed(&why)),
    }
}
