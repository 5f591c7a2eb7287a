//! A leg is up both ways: its call is established, and audio flows; or a phone is in the meeting.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::call::{CallState, LegPhase};
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::LegId;

pub(crate) fn decide(conversation: &Conversation, leg: LegId, dialog: String) -> Vec<Event> {
    let Some(leg) = conversation.leg(leg) else { return vec![] };
    match leg.phase {
        LegPhase::Accepting | LegPhase::Placing => {}
        // It came up while we let go of it: remember how to hang it up, nothing more.
        LegPhase::Releasing { dialog: None, .. } => return vec![Event::LegAnswered { leg: leg.id, dialog }],
        LegPhase::Offered | LegPhase::Up(_) | LegPhase::Releasing { .. } | LegPhase::Ended => return vec![],
    }
    let mut events = vec![Event::LegAnswered { leg: leg.id, dialog }];
    if let Ok(call) = conversation.live_call(leg.call) {
        match call.state {
            CallState::Establishing { .. } if call.begun.leg == leg.id => {
                events.push(Event::CallEstablished { call: call.id() });
                events.push(Event::AudioChanged { call: call.id(), active: true });
            }
            CallState::Established { .. } if leg.party.is_some() => {
                events.push(Event::RosterChanged { call: call.id() });
            }
            _ => {}
        }
    }
    events
}
