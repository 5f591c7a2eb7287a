//! Phones in pages: they call bots and are called, are heard and hear, and whose page it is not, it does not serve.

use std::time::Duration;

use ringback_media::correlate::correlate;
use ringback_media::{Codec, Tone, resample, wav};
use ringback_signal::phone::CallEnd;
use serde_json::json;

use crate::browser::{Browser, Events, Offering, Page};
use crate::recordings::read;
use crate::soon;
use crate::web::{self, Bot};
use crate::world::{
    NULL_LINE, NUMBER, PASSWORD, USERS, WEBHOOK, World, answer, configuration, create, play, record, user, words,
};

async fn page(world: &World, user: &str) -> Page {
    Page::sign_in(world.http(), user, PASSWORD).await
}

/// A server that knows anyone who comes.
async fn open_world() -> World {
    let journal = crate::journal::Journal::start().await;
    let text = configuration(journal.address()).replacen("[server]\n", "[server]\nidentities = \"any\"\n", 1);
    World::start_with(journal, tempfile::tempdir().expect("a folder"), &text).await
}

/// A page in a call with the bot, up; with what it follows, the bot's name for the call, and the page's.
async fn in_a_call(world: &World, page: &Page, codec: Codec) -> (Browser, Events, String, String) {
    let mut events = page.follow("events").await;
    let (leg, browser) = page.call(NUMBER, codec).await;
    let call = world.journal.incoming(&[]).await;
    world.bot.post(&format!("/{call}/answer"), &answer()).await.is(202).without_body();
    assert_eq!(events.next("answered").await["leg"], leg);
    world.journal.wait(&call, "established active").await;
    (browser, events, call, leg)
}

async fn place(world: &World, user: &str) -> String {
    world.bot.post("", &create(&world.journal.url(WEBHOOK), user)).await.is(201).id()
}

async fn end_of(world: &World, call: &str) -> (i64, i64) {
    let end = world.journal.wait(call, "terminated").await.data();
    (end["resultInfo"]["code"].as_i64().expect("a code"), end["resultInfo"]["subcode"].as_i64().expect("a subcode"))
}

/// A sweep at this rate: nothing else sounds like it.
fn sweep(rate: u32, milliseconds: u32) -> Vec<i16> {
    let sample = |n: u32| {
        let time = f64::from(n) / f64::from(rate);
        ((300.0 + 500.0 * time) * time * std::f64::consts::TAU).sin() * 8_000.0
    };
    (0..rate * milliseconds / 1_000).map(|n| sample(n) as i16).collect()
}

fn likeness(said: &[i16], heard: &[i16]) -> f64 {
    correlate(said, heard, heard.len()).map_or(0.0, |found| found.coefficient.abs())
}

/// Most quarters of a second are there as they were. A busy machine sends late, and a jitter buffer then leaves gaps.
fn is_mostly_in(said: &[i16], heard: &[i16]) -> bool {
    let pieces: Vec<f64> = said.chunks_exact(4_000).map(|piece| likeness(piece, heard)).collect();
    2 * pieces.iter().filter(|likeness| **likeness > 0.9).count() > pieces.len()
}

