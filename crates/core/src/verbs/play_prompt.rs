//! playPrompt (`contract §2.6`): `running` at once, or `notStarted` behind another operation.

use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::input::PlayPrompt;
use crate::limits;
use crate::operation::{Operation, OperationKind, OperationStatus};
use crate::refusal::Refusal;
use crate::verbs::{check_client_context, check_prompts};

pub(crate) fn decide(conversation: &Conversation, play: PlayPrompt) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(play.call)?;
    check_client_context(play.client_context.as_deref())?;
    match play.prompts.len() {
        0 => return Err(Refusal::NoPrompts),
        count if count > limits::PROMPTS => return Err(Refusal::TooManyPrompts { count }),
        _ => {}
    }
    check_prompts(&play.prompts)?;
    if !call.is_established() {
        return Err(Refusal::NotEstablished);
    }
    conversation.check_room()?;
    let open = call.open_operations().count();
    if open >= limits::OPEN_OPERATIONS {
        return Err(Refusal::QueueFull);
    }
    let status = if open == 0 { OperationStatus::Running } else { OperationStatus::NotStarted };
    let operation = Operation {
        id: play.operation,
        client_context: play.client_context,
        status,
        result: None,
        kind: OperationKind::PlayPrompt { prompts: play.prompts, repeat: play.repeat },
    };
    Ok(vec![Event::OperationStarted { call: call.id(), operation }])
}
