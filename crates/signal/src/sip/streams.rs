//! SIP over TCP and TLS: listeners, connections we open, and the table in which a connection is
//! found again. The library's own streams bound neither connections nor time, and wait for slow
//! readers; so it gets in-memory channels, and what is behind them is ours. Knows connections; no
//! transactions and no calls.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rsipstack::platform::CancellationToken;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::{SipAddr, TransportEvent};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::flow::{Flow, Hop, Transport};
use super::stream;
use crate::limits;
use crate::sources::network;

/// A connection as the transaction layer sees it: what is sent to it is written, in order.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) channel: ChannelConnection,
    /// Cancelled once nothing more can be sent.
    pub(crate) closed: CancellationToken,
}

/// The connections of one endpoint. Clones are the same.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Shared>);

pub(super) struct Shared {
    table: Mutex<Table>,
    /// Into the library.
    inlet: mpsc::UnboundedSender<TransportEvent>,
    /// One permit for each message that may wait in the library's queue.
    pub(super) room: Arc<Semaphore>,
    client: Option<TlsConnector>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Table {
    open: HashMap<Flow, Entry>,
    /// Connections others opened, by who did. Each entry counts at least one.
    sources: HashMap<IpAddr, usize>,
    accepted: usize,
    /// Tells a connection from a later one with the same addresses.
    serial: u64,
}

struct Entry {
    connection: Connection,
    /// What its certificate was verified to bear.
    name: Option<String>,
    serial: u64,
}

/// A place in the bounds of accepted connections, until dropped.
struct Place {
    shared: Arc<Shared>,
    source: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.accepted -= 1;
        if let Some(count) = table.sources.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                table.sources.remove(&self.source);
            }
        }
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Changed only by whole inserts, removes and counts, so a poisoned lock is still sound.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let source = network(source);
        let mut table = self.table();
        let of_source = table.sources.get(&source).copied().unwrap_or_default();
        if table.accepted >= limits::MAX_CONNECTIONS || of_source >= limits::MAX_CONNECTIONS_PER_SOURCE {
            return None;
        }
        table.accepted += 1;
        table.sources.insert(source, of_source + 1);
        drop(table);
        Some(Place { shared: self.clone(), source })
    }

    pub(super) fn deliver(&self, event: TransportEvent) {
        // Without a library there is nobody to hear it.
        let _ = self.inlet.send(event);
    }
}

/// Takes an entry off the table when its connection ends.
struct Listed {
    shared: Arc<Shared>,
    flow: Flow,
    serial: u64,
    closed: CancellationToken,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.closed.cancel();
        let mut table = self.shared.table();
        if table.open.get(&self.flow).is_some_and(|entry| entry.serial == self.serial) {
            table.open.remove(&self.flow);
        }
    }
}

impl Streams {
    /// No connections yet. `inlet` leads into the library; `client`: what outgoing TLS believes.
    pub(crate) fn new(
        inlet: mpsc::UnboundedSender<TransportEvent>,
        client: Option<Arc<ClientConfig>>,
        stop: CancellationToken,
    ) -> Streams {
        Streams(Arc::new(Shared {
            table: Mutex::default(),
            inlet,
            room: Arc::new(Semaphore::new(limits::MAX_MESSAGES_WAITING)),
            client: client.map(TlsConnector::from),
            stop,
        }))
    }

    /// A message of a stream was taken out of the library's queue.
    pub(crate) fn handled(&self) {
        self.0.room.add_permits(1);
    }

