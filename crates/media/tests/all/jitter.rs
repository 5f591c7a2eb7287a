//! The jitter buffer in virtual time: a pull every 20 ms, packets whenever the network likes.

use proptest::prelude::*;
use ringback_media::jitter::Jitter;
use ringback_media::limits::{FRAME_TICKS, JITTER_CAPACITY, JITTER_HIGH, JITTER_START};

use crate::signals::Random;

/// Bytes of so many milliseconds, no two frames alike.
fn code(seed: u64, milliseconds: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..milliseconds * 8).map(|_| random.below(256) as u8).collect()
}

/// Plays packets that arrive at the given frame numbers, or never, and pulls until all are played. Returns what was heard
/// after the first delay.
fn played(first: u32, code: &[u8], length: usize, arrivals: impl Fn(usize) -> Option<usize>) -> Vec<Option<u8>> {
    let mut jitter = Jitter::default();
    let packets: Vec<(usize, usize)> = (0..code.len() / length).filter_map(|i| Some((arrivals(i)?, i))).collect();
    let last = packets.iter().map(|p| p.0).max().unwrap_or(0);
    let mut heard = Vec::new();
    for now in 0..=last + JITTER_CAPACITY / FRAME_TICKS {
        for &(_, i) in packets.iter().filter(|p| p.0 == now) {
            jitter.insert(first.wrapping_add((i * length) as u32), &code[i * length..][..length]);
        }
        heard.extend(jitter.pull().unwrap_or([None; FRAME_TICKS]));
    }
    heard.drain(..JITTER_START);
    heard
}

fn all(code: &[u8]) -> Vec<Option<u8>> {
    code.iter().copied().map(Some).collect()
}

#[test]
fn a_steady_stream_comes_out_as_it_went_in_at_any_packet_length() {
    let code = code(1, 1_200);
    for milliseconds in [10, 20, 30, 40, 60] {
        let heard = played(u32::MAX - 3_000, &code, milliseconds * 8, |i| Some(i * milliseconds / 20));
        assert_eq!(heard[..code.len()], all(&code), "packets of {milliseconds} ms");
    }
}

#[test]
fn a_lost_packet_leaves_a_gap_and_the_rest_keeps_its_place() {
    let code = code(1, 400);
    let lost = 5 * FRAME_TICKS..6 * FRAME_TICKS;
    let mut expected = all(&code);
    expected[lost].fill(None);
    assert_eq!(played(0, &code, FRAME_TICKS, |i| (i != 5).then_some(i))[..code.len()], expected);
}

#[test]
fn what_comes_too_late_is_never_heard() {
    let mut jitter = Jitter::default();
    let turn = JITTER_CAPACITY / FRAME_TICKS;
    for now in 0..3 * turn as u32 {
        // Frame 4 comes 200 ms late, when its place in the ring is free again; the frame a turn later never comes.
        if now != 4 && now != 4 + turn as u32 {
            jitter.insert(now * FRAME_TICKS as u32, &[100; FRAME_TICKS]);
        }
        if now == 14 {
            jitter.insert(4 * FRAME_TICKS as u32, &[255; FRAME_TICKS]);
        }
        assert!(jitter.pull().is_none_or(|frame| !frame.contains(&Some(255))), "at frame {now}");
    }
}

#[test]
fn a_stream_begins_after_its_delay_and_stops_with_its_last_whole_frame() {
    let mut jitter = Jitter::default();
    jitter.insert(0, &[8; FRAME_TICKS + 80]);
    let delay = Some([None; FRAME_TICKS]);
    let heard: Vec<_> = (0..5).map(|_| jitter.pull()).collect();
    assert_eq!(heard, [delay, delay, Some([Some(8); FRAME_TICKS]), None, None]);
    assert_eq!(jitter.depth(), 80, "what is left waits for the rest of its frame");
}

#[test]
fn a_burst_of_jitter_lengthens_the_delay_and_calm_shortens_it_again() {
    let mut jitter = Jitter::default();
    let packet = |i: u32| (i * FRAME_TICKS as u32, [1; FRAME_TICKS]);
    let mut next = 0;
    let mut missed = 0;
    for now in 0..3_000u32 {
        // Once, everything is 200 ms late.
        if !(100..110).contains(&now) {
            while next <= now {
                let (timestamp, code) = packet(next);
                jitter.insert(timestamp, &code);
                next += 1;
            }
        }
        missed += u32::from(jitter.pull().is_none());
        if now == 120 {
            assert!(jitter.depth() > JITTER_HIGH, "the delay grew to {}", jitter.depth());
        }
    }
    assert!((7..=10).contains(&missed), "{missed} frames waited");
    assert!(jitter.depth() <= JITTER_HIGH, "calm again: {}", jitter.depth());
}

#[test]
fn a_jump_of_the_timestamp_starts_anew() {
    let mut jitter = Jitter::default();
    for (start, value) in [(0u32, 1u8), (1_000_000, 2), (500, 3)] {
        for i in 0..5 {
            jitter.insert(start.wrapping_add(i * 160), &[value; FRAME_TICKS]);
        }
        let heard: Vec<_> = (0..5).map(|_| jitter.pull().and_then(|frame| frame[0])).collect();
        assert_eq!(heard[2..], [Some(value); 3]);
    }
}

proptest! {
    /// Packets late by up to the first delay, in any order and doubled, come out as they went in.
    #[test]
    fn jitter_within_the_delay_is_not_heard(first: u32, seed: u64) {
        let code = code(2, 800);
        let mut random = Random(seed);
        let late: Vec<usize> = (0..code.len() / FRAME_TICKS).map(|i| if i == 0 { 0 } else { random.below(3) as usize }).collect();
        let heard = played(first, &code, FRAME_TICKS, |i| Some(i + late[i]));
        prop_assert_eq!(&heard[..code.len()], &all(&code)[..]);
    }

    #[test]
    fn no_packets_panic_and_the_delay_is_bounded(
        packets in proptest::collection::vec((any::<u32>(), 0u32..3, 0usize..5_000, any::<bool>()), 0..100),
    ) {
        let mut jitter = Jitter::default();
        let mut near = 0u32;
        for (timestamp, turn, length, pull) in packets {
            near = if turn == 0 { timestamp } else { near.wrapping_add(timestamp % 2_000).wrapping_sub(800) };
            jitter.insert(near, &vec![9; length]);
            prop_assert!(jitter.depth() <= JITTER_CAPACITY);
            if pull {
                jitter.pull();
            }
        }
    }
}
