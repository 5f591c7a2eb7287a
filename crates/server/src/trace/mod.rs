//! What an operator sees: the live timeline of requests, events and notifications, and metrics. They carry ids,
//! statuses and times; never secrets, tokens, numbers or names (contract of design promise 8).
//!
//! This room must not know: any other room. They hand it what to show.

pub mod metrics;
mod process;
#[cfg(test)]
mod tests;
mod timeline;

use std::sync::Arc;

use ringback_core::{Conversation, Event, Record};

use crate::clock::Clock;
use metrics::Metrics;
pub use timeline::{Entry, Timeline};

/// Everything that is shown: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Trace {
    timeline: Timeline,
    metrics: Arc<Metrics>,
}

impl Trace {
    /// Nothing has been seen yet.
    pub fn new(clock: Clock) -> Self {
        Self { timeline: Timeline::new(clock), metrics: Arc::default() }
    }

    /// The live timeline.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A conversation has a new record, and is now in this state.
    pub(crate) fn recorded(&self, state: &Conversation, record: &Record) {
        for event in &record.events {
            let ended = match event {
                Event::OperationEnded { call, operation, .. } => {
                    state.call(*call).and_then(|call| call.operation(*operation))
                }
                _ => None,
            };
            self.metrics.event(event, ended);
            self.timeline.event(state.id(), event);
        }
    }
}
