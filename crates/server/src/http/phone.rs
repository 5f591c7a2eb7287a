//! The door of phones in pages, `/_ringback/phone/…` (docs/PHONE.md): sign in, call, be called, with a session's token in
//! the place of the operator's. Pages of other sites are kept out: a browser sends what they ask from this machine too.
//!
//! It must not know: audio, SIP, or what a call may do.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Method, StatusCode, Uri};
use ringback_core::LegId;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::answer::{JSON, Reply};
use super::origin::Origins;
use super::refusals::Refused;
use super::sites;
use super::stream::{self, Source};
use crate::auth::{Auth, bearer};
use crate::clock;
use crate::directory::{Line, SharedDirectory, User};
use crate::limits;
use crate::meetings::Known;
use crate::phones::{Entries, Next, PageError, PageEvent, Phones, Session};

/// What its paths begin with.
pub(crate) const PATH: &str = "/_ringback/phone/";

/// What the door serves with.
pub(crate) struct PagePhone {
    pub(crate) phones: Phones,
    pub(crate) directory: SharedDirectory,
    pub(crate) auth: Arc<Auth>,
    pub(crate) origins: Origins,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// A request without its body; `path` is what follows [`PATH`].
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) peer: SocketAddr,
}

#[derive(Deserialize)]
struct SignIn {
    user: String,
    password: Option<String>,
}

#[derive(Deserialize)]
struct Call {
    to: String,
    sdp: String,
}

#[derive(Deserialize)]
struct Answer {
    sdp: String,
}

impl PagePhone {
    /// Refuses what a page of [another site](sites::check) sent, before its body is read.
    pub(crate) fn check(&self, request: &Request<'_>) -> Result<(), Refused> {
        sites::check(&self.origins, request.uri, request.headers)?;
        // A form of another site cannot send JSON.
        let given = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let json = given.is_some_and(|given| given.starts_with(JSON));
        if request.method == Method::POST && !json {
            let message = "A phone's request has a body of Content-Type application/json.";
            return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalidRequest", message));
        }
        Ok(())
    }

    /// Carries out a request that was [checked](PagePhone::check).
    pub(crate) async fn serve(&self, request: Request<'_>, body: &[u8]) -> Result<Reply, Refused> {
        let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["sessions"]) => self.sign_in(&request, &parse(body)?),
            ("DELETE", ["sessions"]) => {
                self.phones.sign_out(&self.session(&request)?);
                Ok(Reply::empty(StatusCode::NO_CONTENT))
            }
            ("GET", ["users"]) => self.users(),
            ("GET", ["bots"]) => Ok(self.bots(&self.session(&request)?)),
            ("GET", ["events"]) => {
                let told = Told(self.phones.page_events(&self.session(&request)?));
                Ok(stream::stream(told, self.stopping.clone()))
            }
            ("POST", ["legs"]) => {
                let (session, call) = (self.session(&request)?, parse::<Call>(body)?);
                let phones = self.phones.clone();
                let (leg, sdp) = whole(async move { phones.page_calls(&session, &call.to, call.sdp).await }).await?;
                Ok(json(StatusCode::CREATED, &json!({ "leg": leg.to_string(), "sdp": sdp })))
            }
            ("POST", ["legs", leg, "answer"]) => {
                let (session, leg, Answer { sdp }) = (self.session(&request)?, leg_id(leg)?, parse(body)?);
                let phones = self.phones.clone();
                let sdp = whole(async move { phones.page_answers(&session, leg, sdp).await }).await?;
                Ok(json(StatusCode::OK, &json!({ "sdp": sdp })))
            }
            ("DELETE", ["legs", leg]) => {
                let (session, leg) = (self.session(&request)?, leg_id(leg)?);
                self.phones.page_hangs_up(&session, leg)?;
                Ok(Reply::empty(StatusCode::NO_CONTENT))
            }
            ("GET", ["legs", leg, "timeline"]) => {
                let (session, leg) = (self.session(&request)?, leg_id(leg)?);
                let (entries, over) = self.phones.page_timeline(&session, leg)?;
                Ok(stream::stream(OfCall { entries, end: Box::pin(end(over)) }, self.stopping.clone()))
            }
            (_, ["sessions"]) => Err(Refused::only("POST, DELETE")),
            (_, ["users" | "bots" | "events"] | ["legs", _, "timeline"]) => Err(Refused::only("GET")),
            (_, ["legs"] | ["legs", _, "answer"]) => Err(Refused::only("POST")),
            (_, ["legs", _]) => Err(Refused::only("DELETE")),
            _ => Err(Refused::new(StatusCode::NOT_FOUND, "itemNotFound", "There is nothing at this address.")),
        }
    }

    /// Whoever is in an open directory's reach may be anyone.
    fn wants_password(&self) -> bool {
        !self.directory.current().is_open()
    }

    fn sign_in(&self, request: &Request<'_>, asked: &SignIn) -> Result<Reply, Refused> {
        let directory = self.directory.current();
        let found = directory.user(&asked.user).or_else(|| directory.user_by_sip(&asked.user));
        let user = found.filter(|user| user.line == Line::Sip);
        let with_password = !directory.is_open();
        if with_password {
            let password = asked.password.as_deref().unwrap_or_default();
            let is_right = || user.is_some_and(|user| user.has_password(password));
            let right = self.auth.try_password(request.peer.ip(), clock::wall_seconds(), is_right);
            if !right.map_err(too_many)? {
                // Known or not: the same answer.
                let message = "User or password are wrong. The password is the one of the user's SIP phone.";
                return Err(Refused::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message));
            }
        }
        let Some(user) = user else {
            let message = "There is no such user with a phone: give a user's id or SIP login.";
            return Err(Refused::new(StatusCode::NOT_FOUND, "itemNotFound", message));
        };
        let token = self.phones.sign_in(user, with_password)?;
        Ok(json(StatusCode::CREATED, &json!({ "token": token, "user": print_user(user) }))
            .with("cache-control", "no-store"))
    }

    fn session(&self, request: &Request<'_>) -> Result<Session, PageError> {
        let authorization = request.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        self.phones.session(bearer(authorization).ok_or(PageError::NotSignedIn)?)
    }

    fn users(&self) -> Result<Reply, Refused> {
        if self.wants_password() {
            let message = "Who signs in here with a password names himself.";
            return Err(Refused::new(StatusCode::FORBIDDEN, "notAllowed", message));
        }
        let directory = self.directory.current();
        let mut users: Vec<_> = directory.users().filter(|user| user.line == Line::Sip).collect();
        users.sort_by(|a, b| a.sip.cmp(&b.sip));
        let users: Vec<Value> = users.into_iter().take(limits::LIST_PAGE).map(|user| print_user(user)).collect();
        Ok(json(StatusCode::OK, &json!({ "value": users })))
    }

    /// Bots that this user may call, and meetings.
    fn bots(&self, session: &Session) -> Reply {
        let directory = self.directory.current();
        let mut bots: Vec<_> =
            directory.apps().filter(|app| directory.sees(&app.tenant, &session.user.tenant)).collect();
        bots.sort_by(|a, b| (&a.name, a.id.as_str()).cmp(&(&b.name, b.id.as_str())));
        let print = |app: &Arc<crate::directory::App>| {
            // Without a number it is called by its id.
            let number = app.numbers.first().map_or(app.id.as_str(), String::as_str);
            json!({ "id": app.id.as_str(), "name": app.name, "number": number })
        };
        let meeting = |known: Known| json!({ "id": known.thread, "name": format!("Meeting {}", known.join_id), "number": known.join_id });
        let meetings = self.phones.meetings().list().into_iter().map(meeting);
        let all: Vec<Value> = bots.into_iter().map(print).chain(meetings).take(limits::LIST_PAGE).collect();
        json(StatusCode::OK, &json!({ "value": all }))
    }
}

