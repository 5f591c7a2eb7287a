//! A bot as a benchmark needs one: its requests, its webhook, the prompt it serves. All in the load's process, so that
//! one clock tells when something was sent and when it was heard of.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self as client, SendRequest};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::Failure;

/// Notices waiting for one listener: a call has a handful in flight.
const WAITING: usize = 64;
/// Where the webhook of the configuration leads: incoming calls.
pub(super) const INCOMING: &str = "incoming";

/// Whose bot, and where its server is.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) authority: String,
    tenant: String,
    app_id: String,
    secret: String,
}

impl Account {
    /// As the parent says it.
    pub(super) fn read(order: &Value) -> Result<Self, Failure> {
        Ok(Self {
            authority: host(order)?,
            tenant: text(order, "tenant")?,
            app_id: text(order, "app_id")?,
            secret: text(order, "secret")?,
        })
    }

    /// Gets a token.
    pub(super) async fn token(&self) -> Result<String, Failure> {
        let mut http = Http::connect(&self.authority, "").await?;
        let path = format!("/{}/oauth2/v2.0/token", self.tenant);
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default",
            self.app_id, self.secret
        );
        let (status, answer) = http.send(Method::POST, &path, "application/x-www-form-urlencoded", form).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer["access_token"].as_str().ok_or(format!("no token: {status} {answer}"))?.to_owned())
    }
}

/// A text of an order.
pub(super) fn text(order: &Value, name: &str) -> Result<String, Failure> {
    Ok(order[name].as_str().ok_or(format!("no {name}"))?.to_owned())
}

/// The server's host and port, of an order's `url`.
pub(super) fn host(order: &Value) -> Result<String, Failure> {
    Ok(text(order, "url")?.trim_start_matches("http://").to_owned())
}

/// One kept-alive connection.
pub(super) struct Http {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    authorization: String,
}

impl Http {
    pub(super) async fn connect(authority: &str, token: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = client::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, authority: authority.to_owned(), authorization: format!("Bearer {token}") })
    }

    /// Posts JSON; gives the status and the whole answer.
    pub(super) async fn post(&mut self, path: &str, body: String) -> Result<(StatusCode, Bytes), Failure> {
        self.send(Method::POST, path, "application/json", body).await
    }

    pub(super) async fn send(
        &mut self,
        method: Method,
        path: &str,
        kind: &str,
        body: String,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.authority)
            .header("authorization", &self.authorization)
            .header("content-type", kind)
            .body(Full::new(Bytes::from(body)))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// What a notification tells, as far as a benchmark asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Told {
    Incoming,
    AudioActive,
    Tone,
    OperationEnded(String),
    Terminated,
    Else,
}

/// A notification that was fully read.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) told: Told,
    pub(super) call: String,
    pub(super) at: Instant,
}

/// The bot's listener: gives each path's notifications to who listens there, counts messages that come twice, and
/// serves one prompt to every GET.
pub(super) struct Sink {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    prompt: Bytes,
    listeners: Mutex<HashMap<String, mpsc::Sender<Heard>>>,
    messages: Mutex<(HashSet<u128>, u64)>,
}

impl Sink {
    /// Starts, with the bytes of the prompt.
    pub(super) async fn start(prompt: Bytes) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { prompt, ..Shared::default() });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let shared = Arc::clone(&accepting);
                let hear = service_fn(move |request| hear(Arc::clone(&shared), request));
                tokio::spawn(server::Builder::new().serve_connection(TokioIo::new(stream), hear));
            }
        });
        Ok(Self { address, shared })
    }

    /// Listens to what is told at this path.
    pub(super) fn enter(&self, key: &str) -> mpsc::Receiver<Heard> {
        let (sender, receiver) = mpsc::channel(WAITING);
        lock(&self.shared.listeners).insert(key.to_owned(), sender);
        receiver
    }

    /// The URL of a path.
    pub(super) fn url(&self, key: &str) -> String {
        format!("http://{}/{key}", self.address)
    }

    /// Messages told more than once.
    pub(super) fn repeated(&self) -> u64 {
        lock(&self.shared.messages).1
    }
}

async fn hear(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    if request.method() == Method::GET {
        return Ok(Response::new(Full::new(shared.prompt.clone())));
    }
    let key = request.uri().path().trim_start_matches('/').to_owned();
    let message = request
        .headers()
        .get("x-microsoft-skype-message-id")
        .and_then(|id| id.to_str().ok())
        .and_then(|id| u128::from_str_radix(&id.replace('-', ""), 16).ok());
    let body = request.into_body().collect().await?.to_bytes();
    let at = Instant::now();
    {
        let mut messages = lock(&shared.messages);
        if message.is_some_and(|id| !messages.0.insert(id)) {
            messages.1 += 1;
        }
    }
    let listener = lock(&shared.listeners).get(&key).cloned();
    if let Some(listener) = listener {
        let (call, told) = read(std::str::from_utf8(&body).unwrap_or_default());
        let _ = listener.send(Heard { told, call, at }).await;
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// The call, and what is told of it: found without reading the rest, since the load must leave the machine to the
/// server.
fn read(text: &str) -> (String, Told) {
    let id_after = |mark: &str| text.split_once(mark).and_then(|(_, rest)| rest.get(..36)).map(str::to_owned);
    let call = id_after("/calls/").unwrap_or_default();
    let told = match id_after("/operations/") {
        Some(operation) => Told::OperationEnded(operation),
        None if text.contains("\"toneInfo\":{") => Told::Tone,
        None if text.contains("\"state\":\"incoming\"") => Told::Incoming,
        None if text.contains("\"state\":\"terminated\"") => Told::Terminated,
        None if text.contains("\"audio\":\"active\"") => Told::AudioActive,
        None => Told::Else,
    };
    (call, told)
}

/// The id in an operation's JSON, found in the same way.
pub(super) fn id_in(answer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, rest) = text.split_once("\"id\":\"")?;
    Some(rest.get(..36)?.to_owned())
}

/// In milliseconds, to a hundredth.
pub(super) fn percentile(values: &mut [Duration], share: f64) -> f64 {
    values.sort_unstable();
    let index = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(index).map_or(0.0, |value| (value.as_secs_f64() * 1e5).round() / 100.0)
}

// Whole inserts only, so a poisoned lock is still sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