/// In wide band and narrow: the bot's prompt is what the page hears, what the page says is what is recorded, keys are told,
/// and the timeline says all that.
async fn a_page_calls_a_bot(codec: Codec) {
    let world = World::start().await;
    let page = page(&world, "1001").await;
    let (browser, mut events, call, leg) = in_a_call(&world, &page, codec).await;
    let mut timeline = page.follow(&format!("legs/{leg}/timeline")).await;
    timeline.until("call offered to its bot").await;
    let told = world.journal.wait(&call, "incoming").await.data();
    let caller = &told["source"]["identity"]["user"];
    assert_eq!((&caller["id"], &caller["displayName"]), (&json!(USERS[0].0), &json!("Phone 1001")));

    let prompt = sweep(16_000, 1_500);
    let file = world.journal.file("/prompt.wav", wav::encode(16_000, &prompt));
    let operation = world.bot.post(&format!("/{call}/playPrompt"), &play(&[&file], None)).await.is(200).id();
    assert_eq!(world.journal.ended(&call, &operation).await["status"], "completed");
    let heard = resample(&browser.heard(), browser.rate(), 16_000);
    assert!(is_mostly_in(&prompt, &heard), "what is heard is not what is played");

    world.bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200);
    for (tone, told) in [(Tone::Digit(1), "tone tone1"), (Tone::Digit(2), "tone tone2"), (Tone::Pound, "tone pound")] {
        browser.press(tone);
        world.journal.wait(&call, told).await;
    }

    let mut body = record(&file);
    body["stopTones"] = json!(["*"]);
    let operation = world.bot.beta(&format!("/{call}/recordResponse"), &body).await.is(200).id();
    // Said only once it is recorded: the prompt and the beep are heard first.
    let before = browser.heard().len();
    let rate = browser.rate() as usize;
    browser.hears(|heard| falls_silent(&heard[before..], rate)).await;
    let said = resample(&words(1_500), 8_000, browser.rate());
    browser.say(&said);
    browser.has_said_all().await;
    browser.press(Tone::Star);
    let recorded = world.journal.ended(&call, &operation).await;
    assert_eq!(recorded["completionReason"], "stopToneDetected", "{recorded}");
    let recording = read(&world, &recorded).await;
    assert!(
        is_mostly_in(&resample(&said, browser.rate(), 16_000), &recording),
        "what is recorded is not what was said"
    );

    page.hang_up(&leg).await.is(204);
    assert_eq!(end_of(&world, &call).await, (200, 5002));
    assert_eq!(events.next("ended").await, json!({"leg": leg, "reason": "hung up here"}));
    // What happens and what is told of it are two threads' work: in no order.
    let words = [
        "a key was pressed, no. 1",
        "playPrompt completed 200/0",
        "recordResponse ended → acknowledged",
        "the phone is gone: it hung up",
        "call terminated 200/5002",
        "terminated → acknowledged",
    ];
    timeline.all(&words).await;
    page.hang_up(&leg).await.is(404);
}

