//! A notice told again, because an operator asks for it: the same message id, the same body (contract §5), one attempt,
//! beside its lane. Only what its lane is done with: first attempts keep their order (design promise 4).

use std::sync::Arc;

use ringback_core::CallId;
use ringback_ledger::{Cursor, Version};
use thiserror::Error;
use uuid::Uuid;

use super::Lanes;
use super::post::{Attempt, Letter, outcome};
use crate::engine::{EngineError, LaneOwner, Posted};
use crate::limits;
use crate::outbound::Target;
use crate::trace::notice_word;

/// Which notices of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The last that its lane is done with.
    Last,
    /// Those that were given up, in order, up to the first that is not taken now either.
    Undelivered,
    /// This one.
    At {
        /// The record's version.
        record: u64,
        /// Which of the call's notices of that record.
        index: u32,
    },
}

/// What became of it.
#[derive(Clone, Debug)]
pub(crate) struct Resent {
    pub(crate) record: u64,
    pub(crate) index: u32,
    /// What is told, in a word.
    pub(crate) notice: &'static str,
    pub(crate) message_id: Uuid,
    /// The bot has it.
    pub(crate) taken: bool,
    /// In words.
    pub(crate) outcome: String,
}

/// Why nothing was told again. The texts say what to do.
#[derive(Debug, Error)]
pub(crate) enum ResendError {
    /// There is no such call.
    #[error("There is no such call, or it ended more than a day ago.")]
    NoCall,
    /// There is nothing of that kind.
    #[error("{0}")]
    Nothing(&'static str),
    /// The lane is not yet done with it.
    #[error("This notice is still to be told, or being told: it is told again only once that is done with.")]
    NotYet,
    /// The log could not be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Lanes {
    /// Tells notices of a call again.
    pub(crate) async fn resend(&self, call: CallId, which: Which) -> Result<Vec<Resent>, ResendError> {
        let engine = &self.shared.engine;
        let owner = Arc::new(engine.lane_owner(call).await?.ok_or(ResendError::NoCall)?);
        // A lane that is gone is done with everything.
        let done = self.shared.lock().get(&call).map(|lane| lane.queue.came_to());
        let chosen = match which {
            Which::Last => vec![self.last(&owner, done).await?],
            Which::At { record, index } => {
                let at = Cursor { version: Version(record), index };
                if done.is_some_and(|done| at > done) {
                    return Err(ResendError::NotYet);
                }
                vec![self.at(&owner, at).await?]
            }
            Which::Undelivered => self.undelivered(&owner).await?,
        };
        let mut resent = Vec::with_capacity(chosen.len());
        for posted in chosen {
            let again = self.again(&owner, posted).await;
            let taken = again.taken;
            resent.push(again);
            if !taken {
                break;
            }
        }
        Ok(resent)
    }

    async fn last(&self, owner: &LaneOwner, done: Option<Cursor>) -> Result<Posted, ResendError> {
        let (mut last, mut after) = (None, Cursor::default());
        loop {
            let page = self.shared.engine.posted_after(owner, after).await?;
            let end = page.posted.last().map(|posted| posted.cursor);
            let told = page.posted.into_iter().rfind(|posted| done.is_none_or(|done| posted.cursor <= done));
            last = told.or(last);
            match end.filter(|end| page.more && done.is_none_or(|done| *end < done)) {
                Some(end) => after = end,
                None => return last.ok_or(ResendError::Nothing("Its bot has not been told anything yet.")),
            }
        }
    }

    /// The notice at a place.
    async fn at(&self, owner: &LaneOwner, at: Cursor) -> Result<Posted, ResendError> {
        let before = match at.index.checked_sub(1) {
            Some(index) => Cursor { index, ..at },
            None => Cursor { version: Version(at.version.0.saturating_sub(1)), index: u32::MAX },
        };
        let page = self.shared.engine.posted_after(owner, before).await?;
        let found = page.posted.into_iter().next().filter(|posted| posted.cursor == at);
        found.ok_or(ResendError::Nothing(
            "The call has no notice there: `ringback explain --call ID` lists its notices by record and index.",
        ))
    }

    async fn undelivered(&self, owner: &LaneOwner) -> Result<Vec<Posted>, ResendError> {
        let marks = self.shared.engine.undelivered(owner.call).await?;
        if marks.is_empty() {
            return Err(ResendError::Nothing("No notice of this call was given up."));
        }
        let mut found = Vec::new();
        for mark in marks.into_iter().take(limits::RESENT_AT_ONCE) {
            found.push(self.at(owner, mark.at).await?);
        }
        Ok(found)
    }

    /// One attempt. What its answer would have meant the first time (a redirect) it does not mean again.
    async fn again(&self, owner: &Arc<LaneOwner>, posted: Posted) -> Resent {
        let notice = notice_word(&posted.notice.told);
        let Cursor { version, index } = posted.cursor;
        let target = Target::parse(&posted.notice.callback);
        let target = target.and_then(|target| Ok(self.shared.leads(&owner.app, &target)?.unwrap_or(target)));
        let letter = Letter::new(owner, target.map(Arc::new), posted, &self.shared.auth);
        let attempt = letter.post(&self.shared).await;
        Resent {
            record: version.0,
            index,
            notice,
            message_id: letter.message_id(),
            taken: matches!(attempt, Attempt::Acknowledged | Attempt::Elsewhere(_)),
            outcome: match attempt {
                // Here nothing is repeated.
                Attempt::Again { why, .. } => format!("not taken: {why}"),
                attempt => outcome(&attempt),
            },
        }
    }
}
