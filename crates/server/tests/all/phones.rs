//! Calls between bots and SIP phones: how they come up, what is heard of them, how they end.

use ringback_media::correlate::correlate;
use ringback_media::{Codec, Tone};
use ringback_signal::phone::CallEnd;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::soon;
use crate::world::{HERE, NUMBER, USERS, World, create, play, tone};

/// Code and subcode of a call's end.
async fn end_of(world: &World, call: &str) -> (i64, i64) {
    let end = world.journal.wait(call, "terminated").await.data();
    (end["resultInfo"]["code"].as_i64().expect("a code"), end["resultInfo"]["subcode"].as_i64().expect("a subcode"))
}

async fn place(world: &World, user: &str) -> String {
    world.bot.post("", &create(&world.journal.url("/calls"), user)).await.is(201).id()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_answers_and_hangs_up() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let call = place(&world, USERS[0].0).await;
    let ringing = soon(phone.ringing()).await.expect("it rings");
    assert_eq!(ringing.from_display.as_deref(), Some("Bot 5000"));
    assert_eq!(world.bot.get(&format!("/{call}")).await.is(200).json()["state"], "establishing");
    let up = soon(ringing.answer()).await.expect("it is up");
    world.journal.wait(&call, "roster").await;
    soon(up.hang_up()).await;
    assert_eq!(end_of(&world, &call).await, (200, 5002));
    let expected = ["establishing", "established", "established active", "roster", "terminated"];
    assert_eq!(world.journal.gists(&call), expected);
    assert_eq!(world.journal.wait(&call, "established").await.data()["direction"], "outgoing");
}

