//! The bodies of requests: read by the server, printed by the client. Unknown and read-only
//! members are ignored, and nothing is checked that the machine knows better: lengths, counts,
//! ranges and whether the call may do it at all are not decided here.

use std::borrow::Cow;

use serde::ser::SerializeMap;

use crate::identity::{InvitationParticipantInfo, ParticipantInfo};
use crate::media::{MediaConfig, MediaPrompt};
use crate::meeting::{ChatInfo, MeetingInfo};
use crate::path::Version;
use crate::print::{Members, Object, Unset, to_json};
use crate::read::{self, BodyError, Node};
use crate::words::{Modality, RejectReason, Tone};

/// `POST /communications/calls` (`contract §2.2`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateCall<'a> {
    /// Where notifications of this call go.
    pub callback_uri: Cow<'a, str>,
    /// Who is called; nobody when a meeting is joined, or by mistake.
    pub targets: Vec<InvitationParticipantInfo<'a>>,
    /// Who calls.
    pub source: Option<ParticipantInfo<'a>>,
    /// A subject.
    pub subject: Option<Cow<'a, str>>,
    /// The tenant of the call.
    pub tenant_id: Option<Cow<'a, str>>,
    /// Media wanted.
    pub requested_modalities: Vec<Modality>,
    /// Who processes the media.
    pub media_config: MediaConfig<'a>,
    /// How long it may ring, in seconds; beta only, as the client wrote it.
    pub ringing_timeout_in_seconds: Option<i32>,
    /// The chat of the meeting that is joined.
    pub chat_info: Option<ChatInfo<'a>>,
    /// The meeting that is joined.
    pub meeting_info: Option<MeetingInfo<'a>>,
    /// A join URL, which some bots send as it is under a name of their own; only where nobody is called.
    pub join_web_url: Option<Cow<'a, str>>,
}

/// `POST …/answer` (`contract §2.3`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Where notifications of this call go from now on; else to the registered webhook.
    pub callback_uri: Option<Cow<'a, str>>,
    /// Media accepted.
    pub accepted_modalities: Vec<Modality>,
    /// Who processes the media.
    pub media_config: MediaConfig<'a>,
    /// How many participants a recording bot can take.
    pub participant_capacity: Option<i32>,
}

/// `POST …/reject` (`contract §2.3`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reject<'a> {
    /// Why.
    pub reason: Option<RejectReason>,
    /// Where the end of the call is told.
    pub callback_uri: Option<Cow<'a, str>>,
}

/// `POST …/playPrompt` (`contract §2.6`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlayPrompt<'a> {
    /// What is played, in this order; may be empty, which the machine refuses.
    pub prompts: Vec<MediaPrompt<'a>>,
    /// Play it for ever. Always false on v1.0, which has no such member.
    pub repeat_forever: bool,
    /// The client's own text, unchanged and of any length.
    pub client_context: Option<Cow<'a, str>>,
}

/// `POST …/recordResponse`, and beta's `…/record` (`contract §2.10`). Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordResponse<'a> {
    /// What is played before; any number, which the machine checks.
    pub prompts: Vec<MediaPrompt<'a>>,
    /// Cuts into what is played, recorded or queued.
    pub barge_in_allowed: Option<bool>,
    /// How long it waits for a first word.
    pub initial_silence_timeout_in_seconds: Option<i32>,
    /// How long a pause ends it.
    pub max_silence_timeout_in_seconds: Option<i32>,
    /// How long it may become.
    pub max_record_duration_in_seconds: Option<i32>,
    /// A beep is sent behind the prompt.
    pub play_beep: Option<bool>,
    /// Keys that end it; each once when read.
    pub stop_tones: Vec<Tone>,
    /// The client's own text, unchanged and of any length.
    pub client_context: Option<Cow<'a, str>>,
}

/// `POST …/sendDtmfTones` (`contract §2.8`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendDtmfTones<'a> {
    /// What is sent, in this order; any number, which the machine checks.
    pub tones: Vec<Tone>,
    /// Milliseconds between two, as the client wrote it.
    pub delay_between_tones_ms: Option<i32>,
    /// The client's own text, unchanged and of any length.
    pub client_context: Option<Cow<'a, str>>,
}

/// The body of the actions that take nothing but a context: subscribeToTone,
/// cancelMediaProcessing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextOnly<'a> {
    /// The client's own text, unchanged and of any length.
    pub client_context: Option<Cow<'a, str>>,
}

