//! Keys in the audio, judged by what ITU-T Q.24 and the networks' own rules ask of a receiver.

use std::f64::consts::TAU;

use proptest::prelude::*;
use ringback_media::detector::Detector;
use ringback_media::g711::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

use crate::signals::Random;

const KEYS: &str = "123A456B789C*0#D";
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// The peak of a tone of 0 dBm0: G.711 clips at 3.17 dBm0.
const DBM0: f64 = 22_740.0;

/// A press: how long, how long the pause behind it, both in samples at 8 kHz; levels in dBm0; how far off.
#[derive(Clone, Copy, Debug)]
struct Press {
    key: char,
    length: usize,
    pause: usize,
    row: f64,
    column: f64,
    row_off: f64,
    column_off: f64,
}

const PRESS: Press =
    Press { key: '5', length: 320, pause: 400, row: -10.0, column: -10.0, row_off: 0.0, column_off: 0.0 };

fn peak(dbm0: f64) -> f64 {
    DBM0 * 10f64.powf(dbm0 / 20.0)
}

/// Silence of `lead` samples, the presses, and silence.
fn sound(lead: usize, presses: &[Press]) -> Vec<f64> {
    let mut pcm = vec![0.0; lead];
    for press in presses {
        let index = KEYS.find(press.key).expect("a key");
        let row = ROWS[index / 4] * (1.0 + press.row_off);
        let column = COLUMNS[index % 4] * (1.0 + press.column_off);
        pcm.extend((0..press.length).map(|n| {
            let n = n as f64 / 8_000.0;
            peak(press.row) * (n * row * TAU).sin() + peak(press.column) * (n * column * TAU + 1.0).sin()
        }));
        pcm.extend(std::iter::repeat_n(0.0, press.pause));
    }
    pcm
}

/// Noise of that level, of a Gaussian shape (twelve uniform numbers).
fn noise(seed: u64, dbm0: f64) -> impl FnMut(usize) -> f64 {
    let mut random = Random(seed);
    let rms = peak(dbm0) / 2f64.sqrt();
    move |_| ((0..12).map(|_| random.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0) * rms
}

/// What is told of a sound, through a codec.
fn told_of(sound: &[f64], alaw: bool) -> String {
    let mut pcm: Vec<i16> = sound.iter().map(|&s| s.round() as i16).collect();
    // The end of the last key shows in the silence behind it.
    pcm.resize((pcm.len() + 800).next_multiple_of(160), 0);
    let (mut code, mut heard) = (Vec::new(), Vec::new());
    if alaw {
        encode_alaw(&pcm, &mut code);
        decode_alaw(&code, &mut heard);
    } else {
        encode_ulaw(&pcm, &mut code);
        decode_ulaw(&code, &mut heard);
    }
    let mut detector = Detector::default();
    let tones = heard.as_chunks::<160>().0.iter().filter_map(|frame| detector.frame(frame));
    tones.map(|tone| "0123456789*#ABCD".chars().nth(usize::from(tone.event())).expect("a key")).collect()
}

/// Whatever the place in a frame at which it begins.
fn told(presses: &[Press]) -> Vec<String> {
    (0..160).step_by(19).map(|lead| told_of(&sound(800 + lead, presses), lead % 2 == 0)).collect()
}

fn all_told(presses: &[Press], expected: &str) {
    let told = told(presses);
    assert!(told.iter().all(|told| told == expected), "{presses:?}: {told:?}");
}

#[test]
fn every_key_is_heard() {
    let presses: Vec<Press> = KEYS.chars().map(|key| Press { key, ..PRESS }).collect();
    all_told(&presses, KEYS);
}

#[test]
fn keys_of_40_ms_with_pauses_of_40_ms_are_each_heard_and_of_23_ms_none() {
    let pressed = |length, pause| KEYS.chars().map(|key| Press { key, length, pause, ..PRESS }).collect::<Vec<_>>();
    all_told(&pressed(320, 320), KEYS);
    all_told(&pressed(400, 320), KEYS);
    all_told(&pressed(184, 600), "");
    all_told(&pressed(80, 600), "");
    all_told(&[Press { length: 80_000, ..PRESS }], "5");
}

#[test]
fn frequencies_up_to_one_and_a_half_percent_off_are_heard_and_from_three_and_a_half_on_not() {
    for key in KEYS.chars() {
        for (row, column) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)] {
            for (percent, heard) in [(0.5, true), (1.0, true), (1.5, true), (3.5, false), (4.0, false), (5.0, false)] {
                let off = percent / 100.0;
                let press = Press { key, row_off: row * off, column_off: column * off, ..PRESS };
                all_told(&[press], if heard { press_name(&press) } else { "" });
            }
        }
    }
}

