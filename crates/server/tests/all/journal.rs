//! A bot's webhook, and its web server for prompts: it writes down everything that comes, and answers as it was
//! scripted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::{PATIENCE, soon};

/// What a webhook does with a POST.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers with a status and headers.
    Status(u16, Vec<(&'static str, String)>),
    /// Answers with 202 and a body that never ends.
    EndlessBody,
    /// Reads, and never answers.
    Never,
    /// Reads, and closes the connection.
    Close,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Reply {
        Reply::Status(status, Vec::new())
    }

    pub(crate) fn with(status: u16, header: &'static str, value: impl Into<String>) -> Reply {
        Reply::Status(status, vec![(header, value.into())])
    }
}

/// A POST that came.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Told {
    /// The one notification in it.
    pub(crate) fn item(&self) -> Value {
        let mut body: Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(body["value"].as_array().map(Vec::len), Some(1), "{body}");
        body["value"][0].take()
    }

    pub(crate) fn data(&self) -> Value {
        self.item()["resourceData"].take()
    }

    pub(crate) fn url(&self) -> String {
        self.item()["resourceUrl"].as_str().expect("a resourceUrl").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("text")
    }

    pub(crate) fn message_id(&self) -> &str {
        self.header("x-microsoft-skype-message-id")
    }

    /// What it says, in short: `established active`, `terminated`, `operation completed`, `tone tone1`, `roster`.
    pub(crate) fn gist(&self) -> String {
        let (url, data) = (self.url(), self.data());
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if url.contains("/operations/") {
            return format!("operation {}", word(&data["status"]));
        }
        if url.ends_with("/participants") {
            return "roster".to_owned();
        }
        if data["toneInfo"].is_object() {
            return format!("tone {}", word(&data["toneInfo"]["tone"]));
        }
        format!("{} {}", word(&data["state"]), word(&data["mediaState"]["audio"])).trim_end().to_owned()
    }
}

/// Called with each POST as it comes, before anything else.
type Hook = Box<dyn Fn(&Told) + Send>;

#[derive(Default)]
struct State {
    told: Vec<Told>,
    scripts: HashMap<String, VecDeque<Reply>>,
    always: HashMap<String, Reply>,
    files: HashMap<String, Bytes>,
    withheld: HashSet<String>,
    fetched: Vec<(Method, String)>,
    hook: Option<Hook>,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with the journal open")
    }
}

/// The journal. Dropped, it listens no more.
pub(crate) struct Journal {
    shared: Arc<Shared>,
    address: SocketAddr,
    serving: tokio::task::AbortHandle,
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Journal {
    pub(crate) async fn start() -> Journal {
        Self::at(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port"))
    }

    pub(crate) fn at(listener: TcpListener) -> Journal {
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { state: Mutex::default(), changed: watch::channel(()).0 });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Journal { shared, address, serving }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next POSTs to this path are answered so, one after the other; then with 202.
    pub(crate) fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.state().scripts.entry(path.to_owned()).or_default().extend(replies);
    }

    /// Every POST to this path is answered so.
    pub(crate) fn always(&self, path: &str, reply: Reply) {
        self.shared.state().always.insert(path.to_owned(), reply);
    }

    /// Posts to this path are answered with 202 again.
    pub(crate) fn mend(&self, path: &str) {
        self.shared.state().always.remove(path);
    }

    /// Serves a file.
    pub(crate) fn file(&self, path: &str, bytes: impl Into<Bytes>) -> String {
        self.shared.state().files.insert(path.to_owned(), bytes.into());
        self.url(path)
    }

    /// Lets who fetches this file wait for [`Journal::hand_over`].
    pub(crate) fn withhold(&self, path: &str) {
        self.shared.state().withheld.insert(path.to_owned());
    }

    /// Whoever waits for a file gets it.
    pub(crate) fn hand_over(&self, path: &str) {
        self.shared.state().withheld.remove(path);
        self.shared.changed.send_replace(());
    }

    /// Looks at each POST as it comes.
    pub(crate) fn hook(&self, hook: impl Fn(&Told) + Send + 'static) {
        self.shared.state().hook = Some(Box::new(hook));
    }

    /// What was asked for at a path, other than by POST: the methods, in order.
    pub(crate) fn fetched(&self, path: &str) -> Vec<Method> {
        let state = self.shared.state();
        state.fetched.iter().filter(|(_, of)| of == path).map(|(method, _)| method.clone()).collect()
    }

    /// Everything told so far.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.shared.state().told.clone()
    }