/// The prompt of a second and a half and the beep were heard, and it is quiet now for a tenth of a second.
fn falls_silent(heard: &[i16], rate: usize) -> bool {
    let is_loud = |sample: &i16| sample.unsigned_abs() > 500;
    let quiet = heard.iter().rev().take_while(|sample| !is_loud(sample)).count();
    quiet > rate / 10 && heard.iter().filter(|sample| is_loud(sample)).count() > rate
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_calls_a_bot_in_narrow_band() {
    a_page_calls_a_bot(Codec::Pcmu).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_calls_a_bot_in_wide_band() {
    a_page_calls_a_bot(Codec::G722).await;
}

/// A bot declines, or takes no more calls; nobody is there to be called; what is no offer makes no call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_told_why_it_is_not_answered() {
    let world = World::start().await;
    let page = page(&world, "1001").await;
    let mut events = page.follow("events").await;
    let (leg, _browser) = page.call(NUMBER, Codec::Pcmu).await;
    let call = world.journal.incoming(&[]).await;
    world.bot.post(&format!("/{call}/reject"), &json!({"reason": "busy"})).await.is(202);
    assert_eq!(events.next("ended").await, json!({"leg": leg, "reason": "the bot is busy"}));

    // Given up by the page before the bot has answered.
    let (leg, _browser) = page.call(NUMBER, Codec::Pcmu).await;
    let second = world.journal.incoming(&[call]).await;
    page.hang_up(&leg).await.is(204);
    world.journal.wait(&second, "terminated").await;

    let (_, sdp) = Offering::new(Codec::Pcmu).await;
    for (to, status) in [("4711", 404), ("6000", 404), ("", 404)] {
        let refused = page.ask("POST", "legs", Some(&json!({"to": to, "sdp": sdp}))).await.is(status);
        assert!(refused.message().contains("number"), "{}", refused.message());
    }
    let video = sdp.replace("m=audio", "m=video");
    let two = format!("{sdp}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\n");
    let opus_alone: String = sdp
        .lines()
        .map(|line| if line.starts_with("m=audio") { "m=audio 9 UDP/TLS/RTP/SAVPF 111" } else { line })
        .map(|line| format!("{line}\r\n"))
        .collect();
    let bare = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";
    for bad in [video.as_str(), &two, &opus_alone, bare, "hello", ""] {
        page.ask("POST", "legs", Some(&json!({"to": NUMBER, "sdp": bad}))).await.is(400);
    }
    page.ask("POST", "legs", Some(&json!({"to": NUMBER}))).await.is(400);
    assert_eq!(world.operator("status").await.json()["conversations"], 0, "nothing rang");
}

/// However a page goes, its bot is told, and soon: a tab that is closed says so, the server's stop says so to the page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_ends_with_its_page_and_with_its_server() {
    let world = World::start().await;
    let page = page(&world, "1001").await;
    let (browser, mut events, call, leg) = in_a_call(&world, &page, Codec::Pcmu).await;
    browser.close();
    assert_eq!(end_of(&world, &call).await, (200, 5002));
    assert_eq!(events.next("ended").await["leg"], leg);
    drop(browser);

    // One call is up and one rings when the server stops.
    let (leg, mut browser) = page.call(NUMBER, Codec::Pcmu).await;
    let up = world.journal.incoming(std::slice::from_ref(&call)).await;
    world.bot.post(&format!("/{up}/answer"), &answer()).await.is(202);
    events.next("answered").await;
    let rings = place(&world, USERS[0].0).await;
    assert_eq!(events.next("ringing").await["from"], "Bot 5000");
    let World { server, journal, .. } = world;
    soon(server.stop(Duration::from_secs(10))).await;
    for call in [&up, &rings] {
        let end = journal.wait(call, "terminated").await.data();
        assert_eq!(end["resultInfo"]["subcode"], 7106, "{end}");
    }
    browser.closed().await;
    let _ = leg;
}

/// A machine that loses its network says nothing; that nothing was heard of it ends the call. So does a page that takes a
/// call and never connects its audio.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_gone_without_a_word_ends_its_call() {
    let world = World::start().await;
    let page = page(&world, "1001").await;
    let (browser, mut events, call, _) = in_a_call(&world, &page, Codec::Pcmu).await;
    browser.vanish();
    let never = place(&world, USERS[0].0).await;
    let leg = events.next("ringing").await["leg"].as_str().expect("a leg").to_owned();
    page.answer(&leg, Codec::Pcmu).await.vanish();
    assert_eq!(end_of(&world, &call).await, (410, 301_005));
    assert_eq!(end_of(&world, &never).await, (500, 7106));
}

