//! The stored form of each released version: read, and written back the same.
//!
//! A failure here means that files of users would not be read, or that what is written changed. A
//! new kind of event: add a line to the newest golden file (and its name below). Another form of
//! an old one: a new `Record::V`, a new golden file, and the old one still read.

use std::collections::BTreeSet;

use expect_test::expect_file;
use ringback_core::{Event, Record};
use ringback_ledger::{Ledger, MemoryLedger, Version};

use crate::fixture::{append, conversation, run};

const V1: &str = include_str!("golden/v1.jsonl");

/// As stored. No `_`: a new kind of event stops here.
fn name(event: &Event) -> &'static str {
    match event {
        Event::CallOffered(_) => "callOffered",
        Event::CallPlaced(_) => "callPlaced",
        Event::AskRedirected { .. } => "askRedirected",
        Event::CallbackChanged { .. } => "callbackChanged",
        Event::CallAnswered { .. } => "callAnswered",
        Event::CallEstablished { .. } => "callEstablished",
        Event::AudioChanged { .. } => "audioChanged",
        Event::CallKeptAlive { .. } => "callKeptAlive",
        Event::CallTerminating { .. } => "callTerminating",
        Event::CallEnding { .. } => "callEnding",
        Event::CallTerminated { .. } => "callTerminated",
        Event::LegAdmitted { .. } => "legAdmitted",
        Event::RosterChanged { .. } => "rosterChanged",
        Event::LegAnswered { .. } => "legAnswered",
        Event::LegReleased { .. } => "legReleased",
        Event::LegEnded { .. } => "legEnded",
        Event::OperationStarted { .. } => "operationStarted",
        Event::OperationBegan { .. } => "operationBegan",
        Event::OperationEnded { .. } => "operationEnded",
        Event::ToneHeard { .. } => "toneHeard",
        Event::Adopted { .. } => "adopted",
    }
}

/// How many kinds [`name`] knows.
const KINDS: usize = 21;

fn read_through_a_store(texts: &str) -> Vec<Record> {
    run(async {
        let ledger = MemoryLedger::new();
        for (text, sequence) in texts.lines().zip(1..) {
            ledger.append(append(conversation(1), sequence)).await.unwrap();
            ledger.damage(conversation(1), Version(sequence), text);
        }
        let read = ledger.read(conversation(1), Version(0), 1_000).await.unwrap();
        read.into_iter().map(|(_, record)| record).collect()
    })
}

#[test]
fn version_1_is_read_and_written_the_same() {
    let records = read_through_a_store(V1);
    let events = records.iter().flat_map(|record| &record.events);
    let kinds: BTreeSet<_> = events.clone().map(name).collect();
    assert_eq!(kinds.len(), KINDS, "one of each at least: {kinds:?}");
    for event in events {
        assert_eq!(serde_json::to_value(event).unwrap()["event"], name(event));
    }
    let written: Vec<_> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    expect_file!["golden/v1.jsonl"].assert_eq(&(written.join("\n") + "\n"));
}
