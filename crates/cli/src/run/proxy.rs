//! The proxy that a bot's HTTP client is told of: it leads Microsoft's hosts to Ringback and carries everything else
//! through, untouched (RFC 9110 §9.3.6). And the door that the hooks' connections come in by.
//!
//! It sees bytes and no requests: TLS is between the client and whom it asked for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::Url;

use super::hosts::{self, Leads, is_below};
use super::progress::Progress;
use crate::{Failure, limits};

/// The proxy that the user's own environment names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upstream {
    host: String,
    port: u16,
    /// Of `Proxy-Authorization`, where the address has a name and a password.
    authorization: Option<String>,
    /// Domains that go past it, as the user's NO_PROXY said before it was cleaned.
    past: Vec<String>,
}

impl Upstream {
    /// Reads an address such as `http://user:password@proxy.example:3128`. Only plain HTTP proxies can be gone through.
    pub(super) fn parse(address: &str, past: Vec<String>) -> Result<Upstream, Failure> {
        let whole = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let url = Url::parse(&whole).ok().filter(|url| url.scheme() == "http");
        let host = url.as_ref().and_then(|url| url.host_str().map(str::to_owned));
        let (Some(url), Some(host)) = (url, host) else {
            return Err("the proxy that HTTPS_PROXY or ALL_PROXY names is no http:// address, and run can go through \
                        none other: unset it, or name another"
                .into());
        };
        let authorization = (!url.username().is_empty()).then(|| {
            let text = |part: &str| percent_decoded(part);
            STANDARD.encode(format!("{}:{}", text(url.username()), text(url.password().unwrap_or_default())))
        });
        Ok(Upstream { host, port: url.port().unwrap_or(80), authorization, past })
    }

    fn goes_past(&self, host: &str) -> bool {
        self.past.iter().any(|domain| domain == "*" || is_below(host, domain))
    }
}

fn percent_decoded(text: &str) -> String {
    // A form without `=` and `&`, and with its `+` kept, is what stands between `//` and `@`.
    let text = text.replace('+', "%2B");
    url::form_urlencoded::parse(text.as_bytes()).next().map_or(String::new(), |(name, _)| name.into_owned())
}

/// A running proxy. It ends when dropped; connections that are up go on.
pub(super) struct Proxy {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// What is connected to there is Ringback, without being asked for.
    pub(super) door: SocketAddr,
    /// The address that Ringback sees the bot at, and no bot of another run.
    pub(super) from: IpAddr,
    accepting: [JoinHandle<()>; 2],
}

impl Proxy {
    /// Listens on a free port of loopback. Microsoft's hosts lead to `ringback`.
    pub(super) async fn start(
        ringback: SocketAddr,
        upstream: Option<Upstream>,
        progress: Arc<Progress>,
    ) -> Result<Proxy, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let from = from(ringback.ip(), std::process::id()).await;
        let (address, at) = (listener.local_addr()?, door.local_addr()?);
        let ways = Arc::new(Ways { ringback, from, upstream, progress });
        let asked = Arc::clone(&ways);
        let accepting = [
            tokio::spawn(accept(listener, move |client| Arc::clone(&asked).carry(client))),
            tokio::spawn(accept(door, move |client| Arc::clone(&ways).lead(client))),
        ];
        Ok(Proxy { address, door: at, from, accepting })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.iter().for_each(JoinHandle::abort);
    }
}

/// All of 127/8 is this machine's, on Linux: each run has one of it by its process (at most 22 bits; `man 5 proc`), so that
/// what its bot asks is told from what others ask. Where there is no such address, it is the one that others have too.
async fn from(ringback: IpAddr, process: u32) -> IpAddr {
    let own = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 64, 0, 0)) | process);
    let is_there = ringback.is_ipv4() && TcpListener::bind((own, 0)).await.is_ok();
    if is_there { own.into() } else { ringback }
}

struct Ways {
    ringback: SocketAddr,
    /// The address that connections to it are from.
    from: IpAddr,
    upstream: Option<Upstream>,
    progress: Arc<Progress>,
}

