//! A mixer: everyone in a meeting hears the others and what is played to all, and nobody hears themselves (N−1). Its
//! seat is who plays and records there: it is heard by all legs, and hears them all. Knows no leg but its place in the
//! shard, no codec and no clock: a frame is 20 ms.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::FRAME_PCM;
use crate::pace::Pace;
use crate::record::{Recorder, Recording};
use crate::session::MediaEvent;
use crate::turn::{Turn, Turns, What};
use crate::{LegId, PlayId, Tone};

/// The mixer of one meeting.
#[derive(Debug)]
pub(crate) struct Mixer {
    seat: LegId,
    pub(crate) pace: Pace,
    /// Plays waiting or running, as the handle counts them.
    plays: Arc<AtomicUsize>,
    turns: Turns,
    recording: Recording,
    voices: Vec<Voice>,
    /// What all legs say.
    said: [i32; FRAME_PCM],
    /// What the seat says.
    played: [i16; FRAME_PCM],
}

/// What one leg says in this frame.
#[derive(Debug)]
struct Voice {
    place: usize,
    frame: [i16; FRAME_PCM],
}

impl Mixer {
    /// A mixer without legs, that sends at this pace.
    pub(crate) fn new(seat: LegId, pace: Pace, plays: Arc<AtomicUsize>) -> Mixer {
        Mixer {
            seat,
            pace,
            plays,
            turns: Turns::default(),
            recording: Recording::default(),
            voices: Vec::new(),
            said: [0; FRAME_PCM],
            played: [0; FRAME_PCM],
        }
    }

    pub(crate) fn seat(&self) -> LegId {
        self.seat
    }

    /// A leg joins.
    pub(crate) fn add(&mut self, place: usize) {
        if !self.voices.iter().any(|voice| voice.place == place) {
            self.voices.push(Voice { place, frame: [0; FRAME_PCM] });
        }
    }

    /// A leg is gone.
    pub(crate) fn remove(&mut self, place: usize) {
        self.voices.retain(|voice| voice.place != place);
    }

    /// The place of the leg of this number, from 0; none behind the last.
    pub(crate) fn place(&self, voice: usize) -> Option<usize> {
        self.voices.get(voice).map(|voice| voice.place)
    }

