//! Each kind of write, as SQL.

use ringback_core::{ConversationId, Epoch, Now};
use rusqlite::OptionalExtension;

use super::command::Request;
use super::tables::{Head, IdText, Tables, signed};
use crate::contract::{AppendError, IndexRow, PutError, Undelivered, Version, WriteError};
use crate::limits::{PAGE, PURGE_RECORDS};

/// One more record, already printed.
pub(super) struct AppendText {
    pub(super) epoch: Epoch,
    pub(super) conversation: ConversationId,
    pub(super) expected: Version,
    pub(super) text: String,
    pub(super) index: Vec<IndexRow>,
    pub(super) ended: Option<Now>,
    pub(super) terminal: bool,
}

impl Request for AppendText {
    type Answer = Version;
    type Refusal = AppendError;
    const RECORDS: u64 = 1;

    fn may_use_reserve(&self) -> bool {
        self.terminal
    }

    fn apply(&self, tables: &mut Tables) -> rusqlite::Result<Result<Version, AppendError>> {
        let next = self.expected.next();
        let head = tables.head(self.conversation)?;
        let (owner, found) = head.map_or((Epoch(0), Version(0)), |head| (head.epoch, head.version));
        if self.epoch < owner {
            return Ok(Err(AppendError::WrongEpoch { owner }));
        }
        if self.expected != found {
            let repeated = head.is_some_and(|_| next <= found) && self.is_recorded(tables, head)?;
            return Ok(if repeated { Ok(next) } else { Err(AppendError::WrongVersion { found }) });
        }
        for row in &self.index {
            if tables.call_number(row.call)?.is_some() {
                return Ok(Err(AppendError::Io(format!("call {} is already in the index", row.call))));
            }
        }
        let number = match head {
            Some(head) => self.move_on(tables, head.number)?,
            None => self.begin(tables)?,
        };
        let mut record =
            tables.connection.prepare_cached("INSERT INTO record (conversation, version, text) VALUES (?1, ?2, ?3)")?;
        record.execute((number, signed(next.0), &self.text))?;
        drop(record);
        self.enter_calls(tables, number)?;
        tables.remember(self.conversation, Head { number, version: next, epoch: self.epoch });
        Ok(Ok(next))
    }
}

impl AppendText {
    fn is_recorded(&self, tables: &Tables, head: Option<Head>) -> rusqlite::Result<bool> {
        let mut same = tables
            .connection
            .prepare_cached("SELECT text = ?3 FROM record WHERE conversation = ?1 AND version = ?2")?;
        let number = head.map_or(0, |head| head.number);
        let same = same.query_row((number, signed(self.expected.next().0), &self.text), |row| row.get(0));
        Ok(same.optional()?.unwrap_or(false))
    }

    fn begin(&self, tables: &Tables) -> rusqlite::Result<i64> {
        let mut begin = tables
            .connection
            .prepare_cached("INSERT INTO conversation (id, version, epoch, ended) VALUES (?1, 1, ?2, ?3)")?;
        begin.execute((IdText::of(self.conversation.0), signed(self.epoch.0), self.ended.map(|at| at.0)))?;
        Ok(tables.connection.last_insert_rowid())
    }

    fn move_on(&self, tables: &Tables, number: i64) -> rusqlite::Result<i64> {
        let (version, epoch) = (signed(self.expected.next().0), signed(self.epoch.0));
        // Two statements: naming `ended` would touch its indexes' pages with every record.
        match self.ended {
            None => tables
                .connection
                .prepare_cached("UPDATE conversation SET version = ?2, epoch = ?3 WHERE number = ?1")?
                .execute((number, version, epoch))?,
            Some(at) => tables
                .connection
                .prepare_cached("UPDATE conversation SET version = ?2, epoch = ?3, ended = ?4 WHERE number = ?1")?
                .execute((number, version, epoch, at.0))?,
        };
        Ok(number)
    }

    fn enter_calls(&self, tables: &Tables, number: i64) -> rusqlite::Result<()> {
        for row in &self.index {
            let mut enter = tables
                .connection
                .prepare_cached("INSERT INTO call (id, conversation, app, tenant) VALUES (?1, ?2, ?3, ?4)")?;
            enter.execute((IdText::of(row.call.0), number, row.app.as_str(), row.tenant.as_str()))?;
        }
        Ok(())
    }
}

/// A notice was given up.
pub(super) struct GiveUp(pub(super) Undelivered);

impl Request for GiveUp {
    type Answer = ();
    type Refusal = WriteError;

    fn apply(&self, tables: &mut Tables) -> rusqlite::Result<Result<(), WriteError>> {
        let mark = &self.0;
        let mut note = tables.connection.prepare_cached(
            "INSERT OR IGNORE INTO undelivered (call, version, notice, text)
             SELECT number, ?2, ?3, ?4 FROM call WHERE id = ?1",
        )?;
        note.execute((IdText::of(mark.call.0), signed(mark.at.version.0), mark.at.index, &mark.text))?;
        Ok(Ok(()))
    }
}

