//! Keys heard as tones in the audio (ITU-T Q.23, Q.24), at 8 kHz. Knows no codec and no packet.
//!
//! Each hop of 5 ms is correlated with the eight frequencies; four hops make a window of 20 ms, sharp enough to tell
//! neighbours apart, with its outer hops counted half, so that a strong tone does not leak into a weak one. A window
//! sounds if one row and one column hold nearly all of its energy, neither much louder than the other. How fast their
//! phases turn from window to window tells the true frequency to within a few Hz, which no single window of this length
//! could: this is what rejects speech and music. A key is told when it is let go.

use std::f32::consts::TAU;
use std::sync::LazyLock;

use crate::Tone;
use crate::dtmf::{COLUMNS, KEYS, ROWS};
use crate::limits::{FRAME_TICKS, RTP_CLOCK};

/// Samples of a hop: 5 ms.
const HOP: usize = 40;

/// Hops of a window, and what each counts.
const WINDOW: usize = 4;
const WEIGHTS: [f32; WINDOW] = [0.5, 1.0, 1.0, 0.5];

/// Samples of a window, so counted.
const SAMPLES: f32 = 3.0 * HOP as f32;

/// The least power of each tone, as the square of its peak: −40 dBm0. Receivers must hear −25 dBm and must not hear
/// −55 dBm (ITU-T Q.24, annex A).
const FLOOR: f32 = 230.0 * 230.0;

/// How much stronger one tone may be than the other: 10 dB. Networks ask for 4 dB one way and 8 dB the other.
const TWIST: f32 = 10.0;

/// How much stronger a tone is than each other one of its group: 6 dB.
const DOMINANCE: f32 = 4.0;

/// The share of a window's energy that is in the two tones, at least. A window of which a hop is missing holds 0.83 of
/// what it would.
const PURITY: f32 = 0.84;

/// The share in the purest window of a key. Noise 15 dB below leaves 0.97, give or take what the two tones' own beat
/// does in so short a window; two harmonics of a voice rarely stand out so.
const PUREST: f32 = 0.9;

/// Windows that must sound. A key of 23 ms fills 3 of them well enough, one of 40 ms at least 5.
const LEAST: u32 = 4;

/// Windows in a row that must not sound before a key is let go: 35 ms. A break of 10 ms spoils 5, a pause of 40 ms 10.
const PAUSE: u32 = 7;

/// How far off a tone may be: between the 1.5 % that must be heard and the 3.5 % that must not (ITU-T Q.24).
const TOLERANCE: f32 = 0.025;

/// How far off it may seem from one window to the next: a voice glides, a key does not.
const WANDER: f32 = 0.04;

/// For each sample of a hop, the cosines and then the negative sines of the eight frequencies.
static TABLE: LazyLock<[[f32; 16]; HOP]> = LazyLock::new(|| {
    std::array::from_fn(|n| {
        std::array::from_fn(|i| {
            let (sin, cos) = turn(frequency(i % 8) * n as f32 / RTP_CLOCK as f32).sin_cos();
            if i < 8 { cos } else { -sin }
        })
    })
});

fn frequency(index: usize) -> f32 {
    (if index < 4 { ROWS[index] } else { COLUMNS[index - 4] }) as f32
}

fn turn(cycles: f32) -> f32 {
    cycles.fract() * TAU
}

/// A complex number.
#[derive(Clone, Copy, Debug, Default)]
struct Phasor {
    re: f32,
    im: f32,
}

impl Phasor {
    fn times(self, other: Phasor) -> Phasor {
        Phasor { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    fn plus(self, other: Phasor) -> Phasor {
        Phasor { re: self.re + other.re, im: self.im + other.im }
    }

    fn scaled(self, factor: f32) -> Phasor {
        Phasor { re: self.re * factor, im: self.im * factor }
    }

    fn conjugate(self) -> Phasor {
        Phasor { im: -self.im, ..self }
    }

    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }
}

/// One stream that is listened to for keys. Its memory is fixed.
#[derive(Clone, Debug)]
pub struct Detector {
    /// By which a frequency's phase goes back over one hop.
    back: [Phasor; 8],
    /// The last hops, oldest first.
    hops: [[Phasor; 8]; WINDOW],
    energies: [f32; WINDOW],
    before: [Phasor; 8],
    down: Option<Down>,
}

/// A key that sounds, or did a moment ago.
#[derive(Clone, Copy, Debug)]
struct Down {
    row: usize,
    column: usize,
    windows: u32,
    purest: f32,
    /// Turns of row and column beyond their nominal ones, in sum over so many steps.
    row_drift: f32,
    column_drift: f32,
    steps: u32,
    silent: u32,
}

/// What sounds in a window: row, column, and how far each phase turned beyond its nominal turn since the last window.
#[derive(Clone, Copy, Debug)]
struct Sounding {
    row: usize,
    column: usize,
    row_turn: f32,
    column_turn: f32,
    /// The share of the window's energy that is in them.
    purity: f32,
}

impl Default for Detector {
    fn default() -> Detector {
        let back = std::array::from_fn(|i| {
            let (sin, cos) = turn(frequency(i) * HOP as f32 / RTP_CLOCK as f32).sin_cos();
            Phasor { re: cos, im: -sin }
        });
        Detector {
            back,
            hops: [[Phasor::default(); 8]; WINDOW],
            energies: [0.0; WINDOW],
            before: [Phasor::default(); 8],
            down: None,
        }
    }
}

impl Detector {
    /// Takes the next 20 ms; returns the key that was let go in them.
    pub fn frame(&mut self, pcm8k: &[i16; FRAME_TICKS]) -> Option<Tone> {
        let (hops, _) = pcm8k.as_chunks::<HOP>();
        // Two ends in one frame are impossible: each needs windows of its own.
        hops.iter().fold(None, |told, hop| self.hop(hop).or(told))
    }

