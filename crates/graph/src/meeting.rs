//! Meetings: where a bot joins, as its request says it and as its call shows it (`contract §1.6, §2.2`), and the names by
//! which people know a meeting. Which names belong to one meeting is not known here.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde_json::Value;

use crate::identity::IdentitySet;
use crate::limits;
use crate::print::{Members, Object};
use crate::read::{BodyError, Node};
use crate::segments::decode;

/// The chat of a meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatInfo<'a> {
    /// Its thread, as in `19:meeting_…@thread.v2`.
    pub thread_id: Option<Cow<'a, str>>,
    /// `0` for a scheduled meeting, the root message of one in a channel.
    pub message_id: Option<Cow<'a, str>>,
    /// The message that it answers, in a channel.
    pub reply_chain_message_id: Option<Cow<'a, str>>,
}

/// Which meeting: one of the types derived from `meetingInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeetingInfo<'a> {
    /// `organizerMeetingInfo`
    Organizer {
        /// Who organised it.
        organizer: IdentitySet<'a>,
    },
    /// `tokenMeetingInfo`
    Token {
        /// Opaque.
        token: Cow<'a, str>,
    },
    /// `joinMeetingIdMeetingInfo`
    JoinMeetingId {
        /// Digits, perhaps in groups.
        join_meeting_id: Cow<'a, str>,
        /// None where the meeting has none.
        passcode: Option<Cow<'a, str>>,
    },
}

/// A name of a meeting, as people copy it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeetingName {
    /// A thread's id, or a join URL that holds one.
    Thread {
        /// The thread, and what the URL says of its message.
        chat: ChatInfo<'static>,
        /// The organizer's object id, where the URL has it.
        organizer: Option<String>,
        /// The tenant, where the URL has it.
        tenant: Option<String>,
    },
    /// A joinMeetingId: its digits alone.
    JoinMeetingId(String),
}

impl MeetingName {
    /// Understands `https://teams.microsoft.com/l/meetup-join/{threadId}/{messageId}?context={…}` (`contract §2.2`, on any
    /// host, encoded once or twice), `https://…/meet/{joinMeetingId}?p=…`, a thread's id, and a joinMeetingId with or
    /// without spaces. `None` for anything else, and for what is longer than [`limits::MEETING_NAME`].
    pub fn parse(text: &str) -> Option<MeetingName> {
        let text = text.trim();
        if text.len() > limits::MEETING_NAME {
            return None;
        }
        if text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) {
            return Self::of_url(text);
        }
        let text = decode(text);
        if is_thread(&text) {
            let chat = ChatInfo { thread_id: Some(text.into_owned().into()), ..ChatInfo::default() };
            return Some(MeetingName::Thread { chat, organizer: None, tenant: None });
        }
        digits(&text).map(MeetingName::JoinMeetingId)
    }

    fn of_url(url: &str) -> Option<MeetingName> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        // A URL within a URL is encoded twice.
        let path = decode(path);
        let segments: Vec<Cow<'_, str>> = path.split('/').map(decode).filter(|segment| !segment.is_empty()).collect();
        let after =
            |word: &str| segments.iter().position(|segment| segment.eq_ignore_ascii_case(word)).map(|at| at + 1);
        if let Some(id) = after("meet").and_then(|at| digits(segments.get(at)?)) {
            return Some(MeetingName::JoinMeetingId(id));
        }
        let at = after("meetup-join")?;
        let thread = segments.get(at).filter(|thread| is_thread(thread))?;
        let context = query.split('&').find_map(|pair| pair.strip_prefix("context="));
        let context: Value =
            context.and_then(|text| serde_json::from_str(&decode(&decode(text))).ok()).unwrap_or_default();
        let member = |name: &str| context.get(name).and_then(Value::as_str).map(str::to_owned);
        let chat = ChatInfo {
            thread_id: Some(thread.clone().into_owned().into()),
            message_id: segments.get(at + 1).map(|message| message.clone().into_owned().into()),
            reply_chain_message_id: member("MessageId").map(Into::into),
        };
        Some(MeetingName::Thread { chat, organizer: member("Oid"), tenant: member("Tid") })
    }
}

/// `19:…@thread.v2`, `…@thread.tacv2`, `…@thread.skype`.
fn is_thread(text: &str) -> bool {
    text.contains("@thread.") && !text.contains(char::is_whitespace)
}

/// The digits of a number written in groups.
fn digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

impl ChatInfo<'static> {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        Ok(ChatInfo {
            thread_id: node.member("threadId").text()?,
            message_id: node.member("messageId").text()?,
            reply_chain_message_id: node.member("replyChainMessageId").text()?,
        })
    }
}

impl MeetingInfo<'static> {
    /// Reads a meetingInfo by its members, which tell its type; one without any of them is none.
    pub(crate) fn read(node: &Node<'_>) -> Result<Option<Self>, BodyError> {
        if let Some(join_meeting_id) = node.member("joinMeetingId").text()? {
            return Ok(Some(MeetingInfo::JoinMeetingId { join_meeting_id, passcode: node.member("passcode").text()? }));
        }
        if let Some(token) = node.member("token").text()? {
            return Ok(Some(MeetingInfo::Token { token }));
        }
        let organizer = node.member("organizer").object(IdentitySet::read)?;
        Ok(organizer.map(|organizer| MeetingInfo::Organizer { organizer }))
    }
}

impl Object for ChatInfo<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("chatInfo")?;
        out.maybe("threadId", &self.thread_id)?;
        out.maybe("messageId", &self.message_id)?;
        out.maybe("replyChainMessageId", &self.reply_chain_message_id)
    }
}

impl Object for MeetingInfo<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        match self {
            MeetingInfo::Organizer { organizer } => {
                out.odata_type("organizerMeetingInfo")?;
                out.object("organizer", organizer)
            }
            MeetingInfo::Token { token } => {
                out.odata_type("tokenMeetingInfo")?;
                out.put("token", token)
            }
            MeetingInfo::JoinMeetingId { join_meeting_id, passcode } => {
                out.odata_type("joinMeetingIdMeetingInfo")?;
                out.put("joinMeetingId", join_meeting_id)?;
                out.maybe("passcode", passcode)
            }
        }
    }
}
