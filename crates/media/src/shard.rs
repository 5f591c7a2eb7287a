//! A shard: one plain thread that paces its legs. A frame of 20 ms is cut into four slots of 5 ms; each leg sends in
//! one of them. Between slots the shard sleeps until a packet or a command comes, and reads what has come, so a key is
//! reported at once, or with many legs at most 1 ms later. Deadlines are absolute, counted from the start: nothing
//! drifts. Knows no SIP and no HTTP.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::limits::{COMMANDS, MAX_CATCH_UP, PACKET_BYTES, READ_REST, SLOT, SLOTS, STRANGERS_PER_TURN};
use crate::pace::Pace;
use crate::poll::{Poll, Ready};
use crate::prompt::Prompt;
use crate::record::Recorder;
use crate::session::{MediaEvent, Origin, Out, Session, ntp};
use crate::wire::{Pair, Read, Wire};
use crate::{LegId, MediaSink, PlayId, RemoteRtp, Repeat, Strays, Tone};

/// What the handle asks of a shard. In order for each leg; what names a leg that is gone is ignored.
pub(crate) enum Command {
    Open { leg: LegId, pair: Pair, plays: Arc<AtomicUsize> },
    Connect { leg: LegId, remote: RemoteRtp },
    Play { leg: LegId, play: PlayId, prompts: Vec<Arc<Prompt>>, repeat: Repeat },
    Press { leg: LegId, play: PlayId, tones: Vec<Tone>, pause: Duration },
    Record { leg: LegId, play: PlayId, lead_in: Vec<Arc<Prompt>>, recorder: Box<Recorder> },
    Keep { leg: LegId, play: PlayId },
    Stop { leg: LegId, play: PlayId },
    Signalled { leg: LegId, tone: Tone },
    Close { leg: LegId },
}

