//! A conversation as one machine: decide, evolve, effects, notices. The unit of ownership, ordering
//! and durability. The verbs and happenings themselves are in their own files; this one routes to
//! them and holds the state.

mod follows;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::call::{Call, CallState, Direction, Leg, LegPhase, Party};
use crate::event::{Begun, Event, Record};
use crate::happens;
use crate::identity::Identity;
use crate::ids::{CallId, ConversationId, Epoch, LegId, OperationId, ParticipantId};
use crate::input::Input;
use crate::limits;
use crate::operation::{Operation, OperationKind, OperationStatus};
use crate::refusal::Refusal;
use crate::result::ResultInfo;
use crate::time::Now;
use crate::verbs;

/// Everything that shares one mixer: its calls and their legs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conversation {
    id: ConversationId,
    calls: Vec<Call>,
    legs: Vec<Leg>,
    events: u64,
    at: Now,
    epoch: Option<Epoch>,
}

impl Conversation {
    /// A conversation of which nothing is recorded yet.
    pub fn new(id: ConversationId) -> Self {
        Self { id, calls: vec![], legs: vec![], events: 0, at: Now::default(), epoch: None }
    }

    /// Graph's `callChainId`.
    pub fn id(&self) -> ConversationId {
        self.id
    }

    /// When the last record was decided.
    pub fn at(&self) -> Now {
        self.at
    }

    /// Its calls.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    /// A call, live or over.
    pub fn call(&self, id: CallId) -> Option<&Call> {
        self.calls.iter().find(|call| call.id() == id)
    }

