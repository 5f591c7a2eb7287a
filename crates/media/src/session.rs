//! One leg's RTP session as a value: packets and time go in, packets and events come out. It plays, presses and detects
//! keys, hears, reports by RTCP and notices silence. Knows no socket, no address and no clock.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::{Codec, Encoder};
use crate::detector::Detector;
use crate::hearing::Hearing;
use crate::limits::{FRAME_PCM, FRAME_TICKS, MEDIA_TIMEOUT, RTCP_INTERVAL};
use crate::presses::{Presses, Way};
use crate::prompt::Prompt;
use crate::rtcp::{self, Received, Sent};
use crate::rtp::Packet;
use crate::telephone_event::{self, Payload, PressPacket, Tone};
use crate::turn::{KeyFrame, Turn, Turns, What};
use crate::{PlayId, Repeat};

/// What a leg has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// Played, or pressed, to its end: its last frame was sent. What was stopped reports nothing.
    Finished {
        /// The play.
        play: PlayId,
    },
    /// A key was pressed and let go. Reported once, however many ways it was heard.
    Tone {
        /// The key.
        tone: Tone,
    },
    /// Neither RTP nor RTCP came for [`MEDIA_TIMEOUT`] while the far end ought to send. Once for each connect.
    TimedOut,
}

/// What was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The codec, both ways.
    pub codec: Codec,
    /// Payload type of telephone events; `None` if not negotiated.
    pub telephone_event: Option<u8>,
    /// We may send.
    pub send: bool,
    /// The far end may send.
    pub receive: bool,
}

/// Numbers a session starts from. RFC 3550 §5.1 wants the first three random.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Name of our stream.
    pub ssrc: u32,
    /// First sequence number.
    pub sequence: u16,
    /// First timestamp.
    pub timestamp: u32,
    /// NTP time (32.32) when `now` was zero.
    pub ntp: u64,
}

/// What a step of the session made. Reused from step to step; packets are empty when there is none.
#[derive(Debug, Default)]
pub struct Out {
    /// An RTP packet to send.
    pub rtp: Vec<u8>,
    /// An RTCP packet to send.
    pub rtcp: Vec<u8>,
    /// 20 ms of what is heard, [`FRAME_PCM`] samples, if the session listens; else empty.
    pub heard: Vec<i16>,
    /// Events, oldest first; the caller drains them.
    pub events: Vec<MediaEvent>,
}

impl Out {
    fn empty(&mut self) {
        self.rtp.clear();
        self.rtcp.clear();
        self.heard.clear();
    }
}

/// The session.
#[derive(Debug)]
pub struct Session {
    origin: Origin,
    cname: String,
    terms: Option<Terms>,
    sequence: u16,
    timestamp: u32,
    resumed: bool,
    packets: u32,
    octets: u32,
    payload: Vec<u8>,
    encoder: Encoder,
    /// Frames of silence sent in this codec.
    silent: usize,
    turns: Turns,
    /// Timestamp of the key we press: its beginning (RFC 4733 §2.2).
    pressed: u32,
    received: Option<Received>,
    listens: bool,
    /// There while someone listens, or keys are looked for in the audio.
    hearing: Option<Hearing>,
    detector: Option<Box<Detector>>,
    tones: telephone_event::Receiver,
    presses: Presses,
    alive: Duration,
    timed_out: bool,
    report_due: Duration,
    reported_packets: u32,
    seed: u64,
}

impl Session {
    /// A session that waits for [`connect`](Session::connect), and does not listen.
    pub fn new(origin: Origin) -> Session {
        let seed = u64::from(origin.ssrc) << 32 | u64::from(origin.timestamp) | 1;
        Session {
            origin,
            // Random and of no meaning (RFC 7022 §4.2).
            cname: format!("{:08x}{:08x}", origin.ssrc.rotate_left(16) ^ origin.timestamp, origin.timestamp),
            terms: None,
            sequence: origin.sequence,
            timestamp: origin.timestamp,
            resumed: true,
            packets: 0,
            octets: 0,
            payload: Vec::with_capacity(FRAME_TICKS),
            encoder: Encoder::new(Codec::Pcmu),
            silent: 0,
            turns: Turns::default(),
            pressed: 0,
            received: None,
            listens: false,
            hearing: None,
            detector: None,
            tones: telephone_event::Receiver::default(),
            presses: Presses::default(),
            alive: Duration::ZERO,
            timed_out: false,
            report_due: Duration::ZERO,
            reported_packets: 0,
            seed,
        }
    }

