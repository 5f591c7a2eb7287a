//! The call as a resource (`contract §1.1`): printed whole in answers, in part in notifications,
//! read back by clients. It does not know how a call comes to be in its state.

use std::borrow::Cow;

use serde::ser::SerializeMap;

use crate::identity::{InvitationParticipantInfo, ParticipantInfo};
use crate::links::{Collection, Links};
use crate::media::MediaConfig;
use crate::meeting::{ChatInfo, MeetingInfo};
use crate::path::Version;
use crate::print::{Members, Object, PrintedList, Unset, to_json};
use crate::read::{self, BodyError, Node};
use crate::words::{CallDirection, CallState, MediaState, Modality, Tone};

/// A call. In a notification only what changed is set; an answer prints the rest as null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call<'a> {
    /// Its id. Real notifications sometimes lack it; ours do not.
    pub id: Option<Cow<'a, str>>,
    /// Where it is in its life.
    pub state: Option<CallState>,
    /// Which side placed it.
    pub direction: Option<CallDirection>,
    /// Where its notifications go.
    pub callback_uri: Option<Cow<'a, str>>,
    /// The same for all calls of one conversation.
    pub call_chain_id: Option<Cow<'a, str>>,
    /// Who placed it.
    pub source: Option<ParticipantInfo<'a>>,
    /// Who is called.
    pub targets: Vec<InvitationParticipantInfo<'a>>,
    /// Media asked for.
    pub requested_modalities: Vec<Modality>,
    /// Media that flows; beta.
    pub active_modalities: Vec<Modality>,
    /// Who processes its media.
    pub media_config: Option<MediaConfig<'a>>,
    /// Whether audio flows.
    pub media_state: Option<CallMediaState>,
    /// Id of the bot in the roster.
    pub my_participant_id: Option<Cow<'a, str>>,
    /// Its tenant.
    pub tenant_id: Option<Cow<'a, str>>,
    /// Its subject.
    pub subject: Option<Cow<'a, str>>,
    /// The chat of the meeting it is in.
    pub chat_info: Option<ChatInfo<'a>>,
    /// The meeting it is in.
    pub meeting_info: Option<MeetingInfo<'a>>,
    /// Why it ended.
    pub result_info: Option<ResultInfo<'a>>,
    /// Free text on why it ended; beta, and notifications.
    pub termination_reason: Option<Cow<'a, str>>,
    /// A key that was pressed; notifications only.
    pub tone_info: Option<ToneInfo>,
    /// Seconds an outgoing call may ring; beta.
    pub ringing_timeout_in_seconds: Option<i32>,
}

/// State of a call's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallMediaState {
    /// Whether audio flows.
    pub audio: MediaState,
}

/// How a call or an operation ended (`contract §4`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultInfo<'a> {
    /// Like a status of HTTP or SIP.
    pub code: i32,
    /// What exactly.
    pub subcode: i32,
    /// The same in words.
    pub message: Option<Cow<'a, str>>,
}

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToneInfo {
    /// Counts the keys of one call.
    pub sequence_id: i64,
    /// Which key.
    pub tone: Tone,
}

/// Which answer a call is printed in; they differ in `@odata.context` (`contract §6`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallForm {
    /// The answer to creating it.
    Created,
    /// The answer to reading it.
    Read,
}

impl Call<'_> {
    /// The body of an answer that carries this call.
    pub fn print(&self, links: &Links<'_>, form: CallForm) -> Vec<u8> {
        let root = match (form, links.version) {
            (CallForm::Read, Version::V1) => "communications",
            _ => "app",
        };
        let context = Some(format!("{links}/$metadata#{root}/calls/$entity"));
        to_json(&Whole { call: self, context, version: links.version }, Unset::Null)
    }

    /// Reads the body of an answer.
    pub fn parse(body: &[u8]) -> Result<Call<'static>, BodyError> {
        Call::read(&Node::root(&read::json(body)?)?)
    }

    /// Reads the answer to a listing.
    pub fn parse_list(body: &[u8]) -> Result<Collection<Call<'static>>, BodyError> {
        Collection::read(body, Call::read)
    }
}

/// The answer to a listing of calls. `next` is the address of the next page.
pub fn print_calls(links: &Links<'_>, calls: &[Call<'_>], next: Option<&str>) -> Vec<u8> {
    let version = links.version;
    let whole: Vec<_> = calls.iter().map(|call| Whole { call, context: None, version }).collect();
    let context = format!("{links}/$metadata#communications/calls");
    to_json(&Listing { context, next, value: &whole }, Unset::Null)
}

/// A page of a listing.
pub(crate) struct Listing<'l, T> {
    pub(crate) context: String,
    pub(crate) next: Option<&'l str>,
    pub(crate) value: &'l [T],
}

impl<T: Object> Object for Listing<'_, T> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.put("@odata.context", &self.context)?;
        out.given("@odata.nextLink", &self.next)?;
        out.put("value", PrintedList(self.value, Unset::Null))
    }
}

/// A call with what only answers show.
struct Whole<'c> {
    call: &'c Call<'c>,
    context: Option<String>,
    version: Version,
}

