//! `resultInfo`: how calls and operations end here (`contract §4`, `S7`). What each code means, and those that are never
//! given, stand in the catalogue of the wire's room, which a test of the server holds these to.
//!
//! Marks after each entry: D documented, R seen in real traffic, A the sister product, I inferred.

use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

use crate::input::EndCause;
use crate::limits::RESULT_MESSAGE_CHARS;

/// How something ended: Graph's `resultInfo`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ResultInfo {
    /// Like an HTTP or SIP status.
    pub code: i32,
    /// The reason within the code.
    pub subcode: i32,
    /// For people.
    pub message: String,
}

/// The subcodes that tell how an operation ended, where more than one place must know them.
impl ResultInfo {
    pub(crate) const CANCELLED: i32 = 8508;
    pub(crate) const INITIAL_SILENCE: i32 = 8510;
    pub(crate) const PROMPT_FAILED: i32 = 8511;
    pub(crate) const STOP_TONE: i32 = 8514;
    pub(crate) const MAX_DURATION: i32 = 8515;
    pub(crate) const MAX_SILENCE: i32 = 8516;
    pub(crate) const CUT_SHORT: i32 = 8517;
    pub(crate) const PROMPT_INVALID: i32 = 8535;
    pub(crate) const PROMPT_UNAVAILABLE: i32 = 8536;
}

impl ResultInfo {
    /// Any result; the message is cut to a bounded length.
    pub fn new(code: i32, subcode: i32, message: &str) -> Self {
        let message = message.chars().take(RESULT_MESSAGE_CHARS).collect();
        Self { code, subcode, message }
    }

    /// 200/0: an operation did what was asked (D, `contract §4.2`).
    pub fn success() -> Self {
        Self::new(200, 0, "Action completed successfully.")
    }

    /// 400/8508: cancelled by the bot, or by the end of its call (D, `contract §4.2`).
    pub fn cancelled() -> Self {
        Self::new(400, Self::CANCELLED, "Action failed, the operation was cancelled.")
    }

    /// 500/8511: the prompt could not be played (A, `contract §4.3`).
    pub fn prompt_failed(why: &str) -> Self {
        Self::new(500, Self::PROMPT_FAILED, &format!("Action failed, the prompt could not be played: {why}"))
    }

    /// 500/8511: tones could not be sent (I: the number of prompts, `contract §4.3`).
    pub fn tones_failed(why: &str) -> Self {
        Self::new(500, Self::PROMPT_FAILED, &format!("Action failed, the tones could not be sent: {why}"))
    }

    /// 400/8535: not a WAV we can play (A, `contract §4.3`).
    pub fn prompt_invalid(why: &str) -> Self {
        Self::new(400, Self::PROMPT_INVALID, &format!("Action failed, the audio file format is invalid: {why}"))
    }

    /// 400/8536: the prompt could not be downloaded (A, `contract §4.3`).
    pub fn prompt_unavailable(why: &str) -> Self {
        Self::new(
            400,
            Self::PROMPT_UNAVAILABLE,
            &format!("Action failed, the audio file could not be downloaded: {why}"),
        )
    }

    /// 200/8514: a stop tone ended a recording (A, `contract §4.3`).
    pub fn stop_tone() -> Self {
        Self::new(200, Self::STOP_TONE, "Action completed, stop tone detected.")
    }

    /// 200/8515: a recording became as long as it may (D, `contract §4.2`).
    pub fn max_duration() -> Self {
        Self::new(200, Self::MAX_DURATION, "Action completed, max record duration reached.")
    }

    /// 200/8516: a pause ended a recording (I, `contract §4.3`: the next number).
    pub fn max_silence() -> Self {
        Self::new(200, Self::MAX_SILENCE, "Action completed, max silence timeout reached.")
    }

    /// 400/8510: nobody said anything, and nothing is kept (A, `contract §4.3`).
    pub fn initial_silence() -> Self {
        Self::new(400, Self::INITIAL_SILENCE, "Action failed, initial silence timeout reached.")
    }

