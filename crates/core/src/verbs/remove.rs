//! Remove: somebody other than the bot ends the call, the operator. Unlike hang up it is for every state: a call that
//! waits for its bot's answer ends, too, and its caller is declined.

use alloc::vec;
use alloc::vec::Vec;

use crate::call::CallState;
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::CallId;
use crate::refusal::Refusal;
use crate::result::ResultInfo;
use crate::time::Now;

/// RFC 3261 §21.6.2: 603 Decline.
const DECLINE: u16 = 603;

pub(crate) fn decide(conversation: &Conversation, now: Now, call: CallId) -> Result<Vec<Event>, Refusal> {
    let call = conversation.live_call(call)?;
    let is_asked = matches!(call.state, CallState::Incoming { .. });
    let mut events = if is_asked { vec![] } else { vec![Event::CallTerminating { call: call.id() }] };
    conversation.end_call(now, call, ResultInfo::removed(), is_asked.then_some(DECLINE), &mut events);
    Ok(events)
}
