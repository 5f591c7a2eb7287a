//! The rooms that stand on an open ledger, made each after those it needs, and closed again. Nothing of them listens until
//! they are connected.

use std::sync::Arc;
use std::time::Duration;

use ringback_core::Epoch;
use ringback_ledger::{Ledger, SqliteConfig, SqliteLedger};

use super::StartError;
use super::exporter::{self, Exporter};
use super::wires::{self, Connected};
use crate::auth::{Auth, BadKey, SigningKey};
use crate::chats::Chats;
use crate::clock::Clock;
use crate::data_folder::DataFolder;
use crate::directory::{Directory, ServerSettings, SharedDirectory};
use crate::engine::{Engine, Tell};
use crate::first_seen::FirstSeen;
use crate::http;
use crate::limits;
use crate::notify::Lanes;
use crate::outbound::Outbound;
use crate::phones::Phones;
use crate::recordings::Recordings;
use crate::scripted::ScriptedPhones;
use crate::tls::Tls;
use crate::trace::Trace;

pub(super) struct Rooms {
    ledger: Arc<dyn Ledger>,
    exporter: Option<Exporter>,
    pub(super) trace: Trace,
    pub(super) directory: SharedDirectory,
    pub(super) first_seen: FirstSeen,
    pub(super) auth: Arc<Auth>,
    pub(super) recordings: Recordings,
    pub(super) chats: Chats,
    pub(super) scripted: ScriptedPhones,
    pub(super) engine: Engine,
    pub(super) phones: Phones,
    pub(super) lanes: Lanes,
}

impl Rooms {
    /// Opens the ledger in a new epoch, and makes the rooms.
    pub(super) async fn open(
        settings: &ServerSettings,
        directory: Directory,
        data: &DataFolder,
    ) -> Result<Self, StartError> {
        let clock = Clock::start();
        let (trace, exporting) = exporter::trace(clock, settings.otlp.as_deref())?;
        let outbound = Outbound::new(settings.allow_private_targets.clone())?;
        let recordings = Recordings::open(&data.recordings())
            .map_err(|source| StartError::Recordings { path: data.recordings(), source })?;
        let (ledger, epoch) = open_ledger(data).await?;

        let directory = SharedDirectory::new(directory);
        let first_seen = FirstSeen::new(directory.clone(), Arc::clone(&ledger), clock, trace.timeline().clone());
        first_seen.load().await.map_err(|error| cannot_open(data, error))?;
        let auth = Arc::new(auth(data, &directory, &first_seen)?);
        let chats = Chats::open(Arc::clone(&ledger)).await.map_err(|error| cannot_open(data, error))?;

        // Nothing fails from here on: the engine and what it moves hold one another, and the ledger, until they are closed.
        let exporter = exporting.map(|exporting| exporting.start(trace.clone(), outbound.clone()));
        let scripted = ScriptedPhones::new(directory.clone(), trace.timeline().clone());
        let engine = Engine::new(Arc::clone(&ledger), epoch, clock, trace.clone());
        let phones = Phones::new(
            engine.clone(),
            directory.clone(),
            outbound.clone(),
            recordings.clone(),
            scripted.clone(),
            trace.clone(),
        );
        let lanes = Lanes::new(
            engine.clone(),
            Arc::clone(&ledger),
            Arc::clone(&auth),
            directory.clone(),
            outbound,
            trace.clone(),
        );
        let tell: Arc<dyn Tell> = Arc::new(lanes.clone());
        engine.attach(Arc::new(phones.clone()), Arc::new(phones.clone()), tell);
        Ok(Rooms {
            ledger,
            exporter,
            trace,
            directory,
            first_seen,
            auth,
            recordings,
            chats,
            scripted,
            engine,
            phones,
            lanes,
        })
    }

    /// Connects the phones, and takes over what earlier processes left: how many conversations. `page`: where the page
    /// with a phone is.
    pub(super) async fn connect(
        &self,
        settings: &ServerSettings,
        tls: &Tls,
        page: String,
    ) -> Result<(Connected, usize), StartError> {
        let connected = wires::connect(settings, tls, self, page).await?;
        Ok((connected, self.engine.recover().await?))
    }