/// By every name that a user has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_is_called_by_id_number_and_sip_address() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let sip = world.server.sip_addr();
    for identity in [
        json!({"user": {"id": USERS[0].0}}),
        json!({"user": {"id": "1001@one.example"}}),
        json!({"phone": {"id": "1001"}}),
        json!({"user": {"id": format!("sip:1001@{sip}")}}),
    ] {
        let mut body = create(&world.journal.url("/calls"), "");
        body["targets"][0]["identity"] = identity.clone();
        let call = world.bot.post("", &body).await.is(201).id();
        let up = soon(soon(phone.ringing()).await.expect("it rings").answer()).await.expect("it is up");
        world.journal.wait(&call, "established active").await;
        world.bot.hang_up(&call).await;
        assert_eq!(soon(up.ended()).await, CallEnd::FarHungUp, "{identity}");
        assert_eq!(end_of(&world, &call).await, (200, 7000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_does_not_answer_says_why() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    for (status, expected) in [(486, (486, 0)), (600, (486, 0)), (603, (603, 0)), (480, (480, 10037))] {
        let call = place(&world, USERS[0].0).await;
        soon(phone.ringing()).await.expect("it rings").decline(status);
        assert_eq!(end_of(&world, &call).await, expected, "{status}");
        assert_eq!(world.journal.gists(&call), ["establishing", "terminated"]);
        assert_eq!(world.bot.get(&format!("/{call}")).await.is(404).code(), "8522");
    }
    // The other phone is not registered.
    let call = place(&world, USERS[1].0).await;
    assert_eq!(end_of(&world, &call).await, (480, 10037));
    // Nor is this one any more.
    soon(phone.unregister()).await.expect("it unregisters");
    let call = place(&world, USERS[0].0).await;
    assert_eq!(end_of(&world, &call).await, (480, 10037));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_rings_is_given_up() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    // The bot hangs up while it rings.
    let call = place(&world, USERS[0].0).await;
    let mut ringing = soon(phone.ringing()).await.expect("it rings");
    world.bot.hang_up(&call).await;
    soon(ringing.cancelled()).await;
    assert_eq!(end_of(&world, &call).await, (200, 7000));
    assert_eq!(world.journal.gists(&call), ["establishing", "terminating", "terminated"]);
    // It rings as long as the bot said, on beta.
    let mut body = create(&world.journal.url("/calls"), USERS[0].0);
    body["ringingTimeoutInSeconds"] = 1.into();
    let call = world.bot.beta("", &body).await.is(201).id();
    let mut ringing = soon(phone.ringing()).await.expect("it rings");
    assert_eq!(end_of(&world, &call).await, (480, 10076));
    soon(ringing.cancelled()).await;
}

/// The phone rings a bot: its own tenant's, at a number that there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_reaches_the_bots_of_its_tenant_only() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    for number in ["6000", "7777", "1002"] {
        let refused = soon(phone.call(number)).await.err().expect("refused").to_string();
        assert_eq!(refused, "the far end refused with status 404", "{number}");
    }
    let mut dialled = soon(phone.dial("5001")).await.expect("it rings");
    let call = world.journal.incoming(&[]).await;
    assert_eq!(world.journal.of(&call)[0].path, "/sibling");
    // Not the first bot's call.
    assert_eq!(world.bot.get(&format!("/{call}")).await.is(404).code(), "8522");
    let sibling = world.sibling().await;
    assert_eq!(sibling.get(&format!("/{call}")).await.is(200).json()["state"], "incoming");
    assert_eq!(soon(dialled.cancel()).await.unwrap(), 487);
    assert_eq!(end_of(&world, &call).await, (200, 5002));
    assert_eq!(world.journal.told().iter().filter(|told| told.gist() == "incoming").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_is_told_as_the_state_of_the_audio() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let (call, up) = world.call_from(&phone).await;
    soon(up.hold(true)).await.expect("agreed");
    world.journal.wait(&call, "established inactive").await;
    assert_eq!(world.bot.get(&format!("/{call}")).await.is(200).json()["mediaState"]["audio"], "inactive");
    soon(up.hold(false)).await.expect("agreed");
    world.journal.wait_for(&call, "established active", 2).await;
    assert_eq!(world.bot.get(&format!("/{call}")).await.is(200).json()["mediaState"]["audio"], "active");
    soon(up.hang_up()).await;
    world.over(&call).await;
    let audio: Vec<String> = world.journal.gists(&call).into_iter().filter(|gist| gist.contains("active")).collect();
    assert_eq!(audio, ["established active", "established inactive", "established active"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_told_once_each_and_only_when_asked_for() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let file = world.journal.file("/short.wav", tone(100));
    let (call, up) = world.call_from(&phone).await;
    up.press("9").await;
    // When a prompt that began after the key has been played, the key has long been heard.
    let prompt = world.bot.post(&format!("/{call}/playPrompt"), &play(&[&file], None)).await.is(200).id();
    world.journal.ended(&call, &prompt).await;
    world.bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200);
    up.press("1123*#AD").await;
    world.journal.wait(&call, "tone d").await;
    soon(up.hang_up()).await;
    world.over(&call).await;
    let told = world.journal.of(&call);
    let tones: Vec<Value> = told.iter().filter_map(|told| told.data().get("toneInfo").cloned()).collect();
    let words: Vec<&str> = tones.iter().map(|tone| tone["tone"].as_str().unwrap()).collect();
    assert_eq!(words, ["tone1", "tone1", "tone2", "tone3", "star", "pound", "a", "d"]);
    let sequence: Vec<i64> = tones.iter().map(|tone| tone["sequenceId"].as_i64().unwrap()).collect();
    assert_eq!(sequence, (1..=8).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_a_bot_sends_are_heard_in_their_turn() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let file = world.journal.file("/short.wav", tone(100));
    world.journal.withhold("/short.wav");
    let (call, up) = world.call_to(&phone, USERS[0].0).await;
    world.bot.post(&format!("/{call}/playPrompt"), &play(&[&file], None)).await.is(200);
    let path = format!("/{call}/sendDtmfTones");
    let body = json!({"tones": ["tone1", "tone1", "star", "d", "flash"], "delayBetweenTonesMs": 80});
    let first = world.bot.post(&path, &body).await.is(200).id();
    let second = world.bot.beta(&path, &json!({"tones": ["pound"]})).await.is(200);
    assert_eq!(second.json()["status"], "notStarted");
    world.journal.hand_over("/short.wav");
    for id in [first, second.id()] {
        let ended = world.journal.ended(&call, &id).await;
        assert_eq!(
            (ended["status"].as_str(), ended["completionReason"].as_str()),
            (Some("completed"), Some("completedSuccessfully"))
        );
    }
    // The last packets may be on their way still.
    soon(up.pressed(|keys| keys.len() >= 6)).await;
    let expected: Vec<Tone> = "11*D!#".chars().filter_map(Tone::of_key).collect();
    assert_eq!(up.keys(), expected);
    soon(up.hang_up()).await;
    world.over(&call).await;
}

/// A prompt is fetched by one GET per operation, however often it is in it, and nothing asks before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_is_fetched_once_per_operation() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let once = world.journal.file("/once.wav", tone(60));
    let other = world.journal.file("/other.wav", tone(60));
    let (call, up) = world.call_to(&phone, USERS[0].0).await;
    for _ in 0..2 {
        let body = play(&[&once, &other, &once, &once], None);
        let operation = world.bot.post(&format!("/{call}/playPrompt"), &body).await.is(200).id();
        assert_eq!(world.journal.ended(&call, &operation).await["status"], "completed");
    }
    assert_eq!(world.journal.fetched("/once.wav"), ["GET", "GET"]);
    assert_eq!(world.journal.fetched("/other.wav"), ["GET", "GET"]);
    soon(up.hang_up()).await;
    world.over(&call).await;
}

/// contract §1.6: `resourceId` is the cache key of a prompt's uri: with it, operations after the first fetch nothing. It is
/// the app's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_with_a_resource_id_is_fetched_once_for_its_app() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let file = world.journal.file("/kept.wav", tone(60));
    let mut body = play(&[&file], None);
    let (call, up) = world.call_to(&phone, USERS[0].0).await;
    for resource in ["one", "one", "two", "one"] {
        body["prompts"][0]["mediaInfo"]["resourceId"] = resource.into();
        let operation = world.bot.post(&format!("/{call}/playPrompt"), &body).await.is(200).id();
        assert_eq!(world.journal.ended(&call, &operation).await["status"], "completed");
    }
    assert_eq!(world.journal.fetched("/kept.wav"), ["GET", "GET"], "one for each resourceId");
    soon(up.hang_up()).await;
    world.over(&call).await;
}

/// Calls that want it while it is being fetched wait for that one fetch, and the end of one of them is nothing to the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_that_many_calls_want_at_once_is_fetched_once() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let (host, count, release) = slow_host(tone(60)).await;
    let mut body = play(&[&host], None);
    body["prompts"][0]["mediaInfo"]["resourceId"] = "greeting".into();
    let mut plays = Vec::new();
    for _ in 0..5 {
        let (call, up) = world.call_to(&phone, USERS[0].0).await;
        let operation = world.bot.post(&format!("/{call}/playPrompt"), &body).await.is(200).id();
        plays.push((call, operation, up));
    }
    // The one that began the fetch.
    let (first, operation, _up) = plays.remove(0);
    world.bot.post(&format!("/{first}/cancelMediaProcessing"), &json!({})).await.is(200);
    assert_eq!(world.journal.ended(&first, &operation).await["status"], "failed");
    release.send_replace(true);
    for (call, operation, _up) in &plays {
        assert_eq!(world.journal.ended(call, operation).await["status"], "completed");
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

/// A host of one file, which answers nothing until it is released: its URL, and how many requests came.
async fn slow_host(file: Vec<u8>) -> (String, Arc<AtomicUsize>, watch::Sender<bool>) {
    let listener = TcpListener::bind((HERE, 0)).await.expect("a free port");
    let url = format!("http://{}/greeting.wav", listener.local_addr().expect("an address"));
    let (release, released) = watch::channel(false);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (count, mut released, file) = (Arc::clone(&counted), released.clone(), file.clone());
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    assert_ne!(stream.read_line(&mut line).await.expect("a head"), 0, "it ends with an empty line");
                }
                count.fetch_add(1, Ordering::Relaxed);
                released.wait_for(|released| *released).await.expect("the test goes on");
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", file.len());
                stream.write_all(&[head.as_bytes(), &file].concat()).await.expect("it is taken");
            });
        }
    });
    (url, count, release)
}