fn press_name(press: &Press) -> &'static str {
    let at = KEYS.find(press.key).expect("a key");
    &KEYS[at..=at]
}

#[test]
fn one_tone_may_be_stronger_than_the_other() {
    for key in KEYS.chars() {
        for (row, column) in [(-10.0, -6.0), (-6.0, -10.0), (-14.0, -6.0), (-6.0, -14.0)] {
            let press = Press { key, row, column, ..PRESS };
            all_told(&[press], press_name(&press));
        }
    }
    all_told(&[Press { row: -5.0, column: -20.0, ..PRESS }], "");
    all_told(&[Press { row: -20.0, column: -5.0, ..PRESS }], "");
}

#[test]
fn levels_from_0_to_minus_25_dbm_are_heard_and_of_minus_55_not() {
    for key in KEYS.chars() {
        for (level, heard) in [(-3.0, true), (-10.0, true), (-20.0, true), (-25.0, true), (-30.0, true), (-55.0, false)]
        {
            let press = Press { key, row: level, column: level, ..PRESS };
            all_told(&[press], if heard { press_name(&press) } else { "" });
        }
    }
}

#[test]
fn a_break_of_10_ms_is_no_second_press() {
    for length in [320, 480, 800] {
        for (at, pause) in (100..).step_by(11).take(20).zip([40, 60, 80].into_iter().cycle()) {
            let at = at.min(length - 40);
            let halves = [Press { length: at, pause, ..PRESS }, Press { length: length - at, ..PRESS }];
            let told = told(&halves);
            assert!(told.iter().all(|told| told.len() <= 1), "{length} broken at {at} by {pause}: {told:?}");
        }
        // Long enough on both sides, it is heard for certain.
        all_told(&[Press { length: 320, pause: 80, ..PRESS }, Press { length: 320, ..PRESS }], "5");
    }
}

#[test]
fn noise_15_db_below_hides_no_key() {
    for (seed, key) in KEYS.chars().cycle().take(160).enumerate() {
        let press = Press { key, ..PRESS };
        let mut noise = noise(seed as u64, PRESS.row + 3.0 - 15.0);
        let noisy: Vec<f64> = sound(800 + seed, &[press]).into_iter().enumerate().map(|(n, s)| s + noise(n)).collect();
        assert_eq!(told_of(&noisy, seed % 2 == 0), press_name(&press), "seed {seed}");
    }
}

#[test]
fn noise_alone_is_no_key() {
    for level in [-40.0, -20.0, -8.0] {
        let mut noise = noise(9, level);
        // A minute.
        assert_eq!(told_of(&(0..480_000).map(&mut noise).collect::<Vec<_>>(), false), "", "{level} dBm0");
    }
}

