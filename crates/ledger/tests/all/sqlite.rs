//! What only a file can get wrong.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use ringback_core::Now;
use ringback_ledger::limits::{BATCH, QUEUE};
use ringback_ledger::{
    Append, AppendError, Ledger, OpenError, ReadError, SqliteConfig, SqliteLedger, Version, WriteError,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fixture::{append, at, begin, call, config, conversation, open, run};

/// The file, as anyone with a tool opens it.
fn tool(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("ringback.db")).unwrap()
}

/// SQLite does not list it among its compile options, so the build's own setting is looked at
/// (`.cargo/config.toml`; a release's build must set it too).
#[test]
fn sqlite_is_built_to_sync_without_the_inode() {
    let flags = option_env!("LIBSQLITE3_FLAGS").unwrap_or_default();
    assert!(flags.contains("-DHAVE_FDATASYNC=1"), "LIBSQLITE3_FLAGS: {flags:?}");
}

#[test]
fn anyone_can_read_the_file() {
    run(async {
        let folder = TempDir::new().unwrap();
        let ledger = open(&folder).unwrap();
        ledger.append(begin(conversation(7), call(8))).await.unwrap();
        let row: (String, u64, i64, String) = tool(&folder)
            .query_row(
                "SELECT conversation, version, text ->> '$.at', text ->> '$.events[0].event' FROM log",
                (),
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .unwrap();
        assert_eq!(row, (conversation(7).to_string(), 1, 1_000_001, "toneHeard".to_owned()));
        let mode = |name: &str| folder.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("ringback.db"), mode("ringback.db-wal")), (0o600, 0o600));
    });
}

#[test]
fn a_newer_file_is_refused_in_words() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder).unwrap());
    tool(&folder).pragma_update(None, "user_version", 99).unwrap();
    let refusal = open(&folder).unwrap_err();
    assert!(matches!(refusal, OpenError::Newer { found: 99, known: 1 }));
    assert!(refusal.to_string().contains("newer version"), "{refusal}");
    let version: i64 = tool(&folder).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99, "untouched");
}

#[test]
fn someone_elses_file_is_refused() {
    let folder = TempDir::new().unwrap();
    tool(&folder).execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(open(&folder), Err(OpenError::Foreign)));
    std::fs::write(folder.path().join("ringback.db"), "not a database at all, but long enough to be seen").unwrap();
    assert!(matches!(open(&folder), Err(OpenError::Database(_))));
}

#[test]
fn a_second_process_is_kept_out() {
    run(async {
        let folder = TempDir::new().unwrap();
        let ledger = open(&folder).unwrap();
        assert!(matches!(open(&folder), Err(OpenError::InUse(_))));
        ledger.close().await.unwrap();
        open(&folder).expect("closed is closed, while the handle is still there");
    });
}

