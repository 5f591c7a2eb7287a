//! The writer's own connection: transactions, and what it remembers of the tables.

use std::collections::HashMap;
use std::fmt;

use ringback_core::{CallId, ConversationId, Epoch};
use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::queue::Marks;
use crate::contract::Version;
use crate::limits::HEADS;

/// A conversation as the last write left it.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Its number in the file.
    pub(super) number: i64,
    pub(super) version: Version,
    pub(super) epoch: Epoch,
}

/// See the file's head.
pub(super) struct Tables {
    pub(super) connection: Connection,
    /// Kept true within and across transactions; forgotten when one fails.
    heads: HashMap<ConversationId, Head>,
}

/// An id's text without an allocation.
pub(super) struct IdText([u8; 36]);

impl IdText {
    pub(super) fn of(id: Uuid) -> Self {
        let mut text = [0; 36];
        id.as_hyphenated().encode_lower(&mut text);
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl rusqlite::ToSql for IdText {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

/// SQLite's integers are signed; counts never come near the difference.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Tables {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, heads: HashMap::new() }
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute(()).map(drop)
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute(()).map(drop)
    }

    /// Takes a failed transaction back, as far as SQLite has not done so itself.
    pub(super) fn roll_back(&mut self) -> rusqlite::Result<()> {
        self.heads.clear();
        if self.connection.is_autocommit() { Ok(()) } else { self.connection.execute_batch("ROLLBACK") }
    }

    /// Lets `change` fail alone. The outer error is that of the whole transaction.
    pub(super) fn alone(
        &mut self,
        change: impl FnOnce(&mut Self) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<rusqlite::Result<()>> {
        self.connection.prepare_cached("SAVEPOINT command")?.execute(())?;
        let outcome = change(self);
        if outcome.is_err() {
            self.heads.clear();
            self.connection.prepare_cached("ROLLBACK TO command")?.execute(())?;
        }
        self.connection.prepare_cached("RELEASE command")?.execute(())?;
        Ok(outcome)
    }

    /// A conversation's head, none if it does not exist.
    pub(super) fn head(&mut self, conversation: ConversationId) -> rusqlite::Result<Option<Head>> {
        if let Some(head) = self.heads.get(&conversation) {
            return Ok(Some(*head));
        }
        let mut statement =
            self.connection.prepare_cached("SELECT number, version, epoch FROM conversation WHERE id = ?1")?;
        let found = statement
            .query_row([IdText::of(conversation.0)], |row| {
                Ok(Head { number: row.get(0)?, version: Version(row.get(1)?), epoch: Epoch(row.get(2)?) })
            })
            .optional()?;
        drop(statement);
        if let Some(head) = found {
            self.remember(conversation, head);
        }
        Ok(found)
    }

    pub(super) fn remember(&mut self, conversation: ConversationId, head: Head) {
        if self.heads.len() >= HEADS {
            self.heads.clear();
        }
        self.heads.insert(conversation, head);
    }

    pub(super) fn forget_heads(&mut self) {
        self.heads.clear();
    }

    /// A call's number in the file.
    pub(super) fn call_number(&self, call: CallId) -> rusqlite::Result<Option<i64>> {
        let mut statement = self.connection.prepare_cached("SELECT number FROM call WHERE id = ?1")?;
        statement.query_row([IdText::of(call.0)], |row| row.get(0)).optional()
    }

    /// Writes how far lanes came; never back.
    pub(super) fn mark(&mut self, marks: &Marks) -> rusqlite::Result<()> {
        let mut told = self.connection.prepare_cached(
            "UPDATE call SET told_version = ?2, told_index = ?3
             WHERE id = ?1 AND (told_version IS NULL OR (told_version, told_index) < (?2, ?3))",
        )?;
        let mut done =
            self.connection.prepare_cached("UPDATE call SET lane_done = 1 WHERE id = ?1 AND lane_done = 0")?;
        for (call, mark) in marks {
            let call = IdText::of(call.0);
            if let Some(cursor) = mark.cursor {
                told.execute((call.as_str(), signed(cursor.version.0), cursor.index))?;
            }
            if mark.done {
                done.execute([call.as_str()])?;
            }
        }
        Ok(())
    }
}
