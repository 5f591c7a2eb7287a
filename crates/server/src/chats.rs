//! Messages that bots post to chats: kept as documents of the ledger, the last [`limits::CHAT_MESSAGES`] of all chats, and
//! shown to those who ask. Nobody reads them but bots and the operator: there are no people in these chats.
//!
//! It must not know what Graph calls things, nor who may post.

use std::collections::VecDeque;
use std::sync::Arc;

use ringback_core::{AppId, Now, TenantId};
use ringback_ledger::{Ledger, PutError, ReadError, Version};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use crate::limits;

/// Documents of this kind are messages. There are as many as may be kept: each new one takes the place of the oldest.
const KIND: &str = "chat-message";

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// Milliseconds since 1970 when it was posted; no two messages have the same.
    pub(crate) id: i64,
    /// The tenant, which alone sees it.
    pub(crate) tenant: TenantId,
    /// The chat: a thread's id.
    pub(crate) chat: String,
    /// Who posted it.
    pub(crate) app: AppId,
    /// And the name of that.
    pub(crate) app_name: String,
    /// Whether it is HTML.
    pub(crate) html: bool,
    /// What it says.
    pub(crate) content: String,
    /// `normal`, `high` or `urgent`.
    pub(crate) importance: String,
    /// Cards and files, as the bot wrote them.
    pub(crate) attachments: serde_json::Value,
}

/// Why a message was not kept. The texts are for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    /// The bound.
    #[error("the message has {0} bytes with its attachments; at most {max} are kept", max = limits::CHAT_MESSAGE)]
    TooLong(usize),
    /// The ledger did not.
    #[error("it could not be recorded: {0}")]
    Ledger(String),
}

/// The chats: a handle, cheap to clone.
#[derive(Clone)]
pub(crate) struct Chats {
    ledger: Arc<dyn Ledger>,
    kept: Arc<Mutex<VecDeque<Kept>>>,
}

/// A message, and the document that holds it.
struct Kept {
    slot: usize,
    version: Version,
    message: Message,
}

impl Chats {
    /// Reads what was kept before. A document that does not read is left out, and its place is taken again.
    pub(crate) async fn open(ledger: Arc<dyn Ledger>) -> Result<Self, ReadError> {
        let mut kept: Vec<Kept> = Vec::new();
        for document in ledger.document_list(KIND, None, limits::CHAT_MESSAGES).await? {
            let message = serde_json::from_str(&document.text);
            match (document.id.parse(), message) {
                (Ok(slot), Ok(message)) => kept.push(Kept { slot, version: document.version, message }),
                _ => tracing::warn!(id = document.id, "a chat message in the ledger does not read"),
            }
        }
        kept.sort_by_key(|kept| kept.message.id);
        Ok(Self { ledger, kept: Arc::new(Mutex::new(kept.into())) })
    }

    /// Keeps a message, gives it its id, and answers once it is durable. The oldest of all makes room for it. Goes on to
    /// its end though nobody waits for it any more: a client that hangs up must not leave it half kept.
    pub(crate) async fn post(&self, now: Now, message: Message) -> Result<Message, NotKept> {
        let chats = self.clone();
        let kept = tokio::spawn(async move { chats.keep(now, message).await }).await;
        kept.unwrap_or_else(|error| Err(NotKept::Ledger(error.to_string())))
    }

    async fn keep(&self, now: Now, mut message: Message) -> Result<Message, NotKept> {
        let mut kept = self.kept.lock().await;
        let last = kept.back().map_or(0, |kept| kept.message.id);
        message.id = (now.0 / 1_000).max(last + 1);
        let text = serde_json::to_string(&message).unwrap_or_default();
        if text.len() > limits::CHAT_MESSAGE {
            return Err(NotKept::TooLong(text.len()));
        }
        let (slot, version) = self.place(&kept).await;
        let id = format!("{slot:04}");
        let put = match self.ledger.document_put_if_version(KIND, &id, version, text.clone()).await {
            // An earlier put whose outcome was not known: its message was not answered, and this one takes its place.
            Err(PutError::WrongVersion { found }) => self.ledger.document_put_if_version(KIND, &id, found, text).await,
            put => put,
        };
        let version = put.map_err(|error| NotKept::Ledger(error.to_string()))?;
        if kept.len() >= limits::CHAT_MESSAGES {
            kept.pop_front();
        }
        kept.push_back(Kept { slot, version, message: message.clone() });
        Ok(message)
    }

