//! recordResponse (`contract §2.10`) and beta's record: `running` at once, `notStarted` behind another operation, or, where
//! it may barge in, `running` in place of every operation that is open. Those end as if they had been cancelled, in the
//! same record, and a recording among them is not kept.

use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::input::RecordResponse;
use crate::limits;
use crate::operation::{Operation, OperationKind, OperationStatus, Prompt, Recording};
use crate::refusal::Refusal;
use crate::result::ResultInfo;
use crate::verbs::{check_client_context, check_prompts};

pub(crate) fn decide(conversation: &Conversation, record: RecordResponse) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(record.call)?;
    check_client_context(record.client_context.as_deref())?;
    let prompt = the_prompt(record.prompts, record.prompt_optional)?;
    let recording = Recording {
        prompt,
        beep: record.beep,
        initial_silence: seconds("initialSilenceTimeoutInSeconds", record.initial_silence)?,
        max_silence: seconds("maxSilenceTimeoutInSeconds", record.max_silence)?,
        max_duration: seconds("maxRecordDurationInSeconds", record.max_duration)?,
        stop_tones: record.stop_tones,
        location: record.location,
    };
    if !call.is_established() {
        return Err(Refusal::NotEstablished);
    }
    conversation.check_room()?;
    let mut events = vec![];
    if record.barge_in {
        conversation.end_operations(call, &ResultInfo::cancelled(), &mut events);
    }
    let ahead = if record.barge_in { 0 } else { call.open_operations().count() };
    if ahead >= limits::OPEN_OPERATIONS {
        return Err(Refusal::QueueFull);
    }
    let operation = Operation {
        id: record.operation,
        client_context: record.client_context,
        status: if ahead == 0 { OperationStatus::Running } else { OperationStatus::NotStarted },
        result: None,
        kind: OperationKind::RecordResponse(recording),
    };
    events.push(Event::OperationStarted { call: call.id(), operation });
    Ok(events)
}

/// The one prompt, or none where none is needed.
fn the_prompt(mut prompts: Vec<Prompt>, optional: bool) -> Result<Option<Prompt>, Refusal> {
    match prompts.len() {
        0 if optional => Ok(None),
        1 => check_prompts(&prompts).map(|()| prompts.pop()),
        count => Err(Refusal::NotOnePrompt { count }),
    }
}

/// One of the three times, in whole seconds.
fn seconds(member: &'static str, given: Option<i32>) -> Result<u8, Refusal> {
    let Some(seconds) = given else { return Ok(limits::RECORD_SECONDS_DEFAULT) };
    let whole = u8::try_from(seconds).ok().filter(|_| limits::RECORD_SECONDS.contains(&seconds));
    whole.ok_or(Refusal::BadSeconds { member, seconds })
}
