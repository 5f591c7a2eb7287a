//! What can go wrong for a bot's author. Knows no HTTP client, so that it can be matched on.

use std::time::Duration;

use ringback_graph::{BodyError, CommsOperation, ResultInfo};

/// Why a call into the SDK failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The platform answered with an error.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The token endpoint refused the app's credentials.
    #[error("no token for the app: {code} ({status}): {description}")]
    Token {
        /// HTTP status of the token endpoint.
        status: u16,
        /// OAuth error, such as `invalid_client`.
        code: String,
        /// The endpoint's own words.
        description: String,
    },
    /// No answer: name, connection, TLS or a broken connection.
    #[error("no answer from {host}: {reason}")]
    Transport {
        /// Host and port asked.
        host: String,
        /// The cause, innermost last.
        reason: String,
    },
    /// No complete answer within [`crate::limits::REQUEST_TIME`].
    #[error("no complete answer from {host} in time")]
    TimedOut {
        /// Host and port asked.
        host: String,
    },
    /// An answer that is not what the contract says.
    #[error("answer not understood: {0}")]
    Answer(String),
    /// A setting that cannot work.
    #[error("configuration: {0}")]
    Config(String),
    /// The call is over, so what was waited for will not happen.
    #[error("the call has ended{}", describe(.0))]
    CallEnded(Option<ResultInfo<'static>>),
    /// The operation ended `failed`: its `result_info` says why.
    #[error("operation {} failed{}", .0.id, describe(&.0.result_info))]
    OperationFailed(Box<CommsOperation<'static>>),
    /// No notification of this call has come within [`crate::limits::UNHEARD`], and what is waited for has not happened.
    #[error(
        "no notification of call {0} has come: is its callbackUri the address that notifications are listened for at, \
         and can the platform reach it?"
    )]
    NotNotified(String),
    /// Notifications are no longer received, and the operation or call goes on.
    #[error("notifications are no longer received, and what is waited for has not happened")]
    Closed,
}

impl Error {
    /// The Graph error's code, such as `8522`, if the platform answered with one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Error::Graph(error) => Some(&error.code),
            _ => None,
        }
    }

    /// Whether asking again may do.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Error::Transport { .. } | Error::TimedOut { .. } => true,
            Error::Graph(GraphError { status, .. }) | Error::Token { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Error {
        Error::Answer(error.to_string())
    }
}

/// An OData error as the platform sent it (contract §4.5, §6).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code} ({status}): {message}")]
pub struct GraphError {
    /// HTTP status.
    pub status: u16,
    /// Often a number as text, such as `8522`; `unknown` when the body held none.
    pub code: String,
    /// For people.
    pub message: String,
    /// The platform's id of the request, to find it in its traces.
    pub request_id: Option<String>,
    /// When the platform wants to be asked again.
    pub retry_after: Option<Duration>,
}

fn describe(result: &Option<ResultInfo<'static>>) -> String {
    match result {
        Some(info) => format!(": {} {} {}", info.code, info.subcode, info.message.as_deref().unwrap_or_default()),
        None => String::new(),
    }
}
