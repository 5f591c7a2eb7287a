//! Why a verb is refused. Which HTTP status and Graph code that is, the server's one table says.

use core::fmt;

/// A verb was refused, and had no effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No such call here, or it has ended.
    CallNotFound,
    /// answer and reject want an incoming call that still waits.
    NotIncoming,
    /// An incoming call is rejected, not hung up.
    StillIncoming,
    /// Media verbs want an established call.
    NotEstablished,
    /// A clientContext of more than [`crate::limits::CLIENT_CONTEXT_UNITS`].
    ClientContextTooLong {
        /// How long it was, in UTF-16 code units.
        units: usize,
    },
    /// playPrompt without a prompt.
    NoPrompts,
    /// recordResponse takes one prompt.
    NotOnePrompt {
        /// How many there were.
        count: usize,
    },
    /// A time of recordResponse is out of [`crate::limits::RECORD_SECONDS`].
    BadSeconds {
        /// The member's name.
        member: &'static str,
        /// What it was.
        seconds: i32,
    },
    /// sendDtmfTones without a tone.
    NoTones,
    /// More than [`crate::limits::TONES`].
    TooManyTones {
        /// How many.
        count: usize,
    },
    /// A delay between tones below 0 or over [`crate::limits::TONE_DELAY`].
    BadToneDelay {
        /// What it was, in milliseconds.
        delay: i32,
    },
    /// More than [`crate::limits::PROMPTS`].
    TooManyPrompts {
        /// How many.
        count: usize,
    },
    /// A prompt's uri is not an http or https URL of bounded length.
    BadPromptUri {
        /// Which prompt, from 0.
        index: usize,
    },
    /// A prompt is to be played more often than [`crate::limits::PROMPT_TIMES`], or less than never.
    BadPromptLoop {
        /// Which prompt, from 0.
        index: usize,
    },
    /// A callback is not an http or https URL of bounded length.
    BadCallback,
    /// The call's media queue is full.
    QueueFull,
    /// The conversation has recorded as much as one conversation may.
    ConversationFull,
    /// The conversation has begun already.
    AlreadyBegun,
    /// More than [`crate::limits::MEETING_PHONES`].
    MeetingFull,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::limits::{
            CLIENT_CONTEXT_UNITS, MEETING_PHONES, OPEN_OPERATIONS, PROMPT_TIMES, PROMPTS, RECORD_SECONDS, TONE_DELAY,
            TONES, URL_CHARS,
        };
        match self {
            Self::CallNotFound => f.write_str("Call not found."),
            Self::NotIncoming => {
                f.write_str("The call is not waiting to be answered: it was answered, rejected or redirected before.")
            }
            Self::StillIncoming => f.write_str("The call has not been answered yet: use reject."),
            Self::NotEstablished => {
                f.write_str("The call is not established: wait for the notification with state established.")
            }
            Self::ClientContextTooLong { units } => {
                write!(f, "clientContext has {units} UTF-16 code units; at most {CLIENT_CONTEXT_UNITS} are allowed.")
            }
            Self::NoPrompts => f.write_str("prompts must hold at least one prompt."),
            Self::NotOnePrompt { count } => write!(f, "prompts must hold exactly one prompt; it holds {count}."),
            Self::BadSeconds { member, seconds } => {
                let (least, most) = (RECORD_SECONDS.start(), RECORD_SECONDS.end());
                write!(f, "{member} is {seconds}; it must be {least} to {most} seconds.")
            }
            Self::TooManyPrompts { count } => {
                write!(f, "prompts holds {count} prompts; at most {PROMPTS} are allowed.")
            }
            Self::BadPromptUri { index } => {
                write!(
                    f,
                    "prompts[{index}].mediaInfo.uri must be an http or https URL of at most {URL_CHARS} characters."
                )
            }
            Self::BadPromptLoop { index } => {
                let (least, most) = (PROMPT_TIMES.start(), PROMPT_TIMES.end());
                write!(f, "prompts[{index}].loop must be {least} to {most}; loop of playPrompt itself plays for ever.")
            }
            Self::NoTones => f.write_str("tones must hold at least one tone."),
            Self::TooManyTones { count } => {
                write!(f, "tones holds {count} tones; at most {TONES} are allowed.")
            }
            Self::BadToneDelay { delay } => {
                write!(f, "delayBetweenTonesMs is {delay}; it must be 0 to {TONE_DELAY}.")
            }
            Self::BadCallback => {
                write!(f, "callbackUri must be an http or https URL of at most {URL_CHARS} characters.")
            }
            Self::QueueFull => {
                write!(f, "The call has {OPEN_OPERATIONS} media operations open: wait for some to end, or cancel them.")
            }
            Self::ConversationFull => {
                f.write_str("The conversation has recorded as many events as one conversation may: hang up.")
            }
            Self::AlreadyBegun => f.write_str("The conversation has already begun."),
            Self::MeetingFull => write!(f, "{MEETING_PHONES} phones are in the meeting, which is as many as may be."),
        }
    }
}

impl core::error::Error for Refusal {}
