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
/// Writes that wait for the writer; more is answered `Busy`. Half a second of work, some megabytes.
pub const QUEUE: usize = 8_192;
/// Writes in one commit: bounds how long the first of them waits for the last.
pub const BATCH: usize = 1_024;
/// A batch of this many commands means that more are on their way: the writer then waits [`GATHER`]
/// before it takes the next. Fewer clients than this never wait.
pub const GATHER_FROM: usize = 16;
/// How long. Commits of fewer, larger batches leave the processor to those who wait for it
/// (docs/PERFORMANCE.md has the figures).
pub const GATHER: Duration = Duration::from_millis(1);
/// Reads that wait for a reader; more is answered `Busy`.
pub const READ_QUEUE: usize = 1_024;
/// Reading connections: reads are rare beside appends, and this many keep one long fold from
/// holding up the others.
pub const READERS: usize = 2;
/// Conversations whose last version the writer remembers, 64 bytes each; others cost one look-up.
pub const HEADS: usize = 65_536;
/// Pages of 4 KiB in the write-ahead log after which it is copied into the database (and then
/// recycled): longer saves copying a page that changes again, and makes the pause longer.
pub const WAL_PAGES: u32 = 4_096;
/// How long a read or the writer waits for a lock of someone who opened the file with a tool.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Room kept for a full disk: what ends some 5,000 calls, at 6 KiB in log and database each.
pub const RESERVE_BYTES: u64 = 32 * 1024 * 1024;
/// How often a store with a full disk looks for new room, and tries again what it could not write.
pub const ROOM_PROBE: Duration = Duration::from_secs(1);