/// A bot calls: every page of the user rings, the first has it, and is heard and told as any phone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_calls_a_user_and_the_first_page_has_it() {
    let world = World::start().await;
    let (one, two, other) = (page(&world, "1001").await, page(&world, USERS[0].0).await, page(&world, "1002").await);
    let mut rung = one.follow("events").await;
    let mut rung_too = two.follow("events").await;
    let call = place(&world, USERS[0].0).await;
    let ringing = rung.next("ringing").await;
    let leg = ringing["leg"].as_str().expect("a leg").to_owned();
    assert_eq!(ringing, json!({"leg": leg, "from": "Bot 5000", "for": "Phone 1001"}));
    assert_eq!(rung_too.next("ringing").await, ringing);
    let (_, sdp) = Offering::new(Codec::Pcmu).await;
    other.ask("POST", &format!("legs/{leg}/answer"), Some(&json!({"sdp": sdp}))).await.is(404);
    other.hang_up(&leg).await.is(404);
    // A bad offer costs nothing.
    two.ask("POST", &format!("legs/{leg}/answer"), Some(&json!({"sdp": "?"}))).await.is(400);
    let browser = two.answer(&leg, Codec::G722).await;
    assert_eq!(rung_too.next("answered").await["leg"], leg);
    assert_eq!(rung.next("ended").await, json!({"leg": leg, "reason": "answered at another phone"}));
    one.ask("POST", &format!("legs/{leg}/answer"), Some(&json!({"sdp": sdp}))).await.is(404);
    world.journal.wait(&call, "established active").await;
    let file = world.journal.file("/prompt.wav", wav::encode(16_000, &sweep(16_000, 800)));
    world.bot.post(&format!("/{call}/playPrompt"), &play(&[&file], None)).await.is(200);
    browser.hears_sound().await;
    world.bot.hang_up(&call).await;
    assert_eq!(rung_too.next("ended").await, json!({"leg": leg, "reason": "the other side hung up"}));
    world.over(&call).await;
}

/// Declined in every page, it is declined; given up by the bot, no page rings any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_declines_and_a_bot_gives_up() {
    let world = World::start().await;
    let page = page(&world, "1001").await;
    let mut events = page.follow("events").await;
    let call = place(&world, USERS[0].0).await;
    let leg = events.next("ringing").await["leg"].as_str().expect("a leg").to_owned();
    page.hang_up(&leg).await.is(204);
    assert_eq!(end_of(&world, &call).await.0, 603);
    let call = place(&world, USERS[0].0).await;
    let leg = events.next("ringing").await["leg"].as_str().expect("a leg").to_owned();
    world.bot.hang_up(&call).await;
    assert_eq!(events.next("ended").await, json!({"leg": leg, "reason": "the caller gave up"}));
    world.over(&call).await;
    // Nobody is there any more: the user has no phone at all.
    drop(events);
    page.ask("DELETE", "sessions", None).await.is(204);
    page.ask("GET", "bots", None).await.is(401);
    let call = place(&world, USERS[0].0).await;
    assert_eq!(end_of(&world, &call).await.0, 480);
}

/// A user's SIP phone and his page ring alike; whichever answers, the other is cancelled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_and_a_sip_phone_ring_alike() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let page = page(&world, "1001").await;
    let mut events = page.follow("events").await;
    // The SIP phone answers.
    let call = place(&world, USERS[0].0).await;
    let leg = events.next("ringing").await["leg"].clone();
    let up = soon(soon(phone.ringing()).await.expect("it rings").answer()).await.expect("it is up");
    assert_eq!(events.next("ended").await, json!({"leg": leg, "reason": "answered at another phone"}));
    world.journal.wait(&call, "established active").await;
    world.bot.hang_up(&call).await;
    assert_eq!(soon(up.ended()).await, CallEnd::FarHungUp);
    world.over(&call).await;
    // The page does.
    let call = place(&world, USERS[0].0).await;
    let leg = events.next("ringing").await["leg"].as_str().expect("a leg").to_owned();
    let mut ringing = soon(phone.ringing()).await.expect("it rings");
    let browser = page.answer(&leg, Codec::Pcmu).await;
    events.next("answered").await;
    soon(ringing.cancelled()).await;
    world.journal.wait(&call, "established active").await;
    let file = world.journal.file("/prompt.wav", wav::encode(16_000, &sweep(16_000, 800)));
    world.bot.post(&format!("/{call}/playPrompt"), &play(&[&file], None)).await.is(200);
    browser.hears_sound().await;
    page.hang_up(&leg).await.is(204);
    assert_eq!(end_of(&world, &call).await, (200, 5002));
    // The SIP phone declines, and the page rings on.
    let call = place(&world, USERS[0].0).await;
    let leg = events.next("ringing").await["leg"].as_str().expect("a leg").to_owned();
    soon(phone.ringing()).await.expect("it rings").decline(486);
    let _browser = page.answer(&leg, Codec::Pcmu).await;
    assert_eq!(events.next("answered").await["leg"], leg);
    world.bot.hang_up(&call).await;
    world.over(&call).await;
}

