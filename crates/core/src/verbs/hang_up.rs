//! Hang up (`contract §2.5`): DELETE on a call. It is over for the bot in one record, unless a recording is yet to be kept; its leg's
//! far end is told by a durable effect.

use alloc::vec;
use alloc::vec::Vec;

use crate::call::CallState;
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::CallId;
use crate::refusal::Refusal;
use crate::result::ResultInfo;
use crate::time::Now;

pub(crate) fn decide(conversation: &Conversation, now: Now, call: CallId) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(call)?;
    if let CallState::Incoming { .. } = call.state {
        return Err(Refusal::StillIncoming);
    }
    let mut events = vec![Event::CallTerminating { call: call.id() }];
    conversation.end_call(now, call, ResultInfo::ended_by_bot(), None, &mut events);
    Ok(events)
}
