//! Who is in the conversation, as the roster notification tells it (client-facts §3).

use std::borrow::Cow;

use serde::ser::SerializeMap;

use crate::call::Listing;
use crate::identity::ParticipantInfo;
use crate::links::{Collection, Links};
use crate::print::{Members, Object, Unset, to_json};
use crate::read::{self, BodyError, Node};
use crate::words::{MediaDirection, Modality};

/// Someone in the conversation; the bot itself is one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Participant<'a> {
    /// Id in the roster.
    pub id: Cow<'a, str>,
    /// Who it is.
    pub info: ParticipantInfo<'a>,
    /// The media it sends and receives.
    pub media_streams: Vec<MediaStream<'a>>,
    /// Whether it cannot be heard.
    pub is_muted: bool,
    /// Whether it waits to be let in.
    pub is_in_lobby: bool,
    /// Its role in a meeting, `organizer` or `presenter`.
    pub meeting_role: Option<Cow<'a, str>>,
}

/// One stream of media of a participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaStream<'a> {
    /// What it carries.
    pub media_type: Modality,
    /// Its name, as in `main-audio`.
    pub label: Option<Cow<'a, str>>,
    /// A number as text.
    pub source_id: Cow<'a, str>,
    /// Which way it flows.
    pub direction: MediaDirection,
    /// Whether the server drops it.
    pub server_muted: bool,
}

impl<'a> MediaStream<'a> {
    /// The stream of someone who talks and listens: `main-audio`, both ways.
    pub fn audio(source_id: impl Into<Cow<'a, str>>) -> Self {
        MediaStream {
            media_type: Modality::Audio,
            label: Some("main-audio".into()),
            source_id: source_id.into(),
            direction: MediaDirection::SendReceive,
            server_muted: false,
        }
    }
}

impl Participant<'_> {
    /// The body of an answer that carries this participant.
    pub fn print(&self, links: &Links<'_>, call: &str) -> Vec<u8> {
        let context = format!("{links}/$metadata#communications/calls('{call}')/participants/$entity");
        to_json(&Whole { participant: self, context }, Unset::Null)
    }

    /// Reads the body of an answer.
    pub fn parse(body: &[u8]) -> Result<Participant<'static>, BodyError> {
        Participant::read(&Node::root(&read::json(body)?)?)
    }

    /// Reads the answer to a listing.
    pub fn parse_list(body: &[u8]) -> Result<Collection<Participant<'static>>, BodyError> {
        Collection::read(body, Participant::read)
    }
}

/// The answer to a listing of a call's participants, which has one page.
pub fn print_participants(links: &Links<'_>, call: &str, participants: &[Participant<'_>]) -> Vec<u8> {
    let context = format!("{links}/$metadata#communications/calls('{call}')/participants");
    to_json(&Listing { context, next: None, value: participants }, Unset::Null)
}

/// A participant with what only answers show.
struct Whole<'p> {
    participant: &'p Participant<'p>,
    context: String,
}

impl Object for Whole<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.put("@odata.context", &self.context)?;
        self.participant.members(out)
    }
}

impl Object for Participant<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("participant")?;
        out.object("info", &self.info)?;
        out.objects("mediaStreams", &self.media_streams)?;
        out.put("isMuted", self.is_muted)?;
        out.put("isInLobby", self.is_in_lobby)?;
        out.given("meetingRole", &self.meeting_role)?;
        out.put("id", &self.id)
    }
}

impl Object for MediaStream<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("mediaStream")?;
        out.put("mediaType", self.media_type)?;
        out.maybe("label", &self.label)?;
        out.put("sourceId", &self.source_id)?;
        out.put("direction", self.direction)?;
        out.put("serverMuted", self.server_muted)
    }
}

impl Participant<'static> {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        Ok(Participant {
            id: node.member("id").text()?.unwrap_or_default(),
            info: node.member("info").object(ParticipantInfo::read)?.unwrap_or_default(),
            media_streams: node.member("mediaStreams").list(MediaStream::read)?,
            is_muted: node.member("isMuted").flag()?.unwrap_or_default(),
            is_in_lobby: node.member("isInLobby").flag()?.unwrap_or_default(),
            meeting_role: node.member("meetingRole").text()?,
        })
    }
}

impl MediaStream<'static> {
    fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        let direction = node.member("direction").known_word();
        Ok(MediaStream {
            media_type: node.member("mediaType").known_word().unwrap_or(Modality::Unknown),
            label: node.member("label").text()?,
            source_id: node.member("sourceId").text()?.unwrap_or_default(),
            direction: direction.unwrap_or(MediaDirection::Inactive),
            server_muted: node.member("serverMuted").flag()?.unwrap_or_default(),
        })
    }
}
