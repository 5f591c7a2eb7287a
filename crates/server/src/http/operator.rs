//! The operator's door, `/_ringback/…`: the same HTTP as everyone's, behind the token in
//! `<data>/operator.token`. It shows, hangs up, tries a bot's webhook, and says where apps are
//! told of things; it changes nothing else.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use ringback_core::{AppId, CallId, Input, TenantId};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;

use super::answer::{JSON, Reply};
use super::apps;
use super::explain;
use super::findings;
use super::graph_api::{GraphApi, call_id, print_operations, print_views};
use super::health::Health;
use super::notices;
use super::refusals::Refused;
use super::stream::{self, Source};
use crate::first_seen::FirstSeen;
use crate::limits;
use crate::notify::Lanes;
use crate::trace::{Entry, Trace};

/// Prints how the trunks are.
pub(crate) type Trunks = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// What the door serves with.
pub(crate) struct Operator {
    pub(crate) trace: Trace,
    pub(crate) trunks: Trunks,
    pub(crate) lanes: Lanes,
    pub(crate) first_seen: FirstSeen,
    /// Where the server listens, as the status shows it.
    pub(crate) addresses: serde_json::Value,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Operator {
    /// Carries out an operator's request; `path` is what follows `/_ringback/`, `base` what links begin with.
    pub(crate) async fn serve(
        &self,
        api: &GraphApi,
        health: &Health,
        base: &str,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> Result<Reply, Refused> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        if let Some(answered) = findings::serve(&self.trace, &self.lanes, method, &segments).await {
            return answered;
        }
        if let Some(answered) = notices::serve(&self.lanes, method, &segments, body).await {
            return answered;
        }
        if let Some(answered) = explain::serve(api, method, &segments).await {
            return answered;
        }
        let directory = api.directory.current();
        if let Some(answered) = apps::serve((&self.first_seen, &self.trace), &directory, method, &segments, body).await
        {
            return answered;
        }
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["timeline"]) => Ok(stream::stream(All(self.trace.timeline().follow()), self.stopping.clone())),
            ("GET", ["status"]) => self.status(health, api).await,
            ("GET", ["meetings"]) => Ok(api.list_meetings()),
            ("GET", ["calls"]) => {
                let views = api.engine.all_calls(None, limits::LIST_PAGE).await;
                Ok(json(print_views(base, &views)))
            }
            ("GET", ["calls", call]) => {
                let (app, tenant, id) = owner(api, call).await?;
                let view = api.engine.call(&app, &tenant, id).await?;
                Ok(json(print_views(base, &[view])))
            }
            ("DELETE", ["calls", call]) => remove(api, call).await,
            ("GET", ["calls", call, "operations"]) => {
                let (app, tenant, id) = owner(api, call).await?;
                let operations = api.engine.operations(&app, &tenant, id).await?;
                Ok(json(print_operations(base, id, &operations)))
            }
            ("GET", ["calls", call, "operations", operation]) => {
                let (app, tenant, id) = owner(api, call).await?;
                let operation = operation.parse().map_err(|_| Refused::operation_not_found())?;
                let found = api.engine.operation(&app, &tenant, id, operation).await?;
                let found = found.ok_or_else(Refused::operation_not_found)?;
                Ok(json(print_operations(base, id, &[found])))
            }
            ("GET", ["calls", call, "undelivered"]) => undelivered(api, call_id(call)?).await,
            ("GET", ["unserved"]) => Ok(json(serde_json::json!({ "value": self.trace.missed() }).to_string())),
            ("GET", ["chats"]) => Ok(json(serde_json::json!({ "value": api.chats.all().await }).to_string())),
            (_, known @ ["timeline" | "status" | "meetings" | "calls" | "unserved" | "chats", ..]) => {
                Err(Refused::only(if matches!(known, ["calls", _]) { "GET, DELETE" } else { "GET" }))
            }
            _ => Err(Refused::new(StatusCode::NOT_FOUND, "itemNotFound", "There is nothing at this address.")),
        }
    }

    async fn status(&self, health: &Health, api: &GraphApi) -> Result<Reply, Refused> {
        let now = health.snapshot(&api.engine).await?;
        let status = serde_json::json!({
            "addresses": self.addresses,
            "conversations": now.conversations,
            "ledger": { "commits": now.ledger_commits, "records": now.ledger_records, "full": now.ledger_full },
            "notices": { "lanesBusy": now.lanes_busy, "oldestUndeliveredSeconds": now.oldest_notice.as_secs_f64() },
            "trunks": (self.trunks)(),
            "orphaned": { "conversations": now.orphaned.conversations, "operations": now.orphaned.operations },
        });
        Ok(json(status.to_string()))
    }
}

/// The timeline of everything.
struct All(broadcast::Receiver<Entry>);

impl Source for All {
    async fn next(&mut self) -> Option<Bytes> {
        match self.0.recv().await {
            Ok(entry) => Some(stream::entry(&entry)),
            Err(RecvError::Lagged(missed)) => Some(stream::missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

async fn undelivered(api: &GraphApi, call: CallId) -> Result<Reply, Refused> {
    let marks = api.engine.undelivered(call).await?;
    let shown = marks
        .into_iter()
        .map(|mark| serde_json::json!({ "record": mark.at.version.0, "index": mark.at.index, "why": mark.text }));
    Ok(json(serde_json::json!({ "value": shown.collect::<Vec<_>>() }).to_string()))
}

/// Whose call it is, and its id.
async fn owner(api: &GraphApi, call: &str) -> Result<(AppId, TenantId, CallId), Refused> {
    let id = call_id(call)?;
    let (app, tenant) = api.engine.owner(id).await?.ok_or_else(Refused::call_not_found)?;
    Ok((app, tenant, id))
}

/// Ends a call whatever its state; its bot is told that somebody else did.
async fn remove(api: &GraphApi, call: &str) -> Result<Reply, Refused> {
    let (app, tenant, call) = owner(api, call).await?;
    api.engine.act(&app, &tenant, call, Input::Remove { call }).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn json(bytes: impl Into<Bytes>) -> Reply {
    Reply::body(StatusCode::OK, JSON, bytes)
}
