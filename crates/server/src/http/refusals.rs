//! The one table from a refusal to HTTP status, Graph code and message (design §9). docs/errors.md
//! is printed from it by a test.

use hyper::StatusCode;
use ringback_core::Refusal;
use ringback_graph::{BodyError, RouteError};

use crate::auth::TokenError;
use crate::chats::NotKept;
use crate::directory::Role;
use crate::engine::EngineError;
use crate::first_seen::NotTaken;
use crate::limits;
use crate::phones::{OfferError, PageError};
use crate::trace::Rule;

/// Why a request was not carried out, as its client sees it.
#[derive(Debug)]
pub(crate) struct Refused {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// Graph's `error.code`.
    pub(crate) code: &'static str,
    /// What is wrong, and what to do.
    pub(crate) message: String,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u32>,
    /// `Allow`.
    pub(crate) allow: Option<&'static str>,
    /// What it shows of the bot, beside this request.
    pub(crate) finding: Option<Rule>,
}

impl Refused {
    /// A refusal of the http room itself.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, allow: None, finding: None }
    }

    /// A method that the path has not; `allow`: those that it has.
    pub(crate) fn only(allow: &'static str) -> Self {
        let message = format!("The method is not allowed here. Allowed: {allow}.");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "notAllowed", message) }
    }

    fn retry(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// No such call: also what another app's call looks like.
    pub(crate) fn call_not_found() -> Self {
        Refusal::CallNotFound.into()
    }

    /// No such operation of a call that is there.
    pub(crate) fn operation_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "itemNotFound", "Operation not found.")
    }

    /// Nobody of that id in a call that is there.
    pub(crate) fn participant_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "itemNotFound", "Participant not found.")
    }

    /// A recording that is asked for without its own token, or that never was.
    pub(crate) fn not_its_token() -> Self {
        let message = "A recording is read with the recordingAccessToken of its operation, as a bearer token.";
        Self::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    }

    /// A recording whose token is right.
    pub(crate) fn recording_not_found() -> Self {
        let message = "Recording not found: it was not kept, or its call ended more than a day ago.";
        Self::new(StatusCode::NOT_FOUND, "itemNotFound", message)
    }

    /// A token that is good, of an app that is not in the directory (`contract §4.5`).
    pub(crate) fn not_registered() -> Self {
        Self::new(StatusCode::FORBIDDEN, "7503", TokenError::UnknownApp.to_string())
    }

    /// No user, organization, meeting or message of this key, in Graph's words.
    pub(crate) fn no_resource(key: &str) -> Self {
        let key: String = key.chars().take(limits::ECHOED_KEY).collect();
        let message = format!(
            "Resource '{key}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", message)
    }

    /// A filter by a member that a resource cannot be found by, in Graph's words.
    pub(crate) fn unsupported_filter(member: &str, resource: &str) -> Self {
        let member: String = member.chars().take(limits::ECHOED_KEY).collect();
        let message = format!(
            "Unsupported or invalid query filter clause specified for property '{member}' of resource '{resource}'."
        );
        Self::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message)
    }

    /// A call that is said to be of another tenant than the token (`contract §4.5`).
    pub(crate) fn tenant_mismatch() -> Self {
        let message = "Mismatch between request authorization tenant and call tenant.";
        Self::new(StatusCode::FORBIDDEN, "7505", message)
    }

    /// The token lacks a role (`contract §4.5`).
    pub(crate) fn lacks_role(role: Role) -> Self {
        let message = format!(
            "Insufficient enterprise tenant permissions, cannot access this API. The token lacks the role {role}: the operator \
             gives it in `roles` of the app, and then the bot asks for another token."
        );
        Self::new(StatusCode::FORBIDDEN, "7504", message)
    }

    /// A call to the telephone network that does not come from an application instance (`contract §4.5`).
    pub(crate) fn source_invalid() -> Self {
        Self::new(StatusCode::FORBIDDEN, "7507", "Call source identity invalid.")
    }

    /// As many recordings are being read as may be.
    pub(crate) fn too_many_reads() -> Self {
        let message = "Nothing was done: too many recordings are being read. Try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", message).retry(1)
    }

    /// The app keeps as many recordings as it may. 507, because waiting a little does not help.
    pub(crate) fn no_room_for_recordings(mib: u32) -> Self {
        let message = format!(
            "Nothing was done: the app's recordings take as much room as they may ({mib} MiB). They are dropped a day after \
             their calls have ended; the operator can raise max_recording_mib."
        );
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "quotaLimitReached", message)
    }

    /// What could not be recorded.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", message).retry(1)
    }

    /// A client from elsewhere, where any identity is accepted.
    pub(crate) fn only_here() -> Self {
        let message = "This server accepts any identity, and therefore serves only clients of its own machine and of the \
                       networks in server.identities_from.";
        Self::new(StatusCode::FORBIDDEN, "accessDenied", message)
    }

    /// A client behind a proxy, where any identity is accepted.
    pub(crate) fn passed_on() -> Self {
        let message = "This server accepts any identity, and therefore serves nothing that a proxy or tunnel passes on \
                       (Forwarded, X-Forwarded-For). To be reached through one, list the apps in a configuration.";
        Self::new(StatusCode::FORBIDDEN, "accessDenied", message)
    }

    /// Meetings are made on first sight, and only where any identity is.
    pub(crate) fn no_meetings() -> Self {
        let message = "There are no meetings here: they are made on first sight, and only by a server that accepts any \
                       identity (`identities = \"any\"` in its configuration, or none).";
        Self::new(StatusCode::FORBIDDEN, "accessDenied", message)
    }

    /// In the contract, and not offered here.
    pub(crate) fn not_served(what: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "notSupported", format!("{what} is not offered by this server yet."))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match refusal {
            // 404/8522: contract §4.5.
            Refusal::CallNotFound => (StatusCode::NOT_FOUND, "8522"),
            Refusal::NotIncoming
            | Refusal::StillIncoming
            | Refusal::NotEstablished
            | Refusal::AlreadyBegun
            | Refusal::MeetingFull => (StatusCode::CONFLICT, "notAllowed"),
            // 8523: client-facts §4.
            Refusal::NotOnePrompt { .. } => (StatusCode::BAD_REQUEST, "8523"),
            Refusal::ClientContextTooLong { .. }
            | Refusal::BadSeconds { .. }
            | Refusal::NoPrompts
            | Refusal::TooManyPrompts { .. }
            | Refusal::BadPromptUri { .. }
            | Refusal::BadPromptLoop { .. }
            | Refusal::NoTones
            | Refusal::TooManyTones { .. }
            | Refusal::BadToneDelay { .. }
            | Refusal::BadCallback => (StatusCode::BAD_REQUEST, "invalidRequest"),
            Refusal::QueueFull => (StatusCode::TOO_MANY_REQUESTS, "activityLimitReached"),
            Refusal::ConversationFull => (StatusCode::CONFLICT, "activityLimitReached"),
        };
        let refused = Self::new(status, code, refusal.to_string());
        match refusal {
            Refusal::QueueFull => refused.retry(1),
            // Only media is refused so.
            Refusal::NotEstablished => Self { finding: Some(Rule::PlayedBeforeAudio), ..refused },
            _ => refused,
        }
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        let unavailable = |seconds| {
            Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "serviceNotAvailable",
                format!("Nothing was done: {error}. Try again."),
            )
            .retry(seconds)
        };
        match &error {
            EngineError::Refused(refusal) => (*refusal).into(),
            EngineError::Busy(_) | EngineError::Stopping => unavailable(1),
            EngineError::StorageFull => unavailable(30),
            EngineError::TooManyCalls(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "activityLimitReached", format!("Nothing was done: {error}."))
                    .retry(5)
            }
            EngineError::MeetingTaken | EngineError::NobodyThere => {
                Self::new(StatusCode::CONFLICT, "notAllowed", format!("Nothing was done: {error}."))
            }
            EngineError::Ledger(why) => {
                tracing::error!(%why, "the ledger failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "generalException",
                    "The server could not record the request.",
                )
            }
        }
    }
}

