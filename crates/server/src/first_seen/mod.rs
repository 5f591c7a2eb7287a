//! Apps that are in no configuration: accepted on first sight where the directory is open, kept as documents of the
//! ledger so that a restart knows them, and shown in the directory beside the configured ones.
//!
//! The only room that changes the directory. It must not know tokens or HTTP; it sees no secret, only hashes.

mod seen;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringback_core::AppId;
use ringback_ledger::{Ledger, PutError, ReadError, Version};

use crate::clock::Clock;
use crate::directory::{App, Directory, SecretHash, SharedDirectory, TenantAsked};
use crate::limits;
use crate::trace::{Entry, Timeline};

pub use seen::{BadWish, Callback, Wish};
use seen::{Seen, is_app_id};

/// Documents of this kind are apps, by id; and one of them, [`TEMPLATE`], is what an app gets.
const KIND: &str = "app-first-seen";

/// Stands for every app that is seen for the first time from then on.
pub const TEMPLATE: &str = "first-seen";

/// Why an app is not taken, or what is said of it is not. The texts are for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The directory is not open.
    #[error(
        "this server knows the apps of its configuration only: set server.identities = \"any\" to have it accept others"
    )]
    Strict,
    /// Nothing that could be a client id.
    #[error("an app's id is a GUID, such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301")]
    BadId,
    /// What is said of it does not read.
    #[error(transparent)]
    Wish(#[from] BadWish),
    /// The tenant is configured.
    #[error("the app's tenant is configured, and is another one")]
    TenantConfigured,
    /// The bound.
    #[error(
        "this server has seen as many apps as it remembers ({}): have it forget one (DELETE /_ringback/apps/{{id}})",
        limits::APPS_FIRST_SEEN
    )]
    TooMany,
    /// No app of this id was seen.
    #[error("no such app was seen, and nothing was said of it")]
    Unknown,
    /// The ledger did not keep it.
    #[error("it could not be recorded: {0}")]
    NotKept(String),
}

/// The apps first seen: a handle, cheap to clone.
#[derive(Clone)]
pub struct FirstSeen {
    shared: Arc<Shared>,
}

struct Shared {
    directory: SharedDirectory,
    ledger: Arc<dyn Ledger>,
    clock: Clock,
    timeline: Timeline,
    known: Mutex<Known>,
    /// Held while a document is written: one at a time.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// The directory as configured.
    configured: Directory,
    documents: HashMap<AppId, (Version, Seen)>,
}

impl FirstSeen {
    /// Nobody was seen yet. The directory is shown as it is.
    pub fn new(directory: SharedDirectory, ledger: Arc<dyn Ledger>, clock: Clock, timeline: Timeline) -> FirstSeen {
        let configured = Directory::clone(&directory.current());
        let known = Mutex::new(Known { configured, documents: HashMap::new() });
        let shared = Shared { directory, ledger, clock, timeline, known, writing: tokio::sync::Mutex::default() };
        FirstSeen { shared: Arc::new(shared) }
    }

    /// The same for tests of other rooms: remembered by this process alone.
    #[cfg(test)]
    pub(crate) fn in_memory(directory: SharedDirectory) -> FirstSeen {
        let (clock, ledger) = (Clock::start(), Arc::new(ringback_ledger::MemoryLedger::new()));
        FirstSeen::new(directory, ledger, clock, Timeline::new(clock))
    }

