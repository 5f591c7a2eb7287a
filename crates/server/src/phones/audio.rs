//! The engine's audio: prompts, fetched once per operation (or once for all that give them one `resourceId`) through the
//! guarded client, decoded off the shard, and played; recordings, as recording.rs begins and ends them.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringback_core::{
    AppId, CallId, Input, LegId, OperationId, PlayOutcome, Prompt, RecordOutcome, Recording, Repeat, Tone,
};
use ringback_media as media;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::prompts::{Fetched, Key};
use super::{Line, Phones, keys};
use crate::engine::Audio;
use crate::outbound::{Target, limits};
use crate::recordings::Owner;
use crate::trace::metrics::Fetch;

impl Audio for Phones {
    fn play(&self, leg: LegId, operation: OperationId, app: &AppId, prompts: &[Prompt], repeat: Repeat) {
        if matches!(self.lines().get(&leg), Some(Line::Test)) {
            if repeat == Repeat::Once {
                self.happening(leg, Input::PlayFinished { operation, outcome: PlayOutcome::Played });
            }
            return;
        }
        let (this, app, prompts) = (self.clone(), app.clone(), prompts.to_vec());
        self.prepare(operation, async move {
            let outcome = this.start(leg, operation, &app, &prompts, repeat).await;
            this.forget(operation);
            if let Err(outcome) = outcome {
                this.happening(leg, Input::PlayFinished { operation, outcome });
            }
        });
    }

    fn send_tones(&self, leg: LegId, operation: OperationId, tones: &[Tone], pause: Duration) {
        let failed = |why: String| Input::PlayFinished { operation, outcome: PlayOutcome::Failed(why) };
        if matches!(self.lines().get(&leg), Some(Line::Test)) {
            return self.happening(leg, Input::PlayFinished { operation, outcome: PlayOutcome::Played });
        }
        let Some(wires) = self.wires() else { return self.happening(leg, failed("there is no media".to_owned())) };
        let tones = tones.iter().copied().map(keys::pressed).collect();
        if let Err(busy) = wires.media.press(leg.0, operation.0, tones, pause) {
            self.happening(leg, failed(busy.to_string()));
        }
    }

    fn record(&self, leg: LegId, call: CallId, operation: OperationId, app: &AppId, recording: &Recording) {
        let owner = Owner { app: app.clone(), call, operation };
        if matches!(self.lines().get(&leg), Some(Line::Test)) {
            return self.record_test_line(leg, owner, recording);
        }
        let (this, recording) = (self.clone(), recording.clone());
        self.prepare(operation, async move {
            let outcome = this.start_recording(leg, owner, &recording).await;
            this.forget(operation);
            if let Err(outcome) = outcome {
                this.happening(leg, Input::RecordFinished { operation, outcome });
            }
        });
    }

    fn keep(&self, leg: LegId, operation: OperationId) {
        if let Some(preparing) = self.forget(operation) {
            preparing.abort();
            self.happening(leg, Input::RecordFinished { operation, outcome: RecordOutcome::Nothing });
        }
        if let Some(wires) = self.wires() {
            wires.media.keep(leg.0, operation.0);
        }
    }

    fn stop(&self, leg: LegId, operation: OperationId) {
        if let Some(preparing) = self.forget(operation) {
            preparing.abort();
        }
        if let Some(wires) = self.wires() {
            wires.media.stop(leg.0, operation.0);
        }
    }

    fn recover(&self, recordings: Vec<OperationId>) -> oneshot::Receiver<Vec<OperationId>> {
        let (sender, whole) = oneshot::channel();
        let this = self.shared.recordings.clone();
        self.shared.runtime.spawn_blocking(move || {
            // Nobody waits any more: there is nobody to be told.
            let _ = sender.send(this.recover(&recordings));
        });
        whole
    }
}

impl Phones {
    /// Makes an operation's audio ready, until it is forgotten.
    fn prepare(&self, operation: OperationId, making: impl Future<Output = ()> + Send + 'static) {
        // Entered before the task can end, so that its end finds it.
        let mut plays = self.plays();
        plays.insert(operation, self.shared.runtime.spawn(making).abort_handle());
    }

    /// Fetches, decodes and starts. An error is how the operation ends.
    async fn start(
        &self,
        leg: LegId,
        operation: OperationId,
        app: &AppId,
        prompts: &[Prompt],
        repeat: Repeat,
    ) -> Result<(), PlayOutcome> {
        let mut fetched: HashMap<&str, Arc<media::Prompt>> = HashMap::new();
        let mut list = Vec::with_capacity(prompts.len());
        for (index, prompt) in prompts.iter().enumerate() {
            let audio = match fetched.get(prompt.uri.as_str()) {
                Some(audio) => Arc::clone(audio),
                None => self.fetch(leg, operation, app, index, prompt).await?,
            };
            fetched.insert(&prompt.uri, Arc::clone(&audio));
            list.extend(std::iter::repeat_n(audio, prompt.times.max(1) as usize));
        }
        let repeat = match repeat {
            Repeat::Once => media::Repeat::Times(1),
            Repeat::Forever => media::Repeat::Forever,
        };
        let wires = self.wires().ok_or_else(|| PlayOutcome::Failed("there is no media".to_owned()))?;
        let played = wires.media.play(leg.0, operation.0, list, repeat);
        // Stopped since: that stop may have come before this play.
        if !self.is_wanted(operation) {
            wires.media.stop(leg.0, operation.0);
        }
        played.map_err(|busy| PlayOutcome::Failed(busy.to_string()))
    }

