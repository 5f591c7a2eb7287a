//! A key was pressed: told where tones are subscribed to (`contract §2.8`, N6).

use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::LegId;
use crate::input::Tone;

pub(crate) fn decide(conversation: &Conversation, leg: LegId, tone: Tone) -> Vec<Event> {
    let Some(leg) = conversation.leg(leg) else { return vec![] };
    match conversation.live_call(leg.call) {
        Ok(call) if call.tones && call.is_established() && conversation.check_room().is_ok() => {
            vec![Event::ToneHeard { call: call.id(), sequence: call.tone_sequence + 1, tone }]
        }
        _ => vec![],
    }
}
