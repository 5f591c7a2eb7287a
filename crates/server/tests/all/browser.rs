//! What a page with a phone does: its requests, the events it follows, and its audio. A whole str0m, not the half that
//! the server is, stands in for the browser: it offers, checks by ICE, and says and hears RTP of 20 ms. Chromium itself is
//! in acceptance.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ringback_media::telephone_event::Press;
use ringback_media::{Codec, Tone, g711, g722};
use serde_json::{Value, json};
use str0m::change::SdpAnswer;
use str0m::format::{Codec as Format, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};

use crate::soon;
use crate::web::{self, Answer};

const DOOR: &str = "/_ringback/phone/";

/// A page, signed in.
pub(crate) struct Page {
    pub(crate) http: SocketAddr,
    pub(crate) token: String,
}

impl Page {
    /// Nobody is signed in.
    pub(crate) fn stranger(http: SocketAddr) -> Page {
        Page { http, token: String::new() }
    }

    /// Signs in.
    pub(crate) async fn sign_in(http: SocketAddr, user: &str, password: &str) -> Page {
        Self::enter(http, &json!({ "user": user, "password": password })).await
    }

    /// Signs in where no password is asked.
    pub(crate) async fn sign_in_as(http: SocketAddr, user: &str) -> Page {
        Self::enter(http, &json!({ "user": user })).await
    }

    async fn enter(http: SocketAddr, body: &Value) -> Page {
        let session = Self::stranger(http).ask("POST", "sessions", Some(body)).await.is(201).json();
        Page { http, token: session["token"].as_str().expect("a token").to_owned() }
    }

    /// A request as a browser sends it.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let headers = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", self.http);
        self.ask_as(method, path, &headers, body).await
    }

    /// The same with other headers.
    pub(crate) async fn ask_as(&self, method: &str, path: &str, headers: &str, body: Option<&Value>) -> Answer {
        let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.http) };
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind =
            if body.is_empty() || headers.contains("Content-Type") { "" } else { "Content-Type: application/json\r\n" };
        let (token, length) = (&self.token, body.len());
        let request = format!(
            "{method} {DOOR}{path} HTTP/1.1\r\n{host}Authorization: Bearer {token}\r\n{kind}{headers}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        web::send(self.http, request.as_bytes()).await
    }

    /// Server-sent events from this path, from now on.
    pub(crate) async fn follow(&self, path: &str) -> Events {
        Events::of(self.http, &format!("{DOOR}{path}"), &self.token).await
    }

    /// Calls; gives the leg, and the browser that is in it.
    pub(crate) async fn call(&self, to: &str, codec: Codec) -> (String, Browser) {
        let (offering, sdp) = Offering::new(codec).await;
        let answer = self.ask("POST", "legs", Some(&json!({ "to": to, "sdp": sdp }))).await.is(201).json();
        let browser = offering.accept(answer["sdp"].as_str().expect("an answer"));
        (answer["leg"].as_str().expect("a leg").to_owned(), browser)
    }

    /// Takes what rings.
    pub(crate) async fn answer(&self, leg: &str, codec: Codec) -> Browser {
        let (offering, sdp) = Offering::new(codec).await;
        let answer = self.ask("POST", &format!("legs/{leg}/answer"), Some(&json!({ "sdp": sdp }))).await.is(200).json();
        offering.accept(answer["sdp"].as_str().expect("an answer"))
    }

    pub(crate) async fn hang_up(&self, leg: &str) -> Answer {
        self.ask("DELETE", &format!("legs/{leg}"), None).await
    }
}

/// Server-sent events.
pub(crate) struct Events {
    stream: TcpStream,
    text: String,
}

impl Events {
    pub(crate) async fn of(http: SocketAddr, path: &str, token: &str) -> Events {
        let mut stream = soon(TcpStream::connect(http)).await.expect("the server listens");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {http}\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        let mut events = Events { stream, text: String::new() };
        events.until(": following\n\n").await;
        events
    }

