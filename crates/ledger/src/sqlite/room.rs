//! Room on the disk: a reserve that is given up when the disk is full, so that what was begun can
//! still be ended, and made again when there is room.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use rusqlite::Connection;

use crate::limits::ROOM_PROBE;

/// See the file's head.
pub(super) struct Room {
    reserve: PathBuf,
    bytes: u64,
    /// The database file's own bound, the reserve included.
    max_bytes: Option<u64>,
    /// The reserve is given up; when room was last looked for.
    tight: Option<Instant>,
}

impl Room {
    /// Makes the reserve, if it is not there.
    pub(super) fn new(reserve: PathBuf, bytes: u64, max_bytes: Option<u64>, database: &Connection) -> Self {
        let mut room = Self { reserve, bytes, max_bytes, tight: None };
        if let Err(error) = room.restore(database) {
            tracing::warn!(%error, "no room on the disk for the ledger's reserve: new actions are refused");
            room.tight = Some(Instant::now());
        }
        room
    }

    /// Only what ends things may be written.
    pub(super) fn is_tight(&self) -> bool {
        self.tight.is_some()
    }

    /// The disk is full: gives the reserve up. Answers whether there was one to give.
    pub(super) fn give_up(&mut self, database: &Connection) -> bool {
        let had_reserve = self.tight.is_none();
        self.tight = Some(Instant::now());
        if had_reserve {
            tracing::error!("the disk is full: new actions are refused, what was begun can still end");
            if let Err(error) = fs::remove_file(&self.reserve) {
                tracing::error!(%error, "the ledger's reserve cannot be given up");
            }
            if let Err(error) = self.bound(database, 0) {
                tracing::error!(%error, "the ledger's bound cannot be lifted");
            }
        }
        had_reserve
    }

    /// Looks for new room, now and then.
    pub(super) fn look(&mut self, database: &Connection) {
        if self.tight.is_none_or(|looked| looked.elapsed() < ROOM_PROBE) {
            return;
        }
        self.tight = Some(Instant::now());
        match self.restore(database) {
            Ok(()) => {
                tracing::info!("the disk has room again");
                self.tight = None;
            }
            Err(error) => tracing::debug!(%error, "the disk is still full"),
        }
    }

    /// Makes the reserve again; an error if there is no room for it and as much again. Then it stays given up.
    fn restore(&self, database: &Connection) -> io::Result<()> {
        let restored = self.bound(database, self.bytes).and_then(|()| self.make());
        if restored.is_err() {
            self.bound(database, 0)?;
        }
        restored
    }

    /// Makes the reserve's file.
    fn make(&self) -> io::Result<()> {
        if fs::metadata(&self.reserve).is_ok_and(|found| found.len() == self.bytes) {
            return Ok(());
        }
        let folder = self.reserve.parent().unwrap_or(&self.reserve);
        let disk = rustix::fs::statvfs(folder)?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < self.bytes.saturating_mul(2) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let made = fill(&self.reserve, self.bytes);
        if made.is_err() {
            let _ = fs::remove_file(&self.reserve);
        }
        made
    }

    /// Bounds the database file, `kept` bytes below its own bound; an error if it is there already.
    fn bound(&self, database: &Connection, kept: u64) -> io::Result<()> {
        let Some(max_bytes) = self.max_bytes else { return Ok(()) };
        let number = |sql: &str| database.query_row(sql, (), |row| row.get::<_, u64>(0)).map_err(io::Error::other);
        let page_size = number("PRAGMA page_size")?;
        let pages = (max_bytes.saturating_sub(kept) / page_size).max(1);
        number(&format!("PRAGMA max_page_count = {pages}"))?;
        let used = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
        // A sixteenth is kept free so that the store does not become tight again at once.
        if kept > 0 && used > pages - pages / 16 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

/// Writes a file that a compressing file system cannot make small.
fn fill(path: &PathBuf, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = [0; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        for word in block.chunks_exact_mut(8) {
            // Marsaglia's xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let now = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        file.write_all(&block[..now])?;
        left -= now as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_for_room_in_vain_takes_none_from_what_ends() {
        let folder = tempfile::tempdir().unwrap();
        let database = Connection::open(folder.path().join("x.db")).unwrap();
        let most = || database.query_row("PRAGMA max_page_count", (), |row| row.get::<_, u64>(0)).unwrap();
        let mut room = Room::new(folder.path().join("reserve"), 256 * 1024, Some(1024 * 1024), &database);
        assert_eq!((most(), room.is_tight()), (192, false));
        database.execute_batch("CREATE TABLE x AS SELECT zeroblob(768 * 1024) AS y WHERE 0").unwrap();
        assert!(database.execute("INSERT INTO x VALUES (zeroblob(768 * 1024))", ()).is_err());
        assert!(room.give_up(&database));
        database.execute("INSERT INTO x VALUES (zeroblob(768 * 1024))", ()).unwrap();
        assert!(room.restore(&database).is_err());
        assert_eq!(most(), 256);
    }
}