async fn accept<F>(listener: TcpListener, carry: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((client, _)) => {
                let carried = carry(client);
                tokio::spawn(async move {
                    carried.await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(limits::ACCEPT_AGAIN).await,
        }
    }
}

impl Ways {
    /// One connection, to its end. What goes wrong is told to the client, which tells its bot.
    async fn carry(self: Arc<Self>, mut client: TcpStream) {
        let _ = client.set_nodelay(true);
        let Ok(Some(head)) = timeout(limits::HEAD_TIME, read_head(&mut client)).await else { return };
        let opened = match target(&head.line) {
            Some((host, port)) => self.open(&host, port).await,
            None => Err(("501 Not Implemented", "ringback run's proxy takes CONNECT alone".to_owned())),
        };
        match opened {
            Ok((mut server, ahead)) => {
                let _ = server.set_nodelay(true);
                let begun = async {
                    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                    client.write_all(&ahead).await?;
                    server.write_all(&head.rest).await
                };
                if begun.await.is_ok() {
                    // Either end may go at any time; the other one sees it.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            }
            Err((status, why)) => {
                let length = why.len() + 1;
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: \
                     close\r\n\r\n{why}\n"
                );
                let _ = client.write_all(answer.as_bytes()).await;
                let _ = client.shutdown().await;
            }
        }
    }

    /// One connection to Ringback, to its end, which comes at once where nobody answers there.
    async fn lead(self: Arc<Self>, mut client: TcpStream) {
        let _ = client.set_nodelay(true);
        if let Ok(mut ringback) = self.connect().await {
            let _ = ringback.set_nodelay(true);
            let _ = copy_bidirectional(&mut client, &mut ringback).await;
        }
    }

    /// A connection to Ringback, which is told by where it is from.
    async fn connect(&self) -> Result<TcpStream, String> {
        let connecting = async {
            let socket = if self.ringback.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.bind((self.from, 0).into())?;
            socket.connect(self.ringback).await
        };
        within(&self.ringback.to_string(), connecting).await
    }

    /// A connection to where this host leads, and what was already read from it; or a status and a reason.
    async fn open(&self, host: &str, port: u16) -> Result<(TcpStream, Vec<u8>), (&'static str, String)> {
        let gateway = |why: String| ("502 Bad Gateway", why);
        match (hosts::leads(host, port), &self.upstream) {
            (Leads::Here, _) => Ok((self.connect().await.map_err(gateway)?, Vec::new())),
            (Leads::Nowhere, _) => {
                let why = hosts::refusal(host, port);
                self.progress.say_once(&why);
                Err(("403 Forbidden", why))
            }
            (Leads::Through, Some(upstream)) if !upstream.goes_past(host) => {
                upstream.open(host, port).await.map_err(gateway)
            }
            (Leads::Through, _) => Ok((connect(host, port).await.map_err(gateway)?, Vec::new())),
        }
    }
}

impl Upstream {
    /// The same, through this proxy.
    async fn open(&self, host: &str, port: u16) -> Result<(TcpStream, Vec<u8>), String> {
        let mut server = connect(&self.host, self.port).await?;
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let authorization = match &self.authorization {
            Some(credentials) => format!("Proxy-Authorization: Basic {credentials}\r\n"),
            None => String::new(),
        };
        let ask = format!("CONNECT {bracketed}:{port} HTTP/1.1\r\nHost: {bracketed}:{port}\r\n{authorization}\r\n");
        let told = async {
            server.write_all(ask.as_bytes()).await.ok()?;
            read_head(&mut server).await
        };
        let Ok(Some(head)) = timeout(limits::HEAD_TIME, told).await else {
            return Err(format!("the proxy {}:{} did not answer", self.host, self.port));
        };
        let status = head.line.split_whitespace().nth(1).unwrap_or_default();
        if status.starts_with('2') {
            return Ok((server, head.rest));
        }
        Err(format!("the proxy {}:{} answered {status}", self.host, self.port))
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    within(&format!("{host}:{port}"), TcpStream::connect((host, port))).await
}

async fn within(to: &str, connecting: impl Future<Output = io::Result<TcpStream>>) -> Result<TcpStream, String> {
    match timeout(limits::CONNECT_TIME, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("{to}: {error}")),
        Err(_) => Err(format!("{to}: no connection within {} s", limits::CONNECT_TIME.as_secs())),
    }
}

/// The head of a request or an answer: its first line, and what was read past its end.
struct Head {
    line: String,
    rest: Vec<u8>,
}

/// Reads one; none if the connection ends before, or it is too long or no text.
async fn read_head(stream: &mut TcpStream) -> Option<Head> {
    let mut bytes = Vec::with_capacity(1024);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if bytes.len() >= limits::HEAD || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let rest = bytes.split_off(end);
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    Some(Head { line: String::from_utf8(line.to_vec()).ok()?, rest })
}

/// Host and port of `CONNECT host:port HTTP/1.1` (RFC 9110 §9.3.6; IPv6 in brackets, which are taken off).
fn target(line: &str) -> Option<(String, u16)> {
    let mut words = line.split(' ');
    if !words.next()?.eq_ignore_ascii_case("CONNECT") {
        return None;
    }
    let (host, port) = words.next()?.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    Some((host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests;
