//! A recording of one leg as a value: frames of 20 ms and keys go in, and what is to be kept goes on a tape, until silence,
//! its length or a stop tone ends it (`contract §2.10`). Pure: its clock is its frames. Knows no file, packet or leg.

use std::time::Duration;

use crate::PlayId;
use crate::limits::FRAME;
use crate::tape::{TapeEnd, TapeIn};
use crate::telephone_event::Tone;
use crate::voice::Voice;

/// When a recording ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTerms {
    /// How long it waits for a first word.
    pub initial_silence: Duration,
    /// How long a pause ends it, once something was said.
    pub max_silence: Duration,
    /// How long it may become.
    pub max_duration: Duration,
    /// Keys that end it.
    pub stop_tones: Vec<Tone>,
}

/// A recording. Until it [`begins`](Recorder::begin), while the prompt before it plays, it learns the noise of the line,
/// keeps nothing and hears no stop tone. Dropped, it ends as [`TapeEnd::Closed`].
#[derive(Debug)]
pub struct Recorder {
    terms: RecordTerms,
    tape: Option<TapeIn>,
    voice: Voice,
    /// How much was recorded; none before the beginning.
    recorded: Option<Duration>,
    /// Where in it somebody spoke last.
    spoken: Option<Duration>,
}

impl Recorder {
    /// A recording that has not begun.
    pub fn new(terms: RecordTerms, tape: TapeIn) -> Recorder {
        Recorder { terms, tape: Some(tape), voice: Voice::default(), recorded: None, spoken: None }
    }

    /// The prompt and the beep were sent: from the next frame on, what is heard is recorded.
    pub fn begin(&mut self) {
        self.recorded.get_or_insert(Duration::ZERO);
    }

    /// Whether it has ended, and takes nothing more.
    pub fn is_over(&self) -> bool {
        self.tape.is_none()
    }

    /// Takes a frame of what is heard, at 16 kHz.
    pub fn frame(&mut self, pcm: &[i16]) {
        let speaks = self.voice.frame(pcm);
        let (Some(tape), Some(recorded)) = (&mut self.tape, &mut self.recorded) else { return };
        if !tape.put(pcm) {
            return self.end(TapeEnd::Overflow);
        }
        *recorded += FRAME;
        let recorded = *recorded;
        if speaks {
            self.spoken = Some(recorded);
        }
        let silence_ends = match self.spoken {
            None => (self.terms.initial_silence, TapeEnd::InitialSilence),
            Some(spoken) => (spoken + self.terms.max_silence, TapeEnd::MaxSilence),
        };
        // At the same instant silence comes first: a recording of nothing is no recording.
        if recorded >= silence_ends.0 {
            self.end(silence_ends.1);
        } else if recorded >= self.terms.max_duration {
            self.end(TapeEnd::MaxDuration);
        }
    }

    /// A key was pressed and let go.
    pub fn tone(&mut self, tone: Tone) {
        if self.recorded.is_some() && self.terms.stop_tones.contains(&tone) {
            self.end(TapeEnd::StopTone);
        }
    }

    /// Ends it, and what was recorded is not wanted.
    pub fn discard(&mut self) {
        self.end(TapeEnd::Discarded);
    }

    fn end(&mut self, end: TapeEnd) {
        if let Some(tape) = self.tape.take() {
            tape.end(end);
        }
    }
}

/// Where a recording runs, if one does, with the play that it follows.
#[derive(Debug, Default)]
pub(crate) struct Recording(Option<(PlayId, Box<Recorder>)>);

impl Recording {
    /// Another one; the one before ends.
    pub(crate) fn start(&mut self, play: PlayId, recorder: Box<Recorder>) {
        self.0 = Some((play, recorder));
    }

    /// Somebody must listen.
    pub(crate) fn runs(&self) -> bool {
        self.0.is_some()
    }

    /// A play is over; true if it was what is played before the recording, and no play of its own.
    pub(crate) fn begin_after(&mut self, play: PlayId) -> bool {
        let mut follows = self.0.iter_mut().filter(|(of, _)| *of == play);
        follows.next().is_some_and(|(_, recorder)| {
            recorder.begin();
            true
        })
    }

    /// A frame of what is heard.
    pub(crate) fn frame(&mut self, heard: &[i16]) {
        if let Some((_, recorder)) = &mut self.0 {
            recorder.frame(heard);
        }
        self.drop_if_over();
    }

    /// A key.
    pub(crate) fn tone(&mut self, tone: Tone) {
        if let Some((_, recorder)) = &mut self.0 {
            recorder.tone(tone);
        }
        self.drop_if_over();
    }

    /// Ends the one that follows this play; what was recorded is wanted, or not.
    pub(crate) fn end(&mut self, play: PlayId, wanted: bool) {
        let ended = self.0.take_if(|(of, _)| *of == play);
        if let (Some((_, mut recorder)), false) = (ended, wanted) {
            recorder.discard();
        }
    }

    fn drop_if_over(&mut self) {
        self.0.take_if(|(_, recorder)| recorder.is_over());
    }
}
