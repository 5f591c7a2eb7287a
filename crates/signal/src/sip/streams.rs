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

/// In virtual time: who is slow, silent or does not read is let go.
#[cfg(test)]
mod tests {
    use super::*;
    use rsipstack::sip::SipMessage;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::Instant;

    const FAR: &str = "192.0.2.9:5060";
    const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\nFrom: <sip:d@e>;tag=1\r\n\
        To: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

    /// Lets virtual time go on.
    async fn pass(time: Duration) {
        let _ = timeout(time, std::future::pending::<()>()).await;
    }

    struct Far {
        io: DuplexStream,
        connection: Connection,
        streams: Streams,
        library: mpsc::UnboundedReceiver<TransportEvent>,
    }

    async fn far(buffer: usize, opened_by_us: bool) -> Far {
        let (inlet, library) = mpsc::unbounded_channel();
        let streams = Streams::new(inlet, None, CancellationToken::new());
        let (io, ours) = tokio::io::duplex(buffer);
        let flow = Flow { transport: Transport::Tcp, address: FAR.parse().unwrap() };
        let place = if opened_by_us { None } else { streams.0.admit(flow.address.ip()) };
        let connection = streams.0.begin(ours, flow, None, place).await.unwrap();
        Far { io, connection, streams, library }
    }

    impl Far {
        /// How long it takes until the connection is closed.
        async fn closed_after(mut self) -> Duration {
            let begun = Instant::now();
            let mut bytes = [0; 1_024];
            while self.io.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
            assert!(self.connection.closed.is_cancelled());
            assert!(!self.streams.is_open(Flow { transport: Transport::Tcp, address: FAR.parse().unwrap() }));
            assert_eq!(self.streams.0.table().accepted, 0);
            begun.elapsed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_let_go() {
        assert_eq!(far(1_024, false).await.closed_after().await, limits::FIRST_MESSAGE);
        assert_eq!(far(1_024, true).await.closed_after().await, limits::STREAM_IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_end_is_not_waited_for() {
        let mut far = far(1_024, false).await;
        let begun = Instant::now();
        // A byte a second, as slow as it likes: the message's time runs from its first byte.
        for byte in OPTIONS.as_bytes() {
            if far.io.write_all(&[*byte]).await.is_err() {
                break;
            }
            pass(Duration::from_secs(1)).await;
        }
        let lasted = begun.elapsed();
        assert!((limits::MESSAGE_TIME..limits::MESSAGE_TIME * 2).contains(&lasted), "{lasted:?}");
        assert!(far.library.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_keeps_talking_is_kept() {
        let mut far = far(4_096, false).await;
        for _ in 0..10 {
            far.io.write_all(OPTIONS.as_bytes()).await.unwrap();
            assert!(matches!(far.library.recv().await, Some(TransportEvent::Incoming(..))));
            far.streams.handled();
            pass(limits::STREAM_IDLE - Duration::from_secs(1)).await;
        }
        assert_eq!(far.closed_after().await, Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_let_go_and_nobody_waits_for_it() {
        let far = far(64, true).await;
        let message: SipMessage = OPTIONS.try_into().unwrap();
        let begun = Instant::now();
        far.connection.channel.try_send(message.clone()).unwrap();
        far.connection.closed.cancelled().await;
        assert_eq!(begun.elapsed(), limits::WRITE_STALL);
        // And at once, if too much waits.
        let far = self::far(64, true).await;
        let begun = Instant::now();
        for _ in 0..limits::MAX_UNSENT {
            if far.connection.channel.try_send(message.clone()).is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        far.connection.closed.cancelled().await;
        assert!(begun.elapsed() < limits::WRITE_STALL);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_library_has_not_taken_holds_the_far_end_back() {
        let mut far = far(4_096, false).await;
        let held_back = async {
            // More than wait and fit into the buffers together.
            for _ in 0..limits::MAX_MESSAGES_WAITING * 2 {
                far.io.write_all(OPTIONS.as_bytes()).await.unwrap();
            }
        };
        assert!(timeout(Duration::from_secs(1), held_back).await.is_err());
        assert_eq!(far.library.len(), limits::MAX_MESSAGES_WAITING);
    }
}
