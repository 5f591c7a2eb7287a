//! The SIP library behind one file: an endpoint on a UDP socket, requests sent and awaited,
//! INVITEs answered. Shared by the server and the scripted phone, which each have an endpoint of
//! their own. Knows transactions; no users, no calls, no media.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, Request, Response, SipMessage, StatusCodeKind, Transport, Uri};
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption, MessageInspector, TargetLocator};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use rsipstack::transaction::{EndpointBuilder, TransactionReceiver};
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportLayer};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::message;
use super::socket::{Backlog, Handled, Socket};
use crate::limits;

/// Addresses whose contacts are not to be believed: the far end is behind a NAT and is reached
/// where its messages come from. Counted, since several calls may share one.
#[derive(Clone, Default)]
pub(crate) struct NatFlows(Arc<Mutex<HashMap<SocketAddr, usize>>>);

impl NatFlows {
    /// Marks an address for as long as the mark is kept.
    pub(crate) fn mark(&self, flow: SocketAddr) -> NatMark {
        *self.locked().entry(flow).or_default() += 1;
        NatMark { flows: self.clone(), flow }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`NatFlows::mark`].
pub(crate) struct NatMark {
    flows: NatFlows,
    flow: SocketAddr,
}

impl Drop for NatMark {
    fn drop(&mut self) {
        let mut flows = self.flows.locked();
        if let Some(count) = flows.get_mut(&self.flow) {
            *count -= 1;
            if *count == 0 {
                flows.remove(&self.flow);
            }
        }
    }
}

/// The library acknowledges a 2xx by itself, to the contact in it, before anyone else sees it. So
/// the contact of a far end behind a NAT is put right on arrival.
impl MessageInspector for NatFlows {
    fn before_send(&self, message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        message
    }

    fn after_received(&self, message: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        let SipMessage::Response(mut response) = message else {
            return message;
        };
        let source = from.and_then(|f| f.get_socketaddr().ok());
        let marked = source.filter(|s| self.locked().contains_key(s));
        if let (Some(source), Some(mut uri)) = (marked, message::contact(&response)) {
            uri.host_with_port = source.into();
            let contact = message::header("Contact", format!("<{uri}>"));
            response.headers.unique_push(contact);
        }
        response.into()
    }
}

/// We speak UDP only, whatever transport an address asks for.
struct UdpOnly;

#[async_trait]
impl TargetLocator for UdpOnly {
    async fn locate(&self, uri: &Uri) -> rsipstack::Result<SipAddr> {
        let unresolved = || rsipstack::Error::DnsResolutionError("no address".to_owned());
        resolve(uri).await.map(udp).ok_or_else(unresolved)
    }
}

fn udp(address: SocketAddr) -> SipAddr {
    SipAddr::new(Transport::Udp, address.into())
}

/// The socket address of a SIP address: by number, or looked up as a host name (A and AAAA
/// records only) within [`limits::RESOLVE_LIMIT`].
pub(crate) async fn resolve(uri: &Uri) -> Option<SocketAddr> {
    if let Some(address) = message::socket_address(uri) {
        return Some(address);
    }
    let host = uri.host_with_port.host.to_string();
    let found = tokio::net::lookup_host((host, message::port(uri)));
    let found = tokio::time::timeout(limits::RESOLVE_LIMIT, found).await;
    found.ok()?.ok()?.next()
}

/// A request to us, in a box because it is moved about and large.
pub(crate) type Asked = Box<Transaction>;

/// Where a request came from.
pub(crate) fn source(transaction: &Transaction) -> Option<SocketAddr> {
    transaction.connection.as_ref()?.get_remote_addr()?.get_socketaddr().ok()
}

/// One SIP endpoint on one UDP socket. Dropping it ends it.
pub(crate) struct Wire {
    endpoint: EndpointInnerRef,
    stop: CancellationToken,
    /// The socket's own address.
    pub(crate) bound: SocketAddr,
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
    /// Binds the socket and starts to receive; requests come out of the second value.
    pub(crate) async fn open(
        bind: SocketAddr,
        public: Option<IpAddr>,
        user_agent: &str,
    ) -> io::Result<(Wire, TransactionReceiver)> {
        let socket = UdpSocket::bind(bind).await?;
        let bound = socket.local_addr()?;
        let public = public.map(|ip| SocketAddr::new(ip, bound.port()));
        let backlog = Backlog::new();
        let socket = Socket { inner: socket, backlog: backlog.clone() };
        let stop = CancellationToken::new();
        let connection = UdpConnection::from_socket(Arc::new(socket), public, Some(stop.clone()));
        let connection = connection.await.map_err(io::Error::other)?;
        let reached = connection.get_addr().get_socketaddr().map_err(io::Error::other)?;
        let transport = TransportLayer::new(stop.clone());
        transport.add_transport(SipConnection::Udp(connection));
        let nat = NatFlows::default();
        let endpoint = EndpointBuilder::new()
            .with_user_agent(user_agent)
            .with_transport_layer(transport)
            .with_cancel_token(stop.clone())
            .with_option(EndpointOption {
                // Without it the library signs Call-IDs with its own name.
                callid_suffix: Some(reached.ip().to_string()),
                ..EndpointOption::default()
            })
            .with_inspector(Box::new(nat.clone()))
            .with_target_locator(Box::new(UdpOnly))
            .with_transport_inspector(Box::new(Handled(backlog)))
            .build();
        let requests = endpoint.incoming_transactions().map_err(io::Error::other)?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move {
            let _ = inner.serve().await;
        });
        let wire = Wire { endpoint: endpoint.inner, stop, bound, reached, nat };
        Ok((wire, requests))
    }

