//! A shard: one plain thread that paces its legs. A frame of 20 ms is cut into four slots of 5 ms; each leg sends in
//! one of them. Between slots the shard sleeps until a packet or a command comes, and reads what has come, so a key is
//! reported at once, or with many legs at most 1 ms later. The legs of a mixer all send in its slot, and in no other.
//! Deadlines are absolute, counted from the start: nothing drifts. Knows no SIP and no HTTP.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::limits::{COMMANDS, MAX_CATCH_UP, PACKET_BYTES, PORT_PACKETS, READ_REST, SLOT, SLOTS, STRANGERS_PER_TURN};
use crate::mixer::Mixer;
use crate::pace::Pace;
use crate::poll::{Poll, Ready};
use crate::prompt::Prompt;
use crate::record::{Recorder, Recording};
use crate::session::{MediaEvent, Origin, Out, Session, Terms, ntp};
use crate::turn::Turn;
use crate::wire::{Read, Wire};
use crate::{LegId, MediaSink, PlayId, Repeat, Strays, Tone};

/// What the handle asks of a shard. In order for each leg; what names a leg that is gone is ignored.
pub(crate) enum Command {
    Open { leg: LegId, wire: Box<Wire>, plays: Arc<AtomicUsize> },
    OpenMixer { seat: LegId, plays: Arc<AtomicUsize> },
    Mix { leg: LegId, seat: LegId },
    Connect { leg: LegId, terms: Terms, far: Option<FarEnd> },
    Play { leg: LegId, play: PlayId, prompts: Vec<Arc<Prompt>>, repeat: Repeat },
    Press { leg: LegId, play: PlayId, tones: Vec<Tone>, pause: Duration },
    Record { leg: LegId, play: PlayId, lead_in: Vec<Arc<Prompt>>, recorder: Box<Recorder> },
    Keep { leg: LegId, play: PlayId },
    Stop { leg: LegId, play: PlayId },
    Signalled { leg: LegId, tone: Tone },
    Close { leg: LegId },
}

/// Where the far end of a leg's own sockets is.
pub(crate) struct FarEnd {
    pub(crate) addr: SocketAddr,
    pub(crate) any_source: bool,
}

struct Leg {
    id: LegId,
    wire: Wire,
    session: Session,
    recording: Recording,
    /// The seat of the mixer that it is in.
    mixer: Option<LegId>,
    /// Plays waiting or running, as the handle counts them.
    plays: Arc<AtomicUsize>,
    pace: Pace,
    foreign: u64,
    malformed: u64,
    unsent: u64,
}

/// The shard, owned by its thread.
pub(crate) struct Shard {
    commands: Receiver<Command>,
    poll: Poll,
    sink: Arc<dyn MediaSink>,
    start: Instant,
    /// NTP time at the start.
    ntp: u64,
    /// The next slot.
    slot: u64,
    /// Nothing is read before.
    read_again: Duration,
    /// A leg keeps its place while it lives: events name it.
    legs: Vec<Option<Leg>>,
    free: Vec<usize>,
    places: HashMap<LegId, usize>,
    mixers: Vec<Mixer>,
    /// The places of legs that have a port, which nothing tells of packets.
    ports: Vec<usize>,
    opened: u64,
    out: Out,
}

impl Shard {
    pub(crate) fn new(commands: Receiver<Command>, poll: Poll, sink: Arc<dyn MediaSink>) -> Shard {
        /// Seconds from 1900, where NTP counts from, to 1970.
        const NTP_EPOCH: u64 = 2_208_988_800;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Shard {
            commands,
            poll,
            sink,
            start: Instant::now(),
            ntp: ntp(wall).wrapping_add(NTP_EPOCH << 32),
            slot: 0,
            read_again: Duration::ZERO,
            legs: Vec::new(),
            free: Vec::new(),
            places: HashMap::new(),
            mixers: Vec::new(),
            ports: Vec::new(),
            opened: 0,
            out: Out::default(),
        }
    }

