//! The webhook: a small HTTP listener that lets verified notifications in, once each and in
//! order, and may serve a few files (prompts) beside. What they mean is not known here.
//!
//! A notification is answered 202 only when it has its place in the channel; so the platform,
//! which sends a call's next one after that answer, keeps the order and repeats what found no room.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ringback_graph::Notification;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_layer::Layer;
use tower_service::Service;

use crate::layer::{self, Verify, VerifyLayer};
use crate::limits;
use crate::seen::Seen;
use crate::verify::{Delivery, Refusal, Verifier};

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
    address: Option<SocketAddr>,
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
        let (inlet, mut notifications) = Notifications::inlet();
        notifications.address = Some(listener.local_addr()?);
        let door = Arc::new(Door { webhook, verified: VerifyLayer::new(verifier).layer(inlet) });
        notifications._listener.spawn(accept(listener, door));
        Ok(notifications)
    }

    /// For a web server of your own: what a [`VerifyLayer`] lets through to the [`Inlet`] comes out here.
    pub fn inlet() -> (Inlet, Notifications) {
        let (sender, receiver) = mpsc::channel(limits::NOTIFICATIONS);
        let inlet = Inlet { seen: Arc::default(), sender };
        (inlet, Notifications { address: None, receiver, _listener: JoinSet::new() })
    }

    /// The address bound; `None` behind a web server of your own.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The next notification. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Notification<'static>> {
        self.receiver.recv().await
    }
}

/// Takes verified notifications, each once and in order. A [`tower_service::Service`], whose clones are the same.
#[derive(Clone)]
pub struct Inlet {
    seen: Arc<Mutex<Seen>>,
    sender: mpsc::Sender<Notification<'static>>,
}

impl Inlet {
    /// Room first, then the id: what found no room is not yet seen, and its repeat is welcome.
    async fn take(self, delivery: Delivery) -> Result<(), Refusal> {
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

impl Service<Delivery> for Inlet {
    type Response = ();
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        Box::pin(self.clone().take(delivery))
    }
}

/// What all connections share.
struct Door {
    webhook: Webhook,
    verified: Verify<Inlet>,
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
        if path == self.webhook.path {
            let Ok(response) = self.verified.clone().call(request).await;
            response
        } else if let Some(file) = self.webhook.files.get(path) {
            match *request.method() {
                Method::GET | Method::HEAD => file.response(),
                _ => layer::only("GET, HEAD"),
            }
        } else {
            layer::empty(StatusCode::NOT_FOUND)
        }
    }
}

impl File {
    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.bytes.clone()));
        response.headers_mut().insert(CONTENT_TYPE, self.kind.clone());
        response
    }
}
