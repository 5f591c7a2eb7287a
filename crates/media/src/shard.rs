//! A shard: one plain thread that paces its legs. A frame of 20 ms is cut into four slots of 5 ms; each leg sends in
//! one of them. Every slot the shard also reads all its sockets, so a key is reported at most 5 ms late.
//! Deadlines are absolute, counted from the start: nothing drifts. Knows no SIP and no HTTP.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::limits::{COMMANDS, MAX_CATCH_UP, PACKET_BYTES, PACKETS_PER_SLOT, RTCP_PER_FRAME, SLOT, SLOTS};
use crate::pace::Pace;
use crate::prompt::Prompt;
use crate::record::Recorder;
use crate::session::{MediaEvent, Origin, Out, Session, ntp};
use crate::wire::{Pair, Read, Wire};
use crate::{LegId, MediaSink, PlayId, RemoteRtp, Repeat, Tone};

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
    sink: Arc<dyn MediaSink>,
    start: Instant,
    /// NTP time at the start.
    ntp: u64,
    /// The next slot.
    slot: u64,
    legs: Vec<Leg>,
    places: HashMap<LegId, usize>,
    opened: u64,
    out: Out,
}

impl Shard {
    pub(crate) fn new(commands: Receiver<Command>, sink: Arc<dyn MediaSink>) -> Shard {
        /// Seconds from 1900, where NTP counts from, to 1970.
        const NTP_EPOCH: u64 = 2_208_988_800;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Shard {
            commands,
            sink,
            start: Instant::now(),
            ntp: ntp(wall).wrapping_add(NTP_EPOCH << 32),
            slot: 0,
            legs: Vec::new(),
            places: HashMap::new(),
            opened: 0,
            out: Out::default(),
        }
    }

    /// Runs until the last handle is gone; then says farewell on every leg.
    pub(crate) fn run(mut self) {
        while self.obey_until_slot() {
            self.skip_missed_slots();
            self.read();
            self.send();
            self.slot += 1;
        }
        while let Some(leg) = self.legs.last() {
            self.close(leg.id);
        }
    }

    /// Waits for the next slot and obeys commands meanwhile. False when no one can command any more.
    fn obey_until_slot(&mut self) -> bool {
        let deadline = self.start + slots(self.slot);
        // A late shard still obeys, but no more than the queue can hold: legs are waiting.
        for _ in 0..COMMANDS {
            match self.commands.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    fn skip_missed_slots(&mut self) {
        let late = self.start.elapsed().saturating_sub(slots(self.slot));
        if late > MAX_CATCH_UP {
            let missed = (late.as_nanos() / SLOT.as_nanos()) as u64;
            tracing::warn!(missed, "media shard woke late");
            self.slot += missed;
        }
    }

    fn obey(&mut self, command: Command) {
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
        let Some(leg) = self.places.get(&leg).and_then(|&place| self.legs.get_mut(place)) else { return };
        leg.session.signalled(now, tone, &mut self.out);
        leg.tell(&mut self.out, &*self.sink);
    }

    fn leg(&mut self, leg: LegId) -> Option<&mut Leg> {
        let place = *self.places.get(&leg)?;
        self.legs.get_mut(place)
    }

    fn open(&mut self, id: LegId, pair: Pair, plays: Arc<AtomicUsize>) {
        let origin =
            Origin { ssrc: random() as u32, sequence: random() as u16, timestamp: random() as u32, ntp: self.ntp };
        let pace = Pace::new(self.slot + self.opened % SLOTS);
        self.opened += 1;
        self.places.insert(id, self.legs.len());
        self.legs.push(Leg {
            id,
            wire: Wire::new(pair),
            session: Session::new(origin),
            recording: None,
            plays,
            pace,
            foreign: 0,
            malformed: 0,
            unsent: 0,
        });
    }

    fn connect(&mut self, leg: LegId, remote: RemoteRtp) {
        let now = self.start.elapsed();
        if let Some(leg) = self.leg(leg) {
            leg.wire.aim(remote.addr, remote.any_source);
            leg.session.connect(now, remote.terms());
        }
    }

    fn close(&mut self, leg: LegId) {
        let Some(place) = self.places.remove(&leg) else { return };
        let mut leg = self.legs.swap_remove(place);
        if let Some(moved) = self.legs.get(place) {
            self.places.insert(moved.id, place);
        }
        leg.session.close(self.start.elapsed(), &mut self.out);
        leg.send(&self.out);
        let Leg { id, foreign, malformed, unsent, .. } = leg;
        tracing::debug!(leg = %id, foreign, malformed, unsent, "media closed");
    }

    /// Reads every RTP socket, so that keys are told at once.
    fn read(&mut self) {
        let now = self.start.elapsed();
        let mut buffer = [0; PACKET_BYTES];
        for leg in &mut self.legs {
            for _ in 0..PACKETS_PER_SLOT {
                match leg.wire.read(&mut buffer) {
                    Read::Empty => break,
                    Read::Stranger => leg.foreign += 1,
                    Read::Packet(length, source) => {
                        if leg.session.input(now, &buffer[..length], &mut self.out) {
                            leg.wire.latch(source);
                        } else {
                            leg.malformed += 1;
                        }
                    }
                }
            }
            leg.tell(&mut self.out, &*self.sink);
        }
    }

    /// Gives a frame to each leg whose slot this is.
    fn send(&mut self) {
        let now = self.start.elapsed();
        let mut buffer = [0; PACKET_BYTES];
        for leg in self.legs.iter_mut().filter(|leg| leg.pace.is_due(self.slot)) {
            for _ in 0..RTCP_PER_FRAME {
                let Some(length) = leg.wire.read_rtcp(&mut buffer) else { break };
                leg.session.input_rtcp(now, &buffer[..length]);
            }
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
