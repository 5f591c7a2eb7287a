//! What happened to a call or an operation, and what its result means, at the operator's door.
//!
//! It must not know how a result comes about: the log says what happened, the catalogue what it means.

use hyper::{Method, StatusCode};
use ringback_core::{CallId, OperationId, ResultInfo};
use ringback_graph::results::{self, Of};
use serde_json::{Value, json};

use super::answer::{JSON, Reply};
use super::graph_api::{GraphApi, call_id};
use super::refusals::Refused;
use crate::engine::{Delivery, Step, Story, What};
use crate::trace::metrics::kind_word;

/// `…/explain/calls/{call}[/operations/{operation}]` and `…/explain/operations/{operation}`; `None`: another address.
pub(crate) async fn serve(api: &GraphApi, method: &Method, segments: &[&str]) -> Option<Result<Reply, Refused>> {
    let ["explain", rest @ ..] = segments else { return None };
    if !matches!(rest, ["calls", _] | ["calls", _, "operations", _] | ["operations", _]) {
        return None;
    }
    if method != Method::GET {
        return Some(Err(Refused::only("GET")));
    }
    Some(explain(api, rest).await)
}

async fn explain(api: &GraphApi, segments: &[&str]) -> Result<Reply, Refused> {
    let (call, operation) = match segments {
        ["calls", call] => (call_id(call)?, None),
        ["calls", call, _, operation] => (call_id(call)?, Some(operation_id(operation)?)),
        _ => {
            let operation = operation_id(segments.last().unwrap_or(&""))?;
            (call_of(api, operation).await?, Some(operation))
        }
    };
    let not_found = || if operation.is_some() { Refused::operation_not_found() } else { Refused::call_not_found() };
    let story = api.engine.story(call, operation).await?.ok_or_else(not_found)?;
    Ok(Reply::body(StatusCode::OK, JSON, print(&story).to_string()))
}

async fn call_of(api: &GraphApi, operation: OperationId) -> Result<CallId, Refused> {
    let directory = api.directory.current();
    let apps: Vec<_> = directory.apps().map(|app| (app.id.clone(), app.tenant.clone())).collect();
    api.engine.call_of(&apps, operation).await?.ok_or_else(|| {
        let message =
            "No call of an app of the directory has this operation, among those still kept. Give its call's id too.";
        Refused::new(StatusCode::NOT_FOUND, "itemNotFound", message)
    })
}

fn operation_id(text: &str) -> Result<OperationId, Refused> {
    text.parse().map_err(|_| Refused::operation_not_found())
}

fn print(story: &Story) -> Value {
    let operation = story.operation.as_ref().map(|operation| {
        json!({
            "id": operation.id,
            "kind": kind_word(&operation.kind),
            "status": operation.status,
            "clientContext": operation.client_context,
            "result": operation.result.as_ref().map(|result| printed(Of::Operation, result)),
        })
    });
    json!({
        "call": story.call,
        "conversation": story.conversation,
        "app": story.app,
        "tenant": story.tenant,
        "operation": operation,
        "ended": story.ended.as_ref().map(|result| printed(Of::Call, result)),
        "leftOut": story.left_out,
        "steps": story.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

/// A result, and what the catalogue says of it.
fn printed(of: Of, result: &ResultInfo) -> Value {
    let known = u16::try_from(result.code).ok().and_then(|code| results::find(of, code, &result.subcode.to_string()));
    json!({
        "code": result.code,
        "subcode": result.subcode,
        "message": result.message,
        "meaning": known.map(|known| known.meaning),
        "evidence": known.map(|known| known.evidence.to_string()),
        "given": known.and_then(|known| known.given),
    })
}

fn step(step: &Step) -> Value {
    let (at, record) = (step.at.0, step.record);
    match &step.what {
        What::Event(text) => json!({ "at": at, "record": record, "event": text }),
        What::Notice { index, word, delivery } => {
            let (delivery, why) = match delivery {
                Delivery::Acknowledged => ("acknowledged", None),
                Delivery::Waiting => ("waiting", None),
                Delivery::Undelivered(why) => ("undelivered", Some(why)),
            };
            json!({ "at": at, "record": record, "index": index, "notice": word, "delivery": delivery, "why": why })
        }
    }
}
