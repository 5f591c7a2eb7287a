//! What the contract promises, tried on every store with the same lines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ringback_core::{Epoch, Now};
use ringback_ledger::{Append, AppendError, Cursor, Document, IndexRow, PutError, Undelivered, Version, WriteError};

use crate::fixture::{Store, app, append, at, begin, call, conversation, record, run, tenant};

macro_rules! on_every_store {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $test() { crate::fixture::run(super::$test(crate::fixture::Store::memory())); })*
        }
        mod sqlite {
            $(#[test] fn $test() { crate::fixture::run(super::$test(crate::fixture::Store::sqlite())); })*
        }
    };
}

on_every_store!(
    appended_records_are_read_in_order,
    another_version_is_refused,
    a_repeat_answers_as_the_first_did,
    a_lower_epoch_is_refused,
    index_rows_are_there_with_their_record_or_not_at_all,
    records_are_read_in_pages,
    open_conversations_are_listed_until_they_end,
    calls_are_listed_newest_first,
    cursors_never_go_back,
    lanes_stay_unfinished_until_done,
    given_up_notices_are_marked_once,
    epochs_only_grow,
    documents_are_put_by_version,
    purge_takes_what_ended_long_ago,
    a_new_process_finds_everything,
    nothing_is_taken_after_close,
    a_dropped_answer_does_not_take_the_append_back,
    sixty_four_writers_lose_nothing,
);

async fn appended_records_are_read_in_order(store: Store) {
    let ledger = store.ledger();
    for sequence in 1..=3 {
        assert_eq!(ledger.append(append(conversation(1), sequence)).await, Ok(Version(sequence)));
    }
    ledger.append(append(conversation(2), 1)).await.unwrap();
    let read = ledger.read(conversation(1), Version(0), 100).await.unwrap();
    assert_eq!(read, (1..=3).map(|n| (Version(n), record(n as i64))).collect::<Vec<_>>());
    assert_eq!(ledger.read(conversation(3), Version(0), 100).await, Ok(vec![]));
    assert_eq!(ledger.stats().records, 4);
}

async fn another_version_is_refused(store: Store) {
    let ledger = store.ledger();
    let wrong = |found| Err(AppendError::WrongVersion { found: Version(found) });
    assert_eq!(ledger.append(append(conversation(1), 2)).await, wrong(0));
    ledger.append(append(conversation(1), 1)).await.unwrap();
    assert_eq!(ledger.append(append(conversation(1), 3)).await, wrong(1));
    let other = Append { record: record(99), ..append(conversation(1), 1) };
    assert_eq!(ledger.append(other).await, wrong(1));
    assert_eq!(ledger.read(conversation(1), Version(0), 100).await.unwrap(), vec![(Version(1), record(1))]);
}

async fn a_repeat_answers_as_the_first_did(store: Store) {
    let ledger = store.ledger();
    let first = begin(conversation(1), call(1));
    assert_eq!(ledger.append(first.clone()).await, Ok(Version(1)));
    assert_eq!(ledger.append(first.clone()).await, Ok(Version(1)));
    ledger.append(append(conversation(1), 2)).await.unwrap();
    assert_eq!(ledger.append(first).await, Ok(Version(1)));
    assert_eq!(ledger.append(append(conversation(1), 2)).await, Ok(Version(2)));
    assert_eq!(ledger.read(conversation(1), Version(0), 100).await.unwrap().len(), 2);
    assert_eq!(ledger.calls_of(&app("app"), &tenant("tenant"), None, 100).await.unwrap().len(), 1);
}

async fn a_lower_epoch_is_refused(store: Store) {
    let ledger = store.ledger();
    let by = |epoch, append| Append { epoch: Epoch(epoch), ..append };
    let fenced = Err(AppendError::WrongEpoch { owner: Epoch(2) });
    ledger.append(by(1, append(conversation(1), 1))).await.unwrap();
    ledger.append(by(2, append(conversation(1), 2))).await.unwrap();
    assert_eq!(ledger.append(by(1, append(conversation(1), 3))).await, fenced);
    // Before the version, and a repeat, are looked at: the old owner must learn that it is one.
    assert_eq!(ledger.append(by(1, append(conversation(1), 9))).await, fenced);
    assert_eq!(ledger.append(by(1, append(conversation(1), 1))).await, fenced);
    assert_eq!(ledger.append(by(2, append(conversation(1), 3))).await, Ok(Version(3)));
    assert_eq!(ledger.append(by(1, append(conversation(2), 1))).await, Ok(Version(1)));
}

