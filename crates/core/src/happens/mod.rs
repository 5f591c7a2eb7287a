//! One file per happening: what the world did, and what that makes true. A happening that no longer
//! matters (its call is over, its operation ended) makes nothing true.

pub(crate) mod adopted;
pub(crate) mod ask_redirected;
pub(crate) mod call_offered;
pub(crate) mod deadline;
pub(crate) mod leg_answered;
pub(crate) mod leg_ended;
pub(crate) mod leg_held;
pub(crate) mod phone_joins;
pub(crate) mod play_finished;
pub(crate) mod record_finished;
pub(crate) mod tone_heard;
