//! The one way out: every webhook and every prompt goes through this client.
//!
//! It connects only to addresses it has checked ([`guard`]), bounds size and time of everything, and can say how far a
//! request came. It must not know calls, lanes or what is posted, and it logs no URL: callbacks may hold secrets.

mod connect;
mod connection;
mod fetch;
mod guard;
pub mod limits;
mod target;
mod unchecked;

pub use connect::{ConnectError, system_tls};
pub use fetch::FetchError;
pub use guard::Forbidden;
pub use target::Target;
pub use unchecked::unchecked_tls;

use crate::directory::{AllowList, Origin};
use bytes::Bytes;
use connect::Connector;
use connection::{Connection, Pool};
use hyper::body::{Body as _, Incoming};
use hyper::header::{DATE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What real notifications say (`contract §5.2`); a caller's own `User-Agent` goes first.
const OUR_USER_AGENT: HeaderValue = HeaderValue::from_static("Ringback/0.1,(Calling/1.0)");

/// The guarded client. Cheap to clone; all clones share the idle connections.
#[derive(Clone)]
pub struct Outbound {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    /// Idle connections that passed the guard.
    guarded: Pool,
    /// Idle connections to origins that the operator named for the app that asked: never lent to others.
    named: Pool,
    unfinished: Arc<Semaphore>,
    fetches: Semaphore,
}

/// The head of a webhook's answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status, 200 to 599.
    pub status: u16,
    /// `Location`, as given.
    pub location: Option<String>,
    /// `Retry-After` in seconds; a date is not read.
    pub retry_after: Option<Duration>,
    /// `Date` (RFC 9110 §6.6.1): what the target's clock says.
    pub date: Option<SystemTime>,
    /// What becomes of the body, where it did not come with the head: whether it ended within its bounds.
    pub rest: Option<JoinHandle<bool>>,
}

/// Times of a POST; [`PostLimits::default`] unless a test or an ask needs less.
#[derive(Clone, Copy, Debug)]
pub struct PostLimits {
    /// From the first byte written to the head of the answer.
    pub answer: Duration,
}

impl Default for PostLimits {
    fn default() -> Self {
        PostLimits { answer: limits::ANSWER_TIME }
    }
}

/// Why a POST has no answer, told apart by how far it came (design §6, promise 6).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// There was no connection: the target saw nothing.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended, or stood still, before the whole body was written: the target cannot have acted on it.
    #[error("the request could not be written: {0}")]
    NotWritten(String),
    /// The whole body was written, and no answer came in time. The target may have acted on it.
    #[error("the request was written and not answered in time")]
    Unanswered,
    /// The whole body was written, and then the connection ended or what came is not HTTP. The target may have acted.
    #[error("the request was written and its answer broke off: {0}")]
    Broken(String),
}

