//! A start is a take-over: every conversation an earlier epoch left open is adopted, which moves its
//! version (so a late write is refused) and ends what died with the process. A record that cannot be read is passed over,
//! so that its bot is told the end, too (design promise 5).

use std::sync::Arc;

use ringback_core::{Call, Conversation, ConversationId, NewCall};
use ringback_ledger::{CallRow, Version};

use super::conversation::{self, Begin};
use super::world::LaneOwner;
use super::{Engine, EngineError, Shared, mailbox, reader};
use crate::limits;

pub(super) async fn recover(engine: &Engine) -> Result<usize, EngineError> {
    let shared = &engine.shared;
    // First, while the calls that adoption will end are still open: each lane is opened once.
    reopen_lanes(shared).await?;
    let mut adopted = 0;
    let mut after = None;
    loop {
        let page = shared.ledger.open_conversations(after, limits::ADOPT_PAGE).await.map_err(ledger_error)?;
        let Some(last) = page.last() else { break };
        after = Some(last.conversation);
        // Phones may ring already: what began in this epoch is not taken over.
        for id in page.iter().filter(|open| open.epoch < shared.epoch).map(|open| open.conversation) {
            match adopt(shared, id).await {
                Ok(()) => adopted += 1,
                Err(error) => {
                    tracing::error!(conversation = %id, %error, "a conversation cannot be taken over: it is left as it is")
                }
            }
        }
    }
    Ok(adopted)
}

/// A conversation as its log has it, as far as that can be read.
pub(super) async fn folded(shared: &Shared, id: ConversationId) -> Result<(Conversation, Version), EngineError> {
    let mut state = Conversation::new(id);
    let mut version = Version(0);
    loop {
        let page = reader::read(shared, id, version).await?;
        let Some((last, _)) = page.last() else { return Ok((state, version)) };
        version = *last;
        for (_, record) in &page {
            state.fold(record);
        }
    }
}

async fn adopt(shared: &Arc<Shared>, id: ConversationId) -> Result<(), EngineError> {
    let (state, version) = folded(shared, id).await?;
    let begun: Vec<NewCall> = state.calls().map(|call: &Call| call.begun.clone()).collect();
    let phones = state.legs().filter(|leg| leg.party.is_some()).map(|leg| (leg.call, leg.id)).collect::<Vec<_>>();
    let Some(first) = begun.first() else { return Err(EngineError::Ledger("nothing says whose it is".to_owned())) };
    let (mailbox, inbox) = mailbox::open();
    // It is about to end, and keeps nobody out of its meeting.
    shared.registry.enter(id, first, usize::MAX, &mailbox, None)?;
    phones.into_iter().for_each(|(call, leg)| shared.registry.add_leg(call, leg));
    for call in &begun {
        shared.world().tell.reopen(owner(id, call));
    }
    conversation::spawn(Arc::clone(shared), Begin::adopt(state, version, first), inbox);
    Ok(())
}

/// Lanes of calls that had ended, but whose bots had not been told everything.
async fn reopen_lanes(shared: &Arc<Shared>) -> Result<(), EngineError> {
    let mut after = None;
    loop {
        let page = shared.ledger.unfinished_lanes(after, limits::ADOPT_PAGE).await.map_err(ledger_error)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.call);
        for lane in page {
            let Some(row) = shared.ledger.call(lane.call).await.map_err(ledger_error)? else { continue };
            let CallRow { call, conversation, app, tenant, .. } = row;
            shared.world().tell.reopen(LaneOwner { call, conversation, app, tenant });
        }
    }
}

/// Forgets what is no longer readable.
pub(super) async fn purge(shared: &Shared) {
    let before =
        ringback_core::Now(shared.clock.now().0 - i64::try_from(limits::READABLE.as_micros()).unwrap_or(i64::MAX));
    loop {
        match shared.ledger.purge(before, limits::PURGE_PAGE).await {
            Ok(0) => return,
            Ok(count) => tracing::debug!(count, "forgot conversations that are no longer readable"),
            Err(error) => {
                tracing::warn!(%error, "old conversations could not be forgotten; trying again later");
                return;
            }
        }
    }
}

fn owner(conversation: ConversationId, begun: &NewCall) -> LaneOwner {
    LaneOwner { call: begun.call, conversation, app: begun.app.clone(), tenant: begun.tenant.clone() }
}

fn ledger_error(error: impl std::fmt::Display) -> EngineError {
    EngineError::Ledger(error.to_string())
}
