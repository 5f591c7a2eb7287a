//! The live timeline: a bounded broadcast. Nobody listening costs nothing.

use std::net::IpAddr;

use ringback_core::{
    AppId, CallId, Conversation, EndCause, Event, LegId, OperationId, OperationKind, OperationStatus, Told,
};
use serde::Serialize;
use tokio::sync::broadcast;

use super::metrics::kind_word;
use crate::clock::Clock;
use crate::limits;

/// One line of the timeline.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Microseconds since the Unix epoch.
    pub at: i64,
    /// `request`, `event`, `notification`, `lint`, `token`: why one was refused, or `identity`: who was seen for the first
    /// time, and whom nobody knows.
    pub kind: &'static str,
    /// Whose bot it is about, where that is known; events leave it to their call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The address that it was asked from, where a token was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// The call it is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The operation it is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// What happened, in a few words.
    pub text: String,
    /// How long it took, in milliseconds, where that means something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
}

/// The timeline: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Timeline {
    clock: Clock,
    sender: broadcast::Sender<Entry>,
}

impl Timeline {
    /// An empty timeline.
    pub fn new(clock: Clock) -> Self {
        Self { clock, sender: broadcast::channel(limits::TIMELINE).0 }
    }

    /// Follows it from now on.
    pub fn follow(&self) -> broadcast::Receiver<Entry> {
        self.sender.subscribe()
    }

    /// Somebody follows.
    pub fn is_followed(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Adds an entry, made only if somebody follows.
    pub fn add(&self, kind: &'static str, make: impl FnOnce() -> Entry) {
        if self.is_followed() {
            let _ = self.sender.send(Entry { at: self.clock.now().0, kind, ..make() });
        }
    }

    /// Adds a recorded event of a conversation that is in this state.
    pub(crate) fn event(&self, state: &Conversation, event: &Event) {
        self.add("event", || Entry::of_event(state, event));
    }
}

impl Entry {
    /// An entry about a call, yet without time or kind.
    pub fn about(call: impl ToString, text: impl Into<String>) -> Self {
        let (call, text) = (Some(call.to_string()), text.into());
        Self { at: 0, kind: "", app: None, from: None, call, operation: None, text, took_ms: None }
    }

    /// An entry about no call.
    pub fn of_none(text: impl Into<String>) -> Self {
        Self { call: None, ..Self::about("", text) }
    }

    /// The same, about this app's bot.
    pub(crate) fn of_app(self, app: Option<&AppId>) -> Self {
        Self { app: app.map(|app| app.as_str().to_owned()), ..self }
    }

    /// What an event is in a few words, yet without time or kind, recorded in a conversation that is in this state.
    pub(crate) fn of_event(state: &Conversation, event: &Event) -> Self {
        describe(state, event)
    }

