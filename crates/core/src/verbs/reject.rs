//! reject (`contract §2.3`): only while the ask runs; told as the call's end, where the bot says.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::call::CallState;
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::CallId;
use crate::input::RejectReason;
use crate::refusal::Refusal;
use crate::result::ResultInfo;
use crate::time::Now;
use crate::verbs::is_web_url;

pub(crate) fn decide(
    conversation: &Conversation,
    now: Now,
    call: CallId,
    reason: RejectReason,
    callback: Option<String>,
) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(call)?;
    let CallState::Incoming { .. } = call.state else { return Err(Refusal::NotIncoming) };
    // RFC 3261 §21: 486 Busy Here, 403 Forbidden, 603 Decline.
    let status = match reason {
        RejectReason::Busy => 486,
        RejectReason::Forbidden => 403,
        RejectReason::None => 603,
    };
    if callback.as_deref().is_some_and(|uri| !is_web_url(uri)) {
        return Err(Refusal::BadCallback);
    }
    let mut events = vec![];
    events.extend(callback.map(|callback| Event::CallbackChanged { call: call.id(), callback }));
    conversation.end_call(now, call, ResultInfo::rejected(), Some(status), &mut events);
    Ok(events)
}
