//! Opening a connection: look the name up, check every address, connect to a checked one, TLS where the URL says so.

use super::guard::{self, Forbidden};
use super::limits;
use super::target::Target;
use super::unchecked::unchecked_tls;
use crate::directory::AllowList;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The guard refuses the target.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The name has no address.
    #[error("the host's name cannot be resolved")]
    Unresolved,
    /// No address accepted in time.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The TLS handshake failed.
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// All of it took too long.
    #[error("no connection within {} s", limits::CONNECT_TIME.as_secs())]
    TimedOut,
}

/// Opens connections.
pub(super) struct Connector {
    allowed: AllowList,
    tls: TlsConnector,
    unchecked: TlsConnector,
}

impl Connector {
    pub(super) fn new(allowed: AllowList, tls: ClientConfig) -> Result<Connector, rustls::Error> {
        let (tls, unchecked) = (Arc::new(tls), Arc::new(unchecked_tls()?));
        Ok(Connector { allowed, tls: TlsConnector::from(tls), unchecked: TlsConnector::from(unchecked) })
    }

    /// `named`: the operator named this very origin, so the guard does not ask where it is.
    pub(super) async fn connect(&self, target: &Target, named: bool) -> Result<Stream, ConnectError> {
        let all = async {
            let tcp = self.connect_tcp(target, named).await?;
            // A notification is one small write; waiting for more only delays it.
            tcp.set_nodelay(true).map_err(|error| ConnectError::Unreachable(error.to_string()))?;
            if !target.place.secure {
                return Ok(Stream::new(Wire::Tcp(tcp)));
            }
            let host = bare_host(target).to_owned();
            let name = ServerName::try_from(host).map_err(|error| ConnectError::Tls(error.to_string()))?;
            // Where loopback is open to all, plain HTTP is too: a certificate would protect nothing there.
            let is_here = tcp.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
            let tls = if is_here && self.allowed.has_loopback() { &self.unchecked } else { &self.tls };
            let tls = tls.connect(name, tcp).await.map_err(|error| ConnectError::Tls(error.to_string()))?;
            Ok(Stream::new(Wire::Tls(Box::new(tls))))
        };
        timeout(limits::CONNECT_TIME, all).await.unwrap_or(Err(ConnectError::TimedOut))
    }

    async fn connect_tcp(&self, target: &Target, named: bool) -> Result<TcpStream, ConnectError> {
        let deadline = Instant::now() + limits::CONNECT_TIME;
        let host = bare_host(target);
        let addresses: Vec<IpAddr> = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let found = tokio::net::lookup_host((host, target.place.origin.port)).await;
                found.map_err(|_| ConnectError::Unresolved)?.map(|address| address.ip()).collect()
            }
        };
        if !named {
            guard::check(host, &addresses, &self.allowed)?;
        }
        let mut failure = ConnectError::Unresolved;
        for address in addresses.into_iter().take(limits::ADDRESSES_TRIED) {
            let until = deadline.min(Instant::now() + limits::ADDRESS_TIME);
            let socket = SocketAddr::new(address, target.place.origin.port);
            match timeout_at(until, TcpStream::connect(socket)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = ConnectError::Unreachable(error.kind().to_string()),
                Err(_) => failure = ConnectError::TimedOut,
            }
        }
        Err(failure)
    }
}

/// The host without the brackets of an IPv6 address.
fn bare_host(target: &Target) -> &str {
    target.place.origin.host.trim_matches(['[', ']'])
}

/// TLS with the system's root certificates. Without any, https fails at the handshake and http still works.
pub fn system_tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, unreadable = found.errors.len(), "root certificates");
    tls_with(roots)
}

pub(super) fn tls_with(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// How far the request on a connection has come, seen from below the HTTP library.
#[derive(Default)]
pub(super) struct Progress {
    /// The whole body was handed to the library.
    taken: AtomicBool,
    /// ... and then everything the library had was flushed to the socket.
    written: AtomicBool,
    /// Something was read since the request began.
    answered: AtomicBool,
}

impl Progress {
    pub(super) fn begin(&self) {
        self.taken.store(false, Ordering::Relaxed);
        self.written.store(false, Ordering::Relaxed);
        self.answered.store(false, Ordering::Relaxed);
    }

    pub(super) fn body_taken(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}

enum Wire {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that notes its [`Progress`].
pub(super) struct Stream {
    wire: Wire,
    progress: Arc<Progress>,
}

impl Stream {
    fn new(wire: Wire) -> Stream {
        Stream { wire, progress: Arc::new(Progress::default()) }
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(match &mut self.wire {
            Wire::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Wire::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        })?;
        if buf.filled().len() > before {
            self.progress.answered.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Wire::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Wire::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Tcp(tcp) => tcp.is_write_vectored(),
            Wire::Tls(tls) => tls.is_write_vectored(),
        }
    }

    /// The library asks for this only when it has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(match &mut self.wire {
            Wire::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_flush(cx),
        })?;
        if self.progress.taken.load(Ordering::Relaxed) {
            self.progress.written.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
