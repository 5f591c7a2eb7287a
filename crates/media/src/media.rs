//! The handle to the media threads: what other rooms call. Binds ports and encodes prompts on the caller's thread, and
//! leaves the rest to the shards. Knows no packet.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crate::codec::Codec;
use crate::limits;
use crate::poll::{Poll, Waker};
use crate::port::{Port, port};
use crate::prompt::Prompt;
use crate::record::{RecordTerms, Recorder};
use crate::session::{MediaEvent, Terms};
use crate::shard::{Command, FarEnd, Shard};
use crate::sine::sine;
use crate::tape::TapeIn;
use crate::wire::{Ports, Sockets, Wire};
use crate::{LegId, PlayId, Repeat, Tone};

/// Where and with how many threads media runs.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// Address of all media sockets.
    pub bind: IpAddr,
    /// Ports of all media sockets; a leg takes an even one and the next.
    pub ports: RangeInclusive<u16>,
    /// Threads, at least 1. A core carries at least 1,500 legs that talk both ways.
    pub shards: usize,
}

/// Receives what the legs have to tell, on a media thread: it must not block and must not call [`Media`], which may
/// wait for that very thread.
pub trait MediaSink: Send + Sync + 'static {
    /// A leg has something to tell. Events of one leg come in their order, none after its close was obeyed.
    fn media(&self, leg: LegId, event: MediaEvent);
    /// A leg is closed; what went astray while it was open. Called on the shard's thread.
    fn closed(&self, _leg: LegId, _strays: Strays) {}
    /// A shard woke so late that it left out this many slots of 5 ms. Called on its thread.
    fn woke_late(&self, _slots: u64) {}
}

/// Packets of a leg that did not do what packets are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Strays {
    /// Came from elsewhere than the far end.
    pub foreign: u64,
    /// Were no packets of the session.
    pub malformed: u64,
    /// Could not be sent.
    pub unsent: u64,
}

/// The sockets of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalRtp {
    /// Where RTP is received: the configured address and an even port. RTCP is on the next port.
    pub addr: SocketAddr,
}

/// The far end of a leg, as the SDP has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteRtp {
    /// Where it wants RTP; its RTCP is on the next port.
    pub addr: SocketAddr,
    /// The codec, both ways.
    pub codec: Codec,
    /// Payload type of telephone events; `None` if not negotiated.
    pub telephone_event: Option<u8>,
    /// We may send; false while the far end holds us.
    pub send: bool,
    /// The far end may send.
    pub receive: bool,
    /// Believe the first valid packet wherever it comes from (the far end is behind a NAT), not only `addr`.
    pub any_source: bool,
}

impl RemoteRtp {
    pub(crate) fn terms(&self) -> Terms {
        Terms { codec: self.codec, telephone_event: self.telephone_event, send: self.send, receive: self.receive }
    }
}

/// Why a leg got no sockets. Nothing is held then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// All pairs of the range are in use.
    #[error("no media port is free")]
    NoPort,
    /// The leg has its sockets already.
    #[error("the leg is open already")]
    AlreadyOpen,
    /// The operating system refused.
    #[error("media socket: {0}")]
    Io(#[from] io::Error),
}

/// Too much is waiting already; nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many plays are waiting on this leg")]
pub struct Busy;

/// Why a leg is not mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MixError {
    /// Nobody opened the mixer, or it is closed.
    #[error("the meeting's audio has ended")]
    NoMixer,
    /// [`limits::MIXED_LEGS`] are there.
    #[error("as many phones are in the meeting as may be")]
    Full,
    /// The leg is on another media thread than the mixer.
    #[error("the phone's audio is on another media thread than the meeting's")]
    Elsewhere,
}

/// The media threads. They run until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Media {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    ports: Arc<Ports>,
    shards: Vec<Door>,
    beep: Arc<Prompt>,
    legs: Mutex<Legs>,
}

/// The way to one shard.
#[derive(Debug)]
struct Door {
    /// None once it is shut.
    commands: Option<SyncSender<Command>>,
    waker: Waker,
}

impl Door {
    /// Waits while the queue is full, which the shard empties every few milliseconds. A shard that is gone has no legs
    /// left to command.
    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
        self.waker.wake();
    }

    /// False if the queue is full.
    fn try_send(&self, command: Command) -> bool {
        let sent = self.commands.as_ref().map(|commands| commands.try_send(command));
        self.waker.wake();
        !matches!(sent, Some(Err(TrySendError::Full(_))))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Shut before the shard looks.
        self.commands = None;
        self.waker.wake();
    }
}

