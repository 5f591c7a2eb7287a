//! What an operator sees: the live timeline of requests, events and notifications, metrics, and spans for a collector.
//! They carry ids, statuses and times; never secrets, tokens, numbers or names (contract of design promise 8).
//!
//! This room must not know: any other room. They hand it what to show.

pub mod metrics;
pub(crate) mod otlp;
mod process;
mod spans;
#[cfg(test)]
mod tests;
mod timeline;

use std::sync::Arc;
use std::time::Duration;

use ringback_core::{CallId, Conversation, Event, Now, Operation, Record};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::clock::Clock;
use metrics::{Fetch, Metrics};
pub use spans::About;
use spans::Spans;
pub(crate) use spans::{Asked, Attempted, Span};
pub use timeline::{Entry, Timeline};

/// Everything that is shown: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Trace {
    clock: Clock,
    timeline: Timeline,
    metrics: Arc<Metrics>,
    spans: Spans,
}

impl Trace {
    /// Nothing has been seen yet, and spans go nowhere.
    pub fn new(clock: Clock) -> Self {
        Self { clock, timeline: Timeline::new(clock), metrics: Arc::default(), spans: Spans::default() }
    }

    /// The same, with spans for whoever empties the queue.
    pub(crate) fn with_spans(clock: Clock) -> (Self, mpsc::Receiver<Span>) {
        let (spans, queue) = Spans::queue();
        (Self { spans, ..Self::new(clock) }, queue)
    }

    /// The live timeline.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A conversation has a new record, is now in this state, and told these calls.
    pub(crate) fn recorded(&self, state: &Conversation, version: u64, record: &Record, told: &[CallId]) {
        for event in &record.events {
            self.metrics.event(event, ended(state, event));
            self.timeline.event(state.id(), event);
        }
        if self.spans.are_wanted() {
            let kind_of = |event: &Event| spans::ended_kind(ended(state, event));
            for span in spans::recorded(state.id(), version, record, told, kind_of, self.clock.now()) {
                self.add(span);
            }
        }
    }

    /// A request was answered that did something.
    pub(crate) fn asked(&self, asked: &Asked<'_>) {
        if self.spans.are_wanted() {
            self.add(spans::request(asked));
        }
    }

    /// A prompt was fetched for an operation, or not; it took this long until now.
    pub(crate) fn fetched(&self, operation: Uuid, outcome: Fetch, took: Duration) {
        self.metrics.prompt(outcome, took);
        if self.spans.are_wanted() {
            let end = self.clock.now();
            let begin = Now(end.0 - i64::try_from(took.as_micros()).unwrap_or_default());
            self.add(spans::fetched(operation, outcome, begin, end));
        }
    }

    /// A notice was attempted.
    pub(crate) fn attempted(&self, attempted: &Attempted) {
        self.metrics.attempted(attempted.outcome);
        if self.spans.are_wanted() {
            self.add(spans::attempted(attempted));
        }
    }

    fn add(&self, span: Span) {
        if !self.spans.add(span) {
            self.metrics.spans_dropped(1);
        }
    }
}

/// The operation that an event ended.
fn ended<'a>(state: &'a Conversation, event: &Event) -> Option<&'a Operation> {
    match event {
        Event::OperationEnded { call, operation, .. } => state.call(*call)?.operation(*operation),
        _ => None,
    }
}
