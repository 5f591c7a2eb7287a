//! recordResponse over real sockets: what a phone says is what is read, however the recording ends; who may read it; and
//! what the server does not take.

use std::path::Path;
use std::time::Duration;

use ringback_media::correlate::correlate;
use ringback_media::{resample, wav};
use ringback_signal::phone::PhoneCall;
use serde_json::{Value, json};

use crate::soon;
use crate::web::{Answer, Bot};
use crate::world::{APP, USERS, World, play, record, tone, words};

/// A recording, asked for at its own address with this token.
async fn ask(world: &World, method: &str, operation: &Value, token: &str) -> Answer {
    let location = operation["recordingLocation"].as_str().expect("a location");
    let path = location.strip_prefix(world.server.public_url()).expect("it is on this server");
    Bot { http: world.http(), token: token.to_owned() }.ask(method, path, None).await
}

/// What was recorded, by the operation as the bot was told it: mono, 16 kHz.
pub(crate) async fn read(world: &World, operation: &Value) -> Vec<i16> {
    let token = operation["recordingAccessToken"].as_str().expect("a token");
    let answer = ask(world, "GET", operation, token).await.is(200);
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let wav = wav::decode(&answer.body).expect("a WAV file");
    assert_eq!(wav.rate, 16_000);
    wav.pcm
}

/// How alike what was said, at 8 kHz, and what was recorded are.
fn likeness(said: &[i16], recorded: &[i16]) -> f64 {
    let said = resample(said, 8_000, 16_000);
    correlate(&said, recorded, recorded.len()).map_or(0.0, |found| found.coefficient)
}

/// A recording that lasts as long as a busy machine needs, if nothing else ends it.
pub(crate) fn long_record(prompt: &str) -> Value {
    let mut body = record(prompt);
    for time in ["initialSilenceTimeoutInSeconds", "maxSilenceTimeoutInSeconds", "maxRecordDurationInSeconds"] {
        body[time] = 120.into();
    }
    body
}

/// Says it, at 8 kHz, over and over, until what is recorded so far has it as it is: a busy machine's jitter may cut a voice
/// anywhere.
pub(crate) async fn say_until_recorded(up: &PhoneCall, said: &[i16], data: &Path, call: &str, recording: &str) {
    let part = data.join("recordings").join(APP).join(format!("{call}_{recording}.part"));
    let latest = || -> Vec<i16> {
        let bytes = std::fs::read(&part).unwrap_or_default();
        let samples = bytes.get(wav::HEADER_BYTES as usize..).unwrap_or_default().chunks_exact(2);
        let all: Vec<i16> = samples.map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect();
        all[all.len().saturating_sub(6 * said.len())..].to_vec()
    };
    let saying = async {
        loop {
            up.say(said).await;
        }
    };
    let listening = async {
        while likeness(said, &latest()) <= 0.9 {
            up.heard_at_least(up.position() + 4_000).await;
        }
    };
    soon(async {
        tokio::select! {
            () = saying => {}
            () = listening => {}
        }
    })
    .await;
}

fn seconds(pcm: &[i16]) -> f64 {
    pcm.len() as f64 / 16_000.0
}

/// Status, code, subcode and reason of an operation that has ended.
fn end(operation: &Value) -> (&str, i64, i64, &str) {
    let result = &operation["resultInfo"];
    (
        operation["status"].as_str().expect("a status"),
        result["code"].as_i64().expect("a code"),
        result["subcode"].as_i64().expect("a subcode"),
        operation["completionReason"].as_str().unwrap_or_default(),
    )
}

/// Waits until the phone has heard the prompt and the beep.
async fn beeped(up: &PhoneCall, from: usize) {
    let (sound, quiet) = (Duration::from_millis(250), Duration::from_millis(150));
    soon(up.heard_until_quiet(from, sound, quiet, Duration::from_secs(30))).await.expect("a beep");
}

/// A phone in a call with the bot, and a prompt of 100 ms to be played.
async fn in_a_call() -> (World, String, PhoneCall, String) {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let prompt = world.journal.file("/prompt.wav", tone(100));
    let (call, up) = world.call_to(&phone, USERS[0].0).await;
    (world, call, up, prompt)
}

