//! What was found of bots and their set-up, at the operator's door; and the trials that find more when asked.
//!
//! It must not know how a webhook is tried.

use hyper::{Method, StatusCode};
use ringback_core::AppId;
use serde_json::{Value, json};

use super::answer::{JSON, Reply};
use super::refusals::Refused;
use crate::notify::Lanes;
use crate::trace::{Rule, Trace};

/// `…/findings` and `…/trials/…`; `None`: another address.
pub(crate) async fn serve(
    trace: &Trace,
    lanes: &Lanes,
    method: &Method,
    segments: &[&str],
) -> Option<Result<Reply, Refused>> {
    Some(match (method.as_str(), segments) {
        ("GET", ["findings"]) => Ok(json(&json!({ "value": trace.findings() }))),
        ("DELETE", ["findings"]) => {
            trace.forget_findings();
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        // Only the bot's own machine can see this one; the others are the server's to find.
        ("POST", ["findings", "proxyIgnored", app @ ..]) if app.len() <= 1 => {
            trace.found(app.first().map(|app| AppId::new(app)).as_ref(), Rule::ProxyIgnored, "seen by `ringback run`");
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("POST", ["trials", "tokens", app]) => {
            lanes.try_tokens(AppId::new(app)).await.map(|tried| json(&tried)).map_err(|why| {
                Refused::new(StatusCode::NOT_FOUND, "itemNotFound", format!("Nothing was tried: {why}."))
            })
        }
        ("POST", ["trials", "webhooks"]) => Ok(json(&lanes.try_webhooks().await)),
        (
            _,
            ["findings"]
            | ["findings", "proxyIgnored"]
            | ["findings", "proxyIgnored", _]
            | ["trials", "webhooks"]
            | ["trials", "tokens", _],
        ) => {
            let allow = if segments == ["findings"] { "GET, DELETE" } else { "POST" };
            Err(Refused::only(allow))
        }
        _ => return None,
    })
}

fn json(value: &Value) -> Reply {
    Reply::body(StatusCode::OK, JSON, value.to_string())
}
