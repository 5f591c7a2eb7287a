//! Every bound of this room, with its reason.

use std::time::Duration;

/// Most rows in one answer; a caller asks again for the next page. A page of typical records is
/// half a megabyte.
pub const PAGE: usize = 1_000;
/// How long a lane's mark waits for a commit to ride on; 20 ms of notices at most are told twice
/// after a crash of an idle store.
pub const MARK_DELAY: Duration = Duration::from_millis(20);
/// Records after which one purge stops: it shares the writer with the calls, and this many take a
/// few tens of milliseconds.
pub const PURGE_RECORDS: u64 = 2_000;