impl CreateCall<'_> {
    /// Reads a body; `version` decides whether members of beta count.
    pub fn parse(body: &[u8], version: Version) -> Result<CreateCall<'static>, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        let targets = body.member("targets").list(target)?;
        let urls = ["joinWebUrl", "joinUrl"].map(|name| body.member(name));
        let url = urls.iter().find(|url| !url.is_null()).filter(|_| targets.is_empty());
        let ringing_timeout_in_seconds = match version {
            Version::V1 => None,
            Version::Beta => body.member("ringingTimeoutInSeconds").number()?,
        };
        Ok(CreateCall {
            callback_uri: body.member("callbackUri").needed_text("the https address for notifications of this call")?,
            targets,
            source: body.member("source").object(ParticipantInfo::read)?,
            subject: body.member("subject").text()?,
            tenant_id: body.member("tenantId").text()?,
            requested_modalities: modalities(&body.member("requestedModalities"))?,
            media_config: MediaConfig::needed(&body.member("mediaConfig"))?,
            ringing_timeout_in_seconds,
            chat_info: body.member("chatInfo").object(ChatInfo::read)?,
            meeting_info: body.member("meetingInfo").object(MeetingInfo::read)?.flatten(),
            join_web_url: url.map(Node::text).transpose()?.flatten(),
        })
    }

    /// Whether it joins a meeting instead of calling someone.
    pub fn joins_meeting(&self) -> bool {
        self.chat_info.is_some() || self.meeting_info.is_some() || self.join_web_url.is_some()
    }

    /// The body of the request.
    pub fn print(&self) -> Vec<u8> {
        to_json(self, Unset::Omit)
    }
}

impl Answer<'_> {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Answer<'static>, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        Ok(Answer {
            callback_uri: body.member("callbackUri").text()?,
            accepted_modalities: modalities(&body.member("acceptedModalities"))?,
            media_config: MediaConfig::needed(&body.member("mediaConfig"))?,
            participant_capacity: body.member("participantCapacity").number()?,
        })
    }

    /// The body of the request.
    pub fn print(&self) -> Vec<u8> {
        to_json(self, Unset::Omit)
    }
}

impl Reject<'_> {
    /// Reads a body; there need not be one.
    pub fn parse(body: &[u8]) -> Result<Reject<'static>, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        Ok(Reject { reason: body.member("reason").word()?, callback_uri: body.member("callbackUri").text()? })
    }

    /// The body of the request.
    pub fn print(&self) -> Vec<u8> {
        to_json(self, Unset::Omit)
    }
}

impl PlayPrompt<'_> {
    /// Reads a body; `version` decides whether members of beta count.
    pub fn parse(body: &[u8], version: Version) -> Result<PlayPrompt<'static>, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        let beta = version == Version::Beta;
        let prompts = body.member("prompts");
        if prompts.is_null() {
            return Err(prompts.missing("a list of prompts"));
        }
        Ok(PlayPrompt {
            prompts: prompts.list(|prompt| MediaPrompt::read(prompt, beta))?,
            repeat_forever: beta && body.member("loop").flag()?.unwrap_or_default(),
            client_context: body.member("clientContext").text()?,
        })
    }

    /// The body of the request.
    pub fn print(&self) -> Vec<u8> {
        to_json(self, Unset::Omit)
    }
}

impl RecordResponse<'_> {
    /// Reads a body; there need not be one.
    pub fn parse(body: &[u8], version: Version) -> Result<RecordResponse<'static>, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        let prompt = |prompt: &Node<'_>| MediaPrompt::read(prompt, version == Version::Beta);
        let mut stop_tones = body.member("stopTones").list(stop_tone)?;
        let mut seen = Vec::new();
        stop_tones.retain(|tone| {
            !seen.contains(tone) && {
                seen.push(*tone);
                true
            }
        });
        Ok(RecordResponse {
            prompts: body.member("prompts").list(prompt)?,
            barge_in_allowed: body.member("bargeInAllowed").flag()?,
            initial_silence_timeout_in_seconds: body.member("initialSilenceTimeoutInSeconds").number()?,
            max_silence_timeout_in_seconds: body.member("maxSilenceTimeoutInSeconds").number()?,
            max_record_duration_in_seconds: body.member("maxRecordDurationInSeconds").number()?,
            play_beep: body.member("playBeep").flag()?,
            stop_tones,
            client_context: body.member("clientContext").text()?,
        })
    }

    /// The body of the request.
    pub fn print(&self) -> Vec<u8> {
        to_json(self, Unset::Omit)
    }
}

/// One of `stopTones`: a key's character, or its word.
fn stop_tone(node: &Node<'_>) -> Result<Tone, BodyError> {
    const EXPECTED: &str = "one key as text: 0 to 9, *, #, or A to D";
    node.text()?.as_deref().and_then(Tone::of_key).ok_or_else(|| node.wrong(EXPECTED))
}

