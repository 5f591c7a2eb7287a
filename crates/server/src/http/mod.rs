//! HTTP: listens, reads requests within bounds, checks who asks, and hands them to Graph's API, the
//! token endpoint or the operator's door. Serves the page with a phone.
//!
//! It must not know: the ledger's contents, lanes, legs or media. Nothing depends on this room.

mod answer;
mod apps;
mod claims;
mod console;
mod explain;
mod findings;
mod graph_api;
mod health;
mod meetings;
mod neighbours;
mod notices;
mod operator;
mod origin;
mod permissions;
mod phone;
mod places;
mod recordings;
mod refusals;
mod secure;
mod service;
mod shapes;
mod sites;
mod stream;
mod testing;
mod tokens;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::auth::Auth;
use crate::chats::Chats;
use crate::directory::{SharedDirectory, SipHome};
use crate::engine::Engine;
use crate::first_seen::FirstSeen;
use crate::limits;
use crate::meetings::Meetings;
use crate::notify::Lanes;
use crate::phones::Phones;
use crate::recordings::Recordings;
use crate::scripted::ScriptedPhones;
use crate::trace::Trace;
use answer::{Flushing, Unflushed};
use graph_api::GraphApi;
use health::Health;
use operator::Operator;
use phone::PagePhone;
use places::Places;
use recordings::Reader;
use secure::Handshakes;
use service::Service;

pub(crate) use health::Others;
pub(crate) use operator::Trunks;
pub(crate) use origin::Origins;

/// Its name in ALPN (RFC 7301).
pub(crate) const PROTOCOL: &str = "http/1.1";

/// What the listeners serve with.
pub(crate) struct Serving {
    pub(crate) engine: Engine,
    pub(crate) auth: Arc<Auth>,
    pub(crate) directory: SharedDirectory,
    pub(crate) first_seen: FirstSeen,
    pub(crate) meetings: Meetings,
    pub(crate) trace: Trace,
    /// Fills in what only other rooms know.
    pub(crate) others: Others,
    /// `/metrics` needs no token from loopback.
    pub(crate) open_metrics: bool,
    pub(crate) home: SipHome,
    pub(crate) recordings: Recordings,
    pub(crate) scripted: ScriptedPhones,
    pub(crate) phones: Phones,
    pub(crate) chats: Chats,
    pub(crate) trunks: Trunks,
    pub(crate) lanes: Lanes,
    pub(crate) addresses: serde_json::Value,
    pub(crate) origins: Origins,
}

/// Bound sockets, for plain HTTP and for HTTP in TLS (RFC 9110 §4.2.2).
pub(crate) struct Sockets {
    pub(crate) http: TcpListener,
    pub(crate) https: TcpListener,
    pub(crate) tls: Arc<ServerConfig>,
}

/// The listeners, running.
pub(crate) struct Listener {
    stop: watch::Sender<bool>,
    ready: Arc<AtomicBool>,
    accepting: [tokio::task::JoinHandle<()>; 2],
    connections: Arc<Semaphore>,
}

impl Listener {
    /// Serves the same on both sockets.
    pub(crate) fn start(sockets: Sockets, serving: Serving) -> Self {
        let ready = Arc::new(AtomicBool::new(false));
        let (stop, stopping) = watch::channel(false);
        let connections = Arc::new(Semaphore::new(limits::CONNECTIONS));
        let directory = serving.directory.clone();
        let service = Arc::new(Service {
            recordings: Reader::new(serving.recordings.clone(), Arc::clone(&serving.auth)),
            api: GraphApi {
                engine: serving.engine,
                directory: serving.directory,
                home: serving.home,
                auth: Arc::clone(&serving.auth),
                recordings: serving.recordings,
                meetings: serving.meetings,
                chats: serving.chats,
                trace: serving.trace.clone(),
            },
            scripted: serving.scripted,
            lanes: serving.lanes.clone(),
            phone: PagePhone {
                phones: serving.phones,
                directory: directory.clone(),
                auth: Arc::clone(&serving.auth),
                origins: serving.origins.clone(),
                stopping: stopping.clone(),
            },
            origins: serving.origins,
            auth: serving.auth,
            operator: Operator {
                trace: serving.trace.clone(),
                trunks: serving.trunks,
                first_seen: serving.first_seen,
                lanes: serving.lanes,
                addresses: serving.addresses,
                stopping: stopping.clone(),
            },
            health: Health::new(serving.others, Arc::clone(&connections)),
            open_metrics: serving.open_metrics,
            trace: serving.trace,
            ready: Arc::clone(&ready),
        });
        let (plain, secure) = (Arc::clone(&service), Handshakes::new(sockets.tls, service));
        let places = Places::new(Arc::clone(&connections), limits::CONNECTIONS_OF_ONE);
        let accepting = [
            tokio::spawn(accept(sockets.http, Door::Plain(plain), stopping.clone(), places.clone())),
            tokio::spawn(accept(sockets.https, Door::Secure(secure), stopping, places)),
        ];
        Self { stop, ready, accepting, connections }
    }

    /// `/readyz` says yes from now on.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Takes no new connection, lets requests under way finish, and waits for that at most `within`.
    pub(crate) async fn stop(self, within: Duration) {
        self.set_ready(false);
        let _ = self.stop.send(true);
        for accepting in self.accepting {
            let _ = accepting.await;
        }
        let all = u32::try_from(limits::CONNECTIONS).unwrap_or(u32::MAX);
        if tokio::time::timeout(within, self.connections.acquire_many(all)).await.is_err() {
            tracing::warn!("some requests had not finished when the server stopped");
        }
    }
}

/// What is spoken on a socket.
#[derive(Clone)]
enum Door {
    Plain(Arc<Service>),
    Secure(Handshakes),
}

impl Door {
    async fn serve(self, stream: TcpStream, peer: SocketAddr, stopping: watch::Receiver<bool>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        match self {
            Door::Plain(service) => serve(stream, Client { peer, secure: false }, service, stopping).await,
            Door::Secure(handshakes) => handshakes.serve(stream, peer, stopping).await,
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
struct Client {
    peer: SocketAddr,
    /// The connection is in TLS that ends here.
    secure: bool,
}

async fn accept(listener: TcpListener, door: Door, mut stopping: watch::Receiver<bool>, places: Places) {
    loop {
        let Some(permit) = places.free().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stopping) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Closed without a word: a source with so many connections would have to be waited for.
                let Some(place) = places.give(permit, peer.ip()) else { continue };
                let (door, stopping) = (door.clone(), stopping.clone());
                tokio::spawn(async move {
                    door.serve(stream, peer, stopping).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, or a connection that died in the queue: the listener lives.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(limits::ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn serve<S>(stream: S, client: Client, service: Arc<Service>, mut stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let unflushed = Unflushed::default();
    let io = Flushing::new(TokioIo::new(stream), unflushed.clone());
    let handle = service_fn(|request| {
        let (service, unflushed) = (Arc::clone(&service), unflushed.clone());
        async move { Ok::<_, Infallible>(service.answer(request, client).await.finish(&unflushed)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIME)
        .max_buf_size(limits::HEAD)
        .serve_connection(io, handle);
    tokio::pin!(connection);
    let mut ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stopped(&mut stopping) => None,
    };
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
        ended = Some(connection.await);
    }
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Waits for the stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