    /// The same, about an operation of the call.
    pub fn of_operation(self, operation: impl ToString) -> Self {
        Self { operation: Some(operation.to_string()), ..self }
    }
}

/// Which key was pressed is not said: keys spell PINs and numbers of cards and telephones.
fn describe(state: &Conversation, event: &Event) -> Entry {
    let of_leg = |leg: &LegId, what: &str| Entry::about(whole(state), format!("{} {what}", whose(state, *leg)));
    match event {
        Event::CallOffered(begun) => Entry::about(begun.call, "call offered to its bot"),
        Event::CallPlaced(begun) if begun.meeting.is_some() => Entry::about(begun.call, "meeting joined by its bot"),
        Event::CallPlaced(begun) => Entry::about(begun.call, "call placed by its bot"),
        Event::AskRedirected { call, .. } => Entry::about(call, "incoming call sent to another webhook"),
        Event::CallbackChanged { call, .. } => Entry::about(call, "notices go to another webhook from now on"),
        Event::CallAnswered { call, .. } => Entry::about(call, "call answered by its bot"),
        Event::CallEstablished { call } => Entry::about(call, "call established"),
        Event::AudioChanged { call, active } => {
            Entry::about(call, if *active { "audio active" } else { "audio inactive" })
        }
        Event::CallKeptAlive { call } => Entry::about(call, "call kept alive"),
        Event::CallTerminating { call } => Entry::about(call, "call terminating"),
        Event::CallEnding { call, result, .. } => {
            Entry::about(call, format!("call ending {}/{}, once its recording is kept", result.code, result.subcode))
        }
        Event::CallTerminated { call, result } => {
            Entry::about(call, format!("call terminated {}/{}", result.code, result.subcode))
        }
        Event::LegAdmitted { leg, .. } => of_leg(leg, "dialled the meeting"),
        Event::RosterChanged { call } => Entry::about(call, "participants changed"),
        Event::LegAnswered { leg, .. } => of_leg(leg, "is connected"),
        Event::LegReleased { leg, decline: None } => of_leg(leg, "is hung up"),
        Event::LegReleased { leg, decline: Some(status) } => of_leg(leg, &format!("is turned away with {status}")),
        Event::LegEnded { leg, cause } => of_leg(leg, &format!("is gone: {}", cause_words(cause))),
        Event::OperationStarted { call, operation } => {
            Entry::about(call, format!("{} {}", kind_word(&operation.kind), status_word(operation.status)))
                .of_operation(operation.id)
        }
        Event::OperationBegan { call, operation } => {
            Entry::about(call, format!("{} running", verb(state, *call, *operation))).of_operation(operation)
        }
        Event::OperationEnded { call, operation, status, result } => {
            let (verb, status) = (verb(state, *call, *operation), status_word(*status));
            Entry::about(call, format!("{verb} {status} {}/{}", result.code, result.subcode)).of_operation(operation)
        }
        Event::ToneHeard { call, sequence, .. } => Entry::about(call, format!("a key was pressed, no. {sequence}")),
        Event::Adopted { .. } => Entry::about(whole(state), "taken over by a new start of the server"),
    }
}

/// What is of the whole conversation is about its call, where it has but one.
fn whole(state: &Conversation) -> String {
    let mut calls = state.calls();
    match (calls.next(), calls.next()) {
        (Some(call), None) => call.id().to_string(),
        _ => state.id().to_string(),
    }
}

/// Who a leg is: there is one phone in a call, and many in a meeting.
fn whose(state: &Conversation, leg: LegId) -> String {
    let mut meetings = state.calls().filter(|call| call.begun.meeting.is_some()).peekable();
    if meetings.peek().is_none() {
        return "the phone".to_owned();
    }
    if meetings.any(|call| call.begun.leg == leg) { "the bot's seat".to_owned() } else { format!("phone {leg}") }
}

/// What an operation does. The state forgets those that ended long ago.
fn verb(state: &Conversation, call: CallId, operation: OperationId) -> &'static str {
    let found = state.call(call).and_then(|call| call.operation(operation));
    found.map_or("operation", |operation| kind_word(&operation.kind))
}

fn status_word(status: OperationStatus) -> &'static str {
    match status {
        OperationStatus::NotStarted => "notStarted",
        OperationStatus::Running => "running",
        OperationStatus::Completed => "completed",
        OperationStatus::Failed => "failed",
    }
}

/// A failure's own text may name addresses, and stays in the log.
fn cause_words(cause: &EndCause) -> String {
    match cause {
        EndCause::FarHangUp => "it hung up",
        EndCause::Cancelled => "it gave up",
        EndCause::Busy => "it is busy",
        EndCause::NoAnswer => "nobody answered",
        EndCause::Unreachable => "it cannot be reached",
        EndCause::Declined(status) => return format!("it declined with {status}"),
        EndCause::LocalHangUp => "it was hung up",
        EndCause::MediaTimeout => "nothing was heard of it for too long",
        EndCause::Failed(_) => "its connection broke, or was broken off",
    }
    .to_owned()
}

/// What a notice tells, in a word or two.
pub(crate) fn notice_word(told: &Told) -> &'static str {
    match told {
        Told::Incoming { .. } => "incoming",
        Told::Establishing => "establishing",
        Told::Established { audio: None, .. } => "established",
        Told::Established { audio: Some(true), .. } => "established, audio active",
        Told::Established { audio: Some(false), .. } => "established, audio inactive",
        Told::Terminating => "terminating",
        Told::Terminated(_) => "terminated",
        Told::Roster(_) => "participants",
        Told::OperationEnded(operation) => match operation.kind {
            OperationKind::PlayPrompt { .. } => "playPrompt ended",
            OperationKind::RecordResponse(_) => "recordResponse ended",
            OperationKind::SendDtmfTones { .. } => "sendDtmfTones ended",
            OperationKind::SubscribeToTone => "subscribeToTone ended",
            OperationKind::CancelMediaProcessing => "cancelMediaProcessing ended",
        },
        Told::Tone { .. } => "tone",
    }
}
