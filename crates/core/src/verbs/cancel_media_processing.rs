//! cancelMediaProcessing (`contract §2.7`): answered `completed`; each operation that was playing
//! or waiting reports its own end. The subscription to tones stays.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::{CallId, OperationId};
use crate::operation::OperationKind;
use crate::refusal::Refusal;
use crate::result::ResultInfo;
use crate::verbs::completed_at_once;

pub(crate) fn decide(
    conversation: &Conversation,
    call: CallId,
    id: OperationId,
    client_context: Option<String>,
) -> Result<Vec<Event>, Refusal> {
    let kind = OperationKind::CancelMediaProcessing;
    let (call, completed) = completed_at_once(conversation, call, id, client_context, kind)?;
    let mut events = vec![completed];
    conversation.end_operations(call, &ResultInfo::cancelled(), &mut events);
    Ok(events)
}
