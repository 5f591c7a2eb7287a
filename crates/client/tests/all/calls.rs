//! A call and its operations, whichever comes first: the answer or the notification.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use ringback_client::wire::{CommsOperation, IdentityKind, OperationStatus, RejectReason, Tone};
use ringback_client::{Call, Calls, Error, Graph, Webhook, call_to, limits};
use serde_json::{Value, json};

use crate::platform::{Asked, Platform, Reply, error};
use crate::webhook::{envelope, incoming, listen, post};
use crate::{sign, soon};

/// A bot and the means to tell it things.
struct Bot {
    calls: Calls,
    platform: Platform,
    webhook: SocketAddr,
    token: String,
}

impl Bot {
    async fn on(platform: Platform) -> Bot {
        let notifications = listen(&platform, Webhook::default()).await;
        let webhook = notifications.address().expect("it listens");
        let calls = Calls::new(Graph::new(platform.config()).expect("settings"), notifications);
        Bot { calls, platform, webhook, token: sign::by_platform(&sign::claims()) }
    }

    async fn told(&self, notification: Value) {
        let status = post(self.webhook, Some(&self.token), None, Bytes::from(notification.to_string())).await;
        assert_eq!(status, 202);
    }

    /// An incoming call, established.
    async fn established(&self, id: &str) -> Call {
        self.told(incoming(id)).await;
        let call = soon(self.calls.incoming()).await.expect("a call");
        self.told(changed(id, json!({"state": "established", "mediaState": {"audio": "active"}}))).await;
        soon(call.established()).await.expect("established");
        call
    }
}

fn changed(call: &str, data: Value) -> Value {
    envelope("updated", call, data)
}

fn terminated(call: &str) -> Value {
    let result = json!({"code": 200, "subcode": 5002, "message": "The conversation has ended."});
    envelope("deleted", call, json!({"state": "terminated", "resultInfo": result}))
}

fn operation(id: &str, status: &str) -> Value {
    let result = match status {
        "completed" => json!({"code": 200, "subcode": 0, "message": "Action completed successfully."}),
        "failed" => json!({"code": 400, "subcode": 8508, "message": "Operation canceled."}),
        _ => Value::Null,
    };
    json!({"@odata.type": "#microsoft.graph.playPromptOperation", "id": id, "status": status,
        "clientContext": "mine", "resultInfo": result})
}

fn operation_ended(call: &str, id: &str) -> Value {
    envelope("deleted", &format!("{call}/operations/{id}"), operation(id, "completed"))
}

/// The error of an operation that failed says which, and why.
fn failed(found: Result<CommsOperation<'static>, Error>) {
    let Err(error) = found else { panic!("failed: {found:?}") };
    assert_eq!(error.to_string(), "operation op-1 failed: 400 8508 Operation canceled.");
    let Error::OperationFailed(operation) = error else { panic!("{error}") };
    assert_eq!(operation.client_context.as_deref(), Some("mine"));
    assert_eq!(operation.result_info.map(|info| (info.code, info.subcode)), Some((400, 8508)));
}

