//! A scripted SIP phone for the test API, the demo, tests and benches: a user agent with an endpoint and an RTP
//! loop of its own, so that it can judge the server it talks to. Knows nothing of the server's
//! inside; it shares only the wire and the session descriptions with it.

mod audio;
mod call;
mod heard;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ringback_media::Codec;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request, Response, StatusCodeKind, Uri, Version};
use rsipstack::transaction::TransactionReceiver;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use crate::credentials::{Answerer, Login};
use crate::dialog::Dialog;
use crate::limits;
use crate::sdp::{self, Direction, Local};
use crate::sip::challenged;
use crate::sip::flow::{Flow, Hop, Transport};
use crate::sip::message::{self, header};
use crate::sip::wire::{self, Asked, InviteEvent, Invited, Listen, Sent, Wire};
use audio::Audio;
pub use call::{CallEnd, PhoneCall};

/// Whose phone, and where its server is.
#[derive(Clone)]
pub struct PhoneConfig {
    /// The server: registrar and the way out.
    pub registrar: SocketAddr,
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// The address to bind, for SIP and RTP; ports are picked.
    pub bind: IpAddr,
}

/// What went wrong for a phone.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// No socket.
    #[error("the phone has no socket: {0}")]
    Io(#[from] io::Error),
    /// The far end answered with this final status.
    #[error("the far end refused with status {0}")]
    Refused(u16),
    /// No answer, or none that can be used.
    #[error("the far end did not answer")]
    NoResponse,
    /// The session descriptions have no audio in common.
    #[error("no audio stream in common")]
    NoAudio,
    /// The call is over.
    #[error("the call is over")]
    Over,
    /// The address called is no SIP address.
    #[error("not a SIP address")]
    BadAddress,
}

/// A running phone. Clones are the same one; the last one dropped ends it.
#[derive(Clone)]
pub struct Phone {
    inner: Arc<Inner>,
    ringing: Arc<AsyncMutex<mpsc::Receiver<RingingCall>>>,
}

pub(crate) struct Inner {
    config: PhoneConfig,
    wire: Wire,
    /// The registration's `Call-ID` and last sequence number.
    registration: (String, Mutex<u32>),
    calls: Mutex<HashMap<(String, String), mpsc::Sender<Asked>>>,
    /// What it speaks, the best first.
    codecs: Mutex<&'static [Codec]>,
}

/// A dialog's place in the phone: where its requests arrive. Taken off the list when dropped.
pub(crate) struct Line {
    phone: Arc<Inner>,
    key: (String, String),
    requests: mpsc::Receiver<Asked>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.phone.calls().remove(&self.key);
    }
}

impl Inner {
    fn calls(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), mpsc::Sender<Asked>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(self: &Arc<Self>, call_id: String, tag: String) -> Line {
        let (sender, requests) = mpsc::channel(limits::MAX_REQUESTS_WAITING);
        let key = (call_id, tag);
        self.calls().insert(key.clone(), sender);
        Line { phone: self.clone(), key, requests }
    }

    fn local(&self, audio: &Audio) -> Local {
        let session = u64::from(audio.address.port());
        Local { address: audio.address, session, version: 1, codecs: self.codecs() }
    }

    fn codecs(&self) -> &'static [Codec] {
        *self.codecs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our address of record.
    fn own(&self) -> Option<Uri> {
        message::address_of(&self.config.user, &self.config.registrar.to_string())
    }

    /// Sends a request, and once more with credentials if it is challenged. Gives the transaction
    /// whose first non-challenge response is still to come, and that response.
    async fn ask(&self, mut request: Request, cseq: &mut u32) -> Result<(Sent, Response), PhoneError> {
        let PhoneConfig { user, password, registrar, .. } = &self.config;
        let mut answerer = Answerer::new(Some(Login { user: user.clone(), password: password.clone() }));
        loop {
            request.headers.unique_push(header("CSeq", format!("{cseq} {}", request.method)));
            let sent = self.wire.send(request.clone(), &Hop::back(Flow::udp(*registrar)));
            let mut sent = sent.ok_or(PhoneError::NoResponse)?;
            let response = loop {
                let response = sent.response().await.ok_or(PhoneError::NoResponse)?;
                // 100 says nothing about whether we may.
                if response.status_code.code() != 100 {
                    break response;
                }
            };
            let Some(credentials) = challenged::credentials(&mut answerer, &request, &response) else {
                return Ok((sent, response));
            };
            *cseq += 1;
            request.headers.unique_push(credentials);
        }
    }
}