#[derive(Debug, Default)]
struct Legs {
    open: HashMap<LegId, Leg>,
    /// Shards take legs in turn.
    opened: usize,
}

#[derive(Debug)]
struct Leg {
    shard: usize,
    plays: Arc<AtomicUsize>,
    /// As last connected, a guess before; a mixer has none.
    codec: Option<Codec>,
    /// The seat of the mixer that it is in.
    mixer: Option<LegId>,
    /// What may still be played, so that another codec finds it encoded.
    prompts: Vec<Weak<Prompt>>,
}

impl Legs {
    /// Enters a leg or a mixer; its shard, and its count of plays.
    fn enter(&mut self, leg: LegId, shards: usize, codec: Option<Codec>) -> (usize, Arc<AtomicUsize>) {
        let shard = self.opened % shards;
        self.opened = self.opened.wrapping_add(1);
        let plays = Arc::default();
        let entry = Leg { shard, plays: Arc::clone(&plays), codec, mixer: None, prompts: Vec::new() };
        self.open.insert(leg, entry);
        (shard, plays)
    }
}

impl Media {
    /// Starts the threads. `InvalidInput` if there is no pair of ports in the range, or no shard.
    pub fn start(config: MediaConfig, sink: Arc<dyn MediaSink>) -> io::Result<Media> {
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
        let ports = Ports::new(config.bind, config.ports)
            .ok_or_else(|| invalid("the media ports hold no even port with its next"))?;
        if config.shards == 0 {
            return Err(invalid("media needs at least one shard"));
        }
        let mut shards = Vec::with_capacity(config.shards);
        for number in 0..config.shards {
            let (sender, commands) = sync_channel(limits::COMMANDS);
            let (poll, waker) = Poll::new()?;
            let shard = Shard::new(commands, poll, Arc::clone(&sink));
            thread::Builder::new().name(format!("media-{number}")).spawn(move || shard.run())?;
            shards.push(Door { commands: Some(sender), waker });
        }
        let beep = Arc::new(beep());
        Ok(Media { inner: Arc::new(Inner { ports, shards, beep, legs: Mutex::default() }) })
    }

    /// Binds the sockets of a leg. It stays silent and believes nobody until [`connect`](Media::connect).
    pub fn open_rtp(&self, leg: LegId) -> Result<LocalRtp, OpenError> {
        let legs = self.legs();
        if legs.open.contains_key(&leg) {
            return Err(OpenError::AlreadyOpen);
        }
        let pair = self.inner.ports.bind()?;
        let addr = pair.addr();
        self.open(legs, leg, Wire::Sockets(Sockets::new(pair)));
        Ok(LocalRtp { addr })
    }

    /// Opens a leg whose packets somebody else carries (WebRTC): they go in and out by the port. It stays silent until
    /// [`connect_port`](Media::connect_port). `wake` is called on a media thread when there are packets to be taken out; it
    /// must not block.
    pub fn open_port(&self, leg: LegId, wake: impl Fn() + Send + Sync + 'static) -> Result<Port, OpenError> {
        let legs = self.legs();
        if legs.open.contains_key(&leg) {
            return Err(OpenError::AlreadyOpen);
        }
        let (outer, inner) = port(Box::new(wake));
        self.open(legs, leg, Wire::Port(inner));
        Ok(outer)
    }

    fn open(&self, mut legs: MutexGuard<'_, Legs>, leg: LegId, wire: Wire) {
        let (shard, plays) = legs.enter(leg, self.inner.shards.len(), Some(Codec::Pcmu));
        drop(legs);
        self.command(shard, Command::Open { leg, wire: Box::new(wire), plays });
    }

    /// Opens a mixer by the name of its seat, which plays and records as a leg does: what it plays all legs in the mixer
    /// hear, and what it records is what they all say. With no legs it keeps time all the same. It is
    /// [closed](Media::close) as a leg is; its legs then are on their own again.
    pub fn open_mixer(&self, seat: LegId) -> Result<(), OpenError> {
        let mut legs = self.legs();
        if legs.open.contains_key(&seat) {
            return Err(OpenError::AlreadyOpen);
        }
        let (shard, plays) = legs.enter(seat, self.inner.shards.len(), None);
        drop(legs);
        self.command(shard, Command::OpenMixer { seat, plays });
        Ok(())
    }

