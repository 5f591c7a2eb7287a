//! What bots touch next to calls: the organization, users, their online meetings, messages of chats. Apps see their own
//! tenant only.
//!
//! It must not know how a user is reached, nor who is in a meeting.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::StatusCode;
use ringback_graph::neighbours::resources::{
    self, ChatMessage, NewMessage, OnlineMeeting, Organization, Part, USER_FILTERS, User,
};
use ringback_graph::time::Utc;
use ringback_graph::{Links, MeetingName, Neighbour, Page, Query};
use uuid::Uuid;

use super::answer::{ODATA, Reply};
use super::graph_api::{GraphApi, invalid};
use super::meetings::join_url;
use super::refusals::Refused;
use crate::auth::Caller;
use crate::chats::Message;
use crate::directory::Directory;
use crate::limits;
use crate::meetings::{Known, Names};
use crate::trace::Entry;

impl GraphApi {
    /// Carries out what a request next to calls asks for.
    pub(super) async fn neighbour(
        &self,
        caller: &Caller,
        links: &Links<'_>,
        neighbour: Neighbour<'_>,
        query: &Query<'_>,
        body: &Bytes,
    ) -> Result<Reply, Refused> {
        let directory = self.directory.current();
        let of = Of { directory: &directory, caller };
        if let Some(filter) = &query.filter
            && !matches!(neighbour, Neighbour::Users | Neighbour::OnlineMeetings { .. })
        {
            let member = filter.other_than(&[]).unwrap_or_default();
            return Err(Refused::unsupported_filter(member, neighbour.resource()));
        }
        Ok(match neighbour {
            Neighbour::Organizations => ok(of.organization().print_list(links, query)),
            Neighbour::Organization { id } => {
                let own = of.organization();
                if !own.id.eq_ignore_ascii_case(&id) {
                    return Err(Refused::no_resource(&id));
                }
                ok(own.print(links, query))
            }
            Neighbour::Users => users(&of, links, query)?,
            Neighbour::User { user } => ok(of.user(&user)?.print(links, query)),
            Neighbour::OnlineMeetings { user } => self.online_meetings(&of, links, query, &user)?,
            Neighbour::OnlineMeeting { user, meeting } => {
                let organizer = of.user(&user)?;
                let known = thread_of(&meeting)
                    .and_then(|thread| self.meeting_named(&of, Names { thread: Some(&thread), ..Names::default() }))
                    .ok_or_else(|| Refused::no_resource(&meeting))?;
                let url = join_url(&known);
                ok(online_meeting(&of, &known, &url, &organizer).print(links, query))
            }
            Neighbour::Messages { chat } => self.messages(caller, links, query, &chat).await?,
            Neighbour::Message { chat, message } => {
                let messages = self.chats.of(&caller.tenant, &chat).await;
                let found = messages.iter().find(|found| found.id.to_string() == *message);
                ok(printed(found.ok_or_else(|| Refused::no_resource(&message))?).print(links, query))
            }
            Neighbour::PostMessage { chat } => self.post_message(caller, links, &chat, body).await?,
        })
    }

    fn online_meetings(&self, of: &Of<'_>, links: &Links<'_>, query: &Query<'_>, user: &str) -> Result<Reply, Refused> {
        let organizer = of.user(user)?;
        let (member, value) = query.filter.as_ref().and_then(|filter| filter.only()).ok_or_else(by_what)?;
        let name = MeetingName::parse(value);
        let known = match (member, &name) {
            ("joinweburl", Some(MeetingName::Thread { chat, organizer, .. })) => {
                let names = Names { thread: chat.thread_id.as_deref(), ..Names::default() };
                self.meeting_named(of, Names { organizer: organizer.as_deref(), ..names })
            }
            ("joinweburl" | "joinmeetingidsettings/joinmeetingid", Some(MeetingName::JoinMeetingId(id))) => {
                self.meeting_named(of, Names { join_id: Some(id), ..Names::default() })
            }
            // A URL of a kind that is not known names its meeting all the same, as a token does.
            ("joinweburl", None) => self.meeting_named(of, Names { token: Some(value), ..Names::default() }),
            ("joinmeetingidsettings/joinmeetingid", _) => None,
            _ => return Err(by_what()),
        };
        // Who asked by a URL gets that one back: bots compare.
        let url = known.as_ref().map(|known| if member == "joinweburl" { value.to_owned() } else { join_url(known) });
        let found: Vec<_> =
            known.iter().zip(&url).map(|(known, url)| online_meeting(of, known, url, &organizer)).collect();
        Ok(ok(resources::print_online_meetings(links, query, &organizer.id, &found)))
    }