async fn begin(world: &World, call: &str, body: &Value) -> String {
    let answer = world.bot.beta(&format!("/{call}/recordResponse"), body).await.is(200);
    let answered = answer.json();
    assert_eq!(answered["status"], "running", "{answered}");
    for member in ["recordingLocation", "recordingAccessToken", "completionReason", "resultInfo"] {
        assert_eq!(answered.get(member), Some(&Value::Null), "{member} in {answered}");
    }
    answer.id()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_tone_ends_it_and_what_was_said_is_read_with_its_token_alone() {
    let (world, call, up, prompt) = in_a_call().await;
    world.bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200);
    let mut body = long_record(&prompt);
    body["clientContext"] = "answer".into();
    body["stopTones"] = json!(["#", "star"]);
    let from = up.position();
    let id = begin(&world, &call, &body).await;
    beeped(&up, from).await;
    let said = words(1_500);
    say_until_recorded(&up, &said, &world.data(), &call, &id).await;
    up.press("1#").await;
    let told = world.journal.ended(&call, &id).await;
    assert_eq!(end(&told), ("completed", 200, 8514, "stopToneDetected"));
    assert_eq!(told["clientContext"], "answer");
    // Keys are told as keys, and before the recording's end, which one of them made.
    let gists = world.journal.gists(&call);
    assert!(gists.ends_with(&["tone tone1", "tone pound", "operation completed"].map(str::to_owned)), "{gists:?}");

    // S2: the same in GET, by both versions; v1.0 has no completionReason.
    for version in ["v1.0", "beta"] {
        let path = format!("/{version}/communications/calls/{call}/operations/{id}");
        let read = world.bot.ask("GET", &path, None).await.is(200).json();
        for member in ["status", "resultInfo", "clientContext", "recordingLocation", "recordingAccessToken"] {
            assert_eq!(read[member], told[member], "{version} {member}");
        }
        assert_eq!(read.get("completionReason").is_some(), version == "beta");
    }
    let recorded = read(&world, &told).await;
    assert!(likeness(&said, &recorded) > 0.9, "{}", likeness(&said, &recorded));
    assert!((1.5..45.0).contains(&seconds(&recorded)), "{} s", seconds(&recorded));
    assert_eq!(world.journal.fetched("/prompt.wav"), ["GET"], "fetched once");

    // Who has the token may read, and nobody else; without it there is no telling what is there.
    let token = told["recordingAccessToken"].as_str().unwrap();
    let second = begin(&world, &call, &body).await;
    up.press("1").await;
    for wrong in ["", "nonsense", &token[1..], &format!("{token}A"), &world.bot.token] {
        let refused = ask(&world, "GET", &told, wrong).await.is(401);
        assert_eq!(refused.code(), "InvalidAuthenticationToken");
        assert!(refused.header("www-authenticate").is_some());
    }
    let other = json!({"recordingLocation": told["recordingLocation"].as_str().unwrap().replace(&id, &second)});
    assert_eq!(ask(&world, "GET", &other, token).await.is(401).code(), "InvalidAuthenticationToken");
    let none = json!({"recordingLocation": format!("{}/recordings/nonsense", world.server.public_url())});
    assert_eq!(ask(&world, "GET", &none, token).await.is(401).code(), "InvalidAuthenticationToken");
    assert_eq!(ask(&world, "DELETE", &told, token).await.is(405).header("allow"), Some("GET, HEAD"));
    let head = ask_head(&world, &told, token).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains("application/octet-stream"), "{head}");
    // The operator sees the operation, and no key to what was said.
    let operator = world.operator(&format!("calls/{call}/operations/{id}")).await.is(200);
    assert!(operator.text().contains("recordingLocation") && !operator.text().contains(token), "{}", operator.text());

    // It is read after the call, too.
    soon(up.hang_up()).await;
    world.over(&call).await;
    assert_eq!(read(&world, &told).await, recorded);
}

