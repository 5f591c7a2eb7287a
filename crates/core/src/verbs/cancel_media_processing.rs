//! cancelMediaProcessing (`contract §2.7`): answered `completed`; each operation that was playing
//! or waiting reports its own end. The subscription to tones stays.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::{CallId, OperationId};
use crate::operation::{Operation, OperationKind, OperationStatus};
use crate::refusal::Refusal;
use crate::result::ResultInfo;
use crate::verbs::check_client_context;

pub(crate) fn decide(
    conversation: &Conversation,
    call: CallId,
    id: OperationId,
    client_context: Option<String>,
) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(call)?;
    check_client_context(client_context.as_deref())?;
    if !call.is_established() {
        return Err(Refusal::NotEstablished);
    }
    conversation.check_room()?;
    let operation = Operation {
        id,
        client_context,
        status: OperationStatus::Completed,
        result: Some(ResultInfo::success()),
        kind: OperationKind::CancelMediaProcessing,
    };
    let mut events = vec![Event::OperationStarted { call: call.id(), operation }];
    conversation.end_operations(call, &ResultInfo::cancelled(), &mut events);
    Ok(events)
}