    /// Reads on until all of these words have come, in whatever order.
    pub(crate) async fn all(&mut self, words: &[&str]) {
        while !words.iter().all(|words| self.text.contains(words)) {
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let mut bytes = [0; 4096];
        let read = soon(self.stream.read(&mut bytes)).await.expect("it can be read");
        assert!(read > 0, "it ends: {}", self.text);
        self.text += &String::from_utf8_lossy(&bytes[..read]);
    }

    /// Reads on to these words, and past them.
    pub(crate) async fn until(&mut self, words: &str) -> String {
        loop {
            if let Some(at) = self.text.find(words) {
                let rest = self.text.split_off(at + words.len());
                return std::mem::replace(&mut self.text, rest);
            }
            self.read().await;
        }
    }

    /// Reads on to the end: the last chunk (RFC 9112 §7.1).
    pub(crate) async fn over(&mut self) {
        self.until("\r\n0\r\n\r\n").await;
    }

    /// The data of the next event of this name.
    pub(crate) async fn next(&mut self, name: &str) -> Value {
        self.until(&format!("event: {name}\ndata: ")).await;
        let data = self.until("\n\n").await;
        serde_json::from_str(data.trim()).unwrap_or_else(|error| panic!("{error}: {data}"))
    }
}

/// A browser's end of a call, that has made an offer.
pub(crate) struct Offering {
    rtc: Rtc,
    pending: str0m::change::SdpPendingOffer,
    mid: Mid,
    socket: UdpSocket,
    codec: Codec,
}

impl Offering {
    /// An offer of audio with this codec first, as a browser would order them, and others behind it.
    pub(crate) async fn new(codec: Codec) -> (Offering, String) {
        let mut config = RtcConfig::new().set_rtp_mode(true).clear_codecs();
        let codecs = config.codec_config();
        codecs.enable_opus(true, false);
        codecs.enable_g722(codec == Codec::G722, false);
        codecs.enable_pcmu(true, false);
        let events = FormatParams::parse_line("0-16");
        codecs.add_config(126.into(), None, Format::Tele, Frequency::EIGHT_KHZ, None, events);
        let mut rtc = config.build(Instant::now());
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let here = socket.local_addr().expect("an address");
        rtc.add_local_candidate(Candidate::host(here, "udp").expect("a candidate"));
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = change.apply().expect("an offer");
        (Offering { rtc, pending, mid, socket, codec }, offer.to_sdp_string())
    }

    /// Goes on with the answer, until the browser is dropped.
    pub(crate) fn accept(self, answer: &str) -> Browser {
        let Offering { mut rtc, pending, mid, socket, codec } = self;
        assert!(answer.contains("a=ice-lite"), "{answer}");
        let parsed = SdpAnswer::from_sdp_string(answer).expect("an answer that reads");
        rtc.sdp_api().accept_answer(pending, parsed).expect("an answer to the offer");
        let (orders, ordered) = mpsc::unbounded_channel();
        let (hears, heard) = watch::channel(Vec::new());
        let (left, to_say) = watch::channel(0);
        let task = tokio::spawn(Running::new(rtc, mid, socket, codec, hears, left).run(ordered));
        Browser { orders, heard, to_say, task, codec }
    }
}

enum Order {
    Say(Vec<i16>),
    Press(Tone),
    Close,
}

/// A browser in a call.
pub(crate) struct Browser {
    orders: mpsc::UnboundedSender<Order>,
    heard: watch::Receiver<Vec<i16>>,
    to_say: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
    pub(crate) codec: Codec,
}

impl Browser {
    /// Samples a second of what it says and hears.
    pub(crate) fn rate(&self) -> u32 {
        if self.codec == Codec::G722 { 16_000 } else { 8_000 }
    }

    /// Says this; silence before and after.
    pub(crate) fn say(&self, pcm: &[i16]) {
        self.orders.send(Order::Say(pcm.to_vec())).expect("it runs");
    }

    /// Waits until nothing is left to be said.
    pub(crate) async fn has_said_all(&self) {
        let mut to_say = self.to_say.clone();
        to_say.mark_unchanged();
        let all = async { while to_say.changed().await.is_ok() && *to_say.borrow_and_update() > 0 {} };
        soon(all).await;
    }

    /// Presses a key for a tenth of a second.
    pub(crate) fn press(&self, tone: Tone) {
        self.orders.send(Order::Press(tone)).expect("it runs");
    }

    /// All that was heard so far.
    pub(crate) fn heard(&self) -> Vec<i16> {
        self.heard.borrow().clone()
    }

    /// Waits until what was heard is as wanted.
    pub(crate) async fn hears(&self, wanted: impl Fn(&[i16]) -> bool) {
        let mut heard = self.heard.clone();
        let is_heard = soon(heard.wait_for(|heard| wanted(heard))).await.is_ok();
        assert!(is_heard, "the connection ended before");
    }

    /// Waits until something is heard that is louder than comfort noise.
    pub(crate) async fn hears_sound(&self) {
        self.hears(|heard| heard.iter().any(|sample| sample.unsigned_abs() > 1_000)).await;
    }

    /// Closes the connection, as a tab that is closed does.
    pub(crate) fn close(&self) {
        self.orders.send(Order::Close).expect("it runs");
    }

    /// Stops without a word, as a machine that loses its network does.
    pub(crate) fn vanish(&self) {
        self.task.abort();
    }