/// What a page is told. It ends when another page of the session takes its place, when it is too slow, or with the session.
struct Told(mpsc::Receiver<PageEvent>);

impl Source for Told {
    async fn next(&mut self) -> Option<Bytes> {
        self.0.recv().await.map(|event| print_event(&event))
    }
}

/// The timeline of one call.
struct OfCall<E> {
    entries: Entries,
    /// When that is over: some time after the leg, since what the bot is told last comes behind.
    end: Pin<Box<E>>,
}

impl<E: Future<Output = ()> + Send + 'static> Source for OfCall<E> {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            next = self.entries.next() => Some(match next? {
                Next::Entry(entry) => stream::entry(&entry),
                Next::Missed(missed) => stream::missed(missed),
            }),
            () = &mut self.end => None,
        }
    }
}

/// `over`: its sender goes when the leg does.
async fn end(mut over: watch::Receiver<bool>) {
    while over.changed().await.is_ok() {}
    sleep(limits::PAGE_TIMELINE_AFTER).await;
}

fn print_event(event: &PageEvent) -> Bytes {
    let (name, data) = match event {
        PageEvent::Ringing { leg, from, called } => {
            ("ringing", json!({ "leg": leg.to_string(), "from": from, "for": called }))
        }
        PageEvent::Answered { leg } => ("answered", json!({ "leg": leg.to_string() })),
        PageEvent::Ended { leg, reason } => ("ended", json!({ "leg": leg.to_string(), "reason": reason })),
    };
    stream::event(name, &data)
}

fn print_user(user: &User) -> Value {
    json!({ "id": user.id, "name": user.name, "number": user.sip })
}

/// Runs to its end even if the page goes away: what it changes must not be left half done.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, PageError>> + Send + 'static,
) -> Result<T, Refused> {
    let done = tokio::spawn(work).await;
    Ok(done.map_err(|_| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "generalException", "The request broke."))??)
}

fn parse<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("The body is not what docs/PHONE.md says: {error}.");
        Refused::new(StatusCode::BAD_REQUEST, "invalidRequest", message)
    })
}

fn leg_id(text: &str) -> Result<LegId, PageError> {
    text.parse().map(LegId).map_err(|_| PageError::NoLeg)
}

fn json(status: StatusCode, value: &Value) -> Reply {
    Reply::body(status, JSON, value.to_string())
}

fn too_many(seconds: u64) -> Refused {
    let message = "Too many wrong passwords came from there. Wait.";
    Refused {
        retry_after: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
        ..Refused::new(StatusCode::TOO_MANY_REQUESTS, "activityLimitReached", message)
    }
}