impl Phone {
    /// Switches a phone on; it is not registered yet.
    pub async fn start(config: PhoneConfig) -> Result<Phone, PhoneError> {
        let bind = SocketAddr::new(config.bind, 0);
        let listen = Listen { bind, tcp: false, tls: None, client: None, public: None, user_agent: "ringback-phone" };
        let (wire, requests) = Wire::open(listen).await.map_err(|(_, why)| why)?;
        let (rings, ringing) = mpsc::channel(limits::PHONE_RINGING);
        let registration = (wire::tag(), Mutex::new(0));
        let codecs = Mutex::new(&[Codec::Pcmu, Codec::Pcma][..]);
        let inner = Arc::new(Inner { config, wire, registration, calls: Mutex::default(), codecs });
        tokio::spawn(serve(Arc::downgrade(&inner), requests, rings));
        Ok(Phone { inner, ringing: Arc::new(AsyncMutex::new(ringing)) })
    }

    /// What it speaks from now on, the best first: in the calls that begin, and in offers within calls. G.711 unless told
    /// otherwise, the cheapest to hear.
    pub fn speak(&self, codecs: &'static [Codec]) {
        *self.inner.codecs.lock().unwrap_or_else(PoisonError::into_inner) = codecs;
    }

    /// Where the phone's SIP socket is.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.wire.bound
    }

    /// Registers for as long as the server grants, and tells how long that is.
    pub async fn register(&self) -> Result<Duration, PhoneError> {
        self.registration(3_600).await
    }

    /// Takes the registration back.
    pub async fn unregister(&self) -> Result<(), PhoneError> {
        self.registration(0).await.map(drop)
    }

    async fn registration(&self, expires: u32) -> Result<Duration, PhoneError> {
        let phone = &self.inner;
        let own = phone.own().ok_or(PhoneError::BadAddress)?;
        let server = format!("sip:{}", phone.config.registrar);
        let (call_id, last) = &phone.registration;
        let mut cseq = *last.lock().unwrap_or_else(PoisonError::into_inner) + 1;
        let contact = format!("<sip:{}@{}>", phone.config.user, phone.wire.reached);
        let headers = vec![
            header("Call-ID", call_id.as_str()),
            header("From", message::name_address(None, &own, Some(&wire::tag()))),
            header("To", message::name_address(None, &own, None)),
            header("Contact", contact),
            header("Expires", expires.to_string()),
        ];
        let request = Request {
            method: Method::Register,
            uri: message::address(&server).ok_or(PhoneError::BadAddress)?,
            version: Version::V2,
            headers: headers.into(),
            body: Vec::new(),
        };
        let (_, response) = phone.ask(request, &mut cseq).await?;
        *last.lock().unwrap_or_else(PoisonError::into_inner) = cseq;
        if response.status_code.kind() != StatusCodeKind::Successful {
            return Err(PhoneError::Refused(response.status_code.code()));
        }
        let contacts = response.typed_contact_headers().unwrap_or_default();
        let granted = contacts.iter().filter_map(|c| c.expires()).max().unwrap_or(0);
        Ok(Duration::from_secs(granted.into()))
    }

    /// Calls a user or number of the server, or a `sip:` address through it, and waits until it
    /// is answered.
    pub async fn call(&self, target: &str) -> Result<PhoneCall, PhoneError> {
        self.dial(target).await?.answered().await
    }

    /// Calls, and comes back when the far end responds: rings, answers or refuses.
    pub async fn dial(&self, target: &str) -> Result<DialledCall, PhoneError> {
        self.dial_with(target, Audio::open(self.inner.config.bind).await?).await
    }

    /// The same, with the RTP at an address that someone else sends from and receives at.
    pub async fn dial_elsewhere(&self, target: &str, rtp: SocketAddr) -> Result<DialledCall, PhoneError> {
        self.dial_with(target, Audio::elsewhere(rtp)).await
    }

    async fn dial_with(&self, target: &str, audio: Audio) -> Result<DialledCall, PhoneError> {
        let phone = &self.inner;
        let uri = match target.starts_with("sip:") {
            true => message::address(target),
            false => message::address_of(target, &phone.config.registrar.to_string()),
        };
        let uri = uri.ok_or(PhoneError::BadAddress)?;
        let own = phone.own().ok_or(PhoneError::BadAddress)?;
        let local = phone.local(&audio);
        let (call_id, tag) = (wire::tag(), wire::tag());
        let headers = vec![
            header("Call-ID", call_id.as_str()),
            header("From", message::name_address(None, &own, Some(&tag))),
            header("To", message::name_address(None, &uri, None)),
            phone.wire.contact(Transport::Udp, false),
            header("Content-Type", message::SDP),
        ];
        let request = Request {
            method: Method::Invite,
            uri,
            version: Version::V2,
            headers: headers.into(),
            body: sdp::offer(&local, Direction::SendReceive),
        };
        let line = phone.line(call_id, tag);
        let (sent, response) = phone.ask(request, &mut 1).await?;
        Ok(DialledCall { line, sent, response, audio, local })
    }

    /// Waits for a call to come in.
    pub async fn ringing(&self) -> Result<RingingCall, PhoneError> {
        self.ringing.lock().await.recv().await.ok_or(PhoneError::Over)
    }
}