    /// The meeting of these names; made on first sight where any identity is accepted, else there is none.
    fn meeting_named(&self, of: &Of<'_>, names: Names<'_>) -> Option<Known> {
        let long = [names.thread, names.join_id, names.token].into_iter().flatten();
        let fits = long.into_iter().all(|name| name.len() <= ringback_graph::limits::MEETING_NAME);
        (of.directory.is_open() && fits)
            .then(|| self.meetings.named(names, |number| of.directory.app_by_number(number).is_some()))
            .flatten()
    }

    async fn messages(
        &self,
        caller: &Caller,
        links: &Links<'_>,
        query: &Query<'_>,
        chat: &str,
    ) -> Result<Reply, Refused> {
        let messages = self.chats.of(&caller.tenant, chat).await;
        let start = match query.page.skip_token.as_deref() {
            None => 0,
            Some(token) => messages.iter().position(|message| message.id.to_string() == token).map_or(0, |at| at + 1),
        };
        let top = query.page.top.map_or(limits::MESSAGES_PAGE, |top| top as usize);
        let shown: Vec<_> = messages.iter().skip(start).take(top).map(printed).collect();
        let more = start + shown.len() < messages.len();
        let next = shown.last().filter(|_| more).map(|last| {
            let page = Page { top: query.page.top, skip_token: Some(last.id.clone()) };
            links.listing(&format!("/chats/{chat}/messages"), &page, &query.kept)
        });
        let part = Part { of: messages.len(), next };
        Ok(ok(resources::print_messages(links, query, chat, &shown, &part)))
    }

    async fn post_message(
        &self,
        caller: &Caller,
        links: &Links<'_>,
        chat: &str,
        body: &Bytes,
    ) -> Result<Reply, Refused> {
        let new = NewMessage::parse(body)?;
        if chat.is_empty() || chat.len() > limits::CHAT_ID {
            return Err(invalid(format!("The id of a chat has 1 to {} characters.", limits::CHAT_ID)));
        }
        let app = self.app(caller)?;
        let message = Message {
            id: 0,
            tenant: caller.tenant.clone(),
            chat: chat.to_owned(),
            app: caller.app.clone(),
            app_name: app.name.clone(),
            html: new.html,
            content: new.content,
            importance: new.importance.to_owned(),
            attachments: new.attachments,
        };
        let kept = self.chats.post(self.engine.clock().now(), message).await?;
        // What it says may be anybody's business: the door shows it.
        self.trace.timeline().add("chat", || {
            let length = kept.content.chars().count();
            Entry::of_none(format!("message {} posted to a chat ({length} characters)", kept.id))
        });
        let print = printed(&kept).print(links, &Query::default());
        Ok(Reply::body(StatusCode::CREATED, ODATA, print))
    }
}

/// Whose view of the directory it is.
struct Of<'d> {
    directory: &'d Arc<Directory>,
    caller: &'d Caller,
}

