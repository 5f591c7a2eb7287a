//! Prompts that were fetched: found again by the key the bot gave them (`resourceId`, contract §1.6), fetched once by all
//! who want them at a time, and decoded and encoded once for each content, whoever plays it. Bounded; the least used goes
//! first. Fetches nothing itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use aws_lc_rs::digest;
use ringback_core::{AppId, PlayOutcome, Prompt};
use ringback_media as media;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;

use crate::limits::{PROMPT_BYTES_KEPT, PROMPT_FETCHES_PER_APP, PROMPT_KEY_LIFE, PROMPT_KEYS_PER_APP};

/// The bytes of a file, told apart.
type Content = [u8; digest::SHA256_OUTPUT_LEN];

/// What a bot calls a prompt; another app's is another prompt.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    app: AppId,
    uri: String,
    resource: String,
}

impl Key {
    /// None where the bot gave no `resourceId`: then each operation fetches anew.
    pub(super) fn of(app: &AppId, prompt: &Prompt) -> Option<Key> {
        let resource = prompt.resource_id.clone().filter(|id| !id.is_empty())?;
        Some(Key { app: app.clone(), uri: prompt.uri.clone(), resource })
    }
}

/// A prompt, or how the operation that wants it ends.
pub(super) type Fetched = Result<Arc<media::Prompt>, PlayOutcome>;

/// The prompts.
#[derive(Default)]
pub(super) struct Prompts {
    kept: Mutex<Kept>,
    fetching: Mutex<HashMap<AppId, Arc<Semaphore>>>,
    /// What is being fetched, as long as somebody waits for it.
    flights: Mutex<HashMap<Key, Weak<Flight>>>,
}

/// A fetch that many may wait for. It ends with the last of them.
struct Flight {
    prompts: Arc<Prompts>,
    key: Key,
    task: AbortHandle,
    /// None until it has ended.
    landed: watch::Receiver<Option<Fetched>>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
        let mut flights = self.prompts.flights();
        // Another one may have its place already.
        if flights.get(&self.key).is_some_and(|flight| flight.strong_count() == 0) {
            flights.remove(&self.key);
        }
    }
}

impl Prompts {
    /// What the bot meant by this key not long ago, if it is still kept.
    pub(super) fn known(&self, key: &Key) -> Option<Arc<media::Prompt>> {
        self.kept().known(key, Instant::now())
    }

    /// What the bot means by this key: kept, or as it is fetched by whoever came first. Who does not wait any longer takes
    /// nothing from the others. Within a tokio runtime.
    pub(super) async fn fetched_once(
        self: &Arc<Self>,
        key: Key,
        fetch: impl Future<Output = Fetched> + Send + 'static,
    ) -> Fetched {
        let flight = {
            let mut flights = self.flights();
            // What has landed was kept before its flight ended.
            if let Some(known) = self.known(&key) {
                return Ok(known);
            }
            let under_way = flights.get(&key).and_then(Weak::upgrade);
            under_way.unwrap_or_else(|| {
                let (sender, landed) = watch::channel(None);
                let task = tokio::spawn(async move { drop(sender.send_replace(Some(fetch.await))) }).abort_handle();
                let flight = Arc::new(Flight { prompts: Arc::clone(self), key: key.clone(), task, landed });
                flights.insert(key, Arc::downgrade(&flight));
                flight
            })
        };
        let mut landed = flight.landed.clone();
        let landed = landed.wait_for(Option::is_some).await.ok().and_then(|fetched| fetched.clone());
        // It ends without a word only if it panicked.
        landed.unwrap_or_else(|| Err(PlayOutcome::Failed("it could not be fetched".to_owned())))
    }

    /// Decodes a file, unless the same bytes were decoded before. Not for an async thread.
    pub(super) fn decode(&self, bytes: &[u8], key: Option<Key>) -> Result<Arc<media::Prompt>, media::PromptError> {
        let mut content = Content::default();
        content.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        let before = self.kept().content(&content);
        let prompt = match before {
            Some(prompt) => prompt,
            None => Arc::new(media::Prompt::decode(bytes)?),
        };
        self.kept().keep(content, &prompt, key, Instant::now());
        Ok(prompt)
    }