/// A call that was placed and responded to.
pub struct DialledCall {
    line: Line,
    sent: Sent,
    /// The newest response.
    response: Response,
    audio: Audio,
    local: Local,
}

impl DialledCall {
    /// The status of the newest response.
    pub fn status(&self) -> u16 {
        self.response.status_code.code()
    }

    /// Waits for the next response; true when it is the final one. Cancel-safe.
    pub async fn progressed(&mut self) -> Result<bool, PhoneError> {
        self.response = self.sent.response().await.ok_or(PhoneError::NoResponse)?;
        Ok(self.response.status_code.kind() != StatusCodeKind::Provisional)
    }

    /// Waits for the answer.
    pub async fn answered(mut self) -> Result<PhoneCall, PhoneError> {
        if self.response.status_code.kind() == StatusCodeKind::Provisional {
            while !self.progressed().await? {}
        }
        if self.response.status_code.kind() != StatusCodeKind::Successful {
            return Err(PhoneError::Refused(self.status()));
        }
        let dialog = Dialog::uac(&self.response, None).ok_or(PhoneError::NoResponse)?;
        let agreed = sdp::read_answer(&self.response.body, self.local.codecs).map_err(|_| PhoneError::NoAudio)?;
        self.audio.connect(agreed);
        // Repetitions of the answer are acknowledged as long as someone listens.
        let mut sent = self.sent;
        tokio::spawn(async move { while sent.response().await.is_some() {} });
        Ok(PhoneCall::start(self.line, dialog, self.audio, self.local))
    }

    /// Gives up, and tells the final status of the INVITE: 487 where the far end agreed, 200 where its answer crossed.
    pub async fn cancel(&mut self) -> Result<u16, PhoneError> {
        if self.response.status_code.kind() == StatusCodeKind::Provisional {
            let cancel = self.line.phone.wire.cancel(&self.sent);
            let _cancel = cancel.ok_or(PhoneError::NoResponse)?;
            self.response = self.sent.last().await.ok_or(PhoneError::NoResponse)?;
        }
        Ok(self.status())
    }
}