    /// Plays, or presses keys, behind what plays already; keys are tones in the audio.
    pub(crate) fn play(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    /// Records what all legs say, once what was queued under the same name was played.
    pub(crate) fn record(&mut self, play: PlayId, recorder: Box<Recorder>) {
        self.recording.start(play, recorder);
    }

    /// Ends a play and the recording that follows it, which is wanted or not.
    pub(crate) fn end(&mut self, play: PlayId, wanted: bool) {
        let stopped = self.turns.stop(play);
        self.plays.fetch_sub(stopped, Ordering::Relaxed);
        self.recording.end(play, wanted);
    }

    /// A key was pressed on one of the legs.
    pub(crate) fn tone(&mut self, tone: Tone) {
        self.recording.tone(tone);
    }

    /// What a leg says in this frame; nothing is silence.
    pub(crate) fn hear(&mut self, voice: usize, heard: &[i16]) {
        let Some(Voice { frame, .. }) = self.voices.get_mut(voice) else { return };
        match <&[i16; FRAME_PCM]>::try_from(heard) {
            Ok(heard) => *frame = *heard,
            Err(_) => *frame = [0; FRAME_PCM],
        }
    }

    /// Sums up what was heard, records it, and takes the next frame of what plays. Tells what was played to its end.
    pub(crate) fn mix(&mut self, mut told: impl FnMut(MediaEvent)) {
        self.said = [0; FRAME_PCM];
        for voice in &self.voices {
            self.said.iter_mut().zip(&voice.frame).for_each(|(sum, sample)| *sum += i32::from(*sample));
        }
        if self.recording.runs() {
            self.recording.frame(&self.said.map(clip));
        }
        self.played = [0; FRAME_PCM];
        let mut filled = 0;
        while let Some(turn) = self.turns.first() {
            let over = match &mut turn.what {
                What::Play(play) => play.fill_pcm(&mut self.played, &mut filled),
                What::Keys(keys) if keys.over() => true,
                // A key begins with a frame of its own.
                What::Keys(_) if filled > 0 => return,
                What::Keys(keys) => {
                    keys.frame(false, &mut self.played);
                    filled = FRAME_PCM;
                    keys.over()
                }
            };
            if over && let Some(play) = self.turns.next() {
                self.plays.fetch_sub(1, Ordering::Relaxed);
                if !self.recording.begin_after(play) {
                    told(MediaEvent::Finished { play });
                }
            }
            if !over || filled == FRAME_PCM {
                return;
            }
        }
    }

    /// What a leg hears: all but itself.
    pub(crate) fn frame_for(&self, voice: usize) -> [i16; FRAME_PCM] {
        let own = self.voices.get(voice).map_or(&[0; FRAME_PCM], |voice| &voice.frame);
        std::array::from_fn(|n| clip(self.said[n] - i32::from(own[n]) + i32::from(self.played[n])))
    }
}

/// What is too loud is cut off.
fn clip(sample: i32) -> i16 {
    sample.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Repeat;
    use crate::prompt::Prompt;
    use std::time::Duration;

    const SEAT: LegId = LegId::from_u128(1);
    const PLAY: PlayId = PlayId::from_u128(2);
    const NEXT: PlayId = PlayId::from_u128(3);

    fn mixer(legs: usize) -> Mixer {
        let mut mixer = Mixer::new(SEAT, Pace::new(0), Arc::default());
        (0..legs).for_each(|place| mixer.add(place));
        mixer
    }

    fn play(mixer: &mut Mixer, id: PlayId, samples: &[i16]) {
        mixer.plays.fetch_add(1, Ordering::Relaxed);
        mixer.play(Turn::play(id, vec![Arc::new(Prompt::from_pcm16k(samples.to_vec()))], Repeat::Times(1)));
    }

    /// One frame in which each leg says a constant; what each then hears, by its first sample, and what was told.
    fn frame(mixer: &mut Mixer, says: &[i16]) -> (Vec<i16>, Vec<MediaEvent>) {
        says.iter().enumerate().for_each(|(voice, level)| mixer.hear(voice, &[*level; FRAME_PCM]));
        let mut told = Vec::new();
        mixer.mix(|event| told.push(event));
        ((0..says.len()).map(|voice| mixer.frame_for(voice)[0]).collect(), told)
    }

    #[test]
    fn everyone_hears_the_others_and_what_plays() {
        let mut mixer = mixer(3);
        assert_eq!(frame(&mut mixer, &[100, 20, 3]), (vec![23, 103, 120], vec![]));
        play(&mut mixer, PLAY, &[1_000; FRAME_PCM + 2]);
        assert_eq!(frame(&mut mixer, &[100, 20, 3]), (vec![1_023, 1_103, 1_120], vec![]));
        let finished = MediaEvent::Finished { play: PLAY };
        assert_eq!(frame(&mut mixer, &[0, 0, 0]), (vec![1_000; 3], vec![finished]));
        assert_eq!((mixer.frame_for(0)[1], mixer.frame_for(0)[2]), (1_000, 0), "silence behind its end");
        // Who has left, and who says nothing, is not heard.
        mixer.remove(1);
        assert_eq!((mixer.place(0), mixer.place(1), mixer.place(2)), (Some(0), Some(2), None));
        mixer.hear(0, &[7; FRAME_PCM]);
        mixer.hear(1, &[]);
        mixer.mix(|_| {});
        assert_eq!((mixer.frame_for(0)[0], mixer.frame_for(1)[0]), (0, 7));
    }

    #[test]
    fn what_is_too_loud_is_cut_off() {
        let mut mixer = mixer(3);
        assert_eq!(frame(&mut mixer, &[30_000, 30_000, -1]).0, [29_999, 29_999, i16::MAX]);
        assert_eq!(frame(&mut mixer, &[-30_000, -30_000, 5]).0, [-29_995, -29_995, i16::MIN]);
    }

    #[test]
    fn plays_have_their_time_with_nobody_there_and_follow_without_a_gap() {
        let mut mixer = mixer(0);
        play(&mut mixer, PLAY, &[1; FRAME_PCM / 2]);
        play(&mut mixer, NEXT, &[2; FRAME_PCM]);
        let (_, told) = frame(&mut mixer, &[]);
        assert_eq!(told, [MediaEvent::Finished { play: PLAY }]);
        assert_eq!((mixer.played[FRAME_PCM / 2 - 1], mixer.played[FRAME_PCM / 2]), (1, 2));
        assert_eq!(frame(&mut mixer, &[]).1, [MediaEvent::Finished { play: NEXT }]);
        assert_eq!(mixer.plays.load(Ordering::Relaxed), 0);
        // What is stopped tells nothing.
        play(&mut mixer, PLAY, &[1; FRAME_PCM]);
        mixer.end(PLAY, false);
        assert_eq!((frame(&mut mixer, &[]).1, mixer.plays.load(Ordering::Relaxed)), (vec![], 0));
    }

    #[test]
    fn keys_are_tones_for_everyone() {
        let mut mixer = mixer(1);
        mixer.plays.fetch_add(1, Ordering::Relaxed);
        mixer.play(Turn::keys(PLAY, vec![Tone::Digit(5)], Duration::ZERO));
        let mut loud = 0;
        let mut frames = 0;
        loop {
            let (_, told) = frame(&mut mixer, &[0]);
            frames += 1;
            loud += usize::from(mixer.frame_for(0).iter().any(|sample| sample.unsigned_abs() > 1_000));
            if !told.is_empty() {
                break assert_eq!(told, [MediaEvent::Finished { play: PLAY }]);
            }
            assert!(frames < 100, "it never ends");
        }
        assert_eq!((loud, frames), (5, 8), "100 ms, and a pause of 60");
    }
}