    /// Its legs.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter()
    }

    /// A leg.
    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    /// Every call and every leg has ended: nothing more can become true.
    pub fn is_over(&self) -> bool {
        self.has_begun()
            && self.calls.iter().all(Call::is_over)
            && self.legs.iter().all(|leg| leg.phase == LegPhase::Ended)
    }

    /// What an input makes true, or why it is refused. Pure. Of happenings only an offered call, which
    /// begins a conversation, and a phone that joins a meeting can be refused.
    pub fn decide(&self, now: Now, input: Input) -> Result<Vec<Event>, Refusal> {
        match input {
            Input::PlaceCall(new) => verbs::place_call::decide(self, new),
            Input::Answer { call, callback } => verbs::answer::decide(self, now, call, callback),
            Input::Reject { call, reason, callback } => verbs::reject::decide(self, now, call, reason, callback),
            Input::HangUp { call } => verbs::hang_up::decide(self, now, call),
            Input::Remove { call } => verbs::remove::decide(self, now, call),
            Input::KeepAlive { call } => verbs::keep_alive::decide(self, call),
            Input::PlayPrompt(play) => verbs::play_prompt::decide(self, play),
            Input::RecordResponse(record) => verbs::record_response::decide(self, record),
            Input::SendDtmfTones(send) => verbs::send_dtmf_tones::decide(self, send),
            Input::SubscribeToTone { call, operation, client_context } => {
                verbs::subscribe_to_tone::decide(self, call, operation, client_context)
            }
            Input::CancelMediaProcessing { call, operation, client_context } => {
                verbs::cancel_media_processing::decide(self, call, operation, client_context)
            }
            Input::CallOffered(new) => happens::call_offered::decide(self, new),
            Input::PhoneJoins { leg, participant, identity } => {
                happens::phone_joins::decide(self, leg, participant, identity)
            }
            Input::AskRedirected { call, callback } => Ok(happens::ask_redirected::decide(self, call, callback)),
            Input::LegAnswered { leg, dialog } => Ok(happens::leg_answered::decide(self, leg, dialog)),
            Input::LegHeld { leg, held } => Ok(happens::leg_held::decide(self, leg, held)),
            Input::LegEnded { leg, cause } => Ok(happens::leg_ended::decide(self, now, leg, cause)),
            Input::PlayFinished { operation, outcome } => Ok(happens::play_finished::decide(self, operation, outcome)),
            Input::RecordFinished { operation, outcome } => {
                Ok(happens::record_finished::decide(self, operation, outcome))
            }
            Input::ToneHeard { leg, tone } => Ok(happens::tone_heard::decide(self, leg, tone)),
            Input::Deadline => Ok(happens::deadline::decide(self, now)),
            Input::Adopt { epoch, kept } => Ok(happens::adopted::decide(self, epoch, &kept)),
        }
    }

    /// Becomes what an event says. Total: an event that does not fit changes nothing.
    pub fn evolve(&mut self, at: Now, event: &Event) {
        self.at = self.at.max(at);
        self.events += 1;
        match event {
            Event::CallOffered(begun) => self.begin(begun, Direction::Incoming, at),
            Event::CallPlaced(begun) => self.begin(begun, Direction::Outgoing, at),
            Event::LegAnswered { leg, dialog } => self.leg_answered(*leg, dialog),
            Event::LegReleased { leg, decline } => self.leg_released(*leg, *decline),
            Event::LegAdmitted { leg, call, participant, identity } => {
                let party = Party { participant: *participant, identity: identity.clone() };
                self.leg_admitted(*leg, *call, party);
            }
            Event::LegEnded { leg, .. } => self.leg_ended(*leg),
            Event::Adopted { epoch } => self.epoch = Some(*epoch),
            Event::AskRedirected { call, .. }
            | Event::CallbackChanged { call, .. }
            | Event::CallAnswered { call, .. }
            | Event::CallEstablished { call }
            | Event::AudioChanged { call, .. }
            | Event::RosterChanged { call }
            | Event::CallKeptAlive { call }
            | Event::CallTerminating { call }
            | Event::CallEnding { call, .. }
            | Event::CallTerminated { call, .. }
            | Event::OperationStarted { call, .. }
            | Event::OperationBegan { call, .. }
            | Event::OperationEnded { call, .. }
            | Event::ToneHeard { call, .. } => {
                if let Some(call) = self.calls.iter_mut().find(|candidate| candidate.id() == *call) {
                    call.evolve(at, event);
                }
            }
        }
        if let Event::CallAnswered { call, .. } = event
            && let Some(leg) = self.legs.iter_mut().find(|leg| leg.call == *call && leg.phase == LegPhase::Offered)
        {
            leg.phase = LegPhase::Accepting;
        }
    }

    /// Becomes what a record says.
    pub fn fold(&mut self, record: &Record) {
        for event in &record.events {
            self.evolve(record.at, event);
        }
    }

    /// When [`Input::Deadline`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Now> {
        self.calls.iter().filter_map(Call::deadline).min()
    }

    /// The last epoch that took the conversation over; none while its first owner has it.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    pub(crate) fn has_begun(&self) -> bool {
        !self.calls.is_empty()
    }

    /// A call that neither has ended nor is about to.
    pub(crate) fn live_call(&self, id: CallId) -> Result<&Call, Refusal> {
        self.call(id).filter(|call| !call.is_over() && !call.is_ending()).ok_or(Refusal::CallNotFound)
    }

    /// The call in which an operation is running.
    pub(crate) fn call_running(&self, id: OperationId) -> Option<&Call> {
        self.calls.iter().find(|call| call.running().is_some_and(|operation| operation.id == id))
    }

    /// Refuses what would fill the conversation; its end always has room.
    pub(crate) fn check_room(&self) -> Result<(), Refusal> {
        if self.events + limits::EVENTS_HEADROOM > limits::EVENTS { Err(Refusal::ConversationFull) } else { Ok(()) }
    }

    /// Ends every open operation of a call with `result`.
    pub(crate) fn end_operations(&self, call: &Call, result: &ResultInfo, events: &mut Vec<Event>) {
        events.extend(call.open_operations().map(|operation| Event::OperationEnded {
            call: call.id(),
            operation: operation.id,
            status: operation.kind.ended_badly(),
            result: result.clone(),
        }));
    }

    /// The running operation ends, and the next one's turn comes; or the call ends, if it waited for nothing else.
    pub(crate) fn end_running(
        &self,
        call: &Call,
        operation: OperationId,
        status: OperationStatus,
        result: ResultInfo,
    ) -> Vec<Event> {
        let mut events = vec![Event::OperationEnded { call: call.id(), operation, status, result }];
        if let CallState::Ending { result, .. } = &call.state {
            let queued = call.open_operations().filter(|queued| queued.id != operation);
            events.extend(queued.map(|queued| cancelled(call.id(), queued)));
            events.push(Event::CallTerminated { call: call.id(), result: result.clone() });
        } else if let Some(next) = call.next_queued() {
            events.push(Event::OperationBegan { call: call.id(), operation: next.id });
        }
        events
    }

    /// A call ends: its operations first (design promise 3), then itself. What is being recorded is to be kept (design
    /// promise 7), so that both wait for it, until the end of [`limits::RECORDING_KEPT`].
    pub(crate) fn close_call(&self, now: Now, call: &Call, result: ResultInfo, events: &mut Vec<Event>) {
        if call.running().is_some_and(|running| matches!(running.kind, OperationKind::RecordResponse(_))) {
            let until = now.plus(limits::RECORDING_KEPT);
            events.push(Event::CallEnding { call: call.id(), result, until });
            return;
        }
        self.end_operations(call, &ResultInfo::cancelled(), events);
        events.push(Event::CallTerminated { call: call.id(), result });
    }

    /// Lets go of a call's legs that have not ended, but for one that is just gone.
    pub(crate) fn let_go(&self, call: &Call, gone: Option<LegId>, decline: Option<u16>, events: &mut Vec<Event>) {
        let left = |leg: &&Leg| leg.call == call.id() && leg.phase != LegPhase::Ended && Some(leg.id) != gone;
        events.extend(self.legs.iter().filter(left).map(|leg| Event::LegReleased {
            leg: leg.id,
            decline: decline.filter(|_| leg.phase == LegPhase::Offered),
        }));
    }

    /// Ends a call from our side: then its leg is let go, too, and with the seat in a meeting its phones.
    pub(crate) fn end_call(
        &self,
        now: Now,
        call: &Call,
        result: ResultInfo,
        decline: Option<u16>,
        events: &mut Vec<Event>,
    ) {
        self.close_call(now, call, result, events);
        self.let_go(call, None, decline, events);
    }

    fn begin(&mut self, begun: &Begun, direction: Direction, at: Now) {
        if self.call(begun.call).is_some() || self.leg(begun.leg).is_some() {
            return;
        }
        let phase = match direction {
            Direction::Incoming => LegPhase::Offered,
            Direction::Outgoing => LegPhase::Placing,
        };
        self.calls.push(Call::new(begun, direction, at));
        self.legs.push(Leg { id: begun.leg, call: begun.call, phase, party: None });
    }

    fn leg_admitted(&mut self, id: LegId, call: CallId, party: Party) {
        if self.leg(id).is_none() && self.call(call).is_some_and(|call| !call.is_over()) {
            self.legs.push(Leg { id, call, phase: LegPhase::Accepting, party: Some(party) });
        }
    }

    /// A phone that left a meeting is forgotten, so that many may come and go.
    fn leg_ended(&mut self, id: LegId) {
        self.legs.retain(|leg| leg.id != id || leg.party.is_none());
        if let Some(leg) = self.leg_mut(id) {
            leg.phase = LegPhase::Ended;
        }
    }

    fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    fn leg_answered(&mut self, leg: LegId, text: &str) {
        let Some(leg) = self.leg_mut(leg) else { return };
        match &mut leg.phase {
            LegPhase::Releasing { dialog, decline } => {
                *dialog = Some(String::from(text));
                *decline = None;
            }
            phase @ (LegPhase::Accepting | LegPhase::Placing) => *phase = LegPhase::Up(String::from(text)),
            LegPhase::Offered | LegPhase::Up(_) | LegPhase::Ended => {}
        }
    }

    fn leg_released(&mut self, leg: LegId, decline: Option<u16>) {
        let Some(leg) = self.leg_mut(leg) else { return };
        let dialog = match &leg.phase {
            LegPhase::Up(dialog) => Some(dialog.clone()),
            LegPhase::Releasing { dialog, .. } => dialog.clone(),
            LegPhase::Ended => return,
            LegPhase::Offered | LegPhase::Accepting | LegPhase::Placing => None,
        };
        leg.phase = LegPhase::Releasing { decline, dialog };
    }

    /// Everyone in the conversation: the bots, then who is at the far ends.
    pub fn roster(&self) -> Vec<(ParticipantId, Identity)> {
        let mut roster = vec![];
        for call in self.calls.iter().filter(|call| !call.is_over()) {
            let begun = &call.begun;
            let far = begun.them.zip(begun.target.as_ref());
            match (call.direction, far) {
                (Direction::Incoming, Some((them, target))) => {
                    roster.extend([(begun.me, target.clone()), (them, begun.source.clone())]);
                }
                (Direction::Outgoing, Some((them, target))) => {
                    roster.extend([(begun.me, begun.source.clone()), (them, target.clone())]);
                }
                (_, None) => roster.push((begun.me, begun.source.clone())),
            }
        }
        let phones = self.legs.iter().filter(|leg| matches!(leg.phase, LegPhase::Up(_)));
        let phones = phones.filter_map(|leg| leg.party.as_ref());
        roster.extend(phones.map(|party| (party.participant, party.identity.clone())));
        roster
    }
}

fn cancelled(call: CallId, operation: &Operation) -> Event {
    let Operation { id: operation, kind, .. } = operation;
    Event::OperationEnded { call, operation: *operation, status: kind.ended_badly(), result: ResultInfo::cancelled() }
}
