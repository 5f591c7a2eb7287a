//! Recorded facts about a conversation: past tense, never refused. With what they hold, the only
//! types of this room that are stored; their form is versioned by [`Record::V`].

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::ids::{AppId, CallId, Epoch, LegId, OperationId, ParticipantId, TenantId};
use crate::input::{EndCause, Tone};
use crate::meeting::Meeting;
use crate::operation::{Operation, OperationStatus};
use crate::result::ResultInfo;
use crate::time::Now;

/// One batch of events: the unit that is durable or not, as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The stored form, [`Record::V`].
    pub v: u32,
    /// When it was decided.
    pub at: Now,
    /// What became true, in order.
    pub events: Vec<Event>,
}

impl Record {
    /// The stored form that this build writes.
    pub const V: u32 = 1;

    /// A record in today's form.
    pub fn new(at: Now, events: Vec<Event>) -> Self {
        Self { v: Self::V, at, events }
    }
}

/// The parts of a call that never change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// The call.
    pub call: CallId,
    /// Its leg; in a meeting, the bot's seat: a leg without a phone, by which the bot hears and is heard.
    pub leg: LegId,
    /// Whose call it is.
    pub app: AppId,
    /// The app's tenant.
    pub tenant: TenantId,
    /// Where notices go.
    pub callback: String,
    /// Who called.
    pub source: Identity,
    /// Who was called; nobody in a meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Identity>,
    /// The bot in the roster: Graph's `myParticipantId`.
    pub me: ParticipantId,
    /// The far end in the roster; nobody in a meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub them: Option<ParticipantId>,
    /// Graph's `subject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The meeting that the bot joins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting: Option<Meeting>,
    /// Until when it may wait for an answer.
    pub until: Now,
}

/// A fact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum Event {
    /// A phone rang a bot: the ask began.
    CallOffered(Begun),
    /// A bot placed a call, or joins a meeting.
    CallPlaced(Begun),
    /// The webhook sent the ask elsewhere (302 or 307).
    AskRedirected {
        /// The call.
        call: CallId,
        /// The new place.
        callback: String,
    },
    /// The bot named another place for what is told from now on.
    CallbackChanged {
        /// The call.
        call: CallId,
        /// The new place.
        callback: String,
    },
    /// The bot answered.
    CallAnswered {
        /// The call.
        call: CallId,
        /// Where notices go from now on.
        callback: String,
        /// Until when the leg must be up.
        until: Now,
    },
    /// The call is up.
    CallEstablished {
        /// The call.
        call: CallId,
    },
    /// Audio began or stopped to flow (`mediaState.audio`).
    AudioChanged {
        /// The call.
        call: CallId,
        /// Flowing.
        active: bool,
    },
    /// The call was kept alive.
    CallKeptAlive {
        /// The call.
        call: CallId,
    },
    /// The bot hangs up.
    CallTerminating {
        /// The call.
        call: CallId,
    },
    /// The call ends, and is over as soon as what was being recorded is kept.
    CallEnding {
        /// The call.
        call: CallId,
        /// Why it ends.
        result: ResultInfo,
        /// How long that may take.
        until: Now,
    },
    /// The call is over.
    CallTerminated {
        /// The call.
        call: CallId,
        /// Why.
        result: ResultInfo,
    },
    /// A phone dialled the meeting, and is let in.
    LegAdmitted {
        /// The leg.
        leg: LegId,
        /// The meeting's call.
        call: CallId,
        /// The phone in the roster.
        participant: ParticipantId,
        /// Who it is.
        identity: Identity,
    },
    /// A phone came into the meeting, or left it.
    RosterChanged {
        /// The meeting's call.
        call: CallId,
    },
    /// A leg is up both ways.
    LegAnswered {
        /// The leg.
        leg: LegId,
        /// Signalling's own text, good for hanging up after a crash.
        dialog: String,
    },
    /// We let go of a leg; its far end must be told.
    LegReleased {
        /// The leg.
        leg: LegId,
        /// The SIP status to decline with, where it was never answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decline: Option<u16>,
    },
    /// A leg is gone.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: EndCause,
    },
    /// An operation was accepted, with the status its action answered.
    OperationStarted {
        /// Its call.
        call: CallId,
        /// As answered.
        operation: Operation,
    },
    /// A queued operation's turn came.
    OperationBegan {
        /// Its call.
        call: CallId,
        /// The operation.
        operation: OperationId,
    },
    /// An operation reached a terminal status.
    OperationEnded {
        /// Its call.
        call: CallId,
        /// The operation.
        operation: OperationId,
        /// `completed` or `failed`.
        status: OperationStatus,
        /// How.
        result: ResultInfo,
    },
    /// A key was pressed while tones were subscribed to.
    ToneHeard {
        /// The call.
        call: CallId,
        /// Counts per call, from 1.
        sequence: i64,
        /// The key.
        tone: Tone,
    },
    /// A new epoch owns the conversation; what was bound to the old one is gone.
    Adopted {
        /// The new owner.
        epoch: Epoch,
    },
}
