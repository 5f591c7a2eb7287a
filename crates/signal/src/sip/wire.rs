//! The SIP library behind one file: an endpoint on a UDP socket and on streams, requests sent and
//! awaited, INVITEs answered. Shared by the server and the scripted phone, which each have an
//! endpoint of their own. Knows transactions; no users, no calls, no media.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Domain, Header, Method, Request, Response, SipMessage, StatusCodeKind, Transport as Word, Uri};
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption, TargetLocator};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use rsipstack::transaction::{EndpointBuilder, TransactionReceiver};
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent, TransportLayer};
use rustls::{ClientConfig, ServerConfig};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;

use super::flow::{Flow, Hop, Transport};
use super::message;
use super::nat::NatFlows;
use super::socket::{Backlog, Handled, Socket};
use super::streams::Streams;
use crate::dialog::Dialog;
use crate::limits;

/// Where the library sends an acknowledgement by itself: by UDP. (What answered by a stream is
/// acknowledged by the same stream, without asking.)
struct ByUdp;

#[async_trait]
impl TargetLocator for ByUdp {
    async fn locate(&self, uri: &Uri) -> rsipstack::Result<SipAddr> {
        let unresolved = || rsipstack::Error::DnsResolutionError("no address".to_owned());
        Hop::of(uri).await.map(|hop| udp(hop.flow.address)).ok_or_else(unresolved)
    }
}

fn udp(address: SocketAddr) -> SipAddr {
    SipAddr::new(Transport::Udp.word(), address.into())
}

/// A request to us, in a box because it is moved about and large.
pub(crate) type Asked = Box<Transaction>;

/// Where a request came from.
pub(crate) fn source(transaction: &Transaction) -> Option<Flow> {
    let from = transaction.connection.as_ref()?.get_remote_addr()?;
    let transport = match from.r#type? {
        Word::Udp => Transport::Udp,
        Word::Tcp => Transport::Tcp,
        Word::Tls => Transport::Tls,
        _ => return None,
    };
    Some(Flow { transport, address: from.get_socketaddr().ok()? })
}

/// What an endpoint listens at.
pub(crate) struct Listen<'a> {
    /// For datagrams; port 0 picks one.
    pub(crate) bind: SocketAddr,
    /// Streams are accepted at the same address and port.
    pub(crate) tcp: bool,
    /// Where TLS is accepted, and how.
    pub(crate) tls: Option<(SocketAddr, Arc<ServerConfig>)>,
    /// What certificates of others are believed.
    pub(crate) client: Option<Arc<ClientConfig>>,
    /// The address others reach us at.
    pub(crate) public: Option<IpAddr>,
    /// `User-Agent`.
    pub(crate) user_agent: &'a str,
}

/// One SIP endpoint. Dropping it ends it.
pub(crate) struct Wire {
    endpoint: EndpointInnerRef,
    streams: Streams,
    stop: CancellationToken,
    /// The address of UDP and TCP.
    pub(crate) bound: SocketAddr,
    /// The address of TLS.
    pub(crate) bound_tls: Option<SocketAddr>,
    /// Where others reach it: goes into `Via`, `Contact` and session descriptions.
    pub(crate) reached: SocketAddr,
    /// See [`NatFlows`].
    pub(crate) nat: NatFlows,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Wire {
    /// Binds the sockets and starts to receive; requests come out of the second value.
    pub(crate) async fn open(listen: Listen<'_>) -> Result<(Wire, TransactionReceiver), CannotListen> {
        let bound = listen.bind;
        let (socket, tcp) = bind(bound, listen.tcp).await.map_err(|why| (bound, why))?;
        let tls = match &listen.tls {
            None => None,
            Some((at, config)) => Some((TcpListener::bind(at).await.map_err(|why| (*at, why))?, config.clone())),
        };
        Wire::start(listen, socket, tcp, tls).await.map_err(|why| (bound, why))
    }

    async fn start(
        listen: Listen<'_>,
        socket: UdpSocket,
        tcp: Option<TcpListener>,
        tls: Option<(TcpListener, Arc<ServerConfig>)>,
    ) -> io::Result<(Wire, TransactionReceiver)> {
        let bound = socket.local_addr()?;
        let bound_tls = tls.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?;
        let public = listen.public.map(|ip| SocketAddr::new(ip, bound.port()));
        let backlog = Backlog::new();
        let socket = Socket::new(socket, backlog.clone());
        let stop = CancellationToken::new();
        let connection = UdpConnection::from_socket(Arc::new(socket), public, Some(stop.clone()));
        let connection = connection.await.map_err(io::Error::other)?;
        let reached = connection.get_addr().get_socketaddr().map_err(io::Error::other)?;
        let transport = TransportLayer::new(stop.clone());
        transport.add_transport(SipConnection::Udp(connection));
        let (inlet, from_streams) = mpsc::unbounded_channel();
        transport.add_connection(SipConnection::Channel(inlet_of(from_streams).await?));
        let streams = Streams::new(inlet, listen.client, stop.clone());
        let nat = NatFlows::default();
        let endpoint = EndpointBuilder::new()
            .with_user_agent(listen.user_agent)
            .with_transport_layer(transport)
            .with_cancel_token(stop.clone())
            .with_option(EndpointOption {
                // Without it the library signs Call-IDs with its own name.
                callid_suffix: Some(reached.ip().to_string()),
                ..EndpointOption::default()
            })
            .with_inspector(Box::new(nat.clone()))
            .with_target_locator(Box::new(ByUdp))
            .with_transport_inspector(Box::new(Handled(backlog, streams.clone())))
            .build();
        let requests = endpoint.incoming_transactions().map_err(io::Error::other)?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move {
            let _ = inner.serve().await;
        });
        if let Some(listener) = tcp {
            streams.listen(listener, None);
        }
        if let Some((listener, config)) = tls {
            streams.listen(listener, Some(config));
        }
        let wire = Wire { endpoint: endpoint.inner, streams, stop, bound, bound_tls, reached, nat };
        Ok((wire, requests))
    }

