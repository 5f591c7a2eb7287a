//! The test API: scripted phones that call bots and are called by them, and what they say when something is amiss.

use ringback_media::wav;
use serde_json::{Value, json};

use crate::journal::{Journal, Reply};
use crate::web::{Answer, Bot};
use crate::world::{APP, NUMBER, USERS, WEBHOOK, World, answer, configuration, create, play};

/// A scripted phone.
struct Phone {
    door: Bot,
    id: String,
}

impl Phone {
    async fn make(world: &World, how: Value) -> Phone {
        let door = world.door();
        let id = door.ask("POST", "/_ringback/test/phones", Some(&how)).await.is(201).id();
        Phone { door, id }
    }

    async fn ask(&self, method: &str, rest: &str, body: &[u8]) -> Answer {
        let path = format!("/_ringback/test/phones/{}{rest}", self.id);
        self.door.ask_raw(method, &path, "", Some(body)).await
    }

    /// A step, answered by 200.
    async fn step(&self, step: &str, body: &[u8]) -> Value {
        self.ask("POST", &format!("/{step}"), body).await.is(200).json()
    }

    /// A step that is good.
    async fn good(&self, step: &str, body: &[u8]) -> Value {
        let taken = self.step(step, body).await;
        assert_eq!((&taken["ok"], &taken["why"]), (&json!(true), &Value::Null), "{step}: {taken}");
        taken
    }

    /// A step that is in vain, for this reason.
    async fn vain(&self, step: &str, body: &[u8], why: &str) -> Value {
        let taken = self.step(step, body).await;
        let told = taken["why"].as_str().unwrap_or_default();
        assert!(taken["ok"] == false && told.contains(why), "{step}: {taken}");
        taken
    }
}

/// Two seconds of tones that are unlike those of another seed.
fn melody(seed: u64) -> Vec<u8> {
    let pcm: Vec<i16> = (0..32_000u64)
        .map(|n| {
            let pitch = 400.0 + ((n / 2_000 + 1) * (seed * 2 + 1) * 7_919 % 2_500) as f64;
            ((n as f64 * pitch / 16_000.0 * std::f64::consts::TAU).sin() * 9_000.0) as i16
        })
        .collect();
    wav::encode(16_000, &pcm)
}