async fn index_rows_are_there_with_their_record_or_not_at_all(store: Store) {
    let ledger = store.ledger();
    let row = |number| IndexRow { call: call(number), app: app("App"), tenant: tenant("Tenant") };
    let both = Append { index: vec![row(1), row(2)], ..append(conversation(1), 1) };
    // The first two of the same batch are in; what is refused leaves no row.
    let refused = Append { index: vec![row(3)], ..append(conversation(1), 7) };
    let taken = Append { index: vec![row(4), row(2)], ..append(conversation(2), 1) };
    let (both, refused, taken) = (ledger.append(both), ledger.append(refused), ledger.append(taken));
    assert_eq!(both.await, Ok(Version(1)));
    assert_eq!(refused.await, Err(AppendError::WrongVersion { found: Version(1) }));
    assert!(matches!(taken.await, Err(AppendError::Io(_))));
    let found = ledger.call(call(2)).await.unwrap().unwrap();
    assert_eq!((found.conversation, found.app, found.tenant), (conversation(1), app("app"), tenant("tenant")));
    assert_eq!(found.ended, None);
    for number in [3, 4, 5] {
        assert_eq!(ledger.call(call(number)).await, Ok(None));
    }
    assert_eq!(ledger.read(conversation(2), Version(0), 100).await, Ok(vec![]));
    let ends = Append { ended: Some(Now(77)), ..append(conversation(1), 2) };
    ledger.append(ends).await.unwrap();
    assert_eq!(ledger.call(call(1)).await.unwrap().unwrap().ended, Some(Now(77)));
}

