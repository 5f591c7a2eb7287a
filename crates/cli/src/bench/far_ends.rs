//! The far ends of a benchmark's calls: RTP and RTCP sockets as phones have them, one thread that sends every 20 ms and
//! one that receives with the kernel's time stamps (SO_TIMESTAMPNS), so that neither thread's own delays count.
//! Deliberately not the media room: it judges that. Knows no SIP and no HTTP.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use ringback_media::telephone_event::{Press, PressPacket};
use ringback_media::{RemoteRtp, Tone, rtcp, rtp};
use rustix::event::Timespec;
use rustix::event::epoll;

use crate::Failure;

/// A packet's time and samples at 8,000 Hz (RFC 3551 §4.2).
pub(super) const FRAME: Duration = Duration::from_millis(20);
pub(super) const SAMPLES: usize = 160;
/// Far ends send in turn, so that they make no burst of their own.
pub(super) const SLOTS: u64 = 4;
pub(super) const SLOT: Duration = Duration::from_millis(5);
/// µ-law bytes of silence.
const SILENCE: [u8; 2] = [0xFF, 0x7F];
/// Slots between two RTCP reports of a far end: 5 s.
const REPORT_SLOTS: u64 = 1_000;
/// How long a key is pressed.
const PRESS: Duration = Duration::from_millis(60);
/// The receiver rests so long after each turn: packets then come in batches, and the machine is left to the server.
/// It costs no accuracy, since the kernel has stamped them.
const REST: Duration = Duration::from_micros(500);
/// Sockets told ready at once.
const READY: usize = 256;
/// Tries to find two ports next to each other.
const PORT_TRIES: usize = 1_000;

/// A packet that was received: which, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// Counted from the first one recorded.
    pub(super) number: i64,
    pub(super) at: Instant,
}

/// What was heard of one leg.
#[derive(Default)]
struct Heard {
    arrivals: Vec<Arrival>,
    /// Sequence number and count of the packet received last.
    last: Option<(u16, i64)>,
    first_sound: Option<Instant>,
    last_sound: Option<Instant>,
    compared: u64,
    different: u64,
    /// The sequence number with which the prompt began.
    began: Option<u16>,
}

/// What is sent to one leg.
#[derive(Default)]
struct Said {
    to: Option<RemoteRtp>,
    sequence: u16,
    timestamp: u32,
    packets: u32,
    pressed: u32,
    keys: VecDeque<PressPacket>,
    /// When the first packet that ends a key was sent.
    released: Option<Instant>,
}

struct FarEnd {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    address: SocketAddr,
    heard: Mutex<Heard>,
    said: Mutex<Said>,
    /// Its payloads are compared with the prompt.
    compares: bool,
}

struct Shared {
    ends: Vec<FarEnd>,
    /// What the prompt encodes to, played without end.
    encoded: Vec<u8>,
    talks: bool,
    records: AtomicBool,
    over: AtomicBool,
    rtp_received: AtomicU64,
    rtcp_received: AtomicU64,
}

/// The far ends. Their threads end with it.
pub(super) struct FarEnds {
    shared: Arc<Shared>,
}

impl Drop for FarEnds {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

/// How well packets came, of all legs together.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Punctuality {
    /// Packets that ought to have come.
    pub(super) expected: u64,
    /// Those that never came.
    pub(super) lost: u64,
    /// Those that came over 5 ms later than their leg's earliest would have it, and the lost ones.
    pub(super) late: u64,
    /// The latest of those that came, in ms.
    pub(super) worst_ms: f64,
}

impl Punctuality {
    pub(super) fn within_5ms_percent(&self) -> f64 {
        100.0 * (1.0 - self.late as f64 / self.expected.max(1) as f64)
    }
}

impl FarEnds {
    /// Binds so many, silent until they are aimed. `compared` of them compare what they hear with `encoded`; without
    /// `talks` they send control packets only.
    pub(super) fn start(count: usize, compared: usize, encoded: Vec<u8>, talks: bool) -> Result<FarEnds, Failure> {
        let ends = (0..count).map(|number| FarEnd::bind(number < compared)).collect::<io::Result<Vec<_>>>()?;
        let shared = Arc::new(Shared {
            ends,
            encoded,
            talks,
            records: AtomicBool::new(false),
            over: AtomicBool::new(false),
            rtp_received: AtomicU64::new(0),
            rtcp_received: AtomicU64::new(0),
        });
        let poll = shared.watch()?;
        let receiving = Arc::clone(&shared);
        thread::Builder::new().name("far-receive".to_owned()).spawn(move || receiving.receive(&poll))?;
        let sending = Arc::clone(&shared);
        thread::Builder::new().name("far-send".to_owned()).spawn(move || sending.send())?;
        Ok(FarEnds { shared })
    }

