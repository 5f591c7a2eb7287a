//! Legs over loopback sockets, as the other rooms use them.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use ringback_media::correlate::correlate;
use ringback_media::limits::PLAYS;
use ringback_media::{
    Busy, LegId, Media, MediaConfig, MediaEvent, MediaSink, OpenError, PlayId, Prompt, RemoteRtp, Repeat, Strays, Tone,
    resample,
};
use rtcp_types::{Compound, Packet};

use crate::phone::{LOOPBACK, PATIENCE, Phone, media};
use crate::signals::{Random, melody};

/// Above the ports that systems hand out by themselves on Linux and below, so that tests seldom pass over one.
const PORTS: std::ops::RangeInclusive<u16> = 20_000..=29_999;

const LEG: LegId = LegId::from_u128(1);
const OTHER: LegId = LegId::from_u128(2);
const PLAY: PlayId = PlayId::from_u128(11);

fn prompt(seed: u64, milliseconds: u32) -> Arc<Prompt> {
    Arc::new(Prompt::from_pcm16k(melody(seed, 16_000, milliseconds)))
}

fn likeness(prompt: &Prompt, heard: &[i16]) -> f64 {
    let reference = resample(prompt.pcm16k(), 16_000, 8_000);
    correlate(&reference, heard, heard.len()).map_or(0.0, |found| found.coefficient)
}

#[test]
fn a_prompt_arrives_intact_and_its_end_is_told() {
    let (media, events) = media(PORTS);
    let phone = Phone::new();
    let local = media.open_rtp(LEG).expect("open");
    assert_eq!((local.addr.ip(), local.addr.port() % 2), (LOOPBACK, 0));
    media.connect(LEG, phone.remote());
    let (right, wrong) = (prompt(1, 1_500), prompt(2, 1_500));
    media.play(LEG, PLAY, vec![Arc::clone(&right)], Repeat::Times(1)).expect("not busy");
    let heard = phone.record(90);
    assert_eq!(events.next(), (LEG, MediaEvent::Finished { play: PLAY }));
    assert!(likeness(&right, &heard) > 0.95, "{}", likeness(&right, &heard));
    assert!(likeness(&wrong, &heard) < 0.3, "{}", likeness(&wrong, &heard));
}

#[test]
fn two_rooms_play_to_each_other() {
    let ((a, a_events), (b, b_events)) = (media(PORTS), media(PORTS));
    let (a_local, b_local) = (a.open_rtp(LEG).expect("open"), b.open_rtp(LEG).expect("open"));
    let template = Phone::new().remote();
    a.connect(LEG, RemoteRtp { addr: b_local.addr, ..template });
    b.connect(LEG, RemoteRtp { addr: a_local.addr, any_source: true, ..template });
    a.play(LEG, PLAY, vec![prompt(1, 200)], Repeat::Times(2)).expect("not busy");
    b.play(LEG, PLAY, vec![prompt(2, 300)], Repeat::Times(1)).expect("not busy");
    assert_eq!(a_events.next(), (LEG, MediaEvent::Finished { play: PLAY }));
    assert_eq!(b_events.next(), (LEG, MediaEvent::Finished { play: PLAY }));
}

#[test]
fn every_key_is_told_once() {
    let (media, events) = media(PORTS);
    let mut phone = Phone::new();
    let local = media.open_rtp(LEG).expect("open");
    media.connect(LEG, phone.remote());
    // It is connected when it is heard.
    phone.hear();
    for key in "1234567890*#ABCD!".chars() {
        phone.press(local, key);
        assert_eq!(events.tone(), Tone::of_key(key).expect("a key"));
    }
}

#[test]
fn strangers_are_not_heard_before_nor_after_the_far_end() {
    let (media, events) = media(PORTS);
    let (mut phone, mut stranger) = (Phone::new(), Phone::new());
    let local = media.open_rtp(LEG).expect("open");
    stranger.press(local, '7');
    media.connect(LEG, phone.remote());
    phone.hear();
    for key in "123".chars() {
        stranger.press(local, '9');
        phone.press(local, key);
        assert_eq!(events.tone(), Tone::of_key(key).expect("a key"));
    }
    phone.hear();
    stranger.rtp.set_nonblocking(true).expect("non-blocking");
    assert!(stranger.rtp.recv_from(&mut [0; 100]).is_err(), "nor is anything sent to them");
}

/// Passes on keys, and what went astray.
struct Counting(Sender<Result<Tone, Strays>>);

impl MediaSink for Counting {
    fn media(&self, _: LegId, event: MediaEvent) {
        if let MediaEvent::Tone { tone } = event {
            let _ = self.0.send(Ok(tone));
        }
    }

    fn closed(&self, _: LegId, strays: Strays) {
        let _ = self.0.send(Err(strays));
    }
}

