//! `/metrics` and the operator's status: who may read them, and that what they say is what happened.

use crate::journal::{Journal, Reply};
use crate::soon;
use crate::web::{self, Answer, Bot};
use crate::world::{NULL_LINE, WEBHOOK, World, configuration, create, play};

async fn metrics(world: &World) -> String {
    let token = std::fs::read_to_string(world.server.operator_token_file()).expect("a token");
    let door = Bot { http: world.http(), token: token.trim().to_owned() };
    let answer = door.ask("GET", "/metrics", None).await.is(200);
    assert!(answer.header("content-type").expect("a type").starts_with("application/openmetrics-text; version=1.0.0"));
    answer.text()
}

/// A sample's value; none: it is not there.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[track_caller]
fn is(text: &str, name: &str, value: f64) {
    assert_eq!(sample(text, name), Some(value), "{name} in:\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_is_counted() {
    let world = World::start().await;
    let call = world.null_call().await;
    let operation = world.bot.post(&format!("/{call}/playPrompt"), &play(&["http://h/p.wav"], None)).await.is(200).id();
    world.journal.ended(&call, &operation).await;
    world.bot.post(&format!("/{call}/playPrompt"), &serde_json::json!({})).await.is(400);
    let text = metrics(&world).await;
    is(&text, "ringback_http_requests_total{verb=\"createCall\",status=\"201\"}", 1.0);
    is(&text, "ringback_http_requests_total{verb=\"playPrompt\",status=\"200\"}", 1.0);
    is(&text, "ringback_http_requests_total{verb=\"playPrompt\",status=\"400\"}", 1.0);
    is(&text, "ringback_http_request_duration_seconds_count{verb=\"playPrompt\"}", 2.0);
    is(&text, "ringback_operations_started_total{kind=\"playPrompt\"}", 1.0);
    is(&text, "ringback_operations_ended_total{kind=\"playPrompt\",status=\"completed\"}", 1.0);
    is(&text, "ringback_operations_ended_total{kind=\"playPrompt\",status=\"failed\"}", 0.0);
    is(&text, "ringback_calls_begun_total{direction=\"outgoing\"}", 1.0);
    is(&text, "ringback_conversations", 1.0);
    is(&text, "ringback_operations_orphaned", 0.0);
    is(&text, "ringback_notices_undelivered_total", 0.0);
    let appended = sample(&text, "ringback_ledger_append_duration_seconds_count").expect("a histogram");
    assert_eq!(sample(&text, "ringback_ledger_records_total"), Some(appended));
    assert!(sample(&text, "process_open_fds").expect("of this process") > 3.0);

    world.bot.hang_up(&call).await;
    world.over(&call).await;
    // The leg's end is recorded after the bot was told, and the bot's answer read after it was given.
    let told = world.journal.of(&call).len() as f64;
    let settled = |text: &str| {
        sample(text, "ringback_legs_ended_total{cause=\"local_hang_up\"}") == Some(1.0)
            && sample(text, "ringback_notices_delivered_total") == Some(told)
    };
    let mut text = metrics(&world).await;
    soon(async {
        while !settled(&text) {
            text = metrics(&world).await;
        }
    })
    .await;
    is(&text, "ringback_calls_ended_total{code=\"200\"}", 1.0);
    is(&text, "ringback_notice_delivery_duration_seconds_count", told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_are_counted() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let (_call, up) = world.call_from(&phone).await;
    let text = metrics(&world).await;
    is(&text, "ringback_sip_registrations", 1.0);
    is(&text, "ringback_sip_legs", 1.0);
    is(&text, "ringback_calls_begun_total{direction=\"incoming\"}", 1.0);
    is(&text, "ringback_media_packets_astray_total{why=\"foreign\"}", 0.0);
    soon(up.hang_up()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_that_waits_is_seen_to_age_until_its_bot_has_it() {
    let world = World::start().await;
    world.journal.always(WEBHOOK, Reply::status(503));
    let call = world.bot.post("", &create(&world.journal.url(WEBHOOK), NULL_LINE)).await.is(201).id();
    let age = async || {
        let status = world.operator("status").await.is(200).json();
        let age = status["notices"]["oldestUndeliveredSeconds"].as_f64().expect("an age");
        (age, status["notices"]["lanesBusy"].as_u64().expect("lanes"))
    };
    world.journal.until(|told| (!told.is_empty()).then_some(())).await;
    let (first, busy) = age().await;
    assert!(first > 0.0 && busy == 1, "{first} {busy}");
    let (mut later, mut tries) = (first, 0);
    while later <= first && tries < 1_000 {
        (later, _) = age().await;
        tries += 1;
    }
    assert!(later > first, "it ages");
    let repeated = "ringback_notice_attempts_total{outcome=\"repeated\"}";
    // The bot has it before the lane has read the bot's answer.
    soon(async { while sample(&metrics(&world).await, repeated).is_none_or(|count| count < 1.0) {} }).await;
    world.journal.mend(WEBHOOK);
    world.bot.hang_up(&call).await;
    world.over(&call).await;
    soon(async { while age().await != (0.0, 0) {} }).await;
}

async fn bare(world: &World, headers: &str) -> Answer {
    asked_for(world, "127.0.0.1", headers).await
}

async fn asked_for(world: &World, host: &str, headers: &str) -> Answer {
    web::send(world.http(), format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").as_bytes()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_the_operators_unless_he_opens_them_to_his_machine() {
    let closed = World::start().await;
    assert_eq!(bare(&closed, "").await.is(401).code(), "InvalidAuthenticationToken");
    let bots = format!("Authorization: Bearer {}\r\n", closed.bot.token);
    bare(&closed, &bots).await.is(401);
    let journal = Journal::start().await;
    let text = configuration(journal.address()).replace("[server]\n", "[server]\nmetrics = \"loopback\"\n");
    let open = World::start_with(journal, tempfile::tempdir().expect("a folder"), &text).await;
    bare(&open, "").await.is(200);
    bare(&open, "X-Forwarded-For: 192.0.2.1\r\n").await.is(401);
    bare(&open, "Forwarded: for=192.0.2.1\r\n").await.is(401);
    // What a browser of his machine shows under a name that was made to lead here; and for another site's page.
    asked_for(&open, "localhost:8480", "").await.is(200);
    asked_for(&open, "evil.example", "").await.is(403);
    bare(&open, "Origin: http://evil.example\r\n").await.is(403);
    bare(&open, "Sec-Fetch-Site: cross-site\r\n").await.is(403);
}
