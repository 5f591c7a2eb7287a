//! Spans: one trace per operation, from the request to the last attempt to tell of its end.
//!
//! Nothing carries a trace's context through the server or over a restart, because nothing has to: the trace id is the
//! operation's own id (a UUID has the sixteen bytes of a W3C trace id), and the ids of spans that others hang on follow
//! from it and from the record's version. What concerns a call and none of its operations is in the call's own trace,
//! under the call's id.

use std::time::Duration;

use ringback_core::{CallId, Event, Now, Record};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::metrics::{Delivery, Fetch, kind_word};
use crate::limits;

/// A span's id.
pub(super) type SpanId = [u8; 8];

/// What a span is (OpenTelemetry's `SpanKind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpanKind {
    /// Work of our own.
    Internal = 1,
    /// A request to us.
    Server = 2,
    /// A request of ours.
    Client = 3,
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A word, or an id.
    Text(String),
    /// A number.
    Number(i64),
}

/// Something that took time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// An operation's id, or a call's.
    pub trace: Uuid,
    /// Its id.
    pub id: SpanId,
    /// What it is part of, in the same trace.
    pub parent: Option<SpanId>,
    /// What was done, in a few words that are the same for all of the kind.
    pub name: String,
    /// What it is.
    pub kind: SpanKind,
    /// From
    pub begin: Now,
    /// to.
    pub end: Now,
    /// More about it: ids, statuses and words.
    pub attributes: Vec<(&'static str, Value)>,
    /// Spans of other traces that it has to do with.
    pub links: Vec<(Uuid, SpanId)>,
    /// It did not do what it was for: why, in words of ours.
    pub error: Option<&'static str>,
}

/// What an answered request was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// It began this operation of the call.
    Operation(Uuid, CallId),
    /// It began this call.
    NewCall(CallId),
    /// It did something else to this call.
    Call(CallId),
}

/// A request that did something.
pub(crate) struct Asked<'a> {
    pub(crate) verb: &'static str,
    pub(crate) status: u16,
    pub(crate) about: About,
    /// The client's own `traceparent` (W3C Trace Context), as it came.
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) begin: Now,
    pub(crate) end: Now,
}

/// An attempt to deliver a notice.
pub(crate) struct Attempted {
    pub(crate) call: CallId,
    /// The operation whose end it tells of.
    pub(crate) operation: Option<Uuid>,
    /// Of the record that it follows from.
    pub(crate) version: u64,
    pub(crate) notice: &'static str,
    pub(crate) message: Uuid,
    pub(crate) outcome: Delivery,
    pub(crate) begin: Now,
    pub(crate) end: Now,
}

/// Where spans go: a bounded queue that an exporter empties, or nowhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Option<mpsc::Sender<Span>>);

impl Spans {
    /// A queue, and its other end.
    pub(crate) fn queue() -> (Spans, mpsc::Receiver<Span>) {
        let (sender, receiver) = mpsc::channel(limits::SPANS);
        (Spans(Some(sender)), receiver)
    }

    /// Somebody takes them.
    pub(crate) fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Adds one. False: it was dropped, because the queue is full.
    pub(crate) fn add(&self, span: Span) -> bool {
        self.0.as_ref().is_none_or(|queue| queue.try_send(span).is_ok())
    }
}

/// The id of a span that others hang on: it follows from the trace's id.
fn known(trace: Uuid, role: &str) -> SpanId {
    first_half(Uuid::new_v5(&trace, role.as_bytes()))
}

/// The id of a span on which nothing hangs.
fn fresh() -> SpanId {
    first_half(Uuid::new_v4())
}

/// Never 0, since the version of a UUID is in it.
fn first_half(id: Uuid) -> SpanId {
    let mut half = [0; 8];
    half.copy_from_slice(&id.as_bytes()[..8]);
    half
}

fn root(trace: Uuid) -> SpanId {
    known(trace, "root")
}

fn record_id(trace: Uuid, version: u64) -> SpanId {
    known(trace, &format!("record {version}"))
}

fn text(value: impl ToString) -> Value {
    Value::Text(value.to_string())
}

/// The span of an answered request.
pub(super) fn request(asked: &Asked<'_>) -> Span {
    let (trace, id, parent, call) = match asked.about {
        About::Operation(operation, call) => (operation, root(operation), None, call),
        About::NewCall(call) => (call.0, root(call.0), None, call),
        About::Call(call) => (call.0, fresh(), Some(root(call.0)), call),
    };
    let mut links: Vec<_> = asked.traceparent.and_then(traceparent).into_iter().collect();
    if trace != call.0 {
        links.push((call.0, root(call.0)));
    }
    Span {
        trace,
        id,
        parent,
        name: asked.verb.to_owned(),
        kind: SpanKind::Server,
        begin: asked.begin,
        end: asked.end,
        attributes: vec![
            ("http.response.status_code", Value::Number(asked.status.into())),
            ("ringback.call.id", text(call)),
        ],
        links,
        error: (asked.status >= 500).then_some("the server failed"),
    }
}

