//! Keys over RTP (RFC 4733): one tone for each press, whatever the network does to its packets.

use std::time::Duration;

use proptest::prelude::*;
use ringback_media::Tone;
use ringback_media::limits::TONE_LOST_END;
use ringback_media::telephone_event::{Payload, Press, Receiver};

const SSRC: u32 = 7;

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What the receiver says of packets (time in ms, marker, timestamp, payload), and of the time after them.
fn told(packets: &[(u64, bool, u32, Payload)]) -> Vec<Tone> {
    let mut receiver = Receiver::default();
    let mut tones = Vec::new();
    let end = packets.iter().map(|p| p.0).max().unwrap_or(0) + 1_000;
    let mut packets = packets.iter().peekable();
    for now in (0..=end).step_by(20) {
        while let Some((_, marker, timestamp, payload)) = packets.next_if(|p| p.0 <= now) {
            tones.extend(receiver.packet(at(now), SSRC, *marker, *timestamp, *payload).into_iter().flatten());
        }
        tones.extend(receiver.tick(at(now)));
    }
    tones
}

fn pressed(start: u64, timestamp: u32, key: char, milliseconds: u64) -> Vec<(u64, bool, u32, Payload)> {
    let tone = Tone::of_key(key).expect("a key");
    let press = Press::new(tone, at(milliseconds));
    (start..)
        .step_by(20)
        .zip(press)
        .map(|(now, p)| (now, p.marker, timestamp, Payload::parse(&p.payload).expect("four bytes")))
        .collect()
}

#[test]
fn a_payload_is_the_bytes_of_the_rfc() {
    let payload = Payload { event: 11, end: true, volume: 10, duration: 0x0320 };
    assert_eq!(payload.to_bytes(), [11, 0x80 | 10, 0x03, 0x20]);
    assert_eq!(Payload::parse(&[11, 0xC0 | 10, 0x03, 0x20, 99]), Some(payload), "the reserved bit is ignored");
    assert_eq!(Payload::parse(&[11, 0x80, 0]), None);
}

#[test]
fn a_press_is_updates_then_its_end_three_times() {
    let packets: Vec<_> = Press::new(Tone::Digit(5), at(50)).collect();
    let read: Vec<_> = packets.iter().map(|p| Payload::parse(&p.payload).expect("four bytes")).collect();
    assert_eq!(packets.iter().map(|p| p.marker).collect::<Vec<_>>(), [true, false, false, false, false, false]);
    assert_eq!(read.iter().map(|p| p.end).collect::<Vec<_>>(), [false, false, false, true, true, true]);
    assert_eq!(read.iter().map(|p| p.duration).collect::<Vec<_>>(), [160, 320, 480, 480, 480, 480]);
}

#[test]
fn every_key_has_its_event() {
    for (event, key) in "0123456789*#ABCD!".chars().enumerate() {
        let tone = Tone::of_key(key).expect("a key");
        assert_eq!(usize::from(tone.event()), event);
        assert_eq!(Tone::of_event(tone.event()), Some(tone));
    }
    assert_eq!((Tone::of_event(17), Tone::of_key('x')), (None, None));
}

#[test]
fn the_same_key_twice_is_two_tones() {
    let mut packets = pressed(0, 1_000, '1', 100);
    packets.extend(pressed(200, 2_600, '1', 100));
    assert_eq!(told(&packets), [Tone::Digit(1), Tone::Digit(1)]);
}

#[test]
fn a_tone_is_told_at_its_first_end_packet() {
    let mut receiver = Receiver::default();
    let packets = pressed(0, 5, '#', 60);
    let told: Vec<usize> = packets
        .iter()
        .map(|&(now, marker, timestamp, payload)| {
            receiver.packet(at(now), SSRC, marker, timestamp, payload).iter().flatten().count()
        })
        .collect();
    assert_eq!(told, [0, 0, 0, 1, 0, 0]);
}

