//! The codecs a leg can speak, and what each of them needs on the wire. Knows no packet and no socket.

use crate::g711;
use crate::g722;
use crate::halfband::Downsampler;
use crate::limits::{FRAME_PCM, FRAME_TICKS};

/// A codec negotiated for a leg. All have static payload types (RFC 3551 §6), an RTP clock of 8 kHz and 64 kbit/s, so
/// that a byte is a tick; G.722's clock is so by an old mistake (RFC 3551 §4.5.2), it is sampled at 16 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.722, payload type 9.
    G722,
    /// G.711 µ-law, payload type 0.
    Pcmu,
    /// G.711 A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// All, the best first: G.722 carries twice the band, at the same rate. Of the two laws A-law is the better one for
    /// quiet speech and µ-law the one every phone has; µ-law is first.
    pub const ALL: &[Codec] = &[Codec::G722, Codec::Pcmu, Codec::Pcma];

    /// The RTP payload type (RFC 3551 table 4).
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
        }
    }

    /// The name in session descriptions (RFC 3551 table 4); its clock there is 8000.
    pub fn encoding_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
        }
    }

    /// Frames of silence that a stream begins with, so that the far end's decoder stands where ours would.
    pub(crate) fn rest(self) -> usize {
        match self {
            Codec::Pcmu | Codec::Pcma => 0,
            Codec::G722 => g722::REST,
        }
    }

    /// Appends silence up to a whole frame. Of frames of silence in a row each has the next number.
    pub(crate) fn pad(self, frame: usize, payload: &mut Vec<u8>) {
        match self {
            Codec::Pcmu => payload.resize(FRAME_TICKS, g711::ULAW_SILENCE),
            Codec::Pcma => payload.resize(FRAME_TICKS, g711::ALAW_SILENCE),
            Codec::G722 => payload.extend_from_slice(&g722::silence(frame)[payload.len().min(FRAME_TICKS)..]),
        }
    }
}

/// One stream of a codec that is made frame by frame, of linear PCM at the rate inside.
#[derive(Debug)]
pub(crate) enum Encoder {
    Pcmu(Downsampler),
    Pcma(Downsampler),
    G722(Box<g722::Encoder>),
}

impl Encoder {
    /// A stream that was silent before.
    pub(crate) fn new(codec: Codec) -> Encoder {
        match codec {
            Codec::Pcmu => Encoder::Pcmu(Downsampler::new()),
            Codec::Pcma => Encoder::Pcma(Downsampler::new()),
            Codec::G722 => Encoder::G722(Box::default()),
        }
    }

    /// Appends the bytes of one frame.
    pub(crate) fn frame(&mut self, pcm16k: &[i16; FRAME_PCM], payload: &mut Vec<u8>) {
        match self {
            Encoder::Pcmu(down) => g711::encode_ulaw(&down.frame(pcm16k), payload),
            Encoder::Pcma(down) => g711::encode_alaw(&down.frame(pcm16k), payload),
            Encoder::G722(encoder) => encoder.encode(pcm16k, payload),
        }
    }
}