#[test]
fn what_went_astray_is_told_when_the_leg_is_closed() {
    let (sender, told) = channel();
    let config = MediaConfig { bind: LOOPBACK, ports: PORTS, shards: 1 };
    let media = Media::start(config, Arc::new(Counting(sender))).expect("media");
    let (mut phone, mut stranger) = (Phone::new(), Phone::new());
    let local = media.open_rtp(LEG).expect("open");
    // Before the far end is known; after it the kernel keeps strangers out, and nobody counts them.
    stranger.press(local, '9');
    media.connect(LEG, phone.remote());
    phone.hear();
    phone.rtp.send_to(b"no RTP", local.addr).expect("sent");
    phone.press(local, '1');
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok(Tone::Digit(1))));
    media.close(LEG);
    let Ok(Err(strays)) = told.recv_timeout(PATIENCE) else { panic!("it is told at the close") };
    assert!(strays.foreign > 0 && strays.malformed == 1, "{strays:?}");
}

#[test]
fn behind_a_nat_the_first_valid_packet_decides_until_the_next_connect() {
    let (media, events) = media(PORTS);
    let (mut first, mut second, named) = (Phone::new(), Phone::new(), Phone::new());
    let local = media.open_rtp(LEG).expect("open");
    let remote = RemoteRtp { any_source: true, ..named.remote() };
    media.connect(LEG, remote);
    named.hear();
    // Not of a negotiated payload type: it decides nothing.
    second.send(local, 96, false, 1, &[0; 160]);
    first.press(local, '1');
    assert_eq!(events.tone(), Tone::Digit(1));
    first.hear();
    second.press(local, '2');
    first.press(local, '3');
    assert_eq!(events.tone(), Tone::Digit(3), "the second is a stranger");

    media.connect(LEG, remote);
    // The command comes before what is sent after a packet sent after it.
    media.play(LEG, PLAY, vec![prompt(1, 100)], Repeat::Times(1)).expect("not busy");
    assert_eq!(events.next(), (LEG, MediaEvent::Finished { play: PLAY }));
    second.press(local, '4');
    assert_eq!(events.tone(), Tone::Digit(4));
    second.hear();
    first.press(local, '5');
    second.press(local, '6');
    assert_eq!(events.tone(), Tone::Digit(6), "now the first is a stranger");
}

#[test]
fn another_address_by_a_new_sdp_takes_the_leg_over() {
    let (media, events) = media(PORTS);
    let (mut old, mut new) = (Phone::new(), Phone::new());
    let local = media.open_rtp(LEG).expect("open");
    media.connect(LEG, old.remote());
    old.hear();
    old.press(local, '1');
    assert_eq!(events.tone(), Tone::Digit(1));
    media.connect(LEG, new.remote());
    new.hear();
    old.press(local, '2');
    new.press(local, '3');
    assert_eq!(events.tone(), Tone::Digit(3));
}

/// A pair that is free, and that neither the system hands out by itself nor another test takes.
fn pair_of_our_own() -> u16 {
    let first = 10_002 + 4 * (std::process::id() % 2_000) as u16;
    let is_free = |port: &u16| [*port, port + 1].iter().all(|port| UdpSocket::bind((LOOPBACK, *port)).is_ok());
    (first..19_000).step_by(4).find(is_free).expect("a free pair")
}