    /// Where one receives RTP; RTCP is on the next port.
    pub(super) fn address(&self, end: usize) -> SocketAddr {
        self.shared.ends[end].address
    }

    /// Sends there from now on, and hears only what comes from there.
    pub(super) fn aim(&self, end: usize, to: RemoteRtp) -> io::Result<()> {
        self.shared.ends[end].rtp.connect(to.addr)?;
        lock(&self.shared.ends[end].said).to = Some(to);
        Ok(())
    }

    /// Falls silent.
    pub(super) fn rest(&self, end: usize) {
        lock(&self.shared.ends[end].said).to = None;
    }

    /// Waits for the first and last sound anew.
    pub(super) fn listen(&self, end: usize) {
        let mut heard = lock(&self.shared.ends[end].heard);
        (heard.first_sound, heard.last_sound) = (None, None);
    }

    /// When, since [`FarEnds::listen`], the first and the last packet with sound in it came.
    pub(super) fn sound(&self, end: usize) -> Option<(Instant, Instant)> {
        let heard = lock(&self.shared.ends[end].heard);
        heard.first_sound.zip(heard.last_sound)
    }

    /// Presses a key. The three packets that end it are sent at once, as many phones do.
    pub(super) fn press(&self, end: usize, key: Tone) {
        let mut said = lock(&self.shared.ends[end].said);
        said.released = None;
        said.keys.extend(Press::new(key, PRESS));
    }

    /// When the first packet that ends the key was sent.
    pub(super) fn released(&self, end: usize) -> Option<Instant> {
        lock(&self.shared.ends[end].said).released
    }

    /// Records arrivals from now on, or no more. What was recorded before is forgotten at a start.
    pub(super) fn record(&self, on: bool) {
        if on {
            for end in &self.shared.ends {
                let mut heard = lock(&end.heard);
                heard.arrivals.clear();
                heard.last = None;
            }
        }
        self.shared.records.store(on, Ordering::Relaxed);
    }

    /// RTP packets and RTCP packets received since the start.
    pub(super) fn received(&self) -> (u64, u64) {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (count(&self.shared.rtp_received), count(&self.shared.rtcp_received))
    }

    /// Packets compared with the prompt since the start, and those that differ.
    pub(super) fn compared(&self) -> (u64, u64) {
        self.shared.ends.iter().fold((0, 0), |(compared, different), end| {
            let heard = lock(&end.heard);
            (compared + heard.compared, different + heard.different)
        })
    }

    /// How punctual the recorded packets of the first `ends` were.
    pub(super) fn punctuality(&self, ends: usize) -> Punctuality {
        let mut all = Punctuality::default();
        for end in &self.shared.ends[..ends] {
            add_leg(&mut all, &lock(&end.heard).arrivals);
        }
        all
    }
}