    /// A prompt, fetched and decoded, and told to the trace.
    pub(super) async fn fetch(
        &self,
        leg: LegId,
        operation: OperationId,
        app: &AppId,
        index: usize,
        prompt: &Prompt,
    ) -> Fetched {
        let key = Key::of(app, prompt);
        if let Some(known) = key.as_ref().and_then(|key| self.shared.prompts.known(key)) {
            return self.made_ready(leg, known).await;
        }
        let began = Instant::now();
        let (this, app, uri, name) = (self.clone(), app.clone(), prompt.uri.clone(), key.clone());
        let fetch = async move { this.fetch_anew(&app, &uri, name).await };
        let fetched = match key {
            Some(key) => self.shared.prompts.fetched_once(key, fetch).await,
            None => fetch.await,
        };
        let outcome = match &fetched {
            Ok(_) => Fetch::Decoded,
            Err(PlayOutcome::Invalid(_)) => Fetch::Invalid,
            Err(_) => Fetch::Unavailable,
        };
        self.shared.trace.fetched(operation.0, outcome, began.elapsed());
        let of_this = |why: String| format!("prompts[{index}]: {why}");
        let prompt = fetched.map_err(|outcome| match outcome {
            PlayOutcome::Unavailable(why) => PlayOutcome::Unavailable(of_this(why)),
            PlayOutcome::Invalid(why) => PlayOutcome::Invalid(of_this(why)),
            PlayOutcome::Failed(why) => PlayOutcome::Failed(of_this(why)),
            PlayOutcome::Played => PlayOutcome::Played,
        })?;
        self.made_ready(leg, prompt).await
    }

    async fn fetch_anew(&self, app: &AppId, uri: &str, key: Option<Key>) -> Fetched {
        let unavailable = |why: String| PlayOutcome::Unavailable(why);
        let mut target = Target::parse(uri).map_err(|error| unavailable(error.to_string()))?;
        let _turn = tokio::time::timeout(limits::PROMPT_TIME, self.shared.prompts.turn(app)).await.map_err(|_| {
            unavailable("too many prompts of this app are being fetched: give each a resourceId".to_owned())
        })?;
        let is_own = self.shared.directory.is_own(app, target.origin());
        let app = self.shared.directory.current().app(app).cloned();
        if let Some(goes) = app.as_ref().and_then(|app| app.reach.of_file(target.url(), is_own)) {
            target = Target::of(goes).map_err(|error| unavailable(error.to_string()))?;
        }
        let named = app.as_ref().map(|app| app.reach.named()).unwrap_or_default();
        let bytes = self.shared.outbound.get(&target, named, media::limits::PROMPT_BYTES, limits::PROMPT_TIME).await;
        let bytes = bytes.map_err(|error| unavailable(error.to_string()))?;
        let prompts = Arc::clone(&self.shared.prompts);
        let decoded = tokio::task::spawn_blocking(move || prompts.decode(&bytes, key)).await;
        match decoded {
            Ok(Ok(prompt)) => Ok(prompt),
            Ok(Err(error)) => Err(PlayOutcome::Invalid(error.to_string())),
            Err(_) => Err(PlayOutcome::Failed("it could not be decoded".to_owned())),
        }
    }

    /// A prompt, encoded for this leg's codec, which may be a new one to it.
    async fn made_ready(&self, leg: LegId, prompt: Arc<media::Prompt>) -> Fetched {
        let Some(engine) = self.wires().map(|wires| wires.media.clone()) else { return Ok(prompt) };
        let ready = tokio::task::spawn_blocking(move || {
            engine.prepare(leg.0, &prompt);
            prompt
        });
        ready.await.map_err(|_| PlayOutcome::Failed("a prompt could not be encoded".to_owned()))
    }

    pub(super) fn forget(&self, operation: OperationId) -> Option<AbortHandle> {
        self.plays().remove(&operation)
    }

    /// Whether an operation that is made ready was neither stopped nor kept meanwhile.
    pub(super) fn is_wanted(&self, operation: OperationId) -> bool {
        self.plays().contains_key(&operation)
    }

    /// What is being made ready, until it plays.
    fn plays(&self) -> MutexGuard<'_, HashMap<OperationId, AbortHandle>> {
        // Changed only by whole inserts and removes, so a poisoned lock is still sound.
        self.shared.plays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
