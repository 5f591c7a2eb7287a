//! subscribeToTone (`contract §2.8`): answered `completed`; every key is told from then on.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::{CallId, OperationId};
use crate::operation::OperationKind;
use crate::refusal::Refusal;
use crate::verbs::completed_at_once;

pub(crate) fn decide(
    conversation: &Conversation,
    call: CallId,
    id: OperationId,
    client_context: Option<String>,
) -> Result<Vec<Event>, Refusal> {
    let (_, completed) = completed_at_once(conversation, call, id, client_context, OperationKind::SubscribeToTone)?;
    Ok(vec![completed])
}