    /// Stops receiving and sending.
    pub(crate) fn close(&self) {
        self.stop.cancel();
    }

    /// Whether a connection stands. Datagrams need none.
    pub(crate) fn is_open(&self, flow: Flow) -> bool {
        !flow.transport.is_stream() || self.streams.is_open(flow)
    }

    /// Where others reach us by a transport.
    fn reached_by(&self, transport: Transport) -> SocketAddr {
        match (transport, self.bound_tls) {
            (Transport::Tls, Some(tls)) => SocketAddr::new(self.reached.ip(), tls.port()),
            _ => self.reached,
        }
    }

    /// `Contact` of what we send by a transport. `secure`: what it is for bears a `sips:` address
    /// (RFC 3261 §8.1.1.8, §12.1.1).
    pub(crate) fn contact(&self, transport: Transport, secure: bool) -> Header {
        let address = self.reached_by(transport);
        let contact = match transport {
            Transport::Tls if secure => format!("<sips:{address}>"),
            Transport::Udp => format!("<sip:{address}>"),
            stream => format!("<sip:{address};transport={stream}>"),
        };
        message::header("Contact", contact)
    }

    /// Where the next request of a dialog goes: back where its messages come from, if that is
    /// known and stands, else where its numbers say.
    pub(crate) async fn hop(&self, dialog: &Dialog) -> Option<Hop> {
        match dialog.flow {
            Some(flow) if self.is_open(flow) => Some(Hop::back(flow)),
            _ => Hop::of(&dialog.next_hop()).await,
        }
    }

    /// Transactions held, answered ones that still absorb retransmissions included.
    pub(crate) fn transactions(&self) -> usize {
        let stats = self.endpoint.get_stats();
        stats.running_transactions + stats.finished_transactions
    }

    /// Sends a request in a transaction of its own. Adds `Via`, `Max-Forwards` and `User-Agent`.
    /// `None` when it lacks a header it must have.
    pub(crate) fn send(&self, mut request: Request, to: &Hop) -> Option<Sent> {
        let transport = to.flow.transport;
        let sent_by = SipAddr::new(transport.word(), self.reached_by(transport).into());
        let via = self.endpoint.get_via(Some(sent_by), None).ok()?;
        request.headers.push_front(via.into());
        request.headers.push(message::header("Max-Forwards", "70"));
        let user_agent = message::header("User-Agent", self.endpoint.user_agent.as_str());
        request.headers.push(user_agent);
        self.transact(request, to)
    }

    fn transact(&self, request: Request, to: &Hop) -> Option<Sent> {
        let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
        let endpoint = self.endpoint.clone();
        let mut transaction = Transaction::new_client(key, request.clone(), endpoint, None);
        transaction.destination = Some(SipAddr::new(to.flow.transport.word(), to.flow.address.into()));
        let control = transaction.tu_sender.clone();
        let key = transaction.key.clone();
        let (responses, received) = mpsc::channel(limits::MAX_INVITE_EVENTS);
        let way = Way { streams: self.streams.clone(), hop: to.clone(), stop: self.stop.clone() };
        tokio::spawn(drive_client(transaction, way, responses));
        Some(Sent { request, to: to.clone(), responses: received, control, key, provisional: false })
    }

