//! A phone's own RTP: one socket and one task that sends a packet every 20 ms and keeps what it
//! hears. Deliberately not the media room, so that the phone can judge it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringback_media::telephone_event::{self, Press};
use ringback_media::{Codec, Tone, g711, g722, rtp};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::heard::Heard;
use crate::limits::{PHONE_HEARD_KEYS, PHONE_QUEUE_PACKETS};
use crate::sdp::Agreed;

/// A packet's time, and its ticks of the RTP clock.
const FRAME: Duration = Duration::from_millis(20);
const TICKS: usize = 160;

/// How long a key is pressed.
const PRESS: Duration = Duration::from_millis(100);
/// Packets of audio between two keys: 60 ms, above the 40 ms a receiver may ask for.
const BETWEEN_KEYS: usize = 3;

/// One packet to send.
enum Frame {
    /// Samples at the codec's rate; what is missing is silence.
    Audio(Vec<i16>),
    Event {
        payload: [u8; 4],
        first: bool,
    },
}

#[derive(Default)]
struct State {
    agreed: Option<Agreed>,
    /// G.722 remembers, each way; unused by others.
    encoder: g722::Encoder,
    decoder: g722::Decoder,
    queue: VecDeque<Frame>,
    heard: Heard,
    last_sound: Option<Instant>,
    received: u64,
    /// Keys that the far end pressed, by RTP events.
    pressed: telephone_event::Receiver,
    keys: Vec<Tone>,
    begun: Option<Instant>,
}

/// The audio of one call.
pub(crate) struct Audio {
    state: Arc<Mutex<State>>,
    /// Raised with each packet, in or out.
    changed: watch::Receiver<u64>,
    /// None where the RTP is someone else's.
    task: Option<AbortHandle>,
    /// Where we receive.
    pub(crate) address: SocketAddr,
}

impl Drop for Audio {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Audio {
    /// Binds a socket and starts; silent until [`Audio::connect`].
    pub(crate) async fn open(ip: IpAddr) -> io::Result<Audio> {
        let socket = UdpSocket::bind((ip, 0)).await?;
        let address = socket.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let (change, changed) = watch::channel(0);
        let task = tokio::spawn(carry(socket, state.clone(), change)).abort_handle();
        Ok(Audio { state, changed, task: Some(task), address })
    }

    /// RTP that someone else sends and receives at this address: nothing is heard here, and what is queued is not sent.
    pub(crate) fn elsewhere(address: SocketAddr) -> Audio {
        let (_, changed) = watch::channel(0);
        Audio { state: Arc::default(), changed, task: None, address }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Sends and receives as agreed from now on.
    pub(crate) fn connect(&self, agreed: Agreed) {
        self.state().agreed = Some(agreed);
    }

    /// What was agreed last.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        self.state().agreed
    }

    /// Samples a second, both ways.
    pub(crate) fn rate(&self) -> u32 {
        8_000 * samples_a_tick(self.state().agreed) as u32
    }

    /// Queues samples at [`Audio::rate`]; what exceeds the queue's bound is dropped.
    pub(crate) fn say(&self, pcm: &[i16]) {
        let mut state = self.state();
        let samples = TICKS * samples_a_tick(state.agreed);
        for chunk in pcm.chunks(samples) {
            push(&mut state.queue, Frame::Audio(chunk.to_vec()));
        }
    }

    /// Queues keys; characters that are none are skipped.
    pub(crate) fn press(&self, keys: &str) {
        let mut state = self.state();
        for tone in keys.chars().filter_map(Tone::of_key) {
            for packet in Press::new(tone, PRESS) {
                push(&mut state.queue, Frame::Event { payload: packet.payload, first: packet.marker });
            }
            for _ in 0..BETWEEN_KEYS {
                push(&mut state.queue, Frame::Audio(Vec::new()));
            }
        }
    }

