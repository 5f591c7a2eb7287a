//! One call as its notifications tell it: its life, its keys, its ended operations. Answers and
//! notifications race; whichever comes first, nothing is lost. Asks the platform nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringback_graph as wire;
use tokio::sync::{mpsc, watch};

use crate::limits;

pub(crate) struct Followed {
    id: String,
    /// A notification of this call has come.
    heard_of: AtomicBool,
    life: watch::Sender<Life>,
    ends: Mutex<Ends>,
    keys_in: Mutex<Option<mpsc::Sender<wire::ToneInfo>>>,
    keys_out: tokio::sync::Mutex<mpsc::Receiver<wire::ToneInfo>>,
}

/// What is known of the call itself; later news replace earlier ones.
#[derive(Default, Clone)]
struct Life {
    announced: Option<wire::Call<'static>>,
    state: Option<wire::CallState>,
    audio_active: bool,
    over: Option<Over>,
}

#[derive(Clone)]
enum Over {
    Ended(Option<wire::ResultInfo<'static>>),
    Closed,
}

/// Operations' ends, by id in lower case.
#[derive(Default)]
struct Ends {
    awaited: HashMap<String, watch::Sender<Option<wire::CommsOperation<'static>>>>,
    /// Told before anyone awaited them, oldest first.
    early: VecDeque<(String, wire::CommsOperation<'static>)>,
    /// No more will be told.
    over: bool,
}

impl Followed {
    pub(crate) fn new(id: &str) -> Followed {
        let (keys_in, keys_out) = mpsc::channel(limits::TONES);
        Followed {
            id: id.to_owned(),
            heard_of: AtomicBool::new(false),
            life: watch::Sender::default(),
            ends: Mutex::default(),
            keys_in: Mutex::new(Some(keys_in)),
            keys_out: tokio::sync::Mutex::new(keys_out),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    // ---- what notifications tell

    /// Anything at all.
    pub(crate) fn heard_of(&self) {
        self.heard_of.store(true, Ordering::Relaxed);
    }

    /// Whether this is the first time the call is announced.
    pub(crate) fn announce(&self, call: wire::Call<'static>) -> bool {
        let first = self.life.borrow().announced.is_none();
        self.changed(&call);
        self.life.send_modify(|life| life.announced = Some(call));
        first
    }

    pub(crate) fn changed(&self, call: &wire::Call<'static>) {
        if let Some(tone) = call.tone_info {
            self.key(tone);
        }
        self.life.send_modify(|life| {
            life.state = call.state.or(life.state);
            if let Some(media) = &call.media_state {
                life.audio_active = media.audio == wire::MediaState::Active;
            }
        });
    }

    pub(crate) fn end(&self, call: &wire::Call<'static>) {
        self.finish(Over::Ended(call.result_info.clone()));
    }

    /// Nothing will be told any more.
    pub(crate) fn close(&self) {
        self.finish(Over::Closed);
    }

    pub(crate) fn operation_ended(&self, id: &str, operation: wire::CommsOperation<'static>) {
        let mut ends = self.ends();
        let id = id.to_ascii_lowercase();
        match ends.awaited.remove(&id) {
            // A handle dropped meanwhile has no use for it.
            Some(waiter) => drop(waiter.send(Some(operation))),
            None => {
                ends.early.push_back((id, operation));
                if ends.early.len() > limits::EARLY_OPERATIONS {
                    ends.early.pop_front();
                }
            }
        }
    }

    fn key(&self, tone: wire::ToneInfo) {
        let keys = self.keys_in.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.as_ref().is_some_and(|keys| keys.try_send(tone).is_err()) {
            tracing::warn!("too many keys wait to be taken: one is dropped");
        }
    }

    fn finish(&self, over: Over) {
        {
            let mut ends = self.ends();
            ends.over = true;
            ends.awaited.clear();
        }
        self.keys_in.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.life.send_modify(|life| {
            if life.over.is_none() {
                life.over = Some(over);
            }
        });
    }

    // ---- what a bot waits for

    pub(crate) fn announced(&self) -> Option<wire::Call<'static>> {
        self.life.borrow().announced.clone()
    }

    pub(crate) fn was_heard_of(&self) -> bool {
        self.heard_of.load(Ordering::Relaxed)
    }

    /// Up, or ended before with its reason; `None` if it will not be told.
    pub(crate) async fn established(&self) -> Option<Result<(), Option<wire::ResultInfo<'static>>>> {
        match self.until(|life| life.over.is_some() || life.up()).await.over {
            None => Some(Ok(())),
            Some(Over::Ended(result)) => Some(Err(result)),
            Some(Over::Closed) => None,
        }
    }

    /// The reason of its end; `None` if it will not be told.
    pub(crate) async fn ended(&self) -> Option<Option<wire::ResultInfo<'static>>> {
        match self.until(|life| life.over.is_some()).await.over {
            Some(Over::Ended(result)) => Some(result),
            _ => None,
        }
    }

    pub(crate) async fn key_pressed(&self) -> Option<wire::ToneInfo> {
        self.keys_out.lock().await.recv().await
    }

    /// Holds the operation's end, now or later; closed without it if it will not be told.
    pub(crate) fn end_of(&self, operation: &str) -> watch::Receiver<Option<wire::CommsOperation<'static>>> {
        let (sender, receiver) = watch::channel(None);
        let id = operation.to_ascii_lowercase();
        let mut ends = self.ends();
        if let Some(at) = ends.early.iter().position(|(early, _)| *early == id) {
            sender.send_replace(ends.early.remove(at).map(|(_, ended)| ended));
        } else if !ends.over {
            ends.awaited.insert(id, sender);
        }
        receiver
    }

    async fn until(&self, happened: impl FnMut(&Life) -> bool) -> Life {
        let mut life = self.life.subscribe();
        let found = life.wait_for(happened).await.expect("the sender is in self");
        found.clone()
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Life {
    /// What bots wait for before they play (client-facts §4).
    fn up(&self) -> bool {
        self.state == Some(wire::CallState::Established) && self.audio_active
    }
}