    /// Waits until the other side has closed the connection.
    pub(crate) async fn closed(&mut self) {
        soon(&mut self.task).await.expect("it ran");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.task.abort();
    }
}

enum Coder {
    Pcmu,
    G722(Box<g722::Encoder>, Box<g722::Decoder>),
}

struct Running {
    rtc: Rtc,
    mid: Mid,
    socket: UdpSocket,
    here: SocketAddr,
    codec: Codec,
    coder: Coder,
    heard: watch::Sender<Vec<i16>>,
    to_say: VecDeque<i16>,
    left: watch::Sender<usize>,
    pressing: Option<(Press, u32)>,
    sequence: u64,
    timestamp: u32,
    connected: bool,
}

impl Running {
    fn new(
        rtc: Rtc,
        mid: Mid,
        socket: UdpSocket,
        codec: Codec,
        heard: watch::Sender<Vec<i16>>,
        left: watch::Sender<usize>,
    ) -> Running {
        let here = socket.local_addr().expect("an address");
        let coder = match codec {
            Codec::G722 => Coder::G722(Box::default(), Box::default()),
            _ => Coder::Pcmu,
        };
        Running {
            rtc,
            mid,
            socket,
            here,
            codec,
            coder,
            heard,
            to_say: VecDeque::new(),
            left,
            pressing: None,
            // It rolls over within the test.
            sequence: 0xFFF0,
            timestamp: 77,
            connected: false,
        }
    }

    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut frames = tokio::time::interval(Duration::from_millis(20));
        frames.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let mut buffer = vec![0; 2_000];
        self.drain();
        while self.rtc.is_alive() {
            tokio::select! {
                read = self.socket.recv_from(&mut buffer) => {
                    let Ok((length, source)) = read else { continue };
                    let received = Receive::new(Protocol::Udp, source, self.here, &buffer[..length]);
                    if let Ok(received) = received {
                        self.input(Input::Receive(Instant::now(), received));
                    }
                }
                order = orders.recv() => match order {
                    Some(Order::Say(pcm)) => self.to_say.extend(pcm),
                    Some(Order::Press(tone)) => {
                        self.pressing = Some((Press::new(tone, Duration::from_millis(100)), self.timestamp));
                    }
                    Some(Order::Close) => self.rtc.close().expect("it closes"),
                    None => return,
                },
                _ = frames.tick() => {
                    self.say();
                    self.drain();
                    // Timers have time until the next frame.
                    self.input(Input::Timeout(Instant::now()));
                }
            }
            self.drain();
        }
    }

    fn input(&mut self, input: Input<'_>) {
        // A handshake that the other side does not go on with ends the connection.
        if self.rtc.handle_input(input).is_err() {
            self.rtc.disconnect();
        }
    }

    /// Does what the connection asks for.
    fn drain(&mut self) {
        loop {
            let Ok(output) = self.rtc.poll_output() else { return self.rtc.disconnect() };
            match output {
                Output::Timeout(_) => return,
                Output::Transmit(datagram) => _ = self.socket.try_send_to(&datagram.contents, datagram.destination),
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::RtpPacket(packet)) if *packet.header.payload_type == self.codec.payload_type() => {
                    let coder = &mut self.coder;
                    self.heard.send_modify(|heard| match coder {
                        Coder::Pcmu => g711::decode_ulaw(&packet.payload, heard),
                        Coder::G722(_, decoder) => {
                            let mut pcm = vec![0; 2 * packet.payload.len()];
                            decoder.decode(&packet.payload, &mut pcm);
                            heard.extend(pcm);
                        }
                    });
                }
                Output::Event(_) => {}
            }
        }
    }

    /// 20 ms: of the key that is down, of what is to be said, or silence.
    fn say(&mut self) {
        if !self.connected {
            return;
        }
        let mut payload = Vec::new();
        let key = self.pressing.as_mut().and_then(|(press, since)| Some((press.next()?, *since)));
        let (format, marker, timestamp) = match key {
            Some((packet, since)) => {
                payload.extend(packet.payload);
                (126, packet.marker, since)
            }
            None => {
                self.pressing = None;
                let samples = if self.codec == Codec::G722 { 320 } else { 160 };
                let frame: Vec<i16> = (0..samples).map(|_| self.to_say.pop_front().unwrap_or(0)).collect();
                self.left.send_replace(self.to_say.len());
                match &mut self.coder {
                    Coder::Pcmu => g711::encode_ulaw(&frame, &mut payload),
                    Coder::G722(encoder, _) => encoder.encode(&frame, &mut payload),
                }
                (self.codec.payload_type(), false, self.timestamp)
            }
        };
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).expect("a stream");
        let write = RtpWrite::new(format.into(), self.sequence.into(), timestamp, Instant::now(), payload);
        stream.write_rtp(write.marker(marker));
        self.sequence += 1;
        self.timestamp = self.timestamp.wrapping_add(160);
    }
}
