//! What a bot is told of an event. A notice is a projection of a recorded event: the same log
//! gives the same notices.

use alloc::string::String;
use alloc::vec::Vec;

use crate::call::{Call, Direction};
use crate::identity::Identity;
use crate::ids::ParticipantId;
use crate::input::Tone;
use crate::meeting::Meeting;
use crate::operation::Operation;
use crate::result::ResultInfo;
use crate::time::Now;

/// One thing told to one bot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Where to.
    pub callback: String,
    /// It is a question that may be answered until then.
    pub ask_until: Option<Now>,
    /// The meeting that the call is in, which real notices name.
    pub meeting: Option<Meeting>,
    /// What.
    pub told: Told,
}

/// What is told (`contract §2.15`, N0 to N6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// N0: a call comes in.
    Incoming {
        /// Who calls.
        source: Identity,
        /// Who is called.
        target: Identity,
        /// The bot in the roster.
        me: ParticipantId,
        /// The caller in the roster.
        them: ParticipantId,
    },
    /// N1: `establishing`.
    Establishing,
    /// N1: `established`, with `mediaState.audio` where it is known.
    Established {
        /// Who began the call.
        direction: Direction,
        /// `active` or `inactive`.
        audio: Option<bool>,
    },
    /// N1: `terminating`.
    Terminating,
    /// N2: `terminated`.
    Terminated(ResultInfo),
    /// N3: everyone in the conversation.
    Roster(Vec<(ParticipantId, Identity)>),
    /// N4: an operation ended.
    OperationEnded(Operation),
    /// N6: a key.
    Tone {
        /// Counts per call.
        sequence: i64,
        /// Which.
        tone: Tone,
    },
}

impl Notice {
    pub(crate) fn of(call: &Call, told: Told) -> Self {
        Self { callback: call.callback.clone(), ask_until: None, meeting: call.begun.meeting.clone(), told }
    }
}