/// Answers every playPrompt with an operation `op-1`, `op-2`, … in this status.
fn playing(status: &'static str) -> impl FnMut(&Asked) -> Reply + Send + 'static {
    let mut nth = 0;
    move |asked| {
        if !asked.path.ends_with("/playPrompt") {
            return error(404, "8522", "Call not found.");
        }
        nth += 1;
        (200, operation(&format!("op-{nth}"), status)).into()
    }
}

#[tokio::test]
async fn an_incoming_call_is_answered_and_becomes_established() {
    let bot = Bot::on(Platform::start(|_| Reply(202, Vec::new(), json!(null))).await).await;
    bot.told(incoming("c1")).await;
    bot.told(incoming("c1")).await;
    bot.told(incoming("c2")).await;
    let call = soon(bot.calls.incoming()).await.expect("a call");
    assert_eq!(call.id(), "c1");
    assert_eq!(call.announced().and_then(|call| call.id).as_deref(), Some("c1"));
    assert_eq!(soon(bot.calls.incoming()).await.expect("a call").id(), "c2", "the first is announced once");

    call.answer("https://bot/callback").await.expect("answered");
    let asked = &bot.platform.asked("/c1/answer")[0];
    assert_eq!(asked.path, "/v1.0/communications/calls/c1/answer");
    assert_eq!(asked.json()["callbackUri"], "https://bot/callback");
    assert_eq!(asked.json()["mediaConfig"]["@odata.type"], "#microsoft.graph.serviceHostedMediaConfig");

    let waiting = tokio::spawn({
        let call = call.clone();
        async move { soon(call.established()).await }
    });
    bot.told(changed("c1", json!({"state": "establishing"}))).await;
    bot.told(changed("c1", json!({"state": "established"}))).await;
    assert!(!waiting.is_finished(), "audio is not yet active");
    // Ids are compared without case.
    bot.told(changed("C1", json!({"mediaState": {"audio": "active"}}))).await;
    soon(waiting).await.expect("no panic").expect("established");
}

#[tokio::test]
async fn a_call_that_ends_first_is_not_waited_for() {
    let bot = Bot::on(Platform::silent().await).await;
    bot.told(incoming("c1")).await;
    let call = soon(bot.calls.incoming()).await.expect("a call");
    bot.told(terminated("c1")).await;
    let Err(Error::CallEnded(Some(result))) = soon(call.established()).await else { panic!("ended") };
    assert_eq!((result.code, result.subcode), (200, 5002));
    assert_eq!(soon(call.ended()).await.expect("told").expect("a reason").subcode, 5002);
    assert!(soon(call.tones().recv()).await.is_none());
}

#[tokio::test]
async fn an_operation_is_awaited_through_its_notification() {
    let bot = Bot::on(Platform::start(playing("notStarted")).await).await;
    let call = bot.established("c1").await;
    let handle =
        call.play_prompt(["http://bot/a.wav", "http://bot/b.wav"]).client_context("mine").await.expect("started");
    assert_eq!((handle.id(), handle.status()), ("op-1", OperationStatus::NotStarted));
    let asked = &bot.platform.asked("/playPrompt")[0].json();
    assert_eq!(asked["clientContext"], "mine");
    assert_eq!(asked["prompts"][1]["mediaInfo"]["uri"], "http://bot/b.wav");

    bot.told(operation_ended("c1", "another")).await;
    bot.told(operation_ended("c1", "OP-1")).await;
    let ended = soon(handle.finished()).await.expect("told");
    assert_eq!(ended.status, OperationStatus::Completed);
    assert_eq!(ended.client_context.as_deref(), Some("mine"));
    assert_eq!(soon(handle.finished()).await.expect("known"), ended, "given again each time");
    assert!(bot.platform.asked("/operations").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_before_the_answer_is_not_lost() {
    // The platform answers the action only after the operation's end was told and taken.
    let (tell, told) = mpsc::channel();
    let mut answer = playing("running");
    let platform = Platform::start(move |asked| {
        tokio::task::block_in_place(|| told.recv().expect("the test goes on"));
        answer(asked)
    });
    let bot = Bot::on(platform.await).await;
    let call = bot.established("c1").await;
    let playing = tokio::spawn(async move {
        let handle = call.play_prompt(["http://bot/a.wav"]).await.expect("started");
        (handle.status(), soon(handle.finished()).await)
    });
    bot.told(operation_ended("c1", "op-1")).await;
    // What comes after it has gone through, so it has too.
    bot.told(incoming("c2")).await;
    soon(bot.calls.incoming()).await.expect("a call");
    tell.send(()).expect("the platform waits");
    let (status, ended) = soon(playing).await.expect("no panic");
    assert_eq!(status, OperationStatus::Running);
    assert_eq!(ended.expect("told").status, OperationStatus::Completed);
    assert_eq!(bot.platform.asked("/calls").len(), 1, "nothing else had to be asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_over_before_its_creation_is_answered_is_still_known() {
    let (tell, told) = mpsc::channel();
    let platform = Platform::start(move |_| {
        tokio::task::block_in_place(|| told.recv().expect("the test goes on"));
        (201, json!({"@odata.type": "#microsoft.graph.call", "id": "c1", "state": "establishing"})).into()
    });
    let bot = Bot::on(platform.await).await;
    let notifications = async {
        bot.told(changed("c1", json!({"state": "establishing"}))).await;
        bot.told(terminated("c1")).await;
        bot.told(incoming("c2")).await;
        soon(bot.calls.incoming()).await.expect("a call");
        tell.send(()).expect("the platform waits");
    };
    let request = call_to(IdentityKind::Phone, "+15550100", "https://bot/callback");
    let (call, ()) = tokio::join!(bot.calls.create(&request), notifications);
    let call = call.expect("created");
    assert!(matches!(soon(call.established()).await, Err(Error::CallEnded(Some(_)))));
    let asked = bot.platform.asked("/calls")[0].json();
    assert_eq!(asked["targets"][0]["identity"]["phone"]["id"], "+15550100");
    assert_eq!(asked["callbackUri"], "https://bot/callback");
}

#[tokio::test]
async fn an_operation_answered_ended_needs_no_notification() {
    let bot = Bot::on(Platform::start(playing("completed")).await).await;
    let call = bot.established("c1").await;
    let handle = call.play_prompt(["http://bot/a.wav"]).await.expect("started");
    assert_eq!(soon(handle.finished()).await.expect("known").status, OperationStatus::Completed);
}

#[tokio::test]
async fn an_operation_that_failed_is_an_error_however_it_is_known() {
    for status in ["failed", "running"] {
        let bot = Bot::on(Platform::start(playing(status)).await).await;
        let call = bot.established("c1").await;
        let handle = call.play_prompt(["http://bot/a.wav"]).client_context("mine").await.expect("started");
        if status == "running" {
            bot.told(envelope("deleted", "c1/operations/op-1", operation("op-1", "failed"))).await;
        }
        failed(soon(handle.finished()).await);
    }
}

#[tokio::test]
async fn every_verb_gives_an_operation_that_is_awaited_alike() {
    let platform = Platform::start(|asked| {
        let verb = asked.path.rsplit('/').next().unwrap_or_default();
        (200, operation(verb, "running")).into()
    });
    let bot = Bot::on(platform.await).await;
    let call = bot.established("c1").await;
    let handles = [
        call.play_prompt(["http://bot/a.wav"]).client_context("mine").await,
        call.record_response("http://bot/a.wav").client_context("mine").await,
        call.send_dtmf_tones([Tone::Tone1]).client_context("mine").await,
        call.subscribe_to_tone().client_context("mine").await,
        call.cancel_media_processing().client_context("mine").await,
    ];
    for handle in handles {
        let handle = handle.expect("started");
        assert_eq!(bot.platform.asked(handle.id())[0].json()["clientContext"], "mine", "{}", handle.id());
        // Neither is lost if another comes between, nor if nobody waits yet.
        bot.told(operation_ended("c1", handle.id())).await;
        assert_eq!(soon(handle.finished()).await.expect("told").status, OperationStatus::Completed);
    }
    assert!(bot.platform.asked("/operations").is_empty(), "all was told");
}

#[tokio::test]
async fn a_bot_that_is_told_nothing_reads_what_it_waits_for() {
    // Its callbackUri leads elsewhere: of this call nothing comes.
    let platform = Platform::start(|asked| match (asked.path.rsplit_once('/'), &asked.method) {
        (Some((_, "playPrompt")), _) => (200, operation("op-1", "running")).into(),
        (Some((_, "op-1")), _) => (200, operation("op-1", "completed")).into(),
        (Some((_, "c1")), _) => (
            200,
            json!({"@odata.type": "#microsoft.graph.call", "id": "c1",
            "state": "established", "mediaState": {"audio": "active"}}),
        )
            .into(),
        _ => error(404, "8522", "Call not found."),
    });
    let bot = Bot::on(platform.await).await;
    let (call, over) = (bot.calls.follow("c1"), bot.calls.follow("over"));
    let handle = call.play_prompt(["http://bot/a.wav"]).await.expect("started");
    let found = tokio::join!(soon(call.established()), soon(handle.finished()), soon(over.ended()));
    found.0.expect("read");
    assert_eq!(found.1.expect("read").status, OperationStatus::Completed);
    assert_eq!(found.2.expect("read"), None, "a call that is not found is over");
}

#[tokio::test]
async fn an_operation_whose_end_was_not_told_is_asked_for_when_the_call_is_over() {
    let platform = Platform::start(|asked| match asked.path.rsplit_once('/') {
        Some((_, "playPrompt")) => (200, operation("op-1", "running")).into(),
        Some((_, "op-1")) => (200, operation("op-1", "failed")).into(),
        _ => error(404, "8522", "Call not found."),
    });
    let bot = Bot::on(platform.await).await;
    let call = bot.established("c1").await;
    let before = call.play_prompt(["http://bot/a.wav"]).await.expect("started");
    bot.told(terminated("c1")).await;
    failed(soon(before.finished()).await);
    let after = call.play_prompt(["http://bot/a.wav"]).await.expect("started");
    failed(soon(after.finished()).await);
    assert_eq!(bot.platform.asked("/operations/op-1").len(), 2);
}

#[tokio::test]
async fn ends_nobody_asked_for_are_kept_within_bounds() {
    let bot = Bot::on(Platform::start(playing("running")).await).await;
    let call = bot.established("c1").await;
    for nth in 2..=limits::EARLY_OPERATIONS + 2 {
        bot.told(operation_ended("c1", &format!("op-{nth}"))).await;
    }
    bot.told(operation_ended("c1", "op-1")).await;
    let first = call.play_prompt(["http://bot/a.wav"]).await.expect("started");
    soon(first.finished()).await.expect("the newest is kept");
    let second = call.play_prompt(["http://bot/a.wav"]).await.expect("started");
    bot.told(terminated("c1")).await;
    assert_eq!(soon(second.finished()).await.expect_err("the oldest went").code(), Some("8522"));
}

#[tokio::test]
async fn keys_come_in_order_and_end_with_the_call() {
    let bot = Bot::on(Platform::silent().await).await;
    let call = bot.established("c1").await;
    for (nth, tone) in [(1, "tone5"), (2, "Pound")] {
        let info = json!({"sequenceId": nth, "tone": tone});
        bot.told(changed("c1", json!({"state": "established", "toneInfo": info}))).await;
    }
    bot.told(terminated("c1")).await;
    let mut tones = call.tones();
    assert_eq!(soon(tones.recv()).await.map(|tone| (tone.sequence_id, tone.tone)), Some((1, Tone::Tone5)));
    assert_eq!(soon(tones.recv()).await.map(|tone| (tone.sequence_id, tone.tone)), Some((2, Tone::Pound)));
    assert_eq!(soon(tones.recv()).await.map(|tone| tone.tone), None);
}

#[tokio::test]
async fn when_the_listener_goes_nobody_waits_for_ever() {
    let platform = Platform::start(|asked| match asked.path.rsplit_once('/') {
        Some((_, "playPrompt" | "op-1")) => (200, operation("op-1", "running")).into(),
        _ => (200, json!({"@odata.type": "#microsoft.graph.call", "id": "c1", "state": "established"})).into(),
    });
    let bot = Bot::on(platform.await).await;
    let call = bot.established("c1").await;
    let handle = call.play_prompt(["http://bot/a.wav"]).await.expect("started");
    drop(bot.calls);
    assert!(matches!(soon(handle.finished()).await, Err(Error::Closed)), "it goes on");
    assert!(matches!(soon(call.ended()).await, Err(Error::Closed)), "so does the call");
}

#[tokio::test]
async fn every_verb_asks_as_the_contract_says() {
    let platform = Platform::start(|asked| match asked.path.rsplit_once('/') {
        Some((_, "subscribeToTone" | "cancelMediaProcessing")) => (200, operation("op", "completed")).into(),
        Some((_, "playPrompt" | "sendDtmfTones")) => (200, operation("op", "running")).into(),
        Some((_, "operations")) => (200, json!({"value": [operation("op", "running")]})).into(),
        Some((_, "op")) => (200, operation("op", "running")).into(),
        _ => Reply(202, Vec::new(), json!(null)),
    });
    let bot = Bot::on(platform.await).await;
    let graph = Graph::new(bot.platform.config()).expect("settings");
    let call = bot.calls.follow("a/../b?");
    call.reject(RejectReason::Busy).await.expect("rejected");
    call.keep_alive().await.expect("kept");
    call.subscribe_to_tone().await.expect("subscribed");
    call.cancel_media_processing().await.expect("cancelled");
    call.send_dtmf_tones([Tone::Tone1, Tone::Pound]).delay(Duration::from_millis(250)).await.expect("started");
    call.play_prompt(["http://bot/a.wav"]).looped().await.expect("started");
    assert_eq!(graph.list_operations("c").await.expect("a list").len(), 1);
    assert_eq!(graph.get_operation("c", "op").await.expect("one").id, "op");
    call.hang_up().await.expect("hung up");
    let asked: Vec<String> = bot.platform.asked("/calls").iter().map(|a| format!("{} {}", a.method, a.path)).collect();
    let expected = [
        "POST /v1.0/communications/calls/a%2F..%2Fb%3F/reject",
        "POST /v1.0/communications/calls/a%2F..%2Fb%3F/keepAlive",
        "POST /v1.0/communications/calls/a%2F..%2Fb%3F/subscribeToTone",
        "POST /v1.0/communications/calls/a%2F..%2Fb%3F/cancelMediaProcessing",
        "POST /v1.0/communications/calls/a%2F..%2Fb%3F/sendDtmfTones",
        "POST /beta/communications/calls/a%2F..%2Fb%3F/playPrompt",
        "GET /v1.0/communications/calls/c/operations",
        "GET /v1.0/communications/calls/c/operations/op",
        "DELETE /v1.0/communications/calls/a%2F..%2Fb%3F",
    ];
    assert_eq!(asked, expected);
    let sent = bot.platform.asked("/sendDtmfTones")[0].json();
    assert_eq!(sent, json!({"tones": ["tone1", "pound"], "delayBetweenTonesMs": 250}));
    assert_eq!(bot.platform.asked("/reject")[0].json()["reason"], "busy");
    assert_eq!(bot.platform.asked("/playPrompt")[0].json()["loop"], true);
    assert!(matches!(graph.get_call("..").await, Err(Error::Config(_))));
}

#[tokio::test]
async fn a_recording_is_asked_for_awaited_and_read_with_its_own_token() {
    let recording = |status: &str, location: Value, token: Value| {
        let mut recording = operation("rec", status);
        recording["@odata.type"] = "#microsoft.graph.recordOperation".into();
        recording["recordingLocation"] = location;
        recording["recordingAccessToken"] = token;
        recording
    };
    let running = recording("running", Value::Null, Value::Null);
    let platform = Platform::start(move |asked| match asked.path.as_str() {
        path if path.ends_with("/recordResponse") => (200, running.clone()).into(),
        "/recordings/rec" if asked.header("authorization") == "Bearer its-own" => (200, json!("audio")).into(),
        _ => error(401, "InvalidAuthenticationToken", "Not its token."),
    });
    let bot = Bot::on(platform.await).await;
    let call = bot.established("c1").await;
    let asking = call.record_response("https://bot/prompt.wav").client_context("mine").max_duration(30).max_silence(2);
    let asking = asking.initial_silence(9).stop_tones([Tone::Pound, Tone::Tone1]).without_beep().barging_in();
    let handle = asking.await.expect("asked");
    let sent = bot.platform.asked("/recordResponse")[0].json();
    let expected = json!({
        "prompts": [{"@odata.type": "#microsoft.graph.mediaPrompt",
            "mediaInfo": {"@odata.type": "#microsoft.graph.mediaInfo", "uri": "https://bot/prompt.wav"}}],
        "clientContext": "mine", "bargeInAllowed": true, "playBeep": false, "stopTones": ["#", "1"],
        "initialSilenceTimeoutInSeconds": 9, "maxSilenceTimeoutInSeconds": 2, "maxRecordDurationInSeconds": 30,
    });
    assert_eq!(sent, expected);
    let unread = call.recording(handle.answered()).await.expect_err("not yet");
    assert!(unread.to_string().contains("no recording"), "{unread}");

    let location = format!("{}/recordings/rec", bot.platform.url());
    let ended = recording("completed", location.into(), "its-own".into());
    bot.told(envelope("deleted", "c1/operations/rec", ended)).await;
    let mut finished = soon(handle.finished()).await.expect("told");
    assert_eq!(call.recording(&finished).await.expect("read"), &b"\"audio\""[..]);
    finished.recording_access_token = Some("another".into());
    assert_eq!(call.recording(&finished).await.expect_err("refused").code(), Some("InvalidAuthenticationToken"));
}
