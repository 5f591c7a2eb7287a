//! The words of the wire: Microsoft Graph's cloud communications (calls) API as text.
//!
//! This room turns paths and bodies into values and values into JSON, in both directions, for the
//! server (requests in, answers and notifications out) and for the client (the other way round).
//! It knows no socket, no clock, no state machine and no other room.
//!
//! Reading is tolerant: unknown members are ignored, enumerations are read without regard to case,
//! `@odata.type` is optional wherever it decides nothing. Printing is exact: the shapes are those
//! of `contract §2` and of notifications captured from the real service.

pub mod call;
pub mod error;
pub mod identity;
pub mod limits;
pub mod links;
pub mod media;
pub mod meeting;
pub mod metadata;
pub mod neighbours;
pub mod notification;
pub mod operation;
pub mod participant;
pub mod path;
mod print;
mod read;
pub mod request;
pub mod results;
mod segments;
pub mod time;
pub mod words;

pub use call::{Call, CallForm, CallMediaState, ResultInfo, ToneInfo, print_calls};
pub use error::ErrorBody;
pub use identity::{Identity, IdentityKind, IdentitySet, InvitationParticipantInfo, ParticipantInfo};
pub use links::{Collection, Links};
pub use media::{MediaConfig, MediaInfo, MediaPrompt};
pub use meeting::{ChatInfo, MeetingInfo, MeetingName};
pub use neighbours::{Neighbour, Query};
pub use notification::{Notification, ResourceData, Subject};
pub use operation::{CommsOperation, OperationForm, print_operations};
pub use participant::{MediaStream, Participant, print_participants};
pub use path::{Action, Page, Resource, Route, RouteError, Version};
pub use read::BodyError;
pub use request::{Answer, ContextOnly, CreateCall, PlayPrompt, RecordResponse, Reject, SendDtmfTones};
pub use words::{
    CallDirection, CallState, ChangeType, CompletionReason, MediaDirection, MediaState, Modality, OperationKind,
    OperationStatus, RejectReason, Tone,
};