/// With a user's password, or with the user, every session that it opened goes, and its call; others' stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_with_the_password_it_was_opened_by() {
    let world = World::start().await;
    let file = world.folder.path().join("ringback.toml");
    let text = std::fs::read_to_string(&file).expect("a file");
    let reload = |text: &str| {
        std::fs::write(&file, text).expect("a file");
        world.server.reload().expect("it is a configuration");
    };
    let (one, two) = (page(&world, "1001").await, page(&world, "1002").await);
    let (_browser, mut events, call, _) = in_a_call(&world, &one, Codec::Pcmu).await;
    reload(&text);
    one.ask("GET", "bots", None).await.is(200);
    let table = |(id, sip): (&str, &str), password: &str| user(id, sip, password);
    reload(&text.replace(&table(USERS[0], PASSWORD), &table(USERS[0], "another")));
    assert_eq!(end_of(&world, &call).await, (200, 5002));
    events.over().await;
    one.ask("GET", "bots", None).await.is(401);
    two.ask("GET", "bots", None).await.is(200);
    // The password is back, the session is not.
    reload(&text);
    one.ask("GET", "bots", None).await.is(401);
    reload(&text.replace(&table(USERS[1], PASSWORD), ""));
    two.ask("GET", "bots", None).await.is(401);
}

/// Who signed in where no password was asked does not stay where one is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_without_a_password_ends_where_one_is_asked() {
    let world = open_world().await;
    let page = Page::sign_in_as(world.http(), "1001").await;
    let file = world.folder.path().join("ringback.toml");
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, text.replace("identities = \"any\"\n", "")).expect("a file");
    world.server.reload().expect("it is a configuration");
    page.ask("GET", "bots", None).await.is(401);
}

/// In an open directory a stranger's name or number rings every page, which says for whom; no password is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_unknown_rings_every_page_and_it_says_for_whom() {
    let world = open_world().await;
    let number = |id: &str| {
        let mut body = create(&world.journal.url(WEBHOOK), "");
        body["targets"][0]["identity"] = json!({"phone": {"id": id}});
        body
    };
    // Nobody is there: it rings on, and the timeline says where somebody could be.
    let mut timeline = operators_timeline(&world).await;
    let call = world.bot.post("", &number("+1 555 0199")).await.is(201).id();
    timeline.all(&["nobody is at a page's phone", &format!("open http://{}/ and sign in", world.http())]).await;
    let users = Page::stranger(world.http()).ask("GET", "users", None).await.is(200).json();
    let first = json!({"id": USERS[0].0, "name": "Phone 1001", "number": "1001"});
    assert_eq!((users["value"].as_array().map(Vec::len), &users["value"][0]), (Some(2), &first));
    let (one, two) = (Page::sign_in_as(world.http(), "1001").await, Page::sign_in_as(world.http(), "1002").await);
    let mut rung = one.follow("events").await;
    let ringing = rung.next("ringing").await;
    assert_eq!((&ringing["from"], &ringing["for"]), (&json!("Bot 5000"), &json!("+1 555 0199")));
    let mut rung_too = two.follow("events").await;
    assert_eq!(rung_too.next("ringing").await, ringing);
    let leg = ringing["leg"].as_str().expect("a leg");
    one.hang_up(leg).await.is(204);
    let _browser = two.answer(leg, Codec::Pcmu).await;
    assert_eq!(rung_too.next("answered").await["leg"], leg);
    world.journal.wait(&call, "established active").await;
    world.bot.hang_up(&call).await;
    world.over(&call).await;

    let mut body = create(&world.journal.url(WEBHOOK), "8d1e6ab6-1c0a-4f0c-8a0b-7a5f0f3a9a11");
    body["targets"][0]["identity"]["user"]["displayName"] = "Grace".into();
    let call = world.bot.post("", &body).await.is(201).id();
    let ringing = rung.next("ringing").await;
    assert_eq!(ringing["for"], "Grace");
    one.hang_up(ringing["leg"].as_str().expect("a leg")).await.is(204);
    two.hang_up(ringing["leg"].as_str().expect("a leg")).await.is(204);
    assert_eq!(end_of(&world, &call).await.0, 603);
}

