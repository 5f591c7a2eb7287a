//! The memory store's crash points: what simulation relies on.

use ringback_core::Now;
use ringback_ledger::{Append, AppendError, Ledger, MemoryLedger, ReadError, Version, WriteError};

use crate::fixture::{append, at, begin, call, conversation, run};

#[test]
fn a_crash_before_a_commit_loses_it() {
    run(async {
        let ledger = MemoryLedger::new();
        ledger.crash_before_commit(2);
        ledger.append(append(conversation(1), 1)).await.unwrap();
        assert_eq!(ledger.append(append(conversation(1), 2)).await, Err(AppendError::Closed));
        assert_eq!(ledger.append(append(conversation(1), 2)).await, Err(AppendError::Closed));
        assert_eq!(ledger.call(call(1)).await, Err(ReadError::Closed));
        let next = ledger.restart();
        assert_eq!(next.read(conversation(1), Version(0), 9).await.unwrap().len(), 1);
        assert_eq!(next.append(append(conversation(1), 2)).await, Ok(Version(2)));
    });
}

#[test]
fn a_crash_after_a_commit_loses_only_its_answer() {
    run(async {
        let ledger = MemoryLedger::new();
        ledger.crash_after_commit(1);
        assert_eq!(ledger.append(append(conversation(1), 1)).await, Err(AppendError::Closed));
        let next = ledger.restart();
        assert_eq!(next.read(conversation(1), Version(0), 9).await.unwrap().len(), 1);
        assert_eq!(next.append(append(conversation(1), 1)).await, Ok(Version(1)), "the repeat tells");
    });
}

#[test]
fn held_marks_ride_the_next_commit_and_die_in_a_crash() {
    run(async {
        let ledger = MemoryLedger::new();
        ledger.append(begin(conversation(1), call(1))).await.unwrap();
        ledger.hold_marks();
        ledger.cursor_put(call(1), at(1, 0));
        assert_eq!(ledger.cursor_get(call(1)).await, Ok(None));
        ledger.append(append(conversation(1), 2)).await.unwrap();
        assert_eq!(ledger.cursor_get(call(1)).await, Ok(Some(at(1, 0))));
        ledger.cursor_put(call(1), at(2, 0));
        let next = ledger.restart();
        assert_eq!(next.cursor_get(call(1)).await, Ok(Some(at(1, 0))));
    });
}

#[test]
fn on_a_full_disk_only_ends_are_taken() {
    run(async {
        let ledger = MemoryLedger::new();
        ledger.append(append(conversation(1), 1)).await.unwrap();
        ledger.set_full(true);
        assert_eq!(ledger.append(append(conversation(1), 2)).await, Err(AppendError::Full));
        let put = ledger.document_put_if_version("kind", "id", Version(0), String::new()).await;
        assert_eq!(put, Err(WriteError::Full.into()));
        let ends = Append { terminal: true, ended: Some(Now(1)), ..append(conversation(1), 2) };
        assert_eq!(ledger.append(ends).await, Ok(Version(2)));
        assert_eq!(ledger.read(conversation(1), Version(0), 9).await.unwrap().len(), 2);
        ledger.set_full(false);
        assert_eq!(ledger.append(append(conversation(2), 1)).await, Ok(Version(1)));
        assert_eq!(ledger.stats().full, 2);
    });
}

#[test]
fn an_unreadable_record_is_named() {
    run(async {
        let ledger = MemoryLedger::new();
        for sequence in 1..=3 {
            ledger.append(append(conversation(1), sequence)).await.unwrap();
        }
        ledger.append(append(conversation(2), 1)).await.unwrap();
        ledger.damage(conversation(1), Version(2), r#"{"v":9,"at":1,"events":[]}"#);
        let unreadable = ledger.read(conversation(1), Version(0), 9).await.unwrap_err();
        let why = "its form is 9, and this build reads form 1".to_owned();
        assert_eq!(unreadable, ReadError::Unreadable { conversation: conversation(1), version: Version(2), why });
        assert_eq!(ledger.read(conversation(1), Version(0), 1).await.unwrap().len(), 1);
        assert_eq!(ledger.read(conversation(1), Version(2), 9).await.unwrap().len(), 1);
        assert_eq!(ledger.read(conversation(2), Version(0), 9).await.unwrap().len(), 1);
    });
}
