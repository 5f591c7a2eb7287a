//! The far end put us on hold, or took us off: `mediaState.audio` says so. A phone in a meeting is one of several, and
//! says nothing of the call's.

use alloc::vec;
use alloc::vec::Vec;

use crate::call::CallState;
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::LegId;

pub(crate) fn decide(conversation: &Conversation, leg: LegId, held: bool) -> Vec<Event> {
    let Some(leg) = conversation.leg(leg) else { return vec![] };
    match conversation.live_call(leg.call) {
        Ok(call)
            if leg.party.is_none()
                && call.state == (CallState::Established { audio: held })
                && conversation.check_room().is_ok() =>
        {
            vec![Event::AudioChanged { call: call.id(), active: !held }]
        }
        _ => vec![],
    }
}