/// A leg's packets ought to come every 20 ms; the one that came earliest of all, measured so, says when.
fn add_leg(all: &mut Punctuality, arrivals: &[Arrival]) {
    let Some(start) = arrivals.first().map(|first| first.at) else { return };
    let offset = |arrival: &Arrival| {
        let frames = FRAME.as_secs_f64() * arrival.number as f64;
        // An arrival before the first one recorded is possible only by reordering.
        arrival.at.saturating_duration_since(start).as_secs_f64() - frames
    };
    let earliest = arrivals.iter().map(offset).fold(f64::INFINITY, f64::min);
    let mut numbers: Vec<i64> = arrivals.iter().map(|arrival| arrival.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let span = numbers.last().zip(numbers.first()).map_or(0, |(last, first)| last - first + 1) as u64;
    let lost = span.saturating_sub(numbers.len() as u64);
    let lateness = |arrival: &Arrival| 1e3 * (offset(arrival) - earliest);
    all.expected += span;
    all.lost += lost;
    all.late += lost + arrivals.iter().filter(|arrival| lateness(arrival) > 5.0).count() as u64;
    all.worst_ms = arrivals.iter().map(lateness).fold(all.worst_ms, f64::max);
}

impl FarEnd {
    fn bind(compares: bool) -> io::Result<FarEnd> {
        for _ in 0..PORT_TRIES {
            let rtp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            let address = rtp.local_addr()?;
            // RFC 3550 §11: an even port, and the next one.
            if address.port() % 2 == 1 {
                continue;
            }
            let Ok(rtcp) = UdpSocket::bind((Ipv4Addr::LOCALHOST, address.port() + 1)) else { continue };
            rtp.set_nonblocking(true)?;
            rtcp.set_nonblocking(true)?;
            setsockopt(&rtp, sockopt::ReceiveTimestampns, &true)?;
            return Ok(FarEnd { rtp, rtcp, address, heard: Mutex::default(), said: Mutex::default(), compares });
        }
        Err(io::Error::other("no two free ports next to each other"))
    }
}

impl Shared {
    fn watch(&self) -> io::Result<rustix::fd::OwnedFd> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, end) in self.ends.iter().enumerate() {
            let data = epoll::EventData::new_u64(2 * number as u64);
            epoll::add(&poll, &end.rtp, data, epoll::EventFlags::IN)?;
            let data = epoll::EventData::new_u64(2 * number as u64 + 1);
            epoll::add(&poll, &end.rtcp, data, epoll::EventFlags::IN)?;
        }
        Ok(poll)
    }

    fn receive(&self, poll: &rustix::fd::OwnedFd) {
        let mut ready = Vec::with_capacity(READY);
        let patience = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut buffer = [0u8; 2_048];
        while !self.over.load(Ordering::Relaxed) {
            ready.clear();
            // An interrupted wait is repeated.
            let _ = epoll::wait(poll, rustix::buffer::spare_capacity(&mut ready), Some(&patience));
            // The kernel stamps by the wall clock; both clocks read together turn that into an instant.
            let (now, wall) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
            for event in &ready {
                let token = event.data.u64();
                let end = &self.ends[(token / 2) as usize];
                if token % 2 == 1 {
                    if end.rtcp.recv(&mut buffer).is_ok() {
                        self.rtcp_received.fetch_add(1, Ordering::Relaxed);
                    }
                    continue;
                }
                let mut parts = [IoSliceMut::new(&mut buffer)];
                let flags = MsgFlags::MSG_DONTWAIT;
                let message = recvmsg::<()>(end.rtp.as_raw_fd(), &mut parts, Some(&mut control), flags);
                let Ok((length, stamp)) = message.map(|message| (message.bytes, stamp(&message))) else { continue };
                let at = stamp.map_or(now, |stamp| {
                    // The clocks were read before or after the stamp: either sign.
                    match wall.checked_sub(stamp) {
                        Some(before) => now - before,
                        None => now + (stamp - wall),
                    }
                });
                self.rtp_received.fetch_add(1, Ordering::Relaxed);
                if let Ok(packet) = rtp::Packet::parse(&buffer[..length]) {
                    self.hear(end, at, &packet);
                }
            }
            thread::sleep(REST);
        }
    }

    fn hear(&self, end: &FarEnd, at: Instant, packet: &rtp::Packet<'_>) {
        let mut heard = lock(&end.heard);
        if self.records.load(Ordering::Relaxed) {
            let number = heard.last.map_or(0, |(sequence, number)| {
                // Sequence numbers wrap; the difference is right for half the range.
                number + i64::from(packet.sequence.wrapping_sub(sequence) as i16)
            });
            heard.last = Some((packet.sequence, number));
            heard.arrivals.push(Arrival { number, at });
        }
        if packet.payload.iter().any(|byte| !SILENCE.contains(byte)) {
            heard.first_sound.get_or_insert(at);
            heard.last_sound = Some(at);
            if end.compares && heard.began.is_none() {
                heard.began = Some(packet.sequence);
            }
        }
        if let Some(began) = heard.began {
            let frame = usize::from(packet.sequence.wrapping_sub(began));
            let expected = |place: usize| self.encoded[(frame * SAMPLES + place) % self.encoded.len()];
            let same = packet.payload.len() == SAMPLES
                && packet.payload.iter().enumerate().all(|(place, byte)| *byte == expected(place));
            heard.compared += 1;
            heard.different += u64::from(!same);
        }
    }

    fn send(&self) {
        let start = Instant::now();
        let mut bytes = Vec::new();
        for slot in 0u64.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let due = start + Duration::from_nanos(SLOT.as_nanos() as u64 * slot);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            for (number, end) in self.ends.iter().enumerate() {
                let number = number as u64;
                if (slot + number).is_multiple_of(SLOTS) {
                    self.say(end, &mut bytes);
                }
                if (slot + 7 * number).is_multiple_of(REPORT_SLOTS) {
                    report(end, start.elapsed(), &mut bytes);
                }
            }
        }
    }

    /// The next frame of one far end: a key's packet, or audio.
    fn say(&self, end: &FarEnd, bytes: &mut Vec<u8>) {
        let mut said = lock(&end.said);
        let timestamp = said.timestamp;
        said.timestamp = timestamp.wrapping_add(SAMPLES as u32);
        let Some(to) = said.to else { return };
        if let (Some(key), Some(payload_type)) = (said.keys.pop_front(), to.telephone_event) {
            if key.marker {
                said.pressed = timestamp;
            }
            let pressed = said.pressed;
            let ends = |key: &PressPacket| key.payload[1] & 0x80 != 0;
            if ends(&key) {
                said.released = Some(Instant::now());
            }
            end.put(&mut said, bytes, payload_type, key.marker, pressed, &key.payload);
            while ends(&key) && said.keys.front().is_some_and(ends) {
                let Some(again) = said.keys.pop_front() else { break };
                end.put(&mut said, bytes, payload_type, false, pressed, &again.payload);
            }
        } else if self.talks {
            // What it says is of no interest to the server; sound it is, so that nothing takes it for a pause.
            let payload: [u8; SAMPLES] = std::array::from_fn(|index| (index as u8).wrapping_mul(37));
            end.put(&mut said, bytes, to.codec.payload_type(), false, timestamp, &payload);
        }
    }
}

