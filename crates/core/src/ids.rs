//! The names of things: opaque GUIDs (made elsewhere, v7) and the text ids of apps and tenants.
//!
//! Ids compare without case because they are kept in one form: lower-case, dashed.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

guid!(
    /// A conversation: everything that shares one mixer. Graph's `callChainId`.
    ConversationId
);
guid!(
    /// A call: one bot's view of a conversation.
    CallId
);
guid!(
    /// A `commsOperation` (`S6`).
    OperationId
);
guid!(
    /// A leg: one signalling and media connection to a phone.
    LegId
);
guid!(
    /// A party's id in the roster. Graph's `participant.id`.
    ParticipantId
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// The id in its one form: lower case.
            pub fn new(text: &str) -> Self {
                Self(text.to_lowercase())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// An app registration's client id: who a bot is.
    AppId
);
text_id!(
    /// A tenant's id.
    TenantId
);

/// A process start of a node. A restart is a new epoch: a fail-over to oneself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Epoch(pub u64);
