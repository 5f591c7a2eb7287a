//! What a failure of SQLite means for the store.

use rusqlite::{Error, ffi};

use crate::contract::WriteError;

/// See the file's head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The disk, or the file's own bound, is full.
    Full,
    /// The system could not make written bytes durable, and may have dropped them: what this
    /// process believes to be on disk may not be. Only a new process that reads the file again knows.
    NotDurable,
    /// Anything else.
    Other(String),
}

impl Fault {
    pub(super) fn of(error: &Error) -> Self {
        match error.sqlite_error().map(|error| error.extended_code) {
            Some(ffi::SQLITE_FULL | ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
            Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Self::NotDurable,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<Fault> for WriteError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            Fault::NotDurable => Self::Io("a sync to the disk failed".to_owned()),
            Fault::Other(why) => Self::Io(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: i32) -> Fault {
        Fault::of(&Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn failures_are_told_apart() {
        assert_eq!(fault(ffi::SQLITE_FULL), Fault::Full);
        assert_eq!(fault(ffi::SQLITE_IOERR_SHMSIZE), Fault::Full);
        assert_eq!(fault(ffi::SQLITE_IOERR_FSYNC), Fault::NotDurable);
        assert_eq!(fault(ffi::SQLITE_IOERR_DIR_FSYNC), Fault::NotDurable);
        assert!(matches!(fault(ffi::SQLITE_IOERR_WRITE), Fault::Other(_)));
        assert!(matches!(fault(ffi::SQLITE_CORRUPT), Fault::Other(_)));
    }
}
