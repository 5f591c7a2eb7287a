//! Apps at the operator's door, `/_ringback/apps…`: who is known, where each is told of things, and the same said of
//! apps that are yet to be seen. Shows no secret, nor its hash.
//!
//! It must not know how an app is kept.

use bytes::Bytes;
use hyper::{Method, StatusCode};
use ringback_core::AppId;
use serde_json::{Map, Value, json};

use super::answer::{JSON, Reply};
use super::refusals::Refused;
use crate::directory::{App, Directory};
use crate::first_seen::{FirstSeen, NotTaken, TEMPLATE, Wish};
use crate::trace::Trace;

/// `…/apps` and what follows; `None`: another address.
pub(crate) async fn serve(
    (first_seen, trace): (&FirstSeen, &Trace),
    directory: &Directory,
    method: &Method,
    segments: &[&str],
    body: &Bytes,
) -> Option<Result<Reply, Refused>> {
    let answered = match (method.as_str(), segments) {
        ("GET", ["apps"]) => Ok(list(directory)),
        ("GET", ["apps", TEMPLATE]) => Ok(template(&first_seen.template().unwrap_or_default())),
        ("PUT", ["apps", TEMPLATE]) => match wish(body) {
            Ok(wish) => first_seen.put_template(wish).await.map(|wish| template(&wish)).map_err(Refused::from),
            Err(refused) => Err(refused),
        },
        ("GET", ["apps", id]) => {
            directory.app(&AppId::new(id)).map(|app| shown(app)).ok_or_else(|| NotTaken::Unknown.into())
        }
        ("PUT", ["apps", id]) => match wish(body) {
            Ok(wish) => first_seen.put(&AppId::new(id), wish).await.map(|app| shown(&app)).map_err(Refused::from),
            Err(refused) => Err(refused),
        },
        ("DELETE", ["apps", id]) => {
            let app = AppId::new(id);
            let forgotten = first_seen.forget(&app).await;
            if forgotten.is_ok() {
                trace.forget_findings_of(&app);
            }
            forgotten.map(|()| Reply::empty(StatusCode::NO_CONTENT)).map_err(Refused::from)
        }
        (_, ["apps"] | ["apps", _]) => Err(Refused::only(if segments.len() == 1 { "GET" } else { "GET, PUT, DELETE" })),
        _ => return None,
    };
    Some(answered)
}

fn wish(body: &Bytes) -> Result<Wish, Refused> {
    // An array would be read as the members in order.
    let object = serde_json::from_slice::<Map<String, Value>>(body);
    object.and_then(|object| serde_json::from_value(object.into())).map_err(|error| {
        let message = format!(
            "The body is not an object with tenant, roles, webhook, local and callbacks, each optional: {error}."
        );
        Refused::new(StatusCode::BAD_REQUEST, "invalidRequest", message)
    })
}

fn list(directory: &Directory) -> Reply {
    let mut apps: Vec<_> = directory.apps().collect();
    apps.sort_by(|a, b| a.id.cmp(&b.id));
    json(&json!({ "value": apps.into_iter().map(|app| print(app)).collect::<Vec<_>>() }))
}

fn shown(app: &App) -> Reply {
    json(&print(app))
}

fn print(app: &App) -> Value {
    let callbacks = app.reach.callbacks().iter();
    let callbacks =
        callbacks.map(|moved| json!({ "public": moved.public.to_string(), "local": moved.local.to_string() }));
    json!({
        "id": app.id.as_str(),
        "name": app.name,
        "tenant": app.tenant.as_str(),
        "configured": app.configured,
        "secretKnown": app.secret.is_some(),
        "roles": app.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        "numbers": app.numbers,
        "webhook": app.reach.webhook().map(|webhook| webhook.url().as_str()),
        "local": app.reach.local().map(ToString::to_string),
        "callbacks": callbacks.collect::<Vec<_>>(),
    })
}

fn template(wish: &Wish) -> Reply {
    json(&json!({
        "id": TEMPLATE,
        "tenant": wish.tenant,
        "roles": wish.roles,
        "webhook": wish.webhook,
        "local": wish.local,
        "callbacks": wish.callbacks,
    }))
}

fn json(value: &Value) -> Reply {
    Reply::body(StatusCode::OK, JSON, value.to_string())
}