    /// Puts a leg into a mixer: it hears everyone there but itself. What the leg plays itself is not heard any more. A leg
    /// that is not open is ignored.
    pub fn mix(&self, leg: LegId, seat: LegId) -> Result<(), MixError> {
        let mut legs = self.legs();
        let mixer = legs.open.get(&seat).filter(|seat| seat.codec.is_none());
        let shard = mixer.map(|seat| seat.shard).ok_or(MixError::NoMixer)?;
        if legs.open.values().filter(|leg| leg.mixer == Some(seat)).count() >= limits::MIXED_LEGS {
            return Err(MixError::Full);
        }
        let Some(entry) = legs.open.get_mut(&leg) else { return Ok(()) };
        if entry.shard != shard {
            return Err(MixError::Elsewhere);
        }
        entry.mixer = Some(seat);
        drop(legs);
        self.command(shard, Command::Mix { leg, seat });
        Ok(())
    }

    /// Starts the leg's media, or changes it (re-INVITE, hold). A leg that is not open is ignored. With another codec,
    /// what plays and waits is encoded for it first, on the caller's thread, and goes on at the same place.
    pub fn connect(&self, leg: LegId, remote: RemoteRtp) {
        let far = FarEnd { addr: remote.addr, any_source: remote.any_source };
        self.agree(leg, remote.terms(), Some(far));
    }

    /// The same for a leg with a port, whose other side knows where the far end is.
    pub fn connect_port(&self, leg: LegId, terms: Terms) {
        self.agree(leg, terms, None);
    }

    fn agree(&self, leg: LegId, terms: Terms, far: Option<FarEnd>) {
        let mut legs = self.legs();
        let Some(entry) = legs.open.get_mut(&leg) else { return };
        entry.codec = Some(terms.codec);
        let shard = entry.shard;
        let prompts: Vec<_> = entry.prompts.iter().filter_map(Weak::upgrade).collect();
        drop(legs);
        prompts.iter().for_each(|prompt| prompt.encode(terms.codec));
        self.command(shard, Command::Connect { leg, terms, far });
    }

    /// Encodes a prompt as this leg will hear it, on the caller's thread: about 1 ms a second of audio at most. Else
    /// [`play`](Media::play) does.
    pub fn prepare(&self, leg: LegId, prompt: &Prompt) {
        let codec = self.legs().open.get(&leg).and_then(|entry| entry.codec);
        if let Some(codec) = codec {
            prompt.encode(codec);
        }
    }

    /// Plays the prompts one after the other, behind what plays or waits already. Its end is told by
    /// [`MediaEvent::Finished`]. On a leg that is not open nothing plays and nothing is told, as if it had been closed
    /// an instant later. What was not [prepared](Media::prepare) is encoded here, on the caller's thread.
    pub fn play(&self, leg: LegId, play: PlayId, prompts: Vec<Arc<Prompt>>, repeat: Repeat) -> Result<(), Busy> {
        self.take_up(leg, &prompts);
        self.queue(leg, Command::Play { leg, play, prompts, repeat })
    }

    /// Remembers what a leg is about to hear, for a change of its codec, and encodes it.
    fn take_up(&self, leg: LegId, prompts: &[Arc<Prompt>]) {
        let mut legs = self.legs();
        let Some(entry) = legs.open.get_mut(&leg) else { return };
        entry.prompts.retain(|prompt| prompt.strong_count() > 0);
        for prompt in prompts.iter().map(Arc::downgrade) {
            // Each once: prompts outlive the plays where somebody keeps them for others.
            if !entry.prompts.iter().any(|known| known.ptr_eq(&prompt)) {
                entry.prompts.push(prompt);
            }
        }
        let codec = entry.codec;
        drop(legs);
        codec.iter().for_each(|codec| prompts.iter().for_each(|prompt| prompt.encode(*codec)));
    }

    /// Presses keys behind what plays or waits already, with a pause between two of at least
    /// [`limits::PAUSE`]: as RTP events (RFC 4733) where the far end knows them, else as tones in the audio. A play like
    /// any other: its end is told by [`MediaEvent::Finished`], and [`stop`](Media::stop) ends it.
    pub fn press(&self, leg: LegId, play: PlayId, tones: Vec<Tone>, pause: Duration) -> Result<(), Busy> {
        self.queue(leg, Command::Press { leg, play, tones, pause })
    }

