//! A request of ours that was challenged: the same again, with credentials. Pure but for the
//! random client nonce.

use rsipstack::sip::{Header, Request, Response};

use super::message::{self, header};
use super::wire;
use crate::credentials::Answerer;

/// The header that answers a 401 or 407 to a request; `None` for other responses, and where an
/// answer is no use.
pub(crate) fn credentials(answerer: &mut Answerer, request: &Request, response: &Response) -> Option<Header> {
    let (challenge, answer) = match response.status_code.code() {
        401 => ("WWW-Authenticate", "Authorization"),
        407 => ("Proxy-Authenticate", "Proxy-Authorization"),
        _ => return None,
    };
    let challenges = message::values(response, challenge);
    let (method, uri) = (request.method.to_string(), request.uri.to_string());
    let value = answerer.answer(challenges, &method, &uri, &wire::tag()).ok()?;
    Some(header(answer, value))
}

/// Whether a response asks who we are.
pub(crate) fn is_challenge(response: &Response) -> bool {
    matches!(response.status_code.code(), 401 | 407)
}