    /// Everything told so far about a call, repeats included.
    pub(crate) fn of(&self, call: &str) -> Vec<Told> {
        self.told().into_iter().filter(|told| told.url().split('/').nth(3) == Some(call)).collect()
    }

    /// The gist of everything told so far about a call.
    pub(crate) fn gists(&self, call: &str) -> Vec<String> {
        self.of(call).iter().map(Told::gist).collect()
    }

    /// What was told of an operation.
    pub(crate) fn operation(&self, call: &str, operation: &str) -> Vec<Told> {
        let url = format!("/communications/calls/{call}/operations/{operation}");
        self.of(call).into_iter().filter(|told| told.url() == url).collect()
    }

    /// Waits until `look` finds what it looks for among all that was told.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut(&[Told]) -> Option<T>) -> T {
        let mut changed = self.shared.changed.subscribe();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = look(&self.told()) {
                    return found;
                }
                changed.changed().await.expect("the journal is open");
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("it was never told: {:#?}", self.told().iter().map(Told::gist).collect::<Vec<_>>()),
        }
    }

    /// Waits for the first notice of a call with this gist.
    pub(crate) async fn wait(&self, call: &str, gist: &str) -> Told {
        self.wait_for(call, gist, 1).await
    }

    /// Waits for the `nth` notice of a call with this gist.
    pub(crate) async fn wait_for(&self, call: &str, gist: &str, nth: usize) -> Told {
        self.until(|_| self.of(call).into_iter().filter(|told| told.gist() == gist).nth(nth - 1)).await
    }

    /// Waits for the end of an operation, and gives the resource that was told.
    pub(crate) async fn ended(&self, call: &str, operation: &str) -> Value {
        self.until(|_| self.operation(call, operation).first().map(Told::data)).await
    }

    /// Waits for the next incoming call that was not in `known`, and gives its id.
    pub(crate) async fn incoming(&self, known: &[String]) -> String {
        self.until(|all| {
            let incoming = all
                .iter()
                .filter(|told| told.gist() == "incoming")
                .map(|told| told.data()["id"].as_str().expect("an id").to_owned());
            incoming.into_iter().find(|id| !known.contains(id))
        })
        .await
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(Arc::clone(&shared), request));
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// What the bot sends back.
enum Sent {
    Whole(Option<Bytes>),
    /// One byte, then nothing, for ever.
    Endless(Option<Bytes>),
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Sent::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Sent::Endless(first) => first.take().map_or(Poll::Pending, |byte| Poll::Ready(Some(Ok(Frame::data(byte))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Sent::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Sent::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Sent::Endless(_) => SizeHint::default(),
        }
    }
}

/// Closes the connection where it is returned as an error.
#[derive(Debug, thiserror::Error)]
#[error("scripted")]
struct Closed;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Sent>, Closed> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if head.method != Method::POST {
        let file = {
            let mut state = shared.state();
            state.fetched.push((head.method, path.clone()));
            state.files.get(&path).cloned()
        };
        shared.changed.send_replace(());
        let mut changed = shared.changed.subscribe();
        while shared.state().withheld.contains(&path) {
            soon(changed.changed()).await.map_err(|_| Closed)?;
        }
        return Ok(match file {
            Some(bytes) => Response::new(Sent::Whole(Some(bytes))),
            None => response(404, &[], Sent::Whole(None)),
        });
    }
    let body = soon(body.collect()).await.map_err(|_| Closed)?.to_bytes();
    let told = Told { at: Instant::now(), path: path.clone(), headers: head.headers, body };
    let reply = {
        let mut state = shared.state();
        if let Some(hook) = &state.hook {
            hook(&told);
        }
        state.told.push(told);
        let scripted = state.scripts.get_mut(&path).and_then(VecDeque::pop_front);
        scripted.or_else(|| state.always.get(&path).cloned()).unwrap_or_else(|| Reply::status(202))
    };
    shared.changed.send_replace(());
    match reply {
        Reply::Status(status, headers) => Ok(response(status, &headers, Sent::Whole(None))),
        Reply::EndlessBody => Ok(response(202, &[], Sent::Endless(Some(Bytes::from_static(b"{"))))),
        Reply::Never => std::future::pending().await,
        Reply::Close => Err(Closed),
    }
}

fn response(status: u16, headers: &[(&'static str, String)], body: Sent) -> Response<Sent> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().expect("a header's value"));
    }
    response
}