    /// A key that the signalling heard (SIP INFO). It comes back as [`MediaEvent::Tone`], unless the same key was heard
    /// in the media within [`limits::SAME_PRESS`]: a phone that tells each press two ways is heard once. A press heard
    /// one way only is never taken for a repetition, so that a key may be pressed twice as fast as a finger can.
    pub fn signalled(&self, leg: LegId, tone: Tone) {
        if let Some(shard) = self.shard(leg) {
            self.command(shard, Command::Signalled { leg, tone });
        }
    }

    /// Hands over something to send, of which each leg may have so much waiting.
    fn queue(&self, leg: LegId, command: Command) -> Result<(), Busy> {
        let Some((shard, plays)) = self.legs().open.get(&leg).map(|entry| (entry.shard, Arc::clone(&entry.plays)))
        else {
            return Ok(());
        };
        if plays.fetch_add(1, Ordering::Relaxed) >= limits::PLAYS {
            plays.fetch_sub(1, Ordering::Relaxed);
            return Err(Busy);
        }
        if self.inner.shards[shard].try_send(command) {
            return Ok(());
        }
        plays.fetch_sub(1, Ordering::Relaxed);
        Err(Busy)
    }

    /// Plays the prompts, if there are any, and a beep, if one is wanted, as [`play`](Media::play) does, and then records
    /// what the leg says on the tape. What the tape tells is the only word of it: its end, and that of a leg which is not
    /// open.
    pub fn record(
        &self,
        leg: LegId,
        play: PlayId,
        mut lead_in: Vec<Arc<Prompt>>,
        beep: bool,
        terms: RecordTerms,
        tape: TapeIn,
    ) -> Result<(), Busy> {
        lead_in.extend(beep.then(|| Arc::clone(&self.inner.beep)));
        self.take_up(leg, &lead_in);
        let recorder = Box::new(Recorder::new(terms, tape));
        self.queue(leg, Command::Record { leg, play, lead_in, recorder })
    }

    /// Ends a recording, whose tape then tells that it was closed.
    pub fn keep(&self, leg: LegId, play: PlayId) {
        if let Some(shard) = self.shard(leg) {
            self.command(shard, Command::Keep { leg, play });
        }
    }

    /// Ends a play, running or waiting, or a recording, whose tape is then discarded. A play tells nothing more, unless
    /// its end was already on its way.
    pub fn stop(&self, leg: LegId, play: PlayId) {
        if let Some(shard) = self.shard(leg) {
            self.command(shard, Command::Stop { leg, play });
        }
    }

    /// Ends the leg's media, with an RTCP farewell. Its ports are free within a slot of 5 ms.
    pub fn close(&self, leg: LegId) {
        let entry = self.legs().open.remove(&leg);
        if let Some(entry) = entry {
            self.command(entry.shard, Command::Close { leg });
        }
    }

    /// The shard of an open leg.
    fn shard(&self, leg: LegId) -> Option<usize> {
        self.legs().open.get(&leg).map(|entry| entry.shard)
    }

    fn legs(&self) -> MutexGuard<'_, Legs> {
        self.inner.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What ends a play or frees a port must not be lost: this waits.
    fn command(&self, shard: usize, command: Command) {
        self.inner.shards[shard].send(command);
    }
}

/// What is sent before a recording.
fn beep() -> Prompt {
    let samples = limits::BEEP.as_millis() as u32 * limits::RATE / 1_000;
    Prompt::from_pcm16k(sine(limits::RATE, limits::BEEP_HERTZ, samples).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Deaf;

    impl MediaSink for Deaf {
        fn media(&self, _: LegId, _: MediaEvent) {}
    }

    #[test]
    fn a_leg_remembers_each_prompt_once_however_often_it_plays() {
        let config = MediaConfig { bind: [127, 0, 0, 1].into(), ports: 32_000..=32_767, shards: 1 };
        let media = Media::start(config, Arc::new(Deaf)).expect("it starts");
        let leg = LegId::from_u128(1);
        media.open_rtp(leg).expect("a port");
        let [kept, other] = [7, 8].map(|sample| Arc::new(Prompt::from_pcm16k(vec![sample; 10])));
        for _ in 0..100 {
            media.take_up(leg, &[Arc::clone(&kept), Arc::clone(&kept)]);
            media.take_up(leg, &[Arc::clone(&other)]);
        }
        assert_eq!(media.legs().open[&leg].prompts.len(), 2);
        drop(other);
        media.take_up(leg, &[]);
        assert_eq!(media.legs().open[&leg].prompts.len(), 1);
    }
}