/// A phone that speaks G.722 hears the whole band of a prompt; in mid-call it may change its mind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_is_heard_in_wide_band_and_then_in_narrow() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    phone.speak(&[Codec::G722, Codec::Pcmu]);
    let wave = |n: i32, hertz: f64| (f64::from(n) * hertz / 16_000.0 * std::f64::consts::TAU).sin();
    let high: Vec<i16> = (0..8_000).map(|n| (wave(n, 6_000.0) * 2_000.0) as i16).collect();
    let both: Vec<i16> = (0..).zip(&high).map(|(n, high)| (wave(n, 700.0) * 8_000.0) as i16 + high).collect();
    let file = world.journal.file("/wide.wav", ringback_media::wav::encode(16_000, &both));
    let (call, up) = world.call_to(&phone, USERS[0].0).await;
    let likeness = |played: &[i16]| {
        let heard = up.heard();
        correlate(played, &heard, heard.len()).map_or(0.0, |found| found.coefficient)
    };
    // Until it is heard as it is: the last packets may be on their way when its end is told, and a busy machine's late.
    let play_until_heard = async |played: &[i16]| {
        while likeness(played) <= 0.95 {
            let operation = world.bot.post(&format!("/{call}/playPrompt"), &play(&[&file], None)).await.is(200).id();
            assert_eq!(world.journal.ended(&call, &operation).await["status"], "completed");
            up.heard_at_least(up.position() + up.rate() as usize / 5).await;
        }
    };
    assert_eq!(up.rate(), 16_000);
    soon(play_until_heard(&both)).await;
    assert!(likeness(&high) > 0.15, "the high tone is there: {}", likeness(&high));
    phone.speak(&[Codec::Pcma]);
    soon(up.hold(false)).await.expect("it agrees");
    assert_eq!(up.rate(), 8_000);
    let narrow: Vec<i16> = (0..4_000).map(|n| (wave(2 * n, 700.0) * 8_000.0) as i16).collect();
    soon(play_until_heard(&narrow)).await;
    soon(up.hang_up()).await;
    world.over(&call).await;
}

