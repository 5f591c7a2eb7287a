//! Reading the log beside the conversation that writes it: operations that memory no longer holds,
//! and notices that a lane still owes.

use ringback_core::{CallId, Conversation, ConversationId, Now, Operation, Record, operations_of};
use ringback_ledger::{Cursor, ReadError, Version};

use super::conversation::next_index;
use super::world::{LaneOwner, Posted};
use super::{EngineError, Shared};
use crate::limits;

/// Notices read from the log.
#[derive(Debug)]
pub struct PostedPage {
    /// In order, at most [`limits::LANE`].
    pub posted: Vec<Posted>,
    /// There were more.
    pub more: bool,
    /// The call is over, and its last notice is in this page or before it.
    pub over: bool,
}

/// Every operation of a call.
pub(super) async fn operations(
    shared: &Shared,
    conversation: ConversationId,
    call: CallId,
) -> Result<Vec<Operation>, EngineError> {
    let mut events = vec![];
    let mut after = Version(0);
    loop {
        let page = read(shared, conversation, after).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        events.extend(page.into_iter().flat_map(|(_, record)| record.events));
    }
    Ok(operations_of(call, &events))
}

/// The notices of a call after a place in the log.
pub(super) async fn posted_after(
    shared: &Shared,
    owner: &LaneOwner,
    cursor: Cursor,
) -> Result<PostedPage, EngineError> {
    let mut state = Conversation::new(owner.conversation);
    let mut posted = vec![];
    let mut after = Version(0);
    loop {
        let page = read(shared, owner.conversation, after).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (version, record) in &page {
            project(&mut state, owner.call, *version, record, cursor, &mut posted);
            if posted.len() > limits::LANE {
                posted.truncate(limits::LANE);
                return Ok(PostedPage { posted, more: true, over: false });
            }
        }
    }
    let over = state.call(owner.call).is_none_or(ringback_core::Call::is_over);
    Ok(PostedPage { posted, more: false, over })
}

/// Folds one record, keeping the call's notices that stand after `cursor`.
fn project(
    state: &mut Conversation,
    call: CallId,
    version: Version,
    record: &Record,
    cursor: Cursor,
    posted: &mut Vec<Posted>,
) {
    let mut counted = vec![];
    for event in &record.events {
        state.evolve(record.at, event);
        for (of, notice) in state.notices(event) {
            let place = Cursor { version, index: next_index(&mut counted, of) };
            if of == call && place > cursor {
                posted.push(Posted { cursor: place, at: record.at, notice });
            }
        }
    }
}

/// Records after a version. One that this build cannot read is named in the trace, and stands there without events.
pub(super) async fn read(
    shared: &Shared,
    conversation: ConversationId,
    after: Version,
) -> Result<Vec<(Version, Record)>, EngineError> {
    let mut page = shared.ledger.read(conversation, after, limits::READ_PAGE).await;
    if let Err(ReadError::Unreadable { version, .. }) = &page
        && let Ok(before @ 1..) = usize::try_from(version.0 - after.next().0)
    {
        page = shared.ledger.read(conversation, after, before).await;
    }
    match page {
        Err(error @ ReadError::Unreadable { version, .. }) => {
            tracing::error!(%error, "a record is passed over");
            Ok(vec![(version, Record::new(Now::default(), vec![]))])
        }
        page => page.map_err(error),
    }
}

/// What a failed reading means to who asked.
pub(super) fn error(error: ReadError) -> EngineError {
    match error {
        ReadError::Busy => EngineError::Busy("the ledger's reading queue"),
        ReadError::Closed => EngineError::Stopping,
        other => EngineError::Ledger(other.to_string()),
    }
}
