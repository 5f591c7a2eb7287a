//! From a request's method and target to what it asks for. Every form real clients use leads to
//! the same [`Route`] (client-facts §1). Pure and cheap: it borrows from the target and allocates
//! only for what must be rewritten. It knows what the contract names, not whether a call exists.

use std::borrow::Cow;

use crate::limits;
use crate::neighbours::{self, Neighbour, Query};
use crate::segments::{Walk, bare, decode, id, keyed};

/// Which of the two APIs a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `v1.0`
    V1,
    /// `beta`
    Beta,
}

impl Version {
    /// The first segment of the path.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::V1 => "v1.0",
            Version::Beta => "beta",
        }
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// The API it speaks.
    pub version: Version,
    /// What it wants.
    pub resource: Resource<'a>,
}

/// The served part of the contract (`contract §2.1`). Ids are opaque text in lower case; 32 hex
/// digits without dashes are given their dashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// `GET /communications/calls`
    ListCalls {
        /// Which part of the list.
        page: Page<'a>,
    },
    /// `POST /communications/calls`
    CreateCall,
    /// `GET /communications/calls/{call}`
    GetCall {
        /// The call's id.
        call: Cow<'a, str>,
    },
    /// `DELETE /communications/calls/{call}`
    HangUp {
        /// The call's id.
        call: Cow<'a, str>,
    },
    /// `POST /communications/calls/{call}/{action}`
    Act {
        /// The call's id.
        call: Cow<'a, str>,
        /// What to do.
        action: Action,
    },
    /// `GET /communications/calls/{call}/operations`
    ListOperations {
        /// The call's id.
        call: Cow<'a, str>,
        /// Which part of the list.
        page: Page<'a>,
    },
    /// `GET /communications/calls/{call}/participants`
    ListParticipants {
        /// The call's id.
        call: Cow<'a, str>,
    },
    /// `GET /communications/calls/{call}/participants/{participant}`
    GetParticipant {
        /// The call's id.
        call: Cow<'a, str>,
        /// The participant's id.
        participant: Cow<'a, str>,
    },
    /// What bots touch next to calls.
    Neighbour {
        /// What.
        neighbour: Neighbour<'a>,
        /// Which of it.
        query: Query<'a>,
    },
    /// `GET /communications/calls/{call}/operations/{operation}`
    GetOperation {
        /// The call's id.
        call: Cow<'a, str>,
        /// The operation's id.
        operation: Cow<'a, str>,
    },
}

/// An action on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `answer`
    Answer,
    /// `reject`
    Reject,
    /// `keepAlive`
    KeepAlive,
    /// `playPrompt`
    PlayPrompt,
    /// `recordResponse`
    RecordResponse,
    /// `record`, of beta only
    Record,
    /// `sendDtmfTones`
    SendDtmfTones,
    /// `subscribeToTone`
    SubscribeToTone,
    /// `cancelMediaProcessing`
    CancelMediaProcessing,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 9] = [
        Action::Answer,
        Action::Reject,
        Action::KeepAlive,
        Action::PlayPrompt,
        Action::RecordResponse,
        Action::Record,
        Action::SendDtmfTones,
        Action::SubscribeToTone,
        Action::CancelMediaProcessing,
    ];

    /// The last segment of the action's path.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Answer => "answer",
            Action::Reject => "reject",
            Action::KeepAlive => "keepAlive",
            Action::PlayPrompt => "playPrompt",
            Action::RecordResponse => "recordResponse",
            Action::Record => "record",
            Action::SendDtmfTones => "sendDtmfTones",
            Action::SubscribeToTone => "subscribeToTone",
            Action::CancelMediaProcessing => "cancelMediaProcessing",
        }
    }
}

/// The part of a listing a client wants. Other query options are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<'a> {
    /// `$top`: at most this many, 1 to [`limits::MAX_TOP`].
    pub top: Option<u32>,
    /// `$skiptoken`: where to go on; opaque here.
    pub skip_token: Option<Cow<'a, str>>,
}

/// Why a request leads nowhere. Its text is meant for the author of the program that sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No such path: 400 `BadRequest`, in Graph's words (`contract §6`).
    #[error("Resource not found for the segment '{0}'.")]
    UnknownSegment(String),
    /// An action was posted to a path without its call's id, as in `/calls//playPrompt`: 400.
    #[error("The id of the call is missing before '{0}'.")]
    MissingId(&'static str),
    /// A query option of a listing cannot be used: 400.
    #[error("The query option '{0}' must be a whole number above zero.")]
    BadOption(&'static str),
    /// A query option that would change what is found: 400.
    #[error("The query option '{0}' is not served here; use $filter.")]
    UnservedOption(&'static str),
    /// A `$filter` cannot be used: 400, in Graph's words.
    #[error("Invalid filter clause: {0}.")]
    BadFilter(String),
    /// Graph's, but not one of those served here: 501.
    #[error(
        "{method} {path} is not served: beside calls there are /organization, /users, /users/{{id}}/onlineMeetings and /chats/{{id}}/messages."
    )]
    Elsewhere {
        /// The method.
        method: String,
        /// The path after the version, as the client wrote it; at most [`limits::ECHOED_PATH`] characters.
        path: String,
    },
    /// The path exists, but not with this method: 405.
    #[error("The method is not allowed here. Allowed: {allow}.")]
    MethodNotAllowed {
        /// For the header `Allow`.
        allow: &'static str,
    },
    /// In the contract, but not offered by this server yet: 501.
    #[error("'{what}' is not offered by this server yet.")]
    NotServed {
        /// The contract's name for it.
        what: &'static str,
    },
}

