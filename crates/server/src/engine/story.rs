//! What happened to a call or an operation, told from its log: its events, what its bot was told of them, and whether
//! that arrived. For the operator; nothing here waits for the conversation.

use std::collections::{HashMap, VecDeque};

use ringback_core::{
    AppId, CallId, Conversation, ConversationId, Now, Operation, OperationId, ResultInfo, TenantId, Told,
};
use ringback_ledger::{CallRow, Cursor, Version};

use super::conversation::next_index;
use super::reader::{self, read};
use super::{EngineError, Shared};
use crate::limits;
use crate::trace::{Entry, notice_word};

/// What happened.
#[derive(Debug)]
pub struct Story {
    /// The call.
    pub call: CallId,
    /// Where its events are.
    pub conversation: ConversationId,
    /// Whose call it is.
    pub app: AppId,
    /// The app's tenant.
    pub tenant: TenantId,
    /// The operation as it is now, where the story is of one.
    pub operation: Option<Operation>,
    /// How the call ended, if it has.
    pub ended: Option<ResultInfo>,
    /// In order; the last [`limits::STORY`].
    pub steps: VecDeque<Step>,
    /// So many came before them.
    pub left_out: u64,
}

/// One thing that happened.
#[derive(Debug)]
pub struct Step {
    /// When it was recorded.
    pub at: Now,
    /// In which record.
    pub record: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug)]
pub enum What {
    /// This was recorded.
    Event(String),
    /// The bot was to be told of it.
    Notice {
        /// Which of the call's notices of that record.
        index: u32,
        /// Of what.
        word: &'static str,
        /// Did it arrive?
        delivery: Delivery,
    },
}

/// What became of a notice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// The bot acknowledged it, or answered what it asked.
    Acknowledged,
    /// It waits: for those before it, or for another attempt.
    Waiting,
    /// It was given up, and why.
    Undelivered(String),
}

/// The story of a call, or of one of its operations alone; `None`: there is no such call or operation.
pub(super) async fn of(
    shared: &Shared,
    call: CallId,
    operation: Option<OperationId>,
) -> Result<Option<Story>, EngineError> {
    let Some(row) = shared.ledger.call(call).await.map_err(reader::error)? else { return Ok(None) };
    let story = told(shared, row, operation).await?;
    Ok((operation.is_none() || story.operation.is_some()).then_some(story))
}

/// The call of an operation, of which only the id is known: among the last [`limits::STORY_CALLS`] calls of each of these
/// apps, those that lived when the operation began, which its id says (RFC 9562 §5.7), the latest first.
pub(super) async fn call_of(
    shared: &Shared,
    apps: &[(AppId, TenantId)],
    operation: OperationId,
) -> Result<Option<CallId>, EngineError> {
    let Some(began) = made(operation.0) else { return Ok(None) };
    for (app, tenant) in apps {
        let (mut before, mut seen) = (None, 0);
        while seen < limits::STORY_CALLS {
            let page = shared.ledger.calls_of(app, tenant, before, limits::LIST_PAGE).await.map_err(reader::error)?;
            let Some(last) = page.last() else { break };
            before = Some(last.call);
            seen += page.len();
            for row in page.into_iter().filter(|row| lived(row, began)) {
                let operations = reader::operations(shared, row.conversation, row.call).await?;
                if operations.iter().any(|found| found.id == operation) {
                    return Ok(Some(row.call));
                }
            }
        }
    }
    Ok(None)
}

/// When an id was made, if it says so.
fn made(id: uuid::Uuid) -> Option<Now> {
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    Some(Now(i64::try_from(seconds).ok()? * 1_000_000 + i64::from(nanoseconds / 1_000)))
}

/// Whether a call lived at a moment, give or take what the clocks of ids and of records may differ.
fn lived(row: &CallRow, at: Now) -> bool {
    let began = made(row.call.0).is_none_or(|began| began <= at.plus(limits::STORY_CLOCKS));
    began && row.ended.is_none_or(|ended| ended.plus(limits::STORY_CLOCKS) >= at)
}

async fn told(shared: &Shared, row: CallRow, operation: Option<OperationId>) -> Result<Story, EngineError> {
    let acknowledged = shared.ledger.cursor_get(row.call).await.map_err(reader::error)?.unwrap_or_default();
    let marks = shared.ledger.undelivered(row.call, None, limits::LIST_PAGE).await.map_err(reader::error)?;
    let given_up: HashMap<(u64, u32), String> =
        marks.into_iter().map(|mark| ((mark.at.version.0, mark.at.index), mark.text)).collect();
    let mut state = Conversation::new(row.conversation);
    let CallRow { call, conversation, app, tenant, .. } = row;
    let mut story =
        Story { call, conversation, app, tenant, operation: None, ended: None, steps: VecDeque::new(), left_out: 0 };
    let delivery = |at: Cursor| match given_up.get(&(at.version.0, at.index)) {
        Some(why) => Delivery::Undelivered(why.clone()),
        None if at <= acknowledged => Delivery::Acknowledged,
        None => Delivery::Waiting,
    };
    let mut after = Version(0);
    loop {
        let page = read(shared, conversation, after).await?;
        let Some((last, _)) = page.last() else { return Ok(story) };
        after = *last;
        for (version, record) in &page {
            let mut counted = vec![];
            for event in &record.events {
                state.evolve(record.at, event);
                let entry = Entry::of_event(&state, event);
                if story.is_about(&entry, operation) {
                    story.add(record.at, *version, What::Event(entry.text));
                }
                for (of, notice) in state.notices(event) {
                    let index = next_index(&mut counted, of);
                    if of == call && concerns(&notice.told, operation) {
                        let delivery = delivery(Cursor { version: *version, index });
                        story.add(
                            record.at,
                            *version,
                            What::Notice { index, word: notice_word(&notice.told), delivery },
                        );
                    }
                }
            }
            story.look(&state, operation);
        }
    }
}

/// Whether a notice belongs to the story: all do, or those of the operation.
fn concerns(told: &Told, operation: Option<OperationId>) -> bool {
    match (told, operation) {
        (_, None) => true,
        (Told::OperationEnded(ended), Some(operation)) => ended.id == operation,
        (_, Some(_)) => false,
    }
}

impl Story {
    /// Whether an event belongs to it: of an operation, its own; else the call's, and those of the whole conversation.
    fn is_about(&self, entry: &Entry, operation: Option<OperationId>) -> bool {
        match operation {
            Some(operation) => entry.operation.as_deref() == Some(operation.to_string().as_str()),
            None => {
                [self.call.to_string(), self.conversation.to_string()].iter().any(|id| entry.call.as_ref() == Some(id))
            }
        }
    }

    fn add(&mut self, at: Now, version: Version, what: What) {
        if self.steps.len() == limits::STORY {
            self.steps.pop_front();
            self.left_out += 1;
        }
        self.steps.push_back(Step { at, record: version.0, what });
    }

    /// How call and operation are now; an operation may be forgotten by the state, and stays what it was.
    fn look(&mut self, state: &Conversation, operation: Option<OperationId>) {
        let Some(call) = state.call(self.call) else { return };
        if let Some(found) = operation.and_then(|operation| call.operation(operation)) {
            self.operation = Some(found.clone());
        }
        if let ringback_core::CallState::Terminated(result) = &call.state {
            self.ended = Some(result.clone());
        }
    }
}
