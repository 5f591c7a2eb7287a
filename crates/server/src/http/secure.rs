//! HTTP in TLS: handshakes within bounds of time and number, and a clear word for those who speak plain HTTP here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{AlertDescription, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::service::Service;
use super::{Client, serve};
use crate::limits;
use crate::trace::Rule;

const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 55\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS. Begin the address https://...\r\n";

/// Makes secure connections of plain ones.
#[derive(Clone)]
pub(super) struct Handshakes {
    acceptor: TlsAcceptor,
    places: Arc<Semaphore>,
    service: Arc<Service>,
}

impl Handshakes {
    pub(super) fn new(config: Arc<ServerConfig>, service: Arc<Service>) -> Handshakes {
        Handshakes {
            acceptor: TlsAcceptor::from(config),
            places: Arc::new(Semaphore::new(limits::HANDSHAKES)),
            service,
        }
    }

    pub(super) async fn serve(self, stream: TcpStream, peer: SocketAddr, stopping: watch::Receiver<bool>) {
        let handshake = async {
            // The semaphore is never closed.
            let _place = self.places.acquire().await;
            // TLS begins with the number of a record (RFC 8446 §5.1), HTTP with the letters of a method.
            let mut first = [0];
            if stream.peek(&mut first).await? > 0 && first[0].is_ascii_alphabetic() {
                return tell_plain(stream).await.map(|()| None);
            }
            self.acceptor.accept(stream).await.map(Some)
        };
        match timeout(limits::HANDSHAKE_TIME, handshake).await {
            Ok(Ok(Some(stream))) => serve(stream, Client { peer, secure: true }, self.service, stopping).await,
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                self.service.trace.metrics().handshake_failed();
                if is_distrust(&error) {
                    let detail = "it ended the TLS handshake because of the certificate";
                    self.service.trace.found(None, Rule::CertificateNotTrusted, detail);
                }
                tracing::debug!(%error, "a TLS handshake failed");
            }
            Err(_) => {
                self.service.trace.metrics().handshake_failed();
                tracing::debug!("a TLS handshake took too long");
            }
        }
    }
}

/// The client ended the handshake because it does not trust who issued the certificate (RFC 8446 §6.2).
fn is_distrust(error: &io::Error) -> bool {
    let alert = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => return false,
    };
    matches!(
        alert,
        AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::CertificateUnknown
    )
}

/// Answers, then reads on until the client has done, so that the answer is not lost to a reset.
async fn tell_plain(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN).await?;
    stream.shutdown().await?;
    let mut left = limits::PLAIN_DRAINED;
    let mut buffer = [0; 1024];
    while left > 0 {
        match stream.read(&mut buffer).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}