    /// Stops receiving and sending.
    pub(crate) fn close(&self) {
        self.stop.cancel();
    }

    /// `Contact` of what we send.
    pub(crate) fn contact(&self) -> Header {
        message::header("Contact", format!("<sip:{}>", self.reached))
    }

    /// Transactions held, answered ones that still absorb retransmissions included.
    pub(crate) fn transactions(&self) -> usize {
        let stats = self.endpoint.get_stats();
        stats.running_transactions + stats.finished_transactions
    }

    /// Sends a request in a transaction of its own. Adds `Via`, `Max-Forwards` and `User-Agent`.
    /// `None` when it lacks a header it must have.
    pub(crate) fn send(&self, mut request: Request, to: SocketAddr) -> Option<Sent> {
        let via = self.endpoint.get_via(None, None).ok()?;
        request.headers.push_front(via.into());
        request.headers.push(message::header("Max-Forwards", "70"));
        let user_agent = message::header("User-Agent", self.endpoint.user_agent.as_str());
        request.headers.push(user_agent);
        self.transact(request, to)
    }

    fn transact(&self, request: Request, to: SocketAddr) -> Option<Sent> {
        let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
        let endpoint = self.endpoint.clone();
        let mut transaction = Transaction::new_client(key, request.clone(), endpoint, None);
        transaction.destination = Some(udp(to));
        let control = transaction.tu_sender.clone();
        let key = transaction.key.clone();
        let (responses, received) = mpsc::channel(limits::MAX_INVITE_EVENTS);
        tokio::spawn(drive_client(transaction, responses, self.stop.clone()));
        Some(Sent { request, to, responses: received, control, key, provisional: false })
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
        self.transact(cancel, invite.to)
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
    to: SocketAddr,
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

/// The library's `receive` must not be interrupted, so a task of its own runs it. When nobody reads the responses any
/// more it goes on to the transaction's end, which is bounded, or the endpoint's, after which no timer runs.
async fn drive_client(mut transaction: Transaction, responses: mpsc::Sender<Response>, stop: CancellationToken) {
    if transaction.send().await.is_err() {
        return;
    }
    while let Some(message) = received(&mut transaction, &stop).await {
        if let SipMessage::Response(response) = message {
            let _ = responses.send(response).await;
        }
    }
}

async fn received(transaction: &mut Transaction, stop: &CancellationToken) -> Option<SipMessage> {
    tokio::select! {
        message = transaction.receive() => message,
        () = stop.cancelled() => None,
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
    while let Some(message) = received(&mut transaction, &stop).await {
        let event = match message {
            SipMessage::Request(request) if request.method == Method::Cancel => InviteEvent::Cancelled,
            SipMessage::Request(request) if request.method == Method::Ack => InviteEvent::Acknowledged(request.body),
            _ => continue,
        };
        let _ = events.send(event).await;
    }
}
