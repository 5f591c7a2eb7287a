//! A prompt: audio checked, resampled and encoded once, then shared by every leg that plays it.
//! Knows no leg. All that costs time happens here, on the caller's thread, never on a shard.

use std::sync::OnceLock;
use std::time::Duration;

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use crate::codec::Codec;
use crate::limits::{self, RATE};
use crate::wav::{self, Wav, WavError};
use crate::{g711, g722};

/// Audio that can be played: mono, 16 kHz, 16-bit PCM inside.
#[derive(Debug)]
pub struct Prompt {
    pcm16k: Vec<i16>,
    g711: OnceLock<G711>,
    g722: OnceLock<Vec<u8>>,
}

#[derive(Debug)]
struct G711 {
    ulaw: Vec<u8>,
    alaw: Vec<u8>,
}

/// Why a file cannot be a prompt. The texts are for whoever made the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// Over [`limits::PROMPT_BYTES`].
    #[error(
        "the prompt has {bytes} bytes; at most {} are allowed: shorten it or lower its sample rate",
        limits::PROMPT_BYTES
    )]
    TooLarge {
        /// Bytes of the file.
        bytes: usize,
    },
    /// Not a WAV file.
    #[error("the prompt is not a WAV file: save it as WAV, mono, 16-bit PCM, 16 kHz")]
    NotWav,
    /// Another encoding than PCM, 16 bits, mono.
    #[error(
        "the prompt has WAV format {format}, {bits} bits and {channels} channel(s): save it as PCM (format 1), 16 bits, mono"
    )]
    Encoding {
        /// WAV format tag: 1 is linear PCM.
        format: u16,
        /// Bits a sample.
        bits: u16,
        /// Channels.
        channels: u16,
    },
    /// A rate out of [`limits::PROMPT_RATES`].
    #[error("the prompt has {rate} samples a second: save it with 16000 (8000 to 48000 are taken)")]
    Rate {
        /// Samples a second.
        rate: u32,
    },
    /// The file ends before its header says.
    #[error(
        "the prompt says it holds {declared} bytes of audio and ends after {present}: it is cut off, or was written to a pipe; save it again"
    )]
    Truncated {
        /// Bytes of audio by the header.
        declared: u32,
        /// Bytes there are.
        present: usize,
    },
    /// No audio in it.
    #[error("the prompt holds no audio")]
    Empty,
}

impl Prompt {
    /// Checks and decodes the bytes of a WAV file: at most 20 MiB, mono, 16-bit PCM, 8 to 48 kHz (resampled to 16 kHz).
    /// Takes milliseconds for each minute of audio: not for an async thread.
    pub fn decode(bytes: &[u8]) -> Result<Prompt, PromptError> {
        if bytes.len() > limits::PROMPT_BYTES {
            return Err(PromptError::TooLarge { bytes: bytes.len() });
        }
        let Wav { rate, pcm } = wav::decode(bytes)?;
        if !limits::PROMPT_RATES.contains(&rate) {
            return Err(PromptError::Rate { rate });
        }
        Ok(Prompt::from_pcm16k(if rate == RATE { pcm } else { resample(&pcm, rate, RATE) }))
    }

    /// A prompt of mono samples at 16 kHz.
    pub fn from_pcm16k(pcm16k: Vec<i16>) -> Prompt {
        Prompt { pcm16k, g711: OnceLock::new(), g722: OnceLock::new() }
    }

    /// How long it plays.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.pcm16k.len() as u64 * 1_000_000 / u64::from(RATE))
    }

    /// Its samples, mono at 16 kHz.
    pub fn pcm16k(&self) -> &[i16] {
        &self.pcm16k
    }

    /// Encodes it, unless that is done. [`Media`](crate::Media) sees to it before it tells the shard.
    pub(crate) fn encode(&self, codec: Codec) {
        self.encoded(codec);
    }

    /// Its bytes in a codec, the same for all its listeners.
    pub(crate) fn encoded(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.g711().ulaw,
            Codec::Pcma => &self.g711().alaw,
            Codec::G722 => self.g722.get_or_init(|| {
                let mut code = Vec::with_capacity(self.pcm16k.len().div_ceil(2));
                g722::Encoder::default().encode(&self.pcm16k, &mut code);
                code
            }),
        }
    }

    /// Both laws at once: the filter costs more than the tables.
    fn g711(&self) -> &G711 {
        self.g711.get_or_init(|| {
            let pcm8k = resample(&self.pcm16k, RATE, limits::RTP_CLOCK);
            let (mut ulaw, mut alaw) = (Vec::with_capacity(pcm8k.len()), Vec::with_capacity(pcm8k.len()));
            g711::encode_ulaw(&pcm8k, &mut ulaw);
            g711::encode_alaw(&pcm8k, &mut alaw);
            G711 { ulaw, alaw }
        })
    }
}

impl From<WavError> for PromptError {
    fn from(error: WavError) -> PromptError {
        match error {
            WavError::NotWav => PromptError::NotWav,
            WavError::Encoding { format, bits, channels } => PromptError::Encoding { format, bits, channels },
            WavError::Truncated { declared, present } => PromptError::Truncated { declared, present },
            WavError::Empty => PromptError::Empty,
        }
    }
}

/// Mono samples at another rate, with what the new rate cannot carry filtered out, neither shifted nor stretched.
/// Both rates must be at least 1.
pub fn resample(pcm: &[i16], from: u32, to: u32) -> Vec<i16> {
    /// Samples the filter works on at once, at least: 32 ms at 16 kHz, sharp enough for speech.
    const CHUNK: usize = 512;
    if pcm.is_empty() {
        return Vec::new();
    }
    let (from, to) = (from as usize, to as usize);
    // The filter delays by half its length; only if that is whole on both sides can it be cut off without a shift.
    let even = 2 * from / gcd(from, to);
    let chunk = CHUNK.next_multiple_of(even);
    let input: Vec<f32> = pcm.iter().map(|&s| f32::from(s)).collect();
    let input = SequentialSlice::new(&input, 1, pcm.len()).expect("one channel of that length");
    let mut resampler = Fft::<f32>::new_custom(from, to, chunk, 1, 1, WindowFunction::BlackmanHarris2, FixedSync::Both)
        .expect("rates of at least 1 Hz");
    let output = resampler.process_all(&input, pcm.len(), None).expect("one channel in and out");
    let length = (pcm.len() * to).div_ceil(from);
    // `as` saturates, so an overshoot of the filter clips and does not wrap.
    output.take_data().into_iter().take(length).map(|s| s.round() as i16).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
