//! Engine time: an argument, never read here.

use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A moment of engine time: microseconds since the Unix epoch, UTC. It never runs backwards within
/// a conversation; whoever owns the clock sees to that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Now(pub i64);

impl Now {
    /// This moment plus `by`, saturating.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long from `self` to `later`; zero if it has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0).max(0).unsigned_abs())
    }
}
