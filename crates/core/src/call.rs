//! A call (one bot's view) and a leg (one phone's connection), as states that carry their data.

use alloc::collections::VecDeque;
use alloc::string::String;

use crate::event::{Begun, Event};
use crate::identity::Identity;
use crate::ids::{CallId, LegId, OperationId, ParticipantId};
use crate::limits;
use crate::operation::{Operation, OperationKind, OperationStatus};
use crate::result::ResultInfo;
use crate::time::Now;

/// Graph's `callDirection`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// A phone rang the bot.
    Incoming,
    /// The bot placed it.
    Outgoing,
}

/// Graph's `callState`, with what each state holds (`contract §3.1`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallState {
    /// The bot is asked.
    Incoming {
        /// Until when it may answer.
        until: Now,
        /// How often the ask was sent elsewhere.
        redirects: u32,
    },
    /// Answered or placed; the leg is not up yet.
    Establishing {
        /// Until when it must be.
        until: Now,
    },
    /// Up.
    Established {
        /// `mediaState.audio` is active.
        audio: bool,
    },
    /// The bot hung up; the next event ends it.
    Terminating,
    /// Over for everyone, but for a recording that is yet to be kept.
    Ending {
        /// Why it ends.
        result: ResultInfo,
        /// How long that may take.
        until: Now,
    },
    /// Over.
    Terminated(ResultInfo),
}

/// A call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// What never changes.
    pub begun: Begun,
    /// Who began it.
    pub direction: Direction,
    /// Its state.
    pub state: CallState,
    /// Where notices go now.
    pub callback: String,
    /// Tones are told.
    pub tones: bool,
    /// Tones told so far.
    pub tone_sequence: i64,
    /// When it ends unless kept alive.
    pub alive_until: Now,
    /// Open operations, and the last [`limits::ENDED_OPERATIONS`] that ended, in the order they began.
    pub operations: VecDeque<Operation>,
}