    /// Starts, or goes on by other terms (hold, another codec). The media time-out starts anew.
    pub fn connect(&mut self, now: Duration, terms: Terms) {
        if self.terms.is_none() {
            // RFC 3550 §6.2: the first report comes after half the interval.
            self.report_due = now + RTCP_INTERVAL / 2;
        }
        if self.terms.is_none_or(|before| before.codec != terms.codec) {
            self.encoder = Encoder::new(terms.codec);
            self.silent = 0;
        }
        if let Some(hearing) = &mut self.hearing {
            hearing.retune(terms.codec);
        }
        // A far end that knows RTP events sends its keys so; only another's audio can hold any.
        if terms.telephone_event.is_some() {
            self.detector = None;
        } else if self.detector.is_none() {
            self.detector = Some(Box::default());
        }
        self.terms = Some(terms);
        self.hear_or_not();
        self.alive = now;
        self.timed_out = false;
    }

    /// From now on ticks give what is heard, or no longer do. Without a listener audio is counted and not decoded,
    /// unless keys are looked for in it; keys, reports and the time-out work as ever. Turned on, it may start with an
    /// empty jitter buffer; while it is on, on changes nothing.
    pub fn listen(&mut self, on: bool) {
        self.listens = on;
        self.hear_or_not();
    }

    fn hear_or_not(&mut self) {
        if !self.listens && self.detector.is_none() {
            self.hearing = None;
        } else if self.hearing.is_none() {
            // Before the first connect no packet comes, and that connect tells the codec.
            self.hearing = Some(Hearing::new(self.terms.map_or(Codec::Pcmu, |terms| terms.codec)));
        }
    }