impl<'d> Of<'d> {
    fn organization(&self) -> Organization<'d> {
        let id = self.caller.tenant.as_str();
        Organization { id: id.into(), name: self.domain().into() }
    }

    /// The tenant's name; an open directory has tenants without one.
    fn domain(&self) -> &'d str {
        let id = self.caller.tenant.as_str();
        self.directory.tenant(id).map_or(id, |tenant| tenant.name.as_str())
    }

    /// A user by id or `login@tenant`. Where any identity is accepted, one that nobody listed is made up, as a call to it
    /// would ring the page's phone: of a GUID or an address, which is what Graph knows users by.
    fn user(&self, key: &str) -> Result<User<'d>, Refused> {
        let own = |user: &&Arc<crate::directory::User>| user.tenant == self.caller.tenant;
        let by_principal = || {
            let (login, domain) = key.split_once('@')?;
            self.directory.user_by_sip(login).filter(|_| domain.eq_ignore_ascii_case(self.domain()))
        };
        let found = self.directory.user(key).filter(own).or_else(|| by_principal().filter(own));
        match found {
            Some(user) => Ok(self.print(user)),
            None => self.made_up(key).ok_or_else(|| Refused::no_resource(key)),
        }
    }

    fn made_up(&self, key: &str) -> Option<User<'d>> {
        if !self.directory.is_open() || key.len() > limits::USER_KEY {
            return None;
        }
        let address = key.split_once('@').filter(|(login, domain)| !login.is_empty() && !domain.is_empty());
        // The principal of one that was made up of a GUID.
        let of_principal = || {
            let (login, _) = address.filter(|(_, domain)| domain.eq_ignore_ascii_case(self.domain()))?;
            Uuid::try_parse(login).ok().filter(|id| id.simple().to_string().eq_ignore_ascii_case(login))
        };
        if let Some(id) = Uuid::try_parse(key).ok().or_else(of_principal) {
            // Another tenant's user stays unseen.
            let taken = self.directory.user(&id.to_string()).is_some();
            let name = format!("User {}", &id.simple().to_string()[..8]);
            let user = User {
                id: id.to_string().into(),
                display_name: name.into(),
                principal: format!("{}@{}", id.simple(), self.domain()).into(),
                number: None,
            };
            return (!taken).then_some(user);
        }
        let (login, domain) = address?;
        let seed = format!("{}/{}@{}", self.caller.tenant, login.to_lowercase(), domain.to_lowercase());
        Some(User {
            id: Uuid::new_v5(&Uuid::NAMESPACE_URL, seed.as_bytes()).to_string().into(),
            display_name: login.to_owned().into(),
            principal: key.to_owned().into(),
            number: None,
        })
    }

    fn print(&self, user: &Arc<crate::directory::User>) -> User<'d> {
        User {
            id: user.id.clone().into(),
            display_name: user.name.clone().into(),
            principal: format!("{}@{}", user.sip, self.domain()).into(),
            number: Some(user.sip.clone().into()),
        }
    }
}

fn users(of: &Of<'_>, links: &Links<'_>, query: &Query<'_>) -> Result<Reply, Refused> {
    if let Some(other) = query.filter.as_ref().and_then(|filter| filter.other_than(&USER_FILTERS)) {
        return Err(Refused::unsupported_filter(other, "User"));
    }
    let mut users: Vec<User<'_>> =
        of.directory.users().filter(|user| user.tenant == of.caller.tenant).map(|user| of.print(user)).collect();
    users.retain(|user| query.filter.as_ref().is_none_or(|filter| filter.holds(&|member| user.value_of(member))));
    let of_all = users.len();
    users.sort_by(|one, other| one.id.cmp(&other.id));
    if let Some(after) = query.page.skip_token.as_deref() {
        users.retain(|user| *user.id > *after);
    }
    let top = query.page.top.map_or(limits::USERS_PAGE, |top| top as usize);
    let more = users.len() > top;
    users.truncate(top);
    let next = users.last().filter(|_| more).map(|last| {
        let page = Page { top: query.page.top, skip_token: Some(last.id.clone()) };
        links.listing("/users", &page, &query.kept)
    });
    Ok(ok(resources::print_users(links, query, &users, &Part { of: of_all, next })))
}

fn printed(message: &Message) -> ChatMessage<'_> {
    let new = NewMessage {
        html: message.html,
        content: message.content.clone(),
        importance: match message.importance.as_str() {
            "high" => "high",
            "urgent" => "urgent",
            _ => "normal",
        },
        attachments: message.attachments.clone(),
    };
    ChatMessage {
        id: message.id.to_string().into(),
        chat: message.chat.as_str().into(),
        at: Utc(message.id * 1_000),
        app: message.app.as_str().into(),
        app_name: message.app_name.as_str().into(),
        message: std::borrow::Cow::Owned(new),
    }
}

fn online_meeting<'m>(of: &Of<'m>, known: &'m Known, url: &'m str, organizer: &User<'m>) -> OnlineMeeting<'m> {
    let id = format!("1*{}*0**{}", organizer.id, known.thread);
    OnlineMeeting {
        id: URL_SAFE_NO_PAD.encode(id).into(),
        join_web_url: url.into(),
        thread: known.thread.as_str().into(),
        join_meeting_id: known.join_id.as_str().into(),
        organizer: organizer.clone(),
        tenant: of.caller.tenant.as_str().into(),
    }
}

/// The thread in a meeting's id.
fn thread_of(id: &str) -> Option<String> {
    let id = String::from_utf8(URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
    Some(id.split_once("*0**")?.1.to_owned())
}

fn by_what() -> Refused {
    let message = "Online meetings are found by $filter=JoinWebUrl eq '…' or by \
                   $filter=joinMeetingIdSettings/joinMeetingId eq '…'.";
    Refused::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

fn ok(bytes: Vec<u8>) -> Reply {
    Reply::body(StatusCode::OK, ODATA, bytes)
}