    /// Accepts connections until the endpoint ends.
    pub(crate) fn listen(&self, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
        let (shared, tls) = (self.0.clone(), tls.map(TlsAcceptor::from));
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = shared.stop.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, source)) => match shared.admit(source.ip()) {
                        Some(place) => drop(tokio::spawn(accepted_one(place, stream, source, tls.clone()))),
                        // Closed at once: the far end sees that there is no room.
                        None => tracing::debug!("a SIP connection beyond the bounds was closed"),
                    },
                    // Out of descriptors, most likely; others have to close first.
                    Err(error) => {
                        tracing::warn!(%error, "a SIP connection could not be accepted");
                        tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                    }
                }
            }
        });
    }

    /// The connection a request goes by: one that stands, or one that is opened for it. `None`
    /// when there is none within [`limits::CONNECT_LIMIT`].
    pub(crate) async fn connection(&self, hop: &Hop) -> Option<Connection> {
        if let Some(found) = self.standing(hop) {
            return Some(found);
        }
        let name = hop.name.as_ref()?;
        match timeout(limits::CONNECT_LIMIT, self.open(hop.flow, name)).await {
            Ok(Ok(connection)) => Some(connection),
            Ok(Err(error)) => {
                tracing::info!(kind = %error.kind(), transport = %hop.flow.transport, "no SIP connection: {}", plain(&error));
                None
            }
            Err(_) => {
                tracing::info!(transport = %hop.flow.transport, "no SIP connection in time");
                None
            }
        }
    }

    /// Whether the connection stands.
    pub(crate) fn is_open(&self, flow: Flow) -> bool {
        self.standing(&Hop::back(flow)).is_some()
    }

    fn standing(&self, hop: &Hop) -> Option<Connection> {
        let table = self.0.table();
        let entry = table.open.get(&hop.flow)?;
        // Where the far end must prove its name, a connection that proved none is not enough.
        let proven = hop.flow.transport != Transport::Tls || hop.name.is_none() || hop.name == entry.name;
        (proven && !entry.connection.closed.is_cancelled()).then(|| entry.connection.clone())
    }

    async fn open(&self, flow: Flow, name: &str) -> io::Result<Connection> {
        let tcp = TcpStream::connect(flow.address).await?;
        tcp.set_nodelay(true)?;
        if flow.transport != Transport::Tls {
            return self.0.begin(tcp, flow, None, None).await;
        }
        let client = self.0.client.clone().ok_or_else(|| io::Error::other("TLS is not configured"))?;
        let host = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let tls = client.connect(host, tcp).await?;
        self.0.begin(tls, flow, Some(name.to_owned()), None).await
    }
}

/// An error of TLS or TCP, which names no person; the address is left out.
fn plain(error: &io::Error) -> String {
    error.to_string().chars().filter(|c| !c.is_control()).take(160).collect()
}

async fn accepted_one(place: Place, tcp: TcpStream, source: SocketAddr, tls: Option<TlsAcceptor>) {
    let shared = place.shared.clone();
    let source = SocketAddr::new(source.ip().to_canonical(), source.port());
    let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
    let flow = Flow { transport, address: source };
    let begun = async {
        tcp.set_nodelay(true)?;
        match tls {
            None => shared.begin(tcp, flow, None, Some(place)).await.map(drop),
            Some(tls) => {
                let handshake = timeout(limits::HANDSHAKE_LIMIT, tls.accept(tcp)).await;
                let stream = handshake.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                shared.begin(stream, flow, None, Some(place)).await.map(drop)
            }
        }
    };
    if let Err(error) = begun.await {
        tracing::debug!(error = plain(&error), "a SIP connection was not taken");
    }
}

impl Shared {
    /// Puts a connection on the table and carries it from now on.
    async fn begin<S: stream::Io>(
        self: &Arc<Self>,
        io: S,
        flow: Flow,
        name: Option<String>,
        place: Option<Place>,
    ) -> io::Result<Connection> {
        let (outgoing, to_write) = mpsc::unbounded_channel();
        // Nothing comes in by the channel itself: what is read carries it, for the answers.
        let (_, nothing) = mpsc::unbounded_channel();
        let closed = self.stop.child_token();
        let address = SipAddr::new(flow.transport.word(), flow.address.into());
        let channel = ChannelConnection::create_connection(nothing, outgoing, address, Some(closed.clone()));
        let channel = channel.await.map_err(io::Error::other)?;
        let connection = Connection { channel: channel.clone(), closed: closed.clone() };
        let listed = {
            let mut table = self.table();
            table.serial += 1;
            let serial = table.serial;
            table.open.insert(flow, Entry { connection: connection.clone(), name, serial });
            Listed { shared: self.clone(), flow, serial, closed: closed.clone() }
        };
        let opened_by_us = place.is_none();
        let shared = self.clone();
        tokio::spawn(async move {
            let _kept = (place, listed);
            stream::carry(io, stream::Ends { shared, channel, flow, closed, opened_by_us }, to_write).await;
        });
        Ok(connection)
    }
}
