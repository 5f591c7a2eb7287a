//! What bots touch next to calls (client-facts §4): the organization, users, their online meetings, messages of chats. The
//! part of Graph that is understood; anything else under `v1.0` and `beta` is [`RouteError::Elsewhere`].
//!
//! It knows words and shapes, not who there is.

pub mod filter;
mod query;
pub mod resources;

use std::borrow::Cow;

use crate::limits;
use crate::path::RouteError;
use crate::segments::{Walk, keyed};

pub use filter::Filter;
pub use query::Query;

/// What a request next to calls asks for. Keys are as the client wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Neighbour<'a> {
    /// `GET /organization`: the tenant, in a list of one.
    Organizations,
    /// `GET /organization/{id}`
    Organization {
        /// The tenant's id.
        id: Cow<'a, str>,
    },
    /// `GET /users`
    Users,
    /// `GET /users/{id or userPrincipalName}`
    User {
        /// Either of the two.
        user: Cow<'a, str>,
    },
    /// `GET /users/{user}/onlineMeetings`
    OnlineMeetings {
        /// The organizer.
        user: Cow<'a, str>,
    },
    /// `GET /users/{user}/onlineMeetings/{id}`
    OnlineMeeting {
        /// The organizer.
        user: Cow<'a, str>,
        /// The meeting's id.
        meeting: Cow<'a, str>,
    },
    /// `GET /chats/{chat}/messages`
    Messages {
        /// The chat: a thread's id.
        chat: Cow<'a, str>,
    },
    /// `GET /chats/{chat}/messages/{id}`
    Message {
        /// The chat: a thread's id.
        chat: Cow<'a, str>,
        /// The message's id.
        message: Cow<'a, str>,
    },
    /// `POST /chats/{chat}/messages`
    PostMessage {
        /// The chat: a thread's id.
        chat: Cow<'a, str>,
    },
}

impl Neighbour<'_> {
    /// Graph's name of what it asks for.
    pub fn resource(&self) -> &'static str {
        match self {
            Neighbour::Organizations | Neighbour::Organization { .. } => "Organization",
            Neighbour::Users | Neighbour::User { .. } => "User",
            Neighbour::OnlineMeetings { .. } | Neighbour::OnlineMeeting { .. } => "OnlineMeeting",
            Neighbour::Messages { .. } | Neighbour::Message { .. } | Neighbour::PostMessage { .. } => "ChatMessage",
        }
    }
}

/// Reads what follows the version, `root` being its first segment.
pub(crate) fn parse<'a>(method: &str, root: Cow<'a, str>, mut walk: Walk<'a>) -> Result<Neighbour<'a>, RouteError> {
    let mut segments = Vec::new();
    let mut function = false;
    let mut next = Some(root);
    while let Some(segment) = next {
        if segments.len() > DEEPEST {
            break;
        }
        // Only collections have a key; an id may end like one.
        let collection = segments.len() % 2 == 0;
        function |= !collection && is_function(&segment);
        let (name, key) = if collection { keyed(segment) } else { (segment, None) };
        segments.push(name);
        segments.extend(key);
        next = walk.next();
    }
    if function {
        return Err(elsewhere(method, &joined(&segments)));
    }
    let words: Vec<String> = segments.iter().step_by(2).map(|segment| segment.to_ascii_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let keys = segments.len() / 2;
    let mut key = |at: usize| std::mem::take(&mut segments[2 * at + 1]);
    Ok(match (method, words.as_slice(), keys) {
        ("GET", ["organization"], 0) => Neighbour::Organizations,
        ("GET", ["organization"], 1) => Neighbour::Organization { id: key(0) },
        ("GET", ["users"], 0) => Neighbour::Users,
        ("GET", ["users"], 1) => Neighbour::User { user: key(0) },
        ("GET", ["users", "onlinemeetings"], 1) => Neighbour::OnlineMeetings { user: key(0) },
        ("GET", ["users", "onlinemeetings"], 2) => Neighbour::OnlineMeeting { user: key(0), meeting: key(1) },
        ("GET", ["chats", "messages"], 1) => Neighbour::Messages { chat: key(0) },
        ("GET", ["chats", "messages"], 2) => Neighbour::Message { chat: key(0), message: key(1) },
        ("POST", ["chats", "messages"], 1) => Neighbour::PostMessage { chat: key(0) },
        _ => return Err(elsewhere(method, &joined(&segments))),
    })
}

/// What is not served, as far as it is echoed.
pub(crate) fn elsewhere(method: &str, path: &str) -> RouteError {
    let path = path.chars().filter(|c| !c.is_control()).take(limits::ECHOED_PATH).collect();
    RouteError::Elsewhere { method: method.chars().take(limits::ECHOED_CHARACTERS).collect(), path }
}

fn joined(segments: &[Cow<'_, str>]) -> String {
    segments.iter().flat_map(|segment| ["/", segment]).collect()
}

/// Whether it stands where a key may stand, and asks for something of the collection: `$count`, `delta()`,
/// `microsoft.graph.delta` (OData 4.01, URL conventions §4).
fn is_function(segment: &str) -> bool {
    let name = segment.split_once('(').map_or(segment, |(name, _)| name).to_ascii_lowercase();
    name.starts_with('$') || name == "delta" || name.starts_with("microsoft.graph.")
}

/// Segments after which nothing is understood any more.
const DEEPEST: usize = 8;
