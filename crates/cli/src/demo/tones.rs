//! Melodies to be told apart by a program: sequences of tones, each melody its own.

use std::f64::consts::TAU;

use ringback_media::wav;

/// Samples a second of a prompt (`contract §1.6`).
const PROMPT_RATE: u32 = 16_000;
/// Samples a second of what a G.711 phone hears.
pub(super) const PHONE_RATE: u32 = 8_000;
/// Tones of a melody.
const TONES: usize = 6;
/// Length of one tone, in milliseconds.
const TONE_MS: u32 = 250;
/// Below full scale, so that nothing clips.
const AMPLITUDE: f64 = 9_000.0;
/// Frequencies that a telephone carries, far enough apart not to be mistaken for one another, in Hz.
const SCALE: [f64; 12] =
    [500.0, 590.0, 695.0, 815.0, 960.0, 1130.0, 1330.0, 1565.0, 1840.0, 2165.0, 2550.0, 3000.0];

/// A sequence of tones.
pub(super) struct Melody([f64; TONES]);

impl Melody {
    /// The melody of a number: no two small numbers share a tone at the same place.
    pub(super) fn number(number: usize) -> Self {
        Self(std::array::from_fn(|place| SCALE[(place * 5 + number * (place % 3 + 1) * 2 + number) % SCALE.len()]))
    }

    /// As a prompt's file.
    pub(super) fn wav(&self) -> Vec<u8> {
        wav::encode(PROMPT_RATE, &self.pcm(PROMPT_RATE))
    }

    /// As samples.
    pub(super) fn pcm(&self, rate: u32) -> Vec<i16> {
        let length = rate * TONE_MS / 1000;
        let tone = |frequency: f64| {
            (0..length).map(move |n| {
                // Ten milliseconds up and down, so that tones do not click into each other.
                let edge = f64::from(n.min(length - n)) / f64::from(rate / 100);
                let sample = (TAU * frequency * f64::from(n) / f64::from(rate)).sin() * AMPLITUDE * edge.min(1.0);
                sample as i16
            })
        };
        self.0.iter().flat_map(|frequency| tone(*frequency)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn melodies_differ_at_every_place() {
        for a in 1..5 {
            for b in a + 1..5 {
                let shared = (0..TONES).filter(|place| Melody::number(a).0[*place] == Melody::number(b).0[*place]);
                assert_eq!(shared.count(), 0, "melodies {a} and {b}");
            }
        }
    }
}
