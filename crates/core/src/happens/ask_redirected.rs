//! The webhook answered the ask with 302 or 307 (`contract §5.1`): the same ask goes there.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::call::CallState;
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::CallId;
use crate::limits;
use crate::verbs::is_web_url;

pub(crate) fn decide(conversation: &Conversation, call: CallId, callback: String) -> Vec<Event> {
    let Ok(call) = conversation.live_call(call) else { return vec![] };
    match call.state {
        CallState::Incoming { redirects, .. } if redirects < limits::ASK_REDIRECTS && is_web_url(&callback) => {
            vec![Event::AskRedirected { call: call.id(), callback }]
        }
        _ => vec![],
    }
}
