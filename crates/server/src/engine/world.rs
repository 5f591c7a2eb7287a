//! The doors through which the engine moves the world: legs, audio, and the lanes that tell
//! bots. Traits, so that a simulated world can stand in. All are one-way: what comes of a call here
//! returns as an [`ringback_core::Input`]. None may block.

use std::time::Duration;

use ringback_core::{
    AppId, CallId, ConversationId, Identity, LegId, Notice, Now, OperationId, Prompt, Recording, Repeat, TenantId, Tone,
};
use ringback_ledger::{Cursor, Version};
use tokio::sync::oneshot;

/// Connections to phones.
pub trait Legs: Send + Sync + 'static {
    /// Make a leg; answered by `LegAnswered` or `LegEnded`.
    fn place(&self, leg: LegId, app: &AppId, tenant: &TenantId, from: &Identity, to: &Identity);
    /// Make a bot's seat in a meeting: it plays to everyone there, and hears everyone. Answered by `LegAnswered` or
    /// `LegEnded`.
    fn take_seat(&self, leg: LegId);
    /// Answer a phone that dialled a meeting, and let it hear and be heard there; answered by `LegAnswered` or `LegEnded`.
    fn admit(&self, leg: LegId, seat: LegId);
    /// Answer an incoming leg; answered by `LegAnswered` or `LegEnded`.
    fn accept(&self, leg: LegId);
    /// Decline an incoming leg with a SIP status; answered by `LegEnded`.
    fn decline(&self, leg: LegId, status: u16);
    /// Hang up a leg; `dialog` is what `LegAnswered` carried, for a leg of an earlier process.
    /// Answered by `LegEnded`.
    fn hang_up(&self, leg: LegId, dialog: Option<&str>);
}

/// Audio to legs and from them.
pub trait Audio: Send + Sync + 'static {
    /// Fetch and play; answered by `PlayFinished`.
    fn play(&self, leg: LegId, operation: OperationId, app: &AppId, prompts: &[Prompt], repeat: Repeat);
    /// Press keys, with a pause between; answered by `PlayFinished`.
    fn send_tones(&self, leg: LegId, operation: OperationId, tones: &[Tone], pause: Duration);
    /// Play the prompt, beep, and record; answered by `RecordFinished` once the recording is whole and on disk.
    fn record(&self, leg: LegId, call: CallId, operation: OperationId, app: &AppId, recording: &Recording);
    /// End a recording and keep it; answered by its `RecordFinished`.
    fn keep(&self, leg: LegId, operation: OperationId);
    /// Stop playing, sending tones, or recording, of which nothing is kept; not answered.
    fn stop(&self, leg: LegId, operation: OperationId);
    /// Of recordings whose conversation or process died, those that are whole or could be made so. No answer is none.
    fn recover(&self, recordings: Vec<OperationId>) -> oneshot::Receiver<Vec<OperationId>>;
}

/// Whose call a lane serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneOwner {
    /// The call.
    pub call: CallId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Whose bot.
    pub app: AppId,
    /// In which tenant.
    pub tenant: TenantId,
}

/// A notice with its place in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Posted {
    /// Where it stands: the record's version, and its index among the call's notices of that record.
    pub cursor: Cursor,
    /// When it was recorded.
    pub at: Now,
    /// What to tell.
    pub notice: Notice,
}

/// An answer being written; while it is, the notices of its record and later ones wait.
#[derive(Debug)]
pub struct Hold {
    /// The record's version.
    pub version: Version,
    /// Resolves, one way or another, when the answer was handed to its connection.
    pub released: oneshot::Receiver<()>,
}

/// The lanes.
pub trait Tell: Send + Sync + 'static {
    /// A call began: its lane opens, with nothing owed.
    fn open(&self, owner: LaneOwner);
    /// A call of an earlier process: its lane opens, and reads what is owed from the log.
    fn reopen(&self, owner: LaneOwner);
    /// An answer is about to be written.
    fn hold(&self, call: CallId, hold: Hold);
    /// A notice was recorded. In the order of the log.
    fn tell(&self, call: CallId, posted: Posted);
    /// Notices may have been recorded and not handed over: read the log.
    fn catch_up(&self, call: CallId);
    /// Another node owns the conversation: tell nothing more.
    fn abandon(&self, call: CallId);
}