impl Object for Whole<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.given("@odata.context", &self.context)?;
        self.call.members(out)?;
        out.maybe_object("chatInfo", &self.call.chat_info)?;
        out.maybe_object("meetingInfo", &self.call.meeting_info)?;
        out.unset("transcription")?;
        out.unset("incomingContext")?;
        out.list::<()>("callRoutes", &[])?;
        if self.version == Version::V1 {
            return Ok(());
        }
        out.list("activeModalities", &self.call.active_modalities)?;
        out.list::<()>("routingPolicies", &[])?;
        out.maybe("terminationReason", &self.call.termination_reason)?;
        out.maybe("ringingTimeoutInSeconds", &self.call.ringing_timeout_in_seconds)?;
        out.unset("answeredBy")?;
        out.unset("meetingCapability")
    }
}

/// The members both versions have, for answers, and with `terminationReason` for notifications.
impl Object for Call<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("call")?;
        out.maybe("state", &self.state)?;
        out.maybe("direction", &self.direction)?;
        out.maybe("callbackUri", &self.callback_uri)?;
        out.maybe("callChainId", &self.call_chain_id)?;
        out.maybe_object("source", &self.source)?;
        out.objects("targets", &self.targets)?;
        out.list("requestedModalities", &self.requested_modalities)?;
        out.maybe_object("mediaConfig", &self.media_config)?;
        out.maybe_object("mediaState", &self.media_state)?;
        out.maybe("myParticipantId", &self.my_participant_id)?;
        out.maybe("tenantId", &self.tenant_id)?;
        out.maybe("subject", &self.subject)?;
        out.maybe_object("resultInfo", &self.result_info)?;
        out.maybe_object("toneInfo", &self.tone_info)?;
        out.maybe("id", &self.id)
    }
}

/// A call in a notification: only what is set.
pub(crate) struct Part<'c>(pub(crate) &'c Call<'c>);

impl Object for Part<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        self.0.members(out)?;
        out.maybe_object("chatInfo", &self.0.chat_info)?;
        out.maybe_object("meetingInfo", &self.0.meeting_info)?;
        out.list("activeModalities", &self.0.active_modalities)?;
        out.given("terminationReason", &self.0.termination_reason)
    }
}

impl Object for CallMediaState {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("callMediaState")?;
        out.put("audio", self.audio)
    }
}

impl Object for ResultInfo<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("resultInfo")?;
        out.put("code", self.code)?;
        out.put("subcode", self.subcode)?;
        out.maybe("message", &self.message)
    }
}

impl Object for ToneInfo {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("toneInfo")?;
        out.put("sequenceId", self.sequence_id)?;
        out.put("tone", self.tone)
    }
}

impl Call<'static> {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        let media_state = node.member("mediaState");
        let audio = media_state.object(|n| Ok(n.member("audio").known_word()))?.flatten();
        let media_config = node.member("mediaConfig");
        let media_config = media_config.object(|n| Ok(MediaConfig::read(n).ok()))?;
        Ok(Call {
            id: node.member("id").text()?,
            state: node.member("state").known_word(),
            direction: node.member("direction").known_word(),
            callback_uri: node.member("callbackUri").text()?,
            call_chain_id: node.member("callChainId").text()?,
            source: node.member("source").object(ParticipantInfo::read)?,
            targets: node.member("targets").list(InvitationParticipantInfo::read)?,
            requested_modalities: modalities(&node.member("requestedModalities"))?,
            active_modalities: modalities(&node.member("activeModalities"))?,
            media_config: media_config.flatten(),
            media_state: audio.map(|audio| CallMediaState { audio }),
            my_participant_id: node.member("myParticipantId").text()?,
            tenant_id: node.member("tenantId").text()?,
            subject: node.member("subject").text()?,
            chat_info: node.member("chatInfo").object(ChatInfo::read)?,
            meeting_info: node.member("meetingInfo").object(MeetingInfo::read)?.flatten(),
            result_info: node.member("resultInfo").object(ResultInfo::read)?,
            termination_reason: node.member("terminationReason").text()?,
            tone_info: node.member("toneInfo").object(ToneInfo::read)?.flatten(),
            ringing_timeout_in_seconds: node.member("ringingTimeoutInSeconds").number()?,
        })
    }
}

fn modalities(node: &Node<'_>) -> Result<Vec<Modality>, BodyError> {
    let words = node.list(|item| Ok(item.known_word()))?;
    Ok(words.into_iter().flatten().collect())
}

impl ResultInfo<'static> {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        let subcode = match node.member("subcode").number()? {
            Some(subcode) => Some(subcode),
            None => node.member("subCode").number()?, // so in some answers of the service
        };
        Ok(ResultInfo {
            code: node.member("code").number()?.unwrap_or_default(),
            subcode: subcode.unwrap_or_default(),
            message: node.member("message").text()?,
        })
    }
}

impl ToneInfo {
    fn read(node: &Node<'_>) -> Result<Option<Self>, BodyError> {
        let sequence_id = node.member("sequenceId").number()?.unwrap_or_default();
        let tone = node.member("tone").known_word();
        Ok(tone.map(|tone| ToneInfo { sequence_id, tone }))
    }
}
