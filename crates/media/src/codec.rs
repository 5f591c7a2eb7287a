//! The codecs a leg can speak, and what each of them needs on the wire. Knows no packet and no socket.

use crate::g711;
use crate::halfband::Downsampler;
use crate::limits::{FRAME_PCM, FRAME_TICKS};

/// A codec negotiated for a leg. Both speak 8 kHz with static payload types (RFC 3551 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, payload type 0.
    Pcmu,
    /// G.711 A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// The RTP payload type (RFC 3551 table 4).
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// The byte that stands for a silent sample.
    pub fn silence(self) -> u8 {
        match self {
            Codec::Pcmu => g711::ULAW_SILENCE,
            Codec::Pcma => g711::ALAW_SILENCE,
        }
    }

    /// Appends the encoded bytes of 8 kHz samples to `payload`; one sample is one byte.
    pub fn encode(self, pcm: &[i16], payload: &mut Vec<u8>) {
        match self {
            Codec::Pcmu => g711::encode_ulaw(pcm, payload),
            Codec::Pcma => g711::encode_alaw(pcm, payload),
        }
    }
}

/// One stream of a codec that is made frame by frame, of linear PCM at the rate inside.
#[derive(Debug)]
pub(crate) struct Encoder {
    codec: Codec,
    down: Downsampler,
}

impl Encoder {
    /// A stream that was silent before.
    pub(crate) fn new(codec: Codec) -> Encoder {
        Encoder { codec, down: Downsampler::new() }
    }

    /// Appends the bytes of one frame.
    pub(crate) fn frame(&mut self, pcm16k: &[i16; FRAME_PCM], payload: &mut Vec<u8>) {
        let mut pcm8k = [0; FRAME_TICKS];
        self.down.frame(pcm16k, &mut pcm8k);
        self.codec.encode(&pcm8k, payload);
    }
}
