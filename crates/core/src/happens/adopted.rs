//! A new epoch takes the conversation over: what was bound to the old process is gone, and is told
//! once (design promise 5). Legs that were up still owe their far end a BYE. Adopting twice in one
//! epoch, or what is over, makes nothing true.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crate::call::LegPhase;
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::Epoch;
use crate::input::EndCause;
use crate::result::ResultInfo;

pub(crate) fn decide(conversation: &Conversation, epoch: Epoch) -> Vec<Event> {
    if !conversation.has_begun() || conversation.is_over() || conversation.epoch() >= Some(epoch) {
        return vec![];
    }
    let mut events = vec![Event::Adopted { epoch }];
    for call in conversation.calls().filter(|call| !call.is_over()) {
        conversation.end_operations(call, &ResultInfo::operation_lost(), &mut events);
        events.push(Event::CallTerminated { call: call.id(), result: ResultInfo::call_lost() });
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