/// The spans of a record: one in each trace that it concerns, and those of what it ended or began. `told`: the calls
/// that hear of it. `ended`: how each operation that it ended is now.
pub(super) fn recorded(
    conversation: ringback_core::ConversationId,
    version: u64,
    record: &Record,
    told: &[CallId],
    kind_of: impl Fn(&Event) -> Option<&'static str>,
    end: Now,
) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut traces: Vec<Uuid> = Vec::new();
    let mut add = |trace: Uuid| {
        if !traces.contains(&trace) {
            traces.push(trace);
        }
    };
    for event in &record.events {
        match event {
            Event::OperationStarted { operation, .. } => add(operation.id.0),
            Event::OperationBegan { operation, .. } => add(operation.0),
            Event::OperationEnded { call, operation, result, .. } => {
                add(operation.0);
                let kind = kind_of(event).unwrap_or("operation");
                let attributes = vec![
                    ("ringback.call.id", text(call)),
                    ("ringback.result.code", Value::Number(result.code.into())),
                    ("ringback.result.subcode", Value::Number(result.subcode.into())),
                ];
                let failed = (result.code != 200).then_some("the operation failed");
                spans.push(Span {
                    id: known(operation.0, "operation"),
                    error: failed,
                    ..internal(operation.0, kind, begun(operation.0, record.at), record.at, attributes)
                });
            }
            Event::CallOffered(begun) => {
                let attributes = vec![("ringback.conversation.id", text(conversation))];
                let incoming = internal(begun.call.0, "incoming call", record.at, end, attributes);
                spans.push(Span { id: root(begun.call.0), parent: None, ..incoming });
                told.iter().for_each(|call| add(call.0));
            }
            _ => told.iter().for_each(|call| add(call.0)),
        }
    }
    for trace in traces {
        let attributes = vec![
            ("ringback.conversation.id", text(conversation)),
            ("ringback.version", Value::Number(i64::try_from(version).unwrap_or(i64::MAX))),
        ];
        spans.push(Span { id: record_id(trace, version), ..internal(trace, "record", record.at, end, attributes) });
    }
    spans
}

/// Work of our own, under the trace's root.
fn internal(trace: Uuid, name: &str, begin: Now, end: Now, attributes: Vec<(&'static str, Value)>) -> Span {
    Span {
        trace,
        id: fresh(),
        parent: Some(root(trace)),
        name: name.to_owned(),
        kind: SpanKind::Internal,
        begin,
        end: end.max(begin),
        attributes,
        links: Vec::new(),
        error: None,
    }
}

/// When an operation began: its id says so (RFC 9562 §5.7), whatever happened since.
fn begun(operation: Uuid, at_most: Now) -> Now {
    let stamp = operation.get_timestamp().map(|stamp| stamp.to_unix());
    let at = stamp.map(|(seconds, nanos)| Duration::new(seconds, nanos));
    at.map_or(at_most, |at| Now(0).plus(at).min(at_most))
}

/// The span of a prompt that was fetched for an operation, or not.
pub(super) fn fetched(operation: Uuid, outcome: Fetch, begin: Now, end: Now) -> Span {
    Span {
        parent: Some(known(operation, "operation")),
        kind: SpanKind::Client,
        error: (outcome != Fetch::Decoded).then_some(outcome.as_str()),
        ..internal(operation, "fetch prompt", begin, end, vec![("ringback.prompt", text(outcome.as_str()))])
    }
}

/// The span of an attempt to deliver a notice.
pub(super) fn attempted(attempted: &Attempted) -> Span {
    let trace = attempted.operation.unwrap_or(attempted.call.0);
    let attributes = vec![
        ("ringback.call.id", text(attempted.call)),
        ("ringback.notice", text(attempted.notice)),
        ("ringback.message.id", text(attempted.message)),
        ("ringback.outcome", text(attempted.outcome.as_str())),
    ];
    let good = matches!(attempted.outcome, Delivery::Acknowledged | Delivery::Elsewhere);
    Span {
        parent: Some(record_id(trace, attempted.version)),
        kind: SpanKind::Client,
        error: (!good).then_some(attempted.outcome.as_str()),
        ..internal(trace, "notify", attempted.begin, attempted.end, attributes)
    }
}

/// Trace and span of a `traceparent` (W3C Trace Context §3.2); none if it is not one.
fn traceparent(header: &str) -> Option<(Uuid, SpanId)> {
    let mut parts = header.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let whole = lower(version, 2) && version != "ff" && lower(trace, 32) && lower(span, 16) && lower(flags, 2);
    if !whole || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
    (trace != 0 && span != 0).then(|| (Uuid::from_u128(trace), span.to_be_bytes()))
}

/// The word for the kind of an operation that an event ended.
pub(super) fn ended_kind(operation: Option<&ringback_core::Operation>) -> Option<&'static str> {
    operation.map(|operation| kind_word(&operation.kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_the_recommendation_says() {
        let (trace, span) =
            traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").expect("the standard's own example");
        assert_eq!(trace.simple().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert!(traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-follows").is_some());
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(traceparent(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_operations_id_says_when_it_began() {
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_700_000_000, 5_000_000));
        assert_eq!(begun(id, Now(i64::MAX)), Now(1_700_000_000_005_000));
        assert_eq!(begun(id, Now(7)), Now(7), "never after its end");
        assert_eq!(begun(Uuid::new_v4(), Now(7)), Now(7));
    }
}
