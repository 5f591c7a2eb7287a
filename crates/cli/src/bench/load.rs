//! The load of `bench lifecycle`, in a process of its own: clients in a closed loop, each with its
//! own call and one operation in flight, and the webhook that hears of their ends.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self as client, SendRequest};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::Failure;

/// Lifecycles before the measured time, so that connections and caches are warm.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long one lifecycle may take before its operation counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);
/// Events waiting for one client; it has one operation in flight.
const WAITING: usize = 64;

/// Speaks with the parent over stdin and stdout.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let mut order = async || -> Result<Value, Failure> {
        let line = orders.next_line().await?.ok_or("no order")?;
        Ok(serde_json::from_str(&line)?)
    };
    let settings = Settings::read(&order().await?)?;
    let sink = Sink::start().await?;
    let token = token(&settings).await?;
    let enough = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for _ in 0..settings.clients {
        let bot = Bot::call(&settings, &sink, &token).await?;
        tasks.push(tokio::spawn(bot.work(Arc::clone(&enough))));
    }
    tokio::time::sleep(WARM_UP).await;
    let began = Instant::now();
    println!("{}", json!({ "began": true }));
    tokio::time::sleep(settings.time).await;
    let ended = Instant::now();
    println!("{}", json!({ "ended": true }));
    enough.store(true, Ordering::Relaxed);
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await??);
    }
    println!("{}", figures(&settings, &done, &sink, began, ended));
    let settings = Settings { authority: host(&order().await?)?, ..settings };
    println!("{}", find(&settings, &token, &done).await?);
    // The parent ends this process.
    let _ = order().await;
    Ok(())
}

#[derive(Clone)]
struct Settings {
    authority: String,
    tenant: String,
    app_id: String,
    secret: String,
    user: String,
    clients: usize,
    time: Duration,
}

impl Settings {
    fn read(order: &Value) -> Result<Self, Failure> {
        let text = |name: &str| order[name].as_str().map(str::to_owned).ok_or(format!("no {name}"));
        Ok(Self {
            authority: host(order)?,
            tenant: text("tenant")?,
            app_id: text("app_id")?,
            secret: text("secret")?,
            user: text("user")?,
            clients: usize::try_from(order["clients"].as_u64().unwrap_or(1))?,
            time: Duration::from_secs(order["seconds"].as_u64().unwrap_or(20)),
        })
    }
}

fn host(order: &Value) -> Result<String, Failure> {
    let url = order["url"].as_str().ok_or("no url")?;
    Ok(url.trim_start_matches("http://").to_owned())
}

/// One lifecycle, as its client saw it.
struct Lifecycle {
    operation: String,
    sent: Instant,
    answered: Duration,
    notified: Option<Duration>,
}

/// What one client did.
struct Done {
    call: String,
    lifecycles: Vec<Lifecycle>,
}

/// What the webhook heard, for one call.
enum Heard {
    AudioActive,
    OperationEnded { operation: String, at: Instant },
}

/// The webhook: gives each call's news to its client, and counts messages that come twice.
struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    clients: Mutex<HashMap<String, mpsc::Sender<Heard>>>,
    messages: Mutex<(HashSet<u128>, u64)>,
}

impl Sink {
    async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
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

    fn enter(&self, key: &str) -> mpsc::Receiver<Heard> {
        let (sender, receiver) = mpsc::channel(WAITING);
        lock(&self.shared.clients).insert(key.to_owned(), sender);
        receiver
    }

    fn repeated(&self) -> u64 {
        lock(&self.shared.messages).1
    }
}

