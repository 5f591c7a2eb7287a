//! The codecs a leg can speak, and what each of them needs on the wire. Knows no packet and no socket.

use crate::g711;

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
