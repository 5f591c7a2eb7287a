//! The file's layout, and its way forward: version by version, never back.
//!
//! Ids are text so that anyone can read the file with an SQLite tool; inside the file,
//! conversations and calls refer to each other by small numbers, so that text costs only where a
//! conversation or call begins, and one look-up for each lane mark. `SELECT * FROM log` shows the records.

use rusqlite::{Connection, TransactionBehavior};

use super::OpenError;

/// In the file's header: "Rbck".
const APPLICATION_ID: i32 = 0x5262_636b;

/// What leads from each version to the next; the first makes an empty file version 1.
const STEPS: &[&str] = &[V1];

const V1: &str = "
    CREATE TABLE conversation (
        number  INTEGER PRIMARY KEY,
        id      TEXT NOT NULL UNIQUE,
        version INTEGER NOT NULL,
        epoch   INTEGER NOT NULL,
        ended   INTEGER
    ) STRICT;
    CREATE INDEX conversation_open ON conversation (id) WHERE ended IS NULL;
    CREATE INDEX conversation_ended ON conversation (ended) WHERE ended IS NOT NULL;

    CREATE TABLE record (
        place        INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL,
        version      INTEGER NOT NULL,
        text         TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX record_version ON record (conversation, version);

    CREATE TABLE call (
        number       INTEGER PRIMARY KEY,
        id           TEXT NOT NULL UNIQUE,
        conversation INTEGER NOT NULL,
        app          TEXT NOT NULL,
        tenant       TEXT NOT NULL,
        told_version INTEGER,
        told_index   INTEGER,
        lane_done    INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX call_of ON call (tenant, app, number);
    CREATE INDEX call_in ON call (conversation);
    CREATE INDEX call_unfinished ON call (number) WHERE lane_done = 0;

    CREATE TABLE undelivered (
        call     INTEGER NOT NULL,
        version  INTEGER NOT NULL,
        notice   INTEGER NOT NULL,
        text     TEXT NOT NULL,
        PRIMARY KEY (call, version, notice)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE document (
        kind    TEXT NOT NULL,
        id      TEXT NOT NULL,
        version INTEGER NOT NULL,
        text    TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    ) STRICT;

    CREATE TABLE node (
        epoch INTEGER PRIMARY KEY AUTOINCREMENT,
        name  TEXT NOT NULL
    ) STRICT;

    CREATE VIEW log AS
        SELECT place, id AS conversation, record.version, text
        FROM record JOIN conversation ON conversation.number = record.conversation
        ORDER BY place;
";

/// Brings the file to this build's version, or says why it cannot.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), OpenError> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(OpenError::Foreign);
    }
    let known = STEPS.len();
    let Some(steps) = usize::try_from(found).ok().and_then(|found| STEPS.get(found..)) else {
        return Err(OpenError::Newer { found, known });
    };
    for (step, version) in steps.iter().zip(found + 1..) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