async fn hear(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, hyper::Error> {
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
    let client = lock(&shared.clients).get(&key).cloned();
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let heard = match text.split_once("/operations/") {
        Some((_, rest)) => rest.get(..36).map(|id| Heard::OperationEnded { operation: id.to_owned(), at }),
        None => text.contains("\"audio\":\"active\"").then_some(Heard::AudioActive),
    };
    if let (Some(client), Some(heard)) = (client, heard) {
        let _ = client.send(heard).await;
    }
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

// Whole inserts only, so a poisoned lock is still sound.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client: one connection, one call.
struct Bot {
    http: Http,
    call: String,
    heard: mpsc::Receiver<Heard>,
}

impl Bot {
    async fn call(settings: &Settings, sink: &Sink, token: &str) -> Result<Self, Failure> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let key = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
        let mut heard = sink.enter(&key);
        let mut http = Http::connect(&settings.authority, token).await?;
        let body = json!({
            "callbackUri": format!("http://{}/{key}", sink.address),
            "targets": [{ "identity": { "user": { "id": settings.user } } }],
            "requestedModalities": ["audio"],
            "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        });
        let (status, answer) = http.post("/v1.0/communications/calls", body.to_string()).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let call = answer["id"].as_str().ok_or(format!("no call: {status} {answer}"))?.to_owned();
        loop {
            match tokio::time::timeout(PATIENCE, heard.recv()).await?.ok_or("the webhook ended")? {
                Heard::AudioActive => return Ok(Self { http, call, heard }),
                Heard::OperationEnded { .. } => {}
            }
        }
    }

    async fn work(mut self, enough: Arc<AtomicBool>) -> Result<Done, Failure> {
        let path = format!("/v1.0/communications/calls/{}/playPrompt", self.call);
        let mut lifecycles = Vec::new();
        while !enough.load(Ordering::Relaxed) {
            let number = lifecycles.len();
            let body = format!(
                r##"{{"clientContext":"{number}","prompts":[{{"@odata.type":"#microsoft.graph.mediaPrompt","mediaInfo":{{"uri":"http://127.0.0.1/prompt.wav","resourceId":"1d6de2d4-cd51-4309-8daa-70768651088e"}}}}]}}"##
            );
            let sent = Instant::now();
            let (status, answer) = self.http.post(&path, body).await?;
            let answered = sent.elapsed();
            let operation = id_in(&answer).ok_or_else(|| format!("no operation: {status}"))?;
            let notified = self.end_of(&operation).await.map(|at| at - sent);
            lifecycles.push(Lifecycle { operation, sent, answered, notified });
        }
        Ok(Done { call: self.call, lifecycles })
    }

    async fn end_of(&mut self, wanted: &str) -> Option<Instant> {
        let waiting = async {
            loop {
                match self.heard.recv().await? {
                    Heard::OperationEnded { operation, at } if operation == wanted => return Some(at),
                    Heard::OperationEnded { .. } | Heard::AudioActive => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.ok().flatten()
    }
}

/// The id in an operation's JSON, found without reading the rest: the load must leave the machine to the server.
fn id_in(answer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, rest) = text.split_once("\"id\":\"")?;
    Some(rest.get(..36)?.to_owned())
}

/// One kept-alive connection.
struct Http {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    authorization: String,
}

impl Http {
    async fn connect(authority: &str, token: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = client::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, authority: authority.to_owned(), authorization: format!("Bearer {token}") })
    }

    async fn post(&mut self, path: &str, body: String) -> Result<(StatusCode, Bytes), Failure> {
        self.send(Method::POST, path, "application/json", body).await
    }

    async fn send(
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

async fn token(settings: &Settings) -> Result<String, Failure> {
    let mut http = Http::connect(&settings.authority, "").await?;
    let path = format!("/{}/oauth2/v2.0/token", settings.tenant);
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default",
        settings.app_id, settings.secret
    );
    let (status, answer) = http.send(Method::POST, &path, "application/x-www-form-urlencoded", form).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    Ok(answer["access_token"].as_str().ok_or(format!("no token: {status} {answer}"))?.to_owned())
}

fn figures(settings: &Settings, done: &[Done], sink: &Sink, began: Instant, ended: Instant) -> Value {
    let all = || done.iter().flat_map(|done| &done.lifecycles);
    let measured = || all().filter(|life| life.sent >= began && life.sent < ended);
    let mut answers: Vec<Duration> = measured().map(|life| life.answered).collect();
    let mut notices: Vec<Duration> = measured().filter_map(|life| life.notified).collect();
    let seconds = (ended - began).as_secs_f64();
    let lifecycles = notices.len();
    json!({
        "clients": settings.clients,
        "seconds": (seconds * 10.0).round() / 10.0,
        "lifecycles": lifecycles,
        "lifecycles_per_s": (lifecycles as f64 / seconds).round(),
        "answer_p50_ms": percentile(&mut answers, 0.50),
        "answer_p99_ms": percentile(&mut answers, 0.99),
        "notify_p50_ms": percentile(&mut notices, 0.50),
        "notify_p99_ms": percentile(&mut notices, 0.99),
        "answered": all().count(),
        "lost": all().filter(|life| life.notified.is_none()).count(),
        "repeated": sink.repeated(),
    })
}

/// In milliseconds, to a hundredth.
fn percentile(values: &mut [Duration], share: f64) -> f64 {
    values.sort_unstable();
    let index = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(index).map_or(0.0, |value| (value.as_secs_f64() * 1e5).round() / 100.0)
}

/// Looks for every answered operation in the server that was opened again.
async fn find(settings: &Settings, token: &str, done: &[Done]) -> Result<Value, Failure> {
    let mut http = Http::connect(&settings.authority, token).await?;
    let (mut found, mut lost) = (0u64, 0u64);
    for client in done {
        let mut listed = HashSet::new();
        let mut path = format!("/v1.0/communications/calls/{}/operations", client.call);
        loop {
            let (status, answer) = http.send(Method::GET, &path, "application/json", String::new()).await?;
            let answer: Value = serde_json::from_slice(&answer)?;
            let page = answer["value"].as_array().ok_or(format!("no operations: {status} {answer}"))?;
            listed.extend(page.iter().filter_map(|operation| operation["id"].as_str()).map(str::to_owned));
            let Some(next) = answer["@odata.nextLink"].as_str() else { break };
            path = next.split_once("/v1.0").map_or(String::new(), |(_, rest)| format!("/v1.0{rest}"));
        }
        let (here, gone): (Vec<_>, Vec<_>) =
            client.lifecycles.iter().partition(|life| listed.contains(&life.operation));
        found += here.len() as u64;
        lost += gone.len() as u64;
    }
    Ok(json!({ "found": found, "lost": lost }))
}