/// What is played is what is heard, and what is cancelled is heard no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cancelled_falls_silent_and_the_next_is_heard() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let long = world.journal.file("/long.wav", tone(20_000));
    let sweep: Vec<i16> = (0..16_000).map(|n| ((f64::from(n * n) * 0.000_025).sin() * 8_000.0) as i16).collect();
    let next = world.journal.file("/next.wav", ringback_media::wav::encode(16_000, &sweep));
    let (call, up) = world.call_to(&phone, USERS[0].0).await;
    let path = format!("/{call}/playPrompt");
    let running = world.bot.post(&path, &play(&[&long], None)).await.is(200).id();
    let queued = world.bot.post(&path, &play(&[&long], None)).await.is(200).id();
    // It sounds.
    while up.position() < 1_600 || up.heard().iter().all(|sample| sample.unsigned_abs() < 1_000) {
        tokio::task::yield_now().await;
    }
    let cancel = world.bot.post(&format!("/{call}/cancelMediaProcessing"), &json!({})).await.is(200).json();
    assert_eq!(cancel["status"], "completed");
    for operation in [&running, &queued] {
        let ended = world.journal.ended(&call, operation).await;
        assert_eq!((&ended["status"], &ended["resultInfo"]["subcode"]), (&json!("failed"), &json!(8508)));
        assert_eq!(ended["completionReason"], "mediaOperationCanceled");
    }
    let (sound, quiet) = (Duration::from_millis(20), Duration::from_millis(400));
    soon(up.heard_until_quiet(0, sound, quiet, Duration::from_secs(30))).await.expect("it falls silent");
    let from = up.position();
    assert!(from < 20 * 8_000, "it was played to its end: {from} samples of 8 kHz");
    // The queue is empty: the next one runs at once.
    let answered = world.bot.post(&path, &play(&[&next], None)).await.is(200);
    assert_eq!(answered.json()["status"], "running");
    assert_eq!(world.journal.ended(&call, &answered.id()).await["status"], "completed");
    let heard = up.heard_until_quiet(from, Duration::from_millis(500), quiet, Duration::from_secs(30));
    let heard = soon(heard).await.expect("it is heard");
    // 8 kHz on the wire: every other sample, the sweep staying far below 4 kHz.
    let wanted: Vec<i16> = sweep.iter().step_by(2).copied().collect();
    let likeness = correlate(&wanted, &heard, heard.len()).expect("sound").coefficient.abs();
    assert!(likeness >= 0.9, "{likeness}");
    soon(up.hang_up()).await;
    world.over(&call).await;
    assert_eq!(world.journal.fetched("/long.wav"), ["GET"], "a prompt that never began is not fetched");
}

