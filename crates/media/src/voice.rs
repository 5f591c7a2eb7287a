//! Whether somebody speaks: a gate on the energy of frames of 20 ms that learns the noise of the line. It tells speech from
//! silence, comfort noise and steady noise; it does not tell a voice from music. Pure: its clock is its frames.

use std::collections::VecDeque;

use crate::limits::{
    NOISE_FRAMES, NOISE_SHARE, UNHEARD_FRAMES, VOICE_ABOVE_NOISE, VOICE_FRAMES, VOICE_LEAST, VOICE_OF,
};

/// The quietest level told apart, in dB below full scale: 16 bits hold no less.
const QUIETEST: u8 = 96;

/// The gate. Its memory is fixed.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Levels of the last frames, in dB below full scale, and how often each is among them.
    levels: VecDeque<u8>,
    counts: [u8; QUIETEST as usize + 1],
    /// Frames of digital silence before anything was heard.
    unheard: usize,
    /// The last frames, the newest lowest: 1 is louder than the noise.
    loud: u32,
}

impl Default for Voice {
    fn default() -> Voice {
        Voice { levels: VecDeque::with_capacity(NOISE_FRAMES), counts: [0; QUIETEST as usize + 1], unheard: 0, loud: 0 }
    }
}

impl Voice {
    /// Takes a frame of any length; returns whether somebody speaks.
    pub fn frame(&mut self, pcm: &[i16]) -> bool {
        let level = level(pcm);
        if self.levels.is_empty() && level == QUIETEST && self.unheard < UNHEARD_FRAMES {
            self.unheard += 1;
            return false;
        }
        self.learn(level);
        // Levels count downwards from full scale: louder is less.
        let threshold = VOICE_LEAST.min(self.noise().saturating_sub(VOICE_ABOVE_NOISE));
        self.loud = (self.loud << 1 | u32::from(level < threshold)) & ((1 << VOICE_OF) - 1);
        self.loud.count_ones() >= VOICE_FRAMES
    }

    fn learn(&mut self, level: u8) {
        if self.levels.len() == NOISE_FRAMES
            && let Some(oldest) = self.levels.pop_front()
        {
            self.counts[usize::from(oldest)] -= 1;
        }
        self.levels.push_back(level);
        self.counts[usize::from(level)] += 1;
    }

    /// The level that the quietest [`NOISE_SHARE`] of the frames stay under.
    fn noise(&self) -> u8 {
        let mut left = self.levels.len() * NOISE_SHARE / 100;
        for level in (0..=QUIETEST).rev() {
            let here = usize::from(self.counts[usize::from(level)]);
            if here > left {
                return level;
            }
            left -= here;
        }
        0
    }
}

/// The level of a frame in dB below full scale, without its mean: a constant offset is no sound.
fn level(pcm: &[i16]) -> u8 {
    let count = pcm.len().max(1) as f64;
    let (sum, squares) = pcm.iter().fold((0i64, 0i64), |(sum, squares), &sample| {
        let sample = i64::from(sample);
        (sum + sample, squares + sample * sample)
    });
    let mean = sum as f64 / count;
    let power = squares as f64 / count - mean * mean;
    let below = -10.0 * (power.max(f64::MIN_POSITIVE) / (32_768.0 * 32_768.0)).log10();
    // `as` saturates.
    (below.round() as u8).min(QUIETEST)
}