    /// Cancels an INVITE that got a provisional response (RFC 3261 §9.1). Its own final response
    /// still comes.
    pub(crate) fn cancel(&self, invite: &Sent) -> Option<Sent> {
        let original = &invite.request;
        let mut cancel = original.clone();
        cancel.method = Method::Cancel;
        cancel.body.clear();
        cancel.headers.retain(|h| {
            matches!(
                h,
                Header::Via(_)
                    | Header::CallId(_)
                    | Header::From(_)
                    | Header::To(_)
                    | Header::Route(_)
                    | Header::MaxForwards(_)
                    | Header::UserAgent(_)
            )
        });
        let number = message::cseq(original).unwrap_or_default();
        cancel.headers.push(message::header("CSeq", format!("{number} CANCEL")));
        self.transact(cancel, &invite.to)
    }

    /// A response to a request, with our tag in `To` if there is none and its length set.
    pub(crate) fn response(
        &self,
        request: &Request,
        status: u16,
        tag: &str,
        headers: Vec<Header>,
        body: Option<Vec<u8>>,
    ) -> Response {
        let mut response = self.endpoint.make_response(request, status.into(), body);
        // 100 makes no dialog and bears no tag (RFC 3261 §8.2.6.2).
        if status != 100 && message::to_tag(request).is_none() {
            let to = request.to_header().map(|to| to.value().to_owned()).unwrap_or_default();
            let to = message::header("To", format!("{to};tag={tag}"));
            response.headers.unique_push(to);
        }
        if !response.body.is_empty() {
            response.headers.push(message::header("Content-Type", message::SDP));
        }
        response.headers.extend(headers);
        response
    }

    /// Answers a request that is not an INVITE, for good: retransmissions get the same again.
    pub(crate) async fn answer(&self, mut transaction: Asked, status: u16, headers: Vec<Header>) {
        let tag = tag();
        let response = self.response(&transaction.original, status, &tag, headers, None);
        let _ = transaction.respond(response).await;
    }

    /// The same, with a session description.
    pub(crate) async fn answer_with(&self, mut transaction: Asked, headers: Vec<Header>, body: Vec<u8>) {
        let tag = tag();
        let response = self.response(&transaction.original, 200, &tag, headers, Some(body));
        let _ = transaction.respond(response).await;
    }

    /// Answers a request and forgets it (RFC 3261 §8.2.7): a repetition is looked at anew. For
    /// refusals, so that who has no business here costs no memory.
    pub(crate) async fn answer_stateless(&self, transaction: Asked, status: u16, headers: Vec<Header>) {
        let tag = tag();
        let response = self.response(&transaction.original, status, &tag, headers, None);
        if let Some(connection) = &transaction.connection {
            let _ = connection.send(response.into(), None).await;
        }
    }

    /// Takes charge of an INVITE to us.
    pub(crate) fn invited(&self, transaction: Asked, tag: String) -> Invited {
        let request = transaction.original.clone();
        let respond = transaction.tu_sender.clone();
        let (events, received) = mpsc::channel(limits::MAX_INVITE_EVENTS);
        tokio::spawn(drive_server(transaction, events, self.stop.clone()));
        Invited { request, tag, events: received, respond }
    }
}