/// What an operator follows.
async fn operators_timeline(world: &World) -> Events {
    let token = std::fs::read_to_string(world.server.operator_token_file()).expect("the operator's token");
    Events::of(world.http(), "/_ringback/timeline", token.trim()).await
}

/// Pages of other sites, and whoever is not signed in, ring nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_and_strangers_are_kept_out() {
    let world = open_world().await;
    let page = Page::sign_in_as(world.http(), "1001").await;
    let (_, sdp) = Offering::new(Codec::Pcmu).await;
    let call = json!({"to": NUMBER, "sdp": sdp});
    let user = json!({"user": "1001"});
    let here = world.http();
    for headers in [
        "Host: rebound.example\r\n".to_owned(),
        format!("Host: rebound.example:{}\r\nOrigin: http://rebound.example:{}\r\n", here.port(), here.port()),
        "Origin: https://evil.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        format!("Origin: http://{}:1\r\n", here.ip()),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
    ] {
        for (method, path, body) in
            [("POST", "legs", Some(&call)), ("POST", "sessions", Some(&user)), ("GET", "users", None)]
        {
            let refused = page.ask_as(method, path, &headers, body).await.is(403);
            assert!(refused.message().contains("another site"), "{}", refused.message());
            assert_eq!(refused.header("access-control-allow-origin"), None);
        }
    }
    page.ask_as("POST", "sessions", "Content-Type: text/plain\r\n", Some(&user)).await.is(415);
    page.ask_as("OPTIONS", "sessions", "", None).await.is(405);
    page.ask_as("GET", "users", &format!("Origin: http://{here}\r\n"), None).await.is(200);
    page.ask_as("GET", "users", &format!("Host: localhost:{}\r\n", here.port()), None).await.is(200);
    let stranger = Page::stranger(here);
    for (method, path, body) in
        [("POST", "legs", Some(&call)), ("GET", "bots", None), ("GET", "events", None), ("DELETE", "legs/x", None)]
    {
        stranger.ask(method, path, body).await.is(401);
    }
    let bots = page.ask("GET", "bots", None).await.is(200).json();
    assert!(bots["value"].as_array().is_some_and(|bots| bots.iter().any(|bot| bot["number"] == NUMBER)), "{bots}");
    for nothing in ["legs/x", "legs/00000000-0000-4000-8000-000000000000"] {
        page.ask("DELETE", nothing, None).await.is(404);
    }
    page.ask("GET", "nothing", None).await.is(404);
    // The operator's token opens nothing here, nor does a page's there.
    let token = std::fs::read_to_string(world.server.operator_token_file()).expect("the operator's token");
    Page { token: token.trim().to_owned(), ..Page::stranger(here) }.ask("GET", "bots", None).await.is(401);
    Bot { http: here, token: page.token.clone() }.ask("GET", "/_ringback/status", None).await.is(401);
}

