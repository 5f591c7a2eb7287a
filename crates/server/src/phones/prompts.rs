//! Prompts that were fetched: found again by the key the bot gave them (`resourceId`, contract §1.6), and decoded and
//! encoded once for each content, whoever plays it. Bounded; the least used goes first. Fetches nothing itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aws_lc_rs::digest;
use ringback_core::{AppId, Prompt};
use ringback_media as media;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// The prompts.
#[derive(Default)]
pub(super) struct Prompts {
    kept: Mutex<Kept>,
    fetching: Mutex<HashMap<AppId, Arc<Semaphore>>>,
}

impl Prompts {
    /// What the bot meant by this key not long ago, if it is still kept.
    pub(super) fn known(&self, key: &Key) -> Option<Arc<media::Prompt>> {
        self.kept().known(key, Instant::now())
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