    /// The document that the next message goes into, and its version.
    async fn place(&self, kept: &MutexGuard<'_, VecDeque<Kept>>) -> (usize, Version) {
        match kept.front() {
            Some(oldest) if kept.len() >= limits::CHAT_MESSAGES => (oldest.slot, oldest.version),
            _ => {
                let free = (0..).find(|slot| kept.iter().all(|kept| kept.slot != *slot)).unwrap_or_default();
                // One that did not read has a version nevertheless.
                let there = self.ledger.document_get(KIND, &format!("{free:04}")).await;
                (free, there.ok().flatten().map_or(Version(0), |document| document.version))
            }
        }
    }

    /// The messages of a tenant's chat, the last first; chats are compared without case.
    pub(crate) async fn of(&self, tenant: &TenantId, chat: &str) -> Vec<Message> {
        let kept = self.kept.lock().await;
        let of = |message: &&Message| message.tenant == *tenant && message.chat.eq_ignore_ascii_case(chat);
        kept.iter().rev().map(|kept| &kept.message).filter(of).cloned().collect()
    }

    /// All that are kept, the last first: for the operator.
    pub(crate) async fn all(&self) -> Vec<Message> {
        self.kept.lock().await.iter().rev().map(|kept| kept.message.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_ledger::MemoryLedger;
    use serde_json::json;

    fn message(chat: &str, content: &str) -> Message {
        Message {
            id: 0,
            tenant: TenantId::new("t"),
            chat: chat.to_owned(),
            app: AppId::new("a"),
            app_name: "Bot".to_owned(),
            html: false,
            content: content.to_owned(),
            importance: "normal".to_owned(),
            attachments: json!([]),
        }
    }

    async fn contents(chats: &Chats, chat: &str) -> Vec<String> {
        chats.of(&TenantId::new("t"), chat).await.into_iter().map(|message| message.content).collect()
    }

    #[tokio::test]
    async fn messages_outlive_the_process_in_their_order() {
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let chats = Chats::open(Arc::clone(&ledger)).await.unwrap();
        // One clock, three messages: ids go on all the same.
        for content in ["one", "two", "three"] {
            chats.post(Now(5_000_000), message("19:X@thread.v2", content)).await.unwrap();
        }
        chats.post(Now(4_000_000), message("other", "four")).await.unwrap();
        let ids: Vec<i64> = chats.all().await.iter().map(|message| message.id).collect();
        assert_eq!(ids, [5_003, 5_002, 5_001, 5_000]);
        let after = Chats::open(ledger).await.unwrap();
        assert_eq!(contents(&after, "19:x@THREAD.v2").await, ["three", "two", "one"]);
        assert_eq!(after.of(&TenantId::new("u"), "other").await, []);
        assert_eq!(after.all().await, chats.all().await);
        after.post(Now(0), message("other", "five")).await.unwrap();
        assert_eq!(contents(&after, "other").await, ["five", "four"]);
    }

    #[tokio::test]
    async fn the_oldest_makes_room_and_a_long_one_is_refused() {
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let chats = Chats::open(Arc::clone(&ledger)).await.unwrap();
        for n in 0..limits::CHAT_MESSAGES + 2 {
            chats.post(Now(0), message("c", &n.to_string())).await.unwrap();
        }
        let long = chats.post(Now(0), message("c", &"x".repeat(limits::CHAT_MESSAGE))).await;
        assert!(matches!(long, Err(NotKept::TooLong(_))), "{long:?}");
        let kept = contents(&chats, "c").await;
        assert_eq!((kept.len(), kept.last().map(String::as_str)), (limits::CHAT_MESSAGES, Some("2")));
        assert_eq!(contents(&Chats::open(Arc::clone(&ledger)).await.unwrap(), "c").await, kept);
        let documents = ledger.document_list(KIND, None, 2 * limits::CHAT_MESSAGES).await.unwrap();
        assert_eq!(documents.len(), limits::CHAT_MESSAGES);
        // A put that was carried out though it was said to have failed.
        let put = ledger.document_put_if_version(KIND, &documents[2].id, documents[2].version, "?".to_owned());
        put.await.unwrap();
        chats.post(Now(0), message("c", "after it")).await.unwrap();
        assert_eq!(contents(&Chats::open(ledger).await.unwrap(), "c").await[0], "after it");
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_leaves_no_message_half_kept() {
        let chats = Chats::open(Arc::new(MemoryLedger::new())).await.unwrap();
        let others_turn = chats.kept.lock().await;
        let mut post = Box::pin(chats.post(Now(0), message("c", "kept")));
        tokio::select! {
            biased;
            posted = &mut post => panic!("{posted:?}"),
            () = tokio::task::yield_now() => drop(post),
        }
        drop(others_turn);
        let kept = async { while contents(&chats, "c").await != ["kept"] {} };
        tokio::time::timeout(std::time::Duration::from_secs(60), kept).await.unwrap();
    }
}
