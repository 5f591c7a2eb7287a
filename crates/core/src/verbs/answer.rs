//! answer (`contract §2.3`): only while the ask runs; the call is told `establishing`, then
//! `established` when its leg is up.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::call::CallState;
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::CallId;
use crate::limits;
use crate::refusal::Refusal;
use crate::time::Now;
use crate::verbs::is_web_url;

pub(crate) fn decide(
    conversation: &Conversation,
    now: Now,
    call: CallId,
    callback: Option<String>,
) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(call)?;
    let CallState::Incoming { .. } = call.state else { return Err(Refusal::NotIncoming) };
    if callback.as_deref().is_some_and(|uri| !is_web_url(uri)) {
        return Err(Refusal::BadCallback);
    }
    Ok(vec![Event::CallAnswered {
        call: call.id(),
        callback: callback.unwrap_or_else(|| call.callback.clone()),
        until: now.plus(limits::ACCEPTING),
    }])
}
