//! One conversation's task: an input at a time, decided, recorded, then told and done. The task is
//! the blast wall: a panic here ends this conversation, and no other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringback_core::{
    Call, CallId, Conversation, ConversationId, Effect, EndCause, Event, Input, LegPhase, NewCall, Now, Operation,
    OperationId, OperationKind, Record, RecordOutcome, Refusal,
};
use ringback_ledger::{Append, AppendError, Cursor, IndexRow, Version};
use tokio::sync::{mpsc, oneshot};

use super::mailbox::Message;
use super::view::{CallView, Done, EngineError};
use super::world::{Hold, LaneOwner, Posted};
use super::{Inbox, Shared, recovery};
use crate::limits;

/// What a task begins with.
pub(crate) struct Begin {
    state: Conversation,
    version: Version,
    call: CallId,
    first: First,
}

/// What a task does before it looks into its mailbox.
enum First {
    /// Begins, and answers.
    Verb(Box<Input>, oneshot::Sender<Result<Done, EngineError>>),
    /// Takes over from an earlier epoch.
    Adoption,
}

impl Begin {
    /// Nothing is recorded yet.
    pub(crate) fn new(
        id: ConversationId,
        new: &NewCall,
        first: Input,
        reply: oneshot::Sender<Result<Done, EngineError>>,
    ) -> Self {
        let first = First::Verb(Box::new(first), reply);
        Self { state: Conversation::new(id), version: Version(0), call: new.call, first }
    }

    /// Folded from the log, to be adopted.
    pub(crate) fn adopt(state: Conversation, version: Version, begun: &NewCall) -> Self {
        Self { state, version, call: begun.call, first: First::Adoption }
    }
}

/// Starts the task and its wall.
pub(crate) fn spawn(shared: Arc<Shared>, begin: Begin, inbox: Inbox) {
    tokio::spawn(async move {
        let (id, call) = (begin.state.id(), begin.call);
        let task = Task { shared: Arc::clone(&shared), state: begin.state, version: begin.version };
        let outcome = tokio::spawn(task.live(begin.first, inbox)).await;
        let world = shared.world();
        let hang_up = || shared.registry.legs_of(call).into_iter().for_each(|leg| world.legs.hang_up(leg, None));
        match outcome {
            Ok(Ending::Over) => {}
            Ok(Ending::GivenUp) => {
                tracing::error!(conversation = %id, "a conversation was given up; its legs are hung up");
                world.tell.abandon(call);
                hang_up();
            }
            Err(_) => {
                tracing::error!(conversation = %id, "a conversation broke; it is ended, and its bot is told");
                hang_up();
                match tokio::spawn(end_broken(Arc::clone(&shared), id)).await {
                    // What the broken task had recorded, and not handed on, is in the log.
                    Ok(Ok(())) => world.tell.catch_up(call),
                    Ok(Err(_)) | Err(_) => world.tell.abandon(call),
                }
            }
        }
        shared.registry.leave(call);
    });
}

/// Ends what a task left when it broke, from what is recorded.
async fn end_broken(shared: Arc<Shared>, id: ConversationId) -> Result<(), Stop> {
    let (state, version) = recovery::folded(&shared, id).await.map_err(|_| Stop::GivenUp)?;
    let mut task = Task { shared, state, version };
    // The call's own leg first: why it ends is why the call does.
    for leg in task.state.legs().map(|leg| leg.id).collect::<Vec<_>>() {
        let cause = EndCause::Failed("the server broke off the call".to_owned());
        task.record(Input::LegEnded { leg, cause }).await?;
    }
    // The call waits for a recording, and nobody is left to hear of its end.
    for operation in task.recovered().await {
        let outcome = RecordOutcome::CutShort("the server broke off the call".to_owned());
        task.record(Input::RecordFinished { operation, outcome }).await?;
    }
    let lost = task.state.calls().filter_map(Call::running).map(|operation| operation.id);
    for operation in lost.collect::<Vec<_>>() {
        let outcome = RecordOutcome::Failed("the server broke off the call".to_owned());
        task.record(Input::RecordFinished { operation, outcome }).await?;
    }
    Ok(())
}

/// How a task ended.
enum Ending {
    /// Its conversation is over, or never began.
    Over,
    /// Another epoch owns it, or it could not be recorded.
    GivenUp,
}

struct Task {
    shared: Arc<Shared>,
    state: Conversation,
    version: Version,
}