/// An app has as many calls as it may, whoever begins them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_has_no_more_calls_than_it_may() {
    let journal = crate::journal::Journal::start().await;
    let text = crate::world::configuration(journal.address());
    let text = text.replacen("numbers = [\"5000\"]", "numbers = [\"5000\"]\nmax_calls = 2", 1);
    let world = World::start_with(journal, tempfile::tempdir().expect("a folder"), &text).await;
    let phone = world.phone("1001").await;
    let first = world.null_call().await;
    let second = world.null_call().await;
    let refused = world.bot.post("", &create(&world.journal.url("/calls"), USERS[0].0)).await.is(429);
    assert_eq!(refused.code(), "activityLimitReached");
    assert!(refused.header("retry-after").is_some());
    let busy = soon(phone.call(NUMBER)).await.err().expect("refused").to_string();
    assert_eq!(busy, "the far end refused with status 503");
    // The sibling is not concerned.
    let sibling = world.sibling().await;
    sibling.post("", &create(&world.journal.url("/sibling"), crate::world::NULL_LINE)).await.is(201);
    for call in [&first, &second] {
        world.bot.hang_up(call).await;
        world.over(call).await;
    }
    world.null_call().await;
}

/// Beta's `loop` of one prompt plays it so often in a row; it is fetched once, and told as it was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompts_own_loop_repeats_it() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let (short, last) = (world.journal.file("/short.wav", tone(100)), world.journal.file("/last.wav", tone(100)));
    let (call, up) = world.call_to(&phone, USERS[0].0).await;
    let mut body = play(&[&short, &last], None);
    body["prompts"][0]["loop"] = 8.into();
    let path = format!("/{call}/playPrompt");
    let from = up.position();
    let id = world.bot.beta(&path, &body).await.is(200).id();
    let told = world.journal.ended(&call, &id).await;
    assert_eq!(told["status"], "completed");
    assert_eq!((&told["prompts"][0]["loop"], told["prompts"][1].get("loop")), (&json!(8), None));
    assert_eq!(world.journal.fetched("/short.wav"), ["GET"]);
    let (sound, quiet) = (Duration::from_millis(800), Duration::from_millis(300));
    let heard = up.heard_until_quiet(from, sound, quiet, Duration::from_secs(30));
    assert!(soon(heard).await.is_some(), "eight times 100 ms, and once more");
    // v1.0 has no such member, and what cannot be is refused.
    let id = world.bot.post(&path, &body).await.is(200).id();
    assert_eq!(world.journal.ended(&call, &id).await["prompts"][0].get("loop"), None);
    for times in [-1, 1_000] {
        body["prompts"][0]["loop"] = times.into();
        let refused = world.bot.beta(&path, &body).await.is(400);
        assert_eq!(refused.code(), "invalidRequest");
        assert!(refused.message().starts_with("prompts[0].loop"), "{}", refused.message());
    }
    soon(up.hang_up()).await;
    world.over(&call).await;
}

/// reject may say where the call's end is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_call_is_told_where_the_bot_says() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let dialled = soon(phone.dial(NUMBER)).await.expect("it rings");
    let call = world.journal.incoming(&[]).await;
    let path = format!("/{call}/reject");
    let refused = world.bot.post(&path, &json!({"callbackUri": "nowhere"})).await.is(400);
    assert!(refused.message().starts_with("callbackUri"), "{}", refused.message());
    let elsewhere = world.journal.url("/elsewhere");
    world.bot.post(&path, &json!({"reason": "busy", "callbackUri": elsewhere})).await.is(202).without_body();
    assert_eq!(world.journal.wait(&call, "terminated").await.path, "/elsewhere");
    assert_eq!(world.journal.of(&call)[0].path, "/calls");
    assert_eq!(
        soon(dialled.answered()).await.err().expect("refused").to_string(),
        "the far end refused with status 486"
    );
}