impl Call {
    pub(crate) fn new(begun: &Begun, direction: Direction, at: Now) -> Self {
        Self {
            callback: begun.callback.clone(),
            begun: begun.clone(),
            direction,
            state: match direction {
                Direction::Incoming => CallState::Incoming { until: begun.until, redirects: 0 },
                Direction::Outgoing => CallState::Establishing { until: begun.until },
            },
            tones: false,
            tone_sequence: 0,
            alive_until: at.plus(limits::KEEP_ALIVE),
            operations: VecDeque::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> CallId {
        self.begun.call
    }

    /// It has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.state, CallState::Terminated(_))
    }

    /// It only waits for a recording to be kept.
    pub fn is_ending(&self) -> bool {
        matches!(self.state, CallState::Ending { .. })
    }

    /// It is established.
    pub fn is_established(&self) -> bool {
        matches!(self.state, CallState::Established { .. })
    }

    /// An operation still in memory.
    pub fn operation(&self, id: OperationId) -> Option<&Operation> {
        self.operations.iter().rev().find(|operation| operation.id == id)
    }

    /// Operations that have not ended.
    pub fn open_operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| !operation.status.is_terminal())
    }

    /// The operation whose turn it is.
    pub fn running(&self) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.status == OperationStatus::Running)
    }

    /// The operation whose turn comes next.
    pub(crate) fn next_queued(&self) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.status == OperationStatus::NotStarted)
    }

    /// When this call must be looked at again: its place in the closed table of timers.
    pub(crate) fn deadline(&self) -> Option<Now> {
        match self.state {
            CallState::Incoming { until, .. } | CallState::Establishing { until } => Some(until.min(self.alive_until)),
            CallState::Established { .. } => Some(self.alive_until),
            CallState::Ending { until, .. } => Some(until),
            CallState::Terminating | CallState::Terminated(_) => None,
        }
    }

    /// Becomes what an event of this call says. What is over stays as it was.
    pub(crate) fn evolve(&mut self, at: Now, event: &Event) {
        if self.is_over() {
            return;
        }
        match event {
            Event::AskRedirected { callback, .. } => {
                if let CallState::Incoming { redirects, .. } = &mut self.state {
                    *redirects += 1;
                    self.callback.clone_from(callback);
                }
            }
            Event::CallbackChanged { callback, .. } => self.callback.clone_from(callback),
            Event::CallAnswered { callback, until, .. } => {
                if let CallState::Incoming { .. } = self.state {
                    self.callback.clone_from(callback);
                    self.state = CallState::Establishing { until: *until };
                }
            }
            Event::CallEstablished { .. } => {
                if let CallState::Establishing { .. } = self.state {
                    self.state = CallState::Established { audio: false };
                }
            }
            Event::AudioChanged { active, .. } => {
                if let CallState::Established { audio } = &mut self.state {
                    *audio = *active;
                }
            }
            Event::CallKeptAlive { .. } => self.alive_until = at.plus(limits::KEEP_ALIVE),
            Event::CallTerminating { .. } => self.state = CallState::Terminating,
            Event::CallEnding { result, until, .. } => {
                self.state = CallState::Ending { result: result.clone(), until: *until };
            }
            Event::CallTerminated { result, .. } => self.state = CallState::Terminated(result.clone()),
            Event::OperationStarted { operation, .. } => {
                if self.operation(operation.id).is_some() {
                    return;
                }
                if operation.kind == OperationKind::SubscribeToTone {
                    self.tones = true;
                }
                self.operations.push_back(operation.clone());
                self.forget_old_operations();
            }
            Event::OperationBegan { operation, .. } => self.step(*operation, OperationStatus::Running, None),
            Event::OperationEnded { operation, status, result, .. } => self.step(*operation, *status, Some(result)),
            Event::ToneHeard { sequence, .. } => self.tone_sequence = *sequence,
            Event::CallOffered(_)
            | Event::CallPlaced(_)
            | Event::LegAdmitted { .. }
            | Event::RosterChanged { .. }
            | Event::LegAnswered { .. }
            | Event::LegReleased { .. }
            | Event::LegEnded { .. }
            | Event::Adopted { .. } => {}
        }
    }

    /// Takes a step of an operation's lifecycle; a step it does not have changes nothing.
    pub(crate) fn step(&mut self, id: OperationId, to: OperationStatus, result: Option<&ResultInfo>) {
        let Some(operation) = self.operations.iter_mut().rev().find(|operation| operation.id == id) else { return };
        if let Ok(status) = operation.status.step(to) {
            operation.status = status;
            operation.result = result.cloned();
        }
    }

    /// Keeps the last [`limits::ENDED_OPERATIONS`] ended ones. Only a new operation pushes old ones
    /// out, so that the notice of one that just ended still finds it.
    pub(crate) fn forget_old_operations(&mut self) {
        if self.operations.len() <= limits::ENDED_OPERATIONS {
            return;
        }
        let mut ended = self.operations.iter().filter(|operation| operation.status.is_terminal()).count();
        while ended > limits::ENDED_OPERATIONS {
            if let Some(oldest) = self.operations.iter().position(|operation| operation.status.is_terminal()) {
                self.operations.remove(oldest);
            }
            ended -= 1;
        }
    }
}

/// Where a leg stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LegPhase {
    /// It rings us.
    Offered,
    /// We answer it.
    Accepting,
    /// We place it.
    Placing,
    /// Up both ways; signalling's text for hanging up after a crash.
    Up(String),
    /// We let go of it: decline with a status, or hang up with what is known of its dialog.
    Releasing {
        /// Decline.
        decline: Option<u16>,
        /// Hang up.
        dialog: Option<String>,
    },
    /// Gone.
    Ended,
}

/// A leg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leg {
    /// Its id.
    pub id: LegId,
    /// The call it carries.
    pub call: CallId,
    /// Where it stands.
    pub phase: LegPhase,
    /// Who is at the far end of a phone that joined a meeting; else the call knows.
    pub party: Option<Party>,
}

/// Someone in a conversation, as the roster has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// Graph's `participant.id`.
    pub participant: ParticipantId,
    /// Who it is.
    pub identity: Identity,
}
