//! The jitter buffer in virtual time: a pull every 20 ms, packets whenever the network likes.

use proptest::prelude::*;
use ringback_media::jitter::{Jitter, Pulled};
use ringback_media::limits::{FRAME_SAMPLES, JITTER_CAPACITY, JITTER_HIGH, JITTER_START};

use crate::signals::{Random, melody};

fn frame(jitter: &mut Jitter) -> (Pulled, [i16; FRAME_SAMPLES]) {
    let mut frame = [0; FRAME_SAMPLES];
    let pulled = jitter.pull(&mut frame);
    (pulled, frame)
}

/// Plays packets that arrive at the given frame numbers, or never, and pulls until all are played. Returns what was heard
/// after the first delay.
fn played(first: u32, pcm: &[i16], samples: usize, arrivals: impl Fn(usize) -> Option<usize>) -> Vec<i16> {
    let mut jitter = Jitter::default();
    let packets: Vec<(usize, usize)> = (0..pcm.len() / samples).filter_map(|i| Some((arrivals(i)?, i))).collect();
    let last = packets.iter().map(|p| p.0).max().unwrap_or(0);
    let mut heard = Vec::new();
    for now in 0..=last + JITTER_CAPACITY / FRAME_SAMPLES {
        for &(_, i) in packets.iter().filter(|p| p.0 == now) {
            jitter.insert(first.wrapping_add((i * samples) as u32), &pcm[i * samples..][..samples]);
        }
        heard.extend(frame(&mut jitter).1);
    }
    heard.drain(..JITTER_START);
    heard
}

#[test]
fn a_steady_stream_comes_out_as_it_went_in_at_any_packet_length() {
    let pcm = melody(1, 8_000, 1_200);
    for milliseconds in [10, 20, 30, 40, 60] {
        let samples = milliseconds * 8;
        let heard = played(u32::MAX - 3_000, &pcm, samples, |i| Some(i * milliseconds / 20));
        assert_eq!(heard[..pcm.len()], pcm, "packets of {milliseconds} ms");
    }
}

#[test]
fn a_lost_packet_fades_and_the_rest_keeps_its_place() {
    let pcm = melody(1, 8_000, 400);
    let lost = 5;
    let heard = played(0, &pcm, FRAME_SAMPLES, |i| (i != lost).then_some(i));
    let (before, after) = (lost * FRAME_SAMPLES, (lost + 1) * FRAME_SAMPLES);
    assert_eq!(heard[..before], pcm[..before]);
    assert_eq!(heard[after..pcm.len()], pcm[after..]);
    let repeated: Vec<i16> =
        pcm[before - FRAME_SAMPLES..before].iter().map(|&s| (i32::from(s) * 3 / 4) as i16).collect();
    assert_eq!(heard[before..after], repeated);
}

#[test]
fn what_comes_too_late_is_never_heard() {
    let mut jitter = Jitter::default();
    let turn = JITTER_CAPACITY / FRAME_SAMPLES;
    for now in 0..3 * turn as u32 {
        // Frame 4 comes 200 ms late, when its place in the ring is free again; the frame a turn later never comes.
        if now != 4 && now != 4 + turn as u32 {
            jitter.insert(now * FRAME_SAMPLES as u32, &[100; FRAME_SAMPLES]);
        }
        if now == 14 {
            jitter.insert(4 * FRAME_SAMPLES as u32, &[9_999; FRAME_SAMPLES]);
        }
        assert!(frame(&mut jitter).1.iter().all(|&s| s <= 100), "at frame {now}");
    }
}

#[test]
fn a_stream_that_stops_fades_to_silence() {
    let mut jitter = Jitter::default();
    jitter.insert(0, &[8_000; FRAME_SAMPLES]);
    let heard: Vec<(Pulled, i16)> = (0..7).map(|_| frame(&mut jitter)).map(|(p, f)| (p, f[0])).collect();
    use Pulled::{Concealed, Heard, Nothing};
    let expected = [
        (Concealed, 0),
        (Concealed, 0),
        (Heard, 8_000),
        (Nothing, 6_000),
        (Nothing, 4_000),
        (Nothing, 2_000),
        (Nothing, 0),
    ];
    assert_eq!(heard, expected);
}

#[test]
fn a_burst_of_jitter_lengthens_the_delay_and_calm_shortens_it_again() {
    let mut jitter = Jitter::default();
    let packet = |i: u32| (i * FRAME_SAMPLES as u32, [1; FRAME_SAMPLES]);
    let mut next = 0;
    let mut missed = 0;
    for now in 0..3_000u32 {
        // Once, everything is 200 ms late.
        if !(100..110).contains(&now) {
            while next <= now {
                let (timestamp, pcm) = packet(next);
                jitter.insert(timestamp, &pcm);
                next += 1;
            }
        }
        missed += u32::from(frame(&mut jitter).0 == Pulled::Nothing);
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
    for (start, value) in [(0u32, 1i16), (1_000_000, 2), (500, 3)] {
        for i in 0..5 {
            jitter.insert(start.wrapping_add(i * 160), &[value; FRAME_SAMPLES]);
        }
        let heard: Vec<i16> = (0..5).map(|_| frame(&mut jitter).1[0]).collect();
        assert_eq!(heard[2..], [value; 3]);
    }
}

proptest! {
    /// Packets late by up to the first delay, in any order and doubled, come out as they went in.
    #[test]
    fn jitter_within_the_delay_is_not_heard(first: u32, seed: u64) {
        let pcm = melody(2, 8_000, 800);
        let mut random = Random(seed);
        let late: Vec<usize> = (0..pcm.len() / FRAME_SAMPLES).map(|i| if i == 0 { 0 } else { random.below(3) as usize }).collect();
        let heard = played(first, &pcm, FRAME_SAMPLES, |i| Some(i + late[i]));
        prop_assert_eq!(&heard[..pcm.len()], &pcm[..]);
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
                frame(&mut jitter);
            }
        }
    }
}