/// A voice made of what makes a voice: a pitch that glides, its harmonics shaped by formants that wander, syllables.
fn voice(seed: u64, seconds: usize) -> Vec<f64> {
    let mut random = Random(seed);
    let mut uniform = move |low: f64, high: f64| low + (high - low) * random.below(1 << 20) as f64 / f64::from(1 << 20);
    let (mut pcm, mut phase) = (Vec::new(), 0.0f64);
    let (mut pitch, mut formants) = (uniform(80.0, 280.0), [500.0, 1_500.0, 2_500.0]);
    while pcm.len() < seconds * 8_000 {
        let length = uniform(400.0, 2_400.0) as usize;
        let to_pitch = uniform(80.0, 280.0);
        let to = [uniform(250.0, 900.0), uniform(800.0, 2_400.0), uniform(1_900.0, 3_300.0)];
        let loud = peak(uniform(-25.0, -6.0)) / 2.0;
        let from = (pitch, formants);
        for n in 0..length {
            let part = n as f64 / length as f64;
            pitch = from.0 + (to_pitch - from.0) * part;
            formants = std::array::from_fn(|i| from.1[i] + (to[i] - from.1[i]) * part);
            phase += pitch / 8_000.0 * TAU;
            let syllable = (part * std::f64::consts::PI).sin();
            let harmonics = (1..=(3_400.0 / pitch) as usize).map(|h| {
                let hertz = pitch * h as f64;
                // A resonance, 100 Hz wide.
                let shape: f64 = formants.iter().map(|f| 1.0 / 1f64.hypot((hertz - f) / 50.0)).sum();
                shape * (phase * h as f64).sin()
            });
            pcm.push(loud * syllable * harmonics.sum::<f64>());
        }
        pcm.extend(std::iter::repeat_n(0.0, uniform(0.0, 1_200.0) as usize));
    }
    pcm
}

#[test]
fn minutes_of_voices_press_no_key() {
    let told: Vec<String> = (0..4).map(|seed| told_of(&voice(seed, 60), false)).collect();
    assert_eq!(told, [""; 4]);
}

#[test]
fn a_key_is_heard_through_the_echo_of_a_prompt() {
    for (seed, key) in KEYS.chars().enumerate() {
        let press = Press { key, length: 800, ..PRESS };
        let echo = voice(100 + seed as u64, 2);
        let loudest = echo.iter().fold(0.0f64, |most, s| most.max(s.abs()));
        // Its loudest moment is 12 dB below the key.
        let quiet = peak(-10.0 - 12.0) / loudest;
        let both: Vec<f64> = sound(4_000, &[press]).iter().zip(&echo).map(|(a, b)| a + b * quiet).collect();
        assert_eq!(told_of(&both, false), press_name(&press));
    }
}

#[test]
fn one_tone_alone_and_dial_tones_are_no_keys() {
    let tone = |hertz: f64| (0..16_000).map(move |n| peak(-8.0) * (f64::from(n) * hertz / 8_000.0 * TAU).sin());
    for hertz in ROWS.into_iter().chain(COLUMNS).chain([425.0, 1_000.0, 1_100.0, 2_100.0]) {
        assert_eq!(told_of(&tone(hertz).collect::<Vec<_>>(), false), "", "{hertz} Hz");
    }
    for pair in [(350.0, 440.0), (440.0, 480.0), (480.0, 620.0), (697.0, 770.0), (1_209.0, 1_477.0), (700.0, 1_100.0)] {
        let both: Vec<f64> = tone(pair.0).zip(tone(pair.1)).map(|(a, b)| a + b).collect();
        assert_eq!(told_of(&both, false), "", "{pair:?}");
    }
}

proptest! {
    #[test]
    fn no_samples_panic(pcm in proptest::collection::vec(any::<i16>(), 1_600)) {
        let mut detector = Detector::default();
        for frame in pcm.as_chunks::<160>().0 {
            detector.frame(frame);
        }
    }

    /// Any keys, lengths, pauses and levels within the rules, in any order.
    #[test]
    fn numbers_are_heard_as_dialled(
        keys in proptest::collection::vec((0usize..16, 320usize..1_200, 320usize..1_200, -25.0f64..-4.0, -4.0f64..4.0), 1..12),
        lead in 0usize..400,
    ) {
        let name = |index: usize| KEYS.chars().nth(index).expect("a key");
        let presses: Vec<Press> = keys.iter().map(|&(index, length, pause, row, twist)| {
            Press { key: name(index), length, pause, row, column: row + twist, ..PRESS }
        }).collect();
        let expected: String = keys.iter().map(|key| name(key.0)).collect();
        prop_assert_eq!(told_of(&sound(lead, &presses), lead % 2 == 0), expected);
    }
}
