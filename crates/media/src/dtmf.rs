//! Keys as tones in the audio (ITU-T Q.23): the two frequencies of each, and their sound. Knows no codec.

use std::f64::consts::TAU;

use crate::Tone;
use crate::limits::{FRAME_PCM, RATE};

/// The frequencies of the rows, in Hz.
pub(crate) const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];

/// The frequencies of the columns, in Hz.
pub(crate) const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// The keys, by row and column.
pub(crate) const KEYS: [[Tone; 4]; 4] = [
    [Tone::Digit(1), Tone::Digit(2), Tone::Digit(3), Tone::A],
    [Tone::Digit(4), Tone::Digit(5), Tone::Digit(6), Tone::B],
    [Tone::Digit(7), Tone::Digit(8), Tone::Digit(9), Tone::C],
    [Tone::Star, Tone::Digit(0), Tone::Pound, Tone::D],
];

/// Peaks of the two tones: −10 and −8 dBm0, the higher one stronger because lines lose more of it. Far below clipping,
/// far above what a receiver may miss (ITU-T Q.24: −25 dBm).
const ROW_PEAK: f64 = 7_200.0;
const COLUMN_PEAK: f64 = 9_000.0;

/// The sound of a key, for as long as it is pressed.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    row: Oscillator,
    column: Oscillator,
}

impl Sound {
    /// `None` for a hook flash, which has no sound.
    pub(crate) fn of(tone: Tone) -> Option<Sound> {
        let (row, keys) = KEYS.iter().enumerate().find(|(_, keys)| keys.contains(&tone))?;
        let column = keys.iter().position(|&key| key == tone)?;
        Some(Sound { row: Oscillator::new(ROWS[row], ROW_PEAK), column: Oscillator::new(COLUMNS[column], COLUMN_PEAK) })
    }

    /// The next 20 ms, at the rate inside.
    pub(crate) fn frame(&mut self) -> [i16; FRAME_PCM] {
        std::array::from_fn(|_| (self.row.step() + self.column.step()) as i16)
    }
}

/// A sine by its recurrence: a multiplication a sample.
#[derive(Clone, Debug)]
struct Oscillator {
    factor: f64,
    now: f64,
    before: f64,
}

impl Oscillator {
    fn new(hertz: f64, peak: f64) -> Oscillator {
        let step = hertz / f64::from(RATE) * TAU;
        Oscillator { factor: 2.0 * step.cos(), now: 0.0, before: -peak * step.sin() }
    }

    fn step(&mut self) -> f64 {
        let sample = self.now;
        self.now = self.factor * sample - self.before;
        self.before = sample;
        sample
    }
}