#[test]
fn no_port_is_told_and_closing_frees_them() {
    let port = pair_of_our_own();
    let (media, _events) = media(port - 1..=port + 2);
    media.open_rtp(LEG).expect("the only whole pair");
    assert!(matches!(media.open_rtp(LEG), Err(OpenError::AlreadyOpen)));
    assert!(matches!(media.open_rtp(OTHER), Err(OpenError::NoPort)));
    media.close(LEG);
    let start = Instant::now();
    let local = loop {
        match media.open_rtp(OTHER) {
            Ok(local) => break local,
            Err(OpenError::NoPort) if start.elapsed() < PATIENCE => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(local.addr.port(), port);
    drop(media);
    let start = Instant::now();
    while UdpSocket::bind((LOOPBACK, port)).is_err() {
        assert!(start.elapsed() < PATIENCE, "the room is gone and so must its sockets be");
        thread::yield_now();
    }
}

#[test]
fn ports_that_others_hold_are_passed_over() {
    let port = pair_of_our_own();
    let (media, _events) = media(port..=port + 1);
    for port in [port, port + 1] {
        let _held = UdpSocket::bind((LOOPBACK, port)).expect("a free port");
        assert!(matches!(media.open_rtp(LEG), Err(OpenError::NoPort)));
    }
    media.open_rtp(LEG).expect("nothing was kept");
}

#[test]
fn a_range_without_a_pair_is_refused_at_the_start() {
    struct Deaf;
    impl ringback_media::MediaSink for Deaf {
        fn media(&self, _: LegId, _: MediaEvent) {}
    }
    let start = |ports, shards| {
        let config = ringback_media::MediaConfig { bind: LOOPBACK, ports, shards };
        ringback_media::Media::start(config, Arc::new(Deaf)).map(drop).map_err(|e| e.kind())
    };
    let invalid = Err(std::io::ErrorKind::InvalidInput);
    assert_eq!(start(20_001..=20_002, 1), invalid);
    assert_eq!(start(20_000..=20_000, 1), invalid);
    assert_eq!(start(65_535..=65_535, 1), invalid);
    assert_eq!(start(20_000..=20_001, 0), invalid);
    assert_eq!(start(0..=65_535, 1), Ok(()));
}

#[test]
fn for_ever_goes_on_until_stopped_and_a_stopped_play_tells_nothing() {
    let (media, events) = media(PORTS);
    let phone = Phone::new();
    media.open_rtp(LEG).expect("open");
    media.connect(LEG, phone.remote());
    media.play(LEG, PLAY, vec![prompt(1, 100)], Repeat::Forever).expect("not busy");
    phone.hear_until(false);
    for packet in 0..25 {
        assert!(phone.hear().2.iter().any(|&s| s != 0), "packet {packet} of a prompt of five");
    }
    media.stop(LEG, PLAY);
    phone.hear_until(true);
    let next = PlayId::from_u128(12);
    media.play(LEG, next, vec![prompt(2, 100)], Repeat::Times(1)).expect("not busy");
    assert_eq!(events.next(), (LEG, MediaEvent::Finished { play: next }));
}

#[test]
fn too_many_plays_are_refused_until_some_are_over() {
    let (media, events) = media(PORTS);
    let phone = Phone::new();
    media.open_rtp(LEG).expect("open");
    let short = || vec![prompt(1, 100)];
    for number in 0..PLAYS as u128 {
        media.play(LEG, PlayId::from_u128(number), short(), Repeat::Forever).expect("not busy");
    }
    assert_eq!(media.play(LEG, PLAY, short(), Repeat::Times(1)), Err(Busy));
    for number in 0..PLAYS as u128 {
        media.stop(LEG, PlayId::from_u128(number));
    }
    media.connect(LEG, phone.remote());
    phone.hear();
    media.play(LEG, PLAY, short(), Repeat::Times(1)).expect("not busy");
    assert_eq!(events.next(), (LEG, MediaEvent::Finished { play: PLAY }));
    assert_eq!(
        media.play(OTHER, PLAY, short(), Repeat::Times(1)),
        Ok(()),
        "no such leg: nothing plays, nothing is told"
    );
}

#[test]
fn a_report_is_sent_and_a_farewell_at_the_end() {
    let (media, _events) = media(PORTS);
    let phone = Phone::new();
    let local = media.open_rtp(LEG).expect("open");
    media.connect(LEG, phone.remote());
    let mut buffer = [0; 1_500];
    let (length, source) = phone.rtcp.recv_from(&mut buffer).expect("a report in time");
    assert_eq!(source.port(), local.addr.port() + 1);
    let kinds = |bytes: &[u8]| {
        Compound::parse(bytes)
            .expect("a compound")
            .map(|p| p.expect("a packet"))
            .map(|p| matches!(p, Packet::Sr(_)) as u8 + 2 * matches!(p, Packet::Bye(_)) as u8)
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(&buffer[..length]), [1, 0]);
    media.close(LEG);
    let (length, _) = phone.rtcp.recv_from(&mut buffer).expect("a farewell in time");
    assert_eq!(kinds(&buffer[..length]).last(), Some(&2));
}

#[test]
fn a_flood_of_rubbish_harms_neither_its_leg_nor_another() {
    let (media, events) = media(PORTS);
    let (mut flooded, quiet) = (Phone::new(), Phone::new());
    let local = media.open_rtp(LEG).expect("open");
    media.open_rtp(OTHER).expect("open");
    media.connect(LEG, flooded.remote());
    media.connect(OTHER, quiet.remote());
    flooded.hear();
    let right = prompt(3, 1_000);
    media.play(OTHER, PLAY, vec![Arc::clone(&right)], Repeat::Times(1)).expect("not busy");
    let mut random = Random(6);
    for _ in 0..20_000 {
        let length = random.below(400) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        if let Some(first) = bytes.first_mut().filter(|_| length.is_multiple_of(2)) {
            *first = 0x80 | *first & 0x3F;
        }
        // The kernel may refuse some; that is its right.
        let _ = flooded.rtp.send_to(&bytes, local.addr);
        let rtcp = std::net::SocketAddr::new(local.addr.ip(), local.addr.port() + 1);
        let _ = flooded.rtcp.send_to(&bytes, rtcp);
    }
    let heard = quiet.record(60);
    // Some of the rubbish is a key by chance.
    let of_quiet = std::iter::repeat_with(|| events.next()).find(|(leg, _)| *leg == OTHER);
    assert_eq!(of_quiet, Some((OTHER, MediaEvent::Finished { play: PLAY })));
    assert!(likeness(&right, &heard) > 0.95);
    // The key may drown in the full queue of the socket: it is pressed until it is told.
    let start = Instant::now();
    loop {
        flooded.press(local, '5');
        flooded.hear();
        match events.try_next() {
            Some((LEG, MediaEvent::Tone { tone: Tone::Digit(5) })) => break,
            Some((LEG, MediaEvent::Tone { .. })) | None => assert!(start.elapsed() < PATIENCE),
            Some(other) => panic!("{other:?}"),
        }
    }
}
