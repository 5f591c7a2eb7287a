//! A `commsOperation` and its lifecycle (`S1` to `S10`): one total table, terminal is final.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::ids::OperationId;
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
    /// subscribeToTone.
    SubscribeToTone,
    /// cancelMediaProcessing.
    CancelMediaProcessing,
}

/// How a playPrompt ended (`contract §1.9`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompletionReason {
    /// Played to its end.
    CompletedSuccessfully,
    /// Cancelled.
    MediaOperationCanceled,
    /// Something else; the resultInfo says what.
    Unknown,
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
    /// How a playPrompt ended; none while it has not, and for other kinds.
    pub fn completion_reason(&self) -> Option<CompletionReason> {
        let result = self.result.as_ref()?;
        match self.kind {
            OperationKind::PlayPrompt { .. } => Some(match (self.status, result.subcode) {
                (OperationStatus::Completed, _) => CompletionReason::CompletedSuccessfully,
                (_, 8508) => CompletionReason::MediaOperationCanceled,
                _ => CompletionReason::Unknown,
            }),
            OperationKind::SubscribeToTone | OperationKind::CancelMediaProcessing => None,
        }
    }
}
