//! Recordings of legs: begun with a prompt and a beep, ended by the shard or by the conversation, told once they are whole.

use std::time::Duration;

use ringback_core::{Input, LegId, RecordOutcome, Recording};
use ringback_media::limits::RATE;
use ringback_media::{RecordTerms, TapeEnd, TapeIn, sine};

use super::{Phones, keys};
use crate::recordings::{NoRoom, Outcome, Owner};

impl Phones {
    /// Fetches the prompt, and starts. An error is how the operation ends.
    pub(super) async fn start_recording(
        &self,
        leg: LegId,
        owner: Owner,
        recording: &Recording,
    ) -> Result<(), RecordOutcome> {
        let mut lead_in = Vec::new();
        if let Some(prompt) = &recording.prompt {
            let fetched = self.fetch(leg, owner.operation, &owner.app, 0, prompt).await;
            let audio = fetched.map_err(RecordOutcome::Prompt)?;
            lead_in.extend(std::iter::repeat_n(audio, prompt.times.max(1) as usize));
        }
        let failed = |why: &str| RecordOutcome::Failed(why.to_owned());
        let wires = self.wires().ok_or_else(|| failed("there is no media"))?;
        let operation = owner.operation;
        let tape = self.tape(leg, owner, recording).map_err(|no_room| failed(&no_room.to_string()))?;
        let begun = wires.media.record(leg.0, operation.0, lead_in, recording.beep, terms(recording), tape);
        begun.map_err(|busy| failed(&busy.to_string()))?;
        // Stopped or kept since: that may have come before this.
        if !self.is_wanted(operation) {
            wires.media.stop(leg.0, operation.0);
        }
        Ok(())
    }

    /// A test line says a tone of one second, and then nothing: at once.
    pub(super) fn record_test_line(&self, leg: LegId, owner: Owner, recording: &Recording) {
        const HERTZ: f64 = 440.0;
        let operation = owner.operation;
        match self.tape(leg, owner, recording) {
            Ok(mut tape) => {
                let tone: Vec<i16> = sine(RATE, HERTZ, RATE).collect();
                let whole = tape.put(&tone);
                debug_assert!(whole, "a tape holds four seconds");
                tape.end(if recording.max_duration == 1 { TapeEnd::MaxDuration } else { TapeEnd::MaxSilence });
            }
            Err(no_room) => {
                let outcome = RecordOutcome::Failed(no_room.to_string());
                self.happening(leg, Input::RecordFinished { operation, outcome });
            }
        }
    }

    /// A tape whose end the conversation is told once the recording is whole.
    fn tape(&self, leg: LegId, owner: Owner, recording: &Recording) -> Result<TapeIn, NoRoom> {
        let app = self.shared.directory.current().app(&owner.app).cloned();
        let most = app.map_or(0, |app| app.recording_bytes());
        let (this, operation) = (self.clone(), owner.operation);
        let length = Duration::from_secs(recording.max_duration.into());
        self.shared.recordings.begin(owner, most, length, move |outcome| {
            if let Some(outcome) = told(outcome) {
                this.happening(leg, Input::RecordFinished { operation, outcome });
            }
        })
    }
}

fn terms(recording: &Recording) -> RecordTerms {
    let seconds = |seconds: u8| Duration::from_secs(seconds.into());
    RecordTerms {
        initial_silence: seconds(recording.initial_silence),
        max_silence: seconds(recording.max_silence),
        max_duration: seconds(recording.max_duration),
        stop_tones: recording.stop_tones.iter().map(|tone| keys::pressed(*tone)).collect(),
    }
}

/// What the conversation is told of a recording that is written; nothing, where it stopped it itself.
fn told(Outcome { end, kept }: Outcome) -> Option<RecordOutcome> {
    let early = |why: String| if kept { RecordOutcome::CutShort(why) } else { RecordOutcome::Failed(why) };
    Some(match end {
        Ok(TapeEnd::Discarded) => return None,
        Ok(TapeEnd::StopTone) => RecordOutcome::StopTone,
        Ok(TapeEnd::MaxDuration) => RecordOutcome::MaxDuration,
        Ok(TapeEnd::MaxSilence) => RecordOutcome::MaxSilence,
        Ok(TapeEnd::InitialSilence) => RecordOutcome::InitialSilence,
        Ok(TapeEnd::Closed) if !kept => RecordOutcome::Nothing,
        Ok(TapeEnd::Closed) => RecordOutcome::CutShort("the call ended during the recording".to_owned()),
        Ok(TapeEnd::Overflow) => early("the disk did not keep up".to_owned()),
        Err(why) => early(why),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bot is told `completed` where there is a recording, and only then (contract §2.10).
    #[test]
    fn what_a_disk_or_a_hang_up_left_is_told_as_a_recording_and_nothing_as_none() {
        let disk = || Err("the disk failed".to_owned());
        let told = |end, kept| told(Outcome { end, kept });
        assert!(matches!(told(disk(), true), Some(RecordOutcome::CutShort(why)) if why == "the disk failed"));
        assert!(matches!(told(disk(), false), Some(RecordOutcome::Failed(why)) if why == "the disk failed"));
        for end in [TapeEnd::Closed, TapeEnd::Overflow] {
            assert!(matches!(told(Ok(end), true), Some(RecordOutcome::CutShort(_))), "{end:?}");
        }
        assert!(matches!(told(Ok(TapeEnd::Closed), false), Some(RecordOutcome::Nothing)));
        assert!(matches!(told(Ok(TapeEnd::Overflow), false), Some(RecordOutcome::Failed(_))));
        assert!(told(Ok(TapeEnd::Discarded), false).is_none());
    }
}
