//! What the server says of its health, beyond that it answers: how old the oldest notice is that a bot has yet to be
//! given, and whether anything is open that nobody is left to end.

use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::refusals::Refused;
use crate::engine::Engine;
use crate::limits;
use crate::trace::metrics::{Orphaned, Snapshot};

/// Fills in what rooms know that this one does not name.
pub(crate) type Others = Box<dyn Fn(&mut Snapshot) + Send + Sync>;

/// Health, asked for now and then.
pub(crate) struct Health {
    others: Others,
    connections: Arc<Semaphore>,
    /// One look at a time, good for a while: it reads from the ledger.
    orphaned: Mutex<Option<(Instant, Orphaned)>>,
}

impl Health {
    pub(crate) fn new(others: Others, connections: Arc<Semaphore>) -> Health {
        Health { others, connections, orphaned: Mutex::default() }
    }

    /// The moment.
    pub(crate) async fn snapshot(&self, engine: &Engine) -> Result<Snapshot, Refused> {
        let stats = engine.ledger_stats();
        let mut now = Snapshot {
            conversations: engine.conversations() as u64,
            connections: (limits::CONNECTIONS - self.connections.available_permits()) as u64,
            ledger_commits: stats.commits,
            ledger_records: stats.records,
            ledger_marks: stats.marks,
            ledger_full: stats.full,
            orphaned: self.orphaned(engine).await?,
            ..Snapshot::default()
        };
        (self.others)(&mut now);
        Ok(now)
    }

    async fn orphaned(&self, engine: &Engine) -> Result<Orphaned, Refused> {
        let mut known = self.orphaned.lock().await;
        if let Some((_, found)) = known.filter(|(at, _)| at.elapsed() < limits::ORPHANS_GOOD) {
            return Ok(found);
        }
        let found = engine.orphaned().await?;
        *known = Some((Instant::now(), found));
        Ok(found)
    }
}