    /// Waits until all that was queued is sent.
    pub(crate) async fn sent(&self) {
        let mut changed = self.changed.clone();
        while !self.state().queue.is_empty() {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// All that was heard.
    pub(crate) fn heard(&self) -> Vec<i16> {
        self.state().heard.samples().to_vec()
    }

    /// What was heard from sample `from` on.
    pub(crate) fn heard_since(&self, from: usize) -> Vec<i16> {
        self.state().heard.samples().get(from..).unwrap_or_default().to_vec()
    }

    /// How many samples were heard.
    pub(crate) fn position(&self) -> usize {
        self.state().heard.samples().len()
    }

    /// Waits until so many samples were heard.
    pub(crate) async fn heard_at_least(&self, samples: usize) {
        self.until(|state| state.heard.samples().len() >= samples).await;
    }

    /// Waits until the far end has pressed such keys.
    pub(crate) async fn pressed(&self, wanted: impl Fn(&[Tone]) -> bool) {
        self.until(|state| wanted(&state.keys)).await;
    }

    /// Waits until that is so; for ever, where the RTP is someone else's.
    async fn until(&self, there: impl Fn(&State) -> bool) {
        let mut changed = self.changed.clone();
        while !there(&self.state()) {
            if changed.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// How much of what was heard since sample `from` is sound.
    pub(crate) fn sound_since(&self, from: usize) -> Duration {
        FRAME * u32::try_from(self.state().heard.sounds_since(from)).unwrap_or(u32::MAX)
    }

    /// The keys heard.
    pub(crate) fn keys(&self) -> Vec<Tone> {
        self.state().keys.clone()
    }

    /// How many packets came.
    pub(crate) fn received(&self) -> u64 {
        self.state().received
    }

    /// Waits until, since sample `from`, at least `sound` of sound was heard and then nothing but
    /// silence (or nothing at all) for `quiet`; false when that did not happen by `until`.
    pub(crate) async fn quiet_after_sound(
        &self,
        from: usize,
        sound: Duration,
        quiet: Duration,
        until: Instant,
    ) -> bool {
        let wanted = sound.as_millis().div_ceil(FRAME.as_millis()).max(1) as usize;
        let mut changed = self.changed.clone();
        loop {
            let over = {
                let state = self.state();
                let enough = state.heard.sounds_since(from) >= wanted;
                state.last_sound.filter(|_| enough).map(|at| at + quiet)
            };
            let now = Instant::now();
            if over.is_some_and(|over| over <= now) {
                return true;
            }
            if now >= until {
                return false;
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = sleep_until(over.unwrap_or(until).min(until)) => {}
            }
        }
    }
}

/// G.722 has two samples for each tick of its clock (RFC 3551 §4.5.2).
fn samples_a_tick(agreed: Option<Agreed>) -> usize {
    if agreed.is_some_and(|agreed| agreed.codec == Codec::G722) { 2 } else { 1 }
}

fn locked(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn push(queue: &mut VecDeque<Frame>, frame: Frame) {
    if queue.len() < PHONE_QUEUE_PACKETS {
        queue.push_back(frame);
    }
}

/// The stream we send.
struct Stream {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// When the key being pressed was first sent: all its packets bear it.
    pressed: u32,
    /// The next audio packet follows a pause.
    resumed: bool,
}

async fn carry(socket: UdpSocket, state: Arc<Mutex<State>>, change: watch::Sender<u64>) {
    let mut buffer = [0u8; 2_048];
    let mut packet = Vec::new();
    let mut stream = Stream { ssrc: std::process::id() << 16, sequence: 1, timestamp: 0, pressed: 0, resumed: true };
    stream.ssrc ^= u32::from(socket.local_addr().map_or(0, |a| a.port()));
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let to = next_packet(&mut locked(&state), &mut stream, &mut packet);
                if let Some(to) = to {
                    let _ = socket.send_to(&packet, to).await;
                }
            }
            received = socket.recv_from(&mut buffer) => {
                if let Ok((length, source)) = received {
                    take(&mut locked(&state), &buffer[..length], source);
                }
            }
        }
        change.send_modify(|n| *n += 1);
    }
}

/// Writes what is due, and says where to.
fn next_packet(state: &mut State, stream: &mut Stream, packet: &mut Vec<u8>) -> Option<SocketAddr> {
    let timestamp = stream.timestamp;
    stream.timestamp = timestamp.wrapping_add(TICKS as u32);
    let agreed = state.agreed?;
    let frame = state.queue.pop_front().unwrap_or_else(|| Frame::Audio(Vec::new()));
    let remote = agreed.remote(false);
    if !remote.send {
        stream.resumed = true;
        return None;
    }
    let mut payload = Vec::with_capacity(TICKS);
    let (payload_type, marker, timestamp) = match frame {
        Frame::Audio(mut pcm) => {
            pcm.resize(TICKS * samples_a_tick(state.agreed), 0);
            match agreed.codec {
                Codec::Pcmu => g711::encode_ulaw(&pcm, &mut payload),
                Codec::Pcma => g711::encode_alaw(&pcm, &mut payload),
                Codec::G722 => state.encoder.encode(&pcm, &mut payload),
            }
            (agreed.codec.payload_type(), std::mem::take(&mut stream.resumed), timestamp)
        }
        Frame::Event { payload: event, first } => {
            if first {
                stream.pressed = timestamp;
            }
            payload.extend(event);
            (agreed.telephone_event?, first, stream.pressed)
        }
    };
    let (sequence, ssrc) = (stream.sequence, stream.ssrc);
    rtp::Packet { payload_type, marker, sequence, timestamp, ssrc, payload: &payload }.write(packet);
    stream.sequence = sequence.wrapping_add(1);
    Some(remote.addr)
}

fn take_key(state: &mut State, packet: &rtp::Packet<'_>) {
    let now = state.begun.get_or_insert_with(Instant::now).elapsed();
    let Some(payload) = telephone_event::Payload::parse(packet.payload) else { return };
    let told = state.pressed.packet(now, packet.ssrc, packet.marker, packet.timestamp, payload);
    state.keys.extend(told.into_iter().flatten());
    state.keys.truncate(PHONE_HEARD_KEYS);
}

/// Keeps what a packet says, if it is audio of the agreed codec from the address that was agreed.
fn take(state: &mut State, bytes: &[u8], source: SocketAddr) {
    let (Some(agreed), Ok(packet)) = (state.agreed, rtp::Packet::parse(bytes)) else {
        return;
    };
    if source != agreed.address {
        return;
    }
    if Some(packet.payload_type) == agreed.telephone_event {
        return take_key(state, &packet);
    }
    if packet.payload_type != agreed.codec.payload_type() {
        return;
    }
    let mut pcm = Vec::with_capacity(packet.payload.len());
    match agreed.codec {
        Codec::Pcmu => g711::decode_ulaw(packet.payload, &mut pcm),
        Codec::Pcma => g711::decode_alaw(packet.payload, &mut pcm),
        Codec::G722 => {
            pcm.resize(2 * packet.payload.len(), 0);
            state.decoder.decode(packet.payload, &mut pcm);
        }
    }
    state.received += 1;
    if state.heard.packet(packet.ssrc, packet.timestamp, samples_a_tick(state.agreed), &pcm) {
        state.last_sound = Some(Instant::now());
    }
}