    /// Runs until the last handle is gone; then says farewell on every leg.
    pub(crate) fn run(mut self) {
        // The kernel may otherwise wake a thread 50 µs late, to wake several at once.
        if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
            tracing::debug!(%error, "media shard keeps the usual timer slack");
        }
        while self.obey() {
            if !self.is_idle() && self.start.elapsed() >= slots(self.slot) {
                self.skip_missed_slots();
                self.read_ports();
                self.send();
                self.slot += 1;
            }
            // After a slot, too: a shard that is behind hears its legs all the same.
            self.listen();
        }
        let legs: Vec<LegId> = self.places.keys().copied().collect();
        legs.into_iter().for_each(|leg| self.close(leg));
    }

    /// Nothing is to be sent, whatever the time.
    fn is_idle(&self) -> bool {
        self.places.is_empty() && self.mixers.is_empty()
    }

    /// Obeys what waits. False when no one can command any more.
    fn obey(&mut self) -> bool {
        // No more than the queue can hold: legs are waiting.
        for _ in 0..COMMANDS {
            match self.commands.try_recv() {
                Ok(command) => self.carry_out(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    /// Waits for packets until the next slot, or until a command comes, and reads them.
    fn listen(&mut self) {
        let slot = (!self.is_idle()).then(|| slots(self.slot));
        let now = self.start.elapsed();
        if let Some(slot) = slot
            && now < self.read_again
        {
            return thread::sleep(self.read_again.min(slot).saturating_sub(now));
        }
        let ready = self.poll.wait(slot.map(|slot| slot.saturating_sub(now)));
        let now = self.start.elapsed();
        for event in 0..ready {
            match self.poll.ready(event) {
                Some(Ready::Rtp(place)) => {
                    self.read(place, now);
                }
                Some(Ready::Rtcp(place)) => self.read_rtcp(place, now),
                None => continue,
            }
            self.read_again = now + READ_REST;
        }
    }

    fn skip_missed_slots(&mut self) {
        let late = self.start.elapsed().saturating_sub(slots(self.slot));
        if late > MAX_CATCH_UP {
            let missed = (late.as_nanos() / SLOT.as_nanos()) as u64;
            tracing::warn!(missed, "media shard woke late");
            self.sink.woke_late(missed);
            self.slot += missed;
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Open { leg, wire, plays } => self.open(leg, *wire, plays),
            Command::OpenMixer { seat, plays } => self.open_mixer(seat, plays),
            Command::Mix { leg, seat } => self.mix(leg, seat),
            Command::Connect { leg, terms, far } => self.connect(leg, terms, far),
            Command::Play { leg, play, prompts, repeat } => self.queue(leg, Turn::play(play, prompts, repeat)),
            Command::Press { leg, play, tones, pause } => self.queue(leg, Turn::keys(play, tones, pause)),
            // Where there is no leg, the tape ends as the recorder is dropped.
            Command::Record { leg, play, lead_in, recorder } => {
                if let Some(leg) = self.leg(leg) {
                    leg.session.listen(true);
                    leg.recording.start(play, recorder);
                } else if let Some(mixer) = self.mixer(leg) {
                    mixer.record(play, recorder);
                }
                self.queue(leg, Turn::play(play, lead_in, Repeat::Times(1)));
            }
            Command::Keep { leg, play } => self.end(leg, play, true),
            Command::Stop { leg, play } => self.end(leg, play, false),
            Command::Signalled { leg, tone } => self.signalled(leg, tone),
            Command::Close { leg } => self.close(leg),
        }
    }

    /// Queues something to send, which begins at once if it is the first of a leg.
    fn queue(&mut self, to: LegId, turn: Turn) {
        let slot = self.slot;
        if let Some(leg) = self.leg(to) {
            if !leg.session.playing() {
                leg.pace.hurry(slot);
            }
            leg.session.queue(turn);
        } else if let Some(mixer) = self.mixer(to) {
            mixer.play(turn);
        }
    }

    /// Ends a play and the recording that follows it.
    fn end(&mut self, of: LegId, play: PlayId, wanted: bool) {
        if let Some(leg) = self.leg(of) {
            let stopped = leg.session.stop(play);
            leg.plays.fetch_sub(stopped, Ordering::Relaxed);
            leg.recording.end(play, wanted);
            leg.listen_or_not();
        } else if let Some(mixer) = self.mixer(of) {
            mixer.end(play, wanted);
        }
    }

    fn signalled(&mut self, leg: LegId, tone: Tone) {
        let now = self.start.elapsed();
        let Some(leg) = self.places.get(&leg).and_then(|&place| self.legs.get_mut(place)?.as_mut()) else { return };
        leg.session.signalled(now, tone, &mut self.out);
        leg.tell(mixer_of(&mut self.mixers, leg.mixer), &mut self.out, &*self.sink);
    }

    fn mixer(&mut self, seat: LegId) -> Option<&mut Mixer> {
        mixer_of(&mut self.mixers, Some(seat))
    }

    fn leg(&mut self, leg: LegId) -> Option<&mut Leg> {
        let place = *self.places.get(&leg)?;
        self.legs.get_mut(place)?.as_mut()
    }

    fn open(&mut self, id: LegId, wire: Wire, plays: Arc<AtomicUsize>) {
        self.wake();
        let origin =
            Origin { ssrc: random() as u32, sequence: random() as u16, timestamp: random() as u32, ntp: self.ntp };
        let pace = self.next_pace();
        let place = self.free.pop().unwrap_or_else(|| {
            self.legs.push(None);
            self.legs.len() - 1
        });
        match &wire {
            Wire::Sockets(sockets) => {
                if let Err(error) = self.poll.watch(place, sockets) {
                    // It hears nothing, so the media time-out will end it.
                    tracing::error!(leg = %id, %error, "media sockets cannot be watched");
                }
            }
            Wire::Port(_) => self.ports.push(place),
        }
        self.places.insert(id, place);
        let session = Session::new(origin);
        self.legs[place] = Some(Leg {
            id,
            wire,
            session,
            recording: Recording::default(),
            mixer: None,
            plays,
            pace,
            foreign: 0,
            malformed: 0,
            unsent: 0,
        });
    }

    /// Before something is to be sent again.
    fn wake(&mut self) {
        if self.is_idle() {
            // It slept through its slots.
            self.slot = (self.start.elapsed().as_nanos() / SLOT.as_nanos()) as u64 + 1;
        }
    }

    /// Legs and mixers take slots in turn.
    fn next_pace(&mut self) -> Pace {
        let pace = Pace::new(self.slot + self.opened % SLOTS);
        self.opened += 1;
        pace
    }

    fn open_mixer(&mut self, seat: LegId, plays: Arc<AtomicUsize>) {
        self.wake();
        let pace = self.next_pace();
        self.mixers.push(Mixer::new(seat, pace, plays));
    }

    /// A leg is in a mixer from now on, and sends in its slot.
    fn mix(&mut self, leg: LegId, seat: LegId) {
        let Some(&place) = self.places.get(&leg) else { return };
        let (Some(leg), Some(mixer)) = (self.legs[place].as_mut(), mixer_of(&mut self.mixers, Some(seat))) else {
            return;
        };
        mixer.add(place);
        leg.mixer = Some(seat);
        leg.pace = Pace::never();
        leg.session.listen(true);
    }

    /// Its legs are on their own again; a recording ends, and is kept.
    fn close_mixer(&mut self, seat: LegId) {
        let Some(index) = self.mixers.iter().position(|mixer| mixer.seat() == seat) else { return };
        let mixer = self.mixers.swap_remove(index);
        for place in (0..).map_while(|voice| mixer.place(voice)) {
            let pace = self.next_pace();
            if let Some(leg) = self.legs.get_mut(place).and_then(Option::as_mut) {
                leg.mixer = None;
                leg.pace = pace;
                leg.listen_or_not();
            }
        }
    }

    fn connect(&mut self, leg: LegId, terms: Terms, far: Option<FarEnd>) {
        let now = self.start.elapsed();
        let Some(&place) = self.places.get(&leg) else { return };
        // What has come already was sent under the terms before.
        for _ in 0..STRANGERS_PER_TURN {
            if !self.read(place, now) {
                break;
            }
        }
        if let Some(leg) = self.leg(leg) {
            if let (Wire::Sockets(sockets), Some(far)) = (&mut leg.wire, far) {
                sockets.aim(far.addr, far.any_source);
            }
            leg.session.connect(now, terms);
        }
    }

    fn close(&mut self, leg: LegId) {
        let Some(place) = self.places.remove(&leg) else { return self.close_mixer(leg) };
        let Some(mut leg) = self.legs[place].take() else { return };
        self.free.push(place);
        if let Some(mixer) = mixer_of(&mut self.mixers, leg.mixer) {
            mixer.remove(place);
        }
        self.ports.retain(|of| *of != place);
        leg.session.close(self.start.elapsed(), &mut self.out);
        leg.send(&self.out);
        let Leg { id, foreign, malformed, unsent, .. } = leg;
        tracing::debug!(leg = %id, foreign, malformed, unsent, "media closed");
        self.sink.closed(id, Strays { foreign, malformed, unsent });
    }

    /// Reads what has come by ports: a key is told within a slot.
    fn read_ports(&mut self) {
        let now = self.start.elapsed();
        for port in 0..self.ports.len() {
            for _ in 0..PORT_PACKETS {
                if !self.read(self.ports[port], now) {
                    break;
                }
            }
        }
    }

    /// Reads one packet of the far end, past those of strangers. False when there is no more.
    fn read(&mut self, place: usize, now: Duration) -> bool {
        let Some(leg) = self.legs.get_mut(place).and_then(Option::as_mut) else { return false };
        let mut buffer = [0; PACKET_BYTES];
        for _ in 0..STRANGERS_PER_TURN {
            match leg.wire.read(&mut buffer) {
                Read::Empty => return false,
                Read::Stranger => leg.foreign += 1,
                Read::Packet(length, source) => {
                    if leg.session.input(now, &buffer[..length], &mut self.out) {
                        leg.wire.latch(source);
                        if !self.out.events.is_empty() {
                            leg.tell(mixer_of(&mut self.mixers, leg.mixer), &mut self.out, &*self.sink);
                        }
                        return true;
                    }
                    leg.malformed += 1;
                }
            }
        }
        true
    }

    fn read_rtcp(&mut self, place: usize, now: Duration) {
        let Some(leg) = self.legs.get_mut(place).and_then(Option::as_mut) else { return };
        let mut buffer = [0; PACKET_BYTES];
        if let Wire::Sockets(sockets) = &leg.wire
            && let Some(length) = sockets.read_rtcp(&mut buffer)
        {
            leg.session.input_rtcp(now, &buffer[..length]);
        }
    }

    /// Gives a frame to each leg and each mixer whose slot this is.
    fn send(&mut self) {
        let now = self.start.elapsed();
        for leg in self.legs.iter_mut().flatten().filter(|leg| leg.pace.is_due(self.slot)) {
            leg.session.tick(now, &mut self.out);
            leg.send(&self.out);
            leg.record(&self.out.heard);
            leg.tell(None, &mut self.out, &*self.sink);
            let playing = leg.session.playing();
            leg.pace.sent(self.slot, playing);
        }
        for mixer in self.mixers.iter_mut().filter(|mixer| mixer.pace.is_due(self.slot)) {
            exchange(mixer, &mut self.legs, now, &mut self.out, &*self.sink);
            mixer.pace.sent(self.slot, false);
        }
    }
}

/// One frame of a mixer: its legs are heard, mixed, and told what the others say.
fn exchange(mixer: &mut Mixer, legs: &mut [Option<Leg>], now: Duration, out: &mut Out, sink: &dyn MediaSink) {
    let mut voice = 0;
    while let Some(place) = mixer.place(voice) {
        if let Some(leg) = legs.get_mut(place).and_then(Option::as_mut) {
            leg.session.hear_tick(now, out);
            mixer.hear(voice, &out.heard);
            leg.tell(Some(mixer), out, sink);
        }
        voice += 1;
    }
    let seat = mixer.seat();
    mixer.mix(|event| sink.media(seat, event));
    let mut voice = 0;
    while let Some(place) = mixer.place(voice) {
        if let Some(leg) = legs.get_mut(place).and_then(Option::as_mut) {
            leg.session.say_tick(now, &mixer.frame_for(voice), out);
            leg.send(out);
            leg.tell(Some(mixer), out, sink);
        }
        voice += 1;
    }
}

/// The mixer of this seat.
fn mixer_of(mixers: &mut [Mixer], seat: Option<LegId>) -> Option<&mut Mixer> {
    let seat = seat?;
    mixers.iter_mut().find(|mixer| mixer.seat() == seat)
}

impl Leg {
    fn send(&mut self, out: &Out) {
        if !out.rtp.is_empty() && !self.wire.send(&out.rtp) {
            self.unsent += 1;
        }
        if !out.rtcp.is_empty() && !self.wire.send_rtcp(&out.rtcp) {
            self.unsent += 1;
        }
    }

    fn tell(&mut self, mut mixer: Option<&mut Mixer>, out: &mut Out, sink: &dyn MediaSink) {
        for event in out.events.drain(..) {
            if let MediaEvent::Finished { play } = event {
                self.plays.fetch_sub(1, Ordering::Relaxed);
                // What was played before a recording is no play of its own.
                if self.recording.begin_after(play) {
                    continue;
                }
            }
            sink.media(self.id, event);
            // A stop tone is told as a tone first.
            if let MediaEvent::Tone { tone } = event {
                match &mut mixer {
                    Some(mixer) => mixer.tone(tone),
                    None => {
                        self.recording.tone(tone);
                        self.listen_or_not();
                    }
                }
            }
        }
    }

    fn record(&mut self, heard: &[i16]) {
        // A leg that is not connected yet hears nothing at all.
        if self.recording.runs() && !heard.is_empty() {
            self.recording.frame(heard);
            self.listen_or_not();
        }
    }

    /// A leg listens while it is recorded, or mixed.
    fn listen_or_not(&mut self) {
        self.session.listen(self.recording.runs() || self.mixer.is_some());
    }
}

/// The time from the start to a slot.
fn slots(slot: u64) -> Duration {
    Duration::from_nanos(SLOT.as_nanos() as u64 * slot)
}

/// A number no far end can guess cheaply: the standard library seeds its hashers from the system's randomness.
fn random() -> u64 {
    RandomState::new().hash_one(())
}
