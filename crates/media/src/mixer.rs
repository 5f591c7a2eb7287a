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
