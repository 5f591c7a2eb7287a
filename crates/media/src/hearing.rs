//! What is heard on a leg: packets of a codec in, frames of linear PCM at 16 kHz out. Jitter buffer, decoder,
//! concealment and the step up to the rate inside, in this order. Knows neither RTP headers nor who listens.

use crate::codec::Codec;
use crate::halfband::{Downsampler, Upsampler};
use crate::jitter::{CodeFrame, Jitter};
use crate::limits::{CONCEAL_FRAMES, FRAME_PCM, FRAME_TICKS};
use crate::{g711, g722};

/// One direction of a leg that is listened to. Its memory is fixed: a frame allocates nothing.
#[derive(Debug)]
pub(crate) struct Hearing {
    codec: Codec,
    jitter: Jitter,
    decoder: Decoder,
    /// The last frame that was there whole, at the codec's own rate. A gap is concealed by it, fading to silence.
    last: [i16; FRAME_PCM],
    /// Frames since that one.
    concealed: u32,
}

#[derive(Debug)]
enum Decoder {
    /// Bytes by a table; a frame at 8 kHz is brought up.
    G711(fn(u8) -> i16, Upsampler),
    /// And the way down, for who listens to the narrow band.
    G722(Box<g722::Decoder>, Downsampler),
}

impl Decoder {
    fn new(codec: Codec) -> Decoder {
        match codec {
            Codec::Pcmu => Decoder::G711(g711::sample_of_ulaw, Upsampler::new()),
            Codec::Pcma => Decoder::G711(g711::sample_of_alaw, Upsampler::new()),
            Codec::G722 => Decoder::G722(Box::default(), Downsampler::new()),
        }
    }

    /// Samples of one byte.
    fn samples(&self) -> usize {
        match self {
            Decoder::G711(..) => 1,
            Decoder::G722(..) => FRAME_PCM / FRAME_TICKS,
        }
    }

    /// Decodes what there is of a frame, each byte to its place. What remembers does not notice a gap.
    fn decode(&mut self, code: &CodeFrame, pcm: &mut [i16; FRAME_PCM]) {
        match self {
            Decoder::G711(sample, _) => {
                for (pcm, byte) in pcm.iter_mut().zip(code) {
                    *pcm = byte.map_or(0, *sample);
                }
            }
            Decoder::G722(decoder, _) => {
                let (pairs, _) = pcm.as_chunks_mut::<2>();
                for (pair, byte) in pairs.iter_mut().zip(code) {
                    if let Some(byte) = byte {
                        decoder.decode(&[*byte], pair);
                    }
                }
            }
        }
    }

    /// The frame at the rate inside.
    fn finish(&mut self, pcm: [i16; FRAME_PCM]) -> [i16; FRAME_PCM] {
        match (self, pcm.first_chunk()) {
            (Decoder::G711(_, up), Some(pcm8k)) => up.frame(pcm8k),
            _ => pcm,
        }
    }
}

impl Hearing {
    /// Nothing was heard yet.
    pub(crate) fn new(codec: Codec) -> Hearing {
        Hearing {
            codec,
            jitter: Jitter::default(),
            decoder: Decoder::new(codec),
            last: [0; FRAME_PCM],
            concealed: CONCEAL_FRAMES,
        }
    }

    /// Another codec from now on; what waits of the old one cannot be decoded by it and is gone.
    pub(crate) fn retune(&mut self, codec: Codec) {
        if codec != self.codec {
            *self = Hearing::new(codec);
        }
    }

    /// Takes an audio packet.
    pub(crate) fn packet(&mut self, timestamp: u32, payload: &[u8]) {
        self.jitter.insert(timestamp, payload);
    }

    /// The next 20 ms.
    pub(crate) fn frame(&mut self) -> [i16; FRAME_PCM] {
        let code = self.jitter.pull().unwrap_or([None; FRAME_TICKS]);
        let mut pcm = [0; FRAME_PCM];
        self.decoder.decode(&code, &mut pcm);
        if code.iter().all(Option::is_some) {
            self.last = pcm;
            self.concealed = 0;
        } else {
            self.conceal(&code, &mut pcm);
        }
        self.decoder.finish(pcm)
    }

    /// The frame just given, at 8 kHz; `None` where it is made up, for a while: who measures had better wait.
    pub(crate) fn narrow(&mut self, frame: &[i16; FRAME_PCM]) -> Option<[i16; FRAME_TICKS]> {
        let pcm8k = match &mut self.decoder {
            // Every second sample is one that came in.
            Decoder::G711(..) => std::array::from_fn(|i| frame[2 * i]),
            Decoder::G722(_, down) => down.frame(frame),
        };
        let made_up = (1..=CONCEAL_FRAMES).contains(&self.concealed);
        (!made_up).then_some(pcm8k)
    }

    /// Each sample that is missing is that of the last whole frame, quieter with each frame concealed.
    fn conceal(&mut self, code: &CodeFrame, pcm: &mut [i16; FRAME_PCM]) {
        let left = CONCEAL_FRAMES.saturating_sub(self.concealed) as i32;
        let whole = CONCEAL_FRAMES as i32 + 1;
        self.concealed = self.concealed.saturating_add(1);
        let samples = self.decoder.samples();
        for (i, (pcm, last)) in pcm.iter_mut().zip(&self.last).enumerate() {
            if code.get(i / samples).is_some_and(Option::is_none) {
                *pcm = (i32::from(*last) * left / whole) as i16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out for each packet: its first sample that was not computed by the filter, which delays by 12.
    fn heard(hearing: &mut Hearing) -> i16 {
        hearing.frame()[FRAME_PCM / 2]
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
