//! The load of `bench lifecycle`, in a process of its own: clients in a closed loop, each with its
//! own call and one operation in flight, and the webhook that hears of their ends.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::bot::{self, Account, Heard, Http, Sink, Told, id_in, percentile};
use super::process::Orders;
use crate::Failure;

/// Lifecycles before the measured time, so that connections and caches are warm.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long one lifecycle may take before its operation counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// Speaks with the parent over stdin and stdout.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut orders = Orders::open();
    let settings = Settings::read(&orders.next().await?)?;
    let sink = Sink::start(Bytes::new()).await?;
    let token = settings.account.token().await?;
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
    let authority = bot::host(&orders.next().await?)?;
    println!("{}", find(&authority, &token, &done).await?);
    orders.end().await
}

struct Settings {
    account: Account,
    user: String,
    clients: usize,
    time: Duration,
}

impl Settings {
    fn read(order: &Value) -> Result<Self, Failure> {
        Ok(Self {
            account: Account::read(order)?,
            user: bot::text(order, "user")?,
            clients: usize::try_from(order["clients"].as_u64().unwrap_or(1))?,
            time: Duration::from_secs(order["seconds"].as_u64().unwrap_or(20)),
        })
    }
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
        let mut http = Http::connect(&settings.account.authority, token).await?;
        let body = json!({
            "callbackUri": sink.url(&key),
            "targets": [{ "identity": { "user": { "id": settings.user } } }],
            "requestedModalities": ["audio"],
            "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        });
        let (status, answer) = http.post("/v1.0/communications/calls", body.to_string()).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let call = answer["id"].as_str().ok_or(format!("no call: {status} {answer}"))?.to_owned();
        loop {
            if tokio::time::timeout(PATIENCE, heard.recv()).await?.ok_or("the webhook ended")?.told == Told::AudioActive
            {
                return Ok(Self { http, call, heard });
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
                let heard = self.heard.recv().await?;
                if matches!(heard.told, Told::OperationEnded(operation) if operation == wanted) {
                    return Some(heard.at);
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.ok().flatten()
    }
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

/// Looks for every answered operation in the server that was opened again.
async fn find(authority: &str, token: &str, done: &[Done]) -> Result<Value, Failure> {
    let mut http = Http::connect(authority, token).await?;
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
