//! The webhook: a small HTTP listener that lets verified notifications in, once each and in
//! order, and may serve a few files (prompts) beside. What they mean is not known here.
//!
//! A notification is answered 202 only when it has its place in the channel; so the platform,
//! which sends a call's next one after that answer, keeps the order and repeats what found no room.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ringback_graph::Notification;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::limits;
use crate::seen::Seen;
use crate::verify::{Delivery, MESSAGE_ID, Refusal, Verifier, parse};

/// Where notifications come in, and what else the listener serves.
#[derive(Debug, Clone)]
pub struct Webhook {
    path: String,
    files: HashMap<String, File>,
}

#[derive(Debug, Clone)]
struct File {
    kind: HeaderValue,
    bytes: Bytes,
}

impl Default for Webhook {
    fn default() -> Webhook {
        Webhook::at("/callback")
    }
}

impl Webhook {
    /// Notifications are POSTed to `path`, which begins with `/`.
    pub fn at(path: impl Into<String>) -> Webhook {
        Webhook { path: path.into(), files: HashMap::new() }
    }

    /// Also serves `bytes` to anyone who GETs `path`, as `audio/wav`.
    #[must_use]
    pub fn wav(mut self, path: impl Into<String>, bytes: impl Into<Bytes>) -> Webhook {
        let file = File { kind: HeaderValue::from_static("audio/wav"), bytes: bytes.into() };
        self.files.insert(path.into(), file);
        self
    }
}

/// Verified notifications as they come in. Dropping it stops the listener.
pub struct Notifications {
    address: SocketAddr,
    receiver: mpsc::Receiver<Notification<'static>>,
    /// Ends the listener and its connections when dropped.
    _listener: JoinSet<()>,
}

impl Notifications {
    /// Binds `address` (port 0 = any free one) and serves `webhook` on it over plain HTTP.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn listen(address: SocketAddr, verifier: Arc<Verifier>, webhook: Webhook) -> io::Result<Notifications> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (sender, receiver) = mpsc::channel(limits::NOTIFICATIONS);
        let door = Arc::new(Door { verifier, webhook, seen: Mutex::default(), sender });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, door));
        Ok(Notifications { address, receiver, _listener: tasks })
    }

    /// The address bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next notification. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Notification<'static>> {
        self.receiver.recv().await
    }
}

/// What all connections share.
struct Door {
    verifier: Arc<Verifier>,
    webhook: Webhook,
    seen: Mutex<Seen>,
    sender: mpsc::Sender<Notification<'static>>,
}

async fn accept(listener: TcpListener, door: Arc<Door>) {
    let room = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let door = door.clone();
                connections.spawn(async move {
                    serve(stream, door).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "webhook cannot accept a connection");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, door: Arc<Door>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| async { Ok::<_, Infallible>(door.answer(request).await) });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "webhook connection ended");
    }
}

impl Door {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let method = request.method();
        if path == self.webhook.path {
            match *method {
                Method::POST => self.take(request).await,
                _ => only("POST"),
            }
        } else if let Some(file) = self.webhook.files.get(path) {
            match *method {
                Method::GET | Method::HEAD => file.response(),
                _ => only("GET, HEAD"),
            }
        } else {
            empty(StatusCode::NOT_FOUND)
        }
    }

    async fn take(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        // Answer headers of the Graph SDK (contract §5.2).
        let message = request.headers().get(MESSAGE_ID).cloned();
        let scenario = request.headers().get("scenario-id").cloned();
        let mut response = match self.admit(request).await {
            Ok(()) => empty(StatusCode::ACCEPTED),
            Err(refusal) => {
                tracing::warn!(%refusal, "notification refused");
                refused(refusal)
            }
        };
        let headers = response.headers_mut();
        message.map(|value| headers.insert("client-request-id", value));
        scenario.map(|value| headers.insert("scenario-id", value));
        response
    }

    async fn admit(&self, request: Request<Incoming>) -> Result<(), Refusal> {
        let (head, body) = request.into_parts();
        let tenant = self.verifier.admit(&head.headers).await?;
        let body = Limited::new(body, limits::NOTIFICATION_BYTES).collect();
        let body = match timeout(limits::BODY_TIME, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::TooLong),
            Ok(Err(_)) | Err(_) => return Err(Refusal::Body),
        };
        self.pass_on(parse(&head.headers, &body, tenant)?).await
    }

    /// Room first, then the id: what found no room is not yet seen, and its repeat is welcome.
    async fn pass_on(&self, delivery: Delivery) -> Result<(), Refusal> {
        let count = delivery.notifications.len();
        if count > limits::NOTIFICATIONS {
            return Err(Refusal::TooLong);
        }
        let room = timeout(limits::ROOM_TIME, self.sender.reserve_many(count)).await;
        let Ok(Ok(room)) = room else { return Err(Refusal::NoRoom) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let repeat = delivery.message_id.is_some_and(|id| !seen.is_new(&id, limits::SEEN_MESSAGES));
        if !repeat {
            room.zip(delivery.notifications).for_each(|(place, notification)| place.send(notification));
        }
        Ok(())
    }
}

impl File {
    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.bytes.clone()));
        response.headers_mut().insert(CONTENT_TYPE, self.kind.clone());
        response
    }
}

fn refused(refusal: Refusal) -> Response<Full<Bytes>> {
    let mut response = empty(refusal.status());
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    *response.body_mut() = Full::new(Bytes::from(refusal.to_string()));
    response
}

fn only(methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
