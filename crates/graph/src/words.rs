//! The enumerations of the contract (`contract §1.9`): printed in lower camel case, read without
//! regard to case. Members no one here sends or understands are left out; a reader that meets one
//! says so or falls back, as its caller asks.

use std::fmt;

use serde::{Serialize, Serializer};

/// An enumeration with a fixed word for each member.
pub(crate) trait Word: Copy + 'static {
    /// Every member, in the order of the contract.
    const ALL: &'static [Self];

    /// The member's word on the wire.
    fn word(self) -> &'static str;

    /// The member with this word in any case.
    fn find(text: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|w| w.word().eq_ignore_ascii_case(text));
        found.copied()
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($member:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`")] $member,)+
        }

        impl $name {
            /// Every member, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$member),+];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$member => $word,)+ }
            }

            /// The member with this word in any case, if there is one.
            pub fn parse(text: &str) -> Option<Self> {
                <Self as Word>::find(text)
            }
        }

        impl Word for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn word(self) -> &'static str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// Where a call is in its life (`contract §3.1`).
    CallState {
        Incoming = "incoming",
        Establishing = "establishing",
        Ringing = "ringing",
        Established = "established",
        Hold = "hold",
        Transferring = "transferring",
        TransferAccepted = "transferAccepted",
        Redirecting = "redirecting",
        Terminating = "terminating",
        Terminated = "terminated",
    }
}

words! {
    /// Which side placed the call.
    CallDirection { Incoming = "incoming", Outgoing = "outgoing" }
}

words! {
    /// Where an operation is in its life (facts S3, S4, S8).
    OperationStatus {
        NotStarted = "notStarted",
        Running = "running",
        Completed = "completed",
        Failed = "failed",
    }
}

words! {
    /// The type of an operation: its `@odata.type` without `#microsoft.graph.`.
    OperationKind {
        PlayPrompt = "playPromptOperation",
        Record = "recordOperation",
        SendDtmfTones = "sendDtmfTonesOperation",
        SubscribeToTone = "subscribeToToneOperation",
        CancelMediaProcessing = "cancelMediaProcessingOperation",
        Comms = "commsOperation",
    }
}

words! {
    /// Why a prompt (`playPromptCompletionReason`), tones (`sendDtmfCompletionReason`) or a recording
    /// (`recordCompletionReason`) ended.
    CompletionReason {
        Unknown = "unknown",
        CompletedSuccessfully = "completedSuccessfully",
        MediaOperationCanceled = "mediaOperationCanceled",
        OperationCanceled = "operationCanceled",
        StopToneDetected = "stopToneDetected",
        MaxRecordDurationReached = "maxRecordDurationReached",
        InitialSilenceTimeout = "initialSilenceTimeout",
        MaxSilenceTimeout = "maxSilenceTimeout",
        PlayPromptFailed = "playPromptFailed",
        PlayBeepFailed = "playBeepFailed",
        MediaReceiveTimeout = "mediaReceiveTimeout",
        UnspecifiedError = "unspecifiedError",
    }
}

words! {
    /// What happened to the resource of a notification.
    ChangeType { Created = "created", Updated = "updated", Deleted = "deleted" }
}

words! {
    /// Whether audio flows; a second axis beside [`CallState`].
    MediaState { Active = "active", Inactive = "inactive" }
}

words! {
    /// A kind of media.
    Modality {
        Unknown = "unknown",
        Audio = "audio",
        Video = "video",
        VideoBasedScreenSharing = "videoBasedScreenSharing",
        Data = "data",
    }
}

words! {
    /// Which way a participant's media stream flows.
    MediaDirection {
        Inactive = "inactive",
        SendOnly = "sendOnly",
        ReceiveOnly = "receiveOnly",
        SendReceive = "sendReceive",
    }
}

words! {
    /// Why an incoming call is refused.
    RejectReason { None = "none", Busy = "busy", Forbidden = "forbidden" }
}

words! {
    /// A key of the telephone. The order is that of the event numbers 0 to 16 of RFC 4733 §3.2, so
    /// `Tone::ALL[event]` is the tone of an event.
    Tone {
        Tone0 = "tone0",
        Tone1 = "tone1",
        Tone2 = "tone2",
        Tone3 = "tone3",
        Tone4 = "tone4",
        Tone5 = "tone5",
        Tone6 = "tone6",
        Tone7 = "tone7",
        Tone8 = "tone8",
        Tone9 = "tone9",
        Star = "star",
        Pound = "pound",
        A = "a",
        B = "b",
        C = "c",
        D = "d",
        Flash = "flash",
    }
}

/// The characters of the keys, in the order of [`Tone`]; a hook flash has none.
const KEYS: &str = "0123456789*#ABCD";

impl Tone {
    /// The tone of a key as recordResponse's `stopTones` writes it: its character (`contract §2.10`), or the word of the
    /// enumeration, in any case.
    pub fn of_key(text: &str) -> Option<Tone> {
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(key), None) => KEYS.find(key.to_ascii_uppercase()).map(|event| Tone::ALL[event]),
            _ => Tone::parse(text),
        }
    }

    /// The character of the key, or the word of what is none.
    pub fn key(self) -> &'static str {
        let event = Tone::ALL.iter().position(|tone| *tone == self).unwrap_or(KEYS.len());
        KEYS.get(event..=event).unwrap_or(self.as_str())
    }
}