    /// The key that is down, as far as can be told before it is let go.
    pub fn down(&self) -> Option<Tone> {
        self.down.and_then(Down::key)
    }

    fn hop(&mut self, pcm: &[i16; HOP]) -> Option<Tone> {
        self.hops.rotate_left(1);
        self.energies.rotate_left(1);
        let mut sums = [0.0f32; 16];
        let mut energy = 0.0;
        for (&sample, row) in pcm.iter().zip(TABLE.iter()) {
            let sample = f32::from(sample);
            energy += sample * sample;
            for (sum, factor) in sums.iter_mut().zip(row) {
                *sum += sample * factor;
            }
        }
        self.hops[WINDOW - 1] = std::array::from_fn(|i| Phasor { re: sums[i], im: sums[i + 8] });
        self.energies[WINDOW - 1] = energy;
        let sounding = self.sounding();
        self.step(sounding)
    }

    fn sounding(&mut self) -> Option<Sounding> {
        let energy: f32 = self.energies.iter().zip(WEIGHTS).map(|(energy, weight)| energy * weight).sum();
        // A tone of peak p has the energy p² / 2 a sample.
        if energy < FLOOR * SAMPLES {
            self.before = [Phasor::default(); 8];
            return None;
        }
        let mut window = [Phasor::default(); 8];
        for (hop, weight) in self.hops.iter().zip(WEIGHTS).rev() {
            // Horner's rule: the window's phase is that at its beginning.
            window = std::array::from_fn(|i| window[i].times(self.back[i]).plus(hop[i].scaled(weight)));
        }
        let before = std::mem::replace(&mut self.before, window);
        let powers = window.map(Phasor::power);
        let (row, column) = (loudest(&powers[..4])?, loudest(&powers[4..])?);
        let turned = |i: usize| {
            let Phasor { re, im } = window[i].times(before[i].conjugate()).times(self.back[i]);
            im.atan2(re)
        };
        let (row_turn, column_turn) = (turned(row), turned(column + 4));
        // As if the tone had stood where its frequency is: energy, from the square of the correlation.
        let energy_of = |i: usize, turned: f32| powers[i] * 2.0 / SAMPLES / response(turned);
        let (row_energy, column_energy) = (energy_of(row, row_turn), energy_of(column + 4, column_turn));
        let loud = row_energy.min(column_energy) > FLOOR * SAMPLES / 2.0;
        let even = row_energy < TWIST * column_energy && column_energy < TWIST * row_energy;
        let purity = (row_energy + column_energy) / energy;
        let steady = off(row_turn, row) < WANDER && off(column_turn, column + 4) < WANDER;
        (loud && even && steady && purity > PURITY).then_some(Sounding { row, column, row_turn, column_turn, purity })
    }

    fn step(&mut self, sounding: Option<Sounding>) -> Option<Tone> {
        match (&mut self.down, sounding) {
            (Some(down), Some(now)) if (down.row, down.column) == (now.row, now.column) => {
                if down.silent == 0 {
                    down.row_drift += now.row_turn;
                    down.column_drift += now.column_turn;
                    down.steps += 1;
                }
                down.windows += 1;
                down.purest = down.purest.max(now.purity);
                down.silent = 0;
                None
            }
            (_, Some(now)) => {
                let Sounding { row, column, purity, .. } = now;
                let (row_drift, column_drift) = (0.0, 0.0);
                let next =
                    Down { row, column, windows: 1, purest: purity, row_drift, column_drift, steps: 0, silent: 0 };
                self.down.replace(next).and_then(Down::key)
            }
            (Some(down), None) => {
                down.silent += 1;
                if down.silent < PAUSE {
                    return None;
                }
                self.down.take().and_then(Down::key)
            }
            (None, None) => None,
        }
    }
}

impl Down {
    /// The key, if it sounded long enough and true.
    fn key(self) -> Option<Tone> {
        let steps = self.steps.max(1) as f32;
        let true_row = off(self.row_drift / steps, self.row) < TOLERANCE;
        let true_column = off(self.column_drift / steps, self.column + 4) < TOLERANCE;
        (self.windows >= LEAST && self.purest > PUREST && true_row && true_column)
            .then_some(KEYS[self.row][self.column])
    }
}

/// By which share of it a frequency is missed, if the phase turns by so much too far over one hop.
fn off(turned: f32, index: usize) -> f32 {
    (turned / TAU * (RTP_CLOCK as f32 / HOP as f32) / frequency(index)).abs()
}

/// The loudest of a group, if it is much louder than each other one.
fn loudest(powers: &[f32]) -> Option<usize> {
    let (loudest, &most) = powers.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let alone = powers.iter().enumerate().all(|(i, &power)| i == loudest || power * DOMINANCE < most);
    alone.then_some(loudest)
}

/// What is left of a tone's power in a window, if its phase turns by so much too far over one hop: the sum of four hops,
/// each weakened within itself. Not below a quarter, from where on it is no estimate any more.
fn response(turned: f32) -> f32 {
    let half = turned / 2.0;
    let within = if half.abs() < 1e-3 { 1.0 } else { half.sin() / half };
    let amplitude = within * ((3.0 * half).cos() + 2.0 * half.cos()) / 3.0;
    (amplitude * amplitude).max(0.25)
}