#[test]
fn a_lost_end_is_made_up_by_the_next_press_or_by_time() {
    let mut packets = pressed(0, 1_000, '1', 100);
    packets.truncate(3);
    packets.extend(&pressed(100, 1_800, '2', 60)[3..4]);
    assert_eq!(told(&packets), [Tone::Digit(1), Tone::Digit(2)]);

    let mut receiver = Receiver::default();
    let (_, marker, timestamp, payload) = pressed(0, 1_000, '1', 100)[0];
    assert_eq!(receiver.packet(at(0), SSRC, marker, timestamp, payload), [None, None]);
    assert_eq!(receiver.tick(TONE_LOST_END - at(1)), None);
    assert_eq!(receiver.tick(TONE_LOST_END), Some(Tone::Digit(1)));
    assert_eq!(receiver.tick(TONE_LOST_END * 2), None);
    assert_eq!(
        receiver.packet(at(400), SSRC, false, timestamp, Payload { end: true, ..payload }),
        [None, None],
        "its end, late"
    );
}

#[test]
fn a_press_too_long_for_one_duration_is_still_one() {
    let segment = |now: u64, timestamp: u32, marker: bool, end: bool, duration: u16| {
        (now, marker, timestamp, Payload { event: 9, end, volume: 10, duration })
    };
    let first = u32::MAX - 100;
    let mut packets: Vec<_> =
        (0..410u64).map(|i| segment(i * 20, first, i == 0, false, (160 * (i + 1)).min(0xFFFF) as u16)).collect();
    let second = first.wrapping_add(0xFFFF);
    packets.extend([segment(8_200, second, false, false, 160), segment(8_220, second, false, true, 320)]);
    assert_eq!(told(&packets), [Tone::Digit(9)]);
}

#[test]
fn events_that_are_no_keys_are_ignored() {
    let fax = Payload { event: 32, end: true, volume: 0, duration: 160 };
    assert_eq!(told(&[(0, true, 1, fax)]), []);
}

proptest! {
    /// Keys are pressed one after the other; of each press any packets but one may be lost, doubled or brought
    /// out of order among themselves.
    #[test]
    fn one_tone_for_each_press(
        keys in proptest::collection::vec((0u8..17, 40u64..300, any::<u32>(), any::<u64>()), 1..20),
        first: u32,
    ) {
        let mut packets = Vec::new();
        let (mut now, mut expected) = (0, Vec::new());
        for (event, milliseconds, kept, seed) in keys {
            let tone = Tone::of_event(event).expect("an event");
            let key = "0123456789*#ABCD!".chars().nth(usize::from(event)).expect("a key");
            let mut press = pressed(now, first.wrapping_add(now as u32 * 8), key, milliseconds);
            let last = press.len() - 1;
            let always = seed as usize % press.len();
            let times: Vec<u64> = press.iter().map(|p| p.0).collect();
            press.swap(seed as usize % last, last.min(seed as usize % last + 1));
            press.iter_mut().zip(times).for_each(|(p, time)| p.0 = time);
            for (i, packet) in press.into_iter().enumerate() {
                if i == always || kept >> (i % 32) & 1 == 1 {
                    packets.push(packet);
                    packets.extend((seed >> (i % 64) & 1 == 1).then_some(packet));
                }
            }
            expected.push(tone);
            now += milliseconds + 140;
        }
        prop_assert_eq!(told(&packets), expected);
    }

    #[test]
    fn no_packets_panic_or_ring_more_than_once_each(
        packets in proptest::collection::vec((0u64..5_000, any::<bool>(), 0u32..4, any::<[u8; 4]>()), 0..60),
    ) {
        let packets: Vec<_> = packets.into_iter().map(|(n, m, t, p)| (n, m, t, Payload::parse(&p).expect("four bytes"))).collect();
        prop_assert!(told(&packets).len() <= packets.len());
    }
}