/// HEAD announces what GET sends, and sends nothing.
async fn ask_head(world: &World, operation: &Value, token: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let location = operation["recordingLocation"].as_str().expect("a location");
    let path = location.strip_prefix(world.server.public_url()).expect("it is on this server");
    let request =
        format!("HEAD {path} HTTP/1.1\r\nHost: r\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut stream = soon(tokio::net::TcpStream::connect(world.http())).await.expect("it listens");
    soon(stream.write_all(request.as_bytes())).await.expect("sent");
    let mut text = String::new();
    soon(stream.read_to_string(&mut text)).await.expect("a head");
    assert!(text.ends_with("\r\n\r\n"), "nothing follows: {text}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_or_its_length_ends_it() {
    let (world, call, up, prompt) = in_a_call().await;
    let mut body = long_record(&prompt);
    body["maxSilenceTimeoutInSeconds"] = 3.into();
    let from = up.position();
    let id = begin(&world, &call, &body).await;
    beeped(&up, from).await;
    let said = words(1_200);
    say_until_recorded(&up, &said, &world.data(), &call, &id).await;
    let told = world.journal.ended(&call, &id).await;
    assert_eq!(end(&told), ("completed", 200, 8516, "maxSilenceTimeout"));
    let recorded = read(&world, &told).await;
    assert!(likeness(&said, &recorded) > 0.9, "{}", likeness(&said, &recorded));

    body["maxRecordDurationInSeconds"] = 1.into();
    body["playBeep"] = false.into();
    let id = begin(&world, &call, &body).await;
    up.say(&words(4_000)).await;
    let told = world.journal.ended(&call, &id).await;
    assert_eq!(end(&told), ("completed", 200, 8515, "maxRecordDurationReached"));
    assert_eq!(told["resultInfo"]["message"], "Action completed, max record duration reached.");
    assert_eq!(read(&world, &told).await.len(), 16_000, "to the sample");
    soon(up.hang_up()).await;
    world.over(&call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_speaks_or_no_prompt_plays_there_is_no_recording() {
    let (world, call, up, prompt) = in_a_call().await;
    let mut body = record(&prompt);
    body["initialSilenceTimeoutInSeconds"] = 1.into();
    let id = begin(&world, &call, &body).await;
    let told = world.journal.ended(&call, &id).await;
    assert_eq!(end(&told), ("failed", 400, 8510, "initialSilenceTimeout"));
    assert_eq!((&told["recordingLocation"], &told["recordingAccessToken"]), (&json!(""), &json!("")));
    let text = world.journal.file("/text.wav", b"no WAV".to_vec());
    for (prompt, subcode) in [(world.journal.url("/missing.wav"), 8536), (text, 8535)] {
        let id = begin(&world, &call, &record(&prompt)).await;
        let told = world.journal.ended(&call, &id).await;
        assert_eq!(end(&told), ("failed", 400, subcode, "playPromptFailed"));
        assert_eq!(told["recordingLocation"], "");
    }
    soon(up.hang_up()).await;
    world.over(&call).await;
    let files =
        std::fs::read_dir(world.data().join("recordings")).expect("a folder").map(|entry| entry.unwrap().path());
    let left: usize = files.map(|app| std::fs::read_dir(app).expect("a folder").count()).sum();
    assert_eq!(left, 0, "nothing is left of what is not kept");
}

/// Prompts and recordings run one after another, and cancelling ends both; what was recorded until then is not kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_behind_a_prompt_and_is_cancelled_with_it() {
    let (world, call, up, prompt) = in_a_call().await;
    world.journal.withhold("/prompt.wav");
    let first = world.bot.post(&format!("/{call}/playPrompt"), &play(&[&prompt], None)).await.is(200).id();
    let queued = world.bot.post(&format!("/{call}/recordResponse"), &record(&prompt)).await.is(200);
    assert_eq!(queued.json()["status"], "notStarted");
    let queued = queued.id();
    let last = world.bot.post(&format!("/{call}/playPrompt"), &play(&[&prompt], None)).await.is(200).id();
    world.journal.hand_over("/prompt.wav");
    world.journal.ended(&call, &first).await;
    assert_eq!(world.bot.operation(&call, &queued).await["status"], "running");
    world.bot.post(&format!("/{call}/cancelMediaProcessing"), &json!({})).await.is(200);
    for id in [&queued, &last] {
        let told = world.journal.ended(&call, id).await;
        assert_eq!((&told["status"], &told["resultInfo"]["subcode"]), (&json!("failed"), &json!(8508)));
    }
    let told = world.journal.ended(&call, &queued).await;
    assert_eq!(end(&told), ("failed", 400, 8508, "operationCanceled"));
    assert_eq!((&told["recordingLocation"], &told["recordingAccessToken"]), (&json!(""), &json!("")));
    soon(up.hang_up()).await;
    world.over(&call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_barges_in() {
    let (world, call, up, prompt) = in_a_call().await;
    let long = world.journal.file("/long.wav", tone(20_000));
    let path = format!("/{call}/playPrompt");
    let playing = world.bot.post(&path, &play(&[&long], None)).await.is(200).id();
    let queued = world.bot.post(&path, &play(&[&long], None)).await.is(200).id();
    let mut body = long_record(&prompt);
    body["bargeInAllowed"] = true.into();
    body["stopTones"] = json!(["*"]);
    let first = begin(&world, &call, &body).await;
    for id in [&playing, &queued] {
        assert_eq!(world.journal.ended(&call, id).await["resultInfo"]["subcode"], 8508);
    }
    // A recording is cut into as well.
    let second = begin(&world, &call, &body).await;
    assert_eq!(end(&world.journal.ended(&call, &first).await), ("failed", 400, 8508, "operationCanceled"));
    // The prompt that was cut short may sound into the first of these.
    beeped(&up, up.position()).await;
    let said = words(800);
    say_until_recorded(&up, &said, &world.data(), &call, &second).await;
    up.press("*").await;
    let told = world.journal.ended(&call, &second).await;
    assert_eq!(end(&told), ("completed", 200, 8514, "stopToneDetected"));
    let recorded = read(&world, &told).await;
    assert!(likeness(&said, &recorded) > 0.9, "{}", likeness(&said, &recorded));
    soon(up.hang_up()).await;
    world.over(&call).await;
}

/// Design promise 7: kept whatever ends the call, and told before the call's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hangs_up_what_was_said_is_kept_and_told() {
    for far in [true, false] {
        let (world, call, up, prompt) = in_a_call().await;
        let from = up.position();
        let id = begin(&world, &call, &long_record(&prompt)).await;
        let queued = world.bot.post(&format!("/{call}/playPrompt"), &play(&[&prompt], None)).await.is(200).id();
        beeped(&up, from).await;
        let said = words(1_000);
        say_until_recorded(&up, &said, &world.data(), &call, &id).await;
        if far {
            soon(up.hang_up()).await;
        } else {
            world.bot.hang_up(&call).await;
            soon(up.ended()).await;
        }
        let gists = world.over(&call).await;
        let told = world.journal.ended(&call, &id).await;
        assert_eq!(end(&told), ("completed", 200, 8517, "mediaReceiveTimeout"));
        let recorded = read(&world, &told).await;
        assert!(likeness(&said, &recorded) > 0.9, "{}", likeness(&said, &recorded));
        assert_eq!(world.journal.operation(&call, &queued).len(), 1);
        assert!(gists.ends_with(&["operation completed", "operation failed", "terminated"].map(str::to_owned)));
        assert_eq!(world.bot.operation(&call, &id).await["recordingLocation"], told["recordingLocation"]);
    }
}

/// The call may end before anything was recorded: then there is nothing to keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_ends_while_the_prompt_plays_leaves_no_recording() {
    let (world, call, up, _) = in_a_call().await;
    let long = world.journal.file("/long.wav", tone(20_000));
    let from = up.position();
    let id = begin(&world, &call, &record(&long)).await;
    while up.heard()[from.min(up.position())..].iter().all(|sample| sample.unsigned_abs() < 1_000) {
        tokio::task::yield_now().await;
    }
    soon(up.hang_up()).await;
    assert_eq!(world.over(&call).await.last().map(String::as_str), Some("terminated"));
    let told = world.journal.ended(&call, &id).await;
    assert_eq!(end(&told), ("failed", 400, 8508, "operationCanceled"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_refused_in_words_and_starts_nothing() {
    let world = World::start().await;
    let call = world.null_call().await;
    let prompt = "http://h/p.wav";
    let with = |member: &str, value: Value| {
        let mut body = record(prompt);
        body[member] = value;
        body
    };
    let two = json!([record(prompt)["prompts"][0], record(prompt)["prompts"][0]]);
    for prompts in [json!([]), Value::Null, two] {
        let refused = world.bot.post(&format!("/{call}/recordResponse"), &with("prompts", prompts)).await.is(400);
        assert_eq!(refused.code(), "8523");
        assert!(refused.message().starts_with("prompts must hold exactly one prompt"), "{}", refused.message());
    }
    for (member, value, named) in [
        ("maxRecordDurationInSeconds", json!(121), "must be 1 to 120 seconds"),
        ("initialSilenceTimeoutInSeconds", json!(0), "must be 1 to 120 seconds"),
        ("maxSilenceTimeoutInSeconds", json!(-5), "must be 1 to 120 seconds"),
        ("maxSilenceTimeoutInSeconds", json!("soon"), "a whole number"),
        ("stopTones", json!(["12"]), "one key"),
        ("stopTones", json!("#"), "a list"),
        ("playBeep", json!("yes"), "true or false"),
        ("prompts", json!([{"mediaInfo": {"uri": "file:///etc/passwd"}}]), "an http or https URL"),
    ] {
        let refused = world.bot.post(&format!("/{call}/recordResponse"), &with(member, value)).await.is(400);
        assert_eq!(refused.code(), "invalidRequest");
        assert!(refused.message().contains(named) && refused.message().contains(member), "{}", refused.message());
    }
    // v1.0 has no record.
    assert_eq!(world.bot.post(&format!("/{call}/record"), &record(prompt)).await.is(400).code(), "BadRequest");
    let operations = world.bot.get(&format!("/{call}/operations")).await.is(200).json();
    assert_eq!(operations["value"], json!([]));
}

/// A test line says a tone of a second, at once; beta's record needs no prompt, and no prompt is fetched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_line_is_recorded_at_once() {
    let world = World::start().await;
    let call = world.null_call().await;
    let id = world.bot.beta(&format!("/{call}/record"), &json!({"clientContext": "c"})).await.is(200).id();
    let told = world.journal.ended(&call, &id).await;
    assert_eq!(end(&told), ("completed", 200, 8516, "maxSilenceTimeout"));
    assert_eq!(told["@odata.type"], "#microsoft.graph.recordOperation");
    let recorded = read(&world, &told).await;
    // All of it, but for the ten milliseconds in which it fades in and out.
    let (said, steady) = (wav::decode(&tone(1_000)).expect("a tone").pcm, 160..15_840);
    assert_eq!((recorded.len(), &recorded[steady.clone()]), (said.len(), &said[steady]));
    let mut body = record("http://127.0.0.1:9/never-fetched.wav");
    body["maxRecordDurationInSeconds"] = 1.into();
    let id = begin(&world, &call, &body).await;
    assert_eq!(end(&world.journal.ended(&call, &id).await).2, 8515);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_keeps_no_more_recordings_than_it_may() {
    let journal = crate::journal::Journal::start().await;
    let text = crate::world::configuration(journal.address());
    let text = text.replacen("numbers = [\"5000\"]", "numbers = [\"5000\"]\nmax_recording_mib = 1", 1);
    let world = World::start_with(journal, tempfile::tempdir().expect("a folder"), &text).await;
    let call = world.null_call().await;
    let path = format!("/{call}/recordResponse");
    let mut body = record("http://h/p.wav");
    body["maxRecordDurationInSeconds"] = 60.into();
    let refused = world.bot.post(&path, &body).await.is(507);
    assert_eq!(refused.code(), "quotaLimitReached");
    assert!(refused.message().contains("1 MiB"), "{}", refused.message());
    body["maxRecordDurationInSeconds"] = 30.into();
    let id = world.bot.post(&path, &body).await.is(200).id();
    assert_eq!(world.journal.ended(&call, &id).await["status"], "completed");
    assert_eq!(
        world.bot.get(&format!("/{call}/operations")).await.is(200).json()["value"].as_array().unwrap().len(),
        1
    );
}
