//! The `commsOperation`, the page everything rests on (facts S1 to S10): one resource, whether an
//! action answers it, a notification carries it or it is read by id.

use std::borrow::Cow;

use serde::ser::SerializeMap;

use crate::call::{Listing, ResultInfo};
use crate::links::{Collection, Links};
use crate::media::MediaPrompt;
use crate::path::Version;
use crate::print::{Members, Object, Printed, PrintedList, Unset, to_json};
use crate::read::{self, BodyError, Node};
use crate::words::{CompletionReason, OperationKind, OperationStatus};

/// An operation. `clientContext`, `id`, `resultInfo` and `status` are always printed, null where
/// they are not set (S10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommsOperation<'a> {
    /// Its id (S6).
    pub id: Cow<'a, str>,
    /// Its type; a type not known here reads as [`OperationKind::Comms`].
    pub kind: OperationKind,
    /// Where it is in its life (S8).
    pub status: OperationStatus,
    /// The client's own text, unchanged (S5).
    pub client_context: Option<Cow<'a, str>>,
    /// Null until it has ended (S7).
    pub result_info: Option<ResultInfo<'a>>,
    /// Why a prompt or a recording ended. Printed by beta, and in notifications of both versions, as
    /// real ones have it; for sendDtmfTonesOperation, which both versions know, wherever it is set;
    /// never for other types.
    pub completion_reason: Option<CompletionReason>,
    /// What is played; printed in notifications, as real ones have it.
    pub prompts: Vec<MediaPrompt<'a>>,
    /// Where a recording is read; null until it has ended, empty where there is none. Printed for
    /// recordOperation only.
    pub recording_location: Option<Cow<'a, str>>,
    /// The bearer token for reading it; null and empty as the location.
    pub recording_access_token: Option<Cow<'a, str>>,
}

/// Which answer an operation is printed in; they differ in `@odata.context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationForm<'a> {
    /// The answer to an action.
    Action,
    /// The answer to reading it by id.
    Read {
        /// The id of its call.
        call: &'a str,
    },
}

impl CommsOperation<'_> {
    /// The body of an answer that carries this operation.
    pub fn print(&self, links: &Links<'_>, form: OperationForm<'_>) -> Vec<u8> {
        let context = match form {
            OperationForm::Action => format!("{links}/$metadata#{}", self.kind),
            OperationForm::Read { call } => {
                format!("{links}/$metadata#communications/calls('{call}')/operations/$entity")
            }
        };
        let place = Place::Answer { version: links.version, context: Some(context) };
        to_json(&Placed { operation: self, place }, Unset::Null)
    }

    /// Reads the body of an answer.
    pub fn parse(body: &[u8]) -> Result<CommsOperation<'static>, BodyError> {
        CommsOperation::read(&Node::root(&read::json(body)?)?)
    }

    /// Reads the answer to a listing.
    pub fn parse_list(body: &[u8]) -> Result<Collection<CommsOperation<'static>>, BodyError> {
        Collection::read(body, CommsOperation::read)
    }
}

/// The answer to a listing of a call's operations. `next` is the address of the next page.
pub fn print_operations(
    links: &Links<'_>,
    call: &str,
    operations: &[CommsOperation<'_>],
    next: Option<&str>,
) -> Vec<u8> {
    let version = links.version;
    let placed = |operation| Placed { operation, place: Place::Answer { version, context: None } };
    let placed: Vec<_> = operations.iter().map(placed).collect();
    let context = format!("{links}/$metadata#communications/calls('{call}')/operations");
    to_json(&Listing { context, next, value: &placed }, Unset::Null)
}

enum Place {
    Answer { version: Version, context: Option<String> },
    Notification,
}

/// An operation where it is printed.
pub(crate) struct Placed<'o> {
    operation: &'o CommsOperation<'o>,
    place: Place,
}

impl<'o> Placed<'o> {
    /// The operation as content of a notification.
    pub(crate) fn notified(operation: &'o CommsOperation<'o>) -> Self {
        Placed { operation, place: Place::Notification }
    }
}

impl Object for Placed<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        let operation = self.operation;
        if let Place::Answer { context, .. } = &self.place {
            out.given("@odata.context", context)?;
        }
        out.odata_type(operation.kind.as_str())?;
        if let (OperationKind::PlayPrompt, Place::Notification) = (operation.kind, &self.place) {
            out.put("prompts", PrintedList(&operation.prompts, Unset::Omit))?;
        }
        if operation.kind == OperationKind::Record {
            out.put("recordingLocation", &operation.recording_location)?;
            out.put("recordingAccessToken", &operation.recording_access_token)?;
        }
        if operation.kind == OperationKind::SendDtmfTones {
            out.given("completionReason", &operation.completion_reason)?;
        }
        if let OperationKind::PlayPrompt | OperationKind::Record = operation.kind {
            match &self.place {
                Place::Answer { version: Version::V1, .. } => {}
                Place::Answer { version: Version::Beta, .. } => {
                    out.put("completionReason", operation.completion_reason)?;
                }
                Place::Notification => out.given("completionReason", &operation.completion_reason)?,
            }
        }
        out.put("status", operation.status)?;
        out.put("clientContext", &operation.client_context)?;
        out.put("resultInfo", operation.result_info.as_ref().map(|r| Printed(r, Unset::Null)))?;
        out.put("id", &operation.id)
    }
}

impl CommsOperation<'static> {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        let kind = node.odata_type().and_then(OperationKind::parse);
        let status = node.member("status");
        // A prompt of a sort not known here must not cost the client the news of its end.
        let prompts = node.member("prompts").list(|prompt| Ok(MediaPrompt::read(prompt, true).ok()))?;
        Ok(CommsOperation {
            id: node.member("id").text()?.unwrap_or_default(),
            kind: kind.unwrap_or(OperationKind::Comms),
            status: status.word()?.ok_or_else(|| status.missing("the status of the operation"))?,
            client_context: node.member("clientContext").text()?,
            result_info: node.member("resultInfo").object(ResultInfo::read)?,
            completion_reason: node.member("completionReason").known_word(),
            prompts: prompts.into_iter().flatten().collect(),
            recording_location: node.member("recordingLocation").text()?,
            recording_access_token: node.member("recordingAccessToken").text()?,
        })
    }
}