    /// Reads what earlier processes saw. A document that does not read is left as it is, and said in the trace.
    pub async fn load(&self) -> Result<(), ReadError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.shared.ledger.document_list(KIND, after.as_deref(), limits::READ_PAGE).await?;
            let mut known = self.known();
            for document in &page {
                match Seen::read(&document.text) {
                    Ok(seen) => {
                        known.documents.insert(AppId::new(&document.id), (document.version, seen));
                    }
                    Err(why) => tracing::error!(app = document.id, why, "an app first seen cannot be read"),
                }
            }
            if page.len() < limits::READ_PAGE {
                self.publish(&known);
                return Ok(());
            }
            after = page.last().map(|document| document.id.clone());
        }
    }

    /// The configuration was read again.
    pub fn configure(&self, configured: Directory) {
        let mut known = self.known();
        known.configured = configured;
        self.publish(&known);
    }

    /// The app asked for a token: it is seen, and is answered as it is from now on. `secret`: the hash of what it came
    /// with, kept if it has none yet. To be asked only once the app's secret, if it has one, was found right.
    pub async fn admit(
        &self,
        id: &AppId,
        asked: &TenantAsked,
        secret: Option<&SecretHash>,
    ) -> Result<Arc<App>, NotTaken> {
        if !is_app_id(id.as_str()) {
            return Err(NotTaken::BadId);
        }
        let mut is_new = false;
        self.change(id, |known, seen, now| {
            is_new = seen.is_none() && known.configured.app(id).is_none();
            let template = known.documents.get(&AppId::new(TEMPLATE)).map(|(_, template)| template);
            let is_last = known.last_heard() == Some(id);
            let mut seen = seen.cloned().unwrap_or_default();
            seen.meet(template, now);
            // A newer one has the numbers published for development until this one is heard of again.
            if !is_last {
                seen.heard = now;
            }
            if let TenantAsked::Named(tenant) = asked {
                seen.wish.tenant = Some(tenant.as_str().to_owned());
            }
            if seen.secret_hash.is_none() && known.configured.app(id).is_none() {
                seen.secret_hash = secret.map(SecretHash::to_string);
            }
            Ok(seen)
        })
        .await?;
        let app = self.shown(id)?;
        if is_new {
            let text = format!("app {} is seen for the first time, in tenant {}", app.id, app.tenant);
            self.shared.timeline.add("identity", || Entry::of_none(text).of_app(Some(&app.id)));
        }
        Ok(app)
    }

    /// The operator says where an app is told of things. What was said before is replaced; its secret stays, and its
    /// tenant where none is said.
    pub async fn put(&self, id: &AppId, wish: Wish) -> Result<Arc<App>, NotTaken> {
        if !is_app_id(id.as_str()) {
            return Err(NotTaken::BadId);
        }
        self.put_any(id, wish).await?;
        self.shown(id)
    }

    /// The same for every app that is seen for the first time from then on, or again.
    pub async fn put_template(&self, wish: Wish) -> Result<Wish, NotTaken> {
        self.put_any(&AppId::new(TEMPLATE), wish).await?;
        self.template().ok_or(NotTaken::Strict)
    }

    async fn put_any(&self, id: &AppId, wish: Wish) -> Result<(), NotTaken> {
        let wish = wish.checked()?;
        self.change(id, |known, seen, now| {
            let tenant = match wish.tenant.as_deref() {
                Some(asked) => match known.configured.tenant_asked(asked) {
                    Some(TenantAsked::Named(tenant)) => Some(tenant.as_str().to_owned()),
                    Some(TenantAsked::OfApp) | None => return Err(BadWish::Tenant.into()),
                },
                None => seen.and_then(|seen| seen.wish.tenant.clone()),
            };
            let configured = known.configured.app(id).filter(|app| app.configured);
            if configured.is_some_and(|app| tenant.as_deref().is_some_and(|said| app.tenant.as_str() != said)) {
                return Err(NotTaken::TenantConfigured);
            }
            let secret_hash = seen.and_then(|seen| seen.secret_hash.clone());
            Ok(Seen { wish: Wish { tenant, ..wish }, secret_hash, heard: now, said: now })
        })
        .await
    }

    /// What an app gets that is seen for the first time; `None`: nothing was said.
    pub fn template(&self) -> Option<Wish> {
        self.known().documents.get(&AppId::new(TEMPLATE)).map(|(_, seen)| seen.wish.clone())
    }

    /// Forgets an app that was seen, its secret included, and what was said of one that is configured.
    pub async fn forget(&self, id: &AppId) -> Result<(), NotTaken> {
        let _writing = self.shared.writing.lock().await;
        let version = {
            let known = self.known();
            if !known.configured.is_open() {
                return Err(NotTaken::Strict);
            }
            known.documents.get(id).map(|(version, _)| *version).ok_or(NotTaken::Unknown)?
        };
        let removed = self.shared.ledger.document_remove_if_version(KIND, id.as_str(), version).await;
        removed.map_err(|error| NotTaken::NotKept(error.to_string()))?;
        let mut known = self.known();
        known.documents.remove(id);
        self.publish(&known);
        Ok(())
    }

    /// Records what is to be known of an app, if that is anything new, and shows it.
    async fn change(
        &self,
        id: &AppId,
        make: impl FnOnce(&Known, Option<&Seen>, i64) -> Result<Seen, NotTaken>,
    ) -> Result<(), NotTaken> {
        let _writing = self.shared.writing.lock().await;
        let now = self.shared.clock.now().0;
        let (version, seen, is_same) = {
            let known = self.known();
            if !known.configured.is_open() {
                return Err(NotTaken::Strict);
            }
            let before = known.documents.get(id);
            let seen = make(&known, before.map(|(_, seen)| seen), now)?;
            if before.is_none() && known.documents.len() >= limits::APPS_FIRST_SEEN {
                return Err(NotTaken::TooMany);
            }
            let is_same = before.is_some_and(|(_, before)| *before == seen);
            (before.map_or(Version(0), |(version, _)| *version), seen, is_same)
        };
        if !is_same {
            let version = self.keep(id, version, &seen).await?;
            let mut known = self.known();
            known.documents.insert(id.clone(), (version, seen));
            self.publish(&known);
        }
        Ok(())
    }

    /// The app as the directory shows it.
    fn shown(&self, id: &AppId) -> Result<Arc<App>, NotTaken> {
        self.shared.directory.current().app(id).cloned().ok_or(NotTaken::Unknown)
    }

    async fn keep(&self, id: &AppId, version: Version, seen: &Seen) -> Result<Version, NotTaken> {
        let put = |version| self.shared.ledger.document_put_if_version(KIND, id.as_str(), version, seen.print());
        let kept = match put(version).await {
            // An earlier put whose outcome was not known: what is wanted now counts.
            Err(PutError::WrongVersion { found }) => put(found).await,
            kept => kept,
        };
        kept.map_err(|error| NotTaken::NotKept(error.to_string()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Changed only by whole inserts and removes, so a poisoned lock is still sound.
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the configured directory with what is known beside it.
    fn publish(&self, known: &Known) {
        let mut heard: Vec<(i64, &AppId)> = known.documents.iter().map(|(id, (_, seen))| (seen.heard, id)).collect();
        heard.sort_unstable();
        let shown = if known.configured.is_open() {
            let apps = heard.into_iter().filter(|(_, id)| id.as_str() != TEMPLATE);
            known.configured.with_seen(apps.filter_map(|(_, id)| known.app(id)).collect())
        } else {
            known.configured.clone()
        };
        self.shared.directory.replace(shown);
    }
}

impl Known {
    /// The app as the directory shows it.
    fn app(&self, id: &AppId) -> Option<App> {
        let (_, seen) = self.documents.get(id)?;
        Some(seen.app(id, &self.configured))
    }

    /// Of the apps with a webhook, the one that was heard of last.
    fn last_heard(&self) -> Option<&AppId> {
        let apps = self.documents.iter().filter(|(id, _)| id.as_str() != TEMPLATE);
        let told = apps.filter(|(id, (_, seen))| seen.app(id, &self.configured).reach.webhook().is_some());
        told.max_by_key(|(id, (_, seen))| (seen.heard, *id)).map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests;
