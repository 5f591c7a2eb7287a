//! What a step of a scripted phone is taken with: keys, and recordings to be said or expected. All is checked before the
//! step is taken, and whoever has a whole script may check it before anything rings.

use std::str::FromStr;

use ringback_media::{Codec, Prompt, Tone, resample};

use super::ScriptError;
use crate::limits;

/// What a phone speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// G.711 µ-law.
    #[default]
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722, at 16,000 samples a second.
    G722,
}

impl Voice {
    /// Their names, as SDP has them.
    pub const NAMES: [&str; 3] = ["PCMU", "PCMA", "G722"];

    pub(super) fn codecs(self) -> &'static [Codec] {
        match self {
            Voice::Pcmu => &[Codec::Pcmu],
            Voice::Pcma => &[Codec::Pcma],
            Voice::G722 => &[Codec::G722],
        }
    }

    /// Samples a second.
    fn rate(self) -> u32 {
        match self {
            Voice::Pcmu | Voice::Pcma => 8_000,
            Voice::G722 => 16_000,
        }
    }
}

impl FromStr for Voice {
    type Err = ScriptError;

    fn from_str(name: &str) -> Result<Voice, ScriptError> {
        match name {
            "PCMU" => Ok(Voice::Pcmu),
            "PCMA" => Ok(Voice::Pcma),
            "G722" => Ok(Voice::G722),
            _ => Err(ScriptError::BadCodec),
        }
    }
}

/// Keys that are pressed, or waited for.
pub fn keys(text: &str) -> Result<(), ScriptError> {
    let is_fine =
        (1..=limits::SCRIPTED_KEYS).contains(&text.len()) && text.chars().all(|key| Tone::of_key(key).is_some());
    if is_fine { Ok(()) } else { Err(ScriptError::BadKeys) }
}

/// A WAV file that is said: its samples, at the rate of a phone that speaks so.
pub fn said(wav: &[u8], voice: Voice) -> Result<Vec<i16>, ScriptError> {
    let prompt = Prompt::decode(wav)?;
    if prompt.duration() > limits::SCRIPTED_SOUND {
        return Err(ScriptError::TooLong);
    }
    Ok(match voice.rate() {
        ringback_media::limits::RATE => prompt.pcm16k().to_vec(),
        rate => resample(prompt.pcm16k(), ringback_media::limits::RATE, rate),
    })
}

/// The same of one that is listened for, in which there must be something to hear.
pub fn expected(wav: &[u8], voice: Voice) -> Result<Vec<i16>, ScriptError> {
    let samples = said(wav, voice)?;
    let is_silent = samples.iter().all(|sample| sample.unsigned_abs() < limits::SCRIPTED_SOUND_LEAST);
    if is_silent { Err(ScriptError::Silent) } else { Ok(samples) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_media::wav;

    #[test]
    fn what_no_phone_can_press_say_or_hear_is_refused() {
        let bad = ["", "12x", "1 2", &"1".repeat(limits::SCRIPTED_KEYS + 1)];
        assert!(bad.iter().all(|text| matches!(keys(text), Err(ScriptError::BadKeys))));
        assert!(["5", "0123456789*#ABCDabcd"].iter().all(|text| keys(text).is_ok()));

        let second = |level: i16| wav::encode(8_000, &[level; 8_000]);
        let minutes = wav::encode(8_000, &vec![1_000; 8_000 * 121]);
        assert_eq!(said(&second(0), Voice::Pcmu).unwrap().len(), 8_000, "silence can be said");
        assert_eq!(said(&second(0), Voice::G722).unwrap().len(), 16_000);
        assert!(matches!(expected(&second(0), Voice::Pcmu), Err(ScriptError::Silent)));
        assert!(matches!(expected(b"hello", Voice::Pcmu), Err(ScriptError::BadWav(_))));
        assert!(matches!(said(&minutes, Voice::Pcmu), Err(ScriptError::TooLong)));
    }

    #[test]
    fn voices_have_the_names_that_are_told() {
        assert!(Voice::NAMES.iter().all(|name| name.parse::<Voice>().is_ok()));
        assert!(matches!("opus".parse::<Voice>(), Err(ScriptError::BadCodec)));
    }
}
