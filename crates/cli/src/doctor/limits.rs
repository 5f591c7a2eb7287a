//! Every bound of `doctor`, with its reason.

use std::time::Duration;

/// How long a single look may take: an answer on one machine or one network takes milliseconds.
pub(super) const LOOK: Duration = Duration::from_secs(3);
/// A file of authorities larger than this is something else.
pub(super) const BUNDLE_BYTES: u64 = 16 << 20;
