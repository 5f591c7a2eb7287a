//! One request: where it goes, who asks, within which bounds, and what every answer carries.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Request, StatusCode};
use ringback_core::{AppId, CallId};
use ringback_graph::{self as graph, ErrorBody, Neighbour, Resource, path, time::Utc};

use super::Client;
use super::answer::{ODATA, Reply};
use super::console;
use super::graph_api::GraphApi;
use super::health::Health;
use super::operator::Operator;
use super::origin::Origins;
use super::phone::{self, PagePhone};
use super::recordings::{self, Reader};
use super::refusals::Refused;
use super::shapes::{shape, shown};
use super::{sites, testing, tokens};
use crate::auth::{Auth, TokenError};
use crate::clock;
use crate::engine::fresh_id;
use crate::limits;
use crate::notify::Lanes;
use crate::scripted::ScriptedPhones;
use crate::trace::{self, Entry, Rule, Trace, metrics};

/// Everything a request may need.
pub(crate) struct Service {
    pub(crate) api: GraphApi,
    pub(crate) auth: Arc<Auth>,
    pub(crate) operator: Operator,
    pub(crate) phone: PagePhone,
    pub(crate) recordings: Reader,
    pub(crate) scripted: ScriptedPhones,
    pub(crate) lanes: Lanes,
    pub(crate) origins: Origins,
    pub(crate) health: Health,
    pub(crate) open_metrics: bool,
    pub(crate) trace: Trace,
    pub(crate) ready: Arc<AtomicBool>,
}

impl Service {
    /// Answers a request, whatever it is.
    pub(crate) async fn answer(&self, request: Request<Incoming>, client: Client) -> Reply {
        let (began, begin) = (Instant::now(), self.api.engine.clock().now());
        let (head, body) = request.into_parts();
        let ids = Ids::of(&head.headers);
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let base = self.origins.of(client.secure, &head.uri, &head.headers);
        let asked = Asked {
            method: &head.method,
            uri: &head.uri,
            target,
            headers: &head.headers,
            base: &base,
            peer: client.peer,
        };
        let mut who = None;
        let outcome = self.route(asked, body, &mut who).await;
        let reply = match outcome {
            Ok(reply) => reply,
            Err(refused) => {
                if refused.status == StatusCode::NOT_IMPLEMENTED {
                    self.trace.unserved(standard(&head.method), shape(target));
                }
                self.refuse(&refused, &ids)
            }
        };
        let took = began.elapsed();
        self.trace.metrics().request(verb(&head.method, target), reply.status().as_u16(), took);
        if let Some(about) = reply.did() {
            self.trace.asked(&trace::Asked {
                verb: verb(&head.method, target),
                status: reply.status().as_u16(),
                about,
                traceparent: head.headers.get("traceparent").and_then(|value| value.to_str().ok()),
                begin,
                end: self.api.engine.clock().now(),
            });
        }
        // Who looks at the timeline, or looks again and again, does not want to see that.
        let looks = head.method == hyper::Method::GET && path_of(target).starts_with("/_ringback/");
        if !looks || !reply.status().is_success() {
            self.trace.timeline().add("request", || Entry {
                from: tokens::token_path(path_of(target)).map(|_| client.peer.ip().to_canonical()),
                call: call_in(target),
                took_ms: Some(took.as_secs_f64() * 1e3),
                ..Entry::of_none(format!("{} {} → {}", head.method, shown(target), reply.status().as_u16()))
                    .of_app(who.as_ref())
            });
        }
        let reply =
            reply.with("request-id", ids.request).with("client-request-id", ids.client).with("odata-version", "4.0");
        match ids.scenario {
            Some(scenario) => reply.with("scenario-id", scenario),
            None => reply,
        }
    }

    /// What is Ringback's own and what needs no access token; the rest is Graph's. `who`: set to the app that asks, once
    /// that is known.
    async fn route(&self, asked: Asked<'_>, body: Incoming, who: &mut Option<AppId>) -> Result<Reply, Refused> {
        let Asked { method, uri, target, headers, base, peer } = asked;
        let path = path_of(target);
        if path == "/healthz" {
            return Ok(Reply::body(StatusCode::OK, "text/plain", "ok\n"));
        }
        if path == "/readyz" {
            let ready = self.ready.load(Ordering::Acquire);
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            return Ok(Reply::body(status, "text/plain", if ready { "ready\n" } else { "not ready\n" }));
        }
        self.let_in(&asked, path)?;
        if path == METRICS {
            return self.metrics(&asked).await;
        }
        if let Some(file) = console::serve(method, path, headers) {
            return file;
        }
        if let Some(rest) = path.strip_prefix(phone::PATH) {
            let request = phone::Request { method, path: rest, uri, headers, peer };
            self.phone.check(&request)?;
            let bytes = read(body, headers).await?;
            return self.phone.serve(request, &bytes).await;
        }
        if let Some(rest) = path.strip_prefix("/_ringback/") {
            return self.operate(&asked, rest, body).await;
        }
        if let Some(recording) = recordings::recording_of(path) {
            return self.recordings.serve(method, recording, authorization(headers)).await;
        }
        if let Some(document) = tokens::documents(&self.auth, &self.origins, method, target, base) {
            return document;
        }
        if let Some((tenant, version)) = tokens::token_path(path) {
            let body = &read(body, headers).await?;
            let request = tokens::request(base, tenant, version, headers, body, peer);
            return tokens::token(&self.auth, &self.trace, method, request, who).await;
        }
        // As at Microsoft, anyone may read what is served: it names nobody.
        if let Some(version) = graph::metadata::asked(path) {
            return metadata(method, version);
        }
        self.graph(&asked, body, who).await
    }

