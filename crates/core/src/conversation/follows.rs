//! What follows from an event, and what is still owed: effects and notices, read from the state alone. Nothing here
//! changes it.

use alloc::vec;
use alloc::vec::Vec;

use super::Conversation;
use crate::call::{Call, CallState, Leg, LegPhase};
use crate::effect::Effect;
use crate::event::{Begun, Event};
use crate::ids::{CallId, OperationId};
use crate::notice::{Notice, Told};
use crate::operation::{OperationKind, OperationStatus};
use crate::result::ResultInfo;

impl Conversation {
    /// What the world must now do, right after `event` was evolved.
    pub fn effects(&self, event: &Event) -> Vec<Effect> {
        match event {
            Event::CallPlaced(begun) => place(begun).into_iter().collect(),
            Event::LegAdmitted { leg, .. } => self.leg(*leg).map(|leg| self.accept(leg)).into_iter().collect(),
            Event::CallAnswered { call, .. } => self
                .legs
                .iter()
                .filter(|leg| leg.call == *call && leg.phase == LegPhase::Accepting)
                .map(|leg| self.accept(leg))
                .collect(),
            // A leg that came up while it was let go is hung up for good.
            Event::LegReleased { leg, .. } | Event::LegAnswered { leg, .. } => {
                self.leg(*leg).and_then(release).into_iter().collect()
            }
            Event::OperationStarted { call, operation } if operation.status == OperationStatus::Running => {
                self.run(*call, operation.id)
            }
            Event::OperationBegan { call, operation } => self.run(*call, *operation),
            Event::CallEnding { call, .. } => self.call(*call).and_then(keep).into_iter().collect(),
            Event::OperationEnded { call, operation, result, .. } if *result == ResultInfo::cancelled() => {
                let leg = self.call(*call).and_then(|call| self.leg(call.begun.leg));
                let up = leg.filter(|leg| matches!(leg.phase, LegPhase::Up(_)));
                up.map(|leg| Effect::Stop { leg: leg.id, operation: *operation }).into_iter().collect()
            }
            Event::CallOffered(_)
            | Event::AskRedirected { .. }
            | Event::CallbackChanged { .. }
            | Event::CallEstablished { .. }
            | Event::AudioChanged { .. }
            | Event::RosterChanged { .. }
            | Event::CallKeptAlive { .. }
            | Event::CallTerminating { .. }
            | Event::CallTerminated { .. }
            | Event::LegEnded { .. }
            | Event::OperationStarted { .. }
            | Event::OperationEnded { .. }
            | Event::ToneHeard { .. }
            | Event::Adopted { .. } => vec![],
        }
    }

    /// What is still owed, from state alone. Right after an adoption only durable effects are left.
    pub fn outstanding(&self) -> Vec<Effect> {
        let mut owed = vec![];
        for leg in &self.legs {
            match &leg.phase {
                LegPhase::Placing => owed.extend(self.call(leg.call).and_then(|call| place(&call.begun))),
                LegPhase::Accepting => owed.push(self.accept(leg)),
                LegPhase::Releasing { .. } => owed.extend(release(leg)),
                LegPhase::Offered | LegPhase::Up(_) | LegPhase::Ended => {}
            }
        }
        for call in self.calls.iter().filter(|call| !call.is_over()) {
            if let Some(running) = call.running() {
                owed.extend(self.run(call.id(), running.id));
            }
            owed.extend(keep(call));
        }
        owed
    }

