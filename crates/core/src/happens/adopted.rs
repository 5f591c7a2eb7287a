//! A new epoch takes the conversation over: what was bound to the old process is gone, and is told
//! once (design promise 5). A recording that could be made whole is kept (design promise 7). Legs that were up still owe their far end a BYE. Adopting twice in one
//! epoch, or what is over, makes nothing true.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crate::call::{CallState, LegPhase};
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::{Epoch, OperationId};
use crate::input::EndCause;
use crate::operation::OperationStatus;
use crate::result::ResultInfo;

pub(crate) fn decide(conversation: &Conversation, epoch: Epoch, kept: &[OperationId]) -> Vec<Event> {
    if !conversation.has_begun() || conversation.is_over() || conversation.epoch() >= Some(epoch) {
        return vec![];
    }
    let mut events = vec![Event::Adopted { epoch }];
    for call in conversation.calls().filter(|call| !call.is_over()) {
        events.extend(call.open_operations().map(|operation| {
            let (status, result) = if kept.contains(&operation.id) {
                (OperationStatus::Completed, ResultInfo::cut_short("the server was restarted during the recording"))
            } else {
                (operation.kind.ended_badly(), ResultInfo::operation_lost())
            };
            Event::OperationEnded { call: call.id(), operation: operation.id, status, result }
        }));
        // A call that only waited for a recording ends for its own reason.
        let result = match &call.state {
            CallState::Ending { result, .. } => result.clone(),
            _ => ResultInfo::call_lost(),
        };
        events.push(Event::CallTerminated { call: call.id(), result });
    }
    for leg in conversation.legs() {
        match leg.phase {
            LegPhase::Up(_) => events.push(Event::LegReleased { leg: leg.id, decline: None }),
            LegPhase::Releasing { dialog: Some(_), .. } | LegPhase::Ended => {}
            LegPhase::Offered | LegPhase::Accepting | LegPhase::Placing | LegPhase::Releasing { dialog: None, .. } => {
                events.push(Event::LegEnded { leg: leg.id, cause: EndCause::Failed("restart".to_string()) });
            }
        }
    }
    events
}
