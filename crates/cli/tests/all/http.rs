//! The plainest HTTP client: one request by one connection, and the whole answer as text.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// Bounds a failure; nothing takes as long.
const WITHIN: Duration = Duration::from_secs(120);

/// What a server answers: `head` is a request's first line, and perhaps more headers.
pub(crate) fn ask(server: SocketAddr, head: &str, body: &str) -> String {
    ask_by(connect(server), head, body)
}

/// The same, over TLS.
pub(crate) fn ask_over_tls(server: SocketAddr, head: &str, body: &str) -> String {
    let tls = ringback_server::outbound::unchecked_tls().expect("TLS");
    let tls = rustls::ClientConnection::new(tls.into(), server.ip().into()).expect("TLS");
    ask_by(rustls::StreamOwned::new(tls, connect(server)), head, body)
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("it listens");
    stream.set_read_timeout(Some(WITHIN)).expect("a time");
    stream
}

fn ask_by(mut stream: impl Read + Write, head: &str, body: &str) -> String {
    let length = body.len();
    let text = format!("{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// Where the server of this data folder listens.
pub(crate) fn server_of(data: &Path) -> SocketAddr {
    read(data, "http.url").trim_start_matches("http://").parse().expect("an address")
}

/// What it answers its operator; `what` is a method and a path.
pub(crate) fn ask_as_operator(data: &Path, what: &str) -> String {
    let head = format!("{what} HTTP/1.1\r\nAuthorization: Bearer {}", read(data, "operator.token"));
    ask(server_of(data), &head, "")
}

fn read(data: &Path, name: &str) -> String {
    std::fs::read_to_string(data.join(name)).expect("a server's file").trim().to_owned()
}
