//! The live timeline: a bounded broadcast. Nobody listening costs nothing.

use ringback_core::{AppId, ConversationId, Event, Told};
use serde::Serialize;
use tokio::sync::broadcast;

use crate::clock::Clock;
use crate::limits;

/// One line of the timeline.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Microseconds since the Unix epoch.
    pub at: i64,
    /// `request`, `event`, `notification`, `lint`, or `identity`: who was seen for the first time, and whom nobody knows.
    pub kind: &'static str,
    /// Whose bot it is about, where that is known; events leave it to their call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
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

    /// Adds a recorded event.
    pub(crate) fn event(&self, conversation: ConversationId, event: &Event) {
        self.add("event", || Entry::of_event(conversation, event));
    }
}

impl Entry {
    /// An entry about a call, yet without time or kind.
    pub fn about(call: impl ToString, text: impl Into<String>) -> Self {
        let (call, text) = (Some(call.to_string()), text.into());
        Self { at: 0, kind: "", app: None, call, operation: None, text, took_ms: None }
    }

    /// An entry about no call.
    pub fn of_none(text: impl Into<String>) -> Self {
        Self { call: None, ..Self::about("", text) }
    }

    /// The same, about this app's bot.
    pub(crate) fn of_app(self, app: Option<&AppId>) -> Self {
        Self { app: app.map(|app| app.as_str().to_owned()), ..self }
    }

    /// What a recorded event is in a few words, yet without time or kind. What is of no one call is about its conversation.
    pub(crate) fn of_event(conversation: ConversationId, event: &Event) -> Self {
        describe(conversation, event)
    }

    /// The same, about an operation of the call.
    pub fn of_operation(self, operation: impl ToString) -> Self {
        Self { operation: Some(operation.to_string()), ..self }
    }
}

fn describe(conversation: ConversationId, event: &Event) -> Entry {
    let status = |status: &ringback_core::OperationStatus| {
        serde_json::to_value(status).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
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
        Event::LegAdmitted { leg, call, .. } => Entry::about(call, format!("phone, leg {leg}, dialled the meeting")),
        Event::RosterChanged { call } => Entry::about(call, "a phone came into the meeting, or left it"),
        Event::LegAnswered { leg, .. } => Entry::about(conversation, format!("leg {leg} is up")),
        Event::LegReleased { leg, .. } => Entry::about(conversation, format!("leg {leg} released")),
        Event::LegEnded { leg, .. } => Entry::about(conversation, format!("leg {leg} ended")),
        Event::OperationStarted { call, operation } => {
            Entry::about(call, format!("operation {}", status(&operation.status))).of_operation(operation.id)
        }
        Event::OperationBegan { call, operation } => Entry::about(call, "operation running").of_operation(operation),
        Event::OperationEnded { call, operation, status: end, result } => {
            Entry::about(call, format!("operation {} {}/{}", status(end), result.code, result.subcode))
                .of_operation(operation)
        }
        Event::ToneHeard { call, sequence, .. } => Entry::about(call, format!("key no. {sequence}")),
        Event::Adopted { epoch } => Entry::about(conversation, format!("adopted by epoch {}", epoch.0)),
    }
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
        Told::OperationEnded(_) => "operation ended",
        Told::Tone { .. } => "tone",
    }
}