/// The bot answers the call that comes next.
async fn answers(world: &World) -> String {
    let call = world.journal.incoming(&[]).await;
    world.bot.post(&format!("/{call}/answer"), &answer()).await.is(202);
    world.journal.wait(&call, "established active").await;
    call
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scripted_phone_calls_presses_and_hears() {
    let world = World::start().await;
    let phone = Phone::make(&world, json!({"number": "+1 555 010-0007"})).await;
    phone.good("call", json!({"to": NUMBER}).to_string().as_bytes()).await;
    let call = answers(&world).await;
    let answered = phone.good("wait", br#"{"for": "answered"}"#).await;
    assert_eq!(answered["phone"]["call"], call);
    assert_eq!(answered["phone"]["state"], "answered");
    let from = world.journal.wait(&call, "incoming").await.data()["source"]["identity"]["phone"]["id"].clone();
    assert_eq!(from, "+15550100007");

    world.bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200);
    let first = world.journal.file("/first.wav", melody(1));
    world.bot.post(&format!("/{call}/playPrompt"), &play(&[&first], None)).await.is(200);
    let heard = phone.good("expect?within=30", &melody(1)).await;
    assert!(heard["likeness"].as_f64().unwrap() > 0.9, "{heard}");
    // It was heard once: another expectation begins after it, and hears nothing; something else is not it.
    phone.vain("expect?within=1", &melody(1), "heard nothing but silence").await;
    let second = world.journal.file("/second.wav", melody(2));
    world.bot.post(&format!("/{call}/playPrompt"), &play(&[&second], None)).await.is(200);
    let other = phone.vain("expect?within=4", &melody(3), "at best 0.").await;
    assert!(other["likeness"].as_f64().unwrap() < 0.5, "{other}");
    phone.good("expect?within=30", &melody(2)).await;
    phone.good("press", br#"{"keys": "12#"}"#).await;
    for tone in ["tone tone1", "tone tone2", "tone pound"] {
        world.journal.wait(&call, tone).await;
    }
    world.bot.post(&format!("/{call}/sendDtmfTones"), &json!({"tones": ["tone4", "star"]})).await.is(200);
    phone.good("wait", br#"{"keys": "4*", "within": 30}"#).await;
    phone.good("say", &melody(3)).await;
    world.bot.hang_up(&call).await;
    let ended = phone.good("wait", br#"{"for": "ended", "within": 30}"#).await;
    assert_eq!(ended["phone"]["ended"]["by"], "bot");
    let told: Vec<&str> =
        ended["phone"]["timeline"].as_array().unwrap().iter().filter_map(|entry| entry["text"].as_str()).collect();
    assert!(told.contains(&"incoming → acknowledged"), "{told:?}");
    assert!(told.contains(&"call answered by its bot"), "{told:?}");
    // What was heard stays, and a call that is over is said to be.
    let recorded = phone.ask("GET", "/heard.wav", b"").await.is(200);
    assert_eq!(wav::decode(&recorded.body).unwrap().rate, 8_000);
    phone.vain("press", br#"{"keys": "1"}"#, "the bot hung up").await;
    phone.ask("DELETE", "", b"").await.is(204);
    phone.ask("GET", "", b"").await.is(404);
}

/// Most menus end so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_hangs_up_at_a_key_has_taken_it() {
    let world = World::start().await;
    let phone = Phone::make(&world, json!({"number": "+15550100008"})).await;
    phone.good("call", json!({"to": NUMBER}).to_string().as_bytes()).await;
    let call = answers(&world).await;
    world.bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200);
    let hangs_up = async {
        world.journal.wait(&call, "tone tone2").await;
        world.bot.hang_up(&call).await;
    };
    tokio::join!(phone.good("press", br#"{"keys": "12"}"#), hangs_up);
    phone.good("wait", br#"{"for": "ended", "within": 30}"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scripted_phone_is_called_and_does_as_it_was_told() {
    let world = World::start().await;
    let place = async || world.bot.post("", &create(&world.journal.url(WEBHOOK), USERS[0].0)).await.is(201).id();
    let end = async |call: &str| world.journal.wait(call, "terminated").await.data()["resultInfo"]["code"].clone();
    for (called, code) in [("busy", 486), ("decline", 603)] {
        let phone = Phone::make(&world, json!({"number": "1001", "called": called})).await;
        assert_eq!(end(&place().await).await, code, "{called}");
        let ended = phone.good("wait", br#"{"for": "ended"}"#).await;
        assert_eq!(ended["phone"]["ended"], json!({"by": "phone", "status": code}));
        phone.ask("DELETE", "", b"").await.is(204);
    }
    let phone = Phone::make(&world, json!({"number": "1001", "codec": "G722"})).await;
    let call = place().await;
    world.journal.wait(&call, "established active").await;
    let answered = phone.good("wait", br#"{"for": "answered"}"#).await;
    assert_eq!(answered["phone"]["call"], call);
    world
        .bot
        .post(&format!("/{call}/playPrompt"), &play(&[&world.journal.file("/p.wav", melody(4))], None))
        .await
        .is(200);
    phone.good("expect?within=30", &melody(4)).await;
    phone.good("hang-up", b"").await;
    assert_eq!(end(&call).await, 200);
    phone.ask("DELETE", "", b"").await.is(204);

    let phone = Phone::make(&world, json!({"number": "1001", "called": "ring"})).await;
    let call = place().await;
    phone.good("wait", br#"{"for": "ringing"}"#).await;
    phone.vain("wait", br#"{"for": "answered", "within": 0.1}"#, "the call is ringing after 0.1 s").await;
    phone.good("answer", b"").await;
    world.journal.wait(&call, "established active").await;
    phone.good("hang-up", b"").await;
    // One that is given up, and one that is declined after all.
    let call = place().await;
    phone.good("wait", br#"{"for": "ringing"}"#).await;
    world.bot.hang_up(&call).await;
    phone.good("wait", br#"{"for": "ended"}"#).await;
    let call = place().await;
    phone.good("wait", br#"{"for": "ringing"}"#).await;
    phone.good("hang-up", b"").await;
    assert_eq!(end(&call).await, 603);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_is_called_again_hears_the_second_call_from_its_beginning() {
    let world = World::start().await;
    let phone = Phone::make(&world, json!({"number": "1001"})).await;
    for seed in [1, 2] {
        let call = world.bot.post("", &create(&world.journal.url(WEBHOOK), USERS[0].0)).await.is(201).id();
        world.journal.wait(&call, "established active").await;
        phone.good("wait", br#"{"for": "answered"}"#).await;
        let file = world.journal.file(&format!("/{seed}.wav"), melody(seed));
        world.bot.post(&format!("/{call}/playPrompt"), &play(&[&file], None)).await.is(200);
        phone.good("expect?within=30", &melody(seed)).await;
        world.bot.hang_up(&call).await;
        phone.good("wait", br#"{"for": "ended", "within": 30}"#).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_fails_says_why() {
    let world = World::start().await;
    let phone = Phone::make(&world, json!({"number": "1001"})).await;
    phone.vain("press", br#"{"keys": "1"}"#, "no call was made").await;
    phone.good("call", br#"{"to": "4711"}"#).await;
    phone.vain("wait", br#"{"for": "answered"}"#, "neither a bot nor a meeting is at that number").await;
    // The webhook refuses; the call is then answered by nobody.
    world.journal.always(WEBHOOK, Reply::status(401));
    phone.good("call", json!({"to": APP}).to_string().as_bytes()).await;
    phone.vain("wait", br#"{"for": "answered", "within": 40}"#, "answered 401").await;
    world.journal.mend(WEBHOOK);
    // A bot that rejects, and a caller that gives up.
    phone.good("call", json!({"to": NUMBER}).to_string().as_bytes()).await;
    let known = [world.journal.incoming(&[]).await];
    let call = world.journal.incoming(&known).await;
    world.bot.post(&format!("/{call}/reject"), &json!({"reason": "busy"})).await.is(202);
    phone.vain("wait", br#"{"for": "answered", "within": 30}"#, "rejected the call as busy (486)").await;
    let known = [known[0].clone(), call];
    phone.good("call", json!({"to": NUMBER}).to_string().as_bytes()).await;
    let call = world.journal.incoming(&known).await;
    assert_eq!(world.journal.wait(&call, "incoming").await.data()["source"]["identity"]["user"]["id"], USERS[0].0);
    let again = phone.ask("POST", "/call", json!({"to": NUMBER}).to_string().as_bytes()).await;
    assert_eq!(again.is(409).code(), "notAllowed");
    phone.good("hang-up", b"").await;
    world.journal.wait(&call, "terminated").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_steps_are_refused_in_words() {
    let world = World::start().await;
    let phone = Phone::make(&world, json!({})).await;
    let shown = phone.ask("GET", "", b"").await.is(200).json();
    assert_eq!((&shown["number"], &shown["state"]), (&json!("+15550190000"), &json!("idle")));
    let silence = wav::encode(16_000, &[0; 16_000]);
    for (step, body, status, words) in [
        ("dance", &b""[..], 404, "no such step"),
        ("press", b"{\"keys\": \"1x\"}", 400, "of 0-9"),
        ("wait", b"{\"keys\": \"1x\"}", 400, "of 0-9"),
        ("press", b"{\"key\": \"1\"}", 400, "unknown field"),
        ("wait", b"{}", 400, "either"),
        ("wait", b"{\"for\": \"ended\", \"within\": 1000}", 400, "0 to 120 seconds"),
        ("say", b"not audio", 400, "save it as WAV"),
        ("expect", &silence, 400, "only silence"),
        ("expect?within=soon", b"", 400, "within is not a number"),
        ("expect?likeness=2", b"", 400, "0.1 to 1"),
        // There are three apps.
        ("call", b"", 400, "not exactly one app"),
    ] {
        let refused = phone.ask("POST", &format!("/{step}"), body).await.is(status);
        assert!(refused.message().contains(words), "{step}: {}", refused.message());
    }
    let door = world.door();
    for (how, status) in [
        (json!({"number": NUMBER}), 409),
        (json!({"number": "+15550190000"}), 409),
        (json!({"number": "one two"}), 400),
        (json!({"codec": "opus"}), 400),
    ] {
        door.ask("POST", "/_ringback/test/phones", Some(&how)).await.is(status);
    }
    for _ in 1..64 {
        Phone::make(&world, json!({})).await;
    }
    assert_eq!(door.ask("POST", "/_ringback/test/phones", None).await.is(429).code(), "activityLimitReached");
    let listed = door.ask("GET", "/_ringback/test/phones", None).await.is(200).json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 64);
    let stranger = Bot { token: "guessed".to_owned(), ..door };
    stranger.ask("GET", "/_ringback/test/phones", None).await.is(401);
}

/// Where any bot is taken, whoever was heard of last is called at the development number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_open_directory_nobody_needs_to_be_named() {
    let journal = Journal::start().await;
    let text = configuration(journal.address()).replace("[server]\n", "[server]\nidentities = \"any\"\n");
    let world = World::start_with(journal, tempfile::tempdir().unwrap(), &text).await;
    let phone = Phone::make(&world, json!({"number": "+15550100099"})).await;
    phone.good("call", b"").await;
    let call = answers(&world).await;
    let from = world.journal.wait(&call, "incoming").await.data()["source"]["identity"]["phone"]["id"].clone();
    assert_eq!(from, "+15550100099");
    phone.good("hang-up", b"").await;
    // A number that nobody has is the scripted phone's while it is there.
    let body = json!({"phone": {"id": "+15550100099"}});
    let mut placed = create(&world.journal.url(WEBHOOK), "");
    placed["targets"][0]["identity"] = body;
    let call = world.bot.post("", &placed).await.is(201).id();
    world.journal.wait(&call, "established active").await;
    phone.good("wait", br#"{"for": "answered"}"#).await;
}
