//! Notifications told again, at the operator's door: `calls/{call}/notifications/resend`.
//!
//! It must not know how a notification is made or sent.

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{JSON, Reply};
use super::graph_api::call_id;
use super::refusals::Refused;
use crate::notify::{Lanes, ResendError, Resent, Which};

/// Which notices; nothing is the last.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Resend {
    record: Option<u64>,
    index: Option<u32>,
    #[serde(default)]
    undelivered: bool,
}

/// `…/calls/{call}/notifications/resend`; `None`: another address.
pub(super) async fn serve(
    lanes: &Lanes,
    method: &Method,
    segments: &[&str],
    body: &Bytes,
) -> Option<Result<Reply, Refused>> {
    let ["calls", call, "notifications", "resend"] = segments else { return None };
    if method != Method::POST {
        return Some(Err(Refused::only("POST")));
    }
    Some(resend(lanes, call, body).await)
}

async fn resend(lanes: &Lanes, call: &str, body: &Bytes) -> Result<Reply, Refused> {
    let asked = if body.is_empty() { Ok(Resend::default()) } else { serde_json::from_slice(body) };
    let which = match asked {
        Ok(Resend { record: Some(record), index: Some(index), undelivered: false }) => Which::At { record, index },
        Ok(Resend { record: None, index: None, undelivered: true }) => Which::Undelivered,
        Ok(Resend { record: None, index: None, undelivered: false }) => Which::Last,
        _ => {
            let message = "Say {\"record\": N, \"index\": I}, or {\"undelivered\": true}, or nothing for the last.";
            return Err(Refused::new(StatusCode::BAD_REQUEST, "invalidRequest", message));
        }
    };
    let resent = lanes.resend(call_id(call)?, which).await?;
    let value: Vec<Value> = resent.iter().map(print).collect();
    Ok(Reply::body(StatusCode::OK, JSON, json!({ "value": value }).to_string()))
}

fn print(resent: &Resent) -> Value {
    json!({
        "record": resent.record,
        "index": resent.index,
        "notice": resent.notice,
        "messageId": resent.message_id.to_string(),
        "taken": resent.taken,
        "outcome": resent.outcome,
    })
}

impl From<ResendError> for Refused {
    fn from(error: ResendError) -> Refused {
        let (status, code) = match error {
            ResendError::NoCall => return Refused::call_not_found(),
            ResendError::Engine(error) => return error.into(),
            ResendError::Nothing(_) => (StatusCode::NOT_FOUND, "itemNotFound"),
            ResendError::NotYet => (StatusCode::CONFLICT, "notAllowed"),
        };
        Refused::new(status, code, error.to_string())
    }
}