    /// Waits until the app may fetch one more.
    pub(super) async fn turn(&self, app: &AppId) -> Option<OwnedSemaphorePermit> {
        let turns = {
            // Changed only by whole inserts, so a poisoned lock is still sound. Only apps of the directory have calls.
            let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(PROMPT_FETCHES_PER_APP));
            Arc::clone(fetching.entry(app.clone()).or_insert_with(new))
        };
        turns.acquire_owned().await.ok()
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Key, Weak<Flight>>> {
        // Changed only by whole inserts and removes, so a poisoned lock is still sound.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // At worst the count of bytes is wrong until what it counts has gone.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Kept {
    contents: HashMap<Content, Held>,
    keys: HashMap<Key, Known>,
    bytes: usize,
    /// Counts uses; the least used has the lowest.
    uses: u64,
}

struct Held {
    prompt: Arc<media::Prompt>,
    bytes: usize,
    used: u64,
}

struct Known {
    content: Content,
    fetched: Instant,
    used: u64,
}

impl Kept {
    fn known(&mut self, key: &Key, now: Instant) -> Option<Arc<media::Prompt>> {
        let known = self.keys.get_mut(key)?;
        if now.saturating_duration_since(known.fetched) >= PROMPT_KEY_LIFE {
            self.keys.remove(key);
            return None;
        }
        self.uses += 1;
        known.used = self.uses;
        let content = known.content;
        self.content(&content)
    }

    fn content(&mut self, content: &Content) -> Option<Arc<media::Prompt>> {
        let held = self.contents.get_mut(content)?;
        self.uses += 1;
        held.used = self.uses;
        Some(Arc::clone(&held.prompt))
    }

    fn keep(&mut self, content: Content, prompt: &Arc<media::Prompt>, key: Option<Key>, now: Instant) {
        self.uses += 1;
        let used = self.uses;
        let bytes = weight(prompt);
        if bytes > PROMPT_BYTES_KEPT {
            return;
        }
        if let Some(key) = key {
            self.make_room(&key);
            self.keys.insert(key, Known { content, fetched: now, used });
        }
        let held = Held { prompt: Arc::clone(prompt), bytes, used };
        if self.contents.insert(content, held).is_none() {
            self.bytes += bytes;
        }
        while self.bytes > PROMPT_BYTES_KEPT {
            let least = self.contents.iter().min_by_key(|(_, held)| held.used).map(|(content, _)| *content);
            let Some(gone) = least.and_then(|least| self.contents.remove(&least)) else { return };
            self.bytes -= gone.bytes;
        }
    }

    /// An app that has as many keys as it may loses the one it used least.
    fn make_room(&mut self, key: &Key) {
        if self.keys.contains_key(key) {
            return;
        }
        let own = || self.keys.iter().filter(|(other, _)| other.app == key.app);
        if own().count() < PROMPT_KEYS_PER_APP {
            return;
        }
        let least = own().min_by_key(|(_, known)| known.used).map(|(least, _)| least.clone());
        least.and_then(|least| self.keys.remove(&least));
    }
}

/// Bytes in memory once it is encoded in every codec: two for a sample at 16 kHz, and half a byte for each codec.
fn weight(prompt: &media::Prompt) -> usize {
    prompt.pcm16k().len() * (4 + media::Codec::ALL.len()) / 2
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;

    fn key(app: &str, resource: &str) -> Key {
        Key { app: AppId::new(app), uri: "http://bot.example/a.wav".to_owned(), resource: resource.to_owned() }
    }

    fn prompt(samples: usize) -> Arc<media::Prompt> {
        Arc::new(media::Prompt::from_pcm16k(vec![0; samples]))
    }

    #[test]
    fn a_key_is_its_apps_own_and_lives_for_a_while() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        kept.keep([1; 32], &prompt(10), Some(key("a", "r")), now);
        assert!(kept.known(&key("a", "r"), now).is_some());
        assert!(kept.known(&key("b", "r"), now).is_none());
        assert!(kept.known(&key("a", "s"), now).is_none());
        assert!(kept.known(&key("a", "r"), now + PROMPT_KEY_LIFE).is_none());
    }