/// What a request asks for: `method` as HTTP writes it, `target` its path with any query.
///
/// Empty segments collapse; names are matched without regard to case; segments are
/// percent-decoded after they are told apart.
pub fn parse<'a>(method: &str, target: &'a str) -> Result<Route<'a>, RouteError> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut walk = Walk::new(path);
    let head = walk.needed("")?;
    let version = match &*head {
        v if v.eq_ignore_ascii_case("v1.0") => Version::V1,
        v if v.eq_ignore_ascii_case("beta") => Version::Beta,
        _ => return Err(unknown(&head)),
    };
    let Some(root) = walk.next() else { return Err(neighbours::elsewhere(method, "/")) };
    let below = walk.clone().next().map(keyed);
    let calls = below.as_ref().is_some_and(|(name, _)| name.eq_ignore_ascii_case("calls"));
    if !calls || !(root.eq_ignore_ascii_case("communications") || root.eq_ignore_ascii_case("app")) {
        let neighbour = neighbours::parse(method, root, walk)?;
        return Ok(Route { version, resource: Resource::Neighbour { neighbour, query: Query::parse(query)? } });
    }
    walk.next();
    let key = below.and_then(|(_, key)| key);
    let resource = match key.or_else(|| walk.next()) {
        Some(call) => below_call(method, version, call, walk, query)?,
        None => match method {
            "GET" => Resource::ListCalls { page: Page::parse(query)? },
            "POST" => Resource::CreateCall,
            _ => return Err(RouteError::MethodNotAllowed { allow: "GET, POST" }),
        },
    };
    Ok(Route { version, resource })
}

fn below_call<'a>(
    method: &str,
    version: Version,
    call: Cow<'a, str>,
    mut walk: Walk<'a>,
    query: &'a str,
) -> Result<Resource<'a>, RouteError> {
    let Some(segment) = walk.next() else {
        return match method {
            "GET" => Ok(Resource::GetCall { call: id(call) }),
            "DELETE" => Ok(Resource::HangUp { call: id(call) }),
            _ => Err(not_a_call(method, &call)),
        };
    };
    let (name, key) = keyed(segment);
    if name.eq_ignore_ascii_case("operations") {
        let operation = key.or_else(|| walk.next());
        walk.end()?;
        if method != "GET" {
            return Err(RouteError::MethodNotAllowed { allow: "GET" });
        }
        let call = id(call);
        return Ok(match operation {
            Some(operation) => Resource::GetOperation { call, operation: id(operation) },
            None => Resource::ListOperations { call, page: Page::parse(query)? },
        });
    }
    if name.eq_ignore_ascii_case("participants") && method == "GET" {
        return participants(id(call), key.or_else(|| walk.next()), walk);
    }
    if let Some(collection) = COLLECTIONS.iter().find(|c| c.name.eq_ignore_ascii_case(&name)) {
        return Err(collection.refuse(method, version, key.or_else(|| walk.next()), walk));
    }
    if key.is_some() {
        return Err(unknown(&name));
    }
    let action = match (action(version, &name), find(CALL_ACTIONS, version, &name)) {
        (Some(action), _) => Ok(Resource::Act { call: id(call), action }),
        (None, Some(what)) => Err(RouteError::NotServed { what }),
        (None, None) => return Err(unknown(&name)),
    };
    walk.end()?;
    match method {
        "POST" => action,
        _ => Err(RouteError::MethodNotAllowed { allow: "POST" }),
    }
}

/// Reading the roster, or one of it.
fn participants<'a>(
    call: Cow<'a, str>,
    participant: Option<Cow<'a, str>>,
    mut walk: Walk<'a>,
) -> Result<Resource<'a>, RouteError> {
    let Some(participant) = participant else { return Ok(Resource::ListParticipants { call }) };
    match walk.next() {
        None => Ok(Resource::GetParticipant { call, participant: id(participant) }),
        Some(segment) => {
            match PARTICIPANTS.actions_on_one.iter().any(|(name, _)| name.eq_ignore_ascii_case(bare(&segment))) {
                true => Err(RouteError::MethodNotAllowed { allow: "POST" }),
                false => Err(unknown(&segment)),
            }
        }
    }
}

