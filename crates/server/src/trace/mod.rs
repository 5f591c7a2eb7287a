//! What an operator sees: the live timeline of requests, events and notifications, metrics, spans for a collector, and
//! what was found wrong with a bot or its set-up. They carry ids, statuses and times; never secrets, tokens, or
//! people's numbers or names (contract of design promise 8). A meeting's thread and the number that phones dial to join it
//! are nobody's: the timeline shows them.
//!
//! This room must not know: any other room. They hand it what to show.

mod findings;
mod lint;
pub mod metrics;
pub(crate) mod otlp;
mod process;
mod spans;
#[cfg(test)]
mod tests;
mod timeline;
mod unserved;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringback_core::{AppId, CallId, Conversation, Event, Now, Operation, Record};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::clock::Clock;
use findings::Findings;
pub use findings::{Concern, Finding, Rule};
use lint::{Lint, Noticed};
use metrics::{Delivery, Fetch, Metrics};
pub use spans::About;
use spans::Spans;
pub(crate) use spans::{Asked, Attempted, Span};
pub(crate) use timeline::notice_word;
pub use timeline::{Entry, Timeline};
pub use unserved::Missed;
use unserved::Unserved;

/// Everything that is shown: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Trace {
    clock: Clock,
    timeline: Timeline,
    metrics: Arc<Metrics>,
    spans: Spans,
    findings: Arc<Findings>,
    unserved: Arc<Unserved>,
    lint: Arc<Mutex<Lint>>,
}

impl Trace {
    /// Nothing has been seen yet, and spans go nowhere.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            timeline: Timeline::new(clock),
            metrics: Arc::default(),
            spans: Spans::default(),
            findings: Arc::default(),
            unserved: Arc::default(),
            lint: Arc::default(),
        }
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
            self.timeline.event(state, event);
        }
        let noticed = self.lint().recorded(record);
        noticed.into_iter().for_each(|noticed| self.noticed(&noticed));
        if self.spans.are_wanted() {
            let kind_of = |event: &Event| spans::ended_kind(ended(state, event));
            for span in spans::recorded(state.id(), version, record, told, kind_of, self.clock.now()) {
                self.add(span);
            }
        }
    }

    /// A request was answered that did something.
    pub(crate) fn asked(&self, asked: &Asked<'_>) {
        if let About::Operation(_, call) | About::Call(call) = asked.about {
            self.lint().acted(call);
        }
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

    /// A notice or an answer that shows audio active is about to go out: its bot may act on it before that is known to
    /// have come.
    pub(crate) fn telling_of_audio(&self, call: CallId) {
        self.lint().told_of_audio(call, self.clock.now());
    }

    /// A notice was attempted.
    pub(crate) fn attempted(&self, attempted: &Attempted) {
        self.metrics.attempted(attempted.outcome);
        if attempted.outcome == Delivery::Acknowledged {
            self.lint().taken(attempted.call);
        }
        if self.spans.are_wanted() {
            self.add(spans::attempted(attempted));
        }
    }

    /// A bot came with a wrong secret.
    pub(crate) fn secret_rejected(&self, app: Option<&AppId>) {
        if let Some(app) = app {
            self.lint().secret_rejected(app);
        }
        self.found(app, Rule::SecretRejected, "");
    }

    /// An app's bot got a token: what was wrong with its secret is mended.
    pub(crate) fn gave_token(&self, app: &AppId) {
        self.lint().gave_token(app);
        self.mended(app, Rule::SecretRejected);
    }

    /// Something was found in a call: told once for each call that lives.
    pub(crate) fn found_in(&self, call: CallId, app: &AppId, rule: Rule, detail: &str) {
        let noticed = self.lint().say_of(call, app, rule, detail.to_owned());
        if let Some(noticed) = noticed {
            self.noticed(&noticed);
        }
    }

    /// Something was found that is of no call.
    pub(crate) fn found(&self, app: Option<&AppId>, rule: Rule, detail: &str) {
        self.findings.add(rule, app, None, detail, self.clock.now());
        self.timeline.add("lint", || Entry::of_none(findings::line(rule, app, detail)).of_app(app));
    }

    /// What was found of an app's bot is seen to be right now: nobody is to look for it any more.
    pub(crate) fn mended(&self, app: &AppId, rule: Rule) {
        self.findings.mended(rule, app);
    }

    /// What was found since the start, or since it was last forgotten.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings.list()
    }

    /// Forgets what was found.
    pub(crate) fn forget_findings(&self) {
        self.findings.clear();
    }

    /// Forgets what was found of an app.
    pub(crate) fn forget_findings_of(&self, app: &AppId) {
        self.findings.clear_of(app);
    }

    /// A request was refused because what it asks for is not served; `path`: its shape.
    pub(crate) fn unserved(&self, method: &str, path: String) {
        self.unserved.add(method, path, self.clock.now());
    }

    /// What was asked for and is not served, since the start.
    pub(crate) fn missed(&self) -> Vec<Missed> {
        self.unserved.list()
    }

    fn noticed(&self, noticed: &Noticed) {
        let Noticed { rule, app, call, detail } = noticed;
        self.findings.add(*rule, Some(app), Some(*call), detail, self.clock.now());
        self.timeline.add("lint", || Entry::about(call, findings::line(*rule, Some(app), detail)).of_app(Some(app)));
    }

    fn lint(&self) -> MutexGuard<'_, Lint> {
        // A call's entry is small and changed in one step each, so a poisoned lock is still sound.
        self.lint.lock().unwrap_or_else(PoisonError::into_inner)
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