impl SendDtmfTones<'_> {
    /// Reads a body. A tone may be its word, or, as the documentation's table has it, a toneInfo with that word.
    pub fn parse(body: &[u8]) -> Result<SendDtmfTones<'static>, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        let tones = body.member("tones");
        if tones.is_null() {
            return Err(tones.missing("a list of tones, such as tone1 or pound"));
        }
        Ok(SendDtmfTones {
            tones: tones.list(tone)?,
            delay_between_tones_ms: body.member("delayBetweenTonesMs").number()?,
            client_context: body.member("clientContext").text()?,
        })
    }

    /// The body of the request.
    pub fn print(&self) -> Vec<u8> {
        to_json(self, Unset::Omit)
    }
}

/// One of `tones`.
fn tone(node: &Node<'_>) -> Result<Tone, BodyError> {
    let word = node.member("tone");
    let word = if word.is_null() { node.word()? } else { word.word()? };
    word.ok_or_else(|| node.missing("a tone, such as tone1 or pound"))
}

impl ContextOnly<'_> {
    /// Reads a body; there need not be one.
    pub fn parse(body: &[u8]) -> Result<ContextOnly<'static>, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        Ok(ContextOnly { client_context: body.member("clientContext").text()? })
    }

    /// The body of the request.
    pub fn print(&self) -> Vec<u8> {
        to_json(self, Unset::Omit)
    }
}

/// Someone to be called: an identity that has an id.
fn target(node: &Node<'_>) -> Result<InvitationParticipantInfo<'static>, BodyError> {
    let target = node.object(InvitationParticipantInfo::read)?;
    let target = target.ok_or_else(|| node.missing("an object with an identity"))?;
    let first = target.identity.first();
    if first.is_none_or(|(_, identity)| identity.id.as_deref().is_none_or(str::is_empty)) {
        let identity = node.member("identity");
        return Err(identity.missing("an identity such as user or phone, with an id"));
    }
    Ok(target)
}

fn modalities(node: &Node<'_>) -> Result<Vec<Modality>, BodyError> {
    node.list(|item| item.word()?.ok_or_else(|| item.missing("a modality such as audio")))
}

impl Object for CreateCall<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("call")?;
        out.put("callbackUri", &self.callback_uri)?;
        out.objects("targets", &self.targets)?;
        out.maybe_object("source", &self.source)?;
        out.maybe("subject", &self.subject)?;
        out.maybe("tenantId", &self.tenant_id)?;
        out.list("requestedModalities", &self.requested_modalities)?;
        out.object("mediaConfig", &self.media_config)?;
        out.maybe("ringingTimeoutInSeconds", &self.ringing_timeout_in_seconds)?;
        out.maybe_object("chatInfo", &self.chat_info)?;
        out.maybe_object("meetingInfo", &self.meeting_info)?;
        out.maybe("joinWebUrl", &self.join_web_url)
    }
}

impl Object for Answer<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.maybe("callbackUri", &self.callback_uri)?;
        out.put("acceptedModalities", &self.accepted_modalities)?;
        out.object("mediaConfig", &self.media_config)?;
        out.maybe("participantCapacity", &self.participant_capacity)
    }
}

impl Object for Reject<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.maybe("reason", &self.reason)?;
        out.maybe("callbackUri", &self.callback_uri)
    }
}

impl Object for PlayPrompt<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.maybe("clientContext", &self.client_context)?;
        out.put("prompts", crate::print::PrintedList(&self.prompts, Unset::Omit))?;
        out.given("loop", &self.repeat_forever.then_some(true))
    }
}

impl Object for RecordResponse<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.maybe("bargeInAllowed", &self.barge_in_allowed)?;
        out.maybe("clientContext", &self.client_context)?;
        out.put("prompts", crate::print::PrintedList(&self.prompts, Unset::Omit))?;
        out.maybe("initialSilenceTimeoutInSeconds", &self.initial_silence_timeout_in_seconds)?;
        out.maybe("maxSilenceTimeoutInSeconds", &self.max_silence_timeout_in_seconds)?;
        out.maybe("maxRecordDurationInSeconds", &self.max_record_duration_in_seconds)?;
        out.maybe("playBeep", &self.play_beep)?;
        let keys: Vec<&str> = self.stop_tones.iter().map(|tone| tone.key()).collect();
        out.put("stopTones", &keys)
    }
}

impl Object for SendDtmfTones<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.maybe("clientContext", &self.client_context)?;
        out.put("tones", &self.tones)?;
        out.maybe("delayBetweenTonesMs", &self.delay_between_tones_ms)
    }
}

impl Object for ContextOnly<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.maybe("clientContext", &self.client_context)
    }
}
