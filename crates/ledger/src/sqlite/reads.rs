//! Each kind of read, as SQL. A page is bounded by `LIMIT`, never by the reader's patience.

use std::str::FromStr;

use ringback_core::{AppId, CallId, ConversationId, Epoch, Now, Record, TenantId};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};

use super::tables::{IdText, signed};
use crate::contract::{CallRow, Cursor, Document, OpenConversation, ReadError, Undelivered, UnfinishedLane, Version};
use crate::form;
use crate::limits::PAGE;

type Read<T> = Result<T, ReadError>;

/// A page's `LIMIT`.
fn limit(at_most: usize) -> i64 {
    signed(at_most.min(PAGE) as u64)
}

/// An id from a column.
fn id<T: FromStr<Err = uuid::Error>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

pub(super) fn records(
    database: &Connection,
    conversation: ConversationId,
    after: Version,
    at_most: usize,
) -> Read<Vec<(Version, Record)>> {
    let mut page = database.prepare_cached(
        "SELECT version, text FROM record
         WHERE conversation = (SELECT number FROM conversation WHERE id = ?1) AND version > ?2
         ORDER BY version LIMIT ?3",
    )?;
    let mut rows = page.query((IdText::of(conversation.0), signed(after.0), limit(at_most)))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let version = Version(row.get(0)?);
        let text = row.get_ref(1)?.as_str().map_err(|error| ReadError::Unreadable {
            conversation,
            version,
            why: error.to_string(),
        })?;
        records.push((version, form::parse(conversation, version, text)?));
    }
    Ok(records)
}

fn call_row(row: &Row<'_>) -> rusqlite::Result<CallRow> {
    Ok(CallRow {
        call: id(row, 0)?,
        conversation: id(row, 1)?,
        app: AppId::new(row.get_ref(2)?.as_str()?),
        tenant: TenantId::new(row.get_ref(3)?.as_str()?),
        ended: row.get::<_, Option<i64>>(4)?.map(Now),
    })
}

pub(super) fn call(database: &Connection, call: CallId) -> Read<Option<CallRow>> {
    let mut find = database.prepare_cached(
        "SELECT call.id, conversation.id, app, tenant, ended
         FROM call JOIN conversation ON conversation.number = call.conversation WHERE call.id = ?1",
    )?;
    Ok(find.query_row([IdText::of(call.0)], call_row).optional()?)
}

pub(super) fn calls_of(
    database: &Connection,
    app: &AppId,
    tenant: &TenantId,
    before: Option<CallId>,
    at_most: usize,
) -> Read<Vec<CallRow>> {
    let before = match before {
        None => Some(i64::MAX),
        Some(call) => call_number(database, call)?,
    };
    let Some(before) = before else { return Ok(Vec::new()) };
    let mut page = database.prepare_cached(
        "SELECT call.id, conversation.id, app, tenant, ended
         FROM call JOIN conversation ON conversation.number = call.conversation
         WHERE tenant = ?1 AND app = ?2 AND call.number < ?3 ORDER BY call.number DESC LIMIT ?4",
    )?;
    let rows = page.query_map((tenant.as_str(), app.as_str(), before, limit(at_most)), call_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn call_number(database: &Connection, call: CallId) -> Read<Option<i64>> {
    let mut find = database.prepare_cached("SELECT number FROM call WHERE id = ?1")?;
    Ok(find.query_row([IdText::of(call.0)], |row| row.get(0)).optional()?)
}

pub(super) fn open_conversations(
    database: &Connection,
    after: Option<ConversationId>,
    at_most: usize,
) -> Read<Vec<OpenConversation>> {
    let mut page = database.prepare_cached(
        "SELECT id, version, epoch FROM conversation WHERE ended IS NULL AND id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let after = after.map(|after| after.to_string()).unwrap_or_default();
    let rows = page.query_map((after, limit(at_most)), |row| {
        Ok(OpenConversation { conversation: id(row, 0)?, version: Version(row.get(1)?), epoch: Epoch(row.get(2)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A lane's cursor from two columns.
fn cursor(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Cursor>> {
    let version: Option<u64> = row.get(column)?;
    let index: Option<u32> = row.get(column + 1)?;
    Ok(version.zip(index).map(|(version, index)| Cursor { version: Version(version), index }))
}

pub(super) fn cursor_of(database: &Connection, call: CallId) -> Read<Option<Cursor>> {
    let mut find = database.prepare_cached("SELECT told_version, told_index FROM call WHERE id = ?1")?;
    Ok(find.query_row([IdText::of(call.0)], |row| cursor(row, 0)).optional()?.flatten())
}

pub(super) fn unfinished_lanes(
    database: &Connection,
    after: Option<CallId>,
    at_most: usize,
) -> Read<Vec<UnfinishedLane>> {
    let after = match after {
        None => Some(0),
        Some(call) => call_number(database, call)?,
    };
    let Some(after) = after else { return Ok(Vec::new()) };
    let mut page = database.prepare_cached(
        "SELECT call.id, conversation.id, told_version, told_index
         FROM call JOIN conversation ON conversation.number = call.conversation
         WHERE lane_done = 0 AND call.number > ?1 AND ended IS NOT NULL ORDER BY call.number LIMIT ?2",
    )?;
    let rows = page.query_map((after, limit(at_most)), |row| {
        Ok(UnfinishedLane { call: id(row, 0)?, conversation: id(row, 1)?, cursor: cursor(row, 2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn undelivered(
    database: &Connection,
    call: CallId,
    after: Option<Cursor>,
    at_most: usize,
) -> Read<Vec<Undelivered>> {
    let mut page = database.prepare_cached(
        "SELECT version, notice, text FROM undelivered
         WHERE call = (SELECT number FROM call WHERE id = ?1) AND (version, notice) > (?2, ?3)
         ORDER BY version, notice LIMIT ?4",
    )?;
    let (version, notice) = after.map_or((-1, -1), |after| (signed(after.version.0), i64::from(after.index)));
    let rows = page.query_map((IdText::of(call.0), version, notice, limit(at_most)), |row| {
        let at = Cursor { version: Version(row.get(0)?), index: row.get(1)? };
        Ok(Undelivered { call, at, text: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn document_row(row: &Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document { id: row.get(0)?, version: Version(row.get(1)?), text: row.get(2)? })
}

pub(super) fn document(database: &Connection, kind: &str, id: &str) -> Read<Option<Document>> {
    let mut find = database.prepare_cached("SELECT id, version, text FROM document WHERE kind = ?1 AND id = ?2")?;
    Ok(find.query_row((kind, id), document_row).optional()?)
}

pub(super) fn documents(database: &Connection, kind: &str, after: Option<&str>, at_most: usize) -> Read<Vec<Document>> {
    let mut page = database.prepare_cached(
        "SELECT id, version, text FROM document
         WHERE kind = ?1 AND (?2 IS NULL OR id > ?2) ORDER BY id LIMIT ?3",
    )?;
    let rows = page.query_map((kind, after, limit(at_most)), document_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