impl FarEnd {
    /// Sends one packet. One that the kernel does not take is lost.
    fn put(
        &self,
        said: &mut Said,
        bytes: &mut Vec<u8>,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
    ) {
        let ssrc = u32::from(self.address.port());
        rtp::Packet { payload_type, marker, sequence: said.sequence, timestamp, ssrc, payload }.write(bytes);
        said.sequence = said.sequence.wrapping_add(1);
        said.packets += 1;
        let _ = self.rtp.send(bytes);
    }
}

fn report(end: &FarEnd, now: Duration, bytes: &mut Vec<u8>) {
    let said = lock(&end.said);
    let Some(to) = said.to else { return };
    let sent = (said.packets > 0).then(|| rtcp::Sent {
        ntp: now.as_secs() << 32,
        timestamp: said.timestamp,
        packets: said.packets,
        octets: said.packets.wrapping_mul(SAMPLES as u32),
    });
    rtcp::write(bytes, now, u32::from(end.address.port()), "far-end", sent, None, false);
    let _ = end.rtcp.send_to(bytes, SocketAddr::new(to.addr.ip(), to.addr.port() + 1));
}

fn stamp(message: &nix::sys::socket::RecvMsg<'_, '_, ()>) -> Option<Duration> {
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
        _ => None,
    })
}

// Each change leaves the state whole, so a poisoned lock is still sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(times_ms: &[(i64, u64)]) -> Punctuality {
        let start = Instant::now();
        let arrivals: Vec<Arrival> =
            times_ms.iter().map(|&(number, at)| Arrival { number, at: start + Duration::from_millis(at) }).collect();
        let mut all = Punctuality::default();
        add_leg(&mut all, &arrivals);
        all
    }

    #[test]
    fn lateness_is_counted_from_the_earliest_packet() {
        // The first one is 6 ms late itself: the second shows it.
        let leg = leg(&[(0, 6), (1, 20), (2, 41), (3, 66)]);
        assert_eq!((leg.expected, leg.lost, leg.late), (4, 0, 2));
        assert!((leg.worst_ms - 6.0).abs() < 1e-6, "{}", leg.worst_ms);
    }

    #[test]
    fn what_never_came_is_late_too_and_a_copy_counts_once() {
        let leg = leg(&[(0, 0), (1, 20), (1, 20), (3, 60)]);
        assert_eq!((leg.expected, leg.lost, leg.late), (4, 1, 1));
    }
}
