//! 8 kHz to 16 kHz and back, frame by frame, without a seam: the filter between G.711 and the rate inside.
//! Knows no codec and no packet. Whole files are resampled by [`resample`](crate::resample), which is better and slower.
//!
//! A half-band filter has every second tap zero, so every second sample out is a sample that came in, untouched, and
//! only those between are computed; on the way down that halves the work too. Flat within 0.1 dB up to 3.4 kHz, where
//! telephony ends; what is above 4.6 kHz comes out 52 dB lower. It delays by 12 samples at 8 kHz, 1.5 ms.

use crate::limits::{FRAME_PCM, FRAME_TICKS};

/// Taps that are not zero, beside the one in the middle.
const TAPS: usize = 24;

/// A sinc in a Kaiser window (β = 5), in 1/16,384; their sum is 1. The sum of their magnitudes is 2.36, so no input
/// overflows 32 bits.
static FILTER: [i16; TAPS] = [
    -26, 57, -103, 171, -266, 397, -580, 839, -1229, 1893, -3360, 10399, //
    10399, -3360, 1893, -1229, 839, -580, 397, -266, 171, -103, 57, -26,
];

/// One stream on its way up.
#[derive(Clone, Debug)]
pub(crate) struct Upsampler {
    /// The end of the frames before, as long as the filter needs it.
    past: [i16; TAPS - 1],
}

impl Upsampler {
    /// A stream that was silent before.
    pub(crate) fn new() -> Upsampler {
        Upsampler { past: [0; TAPS - 1] }
    }

    /// One frame at 8 kHz to one at 16 kHz.
    pub(crate) fn frame(&mut self, pcm8k: &[i16; FRAME_TICKS]) -> [i16; FRAME_PCM] {
        let mut pcm16k = [0; FRAME_PCM];
        let mut line = [0; TAPS - 1 + FRAME_TICKS];
        line[..TAPS - 1].copy_from_slice(&self.past);
        line[TAPS - 1..].copy_from_slice(pcm8k);
        let (pairs, _) = pcm16k.as_chunks_mut::<2>();
        for (pair, window) in pairs.iter_mut().zip(line.array_windows::<TAPS>()) {
            *pair = [window[TAPS / 2 - 1], between(window)];
        }
        self.past.copy_from_slice(&line[FRAME_TICKS..]);
        pcm16k
    }
}

/// One stream on its way down.
#[derive(Clone, Debug)]
pub(crate) struct Downsampler {
    /// Of the frames before: the even samples the filter needs, and the odd ones that wait for its middle.
    even: [i16; TAPS - 1],
    odd: [i16; TAPS / 2],
}

impl Downsampler {
    /// A stream that was silent before.
    pub(crate) fn new() -> Downsampler {
        Downsampler { even: [0; TAPS - 1], odd: [0; TAPS / 2] }
    }

    /// One frame at 16 kHz to one at 8 kHz.
    pub(crate) fn frame(&mut self, pcm16k: &[i16; FRAME_PCM]) -> [i16; FRAME_TICKS] {
        let mut pcm8k = [0; FRAME_TICKS];
        let mut even = [0; TAPS - 1 + FRAME_TICKS];
        let mut odd = [0; TAPS / 2 + FRAME_TICKS];
        even[..TAPS - 1].copy_from_slice(&self.even);
        odd[..TAPS / 2].copy_from_slice(&self.odd);
        let (pairs, _) = pcm16k.as_chunks::<2>();
        for (i, pair) in pairs.iter().enumerate() {
            (even[TAPS - 1 + i], odd[TAPS / 2 + i]) = (pair[0], pair[1]);
        }
        for ((out, window), &middle) in pcm8k.iter_mut().zip(even.array_windows::<TAPS>()).zip(&odd) {
            *out = clip((sum(window) + (i32::from(middle) << 14) + (1 << 14)) >> 15);
        }
        self.even.copy_from_slice(&even[FRAME_TICKS..]);
        self.odd.copy_from_slice(&odd[FRAME_TICKS..]);
        pcm8k
    }
}

/// The sample in the middle between the two middle ones.
fn between(window: &[i16; TAPS]) -> i16 {
    clip((sum(window) + (1 << 13)) >> 14)
}

fn sum(window: &[i16; TAPS]) -> i32 {
    window.iter().zip(&FILTER).map(|(&sample, &tap)| i32::from(sample) * i32::from(tap)).sum()
}

fn clip(sample: i32) -> i16 {
    sample.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// A frame of a tone.
    fn frame<const LENGTH: usize>(number: usize, hertz: f64) -> [i16; LENGTH] {
        std::array::from_fn(|i| {
            let seconds = (number * LENGTH + i) as f64 / (LENGTH * 50) as f64;
            ((seconds * hertz * TAU).sin() * 16_000.0).round() as i16
        })
    }

    /// What came of a second of it, where it has settled: level out over level in, and the share that is not the tone.
    fn judged(out: &[i16], hertz: f64) -> (f64, f64) {
        let rate = out.len() as f64;
        let settled: Vec<f64> = out[out.len() / 50..].iter().map(|&s| f64::from(s)).collect();
        let wave = |part: fn(f64) -> f64| {
            settled.iter().enumerate().map(|(n, s)| s * part(n as f64 * hertz / rate * TAU)).sum::<f64>()
        };
        let amplitude = wave(f64::sin).hypot(wave(f64::cos)) * 2.0 / settled.len() as f64;
        let power = settled.iter().map(|s| s * s).sum::<f64>() / settled.len() as f64;
        (amplitude / 16_000.0, ((power - amplitude * amplitude / 2.0).max(0.0) * 2.0).sqrt() / 16_000.0)
    }

    fn up(hertz: f64) -> Vec<i16> {
        let mut up = Upsampler::new();
        (0..50).flat_map(|n| up.frame(&frame(n, hertz))).collect()
    }

    fn down(hertz: f64) -> Vec<i16> {
        let mut down = Downsampler::new();
        (0..50).flat_map(|n| down.frame(&frame(n, hertz))).collect()
    }

    #[test]
    fn the_telephone_band_passes_both_ways_and_nothing_else() {
        for hertz in (100..=3_400).step_by(100).map(f64::from) {
            for (way, out) in [("up", up(hertz)), ("down", down(hertz))] {
                let (level, rest) = judged(&out, hertz);
                assert!((0.99..1.01).contains(&level), "{way} {hertz} Hz: {level}");
                assert!(rest < 0.003, "{way} {hertz} Hz: {rest}");
            }
        }
        for hertz in (4_600..8_000).step_by(100).map(f64::from) {
            let loudest = down(hertz).into_iter().skip(FRAME_TICKS).map(i16::unsigned_abs).max();
            assert!(loudest < Some(50), "{hertz} Hz: {loudest:?}");
        }
    }

    #[test]
    fn every_second_sample_is_one_that_came_in() {
        let mut up = Upsampler::new();
        let input: Vec<i16> = (0..480u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as i16).collect();
        let mut output = Vec::new();
        for frame in input.as_chunks::<FRAME_TICKS>().0 {
            output.extend(up.frame(frame).into_iter().step_by(2));
        }
        assert_eq!(output[TAPS / 2..], input[..480 - TAPS / 2]);
    }

    #[test]
    fn the_loudest_input_clips_and_does_not_wrap() {
        let worst: [i16; TAPS] = std::array::from_fn(|i| if FILTER[i] < 0 { i16::MIN } else { i16::MAX });
        assert_eq!(between(&worst), i16::MAX);
        assert_eq!(between(&worst.map(|s| !s)), i16::MIN);
    }
}