    /// 200/8517: a recording ended early, and what was recorded is kept (I). 200, because bots fetch a recording only then
    /// (client-facts §4).
    pub fn cut_short(why: &str) -> Self {
        Self::new(200, Self::CUT_SHORT, &format!("Action completed, what was recorded is kept: {why}."))
    }

    /// 500/8512: a recording could not be kept (A for the number, `contract §4.3`).
    pub fn recording_failed(why: &str) -> Self {
        Self::new(500, 8512, &format!("Action failed, the recording could not be kept: {why}."))
    }

    /// 500/8512: an operation was in flight when the server stopped (A for the number, `contract §4.3`).
    pub fn operation_lost() -> Self {
        Self::new(500, 8512, "Action failed, the server was restarted while the operation was in flight.")
    }

    /// 500/1005: the call's media went with a server that stopped (D for the number, `contract §4.1`).
    pub fn call_lost() -> Self {
        ended("The server was restarted during the call", 500, 1005)
    }

    /// 200/7000: ended by the bot (D, `contract §4.1`).
    pub fn ended_by_bot() -> Self {
        ended("The call was ended by the bot", 200, 7000)
    }

    /// 200/5000: somebody else ended the call, the operator (D for the number, I for its use, `contract §4.1`).
    pub fn removed() -> Self {
        ended("The call was ended by the operator", 200, 5000)
    }

    /// 403/0: the bot rejected an incoming call (I).
    pub fn rejected() -> Self {
        ended("The call was rejected by the bot", 403, 0)
    }

    /// 408/8544: the bot did not answer in time (R, `contract §4.4`).
    pub fn not_answered_by_bot() -> Self {
        ended("Callee could not be reached", 408, 8544)
    }

    /// 408/8537: no keepAlive for 45 minutes (D, `contract §2.5`).
    pub fn not_kept_alive() -> Self {
        ended("The call was not kept alive", 408, 8537)
    }

    /// 408/1106: no acknowledgement of the acceptance in time (D, `contract §4.1`).
    pub fn not_acknowledged() -> Self {
        ended("The caller did not acknowledge the answer in time", 408, 1106)
    }

    /// 480/10076: rang, and nobody answered (D for the number, I for its use, `contract §4.1`).
    pub fn rang_out() -> Self {
        ended("The callee did not answer in time", 480, 10076)
    }

    /// How a call ends when its leg ends for `cause`, `answered` or not.
    pub fn of_leg(cause: &EndCause) -> Self {
        match cause {
            // 200/5002, the form real traffic has (client-facts §3).
            EndCause::FarHangUp | EndCause::Cancelled => {
                Self::new(200, 5002, "The conversation has ended. DiagCode: 0#5002.@")
            }
            EndCause::LocalHangUp => Self::ended_by_bot(),
            // SIP's own status where Graph names none (I).
            EndCause::Busy => ended("The callee is busy", 486, 0),
            EndCause::Declined(status) => ended("The callee declined", i32::from(*status), 0),
            EndCause::NoAnswer => Self::rang_out(),
            // 480/10037: no callee endpoints (D, contract §4.1).
            EndCause::Unreachable => ended("The callee could not be reached", 480, 10037),
            // 410/301005: media connectivity failure (D, contract §4.1).
            EndCause::MediaTimeout => ended("No media was received from the other side", 410, 301_005),
            // 500/7106: media or signalling failure (R, contract §4.4).
            EndCause::Failed(why) => ended(&format!("Server Internal Error: {why}"), 500, 7106),
        }
    }
}

/// The message pattern of real call ends: `{text}. DiagCode: {code}#{subcode}.@` (`contract §4.4`).
fn ended(text: &str, code: i32, subcode: i32) -> ResultInfo {
    let text: String = text.chars().take(RESULT_MESSAGE_CHARS / 2).collect();
    ResultInfo::new(code, subcode, &format!("{text}. DiagCode: {code}#{subcode}.@"))
}