impl PostError {
    /// Whether the whole request was written, so that a repeat may be a second one for the target.
    pub fn is_written(&self) -> bool {
        matches!(self, PostError::Unanswered | PostError::Broken(_))
    }
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct OutboundError(#[from] rustls::Error);

impl Outbound {
    /// A client with the system's root certificates. Needs a tokio runtime: idle connections are closed by a task of
    /// it, which ends with the last clone.
    pub fn new(allowed: AllowList) -> Result<Outbound, OutboundError> {
        Ok(Outbound::with_tls(allowed, connect::system_tls()?)?)
    }

    fn with_tls(allowed: AllowList, tls: rustls::ClientConfig) -> Result<Outbound, rustls::Error> {
        let shared = Arc::new(Shared {
            connector: Connector::new(allowed, tls)?,
            guarded: Pool::default(),
            named: Pool::default(),
            unfinished: Arc::new(Semaphore::new(limits::UNFINISHED_ANSWERS)),
            fetches: Semaphore::new(limits::FETCHES_AT_ONCE),
        });
        tokio::spawn(sweep(Arc::downgrade(&shared)));
        Ok(Outbound { shared })
    }

    /// Posts a body, and waits for the head of the answer.
    ///
    /// `named`: the origins that the operator named for the app in whose name this is posted
    /// ([`crate::directory::Reach::named`]): they may be private. `Host`, `Content-Length` and `User-Agent` are added.
    /// A connection that was idle and turns out to be closed is replaced once, if nothing came back on it.
    pub async fn post(
        &self,
        target: &Target,
        named: &[Origin],
        headers: &HeaderMap,
        body: Bytes,
        limits: PostLimits,
    ) -> Result<Answer, PostError> {
        let mut connection = self.connection(target, named).await?;
        loop {
            let head = request(Method::POST, target, headers);
            match timeout(limits.answer, connection.exchange(head, body.clone())).await {
                Ok(Ok(response)) => {
                    let mut answer = Answer::of(&response);
                    answer.rest = self.finish(target, named, connection, response.into_body()).await;
                    return Ok(answer);
                }
                Ok(Err(_)) if connection.is_reused() && !connection.is_answered() => {
                    connection = self.open(target, named).await?;
                }
                Ok(Err(error)) if connection.is_written() => {
                    return Err(PostError::Broken(error.to_string()));
                }
                Ok(Err(error)) => return Err(PostError::NotWritten(error.to_string())),
                Err(_) if connection.is_written() => return Err(PostError::Unanswered),
                Err(_) => return Err(PostError::NotWritten("the target does not read".to_owned())),
            }
        }
    }

    /// An idle connection, or a new one.
    async fn connection(&self, target: &Target, named: &[Origin]) -> Result<Connection, ConnectError> {
        let pool = self.pool(target, named);
        while let Some(mut connection) = pool.take(&target.place) {
            if connection.is_usable().await {
                return Ok(connection);
            }
        }
        self.open(target, named).await
    }

    async fn open(&self, target: &Target, named: &[Origin]) -> Result<Connection, ConnectError> {
        let stream = self.shared.connector.connect(target, is_named(target, named)).await?;
        Connection::open(stream).await.map_err(|error| ConnectError::Unreachable(error.to_string()))
    }

    fn pool(&self, target: &Target, named: &[Origin]) -> &Pool {
        if is_named(target, named) { &self.shared.named } else { &self.shared.guarded }
    }

    /// Reads what is left of an answer and keeps the connection. What is not there yet is read in the background.
    async fn finish(
        &self,
        target: &Target,
        named: &[Origin],
        connection: Connection,
        body: Incoming,
    ) -> Option<JoinHandle<bool>> {
        if body.is_end_stream() {
            self.keep(target, named, connection).await;
            return None;
        }
        let mut rest = Box::pin(read_rest(connection, body));
        match poll_fn(|cx| Poll::Ready(rest.as_mut().poll(cx))).await {
            Poll::Ready(Some(connection)) => self.keep(target, named, connection).await,
            Poll::Ready(None) => {}
            Poll::Pending => return Some(self.finish_later(target, named, rest)),
        }
        None
    }

    fn finish_later<F>(&self, target: &Target, named: &[Origin], rest: Pin<Box<F>>) -> JoinHandle<bool>
    where
        F: Future<Output = Option<Connection>> + Send + 'static,
    {
        let (this, target, named) = (self.clone(), target.clone(), named.to_vec());
        tokio::spawn(async move {
            let Ok(_permit) = this.shared.unfinished.try_acquire() else {
                // Not read, so nothing is known of it.
                return true;
            };
            match timeout(limits::ANSWER_BODY_TIME, rest).await {
                Ok(Some(connection)) => {
                    this.keep(&target, &named, connection).await;
                    true
                }
                Ok(None) => true,
                Err(_) => false,
            }
        })
    }

    /// Connects, says nothing, and hangs up: whether the target can be reached.
    pub async fn reach(&self, target: &Target, named: &[Origin]) -> Result<(), ConnectError> {
        self.open(target, named).await.map(drop)
    }

    async fn keep(&self, target: &Target, named: &[Origin], mut connection: Connection) {
        if connection.is_usable().await {
            self.pool(target, named).keep(&target.place, connection);
        }
    }
}

impl Answer {
    fn of(response: &Response<Incoming>) -> Answer {
        let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let seconds = text(RETRY_AFTER).and_then(|text| text.trim().parse::<f64>().ok());
        Answer {
            status: response.status().as_u16(),
            location: text(LOCATION).map(str::to_owned),
            retry_after: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            date: text(DATE).and_then(|text| httpdate::parse_http_date(text).ok()),
            rest: None,
        }
    }
}

/// Whether the operator named this very origin for the app that asks.
fn is_named(target: &Target, named: &[Origin]) -> bool {
    named.contains(target.origin())
}

fn request(method: Method, target: &Target, headers: &HeaderMap) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = target.path.clone();
    *request.headers_mut() = headers.clone();
    request.headers_mut().insert(HOST, target.authority.clone());
    request.headers_mut().entry(USER_AGENT).or_insert(OUR_USER_AGENT);
    request
}

/// Reads an answer's body to its end; `None` if it is too long or breaks off.
async fn read_rest(mut connection: Connection, mut body: Incoming) -> Option<Connection> {
    let mut length = 0;
    while let Some(piece) = connection.next(&mut body).await {
        length += piece.ok()?.len();
        if length > limits::ANSWER_BODY_BYTES {
            return None;
        }
    }
    Some(connection)
}

async fn sweep(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(limits::SWEEP_TIME).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if let Some(before) = Instant::now().checked_sub(limits::IDLE_TIME) {
            shared.guarded.sweep(before);
            shared.named.sweep(before);
        }
    }
}

#[cfg(test)]
mod tests;