/// A call that rings at the phone.
pub struct RingingCall {
    phone: Arc<Inner>,
    invited: Invited,
    /// The caller's user part or number.
    pub from: String,
    /// The caller's display name.
    pub from_display: Option<String>,
}

impl RingingCall {
    fn respond(&self, status: u16, body: Option<Vec<u8>>) {
        let wire = &self.phone.wire;
        let Invited { request, tag, .. } = &self.invited;
        let headers = if status < 300 { vec![wire.contact(Transport::Udp, false)] } else { Vec::new() };
        self.invited.respond(wire.response(request, status, tag, headers, body));
    }

    /// Picks up; returns when the far end acknowledged.
    pub async fn answer(self) -> Result<PhoneCall, PhoneError> {
        let audio = Audio::open(self.phone.config.bind).await?;
        self.answer_with(audio).await
    }

    /// The same, with the RTP at an address that someone else sends from and receives at.
    pub async fn answer_elsewhere(self, rtp: SocketAddr) -> Result<PhoneCall, PhoneError> {
        self.answer_with(Audio::elsewhere(rtp)).await
    }

    async fn answer_with(mut self, audio: Audio) -> Result<PhoneCall, PhoneError> {
        let local = self.phone.local(&audio);
        let Ok((body, agreed)) = sdp::answer(&self.invited.request.body, &local) else {
            self.respond(488, None);
            return Err(PhoneError::NoAudio);
        };
        let tag = self.invited.tag.clone();
        let dialog = Dialog::uas(&self.invited.request, &tag, None).ok_or(PhoneError::NoResponse)?;
        let line = self.phone.line(dialog.call_id.clone(), tag);
        audio.connect(agreed);
        self.respond(200, Some(body));
        loop {
            match self.invited.event().await {
                Some(InviteEvent::Acknowledged(_)) => break,
                // It crossed our 200; the far end ends what it got by BYE.
                Some(InviteEvent::Cancelled) => {}
                None => return Err(PhoneError::Over),
            }
        }
        Ok(PhoneCall::start(line, dialog, audio, local))
    }

    /// Refuses with a final status.
    pub fn decline(self, status: u16) {
        self.respond(status, None);
        // The transaction repeats the refusal by itself until it is acknowledged.
    }

    /// Waits until the caller gives up, and lets them. Cancel-safe.
    pub async fn cancelled(&mut self) {
        if let Some(InviteEvent::Cancelled) = self.invited.event().await {
            self.respond(487, None);
        }
    }
}

/// Answers what comes to the phone until it is gone.
async fn serve(phone: Weak<Inner>, mut requests: TransactionReceiver, rings: mpsc::Sender<RingingCall>) {
    while let Some(request) = requests.recv().await.map(Box::new) {
        let Some(phone) = phone.upgrade() else {
            return;
        };
        if let Some(tag) = message::to_tag(&request.original) {
            let key = message::call_id(&request.original).map(|call_id| (call_id, tag));
            let line = key.and_then(|key| phone.calls().get(&key).cloned());
            let refused = match line {
                Some(line) => line.try_send(request).err().map(|e| e.into_inner()),
                None => Some(request),
            };
            if let Some(request) = refused {
                phone.wire.answer_stateless(request, 481, Vec::new()).await;
            }
            continue;
        }
        match request.original.method {
            Method::Invite => ring(&phone, request, &rings).await,
            Method::Options => phone.wire.answer(request, 200, Vec::new()).await,
            Method::Ack | Method::Cancel => {}
            _ => phone.wire.answer_stateless(request, 405, Vec::new()).await,
        }
    }
}

async fn ring(phone: &Arc<Inner>, request: Asked, rings: &mpsc::Sender<RingingCall>) {
    let Ok(place) = rings.try_reserve() else {
        return phone.wire.answer_stateless(request, 486, Vec::new()).await;
    };
    let (from, from_display) = message::caller(&request.original);
    let invited = phone.wire.invited(request, wire::tag());
    let call = RingingCall { phone: phone.clone(), invited, from, from_display };
    call.respond(180, None);
    place.send(call);
}
