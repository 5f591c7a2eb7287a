//! sendDtmfTones (`contract §2.8`): `running` at once, or `notStarted` behind another operation. However it ends, its status
//! is `completed`; how it went is in its reason and result.

use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::input::SendDtmfTones;
use crate::limits;
use crate::operation::{Operation, OperationKind, OperationStatus};
use crate::refusal::Refusal;
use crate::verbs::check_client_context;

pub(crate) fn decide(conversation: &Conversation, send: SendDtmfTones) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(send.call)?;
    check_client_context(send.client_context.as_deref())?;
    match send.tones.len() {
        0 => return Err(Refusal::NoTones),
        count if count > limits::TONES => return Err(Refusal::TooManyTones { count }),
        _ => {}
    }
    let given = send.delay.unwrap_or_default();
    let delay = u32::try_from(given).ok().filter(|delay| *delay <= limits::TONE_DELAY);
    let delay = delay.ok_or(Refusal::BadToneDelay { delay: given })?;
    if !call.is_established() {
        return Err(Refusal::NotEstablished);
    }
    conversation.check_room()?;
    let open = call.open_operations().count();
    if open >= limits::OPEN_OPERATIONS {
        return Err(Refusal::QueueFull);
    }
    let operation = Operation {
        id: send.operation,
        client_context: send.client_context,
        status: if open == 0 { OperationStatus::Running } else { OperationStatus::NotStarted },
        result: None,
        kind: OperationKind::SendDtmfTones { tones: send.tones, delay },
    };
    Ok(vec![Event::OperationStarted { call: call.id(), operation }])
}