    /// A fetch that counts itself and lands when it is told to.
    fn fetch(
        prompts: &Arc<Prompts>,
        count: &Arc<AtomicUsize>,
        land: &Arc<Notify>,
        outcome: Fetched,
    ) -> impl Future<Output = Fetched> + use<> {
        let (count, land, prompts) = (Arc::clone(count), Arc::clone(land), Arc::clone(prompts));
        let fetch = async move {
            count.fetch_add(1, Ordering::Relaxed);
            land.notified().await;
            outcome
        };
        async move { prompts.fetched_once(key("a", "r"), fetch).await }
    }

    /// Lets every task run until it waits.
    async fn all_wait() {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn all_who_want_it_at_a_time_wait_for_one_fetch_and_whoever_leaves_takes_it_from_nobody() {
        let (prompts, count, land) =
            (Arc::new(Prompts::default()), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        for outcome in [Ok(prompt(1)), Err(PlayOutcome::Unavailable("no".to_owned()))] {
            count.store(0, Ordering::Relaxed);
            let mut all: Vec<_> =
                (0..50).map(|_| tokio::spawn(fetch(&prompts, &count, &land, outcome.clone()))).collect();
            all_wait().await;
            // Also the one who began it.
            for gone in all.drain(..10) {
                gone.abort();
            }
            all_wait().await;
            land.notify_one();
            for waits in all {
                let fetched = waits.await.expect("it was not cancelled");
                assert_eq!(fetched.map(|prompt| prompt.pcm16k().len()), outcome.clone().map(|_| 1));
            }
            assert_eq!((count.load(Ordering::Relaxed), prompts.flights().len()), (1, 0));
        }
        // Nobody waits: it is not fetched to its end, and whoever comes next fetches it anew.
        let only = tokio::spawn(fetch(&prompts, &count, &land, Ok(prompt(1))));
        all_wait().await;
        only.abort();
        all_wait().await;
        assert_eq!((prompts.flights().len(), Arc::strong_count(&count)), (0, 1));
    }

    #[tokio::test]
    async fn an_app_whose_host_is_dead_takes_no_turn_of_another() {
        let (prompts, dead, other) = (Prompts::default(), AppId::new("dead"), AppId::new("other"));
        let mut held = Vec::new();
        for _ in 0..PROMPT_FETCHES_PER_APP {
            held.push(prompts.turn(&dead).await);
        }
        let at_once = |app| tokio::time::timeout(Duration::ZERO, prompts.turn(app));
        assert!(at_once(&dead).await.is_err());
        assert!(at_once(&other).await.is_ok_and(|turn| turn.is_some()));
        held.pop();
        assert!(at_once(&dead).await.is_ok_and(|turn| turn.is_some()));
    }

    #[test]
    fn what_was_used_least_goes_first() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let third = PROMPT_BYTES_KEPT / 3 / 7 * 2;
        for number in 1..=3 {
            kept.keep([number; 32], &prompt(third), Some(key("a", &number.to_string())), now);
        }
        assert!(kept.known(&key("a", "1"), now).is_some());
        kept.keep([4; 32], &prompt(third), None, now);
        assert!(kept.known(&key("a", "1"), now).is_some());
        assert!(kept.known(&key("a", "2"), now).is_none());
        assert!(kept.bytes <= PROMPT_BYTES_KEPT);
        let counted: usize = kept.contents.values().map(|held| held.bytes).sum();
        assert_eq!(kept.bytes, counted);
    }

    #[test]
    fn an_app_has_so_many_keys() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        kept.keep([1; 32], &prompt(1), Some(key("b", "b")), now);
        for number in 0..=PROMPT_KEYS_PER_APP {
            kept.keep([1; 32], &prompt(1), Some(key("a", &number.to_string())), now);
        }
        assert_eq!(kept.keys.len(), PROMPT_KEYS_PER_APP + 1);
        assert!(kept.known(&key("a", "0"), now).is_none(), "its own oldest went");
        assert!(kept.known(&key("b", "b"), now).is_some(), "and no one else's");
    }
}
