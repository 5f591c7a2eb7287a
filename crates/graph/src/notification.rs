//! What a bot is told, in the envelope real notifications have (client-facts §3,
//! `contract §2.15`). It knows neither who is told nor how the notification travels.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::call::{Call, Part};
use crate::operation::{CommsOperation, Placed};
use crate::participant::Participant;
use crate::print::{Members, Object, Printed, PrintedList, Unset, to_json};
use crate::read::{self, BodyError, Node};
use crate::segments;
use crate::words::ChangeType;

/// One notification. Sent alone in its envelope, as real traffic has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// What happened to the subject.
    pub change_type: ChangeType,
    /// The call it is about; its id without any path.
    pub call: Cow<'a, str>,
    /// What of the call it is about.
    pub subject: Subject<'a>,
    /// Where the call's notifications go; printed on changes of an outgoing call's state, as the
    /// documents have it.
    pub callback_uri: Option<Cow<'a, str>>,
    /// The news.
    pub data: ResourceData<'a>,
}

/// What of a call a notification is about: the end of `resource` and `resourceUrl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The call itself.
    Call,
    /// Its roster, `…/participants`.
    Participants,
    /// One of its operations, `…/operations/{id}`.
    Operation(Cow<'a, str>),
    /// Something this crate does not know: the path below the call. Only read, never sent.
    Other(Cow<'a, str>),
}

/// The content of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceData<'a> {
    /// What of the call has changed.
    Call(Box<Call<'a>>),
    /// The whole roster.
    Participants(Vec<Participant<'a>>),
    /// An operation that has ended.
    Operation(CommsOperation<'a>),
    /// Something this crate does not know. Only read, never sent.
    Other(serde_json::Value),
}

impl<'a> Notification<'a> {
    /// A call comes in (N0).
    pub fn incoming(id: impl Into<Cow<'a, str>>, call: Call<'a>) -> Self {
        Self::of_call(ChangeType::Created, id, call)
    }

    /// A call has changed (N1), or a key was pressed (N6).
    pub fn updated(id: impl Into<Cow<'a, str>>, call: Call<'a>) -> Self {
        Self::of_call(ChangeType::Updated, id, call)
    }

    /// A call is over (N2).
    pub fn terminated(id: impl Into<Cow<'a, str>>, call: Call<'a>) -> Self {
        Self::of_call(ChangeType::Deleted, id, call)
    }

    /// The roster (N3).
    pub fn roster(id: impl Into<Cow<'a, str>>, participants: Vec<Participant<'a>>) -> Self {
        Notification {
            change_type: ChangeType::Updated,
            call: id.into(),
            subject: Subject::Participants,
            callback_uri: None,
            data: ResourceData::Participants(participants),
        }
    }

    /// An operation has ended (N4).
    pub fn operation_ended(id: impl Into<Cow<'a, str>>, operation: CommsOperation<'a>) -> Self {
        Notification {
            change_type: ChangeType::Deleted,
            call: id.into(),
            subject: Subject::Operation(operation.id.clone()),
            callback_uri: None,
            data: ResourceData::Operation(operation),
        }
    }

    fn of_call(change_type: ChangeType, id: impl Into<Cow<'a, str>>, call: Call<'a>) -> Self {
        Notification {
            change_type,
            call: id.into(),
            subject: Subject::Call,
            callback_uri: None,
            data: ResourceData::Call(Box::new(call)),
        }
    }

    /// The body of the POST: an envelope with this one notification.
    pub fn print(&self) -> Vec<u8> {
        to_json(&Envelope(self), Unset::Omit)
    }

    /// Reads the body of a POST; there may be several notifications in it.
    ///
    /// An error means that the body is not an envelope at all or lacks what every notification
    /// has: answer it with 400.
    pub fn parse(body: &[u8]) -> Result<Vec<Notification<'static>>, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        let value = body.member("value");
        if value.is_null() {
            return Err(value.missing("a list of notifications"));
        }
        value.list(Notification::read)
    }
}

struct Envelope<'n>(&'n Notification<'n>);

impl Object for Envelope<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("commsNotifications")?;
        out.put("value", [Printed(self.0, Unset::Omit)])
    }
}

impl Object for Notification<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("commsNotification")?;
        out.put("changeType", self.change_type)?;
        out.put("resource", Address { root: "app", of: self })?;
        out.put("resourceUrl", Address { root: "communications", of: self })?;
        out.given("callbackUri", &self.callback_uri)?;
        match &self.data {
            ResourceData::Call(call) => out.object("resourceData", &Part(call)),
            ResourceData::Participants(all) => out.put("resourceData", PrintedList(all, Unset::Omit)),
            ResourceData::Operation(operation) => out.object("resourceData", &Placed::notified(operation)),
            ResourceData::Other(value) => out.put("resourceData", value),
        }
    }
}

/// `resource` or `resourceUrl`, printed without being put together first.
struct Address<'n> {
    root: &'static str,
    of: &'n Notification<'n>,
}

impl Serialize for Address<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (below, id) = match &self.of.subject {
            Subject::Call => ("", ""),
            Subject::Participants => ("/participants", ""),
            Subject::Operation(id) => ("/operations/", &**id),
            Subject::Other(path) => ("/", &**path),
        };
        let (root, call) = (self.root, &self.of.call);
        serializer.collect_str(&format_args!("/{root}/calls/{call}{below}{id}"))
    }
}

impl Notification<'static> {
    fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        let url = node.member("resourceUrl");
        let url = if url.is_null() { node.member("resource") } else { url };
        let expected = "/communications/calls/ and the id of a call";
        let (call, subject) = match url.text()? {
            Some(text) => subject(&text).ok_or_else(|| url.wrong(expected))?,
            None => return Err(url.missing(expected)),
        };
        let change_type = node.member("changeType");
        let change_type = change_type.word()?.ok_or_else(|| change_type.missing("the type of the change"))?;
        let data = node.member("resourceData");
        let data = match &subject {
            Subject::Call => ResourceData::Call(Box::new(data.object(Call::read)?.unwrap_or_default())),
            Subject::Participants => ResourceData::Participants(data.list(Participant::read)?),
            Subject::Operation(_) => {
                let operation = data.object(CommsOperation::read)?;
                ResourceData::Operation(operation.ok_or_else(|| data.missing("an operation"))?)
            }
            Subject::Other(_) => ResourceData::Other(data.value().clone()),
        };
        let callback_uri = node.member("callbackUri").text()?;
        Ok(Notification { change_type, call, subject, callback_uri, data })
    }
}

/// The call and what of it, from `/communications/calls/{id}…` or `/app/calls/{id}…`.
fn subject(url: &str) -> Option<(Cow<'static, str>, Subject<'static>)> {
    let mut segments = url.split('/').filter(|s| !s.is_empty());
    let mut next = || segments.next().unwrap_or_default();
    let (root, calls, call) = (next(), next(), next());
    let known = ["communications", "app"].iter().any(|r| r.eq_ignore_ascii_case(root));
    if !known || !calls.eq_ignore_ascii_case("calls") || call.is_empty() {
        return None;
    }
    let (name, id) = (next(), next());
    let subject = match (name, id) {
        ("", "") => Subject::Call,
        (name, "") if name.eq_ignore_ascii_case("participants") => Subject::Participants,
        (name, id) if name.eq_ignore_ascii_case("operations") && !id.is_empty() => {
            Subject::Operation(segments::id(id.into()).into_owned().into())
        }
        (name, "") => Subject::Other(name.to_owned().into()),
        (name, id) => Subject::Other(format!("{name}/{id}").into()),
    };
    Some((segments::id(call.into()).into_owned().into(), subject))
}
