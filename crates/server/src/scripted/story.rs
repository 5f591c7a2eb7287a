//! What the timeline says of a scripted phone's call, kept so that a test that fails can say why. Bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringback_core::CallId;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::AbortHandle;

use crate::limits;
use crate::trace::{Entry, Timeline};

/// The story of one phone's latest call.
pub(super) struct Story {
    told: Arc<Mutex<Told>>,
    following: AbortHandle,
}

#[derive(Default)]
struct Told {
    call: Option<String>,
    entries: VecDeque<Entry>,
    /// Everyone's latest: a call's first entries come before it is known which call it is.
    latest: VecDeque<Entry>,
}

impl Drop for Story {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl Story {
    /// Follows the timeline from now on.
    pub(super) fn follow(timeline: &Timeline) -> Story {
        let told = Arc::<Mutex<Told>>::default();
        let mut entries = timeline.follow();
        let heard = Arc::clone(&told);
        let following = tokio::spawn(async move {
            loop {
                match entries.recv().await {
                    Ok(entry) => locked(&heard).add(entry),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Story { told, following: following.abort_handle() }
    }

    /// Another call is being made, and it is not known yet which.
    pub(super) fn begin(&self) {
        let mut told = locked(&self.told);
        told.call = None;
        told.entries.clear();
    }

    /// The call is this one.
    pub(super) fn joined(&self, call: CallId) {
        locked(&self.told).joined(call);
    }

    /// Which call it is.
    pub(super) fn call(&self) -> Option<String> {
        locked(&self.told).call.clone()
    }

    /// What happened in it, in order.
    pub(super) fn entries(&self) -> Vec<Entry> {
        locked(&self.told).entries.iter().cloned().collect()
    }

    /// What the bot's webhook did with the incoming call unless it took it, else with the last it was told.
    pub(super) fn trouble(&self) -> Option<String> {
        locked(&self.told).trouble()
    }
}

impl Told {
    fn add(&mut self, entry: Entry) {
        if self.call.is_some() && self.call == entry.call {
            push(&mut self.entries, entry.clone());
        }
        push(&mut self.latest, entry);
    }

    fn joined(&mut self, call: CallId) {
        let call = Some(call.to_string());
        self.entries = self.latest.iter().filter(|entry| entry.call == call).cloned().collect();
        self.call = call;
    }

    fn trouble(&self) -> Option<String> {
        let told = || self.entries.iter().rev().filter(|entry| entry.kind == "notification");
        let incoming = told().find(|entry| entry.text.starts_with("incoming "));
        let mut latest = incoming.into_iter().chain(told().next());
        latest.find(|entry| !entry.text.ends_with("acknowledged")).map(|entry| entry.text.clone())
    }
}

fn push(entries: &mut VecDeque<Entry>, entry: Entry) {
    if entries.len() >= limits::SCRIPTED_STORY {
        entries.pop_front();
    }
    entries.push_back(entry);
}

// Each change leaves it whole, so a poisoned lock is still sound.
fn locked(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn only_its_own_call_is_told_and_not_without_end() {
        let (ours, theirs) = (CallId(Uuid::from_u128(1)), CallId(Uuid::from_u128(2)));
        let mut told = Told::default();
        for n in 0..2 * limits::SCRIPTED_STORY {
            told.add(Entry::about(if n % 2 == 0 { ours } else { theirs }, n.to_string()));
        }
        told.joined(ours);
        assert_eq!(told.entries.len(), limits::SCRIPTED_STORY / 2, "the latest of everyone's");
        told.add(Entry::about(theirs, "not this"));
        told.add(Entry::about(ours, "this"));
        assert_eq!(told.entries.back().map(|entry| entry.text.as_str()), Some("this"));
        for n in 0..2 * limits::SCRIPTED_STORY {
            told.add(Entry::about(ours, n.to_string()));
        }
        assert_eq!((told.entries.len(), told.latest.len()), (limits::SCRIPTED_STORY, limits::SCRIPTED_STORY));
    }

    #[test]
    fn an_incoming_call_that_its_bot_did_not_take_is_the_trouble() {
        let call = CallId(Uuid::from_u128(1));
        let trouble = |texts: &[&str]| {
            let mut told = Told::default();
            told.joined(call);
            for text in texts {
                told.add(Entry { kind: "notification", ..Entry::about(call, *text) });
            }
            told.trouble()
        };
        let (lost, late) = ("incoming → undelivered: it is gone", "terminated → will be repeated: it is gone");
        assert_eq!(trouble(&["incoming → will be repeated: it is gone", lost, late]).as_deref(), Some(lost));
        let taken = "incoming → acknowledged";
        assert_eq!(trouble(&["incoming → will be repeated: it is gone", taken, late]).as_deref(), Some(late));
        assert_eq!(trouble(&[taken, late, "terminated → acknowledged"]), None);
        assert_eq!(trouble(&[]), None);
    }
}
