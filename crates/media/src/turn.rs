//! What a leg has to send, one turn after the other: a play of prompts, or keys that are pressed. Each gives its part of
//! a frame when asked. Knows no RTP and no clock: a frame is 20 ms.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::Codec;
use crate::dtmf::Sound;
use crate::limits::{FRAME, FRAME_PCM, FRAME_TICKS, PAUSE, PRESS};
use crate::prompt::Prompt;
use crate::telephone_event::{Press, PressPacket, Tone};
use crate::{PlayId, Repeat};

/// What waits to be sent, the running turn first.
#[derive(Debug, Default)]
pub(crate) struct Turns(VecDeque<Turn>);

impl Turns {
    pub(crate) fn push(&mut self, turn: Turn) {
        self.0.push_back(turn);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose turn it is.
    pub(crate) fn first(&mut self) -> Option<&mut Turn> {
        self.0.front_mut()
    }

    /// The running turn is over; gives its name, unless it was stopped.
    pub(crate) fn next(&mut self) -> Option<PlayId> {
        self.0.pop_front().filter(|turn| !turn.stopped).map(|turn| turn.id)
    }

    /// Ends a turn, or forgets one that waits; a key that is down is let go. Returns how many were ended.
    pub(crate) fn stop(&mut self, play: PlayId) -> usize {
        let mut ended = 0;
        self.0.retain_mut(|turn| {
            if turn.id != play || turn.stopped {
                return true;
            }
            ended += 1;
            turn.stop()
        });
        ended
    }
}

/// One turn, by the name its caller gave it.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) id: PlayId,
    pub(crate) what: What,
    /// Stopped while a key was down: its end is still sent, and nothing is told.
    pub(crate) stopped: bool,
}

#[derive(Debug)]
pub(crate) enum What {
    Play(Play),
    Keys(Keys),
}

impl Turn {
    pub(crate) fn play(id: PlayId, prompts: Vec<Arc<Prompt>>, repeat: Repeat) -> Turn {
        Turn { id, what: What::Play(Play::new(prompts, repeat)), stopped: false }
    }

    pub(crate) fn keys(id: PlayId, tones: Vec<Tone>, pause: Duration) -> Turn {
        Turn { id, what: What::Keys(Keys::new(tones, pause)), stopped: false }
    }

    /// Ends it early; false if it can be forgotten, true if it must have its turn to end what has begun.
    pub(crate) fn stop(&mut self) -> bool {
        self.stopped = true;
        match &mut self.what {
            What::Play(_) => false,
            What::Keys(keys) => keys.release(),
        }
    }
}

/// Prompts, one after the other, in rounds.
#[derive(Debug)]
pub(crate) struct Play {
    prompts: Vec<Arc<Prompt>>,
    /// The next byte: of which prompt, and where in it. Codecs of one clock share it.
    prompt: usize,
    offset: usize,
    /// Rounds still to play, the running one included; `None` without end.
    rounds: Option<u32>,
}

impl Play {
    fn new(mut prompts: Vec<Arc<Prompt>>, repeat: Repeat) -> Play {
        prompts.retain(|p| !p.pcm16k().is_empty());
        let rounds = match repeat {
            // Nothing, repeated for ever, is over at once.
            _ if prompts.is_empty() => Some(0),
            Repeat::Times(times) => Some(times),
            Repeat::Forever => None,
        };
        Play { prompts, prompt: 0, offset: 0, rounds }
    }

    fn over(&self) -> bool {
        self.rounds == Some(0)
    }

    /// Appends up to a whole frame, without a gap between prompts and rounds; returns whether that was the last.
    pub(crate) fn fill(&mut self, codec: Codec, frame: &mut Vec<u8>) -> bool {
        while !self.over() && frame.len() < FRAME_TICKS {
            let bytes = self.prompts[self.prompt].encoded(codec);
            let rest = &bytes[self.offset.min(bytes.len())..];
            let taken = rest.len().min(FRAME_TICKS - frame.len());
            frame.extend_from_slice(&rest[..taken]);
            self.offset += taken;
            if taken == rest.len() {
                self.next_prompt();
            }
        }
        self.over()
    }

