//! 8 kHz to 16 kHz, frame by frame, without a seam: the filter between G.711 and the rate inside.
//! Knows no codec and no packet. Whole files are resampled by [`resample`](crate::resample), which is better and slower.
//!
//! A half-band filter has every second tap zero, so every second sample out is a sample that came in, untouched, and
//! only those between are computed. Flat within 0.1 dB up to 3.4 kHz, where telephony ends; images above 4.6 kHz lie
//! 52 dB below. It delays by 12 samples at 8 kHz, 1.5 ms.

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
    pub(crate) fn frame(&mut self, pcm8k: &[i16; FRAME_TICKS], pcm16k: &mut [i16; FRAME_PCM]) {
        let mut line = [0; TAPS - 1 + FRAME_TICKS];
        line[..TAPS - 1].copy_from_slice(&self.past);
        line[TAPS - 1..].copy_from_slice(pcm8k);
        let (pairs, _) = pcm16k.as_chunks_mut::<2>();
        for (pair, window) in pairs.iter_mut().zip(line.array_windows::<TAPS>()) {
            *pair = [window[TAPS / 2 - 1], between(window)];
        }
        self.past.copy_from_slice(&line[FRAME_TICKS..]);
    }
}

/// The sample in the middle between the two middle ones.
fn between(window: &[i16; TAPS]) -> i16 {
    let sum: i32 = window.iter().zip(&FILTER).map(|(&sample, &tap)| i32::from(sample) * i32::from(tap)).sum();
    ((sum + (1 << 13)) >> 14).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// A tone through the filter, cut where it has settled: level out over level in, and the share that is not the tone.
    fn tone(hertz: f64) -> (f64, f64) {
        let mut up = Upsampler::new();
        let mut out = Vec::new();
        for frame in 0..50 {
            let pcm8k = std::array::from_fn(|i| {
                let n = (frame * FRAME_TICKS + i) as f64;
                ((n * hertz / 8_000.0 * TAU).sin() * 16_000.0).round() as i16
            });
            let mut pcm16k = [0; FRAME_PCM];
            up.frame(&pcm8k, &mut pcm16k);
            out.extend(pcm16k.map(f64::from));
        }
        let settled = &out[FRAME_PCM..];
        let wave = |part: fn(f64) -> f64| {
            settled.iter().enumerate().map(|(n, s)| s * part(n as f64 * hertz / 16_000.0 * TAU)).sum::<f64>()
        };
        let amplitude = wave(f64::sin).hypot(wave(f64::cos)) * 2.0 / settled.len() as f64;
        let power = settled.iter().map(|s| s * s).sum::<f64>() / settled.len() as f64;
        (amplitude / 16_000.0, ((power - amplitude * amplitude / 2.0).max(0.0) * 2.0).sqrt() / 16_000.0)
    }

    #[test]
    fn the_telephone_band_passes_and_its_image_does_not() {
        for hertz in (100..=3_400).step_by(100) {
            let (level, rest) = tone(f64::from(hertz));
            assert!((0.99..1.01).contains(&level), "{hertz} Hz: {level}");
            assert!(rest < 0.003, "{hertz} Hz: {rest}");
        }
    }

    #[test]
    fn every_second_sample_is_one_that_came_in() {
        let mut up = Upsampler::new();
        let input: Vec<i16> = (0..480u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as i16).collect();
        let mut output = Vec::new();
        for frame in input.as_chunks::<FRAME_TICKS>().0 {
            let mut pcm16k = [0; FRAME_PCM];
            up.frame(frame, &mut pcm16k);
            output.extend(pcm16k.into_iter().step_by(2));
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