    /// Where any identity is accepted, a client is trusted for being where it is: nobody else may ask through it. The page
    /// is for everyone, and is led to by links.
    fn let_in(&self, asked: &Asked<'_>, path: &str) -> Result<(), Refused> {
        let directory = self.api.directory.current();
        if !directory.serves(asked.peer.ip()) {
            return Err(Refused::only_here());
        }
        if !directory.is_open() {
            return Ok(());
        }
        if sites::passed_on(asked.headers) {
            return Err(Refused::passed_on());
        }
        if sites::is_browser(asked.headers) && !console::is_file(path) {
            sites::check(&self.origins, asked.uri, asked.headers)?;
        }
        Ok(())
    }

    /// The operator's door.
    async fn operate(&self, asked: &Asked<'_>, path: &str, body: Incoming) -> Result<Reply, Refused> {
        let Asked { method, target, headers, base, .. } = *asked;
        if !self.auth.is_operator(authorization(headers)) {
            return Err(Refused::new(
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                "The operator's door wants the bearer token of the file operator.token in the data folder.",
            ));
        }
        if let Some(rest) = path.strip_prefix("test/") {
            let query = target.split_once('?').map_or("", |(_, query)| query);
            let body = read_at_most(body, headers, limits::SCRIPTED_WAV).await?;
            return testing::serve(&self.scripted, &self.lanes, method, rest, query, &body).await;
        }
        let body = read(body, headers).await?;
        self.operator.serve(&self.api, &self.health, base, method, path, &body).await
    }

    /// Graph's API. Who asks comes before what is asked: strangers learn nothing of the paths.
    async fn graph(&self, asked: &Asked<'_>, body: Incoming, who: &mut Option<AppId>) -> Result<Reply, Refused> {
        let Asked { method, target, headers, base, .. } = *asked;
        let caller = self.auth.verify(authorization(headers), clock::wall_seconds());
        if let Err(TokenError::WrongAudience) = caller {
            self.trace.found(None, Rule::WrongAudience, "a request was refused with 401");
        }
        let caller = caller?;
        *who = Some(caller.app.clone());
        let route = path::parse(method.as_str(), target)?;
        let bytes = read(body, headers).await?;
        let call = call_in(target).and_then(|call| call.parse().ok());
        let caller = self.api.owner_for(caller, call).await;
        let served = self.api.serve(&caller, base, route, &bytes).await;
        if let Err(Refused { finding: Some(rule), .. }) = served {
            match call {
                Some(call) => self.trace.found_in(call, &caller.app, rule, ""),
                None => self.trace.found(Some(&caller.app), rule, ""),
            }
        }
        served
    }

    /// What Prometheus reads: for the operator, or for this machine if the operator says so.
    async fn metrics(&self, asked: &Asked<'_>) -> Result<Reply, Refused> {
        if !self.auth.is_operator(authorization(asked.headers)) {
            let here = asked.peer.ip().to_canonical().is_loopback() && !sites::passed_on(asked.headers);
            if !(self.open_metrics && here) {
                return Err(Refused::new(
                    StatusCode::UNAUTHORIZED,
                    "InvalidAuthenticationToken",
                    "The metrics want the bearer token of the file operator.token in the data folder.",
                ));
            }
            // A browser is here, too, and shows pages under any name that was made to lead here.
            sites::check(&self.origins, asked.uri, asked.headers)?;
        }
        if asked.method != hyper::Method::GET {
            return Err(Refused::only("GET"));
        }
        let text = self.trace.metrics().print(self.health.snapshot(&self.api.engine).await?);
        Ok(Reply::body(StatusCode::OK, metrics::CONTENT_TYPE, text))
    }