struct Leg {
    id: LegId,
    wire: Wire,
    session: Session,
    /// What is recorded, and the play it follows.
    recording: Option<(PlayId, Box<Recorder>)>,
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
            if !self.places.is_empty() && self.start.elapsed() >= slots(self.slot) {
                self.skip_missed_slots();
                self.send();
                self.slot += 1;
            }
            // After a slot, too: a shard that is behind hears its legs all the same.
            self.listen();
        }
        let legs: Vec<LegId> = self.places.keys().copied().collect();
        legs.into_iter().for_each(|leg| self.close(leg));
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
        let slot = (!self.places.is_empty()).then(|| slots(self.slot));
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
            Command::Open { leg, pair, plays } => self.open(leg, pair, plays),
            Command::Connect { leg, remote } => self.connect(leg, remote),
            Command::Play { leg, play, prompts, repeat } => {
                self.queue(leg, |session| session.play(play, prompts, repeat));
            }
            Command::Press { leg, play, tones, pause } => {
                self.queue(leg, |session| session.press(play, tones, pause));
            }
            // Where there is no leg, the tape ends as the recorder is dropped.
            Command::Record { leg, play, lead_in, recorder } => {
                if let Some(leg) = self.leg(leg) {
                    leg.session.listen(true);
                    leg.recording = Some((play, recorder));
                }
                self.queue(leg, |session| session.play(play, lead_in, Repeat::Times(1)));
            }
            Command::Keep { leg, play } => {
                if let Some(leg) = self.leg(leg) {
                    let stopped = leg.session.stop(play);
                    leg.plays.fetch_sub(stopped, Ordering::Relaxed);
                    leg.end_recording(play);
                }
            }
            Command::Stop { leg, play } => {
                if let Some(leg) = self.leg(leg) {
                    let stopped = leg.session.stop(play);
                    leg.plays.fetch_sub(stopped, Ordering::Relaxed);
                    if let Some((_, recorder)) = leg.recording.as_mut().filter(|(of, _)| *of == play) {
                        recorder.discard();
                    }
                    leg.end_recording(play);
                }
            }
            Command::Signalled { leg, tone } => self.signalled(leg, tone),
            Command::Close { leg } => self.close(leg),
        }
    }

    /// Lets a leg's session queue something to send, which begins at once if it is the first.
    fn queue(&mut self, leg: LegId, queued: impl FnOnce(&mut Session)) {
        let slot = self.slot;
        if let Some(leg) = self.leg(leg) {
            if !leg.session.playing() {
                leg.pace.hurry(slot);
            }
            queued(&mut leg.session);
        }
    }

    fn signalled(&mut self, leg: LegId, tone: Tone) {
        let now = self.start.elapsed();
        let Some(leg) = self.places.get(&leg).and_then(|&place| self.legs.get_mut(place)?.as_mut()) else { return };
        leg.session.signalled(now, tone, &mut self.out);
        leg.tell(&mut self.out, &*self.sink);
    }

    fn leg(&mut self, leg: LegId) -> Option<&mut Leg> {
        let place = *self.places.get(&leg)?;
        self.legs.get_mut(place)?.as_mut()
    }

    fn open(&mut self, id: LegId, pair: Pair, plays: Arc<AtomicUsize>) {
        if self.places.is_empty() {
            // It slept through its slots.
            self.slot = (self.start.elapsed().as_nanos() / SLOT.as_nanos()) as u64 + 1;
        }
        let origin =
            Origin { ssrc: random() as u32, sequence: random() as u16, timestamp: random() as u32, ntp: self.ntp };
        let pace = Pace::new(self.slot + self.opened % SLOTS);
        self.opened += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.legs.push(None);
            self.legs.len() - 1
        });
        let wire = Wire::new(pair);
        if let Err(error) = self.poll.watch(place, &wire) {
            // It hears nothing, so the media time-out will end it.
            tracing::error!(leg = %id, %error, "media sockets cannot be watched");
        }
        self.places.insert(id, place);
        let session = Session::new(origin);
        self.legs[place] =
            Some(Leg { id, wire, session, recording: None, plays, pace, foreign: 0, malformed: 0, unsent: 0 });
    }

    fn connect(&mut self, leg: LegId, remote: RemoteRtp) {
        let now = self.start.elapsed();
        let Some(&place) = self.places.get(&leg) else { return };
        // What has come already was sent under the terms before.
        for _ in 0..STRANGERS_PER_TURN {
            if !self.read(place, now) {
                break;
            }
        }
        if let Some(leg) = self.leg(leg) {
            leg.wire.aim(remote.addr, remote.any_source);
            leg.session.connect(now, remote.terms());
        }
    }

    fn close(&mut self, leg: LegId) {
        let Some(place) = self.places.remove(&leg) else { return };
        let Some(mut leg) = self.legs[place].take() else { return };
        self.free.push(place);
        leg.session.close(self.start.elapsed(), &mut self.out);
        leg.send(&self.out);
        let Leg { id, foreign, malformed, unsent, .. } = leg;
        tracing::debug!(leg = %id, foreign, malformed, unsent, "media closed");
        self.sink.closed(id, Strays { foreign, malformed, unsent });
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
                        leg.tell(&mut self.out, &*self.sink);
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
        if let Some(length) = leg.wire.read_rtcp(&mut buffer) {
            leg.session.input_rtcp(now, &buffer[..length]);
        }
    }

    /// Gives a frame to each leg whose slot this is.
    fn send(&mut self) {
        let now = self.start.elapsed();
        for leg in self.legs.iter_mut().flatten().filter(|leg| leg.pace.is_due(self.slot)) {
            leg.session.tick(now, &mut self.out);
            leg.send(&self.out);
            leg.record(&self.out.heard);
            leg.tell(&mut self.out, &*self.sink);
            let playing = leg.session.playing();
            leg.pace.sent(self.slot, playing);
        }
    }
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

    fn tell(&mut self, out: &mut Out, sink: &dyn MediaSink) {
        for event in out.events.drain(..) {
            if let MediaEvent::Finished { play } = event {
                self.plays.fetch_sub(1, Ordering::Relaxed);
                // What was played before a recording is no play of its own.
                if let Some((_, recorder)) = self.recording.as_mut().filter(|(of, _)| *of == play) {
                    recorder.begin();
                    continue;
                }
            }
            sink.media(self.id, event);
            // A stop tone is told as a tone first.
            if let (MediaEvent::Tone { tone }, Some((_, recorder))) = (event, &mut self.recording) {
                recorder.tone(tone);
                self.end_if_over();
            }
        }
    }

    fn record(&mut self, heard: &[i16]) {
        // A leg that is not connected yet hears nothing at all.
        if let (Some((_, recorder)), false) = (&mut self.recording, heard.is_empty()) {
            recorder.frame(heard);
            self.end_if_over();
        }
    }

    fn end_if_over(&mut self) {
        if let Some((play, recorder)) = &self.recording
            && recorder.is_over()
        {
            self.end_recording(*play);
        }
    }

    /// Drops a recorder, which ends its tape; nobody listens any more.
    fn end_recording(&mut self, play: PlayId) {
        if self.recording.take_if(|(of, _)| *of == play).is_some() {
            self.session.listen(false);
        }
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
