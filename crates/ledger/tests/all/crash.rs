//! `kill -9` in mid-load: everything that was acknowledged is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use ringback_ledger::{AppendError, Ledger, SqliteLedger, Version};
use tempfile::TempDir;

use crate::fixture::{append, at, begin, call, config, conversation, open, record, run};

/// Names the folder to the child; without it, [`child`] does nothing.
const FOLDER: &str = "RINGBACK_LEDGER_CRASH_FOLDER";
const WRITERS: u64 = 16;
/// Acknowledgements after which the parent kills.
const ENOUGH: usize = 3_000;
/// So that a child that nobody kills ends, too.
const MOST: u64 = 10_000;

/// The process that is killed: this test binary once more, running only this.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let config =
        ringback_ledger::SqliteConfig { reserve_bytes: 256 * 1024, ..ringback_ledger::SqliteConfig::new(folder) };
    let ledger = Arc::new(SqliteLedger::open(&config).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let writers: Vec<_> = (1..=WRITERS).map(|number| tokio::spawn(write(Arc::clone(&ledger), number))).collect();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
    });
}

async fn write(ledger: Arc<SqliteLedger>, number: u64) -> Result<(), AppendError> {
    let id = u128::from(number);
    for sequence in 1..=MOST {
        let next = match sequence {
            1 => begin(conversation(id), call(id)),
            _ => append(conversation(id), sequence),
        };
        let version = ledger.append(next).await?;
        ledger.cursor_put(call(id), at(version.0, 0));
        // One write of one line; an error means that the parent has gone.
        let told = std::io::stdout().write_all(format!("recorded {number} {}\n", version.0).as_bytes());
        if told.is_err() {
            break;
        }
    }
    Ok(())
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = BTreeMap::new();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut count = 0;
    for line in lines {
        let line = line.unwrap();
        let Some(told) = line.strip_prefix("recorded ") else { continue };
        let (number, version) = told.split_once(' ').unwrap();
        acknowledged.insert(number.parse::<u64>().unwrap(), version.parse::<u64>().unwrap());
        count += 1;
        if count == ENOUGH {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success() && count >= ENOUGH, "the child ended by itself: {status}");
    assert_eq!(acknowledged.len() as u64, WRITERS);

    let ledger = open(&folder).unwrap();
    run(async {
        for (number, acknowledged) in acknowledged {
            let id = u128::from(number);
            let mut records = Vec::new();
            while let Some(after) = Some(Version(records.len() as u64)) {
                let page = ledger.read(conversation(id), after, 1_000).await.unwrap();
                if page.is_empty() {
                    break;
                }
                records.extend(page);
            }
            assert!(records.len() as u64 >= acknowledged, "{number}: {} of {acknowledged}", records.len());
            for ((version, found), sequence) in records.iter().zip(1..) {
                assert_eq!((version.0, found), (sequence, &record(sequence as i64)));
            }
            assert_eq!(ledger.call(call(id)).await.unwrap().unwrap().conversation, conversation(id));
            let cursor = ledger.cursor_get(call(id)).await.unwrap();
            assert!(cursor <= Some(at(records.len() as u64, 0)), "a lane is never ahead of its records");
        }
    });
    // The settings of both processes are the same, so the reserve is the child's.
    assert_eq!(folder.path().join("ringback.reserve").metadata().unwrap().len(), config(&folder).reserve_bytes);
}