/// What is wrong with a request that is neither GET nor DELETE on `calls/{word}`.
fn not_a_call(method: &str, word: &str) -> RouteError {
    if bare(word).eq_ignore_ascii_case(DEVICE_QUALITY) {
        return match method {
            "POST" => RouteError::NotServed { what: DEVICE_QUALITY },
            _ => RouteError::MethodNotAllowed { allow: "POST" },
        };
    }
    let missing = action(Version::Beta, word).map(Action::as_str).or_else(|| find(CALL_ACTIONS, Version::Beta, word));
    match missing {
        Some(action) if method == "POST" => RouteError::MissingId(action),
        _ => RouteError::MethodNotAllowed { allow: "GET, DELETE" },
    }
}

const DEVICE_QUALITY: &str = "logTeleconferenceDeviceQuality";

/// A name of the contract that is not served, and whether only beta has it.
type Unserved = (&'static str, bool);

/// Actions on a call that the contract has and this server does not (`contract §2.1`).
const CALL_ACTIONS: &[Unserved] = &[
    ("redirect", false),
    ("transfer", false),
    ("mute", false),
    ("unmute", false),
    ("changeScreenSharingRole", false),
    ("updateRecordingStatus", false),
    ("addLargeGalleryView", false),
    ("startRecording", true),
    ("stopRecording", true),
    ("startTranscription", true),
    ("stopTranscription", true),
];

/// A collection below a call that the contract has and this server does not.
struct Collection {
    name: &'static str,
    allow: &'static str,
    allow_one: &'static str,
    /// Actions on the collection.
    actions: &'static [Unserved],
    /// Actions on one member.
    actions_on_one: &'static [Unserved],
}

/// Reading it is served.
const PARTICIPANTS: Collection = Collection {
    name: "participants",
    allow: "GET",
    allow_one: "GET, DELETE",
    actions: &[("invite", false), ("muteAll", true), ("admitAllFromLobby", true)],
    actions_on_one: &[
        ("mute", false),
        ("startHoldMusic", false),
        ("stopHoldMusic", false),
        ("admitFromLobby", true),
        ("removeFromLobby", true),
    ],
};

const COLLECTIONS: &[Collection] = &[
    PARTICIPANTS,
    Collection {
        name: "audioRoutingGroups",
        allow: "GET, POST",
        allow_one: "GET, PATCH, DELETE",
        actions: &[],
        actions_on_one: &[],
    },
    Collection { name: "contentSharingSessions", allow: "GET", allow_one: "GET", actions: &[], actions_on_one: &[] },
];

impl Collection {
    fn refuse(&self, method: &str, version: Version, member: Option<Cow<'_, str>>, mut walk: Walk<'_>) -> RouteError {
        let Some(member) = member else {
            return self.check(method, self.allow, self.name);
        };
        let Some(segment) = walk.next() else {
            return match find(self.actions, version, &member) {
                Some(action) => self.check(method, "POST", action),
                None => self.check(method, self.allow_one, self.name),
            };
        };
        let Some(action) = find(self.actions_on_one, version, &segment) else {
            return unknown(&segment);
        };
        match walk.end() {
            Ok(()) => self.check(method, "POST", action),
            Err(error) => error,
        }
    }

    fn check(&self, method: &str, allow: &'static str, what: &'static str) -> RouteError {
        match allow.split(", ").any(|m| m == method) {
            true => RouteError::NotServed { what },
            false => RouteError::MethodNotAllowed { allow },
        }
    }
}

/// The contract's spelling of a name, if `version` has it.
fn find(names: &[Unserved], version: Version, segment: &str) -> Option<&'static str> {
    let name = bare(segment);
    let beta = version == Version::Beta;
    let known = names.iter().find(|(known, beta_only)| known.eq_ignore_ascii_case(name) && (beta || !beta_only));
    known.map(|(known, _)| *known)
}

fn action(version: Version, segment: &str) -> Option<Action> {
    let name = bare(segment);
    let found = Action::ALL.into_iter().find(|action| action.as_str().eq_ignore_ascii_case(name));
    found.filter(|action| version == Version::Beta || *action != Action::Record)
}

pub(crate) fn unknown(segment: &str) -> RouteError {
    RouteError::UnknownSegment(segment.chars().take(limits::ECHOED_CHARACTERS).collect())
}

impl<'a> Page<'a> {
    pub(crate) fn parse(query: &'a str) -> Result<Self, RouteError> {
        let mut page = Page::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name);
            if name.eq_ignore_ascii_case("$top") {
                let top: Option<u32> = decode(value).parse().ok();
                let top = top.filter(|top| *top > 0).ok_or(RouteError::BadOption("$top"))?;
                page.top = Some(top.min(limits::MAX_TOP));
            } else if name.eq_ignore_ascii_case("$skiptoken") && !value.is_empty() {
                page.skip_token = Some(decode(value));
            }
        }
        Ok(page)
    }
}