    /// Whether a play runs or waits.
    pub fn playing(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Plays the list of prompts after whatever plays now. Before the first connect it waits; on hold (`send` is
    /// false) it goes on unheard, so that the far end's hold button cannot keep an operation open.
    pub fn play(&mut self, play: PlayId, prompts: Vec<Arc<Prompt>>, repeat: Repeat) {
        self.queue(Turn::play(play, prompts, repeat));
    }

    /// Presses keys after whatever plays now, each for [`PRESS`](crate::limits::PRESS) with a `pause` between, which is
    /// at least [`PAUSE`](crate::limits::PAUSE). As RTP events where they were negotiated, in the place of audio; else
    /// as tones in the audio, where a hook flash is only a pause. A play like any other in all else.
    pub fn press(&mut self, play: PlayId, tones: Vec<Tone>, pause: Duration) {
        self.queue(Turn::keys(play, tones, pause));
    }

    pub(crate) fn queue(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    /// Ends a play, or forgets one that waits; a key that is down is let go. Returns how many were ended: 0 if it is
    /// over already.
    pub fn stop(&mut self, play: PlayId) -> usize {
        self.turns.stop(play)
    }

    /// Takes a key that the signalling heard (SIP INFO). It is told unless it was heard another way already.
    pub fn signalled(&mut self, now: Duration, tone: Tone, out: &mut Out) {
        self.heard_key(now, tone, Way::Signalling, out);
    }

    fn heard_key(&mut self, now: Duration, tone: Tone, way: Way, out: &mut Out) {
        if self.presses.is_new(now, tone, way) {
            out.events.push(MediaEvent::Tone { tone });
        }
    }

    /// Takes an RTP packet of the far end. Returns whether it is one of this session: well formed and of a
    /// negotiated payload type.
    pub fn input(&mut self, now: Duration, packet: &[u8], out: &mut Out) -> bool {
        let (Some(terms), Ok(packet)) = (self.terms, Packet::parse(packet)) else {
            return false;
        };
        let audio = packet.payload_type == terms.codec.payload_type();
        if !audio && Some(packet.payload_type) != terms.telephone_event {
            return false;
        }
        self.alive = now;
        if !terms.receive {
            return true;
        }
        self.count(now, &packet, audio);
        if audio {
            if let Some(hearing) = &mut self.hearing {
                hearing.packet(packet.timestamp, packet.payload);
            }
        } else if let Some(payload) = Payload::parse(packet.payload) {
            let ended = self.tones.packet(now, packet.ssrc, packet.marker, packet.timestamp, payload);
            for tone in ended.into_iter().flatten() {
                self.heard_key(now, tone, Way::Events, out);
            }
        }
        true
    }

    fn count(&mut self, now: Duration, packet: &Packet<'_>, audio: bool) {
        let received = match &mut self.received {
            Some(received) if received.ssrc() == packet.ssrc => received,
            other => other.insert(Received::new(packet.ssrc, packet.sequence)),
        };
        received.packet(now, packet.sequence, audio.then_some(packet.timestamp));
    }

    /// Takes an RTCP packet of the far end; anything else is ignored.
    pub fn input_rtcp(&mut self, now: Duration, packet: &[u8]) {
        if rtcp::read(packet, now, self.received.as_mut()) {
            self.alive = now;
        }
    }

    /// One frame of 20 ms: sends audio, or comfort silence when nothing plays; hears; ends what is overdue.
    pub fn tick(&mut self, now: Duration, out: &mut Out) {
        out.empty();
        let Some(terms) = self.terms else { return };
        self.send(terms, out);
        self.hear(now, out);
        self.keep_time(now, terms, out);
    }

    /// The first half of a frame in a meeting: hears, if the session listens.
    pub fn hear_tick(&mut self, now: Duration, out: &mut Out) {
        out.empty();
        if self.terms.is_some() {
            self.hear(now, out);
        }
    }

    /// The second half: sends these samples instead of what plays, and ends what is overdue.
    pub fn say_tick(&mut self, now: Duration, pcm16k: &[i16; FRAME_PCM], out: &mut Out) {
        out.empty();
        let Some(terms) = self.terms else { return };
        self.payload.clear();
        self.encoder.frame(pcm16k, &mut self.payload);
        self.packet(terms, None, out);
        self.keep_time(now, terms, out);
    }

    fn keep_time(&mut self, now: Duration, terms: Terms, out: &mut Out) {
        if let Some(tone) = self.tones.tick(now) {
            self.heard_key(now, tone, Way::Events, out);
        }
        if let Some(tone) = self.tones.down() {
            self.presses.held(now, tone, Way::Events);
        }
        // A far end on hold may send nothing at all; whether it still lives is for the signalling to find out.
        if terms.send && terms.receive && !self.timed_out && now >= self.alive + MEDIA_TIMEOUT {
            self.timed_out = true;
            out.events.push(MediaEvent::TimedOut);
        }
        if now >= self.report_due {
            self.report(now, out, false);
            self.report_due = now + self.report_interval();
        }
    }

    fn hear(&mut self, now: Duration, out: &mut Out) {
        let Some(hearing) = &mut self.hearing else { return };
        let frame = hearing.frame();
        if self.listens {
            out.heard.extend_from_slice(&frame);
        }
        let Some(detector) = &mut self.detector else { return };
        let let_go = hearing.narrow(&frame).and_then(|pcm8k| detector.frame(&pcm8k));
        let down = detector.down();
        if let Some(tone) = let_go {
            self.heard_key(now, tone, Way::Audio, out);
        }
        if let Some(tone) = down {
            self.presses.held(now, tone, Way::Audio);
        }
    }

    /// The farewell; nothing if the session never connected.
    pub fn close(&mut self, now: Duration, out: &mut Out) {
        out.rtp.clear();
        out.rtcp.clear();
        if self.terms.is_some() {
            self.report(now, out, true);
        }
    }

    fn send(&mut self, terms: Terms, out: &mut Out) {
        self.payload.clear();
        let key = self.fill(terms, out).zip(terms.telephone_event);
        self.packet(terms, key, out);
    }

    /// Sends the frame, or the key's packet that takes its place.
    fn packet(&mut self, terms: Terms, key: Option<(PressPacket, u8)>, out: &mut Out) {
        let (payload_type, marker, timestamp) = match key {
            Some((key, payload_type)) => {
                if key.marker {
                    self.pressed = self.timestamp;
                }
                self.payload.clear();
                self.payload.extend(key.payload);
                (payload_type, key.marker, self.pressed)
            }
            None => {
                if self.payload.len() < FRAME_TICKS {
                    terms.codec.pad(self.silent, &mut self.payload);
                    self.silent = self.silent.wrapping_add(1);
                }
                (terms.codec.payload_type(), self.resumed, self.timestamp)
            }
        };
        if terms.send {
            let (sequence, ssrc, payload) = (self.sequence, self.origin.ssrc, self.payload.as_slice());
            Packet { payload_type, marker, sequence, timestamp, ssrc, payload }.write(&mut out.rtp);
            self.sequence = self.sequence.wrapping_add(1);
            self.packets = self.packets.wrapping_add(1);
            self.octets = self.octets.wrapping_add(self.payload.len() as u32);
        }
        self.resumed = !terms.send;
        self.timestamp = self.timestamp.wrapping_add(FRAME_TICKS as u32);
    }

    /// Fills the frame from whose turn it is; what is missing at its end is silence. Returns the key's packet that takes
    /// the frame's place, if one does.
    fn fill(&mut self, terms: Terms, out: &mut Out) -> Option<PressPacket> {
        if self.silent < terms.codec.rest() {
            return None;
        }
        while let Some(turn) = self.turns.first() {
            let mut key = None;
            let (over, whole) = match &mut turn.what {
                What::Play(play) => (play.fill(terms.codec, &mut self.payload), false),
                // A key begins with a frame of its own.
                What::Keys(keys) if !keys.over() && !self.payload.is_empty() => return None,
                What::Keys(keys) if keys.over() => (true, false),
                What::Keys(keys) => {
                    let mut pcm16k = [0; FRAME_PCM];
                    match keys.frame(terms.telephone_event.is_some(), &mut pcm16k) {
                        KeyFrame::Event(packet) => key = Some(packet),
                        KeyFrame::Sound => self.encoder.frame(&pcm16k, &mut self.payload),
                        KeyFrame::Pause => {}
                    }
                    (keys.over(), true)
                }
            };
            if over {
                out.events.extend(self.turns.next().map(|play| MediaEvent::Finished { play }));
            }
            if whole || !over {
                return key;
            }
        }
        None
    }

    fn report(&mut self, now: Duration, out: &mut Out, last: bool) {
        let sent = (self.packets != self.reported_packets).then(|| Sent {
            ntp: self.origin.ntp.wrapping_add(ntp(now)),
            timestamp: self.timestamp,
            packets: self.packets,
            octets: self.octets,
        });
        self.reported_packets = self.packets;
        rtcp::write(&mut out.rtcp, now, self.origin.ssrc, &self.cname, sent, self.received.as_mut(), last);
    }

    /// RFC 3550 §6.3.1: between half and one and a half of the interval, divided by e − 3/2.
    fn report_interval(&mut self) -> Duration {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        let random = (self.seed >> 40) as f64 / (1u64 << 24) as f64;
        RTCP_INTERVAL.mul_f64((0.5 + random) / 1.218_28)
    }
}

/// A span of time as NTP counts it, 32.32.
pub(crate) fn ntp(span: Duration) -> u64 {
    (span.as_secs() << 32) + (u64::from(span.subsec_nanos()) << 32) / 1_000_000_000
}
