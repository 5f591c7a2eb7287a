//! A far end that says exactly what the test says, by UDP, TCP or TLS, and what it reads.

use std::net::SocketAddr;
use std::sync::Arc;

use ringback_signal::{Flow, Transport, Trunk};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use crate::world::{HERE, World, soon, tls};

pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

enum Link {
    Datagrams(UdpSocket),
    /// The stream, and what was read beyond the last message.
    Stream(Mutex<(Box<dyn Bytes>, Vec<u8>)>),
}

pub(crate) struct Raw {
    link: Link,
    transport: Transport,
    address: SocketAddr,
    /// Takes the audio, which nobody looks at.
    pub(crate) rtp: UdpSocket,
    server: SocketAddr,
}

pub(crate) const SDP: &str = "Content-Type: application/sdp";

pub(crate) fn value<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = message.lines().take_while(|l| !l.is_empty());
    lines.find_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()))
}

pub(crate) fn to_tag(message: &str) -> String {
    value(message, "To").unwrap().split(";tag=").nth(1).unwrap().to_owned()
}

impl Raw {
    pub(crate) async fn start(world: &World) -> Raw {
        let socket = UdpSocket::bind((HERE, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        Raw::with(Link::Datagrams(socket), Transport::Udp, address, world.sip.local_addr()).await
    }

    /// A stranger by a stream.
    pub(crate) async fn connect(world: &World, transport: Transport) -> Raw {
        let server = match transport {
            Transport::Tls => world.sip.tls_addr().unwrap(),
            _ => world.sip.local_addr(),
        };
        let tcp = soon(TcpStream::connect(server)).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let io: Box<dyn Bytes> = match transport {
            Transport::Tls => {
                let name = ServerName::try_from("127.0.0.1").unwrap();
                Box::new(soon(TlsConnector::from(tls().1).connect(name, tcp)).await.unwrap())
            }
            _ => Box::new(tcp),
        };
        Raw::accepted(io, transport, address, server).await
    }

    /// What accepted a connection of the server.
    pub(crate) async fn accepted(io: Box<dyn Bytes>, transport: Transport, at: SocketAddr, server: SocketAddr) -> Raw {
        Raw::with(Link::Stream(Mutex::new((io, Vec::new()))), transport, at, server).await
    }

    async fn with(link: Link, transport: Transport, address: SocketAddr, server: SocketAddr) -> Raw {
        let rtp = UdpSocket::bind((HERE, 0)).await.unwrap();
        Raw { link, transport, address, rtp, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address calls to it are placed to.
    pub(crate) fn contact(&self) -> String {
        match self.transport {
            Transport::Udp => format!("sip:x@{}", self.address),
            stream => format!("sip:x@{};transport={stream}", self.address),
        }
    }

    pub(crate) async fn trunk(world: &World) -> Raw {
        let raw = Raw::start(world).await;
        raw.is_trunk(world);
        raw
    }

    /// What comes from here is the carrier's from now on.
    pub(crate) fn is_trunk(&self, world: &World) {
        let flow = Flow { transport: self.transport, address: self.address };
        world.directory.trunks.lock().unwrap().insert(flow, "carrier".into());
    }

    /// As a trunk to call.
    pub(crate) fn as_trunk(&self) -> Arc<Trunk> {
        Arc::new(Trunk::at("carrier", Flow { transport: self.transport, address: self.address }))
    }

    pub(crate) async fn send(&self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&self, bytes: &[u8]) {
        match &self.link {
            Link::Datagrams(socket) => drop(socket.send_to(bytes, self.server).await.unwrap()),
            Link::Stream(stream) => {
                let mut stream = stream.lock().await;
                stream.0.write_all(bytes).await.unwrap();
                stream.0.flush().await.unwrap();
            }
        }
    }

    pub(crate) async fn receive(&self) -> String {
        soon(self.next()).await.expect("the connection stands")
    }

    /// The next message or keep-alive; `None` when the connection was closed.
    pub(crate) async fn next(&self) -> Option<String> {
        let mut buffer = vec![0; 65_536];
        let stream = match &self.link {
            Link::Datagrams(socket) => {
                let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
                return Some(String::from_utf8(buffer[..length].to_vec()).unwrap());
            }
            Link::Stream(stream) => stream,
        };
        let mut stream = stream.lock().await;
        loop {
            if let Some(length) = whole(&stream.1) {
                let rest = stream.1.split_off(length);
                return String::from_utf8(std::mem::replace(&mut stream.1, rest)).ok();
            }
            match stream.0.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(length) => stream.1.extend_from_slice(&buffer[..length]),
            }
        }
    }

    /// Waits until the server closes the connection, whatever it says before.
    pub(crate) async fn closed(&self) {
        let Link::Stream(stream) = &self.link else {
            panic!("datagrams have no end");
        };
        let mut stream = stream.lock().await;
        let mut buffer = [0; 4_096];
        soon(async { while stream.0.read(&mut buffer).await.is_ok_and(|length| length > 0) {} }).await;
    }

    /// Whether a datagram waits; takes it.
    pub(crate) fn try_receive(&self) -> bool {
        let mut buffer = [0; 4_096];
        matches!(&self.link, Link::Datagrams(socket) if socket.try_recv_from(&mut buffer).is_ok())
    }

    /// The next message that starts so; repetitions of others are passed over.
    pub(crate) async fn expect(&self, start: &str) -> String {
        loop {
            let text = self.receive().await;
            if text.starts_with(start) {
                return text;
            }
        }
    }

    /// A request of ours, in the call `call`; `tag` is the far end's.
    pub(crate) fn request(
        &self,
        method: &str,
        call: &str,
        cseq: u32,
        tag: Option<&str>,
        extra: &str,
        body: &str,
    ) -> String {
        let here = self.address();
        let server = self.server;
        let tag = tag.map(|t| format!(";tag={t}")).unwrap_or_default();
        let extra = if extra.is_empty() { String::new() } else { format!("{extra}\r\n") };
        let via = self.transport.to_string().to_uppercase();
        let contact = self.contact();
        format!(
            "{method} sip:bot@{server} SIP/2.0\r\nVia: SIP/2.0/{via} {here};branch=z9hG4bK{call}{cseq}{method};rport\r\n\
             From: <sip:+1555@{here}>;tag=far\r\nTo: <sip:bot@{server}>{tag}\r\nCall-ID: {call}\r\n\
             CSeq: {cseq} {method}\r\nContact: <{contact}>\r\nMax-Forwards: 70\r\n{extra}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub(crate) fn sdp(&self, formats: &str, more: &str) -> String {
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {} RTP/AVP {formats}\r\n{more}",
            self.rtp.local_addr().unwrap().port()
        )
    }

    /// A response to a request of the server.
    pub(crate) fn response(&self, request: &str, status: &str, tag: &str, contact: &str, body: &str) -> String {
        self.response_with(request, status, tag, contact, "", body)
    }

    /// The same, with one more header.
    pub(crate) fn response_with(
        &self,
        request: &str,
        status: &str,
        tag: &str,
        contact: &str,
        extra: &str,
        body: &str,
    ) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            let value = value(request, name).unwrap();
            let tag = if name == "To" && !tag.is_empty() { format!(";tag={tag}") } else { String::new() };
            text += &format!("{name}: {value}{tag}\r\n");
        }
        text += &format!("Contact: <{contact}>\r\n");
        if !extra.is_empty() {
            text += &format!("{extra}\r\n");
        }
        if !body.is_empty() {
            text += "Content-Type: application/sdp\r\n";
        }
        text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }
}

/// The length of the message at the beginning of a stream, once it is whole.
fn whole(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let length: usize = value(head, "Content-Length").unwrap().parse().unwrap();
    (bytes.len() >= end + length).then_some(end + length)
}
