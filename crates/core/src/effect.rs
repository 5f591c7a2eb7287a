//! What the world must now do. Node-bound effects die with the process; durable ones do not.

use alloc::string::String;
use alloc::vec::Vec;

use crate::identity::Identity;
use crate::ids::{AppId, CallId, LegId, OperationId, TenantId};
use crate::input::Tone;
use crate::operation::{Prompt, Recording, Repeat};

/// Something the world must do. It answers with an [`crate::Input`], or is done when issued
/// (`Stop`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Make a leg to the target. Answered by `LegAnswered` or `LegEnded`.
    Place {
        /// The leg's id.
        leg: LegId,
        /// On whose behalf.
        app: AppId,
        /// In which tenant.
        tenant: TenantId,
        /// Who calls.
        from: Identity,
        /// Who is called.
        to: Identity,
    },
    /// Make a bot's seat in a meeting: what is played to it everyone hears, and it hears everyone. Answered by
    /// `LegAnswered` or `LegEnded`.
    TakeSeat {
        /// The seat's id.
        leg: LegId,
    },
    /// Answer a phone that dialled a meeting, and let everyone in it hear and be heard. Answered by `LegAnswered` or
    /// `LegEnded`.
    Admit {
        /// The leg.
        leg: LegId,
        /// The seat of the meeting's bot.
        seat: LegId,
    },
    /// Answer an incoming leg. Answered by `LegAnswered` or `LegEnded`.
    Accept {
        /// The leg.
        leg: LegId,
    },
    /// Decline a leg that was never answered. Answered by `LegEnded`.
    Decline {
        /// The leg.
        leg: LegId,
        /// SIP status.
        status: u16,
    },
    /// Hang up a leg. Durable: with a dialog, a later process can do it. Answered by `LegEnded`.
    HangUp {
        /// The leg.
        leg: LegId,
        /// Signalling's text from when it was answered.
        dialog: Option<String>,
    },
    /// Play prompts to a leg. Answered by `PlayFinished`.
    Play {
        /// To whom.
        leg: LegId,
        /// For which operation.
        operation: OperationId,
        /// On whose behalf they are fetched.
        app: AppId,
        /// In order.
        prompts: Vec<Prompt>,
        /// How often.
        repeat: Repeat,
    },
    /// Press keys for a leg to hear. Answered by `PlayFinished`.
    SendTones {
        /// To whom.
        leg: LegId,
        /// For which operation.
        operation: OperationId,
        /// In order.
        tones: Vec<Tone>,
        /// Milliseconds between two.
        delay: u32,
    },
    /// Record a leg. Answered by `RecordFinished`.
    Record {
        /// Whom.
        leg: LegId,
        /// In which call.
        call: CallId,
        /// For which operation.
        operation: OperationId,
        /// On whose behalf its prompt is fetched, and the recording kept.
        app: AppId,
        /// How.
        recording: Recording,
    },
    /// End a recording because its call ends: what was recorded is kept. Answered by `RecordFinished`.
    Keep {
        /// Whose.
        leg: LegId,
        /// For which operation.
        operation: OperationId,
    },
    /// Stop an operation's prompts, its tones or its recording, which is not kept.
    Stop {
        /// To whom.
        leg: LegId,
        /// Which operation.
        operation: OperationId,
    },
}
