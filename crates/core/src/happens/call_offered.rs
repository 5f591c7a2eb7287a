//! A phone rings a bot: the ask begins with this record.

use alloc::vec;
use alloc::vec::Vec;

use crate::conversation::Conversation;
use crate::event::{Begun, Event};
use crate::refusal::Refusal;
use crate::verbs::is_web_url;

pub(crate) fn decide(conversation: &Conversation, new: Begun) -> Result<Vec<Event>, Refusal> {
    if conversation.has_begun() {
        return Err(Refusal::AlreadyBegun);
    }
    if !is_web_url(&new.callback) {
        return Err(Refusal::BadCallback);
    }
    Ok(vec![Event::CallOffered(new)])
}
