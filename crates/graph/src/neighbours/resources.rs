//! The resources next to calls, as Graph prints them: the members that bots read, the others that Graph shows by default as
//! null.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::Query;
use crate::links::Links;
use crate::read::{self, BodyError, Node};
use crate::time::Utc;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User<'a> {
    /// Object id.
    pub id: Cow<'a, str>,
    /// What people see.
    pub display_name: Cow<'a, str>,
    /// `login@tenant`, which is the mail address too.
    pub principal: Cow<'a, str>,
    /// The number to dial, if there is one.
    pub number: Option<Cow<'a, str>>,
}

/// The members by which users are found, in lower case.
pub const USER_FILTERS: [&str; 4] = ["id", "userprincipalname", "mail", "displayname"];

impl User<'_> {
    /// The value of a member of [`USER_FILTERS`].
    pub fn value_of(&self, member: &str) -> &str {
        match member {
            "id" => &self.id,
            "displayname" => &self.display_name,
            _ => &self.principal,
        }
    }

    fn members(&self, query: &Query<'_>) -> Map<String, Value> {
        let numbers: Vec<_> = self.number.iter().collect();
        selected(
            query,
            [
                ("id", json!(self.id), true),
                ("displayName", json!(self.display_name), true),
                ("userPrincipalName", json!(self.principal), true),
                ("mail", json!(self.principal), true),
                ("businessPhones", json!(numbers), true),
                ("givenName", Value::Null, true),
                ("surname", Value::Null, true),
                ("jobTitle", Value::Null, true),
                ("mobilePhone", Value::Null, true),
                ("officeLocation", Value::Null, true),
                ("preferredLanguage", Value::Null, true),
                ("accountEnabled", json!(true), false),
                ("userType", json!("Member"), false),
            ],
        )
    }

    /// `GET /users/{id}`
    pub fn print(&self, links: &Links<'_>, query: &Query<'_>) -> Vec<u8> {
        entity(links, "users", self.members(query))
    }
}

/// `GET /users`: a page of them.
pub fn print_users(links: &Links<'_>, query: &Query<'_>, users: &[User<'_>], part: &Part) -> Vec<u8> {
    collection(links, query, "users", users.iter().map(|user| user.members(query)).collect(), part)
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization<'a> {
    /// The tenant's id.
    pub id: Cow<'a, str>,
    /// Its name, which is its domain too.
    pub name: Cow<'a, str>,
}

impl Organization<'_> {
    fn members(&self, query: &Query<'_>) -> Map<String, Value> {
        let domain = json!({
            "name": self.name, "isDefault": true, "isInitial": true, "type": "Managed",
            "capabilities": "Email, OfficeCommunicationsOnline",
        });
        selected(
            query,
            [
                ("id", json!(self.id), true),
                ("displayName", json!(self.name), true),
                ("verifiedDomains", json!([domain]), true),
                ("businessPhones", json!([]), true),
                ("tenantType", json!("AAD"), true),
                ("countryLetterCode", Value::Null, true),
                ("preferredLanguage", Value::Null, true),
                ("createdDateTime", Value::Null, true),
            ],
        )
    }

    /// `GET /organization/{id}`
    pub fn print(&self, links: &Links<'_>, query: &Query<'_>) -> Vec<u8> {
        entity(links, "organization", self.members(query))
    }

    /// `GET /organization`
    pub fn print_list(&self, links: &Links<'_>, query: &Query<'_>) -> Vec<u8> {
        collection(links, query, "organization", vec![self.members(query)], &Part::whole(1))
    }
}

/// A meeting, as its organizer has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineMeeting<'a> {
    /// Opaque.
    pub id: Cow<'a, str>,
    /// What people follow to join it.
    pub join_web_url: Cow<'a, str>,
    /// The chat's thread.
    pub thread: Cow<'a, str>,
    /// What phones dial.
    pub join_meeting_id: Cow<'a, str>,
    /// Who organised it.
    pub organizer: User<'a>,
    /// The organizer's tenant.
    pub tenant: Cow<'a, str>,
}

impl OnlineMeeting<'_> {
    fn members(&self, query: &Query<'_>) -> Map<String, Value> {
        let who = json!({
            "id": self.organizer.id, "displayName": self.organizer.display_name, "tenantId": self.tenant,
        });
        let organizer = json!({
            "upn": self.organizer.principal, "role": "presenter", "identity": { "user": who },
        });
        let chat = json!({ "threadId": self.thread, "messageId": "0", "replyChainMessageId": null });
        let join = json!({ "joinMeetingId": self.join_meeting_id, "isPasscodeRequired": false, "passcode": null });
        selected(
            query,
            [
                ("id", json!(self.id), true),
                ("joinWebUrl", json!(self.join_web_url), true),
                ("subject", Value::Null, true),
                ("chatInfo", chat, true),
                ("joinMeetingIdSettings", join, true),
                ("participants", json!({ "organizer": organizer, "attendees": [] }), true),
                ("creationDateTime", Value::Null, true),
                ("startDateTime", Value::Null, true),
                ("endDateTime", Value::Null, true),
                ("audioConferencing", Value::Null, true),
                ("videoTeleconferenceId", Value::Null, true),
            ],
        )
    }

    /// `GET /users/{user}/onlineMeetings/{id}`
    pub fn print(&self, links: &Links<'_>, query: &Query<'_>) -> Vec<u8> {
        entity(links, &format!("users('{}')/onlineMeetings", self.organizer.id), self.members(query))
    }
}

