//! A deadline passed: nobody answered, the leg did not come up, the call was not kept alive, or the
//! recording that a call waited for was not kept.

use alloc::vec;
use alloc::vec::Vec;

use crate::call::{CallState, Direction};
use crate::conversation::Conversation;
use crate::event::Event;
use crate::operation::OperationStatus;
use crate::result::ResultInfo;
use crate::time::Now;

pub(crate) fn decide(conversation: &Conversation, now: Now) -> Vec<Event> {
    let mut events = vec![];
    for call in conversation.calls() {
        if call.deadline().is_none_or(|deadline| deadline > now) {
            continue;
        }
        if let CallState::Ending { result, .. } = &call.state {
            let late = ResultInfo::recording_failed("the disk did not take it in time");
            match call.running() {
                Some(running) => {
                    events.extend(conversation.end_running(call, running.id, OperationStatus::Failed, late))
                }
                None => events.push(Event::CallTerminated { call: call.id(), result: result.clone() }),
            }
            continue;
        }
        if call.alive_until <= now {
            conversation.end_call(now, call, ResultInfo::not_kept_alive(), Some(480), &mut events);
            continue;
        }
        match (&call.state, call.direction) {
            // 480 Temporarily Unavailable (RFC 3261 §21.4.18): the bot is there, and did not answer.
            (CallState::Incoming { .. }, _) => {
                conversation.end_call(now, call, ResultInfo::not_answered_by_bot(), Some(480), &mut events);
            }
            (CallState::Establishing { .. }, Direction::Outgoing) => {
                conversation.end_call(now, call, ResultInfo::rang_out(), None, &mut events);
            }
            // 408/1106: no acknowledgement of the acceptance in time (contract §4.1).
            (CallState::Establishing { .. }, Direction::Incoming) => {
                conversation.end_call(now, call, ResultInfo::not_acknowledged(), None, &mut events);
            }
            (
                CallState::Established { .. }
                | CallState::Ending { .. }
                | CallState::Terminating
                | CallState::Terminated(_),
                _,
            ) => {}
        }
    }
    events
}
