//! What can happen to a conversation: a bot's verbs and the world's happenings.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::event::Begun;
use crate::identity::Identity;
use crate::ids::{CallId, Epoch, LegId, OperationId, ParticipantId};
#[cfg(doc)]
use crate::operation::Recording;
use crate::operation::{Prompt, Repeat};

/// What begins a call: every id made, every name resolved.
pub type NewCall = Begun;

/// Why a leg ended. `signal`'s words, as recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EndCause {
    /// The far end hung up.
    FarHangUp,
    /// The caller gave up before an answer.
    Cancelled,
    /// The callee is busy.
    Busy,
    /// It rang, and nobody answered.
    NoAnswer,
    /// Not registered, no response, no route.
    Unreachable,
    /// Another final status.
    Declined(u16),
    /// We hung up.
    LocalHangUp,
    /// No media came for too long.
    MediaTimeout,
    /// Something broke; the text says what.
    Failed(String),
}

/// A key: RFC 4733 §3.2 events 0 to 16, Graph's `tone` (`contract §1.9`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "each key is its own word")]
pub enum Tone {
    Tone0,
    Tone1,
    Tone2,
    Tone3,
    Tone4,
    Tone5,
    Tone6,
    Tone7,
    Tone8,
    Tone9,
    Star,
    Pound,
    A,
    B,
    C,
    D,
    Flash,
}

/// reject's reason (`contract §2.3`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RejectReason {
    /// No reason.
    #[default]
    None,
    /// Busy.
    Busy,
    /// Forbidden.
    Forbidden,
}

/// How playing ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlayOutcome {
    /// Every prompt was played.
    Played,
    /// A prompt could not be downloaded.
    Unavailable(String),
    /// A prompt is not a WAV we can play.
    Invalid(String),
    /// It could not be played for another reason.
    Failed(String),
}

/// How recording ended. It keeps a recording in the first four cases, and only then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordOutcome {
    /// A stop tone.
    StopTone,
    /// As long as it may become.
    MaxDuration,
    /// A pause.
    MaxSilence,
    /// Something else ended it; the text says what.
    CutShort(String),
    /// Nobody said anything.
    InitialSilence,
    /// Its leg was gone before anything was recorded.
    Nothing,
    /// The prompt before it did not play.
    Prompt(PlayOutcome),
    /// It could not be kept; the text says why.
    Failed(String),
}

/// recordResponse's body, with the id its operation will have. Times as the bot wrote them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordResponse {
    /// The call.
    pub call: CallId,
    /// The new operation's id, which is also the recording's.
    pub operation: OperationId,
    /// `S5`.
    pub client_context: Option<String>,
    /// What is played before.
    pub prompts: Vec<Prompt>,
    /// It may be without one: beta's `record`.
    pub prompt_optional: bool,
    /// It cuts into what is played, recorded or queued.
    pub barge_in: bool,
    /// A beep is sent behind the prompt.
    pub beep: bool,
    /// `initialSilenceTimeoutInSeconds`.
    pub initial_silence: Option<i32>,
    /// `maxSilenceTimeoutInSeconds`.
    pub max_silence: Option<i32>,
    /// `maxRecordDurationInSeconds`.
    pub max_duration: Option<i32>,
    /// Keys that end it, each once.
    pub stop_tones: Vec<Tone>,
    /// [`Recording::location`].
    pub location: String,
}

/// playPrompt's body, with the id its operation will have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlayPrompt {
    /// The call.
    pub call: CallId,
    /// The new operation's id.
    pub operation: OperationId,
    /// `S5`.
    pub client_context: Option<String>,
    /// In order.
    pub prompts: Vec<Prompt>,
    /// How often.
    pub repeat: Repeat,
}

/// sendDtmfTones' body, with the id its operation will have. The delay is as the bot wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SendDtmfTones {
    /// The call.
    pub call: CallId,
    /// The new operation's id.
    pub operation: OperationId,
    /// `S5`.
    pub client_context: Option<String>,
    /// In order.
    pub tones: Vec<Tone>,
    /// `delayBetweenTonesMs`.
    pub delay: Option<i32>,
}

/// Something asked of, or seen by, a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Verb: create call.
    PlaceCall(NewCall),
    /// Verb: answer.
    Answer {
        /// The call.
        call: CallId,
        /// Where notices go from now on, if the bot said.
        callback: Option<String>,
    },
    /// Verb: reject.
    Reject {
        /// The call.
        call: CallId,
        /// Why.
        reason: RejectReason,
        /// Where the call's end is told, if the bot said.
        callback: Option<String>,
    },
    /// Verb: hang up (DELETE).
    HangUp {
        /// The call.
        call: CallId,
    },
    /// The operator ends the call.
    Remove {
        /// The call.
        call: CallId,
    },
    /// Verb: keepAlive.
    KeepAlive {
        /// The call.
        call: CallId,
    },
    /// Verb: playPrompt.
    PlayPrompt(PlayPrompt),
    /// Verb: recordResponse.
    RecordResponse(RecordResponse),
    /// Verb: sendDtmfTones.
    SendDtmfTones(SendDtmfTones),
    /// Verb: subscribeToTone.
    SubscribeToTone {
        /// The call.
        call: CallId,
        /// The new operation's id.
        operation: OperationId,
        /// `S5`.
        client_context: Option<String>,
    },
    /// Verb: cancelMediaProcessing.
    CancelMediaProcessing {
        /// The call.
        call: CallId,
        /// The new operation's id.
        operation: OperationId,
        /// `S5`.
        client_context: Option<String>,
    },
    /// A phone rings a bot.
    CallOffered(NewCall),
    /// A phone dialled the meeting.
    PhoneJoins {
        /// Its leg.
        leg: LegId,
        /// The phone in the roster.
        participant: ParticipantId,
        /// Who it is.
        identity: Identity,
    },
    /// The webhook answered the ask with a redirect.
    AskRedirected {
        /// The call.
        call: CallId,
        /// Where to.
        callback: String,
    },
    /// A leg is up, and its media connected.
    LegAnswered {
        /// The leg.
        leg: LegId,
        /// Signalling's text for hanging up after a crash.
        dialog: String,
    },
    /// The far end put us on hold, or took us off.
    LegHeld {
        /// The leg.
        leg: LegId,
        /// On hold.
        held: bool,
    },
    /// A leg is gone.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: EndCause,
    },
    /// Playing, or sending tones, ended.
    PlayFinished {
        /// Which operation.
        operation: OperationId,
        /// How.
        outcome: PlayOutcome,
    },
    /// Recording ended; the file is whole, where there is one.
    RecordFinished {
        /// Which operation.
        operation: OperationId,
        /// How.
        outcome: RecordOutcome,
    },
    /// A key was pressed.
    ToneHeard {
        /// On which leg.
        leg: LegId,
        /// Which key.
        tone: Tone,
    },
    /// A deadline may have passed.
    Deadline,
    /// A new epoch takes over.
    Adopt {
        /// The new owner.
        epoch: Epoch,
        /// Operations in flight whose recordings were made whole.
        kept: Vec<OperationId>,
    },
}