    /// What bots are told, right after `event` was evolved.
    pub fn notices(&self, event: &Event) -> Vec<(CallId, Notice)> {
        let told = |id: &CallId, told: Told| self.call(*id).map(|call| (*id, Notice::of(call, told)));
        match event {
            Event::CallOffered(Begun { call, .. }) | Event::AskRedirected { call, .. } => {
                self.call(*call).and_then(|call| Some((call.id(), ask(call)?))).into_iter().collect()
            }
            Event::CallPlaced(Begun { call, .. }) | Event::CallAnswered { call, .. } => {
                told(call, Told::Establishing).into_iter().collect()
            }
            Event::CallEstablished { call: id } => self.established(*id, None).into_iter().collect(),
            Event::AudioChanged { call: id, active } => {
                let roster = if *active { told(id, Told::Roster(self.roster())) } else { None };
                self.established(*id, Some(*active)).into_iter().chain(roster).collect()
            }
            Event::RosterChanged { call } => told(call, Told::Roster(self.roster())).into_iter().collect(),
            Event::CallTerminating { call } => told(call, Told::Terminating).into_iter().collect(),
            Event::CallTerminated { call, result } => {
                told(call, Told::Terminated(result.clone())).into_iter().collect()
            }
            Event::OperationEnded { call: id, operation, .. } => self
                .call(*id)
                .and_then(|call| {
                    Some((*id, Notice::of(call, Told::OperationEnded(call.operation(*operation)?.clone()))))
                })
                .into_iter()
                .collect(),
            Event::ToneHeard { call, sequence, tone } => {
                told(call, Told::Tone { sequence: *sequence, tone: *tone }).into_iter().collect()
            }
            Event::CallKeptAlive { .. }
            | Event::CallbackChanged { .. }
            | Event::CallEnding { .. }
            | Event::LegAdmitted { .. }
            | Event::LegAnswered { .. }
            | Event::LegReleased { .. }
            | Event::LegEnded { .. }
            | Event::OperationStarted { .. }
            | Event::OperationBegan { .. }
            | Event::Adopted { .. } => vec![],
        }
    }

    /// What a running operation asks of the world.
    fn run(&self, call: CallId, operation: OperationId) -> Vec<Effect> {
        let run = self.call(call).and_then(|call| match &call.operation(operation)?.kind {
            OperationKind::PlayPrompt { prompts, repeat } => Some(Effect::Play {
                leg: call.begun.leg,
                operation,
                app: call.begun.app.clone(),
                prompts: prompts.clone(),
                repeat: *repeat,
            }),
            OperationKind::RecordResponse(recording) => Some(Effect::Record {
                leg: call.begun.leg,
                call: call.id(),
                operation,
                app: call.begun.app.clone(),
                recording: recording.clone(),
            }),
            OperationKind::SendDtmfTones { tones, delay } => {
                Some(Effect::SendTones { leg: call.begun.leg, operation, tones: tones.clone(), delay: *delay })
            }
            OperationKind::SubscribeToTone | OperationKind::CancelMediaProcessing => None,
        });
        run.into_iter().collect()
    }

    fn established(&self, id: CallId, audio: Option<bool>) -> Option<(CallId, Notice)> {
        let call = self.call(id)?;
        Some((id, Notice::of(call, Told::Established { direction: call.direction, audio })))
    }

    /// What answers a leg that dialled us: a bot, or the meeting it is in.
    fn accept(&self, leg: &Leg) -> Effect {
        match self.call(leg.call).filter(|_| leg.party.is_some()) {
            Some(call) => Effect::Admit { leg: leg.id, seat: call.begun.leg },
            None => Effect::Accept { leg: leg.id },
        }
    }
}

/// What makes the leg of a call that a bot placed. A record that names neither a far end nor a meeting asks for nothing.
fn place(begun: &Begun) -> Option<Effect> {
    if begun.meeting.is_some() {
        return Some(Effect::TakeSeat { leg: begun.leg });
    }
    Some(Effect::Place {
        leg: begun.leg,
        app: begun.app.clone(),
        tenant: begun.tenant.clone(),
        from: begun.source.clone(),
        to: begun.target.clone()?,
    })
}

/// What is being recorded while the call ends is to be kept.
fn keep(call: &Call) -> Option<Effect> {
    let running = call.running().filter(|_| call.is_ending())?;
    Some(Effect::Keep { leg: call.begun.leg, operation: running.id })
}

fn release(leg: &Leg) -> Option<Effect> {
    match &leg.phase {
        LegPhase::Releasing { decline: Some(status), .. } => Some(Effect::Decline { leg: leg.id, status: *status }),
        LegPhase::Releasing { dialog, .. } => Some(Effect::HangUp { leg: leg.id, dialog: dialog.clone() }),
        _ => None,
    }
}

fn ask(call: &Call) -> Option<Notice> {
    let begun = &call.begun;
    let (target, them) = (begun.target.clone()?, begun.them?);
    let told = Told::Incoming { source: begun.source.clone(), target, me: begun.me, them };
    let ask_until = match call.state {
        CallState::Incoming { until, .. } => Some(until),
        _ => None,
    };
    Some(Notice { ask_until, ..Notice::of(call, told) })
}