    /// The same as linear PCM, from sample `filled` on, which is moved: a byte of a codec is two samples.
    pub(crate) fn fill_pcm(&mut self, frame: &mut [i16; FRAME_PCM], filled: &mut usize) -> bool {
        const SAMPLES: usize = FRAME_PCM / FRAME_TICKS;
        while !self.over() && *filled < FRAME_PCM {
            let pcm = self.prompts[self.prompt].pcm16k();
            let rest = &pcm[(self.offset * SAMPLES).min(pcm.len())..];
            let taken = rest.len().min(FRAME_PCM - *filled);
            frame[*filled..*filled + taken].copy_from_slice(&rest[..taken]);
            self.offset += taken.div_ceil(SAMPLES);
            // The last byte of a prompt may be half a one.
            *filled += taken.next_multiple_of(SAMPLES);
            if taken == rest.len() {
                self.next_prompt();
            }
        }
        self.over()
    }

    fn next_prompt(&mut self) {
        self.offset = 0;
        self.prompt += 1;
        if self.prompt == self.prompts.len() {
            self.prompt = 0;
            self.rounds = self.rounds.map(|left| left - 1);
        }
    }
}

/// Keys, one after the other, each followed by a pause.
#[derive(Debug)]
pub(crate) struct Keys {
    tones: std::vec::IntoIter<Tone>,
    /// Frames between two keys.
    pause: u32,
    down: Option<Down>,
}

/// A key from the moment it is pressed to the end of the pause behind it.
#[derive(Debug)]
struct Down {
    how: How,
    /// Frames to come, the pause included.
    left: u32,
}

#[derive(Debug)]
enum How {
    /// As an RTP event; its end is repeated in the pause.
    Event(Press),
    /// As a tone, for so many frames; a flash has none.
    Sound(Option<Sound>, u32),
}

/// What a frame of keys is.
#[derive(Debug)]
pub(crate) enum KeyFrame {
    /// An event packet, in the place of audio.
    Event(PressPacket),
    /// Audio, which was written.
    Sound,
    /// Silence.
    Pause,
}

impl Keys {
    fn new(tones: Vec<Tone>, pause: Duration) -> Keys {
        Keys { tones: tones.into_iter(), pause: frames(pause.max(PAUSE)), down: None }
    }

    /// Nothing is left of it.
    pub(crate) fn over(&self) -> bool {
        self.tones.len() == 0 && self.down.as_ref().is_none_or(|down| down.left == 0)
    }

    /// The next frame; its audio, if it is audio. A key that begins does so as an event if the far end knows `events`.
    pub(crate) fn frame(&mut self, events: bool, pcm16k: &mut [i16; FRAME_PCM]) -> KeyFrame {
        if self.down.as_ref().is_none_or(|down| down.left == 0) {
            self.down = self.tones.next().map(|tone| Down {
                how: if events {
                    How::Event(Press::new(tone, PRESS))
                } else {
                    How::Sound(Sound::of(tone), frames(PRESS))
                },
                left: frames(PRESS) + if self.tones.len() == 0 { frames(PAUSE) } else { self.pause },
            });
        }
        let Some(down) = &mut self.down else { return KeyFrame::Pause };
        down.left -= 1;
        match &mut down.how {
            How::Event(press) => press.next().map_or(KeyFrame::Pause, KeyFrame::Event),
            How::Sound(sound, left) => {
                // Its pause is audio too, of the same stream: what remembers goes on.
                *pcm16k = match sound {
                    Some(sound) if *left > 0 => sound.frame(),
                    _ => [0; FRAME_PCM],
                };
                *left = left.saturating_sub(1);
                KeyFrame::Sound
            }
        }
    }

    /// Presses nothing more; true if a key is down whose end the far end must be told.
    fn release(&mut self) -> bool {
        self.tones = Vec::new().into_iter();
        match &mut self.down {
            Some(Down { how: How::Event(press), left }) if *left > 0 => {
                press.release();
                *left = press.left();
            }
            _ => self.down = None,
        }
        !self.over()
    }
}

/// Whole frames, rounded up.
fn frames(time: Duration) -> u32 {
    time.as_millis().div_ceil(FRAME.as_millis()) as u32
}
