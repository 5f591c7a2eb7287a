//! Conversations, alive: each has a task and a mailbox, decides by `ringback_core`, records in the
//! ledger before anyone is told, then moves the world.
//!
//! This room must not know: HTTP, Graph's JSON, SIP, RTP, sockets. It reaches legs, audio and
//! lanes through the traits of [`world`].

mod conversation;
mod mailbox;
mod orphans;
mod reader;
mod recovery;
mod registry;
mod story;
#[cfg(test)]
mod tests;
mod view;
mod world;

use std::sync::{Arc, OnceLock};

use ringback_core::{
    AppId, CallId, ConversationId, Epoch, Identity, Input, LegId, Meeting, NewCall, Operation, ParticipantId, TenantId,
    limits as core_limits,
};
use ringback_ledger::{CallRow, Ledger, Stats, Undelivered};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::clock::Clock;
use crate::limits;
use crate::trace::Trace;
use crate::trace::metrics::Orphaned;
use mailbox::{Mailbox, Message};
use registry::Registry;

pub use reader::PostedPage;
pub use story::{Delivery, Step, Story, What};
pub use view::{CallView, Done, EngineError};
pub use world::{Audio, Hold, LaneOwner, Legs, Posted, Tell};

/// A v7 id: time-ordered, so that indexes and lists follow the order of making.
pub fn fresh_id() -> Uuid {
    Uuid::now_v7()
}

/// What the engine moves.
pub(crate) struct World {
    legs: Arc<dyn Legs>,
    audio: Arc<dyn Audio>,
    tell: Arc<dyn Tell>,
}

/// What every conversation shares.
pub(crate) struct Shared {
    clock: Clock,
    ledger: Arc<dyn Ledger>,
    epoch: Epoch,
    registry: Registry,
    trace: Trace,
    world: OnceLock<World>,
}

impl Shared {
    fn world(&self) -> &World {
        self.world.get().expect("the world is attached before the first conversation")
    }
}

/// The engine: a handle, cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// Who calls whom, for a call that is about to be placed or offered; or which meeting a bot is about to join.
#[derive(Clone, Debug)]
pub struct Parties<T = Identity> {
    /// Whose bot.
    pub app: AppId,
    /// In which tenant.
    pub tenant: TenantId,
    /// Where notices go.
    pub callback: String,
    /// Who calls.
    pub source: Identity,
    /// Who is called, or the meeting.
    pub target: T,
    /// Graph's `subject`.
    pub subject: Option<String>,
    /// How many calls the app may have at once.
    pub max_calls: usize,
}

impl Engine {
    /// An engine on `ledger`, in a new epoch. It does nothing until [`Engine::attach`].
    pub fn new(ledger: Arc<dyn Ledger>, epoch: Epoch, clock: Clock, trace: Trace) -> Self {
        let registry = Registry::default();
        Self { shared: Arc::new(Shared { clock, ledger, epoch, registry, trace, world: OnceLock::new() }) }
    }

    /// Connects the world, which itself needs the engine. Once; later calls change nothing.
    pub fn attach(&self, legs: Arc<dyn Legs>, audio: Arc<dyn Audio>, tell: Arc<dyn Tell>) {
        let _ = self.shared.world.set(World { legs, audio, tell });
    }

