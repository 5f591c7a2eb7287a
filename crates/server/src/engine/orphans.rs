//! What is open in the ledger though nobody is left to end it: the engine's promise, looked at from outside.

use ringback_core::{Call, ConversationId};

use super::{EngineError, Shared, recovery};
use crate::limits;
use crate::trace::metrics::Orphaned;

/// Counts them. The ledger is asked first and the registry then, so that what ended meanwhile, or began, is none.
pub(super) async fn count(shared: &Shared) -> Result<Orphaned, EngineError> {
    let mut found = Orphaned::default();
    let mut after = None;
    loop {
        let page = shared.ledger.open_conversations(after, limits::ADOPT_PAGE).await.map_err(super::reader::error)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.conversation);
        for open in page {
            let owned = open.epoch == shared.epoch && shared.registry.lives(open.conversation);
            if !owned && found.conversations < limits::ORPHANS {
                add(shared, open.conversation, &mut found).await;
            }
        }
    }
}

/// Adds a conversation, unless its log says by now that it is over.
async fn add(shared: &Shared, id: ConversationId, found: &mut Orphaned) {
    match recovery::folded(shared, id).await {
        Ok((state, _)) if state.is_over() => {}
        // It was forgotten between the two looks.
        Ok((_, ringback_ledger::Version(0))) => {}
        Ok((state, _)) => {
            found.conversations += 1;
            let open = |call: &Call| call.open_operations().count() as u64;
            found.operations += state.calls().map(open).sum::<u64>();
        }
        Err(_) => {
            found.conversations += 1;
            found.operations += 1;
        }
    }
}
