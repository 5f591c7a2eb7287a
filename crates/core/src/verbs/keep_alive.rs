//! keepAlive (`contract §2.5`): at least once in 45 minutes, or the call is ended.

use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::CallId;
use crate::refusal::Refusal;

pub(crate) fn decide(conversation: &Conversation, call: CallId) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(call)?;
    conversation.check_room()?;
    Ok(vec![Event::CallKeptAlive { call: call.id() }])
}