    /// The clock conversations live by.
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// Verb: create call. The answer carries the call, `establishing`.
    pub async fn place_call(&self, parties: Parties, ring: Option<std::time::Duration>) -> Result<Done, EngineError> {
        let ring = ring.unwrap_or(core_limits::RINGING).min(core_limits::RINGING_MAX);
        let until = self.shared.clock.now().plus(ring);
        let max_calls = parties.max_calls;
        let new = call_to(parties, LegId(fresh_id()), until);
        let answer = self.spawn(&new, max_calls, Input::PlaceCall(new.clone()))?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// Verb: create call, into a meeting. The answer carries the call, `establishing`.
    pub async fn join_meeting(&self, parties: Parties<Meeting>) -> Result<Done, EngineError> {
        let until = self.shared.clock.now().plus(core_limits::RINGING);
        let max_calls = parties.max_calls;
        let (new, meeting) = begin(parties, LegId(fresh_id()), until);
        let new = NewCall { meeting: Some(meeting), ..new };
        let answer = self.spawn(&new, max_calls, Input::PlaceCall(new.clone()))?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// A phone dialled a meeting, by its thread. On an error the caller must decline the leg.
    pub async fn phone_joins(&self, leg: LegId, thread: &str, identity: Identity) -> Result<(), EngineError> {
        let mailbox = self.shared.registry.by_meeting(thread).ok_or(EngineError::NobodyThere)?;
        let input = Input::PhoneJoins { leg, participant: ParticipantId(fresh_id()), identity };
        request(&mailbox, input).await.map(drop)
    }

    /// The call of the bot that is in a meeting, by its thread.
    pub fn in_meeting(&self, thread: &str) -> Option<CallId> {
        self.shared.registry.in_meeting(thread)
    }

    /// A phone rings a bot. The leg is known here as soon as this returns; whether it was offered,
    /// the answer says. On an error the caller must decline the leg.
    pub fn offer(&self, leg: LegId, parties: Parties) -> Result<Answer, EngineError> {
        let until = self.shared.clock.now().plus(core_limits::ASK);
        let max_calls = parties.max_calls;
        let new = call_to(parties, leg, until);
        self.spawn(&new, max_calls, Input::CallOffered(new.clone()))
    }

    /// Any other verb on a call of `app` in `tenant`.
    pub async fn act(&self, app: &AppId, tenant: &TenantId, call: CallId, input: Input) -> Result<Done, EngineError> {
        let mailbox = self.mailbox(app, tenant, call)?;
        request(&mailbox, input).await
    }

    /// A call that has not ended.
    pub async fn call(&self, app: &AppId, tenant: &TenantId, call: CallId) -> Result<CallView, EngineError> {
        let mailbox = self.mailbox(app, tenant, call)?;
        let (reply, answer) = oneshot::channel();
        mailbox.verb(Message::View { call, reply })?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// Calls of an app that have not ended, oldest first, after `after`, at most `at_most`; and after which call the
    /// next page begins, if there may be one.
    pub async fn calls(
        &self,
        app: &AppId,
        tenant: &TenantId,
        after: Option<CallId>,
        at_most: usize,
    ) -> (Vec<CallView>, Option<CallId>) {
        let found = self.shared.registry.calls_of(app, tenant, after, at_most);
        let next = (found.len() == at_most).then(|| found.last().map(|(call, _)| *call)).flatten();
        (self.views(found).await, next)
    }

    /// Everyone's calls that have not ended: for the operator.
    pub async fn all_calls(&self, after: Option<CallId>, at_most: usize) -> Vec<CallView> {
        self.views(self.shared.registry.all_calls(after, at_most)).await
    }

    /// One operation, of a call that lives or ended within the readable time.
    pub async fn operation(
        &self,
        app: &AppId,
        tenant: &TenantId,
        call: CallId,
        operation: ringback_core::OperationId,
    ) -> Result<Option<Operation>, EngineError> {
        if let Ok(mailbox) = self.mailbox(app, tenant, call) {
            let (reply, answer) = oneshot::channel();
            match mailbox.verb(Message::Operation { call, operation, reply }) {
                // It ended between the look-up and now: the log has it.
                Ok(()) | Err(EngineError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
            if let Ok(Some(found)) = answer.await {
                return Ok(Some(found));
            }
        }
        let operations = self.operations(app, tenant, call).await?;
        Ok(operations.into_iter().find(|found| found.id == operation))
    }

    /// Every operation of a call that lives or ended within the readable time, folded from the log.
    pub async fn operations(
        &self,
        app: &AppId,
        tenant: &TenantId,
        call: CallId,
    ) -> Result<Vec<Operation>, EngineError> {
        let row = self.row(call).await?;
        let row = row.filter(|row| row.app == *app && row.tenant == *tenant && self.is_readable(row));
        let row = row.ok_or(EngineError::Refused(ringback_core::Refusal::CallNotFound))?;
        reader::operations(&self.shared, row.conversation, call).await
    }

    /// Whether a call that lives is this app's, in this tenant.
    pub fn is_of(&self, app: &AppId, tenant: &TenantId, call: CallId) -> bool {
        self.shared.registry.by_call_of(app, tenant, call).is_some()
    }

    /// Whose call it is, ended or not.
    pub async fn owner(&self, call: CallId) -> Result<Option<(AppId, TenantId)>, EngineError> {
        Ok(self.row(call).await?.map(|row| (row.app, row.tenant)))
    }

    /// Whose lane tells of a call, ended or not: for the operator.
    pub async fn lane_owner(&self, call: CallId) -> Result<Option<LaneOwner>, EngineError> {
        let owner = |row: CallRow| LaneOwner { call, conversation: row.conversation, app: row.app, tenant: row.tenant };
        Ok(self.row(call).await?.filter(|row| self.is_readable(row)).map(owner))
    }

    /// Notices of a call that its bot could not be given, in order: for the operator.
    pub async fn undelivered(&self, call: CallId) -> Result<Vec<Undelivered>, EngineError> {
        let marks = self.shared.ledger.undelivered(call, None, limits::LIST_PAGE).await;
        marks.map_err(reader::error)
    }

    /// What happened to a call, or to one of its operations, from the log: for the operator. `None`: there is no such.
    pub async fn story(
        &self,
        call: CallId,
        operation: Option<ringback_core::OperationId>,
    ) -> Result<Option<Story>, EngineError> {
        story::of(&self.shared, call, operation).await
    }

    /// The call of an operation whose id alone is known, among the latest calls of these apps: for the operator.
    pub async fn call_of(
        &self,
        apps: &[(AppId, TenantId)],
        operation: ringback_core::OperationId,
    ) -> Result<Option<CallId>, EngineError> {
        story::call_of(&self.shared, apps, operation).await
    }

    /// What the ledger did since the start: for the operator.
    pub fn ledger_stats(&self) -> Stats {
        self.shared.ledger.stats()
    }

    /// What is open in the ledger and has no task here that could end it: for the operator. Reads the list of open
    /// conversations.
    pub async fn orphaned(&self) -> Result<Orphaned, EngineError> {
        orphans::count(&self.shared).await
    }

    async fn row(&self, call: CallId) -> Result<Option<CallRow>, EngineError> {
        self.shared.ledger.call(call).await.map_err(reader::error)
    }

    /// Notices of a call after a place in the log: what a lane reads when memory does not hold them.
    pub async fn posted_after(
        &self,
        owner: &LaneOwner,
        after: ringback_ledger::Cursor,
    ) -> Result<PostedPage, EngineError> {
        reader::posted_after(&self.shared, owner, after).await
    }

    /// The webhook sent an ask elsewhere.
    pub fn ask_redirected(&self, call: CallId, callback: String) {
        if let Some(mailbox) = self.shared.registry.by_call(call) {
            mailbox.happening(Input::AskRedirected { call, callback });
        }
    }

    /// The call that a leg is in, while it lives.
    pub fn call_of_leg(&self, leg: LegId) -> Option<(CallId, ConversationId)> {
        self.shared.registry.call_of_leg(leg)
    }

    /// Something happened to a leg or its media. Never blocks.
    pub fn happening(&self, leg: LegId, input: Input) {
        if let Some(mailbox) = self.shared.registry.by_leg(leg) {
            mailbox.happening(input);
        }
    }

    /// Takes over what earlier epochs left open: ends what died with them, once. Returns how many
    /// conversations were adopted.
    pub async fn recover(&self) -> Result<usize, EngineError> {
        recovery::recover(self).await
    }

    /// How many conversations live.
    pub fn conversations(&self) -> usize {
        self.shared.registry.conversations()
    }

    /// Forgets conversations that are no longer readable, page by page.
    pub async fn purge(&self) {
        recovery::purge(&self.shared).await;
    }

    fn is_readable(&self, row: &CallRow) -> bool {
        row.ended.is_none_or(|ended| ended.plus(limits::READABLE) > self.shared.clock.now())
    }

    fn mailbox(&self, app: &AppId, tenant: &TenantId, call: CallId) -> Result<Mailbox, EngineError> {
        let found = self.shared.registry.by_call_of(app, tenant, call);
        found.ok_or(EngineError::Refused(ringback_core::Refusal::CallNotFound))
    }

    async fn views(&self, calls: Vec<(CallId, Mailbox)>) -> Vec<CallView> {
        let mut views = Vec::with_capacity(calls.len());
        for (call, mailbox) in calls {
            let (reply, answer) = oneshot::channel();
            let asked = async {
                mailbox.verb_waiting(Message::View { call, reply }).await.ok()?;
                answer.await.ok()?.ok()
            };
            // One conversation that is stuck does not hold up the list of all.
            views.extend(tokio::time::timeout(limits::VIEW, asked).await.ok().flatten());
        }
        views
    }

    /// A new conversation, whose first input is `first`: nothing can come before it.
    fn spawn(&self, new: &NewCall, max_calls: usize, first: Input) -> Result<Answer, EngineError> {
        let id = ConversationId(fresh_id());
        let (mailbox, inbox) = mailbox::open();
        self.shared.registry.enter(id, new, max_calls, &mailbox, new.meeting.as_ref())?;
        let (reply, answer) = oneshot::channel();
        let begin = conversation::Begin::new(id, new, first, reply);
        conversation::spawn(Arc::clone(&self.shared), begin, inbox);
        Ok(answer)
    }
}

async fn request(mailbox: &Mailbox, input: Input) -> Result<Done, EngineError> {
    let (reply, answer) = oneshot::channel();
    mailbox.verb(Message::Verb { input: Box::new(input), reply })?;
    answer.await.map_err(|_| EngineError::Stopping)?
}

/// A call with two ends.
fn call_to(parties: Parties, leg: LegId, until: ringback_core::Now) -> NewCall {
    let (new, target) = begin(parties, leg, until);
    NewCall { target: Some(target), them: Some(ParticipantId(fresh_id())), ..new }
}

/// A call without its far end, and what that is to be.
fn begin<T>(parties: Parties<T>, leg: LegId, until: ringback_core::Now) -> (NewCall, T) {
    let new = NewCall {
        call: CallId(fresh_id()),
        leg,
        app: parties.app,
        tenant: parties.tenant,
        callback: parties.callback,
        source: parties.source,
        target: None,
        me: ParticipantId(fresh_id()),
        them: None,
        subject: parties.subject,
        meeting: None,
        until,
    };
    (new, parties.target)
}

/// A verb's answer, on its way.
pub type Answer = oneshot::Receiver<Result<Done, EngineError>>;

/// The two halves of a mailbox, for the task.
pub(crate) type Inbox = (mpsc::Receiver<Message>, mpsc::Receiver<Input>);
