//! A meeting as its bot named it: Graph's `chatInfo` and `meetingInfo` (`contract §1.6`). Which names lead to one meeting
//! is not decided here.

use alloc::string::String;
use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// A meeting that a bot joins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meeting {
    /// `chatInfo.threadId`: what tells it from others of its tenant.
    pub thread: String,
    /// `chatInfo.messageId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `chatInfo.replyChainMessageId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_chain: Option<String>,
    /// `meetingInfo`; none where the bot named the thread alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<MeetingInfo>,
}

/// Graph's `meetingInfo`, by its derived types.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MeetingInfo {
    /// `organizerMeetingInfo`.
    Organizer(Identity),
    /// `tokenMeetingInfo`.
    Token(String),
    /// `joinMeetingIdMeetingInfo`.
    #[serde(rename_all = "camelCase")]
    JoinMeetingId {
        /// As the bot wrote it.
        id: String,
        /// None where the meeting has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        passcode: Option<String>,
    },
}
