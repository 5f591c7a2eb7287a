//! A `commsOperation` and its lifecycle (`S1` to `S10`): one total table, terminal is final.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::ids::OperationId;
use crate::input::Tone;
use crate::result::ResultInfo;

/// `S8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OperationStatus {
    /// Waits behind another operation of its call.
    NotStarted,
    /// Under way.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
}

/// A step the lifecycle does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IllegalStep {
    /// The status it had.
    pub from: OperationStatus,
    /// The status it was to have.
    pub to: OperationStatus,
}

impl OperationStatus {
    /// The lifecycle, whole: status only moves forward, and a terminal status never changes.
    pub fn step(self, to: Self) -> Result<Self, IllegalStep> {
        use OperationStatus::{Completed, Failed, NotStarted, Running};
        match (self, to) {
            (NotStarted, Running | Completed | Failed) | (Running, Completed | Failed) => Ok(to),
            (NotStarted, NotStarted) | (Running, NotStarted | Running) | (Completed | Failed, _) => {
                Err(IllegalStep { from: self, to })
            }
        }
    }

    /// `completed` or `failed`.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// One prompt of a playPrompt: Graph's `mediaPrompt` (`contract §1.6`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prompt {
    /// Where its WAV is.
    pub uri: String,
    /// The bot's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// How often it is played in a row (beta's `loop`), within [`PROMPT_TIMES`](crate::limits::PROMPT_TIMES); 0 is once.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: i32,
}

fn once() -> i32 {
    1
}

fn is_once(times: &i32) -> bool {
    *times == 1
}

/// How often the list of prompts is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Repeat {
    /// Once through.
    Once,
    /// Until cancelled (beta `loop`, `contract §2.6`).
    Forever,
}

/// What recordResponse asks for (`contract §2.10`). Times are whole seconds of [`RECORD_SECONDS`](crate::limits::RECORD_SECONDS).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    /// Played before; none for beta's `record` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// A beep is sent behind the prompt.
    pub beep: bool,
    /// How long it waits for a first word.
    pub initial_silence: u8,
    /// How long a pause ends it, once something was said.
    pub max_silence: u8,
    /// How long it may become.
    pub max_duration: u8,
    /// Keys that end it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_tones: Vec<Tone>,
    /// The address at which it will be read: kept from its beginning, so that what is told of it later does not depend
    /// on how the server is reached by then.
    pub location: String,
}

/// What an operation does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum OperationKind {
    /// playPrompt.
    PlayPrompt {
        /// In the order they are played.
        prompts: Vec<Prompt>,
        /// How often.
        repeat: Repeat,
    },
    /// recordResponse, and beta's record.
    RecordResponse(Recording),
    /// sendDtmfTones.
    SendDtmfTones {
        /// In the order they are sent.
        tones: Vec<Tone>,
        /// Milliseconds between two.
        delay: u32,
    },
    /// subscribeToTone.
    SubscribeToTone,
    /// cancelMediaProcessing.
    CancelMediaProcessing,
}

impl OperationKind {
    /// The status in which such an operation ends that did not do what was asked. Graph has sendDtmfTones say so in its
    /// `completionReason` and `resultInfo` alone (`contract §2.8`).
    pub fn ended_badly(&self) -> OperationStatus {
        match self {
            Self::SendDtmfTones { .. } => OperationStatus::Completed,
            Self::PlayPrompt { .. } | Self::RecordResponse(_) | Self::SubscribeToTone | Self::CancelMediaProcessing => {
                OperationStatus::Failed
            }
        }
    }
}

/// How a playPrompt, a sendDtmfTones or a recordResponse ended: Graph's three `completionReason`s (`contract §1.9`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompletionReason {
    /// playPrompt, sendDtmfTones: played, sent to its end.
    CompletedSuccessfully,
    /// playPrompt, sendDtmfTones: cancelled.
    MediaOperationCanceled,
    /// playPrompt, sendDtmfTones: something else; the resultInfo says what.
    Unknown,
    /// recordResponse: cancelled.
    OperationCanceled,
    /// recordResponse: a stop tone.
    StopToneDetected,
    /// recordResponse: as long as it may become.
    MaxRecordDurationReached,
    /// recordResponse: nobody said anything.
    InitialSilenceTimeout,
    /// recordResponse: a pause.
    MaxSilenceTimeout,
    /// recordResponse: its prompt could not be played.
    PlayPromptFailed,
    /// recordResponse: its call ended, and with it the audio.
    MediaReceiveTimeout,
    /// recordResponse: something else; the resultInfo says what.
    UnspecifiedError,
}

/// An operation: the same resource in the answer, in GET and in the notification (`S2`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// `S6`.
    pub id: OperationId,
    /// `S5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// `S8`.
    pub status: OperationStatus,
    /// `S7`: none until terminal, always present after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultInfo>,
    /// What it does.
    #[serde(flatten)]
    pub kind: OperationKind,
}

impl Operation {
    /// Where the recording is read: none until the operation has ended, and empty where nothing was kept. What ended
    /// `completed` has a recording, what ended `failed` has none.
    pub fn recording_location(&self) -> Option<&str> {
        match (&self.kind, self.status) {
            (OperationKind::RecordResponse(recording), OperationStatus::Completed) => Some(&recording.location),
            (OperationKind::RecordResponse(_), OperationStatus::Failed) => Some(""),
            _ => None,
        }
    }

    /// How a playPrompt, sendDtmfTones or recordResponse ended; none while it has not, and for other kinds.
    pub fn completion_reason(&self) -> Option<CompletionReason> {
        let result = self.result.as_ref()?;
        match self.kind {
            OperationKind::PlayPrompt { .. } | OperationKind::SendDtmfTones { .. } => Some(match result.subcode {
                _ if *result == ResultInfo::success() => CompletionReason::CompletedSuccessfully,
                ResultInfo::CANCELLED => CompletionReason::MediaOperationCanceled,
                _ => CompletionReason::Unknown,
            }),
            OperationKind::RecordResponse(_) => Some(match result.subcode {
                ResultInfo::CANCELLED => CompletionReason::OperationCanceled,
                ResultInfo::INITIAL_SILENCE => CompletionReason::InitialSilenceTimeout,
                ResultInfo::PROMPT_FAILED | ResultInfo::PROMPT_INVALID | ResultInfo::PROMPT_UNAVAILABLE => {
                    CompletionReason::PlayPromptFailed
                }
                ResultInfo::STOP_TONE => CompletionReason::StopToneDetected,
                ResultInfo::MAX_DURATION => CompletionReason::MaxRecordDurationReached,
                ResultInfo::MAX_SILENCE => CompletionReason::MaxSilenceTimeout,
                ResultInfo::CUT_SHORT => CompletionReason::MediaReceiveTimeout,
                _ => CompletionReason::UnspecifiedError,
            }),
            OperationKind::SubscribeToTone | OperationKind::CancelMediaProcessing => None,
        }
    }
}