#[test]
fn an_unreadable_record_concerns_its_conversation_only() {
    run(async {
        let folder = TempDir::new().unwrap();
        let ledger = open(&folder).unwrap();
        for number in 1..=2 {
            ledger.append(begin(conversation(number), call(number))).await.unwrap();
            ledger.append(append(conversation(number), 2)).await.unwrap();
        }
        tool(&folder)
            .execute("UPDATE record SET text = '{\"v\":1,\"at\":1,\"events\":[{\"event\":\"x\"}]}' WHERE place = 2", ())
            .unwrap();
        tool(&folder).execute("UPDATE record SET text = CAST(x'ff' AS TEXT) WHERE place = 4", ()).unwrap();
        for number in 1..=2 {
            match ledger.read(conversation(number), Version(0), 9).await {
                Err(ReadError::Unreadable { conversation: named, version: Version(2), .. }) => {
                    assert_eq!(named, conversation(number));
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(ledger.read(conversation(number), Version(0), 1).await.unwrap().len(), 1);
            // It can still be ended.
            let ends = Append { ended: Some(Now(1)), ..append(conversation(number), 3) };
            assert_eq!(ledger.append(ends).await, Ok(Version(3)));
        }
    });
}

#[test]
fn a_mark_alone_is_soon_durable() {
    run(async {
        let folder = TempDir::new().unwrap();
        let ledger = open(&folder).unwrap();
        ledger.append(begin(conversation(1), call(1))).await.unwrap();
        ledger.cursor_put(call(1), at(1, 3));
        let begun = Instant::now();
        while ledger.cursor_get(call(1)).await.unwrap() != Some(at(1, 3)) {
            assert!(begun.elapsed() < Duration::from_secs(30), "nothing else is written, and it never comes");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(ledger.stats().marks, 1);
    });
}

#[test]
fn more_than_the_queue_holds_is_busy_and_nothing_waits_for_ever() {
    run(async {
        let folder = TempDir::new().unwrap();
        let ledger = open(&folder).unwrap();
        ledger.append(append(conversation(1), 1)).await.unwrap();
        // Somebody holds the file with a tool: the writer cannot begin.
        let tool = tool(&folder);
        tool.execute_batch("BEGIN IMMEDIATE").unwrap();
        let answers: Vec<_> = (0..QUEUE + BATCH + 1).map(|_| ledger.flush()).collect();
        let busy = ledger.append(append(conversation(1), 2)).await;
        assert_eq!(busy, Err(AppendError::Busy));
        tool.execute_batch("ROLLBACK").unwrap();
        let (mut done, mut busy) = (0, 0);
        for answer in answers {
            match answer.await {
                Ok(()) => done += 1,
                Err(WriteError::Busy) => busy += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(done >= QUEUE && busy >= 1, "{done} {busy}");
        assert_eq!(ledger.append(append(conversation(1), 2)).await, Ok(Version(2)));
    });
}

#[test]
fn a_full_file_refuses_beginnings_and_takes_ends() {
    /// As an append, but of a page's size, so that the file is soon full.
    fn large(sequence: u64) -> Append {
        let mut large = append(conversation(1), sequence);
        large.record.events = vec![large.record.events.remove(0); 50];
        large
    }
    run(async {
        let folder = TempDir::new().unwrap();
        let config = SqliteConfig { max_bytes: Some(1024 * 1024), ..config(&folder) };
        let ledger = SqliteLedger::open(&config).unwrap();
        let reserve = folder.path().join("ringback.reserve");
        assert!(reserve.exists());
        let mut version = 0;
        let refusal = loop {
            match ledger.append(large(version + 1)).await {
                Ok(_) => version += 1,
                Err(refusal) => break refusal,
            }
        };
        assert_eq!(refusal, AppendError::Full);
        assert!(!reserve.exists(), "given up");
        assert_eq!(ledger.append(append(conversation(2), 1)).await, Err(AppendError::Full));
        let put = ledger.document_put_if_version("kind", "id", Version(0), String::new()).await;
        assert_eq!(put, Err(WriteError::Full.into()));
        assert_eq!(ledger.read(conversation(1), Version(version - 1), 9).await.unwrap().len(), 1);
        for _ in 0..200 {
            let ends = Append { terminal: true, ended: Some(Now(1)), ..append(conversation(1), version + 1) };
            version += 1;
            assert_eq!(ledger.append(ends).await, Ok(Version(version)));
        }
        // Old calls go, and new ones are taken again.
        assert_eq!(ledger.purge(Now(2), 9).await, Ok(1));
        let begun = Instant::now();
        while ledger.append(append(conversation(2), 1)).await != Ok(Version(1)) {
            assert!(begun.elapsed() < Duration::from_secs(30), "there is room, and it is not seen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(reserve.exists());
        assert!(ledger.stats().full >= 3);
    });
}

#[test]
fn a_command_that_fails_fails_alone() {
    run(async {
        let folder = TempDir::new().unwrap();
        let ledger = open(&folder).unwrap();
        ledger.append(append(conversation(1), 1)).await.unwrap();
        let tool = tool(&folder);
        // What no check foresees: the database itself refuses one record.
        tool.execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON record WHEN new.text LIKE '%1000013%'
             BEGIN SELECT RAISE(ABORT, 'unlucky'); END",
        )
        .unwrap();
        tool.execute_batch("BEGIN IMMEDIATE").unwrap();
        // All in one batch, or at most two: the writer waits for the tool.
        let answers: Vec<_> = (10..20)
            .map(|sequence| {
                let unlucky = Append { expected: Version(0), ..append(conversation(u128::from(sequence)), sequence) };
                (sequence, ledger.append(unlucky))
            })
            .collect();
        ledger.cursor_put(call(1), at(1, 1));
        tool.execute_batch("ROLLBACK").unwrap();
        for (sequence, answer) in answers {
            match answer.await {
                Ok(version) => assert!(sequence != 13 && version == Version(1)),
                Err(AppendError::Io(why)) => assert!(sequence == 13 && why.contains("unlucky"), "{sequence} {why}"),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(ledger.read(conversation(13), Version(0), 9).await, Ok(vec![]));
        assert_eq!(ledger.open_conversations(None, 99).await.unwrap().len(), 10);
    });
}
