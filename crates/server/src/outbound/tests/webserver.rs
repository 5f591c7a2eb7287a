//! A scripted web server on loopback.

use crate::outbound::Target;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What a server does with a request it has read.
#[derive(Clone)]
pub(super) enum Reply {
    /// Writes this and waits for the next request.
    Send(String),
    /// Writes this and closes.
    Last(String),
    /// Writes this and then nothing, for ever.
    Stall(String),
}

/// A server that answers the n-th request (from 0, over all connections) as the script says.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

type Script = Arc<dyn Fn(usize) -> Reply + Send + Sync>;

impl Server {
    pub(super) async fn start(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Server {
        Server::start_with(Arc::new(script), None).await
    }

    async fn start_with(script: Script, tls: Option<tokio_rustls::TlsAcceptor>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server { address, seen: Arc::default(), connections: Arc::default() };
        let (seen, connections) = (Arc::clone(&server.seen), Arc::clone(&server.connections));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (seen, script, tls) = (Arc::clone(&seen), Arc::clone(&script), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => converse(tcp, &seen, &script).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(tcp).await {
                                converse(stream, &seen, &script).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> Target {
        Target::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Mutex<Vec<String>>, script: &Script) {
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        let (Reply::Send(text) | Reply::Last(text) | Reply::Stall(text)) = script(number);
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.flush().await;
        match script(number) {
            Reply::Send(_) => {}
            Reply::Last(_) => {
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Stall(_) => std::future::pending().await,
        }
    }
}

/// One request, head and body, as text; `None` at the end of the connection.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if bytes.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return Some(String::from_utf8(bytes).unwrap());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

pub(super) fn ok() -> Reply {
    Reply::Send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".into())
}

pub(super) fn ok_with(body: &str) -> Reply {
    Reply::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

pub(super) fn redirect(to: &str) -> Reply {
    Reply::Send(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 2\r\n\r\nhi"))
}

/// A TLS server for `localhost`, and its certificate.
pub(super) async fn tls_server() -> (Server, rustls::pki_types::CertificateDer<'static>) {
    let certificate =
        rustls::pki_types::CertificateDer::from(include_bytes!("../testdata/localhost.cert.der").as_slice());
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(include_bytes!("../testdata/localhost.key.der").as_slice()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    (Server::start_with(Arc::new(|_| ok_with("secret")), Some(acceptor)).await, certificate)
}