    fn refuse(&self, refused: &Refused, ids: &Ids) -> Reply {
        let at = Utc(self.api.engine.clock().now().0);
        let body = ErrorBody::new(refused.code, refused.message.as_str(), at, &ids.request, &ids.client);
        let mut reply = Reply::body(refused.status, ODATA, body.print());
        if let Some(seconds) = refused.retry_after {
            reply = reply.with("retry-after", seconds.to_string());
        }
        if let Some(allow) = refused.allow {
            reply = reply.with("allow", allow);
        }
        if refused.status == StatusCode::UNAUTHORIZED {
            reply = reply.with("www-authenticate", "Bearer realm=\"ringback\"");
        }
        reply
    }
}

/// Where Prometheus reads.
const METRICS: &str = "/metrics";

/// What is asked, without the body.
#[derive(Clone, Copy)]
struct Asked<'a> {
    method: &'a hyper::Method,
    uri: &'a hyper::Uri,
    target: &'a str,
    headers: &'a HeaderMap,
    /// What links in the answer begin with.
    base: &'a str,
    peer: SocketAddr,
}

/// The ids that every answer carries (client-facts §1): given ones come back, missing ones are made.
struct Ids {
    request: String,
    client: String,
    scenario: Option<String>,
}

impl Ids {
    fn of(headers: &HeaderMap) -> Self {
        let request = fresh_id().to_string();
        let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let client = given("client-request-id").unwrap_or_else(|| request.clone());
        Self { request, client, scenario: given("scenario-id") }
    }
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()
}

/// The whole body, within its bounds of size and time.
async fn read(body: Incoming, headers: &HeaderMap) -> Result<Bytes, Refused> {
    read_at_most(body, headers, limits::BODY).await
}

async fn read_at_most(body: Incoming, headers: &HeaderMap, most: usize) -> Result<Bytes, Refused> {
    let too_large = || {
        let message = format!("The body is larger than {most} bytes.");
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "invalidRequest", message)
    };
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let told = headers.get(hyper::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let whole = tokio::time::timeout(limits::BODY_TIME, Limited::new(body, most).collect()).await;
    match whole {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refused::new(StatusCode::BAD_REQUEST, "invalidRequest", "The body broke off.")),
        Err(_) => Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "invalidRequest", "The body was not sent in time.")),
    }
}

/// What a request asked for, in one of a few words: for metrics.
fn verb(method: &hyper::Method, target: &str) -> &'static str {
    let path = path_of(target);
    match path {
        "/healthz" | "/readyz" => return "health",
        METRICS => return "metrics",
        _ if console::is_file(path) => return "page",
        _ if path.starts_with(phone::PATH) => return "phone",
        _ if path.starts_with("/_ringback/") => return "operator",
        _ if tokens::token_path(path).is_some() => return "token",
        _ if recordings::recording_of(path).is_some() => return "recording",
        _ => {}
    }
    match path::parse(method.as_str(), target).map(|route| route.resource) {
        Ok(Resource::ListCalls { .. }) => "listCalls",
        Ok(Resource::CreateCall) => "createCall",
        Ok(Resource::GetCall { .. }) => "getCall",
        Ok(Resource::HangUp { .. }) => "hangUp",
        Ok(Resource::Act { action, .. }) => action.as_str(),
        Ok(Resource::ListParticipants { .. }) => "listParticipants",
        Ok(Resource::GetParticipant { .. }) => "getParticipant",
        Ok(Resource::ListOperations { .. }) => "listOperations",
        Ok(Resource::GetOperation { .. }) => "getOperation",
        Ok(Resource::Neighbour { neighbour, .. }) => match neighbour {
            Neighbour::Organizations | Neighbour::Organization { .. } => "organization",
            Neighbour::Users | Neighbour::User { .. } => "users",
            Neighbour::OnlineMeetings { .. } | Neighbour::OnlineMeeting { .. } => "onlineMeetings",
            Neighbour::Messages { .. } | Neighbour::Message { .. } => "chatMessages",
            Neighbour::PostMessage { .. } => "postChatMessage",
        },
        Err(_) => "other",
    }
}

/// `$metadata`: what is served, in CSDL.
fn metadata(method: &hyper::Method, version: graph::Version) -> Result<Reply, Refused> {
    if method != hyper::Method::GET {
        return Err(Refused::only("GET"));
    }
    Ok(Reply::body(StatusCode::OK, "application/xml", graph::metadata::print(version)))
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// A method's name; one that no standard names is the client's own word.
fn standard(method: &hyper::Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS") => known,
        _ => "…",
    }
}

/// The call in a path, where there is one.
fn call_in(target: &str) -> Option<String> {
    let mut segments = target.split(['/', '?']);
    segments.find(|segment| segment.eq_ignore_ascii_case("calls"))?;
    // An id, or nothing: a client's own text may be a number or a secret.
    segments.next()?.parse::<CallId>().ok().map(|call| call.to_string())
}
