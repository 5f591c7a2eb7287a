//! Prompts: fetched once per operation through the guarded client, decoded off the shard, played.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use ringback_core::{AppId, Input, LegId, OperationId, PlayOutcome, Prompt, Repeat};
use ringback_media as media;
use tokio::task::AbortHandle;

use super::{Line, Phones};
use crate::engine::Playback;
use crate::outbound::{Target, limits};
use crate::trace::metrics::Fetch;

impl Playback for Phones {
    fn play(&self, leg: LegId, operation: OperationId, app: &AppId, prompts: &[Prompt], repeat: Repeat) {
        if matches!(self.lines().get(&leg), Some(Line::Test)) {
            if repeat == Repeat::Once {
                self.happening(leg, Input::PlayFinished { operation, outcome: PlayOutcome::Played });
            }
            return;
        }
        let (this, app, prompts) = (self.clone(), app.clone(), prompts.to_vec());
        // Entered before the task can end, so that its end finds it.
        let mut plays = self.plays();
        let task = self.shared.runtime.spawn(async move {
            let outcome = this.start(leg, operation, &app, &prompts, repeat).await;
            this.forget(operation);
            if let Err(outcome) = outcome {
                this.happening(leg, Input::PlayFinished { operation, outcome });
            }
        });
        plays.insert(operation, task.abort_handle());
    }

    fn stop(&self, leg: LegId, operation: OperationId) {
        if let Some(fetching) = self.forget(operation) {
            fetching.abort();
        }
        if let Some(wires) = self.wires() {
            wires.media.stop(leg.0, operation.0);
        }
    }
}

impl Phones {
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
                None => self.fetch(leg, app, index, &prompt.uri).await?,
            };
            fetched.insert(&prompt.uri, Arc::clone(&audio));
            list.push(audio);
        }
        let repeat = match repeat {
            Repeat::Once => media::Repeat::Times(1),
            Repeat::Forever => media::Repeat::Forever,
        };
        let wires = self.wires().ok_or_else(|| PlayOutcome::Failed("there is no media".to_owned()))?;
        let played = wires.media.play(leg.0, operation.0, list, repeat);
        // Stopped since: that stop may have come before this play.
        if !self.plays().contains_key(&operation) {
            wires.media.stop(leg.0, operation.0);
        }
        played.map_err(|busy| PlayOutcome::Failed(busy.to_string()))
    }

    /// A prompt, fetched and decoded, and counted.
    async fn fetch(&self, leg: LegId, app: &AppId, index: usize, uri: &str) -> Result<Arc<media::Prompt>, PlayOutcome> {
        let began = Instant::now();
        let fetched = self.fetch_uncounted(leg, app, index, uri).await;
        let outcome = match &fetched {
            Ok(_) => Fetch::Decoded,
            Err(PlayOutcome::Invalid(_)) => Fetch::Invalid,
            Err(_) => Fetch::Unavailable,
        };
        self.shared.trace.metrics().prompt(outcome, began.elapsed());
        fetched
    }

    async fn fetch_uncounted(
        &self,
        leg: LegId,
        app: &AppId,
        index: usize,
        uri: &str,
    ) -> Result<Arc<media::Prompt>, PlayOutcome> {
        let unavailable = |why: String| PlayOutcome::Unavailable(format!("prompts[{index}]: {why}"));
        let target = Target::parse(uri).map_err(|error| unavailable(error.to_string()))?;
        let app = self.shared.directory.current().app(app).cloned();
        let own = app.as_ref().map(|app| app.webhook.origin());
        let bytes = self.shared.outbound.get(&target, own, media::limits::PROMPT_BYTES, limits::PROMPT_TIME).await;
        let bytes = bytes.map_err(|error| unavailable(error.to_string()))?;
        let engine = self.wires().map(|wires| wires.media.clone());
        let decoded = tokio::task::spawn_blocking(move || {
            let prompt = media::Prompt::decode(&bytes)?;
            engine.inspect(|engine| engine.prepare(leg.0, &prompt));
            Ok::<_, media::PromptError>(prompt)
        });
        let decoded = decoded.await;
        match decoded {
            Ok(Ok(prompt)) => Ok(Arc::new(prompt)),
            Ok(Err(error)) => Err(PlayOutcome::Invalid(format!("prompts[{index}]: {error}"))),
            Err(_) => Err(PlayOutcome::Failed(format!("prompts[{index}] could not be decoded"))),
        }
    }

    fn forget(&self, operation: OperationId) -> Option<AbortHandle> {
        self.plays().remove(&operation)
    }

    /// What is being fetched, until it plays.
    fn plays(&self) -> MutexGuard<'_, HashMap<OperationId, AbortHandle>> {
        // Changed only by whole inserts and removes, so a poisoned lock is still sound.
        self.shared.plays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
