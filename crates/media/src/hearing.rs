//! What is heard on a leg: packets of a codec in, frames of linear PCM at 16 kHz out. Jitter buffer, decoder,
//! concealment and the step up to the rate inside, in this order. Knows neither RTP headers nor who listens.

use crate::codec::Codec;
use crate::g711;
use crate::halfband::Upsampler;
use crate::jitter::{CodeFrame, Jitter};
use crate::limits::{CONCEAL_FRAMES, FRAME_PCM, FRAME_TICKS};

/// One direction of a leg that is listened to. Its memory is fixed: a frame allocates nothing.
#[derive(Debug)]
pub(crate) struct Hearing {
    codec: Codec,
    jitter: Jitter,
    up: Upsampler,
    /// The last frame that was there whole, at the codec's rate. A gap is concealed by it, fading to silence.
    last: [i16; FRAME_TICKS],
    /// Frames since that one.
    concealed: u32,
}

impl Hearing {
    /// Nothing was heard yet.
    pub(crate) fn new(codec: Codec) -> Hearing {
        Hearing {
            codec,
            jitter: Jitter::default(),
            up: Upsampler::new(),
            last: [0; FRAME_TICKS],
            concealed: CONCEAL_FRAMES,
        }
    }

    /// Another codec from now on; what waits of the old one cannot be decoded by it and is gone.
    pub(crate) fn retune(&mut self, codec: Codec) {
        if codec != self.codec {
            self.codec = codec;
            self.jitter = Jitter::default();
        }
    }

    /// Takes an audio packet.
    pub(crate) fn packet(&mut self, timestamp: u32, payload: &[u8]) {
        self.jitter.insert(timestamp, payload);
    }

    /// The next 20 ms.
    pub(crate) fn frame(&mut self, pcm16k: &mut [i16; FRAME_PCM]) {
        let pcm8k = match self.jitter.pull() {
            Some(code) => self.decode(&code),
            None => self.conceal(|_| None),
        };
        self.up.frame(&pcm8k, pcm16k);
    }

    fn decode(&mut self, code: &CodeFrame) -> [i16; FRAME_TICKS] {
        let sample = match self.codec {
            Codec::Pcmu => g711::sample_of_ulaw,
            Codec::Pcma => g711::sample_of_alaw,
        };
        if code.iter().any(Option::is_none) {
            return self.conceal(|tick| code[tick].map(sample));
        }
        self.last = code.map(|byte| byte.map_or(0, sample));
        self.concealed = 0;
        self.last
    }

    /// Each sample that is missing is that of the last whole frame, quieter with each frame concealed.
    fn conceal(&mut self, received: impl Fn(usize) -> Option<i16>) -> [i16; FRAME_TICKS] {
        let left = CONCEAL_FRAMES.saturating_sub(self.concealed) as i32;
        let whole = CONCEAL_FRAMES as i32 + 1;
        self.concealed = self.concealed.saturating_add(1);
        std::array::from_fn(|tick| received(tick).unwrap_or_else(|| (i32::from(self.last[tick]) * left / whole) as i16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out for each packet: its first sample that was not computed by the filter, which delays by 12.
    fn heard(hearing: &mut Hearing) -> i16 {
        let mut pcm16k = [0; FRAME_PCM];
        hearing.frame(&mut pcm16k);
        pcm16k[FRAME_PCM / 2]
    }

    /// A byte of each law for 8,000, about.
    const LOUD: u8 = 0x9F;

    #[test]
    fn a_stream_that_stops_fades_to_silence() {
        let mut hearing = Hearing::new(Codec::Pcmu);
        hearing.packet(0, &[LOUD; FRAME_TICKS]);
        let loud = i32::from(g711::sample_of_ulaw(LOUD));
        let expected = [0, 0, loud, loud * 3 / 4, loud * 2 / 4, loud / 4, 0];
        assert_eq!(expected.map(|_| i32::from(heard(&mut hearing))), expected);
    }

    #[test]
    fn a_lost_packet_fades_and_the_rest_keeps_its_place() {
        let mut hearing = Hearing::new(Codec::Pcma);
        let loud = i32::from(g711::sample_of_alaw(LOUD));
        let mut told = Vec::new();
        for frame in 0..8u32 {
            if frame != 3 {
                hearing.packet(frame * FRAME_TICKS as u32, &[LOUD; FRAME_TICKS]);
            }
            told.push(i32::from(heard(&mut hearing)));
        }
        assert_eq!(told, [0, 0, loud, loud, loud, loud * 3 / 4, loud, loud]);
    }

    #[test]
    fn another_codec_starts_anew() {
        let mut hearing = Hearing::new(Codec::Pcmu);
        hearing.packet(0, &[LOUD; FRAME_TICKS]);
        hearing.retune(Codec::Pcmu);
        assert_eq!([heard(&mut hearing), heard(&mut hearing)], [0, 0], "the first delay");
        assert_ne!(heard(&mut hearing), 0, "the same codec changes nothing");
        hearing.packet(160, &[LOUD; FRAME_TICKS]);
        hearing.retune(Codec::Pcma);
        for _ in 0..6 {
            heard(&mut hearing);
        }
        assert_eq!(heard(&mut hearing), 0, "what waited is gone");
    }
}
