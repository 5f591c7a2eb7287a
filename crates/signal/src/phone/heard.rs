//! What a phone heard, put where its RTP timestamps say, so that a lost packet leaves a gap of its
//! length and what follows stays in time. Pure; knows no socket and no clock.

use crate::limits::PHONE_HEARD_SAMPLES;

/// Peak above which a packet is a sound: −40 dBFS, well above G.711's noise of an idle line.
const SOUND_PEAK: u16 = 327;

/// A timestamp this far from what was expected starts anew instead of leaving a gap: 10 s at 8,000 a second.
const JUMP: i64 = 80_000;

/// The samples heard so far, from the first packet on.
#[derive(Default)]
pub(crate) struct Heard {
    samples: Vec<i16>,
    /// Samples for each tick of the timestamp: 1 at 8,000 samples a second, 2 at 16,000.
    samples_a_tick: usize,
    /// The stream, and the timestamp of the sample at `offset`.
    stream: Option<(u32, u32)>,
    offset: usize,
    /// Where the packets with sound in them start, in order of arrival.
    sounds: Vec<usize>,
}

impl Heard {
    /// Takes a packet's samples; true when there is sound in them. Another number of samples a tick begins anew, and
    /// what was heard before is gone.
    pub(crate) fn packet(&mut self, ssrc: u32, timestamp: u32, samples_a_tick: usize, pcm: &[i16]) -> bool {
        if samples_a_tick != self.samples_a_tick {
            *self = Heard { samples_a_tick, ..Heard::default() };
        }
        let end = self.samples.len() as i64;
        let place = self.stream.filter(|(stream, _)| *stream == ssrc).map(|(_, first)| {
            // Timestamps wrap; the difference is right for half the range, 74 hours.
            self.offset as i64 + i64::from(timestamp.wrapping_sub(first) as i32) * samples_a_tick as i64
        });
        let place = match place {
            Some(place) if (place - end).abs() <= JUMP => place,
            _ => {
                self.stream = Some((ssrc, timestamp));
                self.offset = self.samples.len();
                end
            }
        };
        let Ok(place) = usize::try_from(place) else {
            return false;
        };
        let after = place + pcm.len();
        if after > PHONE_HEARD_SAMPLES {
            return false;
        }
        if after > self.samples.len() {
            self.samples.resize(after, 0);
        }
        self.samples[place..after].copy_from_slice(pcm);
        let sound = pcm.iter().any(|s| s.unsigned_abs() > SOUND_PEAK);
        if sound {
            self.sounds.push(place);
        }
        sound
    }

    /// All samples.
    pub(crate) fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// How many packets at or after sample `from` had sound in them.
    pub(crate) fn sounds_since(&self, from: usize) -> usize {
        self.sounds.iter().filter(|place| **place >= from).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn loss_disorder_and_wrapping_keep_their_place() {
        let mut heard = Heard::default();
        let start = u32::MAX - 200;
        for n in [0u32, 1, 4, 3] {
            let sound = heard.packet(7, start.wrapping_add(n * 160), 1, &[n as i16 * 1_000 + 1; 160]);
            assert_eq!(sound, n > 0);
        }
        let firsts: Vec<_> = heard.samples().chunks(160).map(|c| c[0]).collect();
        assert_eq!(firsts, [1, 1_001, 0, 3_001, 4_001]);
        assert_eq!((heard.sounds_since(0), heard.sounds_since(400)), (3, 2));
    }

    #[test]
    fn another_stream_and_a_jump_go_on_behind() {
        let mut heard = Heard::default();
        heard.packet(7, 0, 1, &[1; 160]);
        heard.packet(8, 5_000_000, 1, &[2; 160]);
        heard.packet(8, 1, 1, &[3; 160]);
        assert_eq!(heard.samples().len(), 480);
    }

    #[test]
    fn a_wide_band_has_two_samples_a_tick_and_begins_anew() {
        let mut heard = Heard::default();
        heard.packet(7, 0, 1, &[1; 160]);
        for n in [0u32, 2] {
            heard.packet(7, 160 + n * 160, 2, &[n as i16 + 2; 320]);
        }
        let firsts: Vec<_> = heard.samples().chunks(320).map(|c| c[0]).collect();
        assert_eq!(firsts, [2, 0, 4]);
    }

    proptest! {
        #[test]
        fn any_packets_are_bounded(packets in prop::collection::vec((0u32..3, any::<u32>(), 0usize..400), 0..80), rate in 1usize..3) {
            let mut heard = Heard::default();
            for (ssrc, timestamp, length) in packets {
                heard.packet(ssrc, timestamp, rate, &vec![1; length]);
            }
            prop_assert!(heard.samples().len() <= PHONE_HEARD_SAMPLES);
        }
    }
}