async fn records_are_read_in_pages(store: Store) {
    let ledger = store.ledger();
    for sequence in 1..=25 {
        ledger.append(append(conversation(1), sequence)).await.unwrap();
    }
    let (mut read, mut after, mut pages) = (Vec::new(), Version(0), 0);
    loop {
        let page = ledger.read(conversation(1), after, 10).await.unwrap();
        pages += 1;
        after = page.last().map_or(after, |(version, _)| *version);
        let last = page.len() < 10;
        read.extend(page);
        if last {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(read, (1..=25).map(|n| (Version(n), record(n as i64))).collect::<Vec<_>>());
    assert_eq!(ledger.read(conversation(1), Version(25), 10).await, Ok(vec![]));
    assert_eq!(ledger.read(conversation(1), Version(u64::MAX - 1), 10).await, Ok(vec![]));
}

async fn open_conversations_are_listed_until_they_end(store: Store) {
    let ledger = store.ledger();
    for number in 1..=5 {
        ledger.append(begin(conversation(number), call(number))).await.unwrap();
    }
    let ends = Append { epoch: Epoch(4), ended: Some(Now(9)), ..append(conversation(2), 2) };
    ledger.append(ends).await.unwrap();
    ledger.append(Append { epoch: Epoch(3), ..append(conversation(3), 2) }).await.unwrap();
    let first = ledger.open_conversations(None, 3).await.unwrap();
    let open: Vec<_> = first.iter().map(|open| (open.conversation, open.version, open.epoch)).collect();
    let expected = [(1, 1, 1), (3, 2, 3), (4, 1, 1)]
        .map(|(id, version, epoch)| (conversation(id), Version(version), Epoch(epoch)));
    assert_eq!(open, expected);
    let rest = ledger.open_conversations(Some(conversation(4)), 3).await.unwrap();
    assert_eq!(rest.iter().map(|open| open.conversation).collect::<Vec<_>>(), [conversation(5)]);
}

async fn calls_are_listed_newest_first(store: Store) {
    let ledger = store.ledger();
    // Ids out of order: what counts is when they began.
    for number in [30, 10, 20] {
        ledger.append(begin(conversation(number), call(number))).await.unwrap();
    }
    let row = IndexRow { call: call(40), app: app("other"), tenant: tenant("tenant") };
    ledger.append(Append { index: vec![row], ..append(conversation(40), 1) }).await.unwrap();
    let list = async |name: &str, before: Option<u128>, at_most| {
        let page = ledger.calls_of(&app(name), &tenant("tenant"), before.map(call), at_most).await.unwrap();
        page.into_iter().map(|row| row.call).collect::<Vec<_>>()
    };
    assert_eq!(list("app", None, 100).await, [call(20), call(10), call(30)]);
    assert_eq!(list("app", None, 2).await, [call(20), call(10)]);
    assert_eq!(list("app", Some(10), 2).await, [call(30)]);
    assert_eq!(list("app", Some(99), 2).await, []);
    assert_eq!(list("other", None, 2).await, [call(40)]);
    assert_eq!(ledger.calls_of(&app("app"), &tenant("elsewhere"), None, 2).await, Ok(vec![]));
}

async fn cursors_never_go_back(store: Store) {
    let ledger = store.ledger();
    ledger.append(begin(conversation(1), call(1))).await.unwrap();
    assert_eq!(ledger.cursor_get(call(1)).await, Ok(None));
    let put = async |cursor: Cursor| {
        ledger.cursor_put(call(1), cursor);
        ledger.flush().await.unwrap();
        ledger.cursor_get(call(1)).await.unwrap().unwrap()
    };
    assert_eq!(put(at(1, 0)).await, at(1, 0));
    assert_eq!(put(at(1, 2)).await, at(1, 2));
    assert_eq!(put(at(1, 1)).await, at(1, 2));
    assert_eq!(put(at(10, 0)).await, at(10, 0));
    assert_eq!(put(at(9, 5)).await, at(10, 0));
    // Merged within one commit, too.
    ledger.cursor_put(call(1), at(12, 1));
    assert_eq!(put(at(11, 0)).await, at(12, 1));
    ledger.cursor_put(call(2), at(1, 1));
    ledger.flush().await.unwrap();
    assert_eq!(ledger.cursor_get(call(2)).await, Ok(None));
}

async fn lanes_stay_unfinished_until_done(store: Store) {
    let ledger = store.ledger();
    for number in 1..=4 {
        ledger.append(begin(conversation(number), call(number))).await.unwrap();
    }
    for number in [1, 2, 4] {
        let ends = Append { ended: Some(Now(9)), ..append(conversation(number), 2) };
        ledger.append(ends).await.unwrap();
    }
    ledger.cursor_put(call(2), at(1, 1));
    ledger.lane_done(call(1));
    ledger.lane_done(call(3));
    ledger.flush().await.unwrap();
    let unfinished = ledger.unfinished_lanes(None, 100).await.unwrap();
    let unfinished: Vec<_> = unfinished.iter().map(|lane| (lane.call, lane.conversation, lane.cursor)).collect();
    assert_eq!(unfinished, [(call(2), conversation(2), Some(at(1, 1))), (call(4), conversation(4), None)]);
    assert_eq!(ledger.unfinished_lanes(None, 1).await.unwrap()[0].call, call(2));
    let rest = ledger.unfinished_lanes(Some(call(2)), 100).await.unwrap();
    assert_eq!(rest.iter().map(|lane| lane.call).collect::<Vec<_>>(), [call(4)]);
    // A mark does not undo another.
    ledger.cursor_put(call(1), at(2, 0));
    ledger.flush().await.unwrap();
    assert_eq!(ledger.unfinished_lanes(None, 100).await.unwrap().len(), 2);
    assert_eq!(ledger.cursor_get(call(1)).await, Ok(Some(at(2, 0))));
}

async fn given_up_notices_are_marked_once(store: Store) {
    let ledger = store.ledger();
    ledger.append(begin(conversation(1), call(1))).await.unwrap();
    let mark = |number, at, text: &str| Undelivered { call: call(number), at, text: text.to_owned() };
    for marked in
        [mark(1, at(2, 0), "404"), mark(1, at(1, 1), "410"), mark(1, at(2, 0), "again"), mark(2, at(1, 0), "x")]
    {
        ledger.note_undelivered(marked).await.unwrap();
    }
    let marks = ledger.undelivered(call(1), None, 100).await.unwrap();
    assert_eq!(marks, [mark(1, at(1, 1), "410"), mark(1, at(2, 0), "404")]);
    assert_eq!(ledger.undelivered(call(1), None, 1).await.unwrap().len(), 1);
    assert_eq!(ledger.undelivered(call(1), Some(at(1, 1)), 9).await.unwrap(), [mark(1, at(2, 0), "404")]);
    assert_eq!(ledger.undelivered(call(2), None, 9).await, Ok(vec![]));
}

async fn epochs_only_grow(store: Store) {
    let first = store.ledger().join("a").await.unwrap();
    let second = store.ledger().join("b").await.unwrap();
    assert!(second > first && first > Epoch(0));
    let store = store.reopen();
    assert!(store.ledger().join("a").await.unwrap() > second);
}

async fn documents_are_put_by_version(store: Store) {
    let ledger = store.ledger();
    let put = |id: &str, expected, text: &str| {
        ledger.document_put_if_version("meeting", id, Version(expected), text.to_owned())
    };
    let wrong = |found| Err(PutError::WrongVersion { found: Version(found) });
    assert_eq!(put("a", 1, "early").await, wrong(0));
    assert_eq!(put("a", 0, "one").await, Ok(Version(1)));
    assert_eq!(put("a", 0, "one").await, Ok(Version(1)));
    assert_eq!(put("a", 0, "other").await, wrong(1));
    assert_eq!(put("a", 1, "two").await, Ok(Version(2)));
    assert_eq!(put("c", 0, "c").await, Ok(Version(1)));
    assert_eq!(put("b", 0, "b").await, Ok(Version(1)));
    ledger.document_put_if_version("chat", "a", Version(0), "another kind".to_owned()).await.unwrap();
    let document = |id: &str, version, text: &str| Document {
        id: id.to_owned(),
        version: Version(version),
        text: text.to_owned(),
    };
    assert_eq!(ledger.document_get("meeting", "a").await, Ok(Some(document("a", 2, "two"))));
    assert_eq!(ledger.document_get("meeting", "z").await, Ok(None));
    let all = [document("a", 2, "two"), document("b", 1, "b"), document("c", 1, "c")];
    assert_eq!(ledger.document_list("meeting", None, 100).await.unwrap(), all);
    assert_eq!(ledger.document_list("meeting", None, 2).await.unwrap(), all[..2]);
    assert_eq!(ledger.document_list("meeting", Some("b"), 2).await.unwrap(), all[2..]);
    let remove = |id: &str, expected| ledger.document_remove_if_version("meeting", id, Version(expected));
    assert_eq!(remove("a", 1).await, Err(PutError::WrongVersion { found: Version(2) }));
    assert_eq!(remove("a", 2).await, Ok(()));
    assert_eq!(remove("a", 2).await, Ok(()), "a repeat changes nothing");
    let store = store.reopen();
    let ledger = store.ledger();
    assert_eq!(ledger.document_list("meeting", None, 100).await.unwrap(), all[1..]);
    assert!(ledger.document_get("chat", "a").await.unwrap().is_some(), "another kind's stays");
    let put = ledger.document_put_if_version("meeting", "a", Version(0), "new".to_owned()).await;
    assert_eq!(put, Ok(Version(1)));
}

async fn purge_takes_what_ended_long_ago(store: Store) {
    let ledger = store.ledger();
    for number in 1..=4 {
        ledger.append(begin(conversation(number), call(number))).await.unwrap();
        let mark = Undelivered { call: call(number), at: at(1, 0), text: "404".to_owned() };
        ledger.note_undelivered(mark).await.unwrap();
    }
    for (number, moment) in [(1, 30), (2, 10), (3, 20)] {
        let ends = Append { ended: Some(Now(moment)), ..append(conversation(number), 2) };
        ledger.append(ends).await.unwrap();
    }
    ledger.flush().await.unwrap();
    assert_eq!(ledger.purge(Now(30), 100).await, Ok(0), "what is still owed to a bot stays");
    (1..=4).for_each(|number| ledger.lane_done(call(number)));
    ledger.flush().await.unwrap();
    assert_eq!(ledger.purge(Now(30), 1).await, Ok(1));
    assert_eq!(ledger.call(call(2)).await, Ok(None));
    assert!(ledger.call(call(3)).await.unwrap().is_some());
    assert_eq!(ledger.purge(Now(30), 100).await, Ok(1));
    assert_eq!(ledger.purge(Now(30), 100).await, Ok(0));
    for number in [2, 3] {
        assert_eq!(ledger.read(conversation(number), Version(0), 9).await, Ok(vec![]));
        assert_eq!(ledger.undelivered(call(number), None, 9).await, Ok(vec![]));
        assert_eq!(ledger.call(call(number)).await, Ok(None));
    }
    for number in [1, 4] {
        assert!(!ledger.read(conversation(number), Version(0), 9).await.unwrap().is_empty());
        assert_eq!(ledger.undelivered(call(number), None, 9).await.unwrap().len(), 1);
    }
    // What went is forgotten by the writer, too.
    assert_eq!(ledger.append(begin(conversation(2), call(2))).await, Ok(Version(1)));
    let calls = ledger.calls_of(&app("app"), &tenant("tenant"), None, 9).await.unwrap();
    assert_eq!(calls.iter().map(|row| row.call).collect::<Vec<_>>(), [call(2), call(4), call(1)]);
}

async fn a_new_process_finds_everything(store: Store) {
    let ledger = store.ledger();
    ledger.append(begin(conversation(1), call(1))).await.unwrap();
    ledger.append(append(conversation(1), 2)).await.unwrap();
    ledger.document_put_if_version("kind", "id", Version(0), "text".to_owned()).await.unwrap();
    // Not flushed: a clean end loses no mark.
    ledger.cursor_put(call(1), at(2, 0));
    let store = store.reopen();
    let ledger = store.ledger();
    assert_eq!(ledger.read(conversation(1), Version(0), 9).await.unwrap().len(), 2);
    assert_eq!(ledger.call(call(1)).await.unwrap().unwrap().conversation, conversation(1));
    assert_eq!(ledger.cursor_get(call(1)).await, Ok(Some(at(2, 0))));
    assert_eq!(ledger.document_get("kind", "id").await.unwrap().unwrap().text, "text");
    // Nothing remembered, everything looked up: the same answers.
    assert_eq!(ledger.append(append(conversation(1), 2)).await, Ok(Version(2)));
    let fenced = Append { epoch: Epoch(0), ..append(conversation(1), 3) };
    assert_eq!(ledger.append(fenced).await, Err(AppendError::WrongEpoch { owner: Epoch(1) }));
    assert_eq!(ledger.append(append(conversation(1), 3)).await, Ok(Version(3)));
}

async fn nothing_is_taken_after_close(store: Store) {
    let ledger = store.ledger();
    let last = ledger.append(begin(conversation(1), call(1)));
    ledger.cursor_put(call(1), at(1, 0));
    ledger.close().await.unwrap();
    assert_eq!(last.await, Ok(Version(1)));
    assert_eq!(ledger.append(append(conversation(1), 2)).await, Err(AppendError::Closed));
    assert_eq!(ledger.flush().await, Err(WriteError::Closed));
    assert_eq!(ledger.close().await, Err(WriteError::Closed));
    assert!(ledger.call(call(1)).await.is_err());
    ledger.cursor_put(call(1), at(9, 0));
    let store = store.reopen();
    assert_eq!(store.ledger().cursor_get(call(1)).await, Ok(Some(at(1, 0))));
}

async fn a_dropped_answer_does_not_take_the_append_back(store: Store) {
    let ledger = store.ledger();
    drop(ledger.append(append(conversation(1), 1)));
    ledger.flush().await.unwrap();
    assert_eq!(ledger.read(conversation(1), Version(0), 9).await.unwrap().len(), 1);
}

/// Each has a conversation of its own, and all want every version of one that they share.
async fn sixty_four_writers_lose_nothing(store: Store) {
    const WRITERS: u64 = 64;
    const RECORDS: u64 = 20;
    let (ledger, won) = (store.ledger(), AtomicU64::new(0));
    let writer = |number: u64| async move {
        let mine = conversation(u128::from(number));
        ledger.append(begin(mine, call(u128::from(number)))).await.unwrap();
        for sequence in 2..=RECORDS {
            assert_eq!(ledger.append(append(mine, sequence)).await, Ok(Version(sequence)));
            ledger.cursor_put(call(u128::from(number)), at(sequence, 0));
        }
        let mut won = 0;
        let mut version = 0;
        while version < RECORDS {
            let shared = Append { record: record(number as i64), ..append(conversation(1_000), version + 1) };
            match ledger.append(shared).await {
                Ok(_) => won += 1,
                Err(AppendError::WrongVersion { .. }) => {}
                Err(other) => panic!("{other}"),
            }
            version = ledger.read(conversation(1_000), Version(version), 100).await.unwrap().last().unwrap().0.0;
        }
        won
    };
    thread::scope(|scope| {
        for number in 1..=WRITERS {
            let won = &won;
            scope.spawn(move || won.fetch_add(run(writer(number)), Ordering::Relaxed));
        }
    });
    assert_eq!(won.into_inner(), RECORDS, "each version has one winner");
    let store = store.reopen();
    let ledger = store.ledger();
    for number in 1..=WRITERS {
        let id = u128::from(number);
        let read = ledger.read(conversation(id), Version(0), 100).await.unwrap();
        assert_eq!(read, (1..=RECORDS).map(|n| (Version(n), record(n as i64))).collect::<Vec<_>>());
        assert_eq!(ledger.cursor_get(call(id)).await, Ok(Some(at(RECORDS, 0))));
    }
    assert_eq!(ledger.read(conversation(1_000), Version(0), 100).await.unwrap().len() as u64, RECORDS);
}
