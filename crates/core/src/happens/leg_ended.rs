//! A leg is gone: its call ends with it, and lets go of the phones of a meeting; or a phone has left the meeting.

use alloc::vec;
use alloc::vec::Vec;

use crate::call::LegPhase;
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::LegId;
use crate::input::EndCause;
use crate::limits::RESULT_MESSAGE_CHARS;
use crate::result::ResultInfo;
use crate::time::Now;

pub(crate) fn decide(conversation: &Conversation, now: Now, leg: LegId, cause: EndCause) -> Vec<Event> {
    let Some(leg) = conversation.leg(leg) else { return vec![] };
    if leg.phase == LegPhase::Ended {
        return vec![];
    }
    let cause = match cause {
        EndCause::Failed(why) => EndCause::Failed(why.chars().take(RESULT_MESSAGE_CHARS).collect()),
        cause => cause,
    };
    let result = ResultInfo::of_leg(&cause);
    let mut events = vec![Event::LegEnded { leg: leg.id, cause }];
    if let Ok(call) = conversation.live_call(leg.call) {
        if leg.party.is_none() {
            conversation.close_call(now, call, result, &mut events);
            conversation.let_go(call, Some(leg.id), None, &mut events);
        } else if call.is_established() && matches!(leg.phase, LegPhase::Up(_)) {
            events.push(Event::RosterChanged { call: call.id() });
        }
    }
    events
}