/// Where anyone is accepted, browsers and proxies on this machine bring nobody in from elsewhere; programs need no right
/// `Host`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_comes_in_from_elsewhere_through_this_machine() {
    let world = open_world().await;
    let here = world.http();
    let form = "client_id=5d5d5d5d-0000-4000-8000-00000000000d&client_secret=s&grant_type=client_credentials\
                &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default";
    let asked = async |line: &str, headers: &str, body: &str| {
        let token = &world.bot.token;
        let request = format!(
            "{line} HTTP/1.1\r\n{headers}Authorization: Bearer {token}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        web::send(here, request.as_bytes()).await
    };
    let token = "POST /common/oauth2/v2.0/token";
    let graph = "GET /v1.0/users";
    let passed = "X-Forwarded-For: 192.0.2.1\r\n".to_owned();
    for (headers, why) in [
        (format!("Host: {here}\r\nOrigin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n"), "another site"),
        (format!("Host: {here}\r\nOrigin: null\r\n"), "another site"),
        (format!("Host: {here}\r\nSec-Fetch-Site: cross-site\r\n"), "another site"),
        ("Host: rebound.example\r\nOrigin: http://rebound.example\r\n".to_owned(), "another site"),
        ("Host: rebound.example\r\nSec-Fetch-Site: same-origin\r\n".to_owned(), "another site"),
        (format!("Host: {here}\r\n{passed}"), "proxy"),
        (format!("Host: {here}\r\nForwarded: for=192.0.2.1\r\n"), "proxy"),
    ] {
        for (line, body) in [(token, form), (graph, "")] {
            let refused = asked(line, &headers, body).await.is(403);
            assert!(refused.message().contains(why), "{line} {headers}: {}", refused.message());
        }
    }
    // The page is led to by links of other sites, and probes may be passed on.
    asked("GET /", &format!("Host: {here}\r\nSec-Fetch-Site: cross-site\r\n"), "").await.is(200);
    asked("GET /healthz", &format!("Host: {here}\r\n{passed}"), "").await.is(200);
    for headers in [
        "Host: anything\r\n".to_owned(),
        "Host: graph.microsoft.com\r\n".to_owned(),
        // Node.js's fetch.
        "Host: ringback:8480\r\nSec-Fetch-Mode: cors\r\n".to_owned(),
        format!("Host: {here}\r\nOrigin: http://{here}\r\nSec-Fetch-Site: same-origin\r\n"),
    ] {
        asked(token, &headers, form).await.is(200);
        asked(graph, &headers, "").await.is(200);
    }
    // Who is listed brings a secret, by whatever way.
    let strict = World::start().await;
    let (http, bearer) = (strict.http(), &strict.bot.token);
    let request = format!("{graph} HTTP/1.1\r\nHost: {http}\r\n{passed}Authorization: Bearer {bearer}\r\n\r\n");
    web::send(http, request.as_bytes()).await.is(200);
}

/// Where identities are listed, a page signs in with the password of the user's SIP phone, and guesses are bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_asked_where_identities_are_listed() {
    let world = World::start().await;
    let stranger = Page::stranger(world.http());
    stranger.ask("GET", "users", None).await.is(403);
    let mut told = Vec::new();
    for body in [
        json!({"user": "1001"}),
        json!({"user": "1001", "password": "wrong"}),
        json!({"user": "nobody", "password": PASSWORD}),
        json!({"user": NULL_LINE, "password": ""}),
    ] {
        told.push(stranger.ask("POST", "sessions", Some(&body)).await.is(401).message());
    }
    told.dedup();
    assert_eq!(told.len(), 1, "known or not, the same words");
    let session = json!({"user": "1001", "password": PASSWORD});
    let answer = stranger.ask("POST", "sessions", Some(&session)).await.is(201).json();
    assert_eq!(answer["user"], json!({"id": USERS[0].0, "name": "Phone 1001", "number": "1001"}));
    let wrong = json!({"user": "1001", "password": "guess"});
    let bounded = async { while stranger.ask("POST", "sessions", Some(&wrong)).await.status == 401 {} };
    soon(bounded).await;
    let refused = stranger.ask("POST", "sessions", Some(&session)).await.is(429);
    assert!(refused.header("retry-after").is_some());
}
