//! One file per verb of the contract. Each reads the state and says what becomes true, or why not.

pub(crate) mod answer;
pub(crate) mod cancel_media_processing;
pub(crate) mod hang_up;
pub(crate) mod keep_alive;
pub(crate) mod place_call;
pub(crate) mod play_prompt;
pub(crate) mod reject;
pub(crate) mod subscribe_to_tone;

use crate::limits::{CLIENT_CONTEXT_UNITS, URL_CHARS};
use crate::refusal::Refusal;

/// `S5`: at most 256 characters, which are UTF-16 code units, as in the clients' own platform.
pub(crate) fn check_client_context(text: Option<&str>) -> Result<(), Refusal> {
    let units = text.map_or(0, |text| text.encode_utf16().count());
    if units > CLIENT_CONTEXT_UNITS { Err(Refusal::ClientContextTooLong { units }) } else { Ok(()) }
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