/// `GET /users/{user}/onlineMeetings`, of the user with this id.
pub fn print_online_meetings(
    links: &Links<'_>,
    query: &Query<'_>,
    user: &str,
    meetings: &[OnlineMeeting<'_>],
) -> Vec<u8> {
    let members = meetings.iter().map(|meeting| meeting.members(query)).collect();
    let part = Part::whole(meetings.len());
    collection(links, query, &format!("users('{user}')/onlineMeetings"), members, &part)
}

/// What a bot posts to a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// `text` or `html`.
    pub html: bool,
    /// What it says.
    pub content: String,
    /// `normal`, `high` or `urgent`.
    pub importance: &'static str,
    /// Cards and files, as the bot wrote them.
    pub attachments: Value,
}

impl NewMessage {
    /// Reads the body of `POST /chats/{chat}/messages`.
    pub fn parse(body: &[u8]) -> Result<NewMessage, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        let inner = body.member("body");
        let text = |node: &Node<'_>| Ok(node.text()?.unwrap_or_default().to_ascii_lowercase());
        let read = inner.object(|inner| {
            let content = inner.member("content").needed_text("what the message says")?;
            Ok((content.into_owned(), text(&inner.member("contentType"))? == "html"))
        })?;
        let (content, html) = read.ok_or_else(|| inner.missing("an object with content"))?;
        let importance = match text(&body.member("importance"))?.as_str() {
            "high" => "high",
            "urgent" => "urgent",
            _ => "normal",
        };
        let attachments = body.member("attachments");
        attachments.list(|attachment| attachment.object(|_| Ok(())))?;
        let attachments = if attachments.is_null() { json!([]) } else { attachments.value().clone() };
        Ok(NewMessage { html, content, importance, attachments })
    }
}

/// A message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage<'a> {
    /// Milliseconds since 1970, as Graph's ids of messages are.
    pub id: Cow<'a, str>,
    /// The chat.
    pub chat: Cow<'a, str>,
    /// When it was posted.
    pub at: Utc,
    /// By which app.
    pub app: Cow<'a, str>,
    /// And its name.
    pub app_name: Cow<'a, str>,
    /// What it says.
    pub message: Cow<'a, NewMessage>,
}

impl ChatMessage<'_> {
    fn members(&self, query: &Query<'_>) -> Map<String, Value> {
        let at = self.at.to_string();
        let app = json!({
            "@odata.type": "#microsoft.graph.teamworkApplicationIdentity",
            "id": self.app, "displayName": self.app_name, "applicationIdentityType": "bot",
        });
        let body = json!({
            "contentType": if self.message.html { "html" } else { "text" }, "content": self.message.content,
        });
        selected(
            query,
            [
                ("id", json!(self.id), true),
                ("etag", json!(self.id), true),
                ("chatId", json!(self.chat), true),
                ("messageType", json!("message"), true),
                ("createdDateTime", json!(at), true),
                ("lastModifiedDateTime", json!(at), true),
                ("importance", json!(self.message.importance), true),
                ("locale", json!("en-us"), true),
                ("from", json!({ "application": app, "device": null, "user": null }), true),
                ("body", body, true),
                ("attachments", self.message.attachments.clone(), true),
                ("mentions", json!([]), true),
                ("reactions", json!([]), true),
                ("replyToId", Value::Null, true),
                ("lastEditedDateTime", Value::Null, true),
                ("deletedDateTime", Value::Null, true),
                ("subject", Value::Null, true),
                ("summary", Value::Null, true),
                ("webUrl", Value::Null, true),
                ("channelIdentity", Value::Null, true),
                ("policyViolation", Value::Null, true),
                ("eventDetail", Value::Null, true),
            ],
        )
    }

    /// One message.
    pub fn print(&self, links: &Links<'_>, query: &Query<'_>) -> Vec<u8> {
        entity(links, &format!("chats('{}')/messages", self.chat), self.members(query))
    }
}

/// `GET /chats/{chat}/messages`; `next`: where the next page is.
pub fn print_messages(
    links: &Links<'_>,
    query: &Query<'_>,
    chat: &str,
    messages: &[ChatMessage<'_>],
    part: &Part,
) -> Vec<u8> {
    let members = messages.iter().map(|message| message.members(query)).collect();
    collection(links, query, &format!("chats('{chat}')/messages"), members, part)
}

fn selected<const N: usize>(query: &Query<'_>, members: [(&str, Value, bool); N]) -> Map<String, Value> {
    let wanted = members.into_iter().filter(|(name, _, by_default)| query.wants(name, *by_default));
    wanted.map(|(name, value, _)| (name.to_owned(), value)).collect()
}

fn entity(links: &Links<'_>, set: &str, mut members: Map<String, Value>) -> Vec<u8> {
    members.insert("@odata.context".to_owned(), json!(format!("{links}/$metadata#{set}/$entity")));
    Value::Object(members).to_string().into_bytes()
}

/// What a page is a part of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many there are on all pages.
    pub of: usize,
    /// Where the next page is.
    pub next: Option<String>,
}

impl Part {
    /// All there are.
    fn whole(of: usize) -> Self {
        Self { of, next: None }
    }
}

fn collection(links: &Links<'_>, query: &Query<'_>, set: &str, items: Vec<Map<String, Value>>, part: &Part) -> Vec<u8> {
    let mut list = json!({ "@odata.context": format!("{links}/$metadata#{set}"), "value": items });
    if query.count {
        list["@odata.count"] = json!(part.of);
    }
    if let Some(next) = &part.next {
        list["@odata.nextLink"] = json!(next);
    }
    list.to_string().into_bytes()
}
