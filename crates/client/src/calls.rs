//! Sorts notifications to the calls they tell of. One task, never waiting on a bot: every place
//! it writes to is bounded, and a state overtaken by a newer one is simply replaced.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringback_graph::{self as wire, ChangeType, ResourceData, Subject};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::call::Call;
use crate::follow::Followed;
use crate::notifications::Notifications;
use crate::{Error, Graph, limits};

/// A bot's calls: those that come in and those it makes.
pub struct Calls {
    graph: Graph,
    book: Arc<Book>,
    incoming: tokio::sync::Mutex<mpsc::Receiver<Call>>,
    /// Ends the sorting task when dropped.
    _sorter: JoinSet<()>,
}

impl Calls {
    /// Follows every call `notifications` tell of, until they or this are dropped. Needs a tokio
    /// runtime.
    pub fn new(graph: Graph, notifications: Notifications) -> Calls {
        let book = Arc::new(Book::default());
        let (ring, incoming) = mpsc::channel(limits::INCOMING_CALLS);
        let mut sorter = JoinSet::new();
        sorter.spawn(sort(graph.clone(), book.clone(), notifications, ring));
        Calls { graph, book, incoming: tokio::sync::Mutex::new(incoming), _sorter: sorter }
    }

    /// The next incoming call, to be answered or rejected within 15 s (contract §2.3); `None`
    /// when notifications are no longer received. Cancel-safe.
    pub async fn incoming(&self) -> Option<Call> {
        self.incoming.lock().await.recv().await
    }

    /// Places a call; see [`Graph::create_call`].
    ///
    /// # Errors
    /// Those of [`Graph::create_call`].
    pub async fn create(&self, call: &wire::CreateCall<'_>) -> Result<Call, Error> {
        let created = self.graph.create_call(call).await?;
        let id = created.id.ok_or_else(|| Error::Answer("the call has no id".into()))?;
        Ok(self.follow(&id))
    }

    /// A handle for a call known by its id. What was told of it before is lost, unless it was
    /// told to this process.
    pub fn follow(&self, id: &str) -> Call {
        Call::new(self.graph.clone(), self.book.follow(id))
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.book.close();
    }
}

/// The request for a call to one user, number or SIP address, with audio hosted by the platform;
/// its notifications go to `callback_uri`. For [`Calls::create`] and [`Graph::create_call`].
pub fn call_to<'a>(
    kind: wire::IdentityKind,
    id: impl Into<Cow<'a, str>>,
    callback_uri: impl Into<Cow<'a, str>>,
) -> wire::CreateCall<'a> {
    let identity = wire::IdentitySet::of(kind, id);
    wire::CreateCall {
        callback_uri: callback_uri.into(),
        targets: vec![wire::InvitationParticipantInfo { identity, replaces_call_id: None }],
        source: None,
        subject: None,
        tenant_id: None,
        requested_modalities: vec![wire::Modality::Audio],
        media_config: wire::MediaConfig::service_hosted(),
        ringing_timeout_in_seconds: None,
        chat_info: None,
        meeting_info: None,
        join_web_url: None,
    }
}

async fn sort(graph: Graph, book: Arc<Book>, mut notifications: Notifications, ring: mpsc::Sender<Call>) {
    while let Some(told) = notifications.recv().await {
        let Some(followed) = book.told(&told.call) else {
            tracing::warn!("too many calls followed: a notification is dropped");
            continue;
        };
        followed.heard_of();
        match (told.change_type, told.subject, told.data) {
            (ChangeType::Created, _, ResourceData::Call(call)) => {
                let first = followed.announce(*call);
                if first && ring.try_send(Call::new(graph.clone(), followed)).is_err() {
                    tracing::warn!("too many incoming calls wait: one is left to ring out");
                }
            }
            (ChangeType::Updated, _, ResourceData::Call(call)) => followed.changed(&call),
            (ChangeType::Deleted, _, ResourceData::Call(call)) => {
                followed.end(&call);
                book.ended(&told.call);
            }
            (ChangeType::Deleted, Subject::Operation(id), ResourceData::Operation(operation)) => {
                followed.operation_ended(&id, operation);
            }
            // The roster, and what this SDK does not know.
            _ => {}
        }
    }
    book.close();
}

/// Calls by id in lower case: ids are compared without case (contract §6).
#[derive(Default)]
struct Book {
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    calls: HashMap<String, Arc<Followed>>,
    /// Ended ones among them, oldest first.
    ended: VecDeque<String>,
    closed: bool,
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a handle: always given, so that a call just made can be waited on.
    fn follow(&self, id: &str) -> Arc<Followed> {
        let mut pages = self.pages();
        let closed = pages.closed;
        let page = || Arc::new(Followed::new(id));
        let followed = pages.calls.entry(id.to_ascii_lowercase()).or_insert_with(page).clone();
        if closed {
            followed.close();
        }
        followed
    }

    /// For a notification: a new call only while there is room.
    fn told(&self, id: &str) -> Option<Arc<Followed>> {
        let mut pages = self.pages();
        let key = id.to_ascii_lowercase();
        if !pages.calls.contains_key(&key) && pages.calls.len() >= limits::CALLS {
            // Those no one holds may be calls whose end was never told.
            pages.calls.retain(|_, followed| Arc::strong_count(followed) > 1);
            if pages.calls.len() >= limits::CALLS {
                return None;
            }
        }
        Some(pages.calls.entry(key).or_insert_with(|| Arc::new(Followed::new(id))).clone())
    }

    fn ended(&self, id: &str) {
        let mut pages = self.pages();
        pages.ended.push_back(id.to_ascii_lowercase());
        if pages.ended.len() > limits::ENDED_CALLS
            && let Some(oldest) = pages.ended.pop_front()
        {
            pages.calls.remove(&oldest);
        }
    }

    fn close(&self) {
        let mut pages = self.pages();
        pages.closed = true;
        pages.calls.drain().for_each(|(_, followed)| followed.close());
    }
}
