//! The timeline of one call, for the page that is in it. Knows no page.

use ringback_core::{CallId, ConversationId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::trace::{Entry, Timeline};

/// Where a call's timeline is to be heard.
pub(super) struct Heard {
    about: [String; 2],
    timeline: Timeline,
    /// From the call's beginning, until somebody follows.
    begun: Option<broadcast::Receiver<Entry>>,
}

impl Heard {
    /// Of this call, `begun` before it.
    pub(super) fn new(
        timeline: &Timeline,
        begun: Option<broadcast::Receiver<Entry>>,
        call: CallId,
        conversation: ConversationId,
    ) -> Heard {
        Heard { about: [call.to_string(), conversation.to_string()], timeline: timeline.clone(), begun }
    }

    /// The first who follows hears all from the beginning; others from now on.
    pub(super) fn follow(&mut self) -> Entries {
        let entries = self.begun.take().unwrap_or_else(|| self.timeline.follow());
        Entries { about: self.about.clone(), entries }
    }
}

/// The entries of one call.
pub(crate) struct Entries {
    about: [String; 2],
    entries: broadcast::Receiver<Entry>,
}

/// What comes of a timeline.
pub(crate) enum Next {
    /// An entry.
    Entry(Entry),
    /// The reader was too slow for this many entries, of this call and others.
    Missed(u64),
}

impl Entries {
    /// The next of this call; `None`: the server is gone. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Next> {
        loop {
            match self.entries.recv().await {
                Ok(entry) if entry.call.as_ref().is_some_and(|call| self.about.contains(call)) => {
                    return Some(Next::Entry(entry));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => return Some(Next::Missed(missed)),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