impl Task {
    async fn live(mut self, first: First, (mut verbs, mut happenings): Inbox) -> Ending {
        let begun = match first {
            First::Verb(input, reply) => self.verb(*input, reply).await,
            First::Adoption => self.adopt().await,
        };
        match begun {
            Ok(()) => {}
            Err(Stop::NeverBegan) => return Ending::Over,
            Err(Stop::GivenUp) => return Ending::GivenUp,
        }
        loop {
            if self.state.is_over() {
                return self.answer_the_late(verbs).await;
            }
            let deadline = self.state.next_deadline().map(|at| self.shared.clock.instant(at));
            let timer = async {
                match deadline {
                    Some(at) if at <= tokio::time::Instant::now() => {}
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // Happenings first: a bot's verb then meets the world as it is. And a bot that asks without end puts no end off.
            let step = tokio::select! {
                biased;
                Some(input) = happenings.recv() => self.happen(input).await,
                () = timer => self.happen(Input::Deadline).await,
                Some(message) = verbs.recv() => self.message(message).await,
                else => return Ending::GivenUp,
            };
            match step {
                Ok(()) => {}
                Err(Stop::NeverBegan | Stop::GivenUp) => return Ending::GivenUp,
            }
        }
    }

    /// Verbs that found the mailbox before the registry forgot the call hear that it is over.
    async fn answer_the_late(mut self, mut verbs: mpsc::Receiver<Message>) -> Ending {
        verbs.close();
        while let Some(message) = verbs.recv().await {
            if self.message(message).await.is_err() {
                return Ending::GivenUp;
            }
        }
        Ending::Over
    }

    async fn message(&mut self, message: Message) -> Result<(), Stop> {
        match message {
            Message::View { call, reply } => {
                let _ = reply.send(self.view(call).ok_or(EngineError::Refused(Refusal::CallNotFound)));
                Ok(())
            }
            Message::Operation { call, operation, reply } => {
                let found = self.state.call(call).and_then(|call| call.operation(operation)).cloned();
                let _ = reply.send(found);
                Ok(())
            }
            Message::Verb { input, reply } => self.verb(*input, reply).await,
        }
    }

    async fn verb(&mut self, input: Input, reply: oneshot::Sender<Result<Done, EngineError>>) -> Result<(), Stop> {
        let now = self.now();
        let wants_call =
            matches!(input, Input::PlaceCall(_) | Input::CallOffered(_)).then(|| first_call(&input)).flatten();
        let events = match self.state.decide(now, input) {
            Ok(events) => events,
            Err(refusal) => {
                let _ = reply.send(Err(refusal.into()));
                return self.never_began();
            }
        };
        let record = Record::new(now, events);
        match self.append(&record).await {
            Ok(version) => self.version = version,
            Err(Unrecorded::Refused(error)) => {
                let _ = reply.send(Err(error));
                return self.never_began();
            }
            Err(Unrecorded::Fenced) => {
                let _ = reply.send(Err(EngineError::Stopping));
                return Err(Stop::GivenUp);
            }
        }
        let operation = record.events.iter().find_map(|event| match event {
            Event::OperationStarted { operation, .. } => Some(operation.clone()),
            _ => None,
        });
        let call = first_event_call(&record.events);
        let (sender, released) = oneshot::channel();
        if let Some(call) = call.filter(|_| wants_call.is_none()) {
            self.shared.world().tell.hold(call, Hold { version: self.version, released });
        } else if let Some(call) = wants_call {
            self.open_lane(call, &record.events);
            self.shared.world().tell.hold(call, Hold { version: self.version, released });
        }
        let effects = self.become_and_tell(&record);
        let view = wants_call.and_then(|call| self.view(call));
        let _ = reply.send(Ok(Done { operation, call: view, hold: Some(sender) }));
        self.issue(effects);
        Ok(())
    }

    async fn happen(&mut self, input: Input) -> Result<(), Stop> {
        let effects = self.record(input).await?;
        self.issue(effects);
        Ok(())
    }

    /// Takes over: what is still owed is read from the state, not from the adoption's own record.
    async fn adopt(&mut self) -> Result<(), Stop> {
        let kept = self.recovered().await;
        self.record(Input::Adopt { epoch: self.shared.epoch, kept }).await?;
        self.issue(self.state.outstanding());
        Ok(())
    }

    /// Recordings under way that outlived their process, or their conversation's task.
    async fn recovered(&self) -> Vec<OperationId> {
        let is_recording = |operation: &&Operation| matches!(operation.kind, OperationKind::RecordResponse(_));
        let running = self.state.calls().filter_map(Call::running).filter(is_recording);
        let running: Vec<OperationId> = running.map(|operation| operation.id).collect();
        if running.is_empty() {
            return vec![];
        }
        self.shared.world().audio.recover(running).await.unwrap_or_default()
    }

    /// Decides a happening, records what it makes true, tells it, and returns what is to be done.
    async fn record(&mut self, input: Input) -> Result<Vec<Effect>, Stop> {
        let now = self.now();
        let events = match self.state.decide(now, input) {
            Ok(events) => events,
            Err(refusal) => {
                tracing::error!(%refusal, "a happening was refused");
                return Ok(vec![]);
            }
        };
        if events.is_empty() {
            return Ok(vec![]);
        }
        let record = Record::new(now, events);
        let mut tries = 0;
        loop {
            match self.append(&record).await {
                Ok(version) => {
                    self.version = version;
                    break;
                }
                Err(Unrecorded::Fenced) => return Err(Stop::GivenUp),
                // A full disk: what ends things has its reserve, and what does not is let go.
                Err(Unrecorded::Refused(EngineError::StorageFull)) if record.events.iter().all(can_be_missed) => {
                    tracing::warn!("the disk is full: something that happened was not recorded, nor told");
                    return Ok(vec![]);
                }
                Err(Unrecorded::Refused(error)) => {
                    tries += 1;
                    if tries >= limits::RECORD_TRIES {
                        tracing::error!(%error, "what happened could not be recorded");
                        return Err(Stop::GivenUp);
                    }
                    tokio::time::sleep(limits::RECORD_AGAIN).await;
                }
            }
        }
        Ok(self.become_and_tell(&record))
    }

    /// Records. Repeating it after an unknown outcome is safe: the ledger sees the same append.
    async fn append(&self, record: &Record) -> Result<Version, Unrecorded> {
        let index = record.events.iter().filter_map(|event| match event {
            Event::CallOffered(begun) | Event::CallPlaced(begun) => {
                Some(IndexRow { call: begun.call, app: begun.app.clone(), tenant: begun.tenant.clone() })
            }
            _ => None,
        });
        let ends =
            record.events.iter().any(|event| matches!(event, Event::LegEnded { .. } | Event::CallTerminated { .. }));
        let over = ends && {
            let mut after = self.state.clone();
            after.fold(record);
            after.is_over()
        };
        let append = Append {
            epoch: self.shared.epoch,
            conversation: self.state.id(),
            expected: self.version,
            record: record.clone(),
            index: index.collect(),
            ended: over.then_some(record.at),
            terminal: record.events.iter().any(is_terminal),
        };
        let began = Instant::now();
        let appended = self.shared.ledger.append(append).await;
        if appended.is_ok() {
            self.shared.trace.metrics().appended(began.elapsed());
        }
        appended.map_err(|error| match error {
            AppendError::WrongVersion { .. } | AppendError::WrongEpoch { .. } => Unrecorded::Fenced,
            AppendError::Full => Unrecorded::Refused(EngineError::StorageFull),
            AppendError::Busy => Unrecorded::Refused(EngineError::Busy("the ledger's queue")),
            AppendError::Closed => Unrecorded::Refused(EngineError::Stopping),
            other => Unrecorded::Refused(EngineError::Ledger(other.to_string())),
        })
    }

    /// Becomes what was recorded, hands each notice to its lane, and returns what is to be done.
    fn become_and_tell(&mut self, record: &Record) -> Vec<Effect> {
        let (mut effects, mut notices) = (vec![], vec![]);
        let mut counted: Vec<(CallId, u32)> = vec![];
        for event in &record.events {
            self.state.evolve(record.at, event);
            self.register(event);
            effects.extend(self.state.effects(event));
            for (call, notice) in self.state.notices(event) {
                let index = next_index(&mut counted, call);
                let cursor = Cursor { version: self.version, index };
                notices.push((call, Posted { cursor, at: record.at, notice }));
            }
        }
        let told: Vec<CallId> = counted.iter().map(|(call, _)| *call).collect();
        // Whoever hears of it finds it counted.
        self.shared.trace.recorded(&self.state, self.version.0, record, &told);
        for (call, posted) in notices {
            self.shared.world().tell.tell(call, posted);
        }
        effects
    }

    /// Phones that come into a meeting and leave it, and the bot that leaves it, are known in the registry.
    fn register(&self, event: &Event) {
        let registry = &self.shared.registry;
        match event {
            Event::LegAdmitted { leg, call, .. } => registry.add_leg(*call, *leg),
            Event::LegEnded { leg, .. } if self.state.leg(*leg).is_none() => registry.remove_leg(*leg),
            Event::CallEnding { call, .. } | Event::CallTerminated { call, .. }
                if self.state.call(*call).is_some_and(|call| call.begun.meeting.is_some()) =>
            {
                registry.leave_meeting(*call);
            }
            _ => {}
        }
    }

    fn open_lane(&self, call: CallId, events: &[Event]) {
        for event in events {
            if let Event::CallOffered(begun) | Event::CallPlaced(begun) = event
                && begun.call == call
            {
                self.shared.world().tell.open(LaneOwner {
                    call,
                    conversation: self.state.id(),
                    app: begun.app.clone(),
                    tenant: begun.tenant.clone(),
                });
            }
        }
    }

    fn issue(&self, effects: Vec<Effect>) {
        let world = self.shared.world();
        for effect in effects {
            match effect {
                Effect::Place { leg, app, tenant, from, to } => world.legs.place(leg, &app, &tenant, &from, &to),
                Effect::TakeSeat { leg } => world.legs.take_seat(leg),
                Effect::Admit { leg, seat } => world.legs.admit(leg, seat),
                Effect::Accept { leg } => world.legs.accept(leg),
                Effect::Decline { leg, status } => world.legs.decline(leg, status),
                Effect::HangUp { leg, dialog } => world.legs.hang_up(leg, dialog.as_deref()),
                Effect::Play { leg, operation, app, prompts, repeat } => {
                    world.audio.play(leg, operation, &app, &prompts, repeat);
                }
                Effect::Record { leg, call, operation, app, recording } => {
                    world.audio.record(leg, call, operation, &app, &recording);
                }
                Effect::SendTones { leg, operation, tones, delay } => {
                    world.audio.send_tones(leg, operation, &tones, Duration::from_millis(delay.into()));
                }
                Effect::Keep { leg, operation } => world.audio.keep(leg, operation),
                Effect::Stop { leg, operation } => world.audio.stop(leg, operation),
            }
        }
    }

    fn view(&self, id: CallId) -> Option<CallView> {
        let call = self.state.call(id)?;
        if call.is_over() {
            return None;
        }
        let leg = self.state.leg(call.begun.leg).map_or(LegPhase::Ended, |leg| leg.phase.clone());
        let mut call = call.clone();
        call.operations.clear();
        Some(CallView { conversation: self.state.id(), call, leg, roster: self.state.roster() })
    }

    /// A conversation whose first input was refused never was.
    fn never_began(&self) -> Result<(), Stop> {
        if self.version == Version(0) { Err(Stop::NeverBegan) } else { Ok(()) }
    }

    /// Engine time, never before the last record.
    fn now(&self) -> Now {
        self.shared.clock.now().max(self.state.at())
    }
}

enum Stop {
    NeverBegan,
    GivenUp,
}

enum Unrecorded {
    /// Nothing was recorded.
    Refused(EngineError),
    /// The conversation belongs to another epoch.
    Fenced,
}

fn first_call(input: &Input) -> Option<CallId> {
    match input {
        Input::PlaceCall(new) | Input::CallOffered(new) => Some(new.call),
        _ => None,
    }
}

fn first_event_call(events: &[Event]) -> Option<CallId> {
    events.iter().find_map(|event| match event {
        Event::CallAnswered { call, .. }
        | Event::CallTerminating { call }
        | Event::CallTerminated { call, .. }
        | Event::OperationStarted { call, .. }
        | Event::OperationEnded { call, .. } => Some(*call),
        _ => None,
    })
}

/// Happenings without which a call still ends well.
fn can_be_missed(event: &Event) -> bool {
    matches!(event, Event::ToneHeard { .. } | Event::AudioChanged { .. } | Event::AskRedirected { .. })
}

/// Records that end things, or that are needed to end them, may use the ledger's reserve when the disk is full.
fn is_terminal(event: &Event) -> bool {
    matches!(
        event,
        Event::LegAnswered { .. }
            | Event::OperationEnded { .. }
            | Event::CallEnding { .. }
            | Event::CallTerminated { .. }
            | Event::LegEnded { .. }
            | Event::LegReleased { .. }
            | Event::Adopted { .. }
    )
}

/// The next index of a call's notices within one record.
pub(super) fn next_index(counted: &mut Vec<(CallId, u32)>, call: CallId) -> u32 {
    if let Some((_, count)) = counted.iter_mut().find(|(of, _)| *of == call) {
        *count += 1;
        return *count - 1;
    }
    counted.push((call, 1));
    0
}