impl From<PageError> for Refused {
    fn from(error: PageError) -> Self {
        let (status, code) = match error {
            PageError::NotSignedIn => (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken"),
            PageError::NobodyThere | PageError::NoLeg => (StatusCode::NOT_FOUND, "itemNotFound"),
            PageError::Taken => (StatusCode::CONFLICT, "notAllowed"),
            PageError::Offer(OfferError::Malformed | OfferError::NothingInCommon) => {
                (StatusCode::BAD_REQUEST, "invalidRequest")
            }
            PageError::TooManySessions | PageError::TooManyLegs | PageError::Offer(OfferError::Full) => {
                (StatusCode::TOO_MANY_REQUESTS, "activityLimitReached")
            }
            PageError::Offer(OfferError::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable"),
        };
        let refused = Self::new(status, code, error.to_string());
        let again = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if again { refused.retry(5) } else { refused }
    }
}

impl From<RouteError> for Refused {
    fn from(error: RouteError) -> Self {
        let message = error.to_string();
        match error {
            RouteError::UnknownSegment(_) | RouteError::BadFilter(_) => {
                Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
            }
            RouteError::MissingId(_) | RouteError::BadOption(_) | RouteError::UnservedOption(_) => {
                Self::new(StatusCode::BAD_REQUEST, "invalidRequest", message)
            }
            RouteError::MethodNotAllowed { allow } => {
                Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "notAllowed", message) }
            }
            RouteError::NotServed { .. } | RouteError::Elsewhere { .. } => {
                Self::new(StatusCode::NOT_IMPLEMENTED, "notSupported", message)
            }
        }
    }
}

impl From<BodyError> for Refused {
    fn from(error: BodyError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalidRequest", error.to_string())
    }
}

impl From<NotKept> for Refused {
    fn from(error: NotKept) -> Self {
        match &error {
            NotKept::TooLong(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalidRequest", format!("Nothing was done: {error}."))
            }
            NotKept::Ledger(why) => {
                tracing::warn!(%why, "a chat message was not kept");
                let message = "Nothing was done: the message could not be recorded. Try again.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", message).retry(1)
            }
        }
    }
}

impl From<TokenError> for Refused {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::UnknownApp => Self::not_registered(),
            TokenError::OtherTenant => Self::new(StatusCode::FORBIDDEN, "7505", error.to_string()),
            TokenError::Missing
            | TokenError::Malformed
            | TokenError::Expired
            | TokenError::WrongAudience
            | TokenError::BadSignature => {
                Self::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", error.to_string())
            }
        }
    }
}

impl From<NotTaken> for Refused {
    fn from(error: NotTaken) -> Self {
        let message = format!("Nothing was done: {error}.");
        match error {
            NotTaken::Strict => Self::new(StatusCode::CONFLICT, "notAllowed", message),
            NotTaken::TenantConfigured => Self::new(StatusCode::CONFLICT, "notAllowed", message),
            NotTaken::BadId | NotTaken::Wish(_) => Self::new(StatusCode::BAD_REQUEST, "invalidRequest", message),
            NotTaken::TooMany => Self::new(StatusCode::CONFLICT, "activityLimitReached", message),
            NotTaken::Unknown => Self::new(StatusCode::NOT_FOUND, "itemNotFound", message),
            NotTaken::NotKept(_) => Self::unavailable(message),
        }
    }
}

#[cfg(test)]
mod tests;
