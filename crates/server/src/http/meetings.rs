//! Joining a meeting (`contract §2.2`), and the meetings at the operator's door.
//!
//! It must not know what a bot may do in a meeting, nor how a phone gets there.

use std::fmt::Write as _;

use hyper::StatusCode;
use ringback_core as core;
use ringback_graph::{self as graph, Links, MeetingName};
use serde_json::json;

use super::answer::{JSON, Reply};
use super::graph_api::{GraphApi, invalid, service_hosted, with_audio};
use super::refusals::Refused;
use crate::auth::Caller;
use crate::engine::Parties;
use crate::meetings::{Known, Names};
use crate::trace::Entry;
use crate::wire;

impl GraphApi {
    /// create call, where the body has a meeting.
    pub(super) async fn join(
        &self,
        caller: &Caller,
        links: &Links<'_>,
        create: graph::CreateCall<'_>,
    ) -> Result<Reply, Refused> {
        if !self.directory.current().is_open() {
            return Err(Refused::no_meetings());
        }
        service_hosted(&create.media_config)?;
        with_audio("requestedModalities", &create.requested_modalities)?;
        if !create.targets.is_empty() {
            return Err(invalid("targets must be empty where a meeting is joined: phones join it by its number."));
        }
        let app = self.app(caller)?;
        let (known, meeting, bots) = self.meeting(&create)?;
        let parties = Parties {
            app: caller.app.clone(),
            tenant: caller.tenant.clone(),
            callback: create.callback_uri.into_owned(),
            source: app.identity(),
            target: meeting,
            subject: create.subject.map(|subject| subject.into_owned()),
            max_calls: app.max_calls as usize,
        };
        let done = self.engine.join_meeting(parties).await?;
        if let Some(view) = &done.call {
            let but = bots.map_or(String::new(), |number| format!(", since {number} is a bot's number"));
            let text = format!("meeting {}: phones join it by dialling {}{but}", known.thread, known.join_id);
            self.trace.timeline().add("event", || Entry::about(view.call.id(), text));
        }
        self.created(links, done)
    }

    /// The meeting that a request names, and as its call shows it; and the joinMeetingId that it cannot be dialled by.
    fn meeting(&self, create: &graph::CreateCall<'_>) -> Result<(Known, core::Meeting, Option<String>), Refused> {
        let chat = create.chat_info.clone().unwrap_or_default();
        // Bots put whole URLs where an id belongs, too.
        let texts = [chat.thread_id.as_deref(), create.join_web_url.as_deref()];
        let named = texts.into_iter().flatten().filter(|text| !text.is_empty()).find_map(MeetingName::parse);
        let mut info = create.meeting_info.as_ref().and_then(core_meeting_info);
        let (mut thread, mut message, mut reply_chain) = (chat.thread_id.map(|id| id.into_owned()), None, None);
        let mut join_id = None;
        match named {
            Some(MeetingName::Thread { chat: found, organizer, tenant }) => {
                thread = found.thread_id.map(|id| id.into_owned());
                message = found.message_id.map(|id| id.into_owned());
                reply_chain = found.reply_chain_message_id.map(|id| id.into_owned());
                info = info.or_else(|| organizer.map(|id| core::MeetingInfo::Organizer(user(id, tenant))));
            }
            Some(MeetingName::JoinMeetingId(id)) => {
                thread = None;
                join_id = Some(id);
            }
            None => {}
        }
        if let Some(core::MeetingInfo::JoinMeetingId { id, .. }) = &info {
            let Some(MeetingName::JoinMeetingId(id)) = MeetingName::parse(id) else {
                return Err(invalid("meetingInfo.joinMeetingId must be digits, as in \"123 456 789\"."));
            };
            join_id = Some(id);
        }
        let token = match &info {
            Some(core::MeetingInfo::Token(token)) => Some(token.as_str()),
            _ => None,
        };
        let organizer = match &info {
            Some(core::MeetingInfo::Organizer(organizer)) => Some(organizer.id.as_str()),
            _ => None,
        };
        let long = [thread.as_deref(), join_id.as_deref(), token];
        if long.into_iter().flatten().any(|name| name.is_empty() || name.len() > graph::limits::MEETING_NAME) {
            return Err(invalid("The name of the meeting is empty, or too long."));
        }
        let names = Names { thread: thread.as_deref(), join_id: join_id.as_deref(), token, organizer };
        let directory = self.directory.current();
        let is_bots = |number: &str| directory.app_by_number(number).is_some();
        let known = self.meetings.named(names, is_bots).ok_or_else(|| {
            invalid(
                "The meeting has no name: give chatInfo.threadId beside an organizerMeetingInfo, a \
                 joinMeetingIdMeetingInfo, a tokenMeetingInfo, or a join URL as joinWebUrl.",
            )
        })?;
        let meeting = core::Meeting {
            thread: known.thread.clone(),
            message: chat.message_id.map(|id| id.into_owned()).or(message).or_else(|| Some("0".to_owned())),
            reply_chain: chat.reply_chain_message_id.map(|id| id.into_owned()).or(reply_chain),
            info,
        };
        Ok((known, meeting, join_id.filter(|id| is_bots(id))))
    }

    /// What is at `/_ringback/meetings`.
    pub(super) fn list_meetings(&self) -> Reply {
        let shown = self.meetings.list().into_iter().map(|known| {
            json!({
                "joinMeetingId": known.join_id,
                "threadId": known.thread,
                "joinWebUrl": join_url(&known),
                "call": self.engine.in_meeting(&known.thread).map(|call| call.to_string()),
            })
        });
        Reply::body(StatusCode::OK, JSON, json!({ "value": shown.collect::<Vec<_>>() }).to_string())
    }
}

fn core_meeting_info(info: &graph::MeetingInfo<'_>) -> Option<core::MeetingInfo> {
    Some(match info {
        graph::MeetingInfo::Organizer { organizer } => {
            let (kind, identity) = organizer.first()?;
            core::MeetingInfo::Organizer(core::Identity {
                kind: wire::core_identity_kind(kind),
                id: identity.id.as_deref().unwrap_or_default().to_owned(),
                display_name: identity.display_name.as_deref().map(str::to_owned),
                tenant: identity.tenant_id.as_deref().map(str::to_owned),
            })
        }
        graph::MeetingInfo::Token { token } => core::MeetingInfo::Token(token.clone().into_owned()),
        graph::MeetingInfo::JoinMeetingId { join_meeting_id, passcode } => core::MeetingInfo::JoinMeetingId {
            id: join_meeting_id.clone().into_owned(),
            passcode: passcode.as_deref().map(str::to_owned),
        },
    })
}

fn user(id: String, tenant: Option<String>) -> core::Identity {
    core::Identity { kind: core::IdentityKind::User, id, display_name: None, tenant }
}

/// The meeting's join URL, as Teams writes them.
pub(super) fn join_url(known: &Known) -> String {
    let context = known.organizer.as_ref().map(|organizer| json!({ "Oid": organizer }).to_string());
    let mut url = format!("https://teams.microsoft.com/l/meetup-join/{}/0", encoded(&known.thread));
    if let Some(context) = context {
        url.push_str("?context=");
        url.push_str(&encoded(&context));
    }
    url
}

/// Percent-encoded (RFC 3986 §2.1).
fn encoded(text: &str) -> String {
    let mut url = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(byte.into()),
            _ => write!(url, "%{byte:02x}").expect("text takes text"),
        }
    }
    url
}
