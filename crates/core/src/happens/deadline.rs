//! A deadline passed: nobody answered, the leg did not come up, or the call was not kept alive.

use alloc::vec;
use alloc::vec::Vec;

use crate::call::{CallState, Direction};
use crate::conversation::Conversation;
use crate::event::Event;
use crate::result::ResultInfo;
use crate::time::Now;

pub(crate) fn decide(conversation: &Conversation, now: Now) -> Vec<Event> {
    let mut events = vec![];
    for call in conversation.calls() {
        if call.deadline().is_none_or(|deadline| deadline > now) {
            continue;
        }
        if call.alive_until <= now {
            conversation.end_call(call, ResultInfo::not_kept_alive(), Some(480), &mut events);
            continue;
        }
        match (&call.state, call.direction) {
            // 480 Temporarily Unavailable (RFC 3261 §21.4.18): the bot is there, and did not answer.
            (CallState::Incoming { .. }, _) => {
                conversation.end_call(call, ResultInfo::not_answered_by_bot(), Some(480), &mut events);
            }
            (CallState::Establishing { .. }, Direction::Outgoing) => {
                conversation.end_call(call, ResultInfo::rang_out(), None, &mut events);
            }
            // 408/1106: no acknowledgement of the acceptance in time (contract §4.1).
            (CallState::Establishing { .. }, Direction::Incoming) => {
                conversation.end_call(call, ResultInfo::not_acknowledged(), None, &mut events);
            }
            (CallState::Established { .. } | CallState::Terminating | CallState::Terminated(_), _) => {}
        }
    }
    events
}
