//! Engine time: wall time at process start plus monotonic time since. The only place that turns
//! clocks into [`Now`]. Only tokens read the wall clock itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ringback_core::Now;
use tokio::time::Instant;

/// The engine's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: i64,
    start: Instant,
}

impl Clock {
    /// A clock that starts at the wall's time now.
    pub fn start() -> Self {
        Self { wall: i64::try_from(since_epoch().as_micros()).unwrap_or(i64::MAX), start: Instant::now() }
    }

    /// Engine time.
    pub fn now(&self) -> Now {
        Now(self.wall).plus(self.start.elapsed())
    }

    /// When a moment of engine time is, for timers.
    pub fn instant(&self, at: Now) -> Instant {
        self.start + Now(self.wall).until(at)
    }
}

/// Seconds since the Unix epoch by the wall clock: for tokens only.
pub fn wall_seconds() -> u64 {
    since_epoch().as_secs()
}

/// How far another clock is from the wall clock.
pub fn apart(other: SystemTime) -> Duration {
    let now = SystemTime::now();
    now.duration_since(other).or_else(|_| other.duration_since(now)).unwrap_or_default()
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