/// A node's process starts.
pub(super) struct Join(pub(super) String);

impl Request for Join {
    type Answer = Epoch;
    type Refusal = WriteError;

    fn apply(&self, tables: &mut Tables) -> rusqlite::Result<Result<Epoch, WriteError>> {
        tables.connection.prepare_cached("INSERT INTO node (name) VALUES (?1)")?.execute([&self.0])?;
        Ok(Ok(Epoch(tables.connection.last_insert_rowid().unsigned_abs())))
    }
}

/// A document.
pub(super) struct Put {
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) expected: Version,
    pub(super) text: String,
}

impl Request for Put {
    type Answer = Version;
    type Refusal = PutError;

    fn may_use_reserve(&self) -> bool {
        false
    }

    fn apply(&self, tables: &mut Tables) -> rusqlite::Result<Result<Version, PutError>> {
        let next = self.expected.next();
        let mut find =
            tables.connection.prepare_cached("SELECT version, text = ?3 FROM document WHERE kind = ?1 AND id = ?2")?;
        let found = find
            .query_row((&self.kind, &self.id, &self.text), |row| Ok((Version(row.get(0)?), row.get::<_, bool>(1)?)))
            .optional()?;
        let (version, same) = found.unwrap_or((Version(0), false));
        if version == next && same {
            return Ok(Ok(next));
        }
        if version != self.expected {
            return Ok(Err(PutError::WrongVersion { found: version }));
        }
        let mut put = tables
            .connection
            .prepare_cached("INSERT OR REPLACE INTO document (kind, id, version, text) VALUES (?1, ?2, ?3, ?4)")?;
        put.execute((&self.kind, &self.id, signed(next.0), &self.text))?;
        Ok(Ok(next))
    }
}

/// A document goes.
pub(super) struct Remove {
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) expected: Version,
}

impl Request for Remove {
    type Answer = ();
    type Refusal = PutError;

    fn apply(&self, tables: &mut Tables) -> rusqlite::Result<Result<(), PutError>> {
        let mut find = tables.connection.prepare_cached("SELECT version FROM document WHERE kind = ?1 AND id = ?2")?;
        let found = find.query_row((&self.kind, &self.id), |row| Ok(Version(row.get(0)?))).optional()?;
        match found {
            None => Ok(Ok(())),
            Some(found) if found != self.expected => Ok(Err(PutError::WrongVersion { found })),
            Some(_) => {
                let mut remove =
                    tables.connection.prepare_cached("DELETE FROM document WHERE kind = ?1 AND id = ?2")?;
                remove.execute((&self.kind, &self.id))?;
                Ok(Ok(()))
            }
        }
    }
}

/// Old conversations go.
pub(super) struct Purge {
    pub(super) ended_before: Now,
    pub(super) at_most: usize,
}

impl Request for Purge {
    type Answer = u64;
    type Refusal = WriteError;

    fn apply(&self, tables: &mut Tables) -> rusqlite::Result<Result<u64, WriteError>> {
        let (mut purged, mut records) = (0, 0);
        for number in self.conversations(tables)? {
            if records >= PURGE_RECORDS {
                break;
            }
            let connection = &tables.connection;
            let delete = |sql: &str| connection.prepare_cached(sql)?.execute([number]);
            delete("DELETE FROM undelivered WHERE call IN (SELECT number FROM call WHERE conversation = ?1)")?;
            delete("DELETE FROM call WHERE conversation = ?1")?;
            records += delete("DELETE FROM record WHERE conversation = ?1")? as u64;
            delete("DELETE FROM conversation WHERE number = ?1")?;
            purged += 1;
        }
        tables.forget_heads();
        Ok(Ok(purged))
    }
}

impl Purge {
    /// Those that may go, by number.
    fn conversations(&self, tables: &Tables) -> rusqlite::Result<Vec<i64>> {
        let mut old = tables.connection.prepare_cached(
            "SELECT number FROM conversation WHERE ended < ?1
                 AND NOT EXISTS (SELECT 1 FROM call WHERE call.conversation = conversation.number AND lane_done = 0)
                 ORDER BY ended, id LIMIT ?2",
        )?;
        let at_most = signed(self.at_most.min(PAGE) as u64);
        old.query_map((self.ended_before.0, at_most), |row| row.get(0))?.collect()
    }
}

/// Nothing; its answer comes after all that was asked before it.
pub(super) struct Flush;

impl Request for Flush {
    type Answer = ();
    type Refusal = WriteError;

    fn apply(&self, _: &mut Tables) -> rusqlite::Result<Result<(), WriteError>> {
        Ok(Ok(()))
    }
}
