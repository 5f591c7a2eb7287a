//! G.722 at 64 kbit/s (ITU-T G.722, RFC 3551 §4.5.2): a byte for two samples at 16 kHz. Wraps the codec of a library.
//!
//! The codec remembers: a byte means something only to a decoder that is where the encoder was. Yet a prompt is encoded
//! once for all who hear it, so their decoders should be in about one place when it begins. Therefore silence is not one
//! byte but a round of what an encoder makes of silence ([`silence`]), and a prompt is encoded by an encoder that has
//! heard silence before. What is left of the difference is a fraction of the signal in the first 20 ms and gone after
//! three frames; only a prompt that begins at full level, without the usual few milliseconds of rise, may click
//! (docs/decisions/0017-g722-is-encoded-once.md).

use std::fmt;
use std::sync::LazyLock;

use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};

use crate::limits::{FRAME_PCM, FRAME_TICKS};

/// Frames of silence that an encoder hears, and a far end is sent, before anything else: enough to come to rest.
pub(crate) const REST: usize = 3;

/// Frames of one round of silence: 1 s, so that its hiss has no pitch.
const ROUND: usize = 50;

/// One stream on its way out.
pub struct Encoder(G722Encoder);

/// One stream on its way in.
pub struct Decoder(G722Decoder);

impl Default for Encoder {
    /// A stream that was silent before.
    fn default() -> Encoder {
        let mut encoder = Encoder(G722Encoder::new());
        for _ in 0..REST {
            encoder.encode_into(&[0; FRAME_PCM], &mut [0; FRAME_TICKS]);
        }
        encoder
    }
}

impl Encoder {
    /// Appends a byte for every two samples; the last one of an odd number is taken twice.
    pub fn encode(&mut self, pcm16k: &[i16], code: &mut Vec<u8>) {
        let (pairs, odd) = pcm16k.as_chunks::<2>();
        let start = code.len();
        code.resize(start + pairs.len() + odd.len(), 0);
        let (whole, rest) = code[start..].split_at_mut(pairs.len());
        self.encode_into(pairs.as_flattened(), whole);
        if let [sample] = odd {
            self.encode_into(&[*sample; 2], rest);
        }
    }

    fn encode_into(&mut self, pcm16k: &[i16], code: &mut [u8]) {
        self.0.encode_into(pcm16k, code).expect("a byte for two samples");
    }
}

impl Default for Decoder {
    /// A stream of which nothing was heard yet.
    fn default() -> Decoder {
        Decoder(G722Decoder::new())
    }
}

impl Decoder {
    /// Fills `pcm16k` with two samples for every byte.
    ///
    /// # Panics
    /// If there is no room for them.
    pub fn decode(&mut self, code: &[u8], pcm16k: &mut [i16]) {
        self.0.decode_into(code, pcm16k).expect("room for two samples a byte");
    }
}

/// A frame of silence, by its number from the beginning of the stream: what an encoder makes of silence in its first
/// second, while it settles, and from then on its second second, round and round.
pub fn silence(frame: usize) -> &'static [u8; FRAME_TICKS] {
    static SILENCE: LazyLock<[[u8; FRAME_TICKS]; 2 * ROUND]> = LazyLock::new(|| {
        let mut encoder = Encoder(G722Encoder::new());
        std::array::from_fn(|_| {
            let mut code = [0; FRAME_TICKS];
            encoder.encode_into(&[0; FRAME_PCM], &mut code);
            code
        })
    });
    &SILENCE[if frame < ROUND { frame } else { ROUND + frame % ROUND }]
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("g722::Encoder")
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("g722::Decoder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;

    fn tone(hertz: f64, frames: usize) -> Vec<i16> {
        (0..frames * FRAME_PCM).map(|n| ((n as f64 * hertz / 16_000.0 * TAU).sin() * 12_000.0) as i16).collect()
    }

    fn encoded(pcm16k: &[i16]) -> Vec<u8> {
        let mut code = Vec::new();
        Encoder::default().encode(pcm16k, &mut code);
        code
    }

    fn decoded(decoder: &mut Decoder, code: &[u8]) -> Vec<i16> {
        let mut pcm16k = vec![0; 2 * code.len()];
        decoder.decode(code, &mut pcm16k);
        pcm16k
    }

    /// How much of what was meant is wrong in what was heard, frame by frame: noise over signal.
    fn noise(heard: &[i16], meant: &[i16]) -> Vec<f64> {
        /// Samples by which the codec's two filters delay.
        const DELAY: usize = 22;
        let energy = |pcm: &mut dyn Iterator<Item = f64>| pcm.map(|s| s * s).sum::<f64>();
        let frames = heard[DELAY..].chunks_exact(FRAME_PCM).zip(meant.chunks_exact(FRAME_PCM));
        frames
            .map(|(heard, meant)| {
                let wrong = &mut heard.iter().zip(meant).map(|(&h, &m)| f64::from(h) - f64::from(m));
                (energy(wrong) / energy(&mut meant.iter().map(|&s| f64::from(s)))).sqrt()
            })
            .collect()
    }

    #[test]
    fn the_whole_band_passes() {
        for hertz in [100.0, 440.0, 1_000.0, 3_000.0, 5_000.0, 6_500.0] {
            let meant = tone(hertz, 50);
            let heard = decoded(&mut Decoder::default(), &encoded(&meant));
            let noise = noise(&heard, &meant);
            assert!(noise[10..].iter().all(|&n| n < 0.15), "{hertz} Hz: {noise:.3?}");
        }
    }

    #[test]
    fn a_prompt_that_begins_at_full_level_is_clean_in_60_ms_wherever_in_the_silence_it_begins() {
        let mut first = Vec::new();
        for hertz in [300.0, 1_000.0, 3_000.0] {
            let meant = tone(hertz, 10);
            let code = encoded(&meant);
            for rest in (3..220).step_by(13) {
                let mut decoder = Decoder::default();
                // Something loud was played before.
                decoded(&mut decoder, &encoded(&tone(700.0, 20)));
                (0..rest).for_each(|frame| drop(decoded(&mut decoder, silence(frame))));
                let noise = noise(&decoded(&mut decoder, &code), &meant);
                assert!(noise[3..].iter().all(|&n| n < 0.3), "{hertz} Hz after {rest}: {noise:.2?}");
                first.push(noise[0]);
            }
        }
        let mean = first.iter().sum::<f64>() / first.len() as f64;
        assert!(mean < 0.35, "{mean}");
    }

    #[test]
    fn silence_is_silent() {
        let mut decoder = Decoder::default();
        decoded(&mut decoder, &encoded(&tone(700.0, 20)));
        for frame in 0..200 {
            let peak = decoded(&mut decoder, silence(frame)).into_iter().map(i16::unsigned_abs).max();
            // −54 dB of full scale, below the noise of an idle line.
            assert!(frame < 5 || peak < Some(64), "{peak:?} in frame {frame}");
        }
    }

    #[test]
    fn an_odd_sample_has_a_byte_too() {
        assert_eq!(encoded(&[0; 321]).len(), 161);
        assert_eq!(encoded(&[5]).len(), 1);
        assert_eq!(encoded(&[]).len(), 0);
    }

    proptest! {
        #[test]
        fn no_bytes_and_no_samples_panic(
            code in proptest::collection::vec(any::<u8>(), 0..2_000), pcm in proptest::collection::vec(any::<i16>(), 0..2_000),
        ) {
            decoded(&mut Decoder::default(), &code);
            prop_assert_eq!(encoded(&pcm).len(), pcm.len().div_ceil(2));
        }
    }
}
