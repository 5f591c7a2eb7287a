//! Conversations, calls and operations as pure machines.
//!
//! A [`Conversation`] decides what an [`Input`] means ([`Conversation::decide`]), becomes what the
//! recorded [`Event`]s say ([`Conversation::evolve`]), and names what the world must do
//! ([`Effect`]) and what bots are told ([`Notice`]).
//!
//! This room must not know: clocks, randomness, threads, async, HTTP, JSON on the wire, SIP, RTP,
//! or where events are stored. Time, ids and text come in as arguments.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod call;
mod conversation;
mod effect;
mod event;
mod happens;
mod history;
mod identity;
mod ids;
mod input;
pub mod limits;
mod meeting;
mod notice;
mod operation;
mod refusal;
mod result;
mod time;
mod verbs;

pub use call::{Call, CallState, Direction, Leg, LegPhase, Party};
pub use conversation::Conversation;
pub use effect::Effect;
pub use event::{Event, Record};
pub use history::operations_of;
pub use identity::{Identity, IdentityKind};
pub use ids::{AppId, CallId, ConversationId, Epoch, LegId, OperationId, ParticipantId, TenantId};
pub use input::{
    EndCause, Input, NewCall, PlayOutcome, PlayPrompt, RecordOutcome, RecordResponse, RejectReason, SendDtmfTones, Tone,
};
pub use meeting::{Meeting, MeetingInfo};
pub use notice::{Notice, Told};
pub use operation::{
    CompletionReason, IllegalStep, Operation, OperationKind, OperationStatus, Prompt, Recording, Repeat,
};
pub use refusal::Refusal;
pub use result::ResultInfo;
pub use time::Now;