    /// What rooms know that `http` does not name, for metrics and health.
    pub(super) fn others(&self) -> http::Others {
        let (clock, lanes, phones) = (self.engine.clock(), self.lanes.clone(), self.phones.clone());
        Box::new(move |now| {
            now.sip_legs = phones.sip_legs() as u64;
            now.web_legs = phones.web_legs() as u64;
            now.sip_registrations = phones.sip_registrations() as u64;
            now.lanes_busy = lanes.busy() as u64;
            now.oldest_notice = lanes.oldest().map_or(Duration::ZERO, |at| at.until(clock.now()));
        })
    }

    /// Forgets conversations that are no longer readable, and then their recordings. Runs until dropped.
    pub(super) fn purging(&self) -> impl Future<Output = ()> + use<> {
        let (engine, recordings) = (self.engine.clone(), self.recordings.clone());
        async move {
            let mut tick = tokio::time::interval(limits::PURGE_EVERY);
            loop {
                tick.tick().await;
                engine.purge().await;
                for call in recordings.old_calls(limits::READABLE) {
                    // A call that lasts longer than that keeps its recordings.
                    if let Ok(None) = engine.owner(call).await {
                        let recordings = recordings.clone();
                        let _ = tokio::task::spawn_blocking(move || recordings.forget(call)).await;
                    }
                }
            }
        }
    }

    /// Closes within `within`: every phone hung up and its bot told, lanes drained, and at last the ledger, whoever still
    /// holds it. What could not be told in time is told after the next start.
    pub(super) async fn close(self, within: Duration) {
        let until = tokio::time::Instant::now() + within;
        let left = || until.saturating_duration_since(tokio::time::Instant::now());
        self.scripted.clear();
        self.phones.stop(within * 2 / 3).await;
        // A leg that ended is yet to be recorded and told by its conversation, which then leaves.
        while (self.engine.conversations() > 0 || self.lanes.busy() > 0) && !left().is_zero() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let undelivered = self.lanes.busy();
        self.lanes.stop();
        if undelivered > 0 {
            tracing::warn!(lanes = undelivered, "stopped with notices not yet told; the next start tells them");
        }
        if let Some(exporter) = self.exporter {
            exporter.stop(left()).await;
        }
        if let Err(error) = self.ledger.close().await {
            tracing::error!(%error, "the ledger did not close well");
        }
    }
}

/// The ledger, in a new epoch.
async fn open_ledger(data: &DataFolder) -> Result<(Arc<dyn Ledger>, Epoch), StartError> {
    let ledger = SqliteLedger::open(&SqliteConfig::new(data.path().join("ledger")));
    let ledger: Arc<dyn Ledger> = Arc::new(ledger.map_err(|error| cannot_open(data, error))?);
    let epoch = ledger.join(NODE).await.map_err(|error| cannot_open(data, error))?;
    Ok((ledger, epoch))
}

fn cannot_open(data: &DataFolder, why: impl ToString) -> StartError {
    StartError::Ledger { path: data.path().to_owned(), why: why.to_string() }
}

/// Tokens, with the keys of the data folder.
fn auth(data: &DataFolder, directory: &SharedDirectory, first_seen: &FirstSeen) -> Result<Auth, StartError> {
    let keys = |error: BadKey| {
        let mend = "Put it back from a copy, or remove it: a new one is made, and tokens in use become invalid";
        StartError::Keys(format!("{}: {error}. {mend}", data.signing_key_path().display()))
    };
    let key = SigningKey::from_pkcs8(&data.signing_key()?).map_err(keys)?;
    let (operator, recordings) = (data.operator_token().to_owned(), data.recordings_key()?);
    Auth::new(directory.clone(), first_seen.clone(), key, operator, &recordings).map_err(keys)
}

/// The one node of an embedded ledger.
const NODE: &str = "local";
