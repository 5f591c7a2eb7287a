//! Notices told again on demand, and notices that are late, lost, doubled or out of order on purpose.

use serde_json::{Value, json};

use crate::journal::{Journal, Reply};
use crate::recovery::{Victim, start_again};
use crate::soon;
use crate::web::{Answer, Bot};
use crate::world::{APP, NULL_LINE, SIBLING_APP, World, configuration, create, play};

/// A call to the test line that is hung up; told at `path`.
async fn short_call(world: &World, path: &str) -> String {
    let call = world.bot.post("", &create(&world.journal.url(path), NULL_LINE)).await.is(201).id();
    while world.bot.get(&format!("/{call}")).await.is(200).json()["state"] != "established" {}
    world.bot.hang_up(&call).await;
    call
}

/// What a short call is told, without faults.
const SHORT: [&str; 6] = ["establishing", "established", "established active", "roster", "terminating", "terminated"];

async fn resend(world: &World, call: &str, which: Value) -> Answer {
    let path = format!("/_ringback/calls/{call}/notifications/resend");
    world.door().ask("POST", &path, Some(&which)).await
}

async fn fault(world: &World, fault: Value) -> Answer {
    world.door().ask("POST", "/_ringback/test/faults", Some(&fault)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_told_again_with_the_same_id_and_body() {
    let world = World::start().await;
    world.journal.script("/calls", [Reply::status(202), Reply::status(404)]);
    let call = short_call(&world, "/calls").await;
    assert_eq!(world.over(&call).await, SHORT);
    // The bot has the last one before its lane is done with it.
    while world.operator("status").await.is(200).json()["notices"]["lanesBusy"] != 0 {}
    let first = world.journal.of(&call);
    // The last, the one that was refused, and one by its place.
    let last = resend(&world, &call, json!({})).await.is(200).json()["value"][0].clone();
    assert_eq!((&last["notice"], &last["taken"]), (&json!("terminated"), &json!(true)));
    let given_up = resend(&world, &call, json!({"undelivered": true})).await.is(200).json()["value"].clone();
    assert_eq!((given_up.as_array().unwrap().len(), &given_up[0]["notice"]), (1, &json!("established")));
    let place = json!({"record": last["record"], "index": last["index"]});
    resend(&world, &call, place).await.is(200);
    let again = &world.journal.of(&call)[SHORT.len()..];
    assert_eq!(
        again.iter().map(crate::journal::Told::gist).collect::<Vec<_>>(),
        ["terminated", "established", "terminated"]
    );
    for (again, first) in [(0, 5), (1, 1), (2, 5)].map(|(a, f)| (&again[a], &first[f])) {
        assert_eq!((again.message_id(), &again.body), (first.message_id(), &first.body));
    }
    assert_eq!(last["messageId"], first[5].message_id());
    // A bot that does not take it either is said to.
    world.journal.script("/calls", [Reply::status(503)]);
    let refused = resend(&world, &call, json!({})).await.is(200).json()["value"][0].clone();
    assert_eq!(
        (&refused["taken"], &refused["outcome"]),
        (&json!(false), &json!("not taken: the webhook answered 503"))
    );
    for (which, status) in [
        (json!({"record": 1}), 400),
        (json!({"record": 999, "index": 0}), 404),
        (json!({"record": 1, "index": 9}), 404),
    ] {
        resend(&world, &call, which).await.is(status);
    }
    resend(&world, "c1c1c1c1-0000-4000-8000-000000009999", json!({})).await.is(404);
}

/// First attempts keep their order: what its lane still owes is not told ahead of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_still_to_be_told_is_not_told_again() {
    let world = World::start().await;
    world.journal.always("/stuck", Reply::status(503));
    let call = short_call(&world, "/stuck").await;
    world.journal.wait(&call, "establishing").await;
    assert_eq!(resend(&world, &call, json!({"record": 2, "index": 0})).await.is(409).code(), "notAllowed");
    assert!(resend(&world, &call, json!({})).await.is(404).message().contains("not been told anything yet"));
    resend(&world, &call, json!({"undelivered": true})).await.is(404);
    world.journal.mend("/stuck");
    world.journal.wait(&call, "terminated").await;
    let mut told = world.journal.gists(&call);
    told.dedup();
    assert_eq!(told, SHORT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_are_late_lost_doubled_and_out_of_order_on_purpose() {
    let world = World::start().await;
    // Of another app, and then of ours.
    fault(&world, json!({"fault": "drop", "app": SIBLING_APP, "next": 9})).await.is(201);
    fault(&world, json!({"fault": "duplicate", "app": APP})).await.is(201);
    fault(&world, json!({"fault": "swap", "app": APP})).await.is(201);
    fault(&world, json!({"fault": "drop", "app": APP})).await.is(201);
    let made = fault(&world, json!({"fault": "delay", "delayMs": 300, "app": APP})).await.is(201).json();
    let shown = json!({"id": made["id"], "fault": "delay", "delayMs": 300, "app": APP, "call": null, "next": 1});
    assert_eq!(made, shown);
    let call = short_call(&world, "/calls").await;
    world.journal.wait(&call, "terminated").await;
    let expected = [
        "establishing",
        "establishing",
        // The second was held, the third lost, and then the second told.
        "established",
        "roster",
        "terminating",
        "terminated",
    ];
    assert_eq!(world.journal.gists(&call), expected);
    let told = world.journal.of(&call);
    assert_eq!((told[0].message_id(), &told[0].body), (told[1].message_id(), &told[1].body));
    assert_eq!(world.undelivered(&call).await, ["lost on purpose, by a fault that a test asked for"]);
    let left = world.door().ask("GET", "/_ringback/test/faults", None).await.is(200).json();
    assert_eq!(left["value"].as_array().unwrap().len(), 1, "only the other app's: {left}");
    world.door().ask("DELETE", "/_ringback/test/faults", None).await.is(204);

    // One that was held comes after the next.
    fault(&world, json!({"fault": "swap"})).await.is(201);
    let call = short_call(&world, "/calls").await;
    world.journal.wait(&call, "terminated").await;
    assert_eq!(world.journal.gists(&call)[..3], ["established", "establishing", "established active"]);
    for (bad, status) in [
        (json!({"fault": "delay"}), 400),
        (json!({"fault": "delay", "delayMs": 60_001}), 400),
        (json!({"fault": "drop", "delayMs": 1}), 400),
        (json!({"fault": "drop", "next": 0}), 400),
        (json!({"fault": "melt"}), 400),
    ] {
        fault(&world, bad).await.is(status);
    }
    for _ in 0..64 {
        fault(&world, json!({"fault": "drop"})).await.is(201);
    }
    fault(&world, json!({"fault": "drop"})).await.is(429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_is_taken_back_by_its_id() {
    let world = World::start().await;
    let own = fault(&world, json!({"fault": "drop", "next": 9})).await.is(201).id();
    let other = fault(&world, json!({"fault": "duplicate", "app": SIBLING_APP})).await.is(201).id();
    let remove = async |id: &str| world.door().ask("DELETE", &format!("/_ringback/test/faults/{id}"), None).await;
    remove(&own).await.is(204);
    let left = world.door().ask("GET", "/_ringback/test/faults", None).await.is(200).json();
    assert_eq!((left["value"].as_array().unwrap().len(), &left["value"][0]["id"]), (1, &json!(other)));
    for gone in [own.as_str(), "mine"] {
        assert!(remove(gone).await.is(404).message().contains("No fault of this id waits"));
    }
    world.door().ask("GET", &format!("/_ringback/test/faults/{other}"), None).await.is(405);
}

/// One that is held until the next was told, which never comes: the cursor stands before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_fault_holds_back_is_told_after_a_kill() {
    let journal = Journal::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let victim = Victim::serving(&folder, &configuration(journal.address())).await;
    let token = std::fs::read_to_string(folder.path().join("data/operator.token")).expect("the operator's token");
    let door = Bot { http: victim.bot.http, token: token.trim().to_owned() };
    let call = victim.null_call(&journal, "/calls").await;
    journal.wait(&call, "roster").await;
    door.ask("POST", "/_ringback/test/faults", Some(&json!({"fault": "swap"}))).await.is(201);
    victim.bot.post(&format!("/{call}/playPrompt"), &play(&[&journal.url("/p.wav")], None)).await.is(200);
    // Taken by the notice of the prompt's end.
    let left = async || door.ask("GET", "/_ringback/test/faults", None).await.is(200).json()["value"].clone();
    while left().await != json!([]) {}
    // Records that tell nothing: had the cursor moved, it would be written with them.
    for _ in 0..3 {
        victim.bot.post(&format!("/{call}/keepAlive"), &json!({})).await.is(200);
    }
    victim.kill().await;
    assert_eq!(journal.gists(&call).last().map(String::as_str), Some("roster"));
    let server = start_again(&folder).await;
    journal.wait(&call, "terminated").await;
    assert_eq!(journal.gists(&call)[4..], ["operation completed", "terminated"]);
    soon(server.stop(std::time::Duration::from_secs(10))).await;
}
