//! A phone of two plain sockets, and a sink that hands events to the test. Every wait has an end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use ringback_media::rtp::Packet;
use ringback_media::telephone_event::Press;
use ringback_media::{Codec, LegId, LocalRtp, Media, MediaConfig, MediaEvent, MediaSink, RemoteRtp, Tone};

pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const EVENTS: u8 = 101;

/// Longest wait for anything that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

struct Sink(Sender<(LegId, MediaEvent)>);

impl MediaSink for Sink {
    fn media(&self, leg: LegId, event: MediaEvent) {
        // The test may be over.
        let _ = self.0.send((leg, event));
    }
}

pub(crate) struct Events(Receiver<(LegId, MediaEvent)>);

impl Events {
    pub(crate) fn next(&self) -> (LegId, MediaEvent) {
        self.0.recv_timeout(PATIENCE).expect("an event")
    }

    pub(crate) fn try_next(&self) -> Option<(LegId, MediaEvent)> {
        self.0.try_recv().ok()
    }

    pub(crate) fn tone(&self) -> Tone {
        match self.next() {
            (_, MediaEvent::Tone { tone }) => tone,
            other => panic!("{other:?} is no tone"),
        }
    }
}

/// A media room of one shard on these ports of the loopback.
pub(crate) fn media(ports: std::ops::RangeInclusive<u16>) -> (Media, Events) {
    let (sender, receiver) = channel();
    let config = MediaConfig { bind: LOOPBACK, ports, shards: 1 };
    (Media::start(config, Arc::new(Sink(sender))).expect("media"), Events(receiver))
}

/// A phone: an even port for RTP, the next for RTCP.
pub(crate) struct Phone {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    sequence: u16,
    timestamp: u32,
}

impl Phone {
    pub(crate) fn new() -> Phone {
        for _ in 0..1_000 {
            let rtp = UdpSocket::bind((LOOPBACK, 0)).expect("a port");
            let port = rtp.local_addr().expect("bound").port();
            if !port.is_multiple_of(2) {
                continue;
            }
            let Ok(rtcp) = UdpSocket::bind((LOOPBACK, port + 1)) else { continue };
            rtp.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            rtcp.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            return Phone { rtp, rtcp, sequence: 65_530, timestamp: 1_000 };
        }
        panic!("no pair of ports");
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.rtp.local_addr().expect("bound")
    }

    /// How media is to reach this phone.
    pub(crate) fn remote(&self) -> RemoteRtp {
        RemoteRtp {
            addr: self.addr(),
            codec: Codec::Pcmu,
            telephone_event: Some(EVENTS),
            send: true,
            receive: true,
            any_source: false,
        }
    }

    /// Presses a key, all packets at once.
    pub(crate) fn press(&mut self, to: LocalRtp, key: char) {
        let start = self.timestamp;
        for p in Press::new(Tone::of_key(key).expect("a key"), Duration::from_millis(60)) {
            self.send(to, EVENTS, p.marker, start, &p.payload);
            self.timestamp += 160;
        }
    }

    /// The timestamp of the next frame.
    pub(crate) fn step(&mut self) -> u32 {
        self.timestamp = self.timestamp.wrapping_add(160);
        self.timestamp
    }

    pub(crate) fn send(&mut self, to: LocalRtp, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let mut bytes = Vec::new();
        Packet {
            payload_type,
            marker,
            sequence: self.sequence,
            timestamp,
            ssrc: u32::from(self.addr().port()),
            payload,
        }
        .write(&mut bytes);
        self.rtp.send_to(&bytes, to.addr).expect("sent");
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// The next packet of audio: its sequence number, timestamp and decoded samples.
    pub(crate) fn hear(&self) -> (u16, u32, Vec<i16>) {
        let mut buffer = [0; 1_500];
        let (length, _) = self.rtp.recv_from(&mut buffer).expect("a packet in time");
        let packet = Packet::parse(&buffer[..length]).expect("RTP");
        let mut pcm = Vec::new();
        ringback_media::g711::decode_ulaw(packet.payload, &mut pcm);
        (packet.sequence, packet.timestamp, pcm)
    }

    /// Passes over what came meanwhile, so that the next packet heard is one that comes in its time.
    pub(crate) fn catch_up(&self) {
        self.rtp.set_nonblocking(true).expect("non-blocking");
        while self.rtp.recv(&mut [0; 1_500]).is_ok() {}
        self.rtp.set_nonblocking(false).expect("blocking");
    }

    /// Hears for so many packets, each sample at its timestamp's place, and finds none missing.
    pub(crate) fn record(&self, packets: usize) -> Vec<i16> {
        let (mut last, first, mut pcm) = self.hear();
        for _ in 1..packets {
            let (sequence, timestamp, more) = self.hear();
            assert_eq!(sequence, last.wrapping_add(1));
            assert_eq!(timestamp.wrapping_sub(first) as usize, pcm.len());
            last = sequence;
            pcm.extend(more);
        }
        pcm
    }

    /// Hears until a packet is silent, or is not. Panics if none is in time.
    pub(crate) fn hear_until(&self, silent: bool) {
        let start = Instant::now();
        while self.hear().2.iter().all(|&s| s == 0) != silent {
            assert!(start.elapsed() < PATIENCE, "it never came");
        }
    }
}
