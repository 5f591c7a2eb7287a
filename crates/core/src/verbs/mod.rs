//! One file per verb of the contract. Each reads the state and says what becomes true, or why not.

pub(crate) mod answer;
pub(crate) mod cancel_media_processing;
pub(crate) mod hang_up;
pub(crate) mod keep_alive;
pub(crate) mod place_call;
pub(crate) mod play_prompt;
pub(crate) mod record_response;
pub(crate) mod reject;
pub(crate) mod remove;
pub(crate) mod send_dtmf_tones;
pub(crate) mod subscribe_to_tone;

use alloc::string::String;

use crate::call::Call;
use crate::conversation::Conversation;
use crate::event::Event;
use crate::ids::{CallId, OperationId};
use crate::limits::{CLIENT_CONTEXT_UNITS, PROMPT_TIMES, URL_CHARS};
use crate::operation::{Operation, OperationKind, OperationStatus, Prompt};
use crate::refusal::Refusal;
use crate::result::ResultInfo;

/// `S5`: at most 256 characters, which are UTF-16 code units, as in the clients' own platform.
pub(crate) fn check_client_context(text: Option<&str>) -> Result<(), Refusal> {
    let units = text.map_or(0, |text| text.encode_utf16().count());
    if units > CLIENT_CONTEXT_UNITS { Err(Refusal::ClientContextTooLong { units }) } else { Ok(()) }
}

/// The event of a verb that is done as soon as it is recorded, answered `completed` (`S3`), and its call.
pub(crate) fn completed_at_once(
    conversation: &Conversation,
    call: CallId,
    id: OperationId,
    client_context: Option<String>,
    kind: OperationKind,
) -> Result<(&Call, Event), Refusal> {
    let call = conversation.live_call(call)?;
    check_client_context(client_context.as_deref())?;
    if !call.is_established() {
        return Err(Refusal::NotEstablished);
    }
    conversation.check_room()?;
    let (status, result) = (OperationStatus::Completed, Some(ResultInfo::success()));
    let operation = Operation { id, client_context, status, result, kind };
    Ok((call, Event::OperationStarted { call: call.id(), operation }))
}

/// Prompts that may be fetched, and how often they are played.
pub(crate) fn check_prompts(prompts: &[Prompt]) -> Result<(), Refusal> {
    for (index, prompt) in prompts.iter().enumerate() {
        if !is_web_url(&prompt.uri) {
            return Err(Refusal::BadPromptUri { index });
        }
        if !PROMPT_TIMES.contains(&prompt.times) {
            return Err(Refusal::BadPromptLoop { index });
        }
    }
    Ok(())
}

/// An http or https URL with something behind the scheme, of bounded length.
pub(crate) fn is_web_url(text: &str) -> bool {
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        text.get(..scheme.len()).filter(|head| head.eq_ignore_ascii_case(scheme)).map(|_| &text[scheme.len()..])
    });
    rest.is_some_and(|rest| !rest.is_empty())
        && text.chars().count() <= URL_CHARS
        && !text.contains(char::is_whitespace)
}