/// A tag, or another name nobody can guess: 128 random bits.
pub(crate) fn tag() -> String {
    let mut bytes = [0u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// A request of ours under way.
pub(crate) struct Sent {
    /// As sent.
    pub(crate) request: Request,
    to: Hop,
    responses: mpsc::Receiver<Response>,
    control: TransactionEventSender,
    key: TransactionKey,
    provisional: bool,
}

impl Sent {
    /// The next response; `None` when the transaction is over. A request nobody answers gets a
    /// 408 from the transaction itself. Cancel-safe.
    pub(crate) async fn response(&mut self) -> Option<Response> {
        let response = self.responses.recv().await?;
        self.provisional |= response.status_code.kind() == StatusCodeKind::Provisional;
        Some(response)
    }

    /// Whether a provisional response was seen.
    pub(crate) fn provisional(&self) -> bool {
        self.provisional
    }

    /// The final response.
    pub(crate) async fn last(&mut self) -> Option<Response> {
        loop {
            let response = self.response().await?;
            if response.status_code.kind() != StatusCodeKind::Provisional {
                return Some(response);
            }
        }
    }

    /// Stops retransmitting and waiting.
    pub(crate) fn abandon(&self) {
        let _ = self.control.send(TransactionEvent::Terminate(self.key.clone()));
    }
}

/// What a request travels by.
struct Way {
    streams: Streams,
    hop: Hop,
    stop: CancellationToken,
}

/// The library's `receive` must not be interrupted, so a task of its own runs it. When nobody reads the responses any
/// more it goes on to the transaction's end, which is bounded, or that of the endpoint or connection, after which
/// nothing comes.
async fn drive_client(mut transaction: Transaction, way: Way, responses: mpsc::Sender<Response>) {
    let mut over = way.stop;
    if way.hop.flow.transport.is_stream() {
        let Some(connection) = way.streams.connection(&way.hop).await else {
            return;
        };
        transaction.connection = Some(SipConnection::Channel(connection.channel));
        over = connection.closed;
    }
    if transaction.send().await.is_err() {
        return;
    }
    while let Some(message) = received(&mut transaction, &over).await {
        if let SipMessage::Response(response) = message {
            let _ = responses.send(response).await;
        }
    }
}

async fn received(transaction: &mut Transaction, over: &CancellationToken) -> Option<SipMessage> {
    tokio::select! {
        message = transaction.receive() => message,
        () = over.cancelled() => None,
    }
}

/// What happens to an INVITE after it came.
pub(crate) enum InviteEvent {
    /// The caller gave up; the CANCEL is answered already.
    Cancelled,
    /// Our 2xx was acknowledged, with this body.
    Acknowledged(Vec<u8>),
}

/// An INVITE to us.
pub(crate) struct Invited {
    /// As received.
    pub(crate) request: Request,
    /// Our tag.
    pub(crate) tag: String,
    events: mpsc::Receiver<InviteEvent>,
    respond: TransactionEventSender,
}

impl Invited {
    /// The next event; `None` when the transaction is over, which before an acknowledgement means
    /// that none came. Cancel-safe.
    pub(crate) async fn event(&mut self) -> Option<InviteEvent> {
        self.events.recv().await
    }

    /// Sends a response; the transaction repeats it as long as needed.
    pub(crate) fn respond(&self, response: Response) {
        let _ = self.respond.send(TransactionEvent::Respond(response));
    }
}

async fn drive_server(mut transaction: Asked, events: mpsc::Sender<InviteEvent>, stop: CancellationToken) {
    // An answer goes back by the connection the INVITE came by, or not at all.
    let over = transaction.connection.as_ref().and_then(SipConnection::cancel_token).unwrap_or(stop);
    while let Some(message) = received(&mut transaction, &over).await {
        let event = match message {
            SipMessage::Request(request) if request.method == Method::Cancel => InviteEvent::Cancelled,
            SipMessage::Request(request) if request.method == Method::Ack => InviteEvent::Acknowledged(request.body),
            _ => continue,
        };
        let _ = events.send(event).await;
    }
}

/// Why an endpoint does not listen: where, and why.
pub(crate) type CannotListen = (SocketAddr, io::Error);

/// A datagram socket, and a listener at the same port if streams are wanted. Where any port will
/// do, one is looked for that both can have.
async fn bind(at: SocketAddr, tcp: bool) -> io::Result<(UdpSocket, Option<TcpListener>)> {
    let mut tries = if at.port() == 0 { limits::PORT_TRIES } else { 1 };
    loop {
        let socket = UdpSocket::bind(at).await?;
        if !tcp {
            return Ok((socket, None));
        }
        tries -= 1;
        match TcpListener::bind(socket.local_addr()?).await {
            Ok(listener) => return Ok((socket, Some(listener))),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// The one channel by which the messages of all streams enter the library. Its own address is
/// nobody's, so that nothing is ever sent to it.
async fn inlet_of(from_streams: mpsc::UnboundedReceiver<TransportEvent>) -> io::Result<ChannelConnection> {
    let (nowhere, _) = mpsc::unbounded_channel();
    let nobody = SipAddr::new(Transport::Tcp.word(), Domain::from("streams.invalid").into());
    let inlet = ChannelConnection::create_connection(from_streams, nowhere, nobody, None);
    inlet.await.map_err(io::Error::other)
}
