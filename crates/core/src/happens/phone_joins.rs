//! A phone dialled the meeting: it is let in while a bot is there, and there is room.

use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::Event;
use crate::identity::Identity;
use crate::ids::{LegId, ParticipantId};
use crate::limits;
use crate::refusal::Refusal;

pub(crate) fn decide(
    conversation: &Conversation,
    leg: LegId,
    participant: ParticipantId,
    identity: Identity,
) -> Result<Vec<Event>, Refusal> {
    let call = conversation.calls().find(|call| call.begun.meeting.is_some()).ok_or(Refusal::CallNotFound)?;
    let call = conversation.live_call(call.id())?;
    if conversation.leg(leg).is_some() {
        return Err(Refusal::AlreadyBegun);
    }
    conversation.check_room()?;
    if conversation.legs().filter(|leg| leg.party.is_some()).count() >= limits::MEETING_PHONES {
        return Err(Refusal::MeetingFull);
    }
    Ok(vec![Event::LegAdmitted { leg, call: call.id(), participant, identity }])
}
