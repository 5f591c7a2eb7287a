//! Melodies to be told apart by a program: sequences of tones, each melody its own.

use ringback_media::{sine, wav};

/// Samples a second of a prompt (`contract §1.6`).
const PROMPT_RATE: u32 = 16_000;
/// Samples a second of what a G.711 phone hears.
pub(super) const PHONE_RATE: u32 = 8_000;
/// Tones of a melody.
const TONES: usize = 6;
/// Length of one tone, in milliseconds.
const TONE_MS: u32 = 250;
/// The lowest tone and the step between tones, in Hz: all within what a telephone carries.
const LOWEST: f64 = 400.0;
const STEP: f64 = 110.0;
/// Melodies that share no tone.
const MELODIES: usize = 4;

/// A sequence of tones.
pub(super) struct Melody([f64; TONES]);

impl Melody {
    /// One of [`MELODIES`], counted from 0. No two share a tone, so none is found in another at any shift.
    pub(super) fn number(number: usize) -> Self {
        Self(std::array::from_fn(|place| LOWEST + STEP * (place * MELODIES + number % MELODIES) as f64))
    }

    /// As a prompt's file.
    pub(super) fn wav(&self) -> Vec<u8> {
        wav::encode(PROMPT_RATE, &self.pcm(PROMPT_RATE))
    }

    /// As samples.
    pub(super) fn pcm(&self, rate: u32) -> Vec<i16> {
        self.0.iter().flat_map(|hertz| sine(rate, *hertz, rate * TONE_MS / 1000)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tone_is_shared_and_a_telephone_carries_all() {
        let mut tones: Vec<f64> = (0..MELODIES).flat_map(|number| Melody::number(number).0).collect();
        tones.sort_by(f64::total_cmp);
        assert!(tones.windows(2).all(|pair| pair[1] - pair[0] >= STEP));
        assert!(tones[0] > 300.0 && tones[tones.len() - 1] < 3400.0);
    }
}
