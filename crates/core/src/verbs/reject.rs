//! reject (`contract §2.3`): only while the ask runs; told as the call's end.

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

pub(crate) fn decide(
    conversation: &Conversation,
    now: Now,
    call: CallId,
    reason: RejectReason,
) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(call)?;
    let CallState::Incoming { .. } = call.state else { return Err(Refusal::NotIncoming) };
    // RFC 3261 §21: 486 Busy Here, 403 Forbidden, 603 Decline.
    let status = match reason {
        RejectReason::Busy => 486,
        RejectReason::Forbidden => 403,
        RejectReason::None => 603,
    };
    let mut events = vec![];
    conversation.end_call(now, call, ResultInfo::rejected(), Some(status), &mut events);
    Ok(events)
}
