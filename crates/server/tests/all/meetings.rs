//! A bot in a meeting: every name of it leads there, phones join it by its number, and everyone hears the others.

use ringback_media::correlate::correlate;
use ringback_media::{Codec, Tone, wav};
use ringback_signal::phone::{CallEnd, PhoneCall};
use serde_json::{Value, json};

use crate::browser::{Events, Page};
use crate::journal::Journal;
use crate::recovery::{Victim, start_again};
use crate::soon;
use crate::web::Bot;
use crate::world::{NUMBER, WEBHOOK, World, configuration, play};

const THREAD: &str = "19:meeting_NGQ0@thread.v2";

/// A server that accepts any identity, and so any meeting.
async fn open_world() -> World {
    let journal = Journal::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let text = configuration(journal.address()).replace("[server]\n", "[server]\nidentities = \"any\"\n");
    World::start_with(journal, folder, &text).await
}

/// The body of create call into a meeting.
fn join(world: &World, members: Value) -> Value {
    let mut body = json!({
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": world.journal.url(WEBHOOK),
        "requestedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
        "callOptions": {"@odata.type": "#microsoft.graph.joinMeetingCallOptions", "hideBotAfterEscalation": true},
        "tenantId": crate::world::TENANT,
    });
    let all = body.as_object_mut().expect("an object");
    all.extend(members.as_object().expect("an object").clone());
    body
}

fn thread() -> Value {
    json!({
        "chatInfo": {"@odata.type": "#microsoft.graph.chatInfo", "threadId": THREAD, "messageId": "0"},
        "meetingInfo": {
            "@odata.type": "#microsoft.graph.organizerMeetingInfo",
            "organizer": {"user": {"id": "o-1", "displayName": "Bob"}},
            "allowConversationWithoutHost": true,
        },
    })
}

fn join_id(id: &str) -> Value {
    json!({"meetingInfo": {"@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo", "joinMeetingId": id, "passcode": null}})
}

/// The bot's call in a meeting, up.
async fn joined(world: &World, members: Value) -> String {
    let call = world.bot.post("", &join(world, members)).await.is(201).id();
    world.journal.wait(&call, "established active").await;
    call
}

/// What phones dial to join the only meeting.
async fn number(world: &World) -> String {
    let listed = world.operator("meetings").await.is(200).json();
    let [meeting] = listed["value"].as_array().expect("a list").as_slice() else { panic!("{listed}") };
    meeting["joinMeetingId"].as_str().expect("digits").to_owned()
}

/// The ids of users and apps in the newest roster.
fn roster(world: &World, call: &str) -> Vec<String> {
    let told = world.journal.of(call);
    let last = told.iter().rev().find(|told| told.gist() == "roster").expect("a roster");
    let parties = last.data().as_array().expect("a list").clone();
    let name = |party: &Value| {
        let identity = &party["info"]["identity"];
        let one = [&identity["application"], &identity["user"]].into_iter().find(|one| one.is_object());
        one.expect("an identity")["displayName"].as_str().expect("a name").to_owned()
    };
    parties.iter().map(name).collect()
}

/// Every 100 ms another tone, from a seed.
fn melody(seed: u32, milliseconds: usize) -> Vec<i16> {
    let mut phase = 0.0f64;
    let sample = |n: usize| {
        let step = (n / 1_600) as u32;
        let hertz = 300 + (step.wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503)) >> 7) % 2_500;
        phase += f64::from(hertz) / 16_000.0 * std::f64::consts::TAU;
        (phase.sin() * 8_000.0) as i16
    };
    (0..milliseconds * 16).map(sample).collect()
}

/// The same at 8 kHz, as phones say and hear it.
fn narrow(pcm: &[i16]) -> Vec<i16> {
    ringback_media::resample(pcm, 16_000, 8_000)
}

/// How alike what was said and what a phone heard are, at 16 kHz: a mixer's filters delay by half a sample of 8 kHz.
fn likeness(said: &[i16], phone: &PhoneCall) -> f64 {
    likeness_at_16k(said, &ringback_media::resample(&phone.heard(), 8_000, 16_000))
}

fn likeness_at_16k(said: &[i16], heard: &[i16]) -> f64 {
    correlate(said, heard, heard.len()).map_or(0.0, |found| found.coefficient)
}

async fn finished(world: &World, call: &str, prompt: &str) {
    let operation = world.bot.post(&format!("/{call}/playPrompt"), &play(&[prompt], None)).await.is(200).id();
    assert_eq!(world.journal.ended(call, &operation).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_is_in_its_meeting_alone_and_leaves_it() {
    let world = open_world().await;
    let created = world.bot.post("", &join(&world, thread())).await.is(201).json();
    assert_eq!((&created["state"], &created["targets"]), (&json!("establishing"), &json!([])));
    assert_eq!(created["chatInfo"]["threadId"], THREAD);
    assert_eq!(created["chatInfo"]["replyChainMessageId"], Value::Null);
    assert_eq!(created["meetingInfo"]["organizer"]["user"]["id"], "o-1");
    let call = created["id"].as_str().expect("an id").to_owned();
    world.journal.wait(&call, "roster").await;
    assert_eq!(roster(&world, &call), ["Bot 5000"]);
    let told = world.journal.wait(&call, "established active").await.data();
    assert_eq!(
        (&told["chatInfo"]["threadId"], &told["meetingInfo"]["organizer"]["user"]["id"]),
        (&json!(THREAD), &json!("o-1"))
    );
    // Nobody is there, and prompts have their time all the same.
    let file = world.journal.file("/short.wav", crate::world::tone(200));
    finished(&world, &call, &file).await;
    world.bot.hang_up(&call).await;
    let expected = [
        "establishing",
        "established",
        "established active",
        "roster",
        "playPrompt completed",
        "terminating",
        "terminated",
    ];
    let gists = world.over(&call).await;
    assert_eq!(
        (gists.len(), &gists[..4], &gists[5..]),
        (7, &expected.map(str::to_owned)[..4], &expected.map(str::to_owned)[5..])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_is_one_meeting_which_takes_one_bot() {
    let world = open_world().await;
    let call = joined(&world, thread()).await;
    let number = number(&world).await;
    let url = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_NGQ0%40thread.v2/0?context=%7b%22Tid%22%3a%22t%22%2c%22Oid%22%3a%22o%22%7d";
    let again = [
        thread(),
        json!({"chatInfo": {"threadId": THREAD.to_uppercase()}}),
        json!({"chatInfo": {"threadId": url}}),
        json!({"joinWebUrl": url}),
        join_id(&number),
        join_id(&format!("{} {}", &number[..3], &number[3..])),
    ];
    let sibling = world.sibling().await;
    for members in &again {
        let refused = sibling.post("", &join(&world, members.clone())).await.is(409);
        assert_eq!(refused.code(), "notAllowed", "{members}");
        assert!(refused.message().contains("in this meeting already"), "{}", refused.message());
    }
    world.bot.hang_up(&call).await;
    world.over(&call).await;
    // And now there is room.
    let next = sibling.post("", &join(&world, again[4].clone())).await.is(201).json();
    assert_eq!(next["chatInfo"]["threadId"], THREAD);
    assert_eq!(next["meetingInfo"]["joinMeetingId"], number);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_names_no_meeting_is_refused_in_words() {
    let world = open_world().await;
    let two = json!({"chatInfo": {"threadId": THREAD}, "targets": [{"identity": {"user": {"id": "1"}}}]});
    for (members, says) in [
        (json!({"meetingInfo": {"organizer": {"user": {"id": "o"}}}}), "has no name"),
        (json!({"chatInfo": {}}), "has no name"),
        (json!({"joinUrl": "https://example.org/"}), "has no name"),
        (json!({"chatInfo": {"threadId": ""}}), "is empty"),
        (json!({"chatInfo": {"threadId": "x".repeat(3_000)}}), "too long"),
        (join_id("not a number"), "must be digits"),
        (two, "targets must be empty"),
    ] {
        let refused = world.bot.post("", &join(&world, members)).await.is(400);
        assert!(refused.message().contains(says), "{}", refused.message());
    }
    assert_eq!(world.operator("meetings").await.is(200).json()["value"], json!([]));
    // A server that knows its identities knows no meetings.
    let strict = World::start().await;
    let refused = strict.bot.post("", &join(&strict, thread())).await.is(403);
    assert!(refused.message().contains("no meetings here"), "{}", refused.message());
}

/// A bot's number leads to the bot, whatever meeting is named like it; the timeline says what is dialled instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_that_is_named_like_a_bots_number_has_another() {
    let world = open_world().await;
    let mut timeline = Events::of(world.http(), "/_ringback/timeline", &world.door().token).await;
    let call = joined(&world, join_id(NUMBER)).await;
    timeline.until(&format!("since {NUMBER} is a bot's number")).await;
    let listed = world.operator("meetings").await.is(200).json();
    let number = listed["value"][0]["joinMeetingId"].as_str().expect("digits").to_owned();
    assert_ne!(number, NUMBER);
    let phone = world.phone("1001").await;
    let up = soon(phone.call(&number)).await.expect("it is up");
    world.journal.wait_for(&call, "roster", 2).await;
    timeline.all(&["the bot's seat is connected", "dialled the meeting", "participants changed"]).await;
    soon(up.hang_up()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_come_and_go_and_the_meeting_goes_on() {
    let world = open_world().await;
    let (first, second) = (world.phone("1001").await, world.phone("1002").await);
    // A meeting that nobody named, and one without its bot.
    let refused = soon(first.call("123456789")).await.err().expect("refused").to_string();
    assert_eq!(refused, "the far end refused with status 404");
    let call = joined(&world, join_id("123 456 789")).await;
    world.bot.hang_up(&call).await;
    world.over(&call).await;
    let refused = soon(first.call("123456789")).await.err().expect("refused").to_string();
    assert_eq!(refused, "the far end refused with status 480");
    // A page and a scripted phone are told which it was.
    let page = Page::sign_in_as(world.http(), "1002").await;
    let mut events = page.follow("events").await;
    let (leg, _browser) = page.call("123456789", Codec::Pcmu).await;
    assert_eq!(events.next("ended").await, json!({"leg": leg, "reason": "the meeting's bot is not there"}));
    let door = world.door();
    let scripted = door.ask("POST", "/_ringback/test/phones", None).await.is(201).id();
    let step = async |step: &str, body: Value| {
        let path = format!("/_ringback/test/phones/{scripted}/{step}");
        door.ask("POST", &path, Some(&body)).await.is(200).json()
    };
    step("call", json!({"to": "123456789"})).await;
    let why = step("wait", json!({"for": "answered"})).await["why"].clone();
    assert_eq!(why, "the meeting's bot is not there (480): it has to join before phones can");

    let call = joined(&world, join_id("123456789")).await;
    let one = soon(first.call("123456789")).await.expect("it is up");
    world.journal.wait_for(&call, "roster", 2).await;
    assert_eq!(roster(&world, &call), ["Bot 5000", "Phone 1001"]);
    let two = soon(second.call("123456789")).await.expect("it is up");
    world.journal.wait_for(&call, "roster", 3).await;
    assert_eq!(roster(&world, &call), ["Bot 5000", "Phone 1001", "Phone 1002"]);
    // The same is read, whole and one by one, by who may.
    let path = format!("/{call}/participants");
    let read = world.bot.get(&path).await.is(200).json();
    let told = world.journal.of(&call).into_iter().rfind(|told| told.gist() == "roster").expect("a roster").data();
    assert_eq!(read["value"].as_array().map(Vec::len), Some(3));
    for (one, told) in read["value"].as_array().expect("a list").iter().zip(told.as_array().expect("a list")) {
        assert_eq!(one["info"]["identity"], told["info"]["identity"]);
        let id = told["id"].as_str().expect("an id");
        assert_eq!(world.bot.get(&format!("{path}/{id}")).await.is(200).json()["info"], one["info"]);
    }
    assert_eq!(world.bot.get(&format!("{path}/{call}")).await.is(404).code(), "itemNotFound");
    assert_eq!(world.sibling().await.get(&path).await.is(404).code(), "8522");
    soon(one.hang_up()).await;
    world.journal.wait_for(&call, "roster", 4).await;
    soon(two.hang_up()).await;
    world.journal.wait_for(&call, "roster", 5).await;
    assert_eq!(roster(&world, &call), ["Bot 5000"]);
    assert_eq!(world.bot.get(&format!("/{call}")).await.is(200).json()["state"], "established");
    // Who comes back is let in, and hung up when the bot leaves.
    let one = soon(first.call("123456789")).await.expect("it is up");
    world.journal.wait_for(&call, "roster", 6).await;
    world.bot.hang_up(&call).await;
    assert_eq!(soon(one.ended()).await, CallEnd::FarHungUp);
    world.over(&call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_hears_the_others_and_the_bot() {
    let world = open_world().await;
    let (first, second) = (world.phone("1001").await, world.phone("1002").await);
    let call = joined(&world, thread()).await;
    let number = number(&world).await;
    let one = soon(first.call(&number)).await.expect("it is up");
    let two = soon(second.call(&number)).await.expect("it is up");
    world.journal.wait_for(&call, "roster", 3).await;
    world.bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200);
    // One speaks, and the other hears it; nobody hears himself.
    let (a, b) = (melody(1, 500), melody(2, 500));
    heard_by(&one, &two, &a).await;
    heard_by(&two, &one, &b).await;
    let echo = likeness(&a, &one);
    assert!(echo < 0.5, "an echo: {echo}");
    // The bot plays to both.
    let prompt = melody(3, 1_000);
    let file = world.journal.file("/prompt.wav", wav::encode(16_000, &prompt));
    finished(&world, &call, &file).await;
    for phone in [&one, &two] {
        heard(phone, &prompt).await;
    }
    // The bot hears both phones' keys.
    one.press("1").await;
    world.journal.wait(&call, "tone tone1").await;
    two.press("2").await;
    world.journal.wait(&call, "tone tone2").await;
    assert!(two.keys().is_empty() && Tone::of_key('1').is_some(), "a key is not handed on");
    world.bot.hang_up(&call).await;
    assert_eq!(soon(two.ended()).await, CallEnd::FarHungUp);
    world.over(&call).await;
}

/// `who` says it again and again, until `whom` has heard it once as it is: a busy machine's jitter may cut a voice anywhere.
async fn heard_by(who: &PhoneCall, whom: &PhoneCall, said: &[i16]) {
    let saying = async {
        while likeness(said, whom) < 0.9 {
            who.say(&narrow(said)).await;
        }
    };
    soon(saying).await;
}

/// Until the phone has heard it.
async fn heard(phone: &PhoneCall, played: &[i16]) {
    let listening = async {
        let mut looked = 0;
        loop {
            if phone.position() > looked {
                looked = phone.position() + 2_000;
                if likeness(played, phone) > 0.9 {
                    return;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    soon(listening).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_has_both_voices_and_any_phone_ends_it() {
    let world = open_world().await;
    let (first, second) = (world.phone("1001").await, world.phone("1002").await);
    let call = joined(&world, thread()).await;
    let number = number(&world).await;
    let one = soon(first.call(&number)).await.expect("it is up");
    let two = soon(second.call(&number)).await.expect("it is up");
    world.journal.wait_for(&call, "roster", 3).await;
    let file = world.journal.file("/short.wav", crate::world::tone(100));
    let mut body = crate::recordings::long_record(&file);
    body["stopTones"] = json!(["#"]);
    body["playBeep"] = json!(false);
    let operation = world.bot.post(&format!("/{call}/recordResponse"), &body).await.is(200).id();
    let prompt = wav::decode(&crate::world::tone(100)).expect("a WAV").pcm;
    for phone in [&one, &two] {
        heard(phone, &prompt).await;
    }
    let (a, b) = (melody(1, 500), melody(2, 500));
    heard_by(&one, &two, &a).await;
    heard_by(&two, &one, &b).await;
    two.press("#").await;
    let ended = world.journal.ended(&call, &operation).await;
    assert_eq!((&ended["status"], &ended["completionReason"]), (&json!("completed"), &json!("stopToneDetected")));
    let kept = crate::recordings::read(&world, &ended).await;
    for (who, said) in [("first", &a), ("second", &b)] {
        assert!(likeness_at_16k(said, &kept) > 0.9, "{who}: {}", likeness_at_16k(said, &kept));
    }
    assert!(likeness_at_16k(&prompt, &kept) < 0.5, "the prompt is not in it");
}

/// A page joins as a SIP phone does, in wide band, and hears one that speaks in narrow band; and the other way round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_and_a_sip_phone_meet() {
    let world = open_world().await;
    let phone = world.phone("1001").await;
    let page = Page::sign_in(world.http(), "1002", crate::world::PASSWORD).await;
    let call = joined(&world, thread()).await;
    let number = number(&world).await;
    let listed = page.ask("GET", "bots", None).await.is(200).json();
    assert!(listed["value"].as_array().expect("a list").iter().any(|one| one["number"] == number), "{listed}");
    let up = soon(phone.call(&number)).await.expect("it is up");
    let mut events = page.follow("events").await;
    let (leg, browser) = page.call(&number, Codec::G722).await;
    assert_eq!(events.next("answered").await["leg"], leg);
    world.journal.wait_for(&call, "roster", 3).await;
    assert_eq!(roster(&world, &call), ["Bot 5000", "Phone 1001", "Phone 1002"]);
    let (a, b) = (melody(1, 500), melody(2, 500));
    let heard_by_page = async {
        while likeness_at_16k(&a, &browser.heard()) < 0.9 {
            up.say(&narrow(&a)).await;
        }
    };
    soon(heard_by_page).await;
    let heard_by_phone = async {
        while likeness(&b, &up) < 0.9 {
            browser.say(&b);
            browser.has_said_all().await;
        }
    };
    soon(heard_by_phone).await;
    page.hang_up(&leg).await.is(204);
    world.journal.wait_for(&call, "roster", 4).await;
    world.bot.hang_up(&call).await;
    assert_eq!(soon(up.ended()).await, CallEnd::FarHungUp);
    world.over(&call).await;
}

/// Killed, the server tells once, after its next start, what died with it, and hangs up every phone of the meeting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_that_dies_with_its_server_is_ended_and_told_once() {
    let (journal, folder) = (Journal::start().await, tempfile::tempdir().expect("a folder"));
    let text = configuration(journal.address()).replace("[server]\n", "[server]\nidentities = \"any\"\n");
    let victim = Victim::serving(&folder, &text).await;
    let bot = victim.bot.clone();
    let long = journal.file("/long.wav", crate::world::tone(20_000));
    let body = json!({
        "callbackUri": journal.url(WEBHOOK),
        "requestedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
        "meetingInfo": {"joinMeetingId": "123456789"},
    });
    let call = bot.post("", &body).await.is(201).id();
    journal.wait(&call, "established active").await;
    let phone = crate::world::phone(victim.sip, "1001").await;
    let other = crate::world::phone(victim.sip, "1002").await;
    let one = soon(phone.call("123456789")).await.expect("it is up");
    let two = soon(other.call("123456789")).await.expect("it is up");
    journal.wait_for(&call, "roster", 3).await;
    let prompt = bot.post(&format!("/{call}/playPrompt"), &play(&[&long], None)).await.is(200).id();
    victim.kill().await;

    let server = start_again(&folder).await;
    assert_eq!(server.adopted(), 1);
    assert_eq!(soon(one.ended()).await, CallEnd::FarHungUp);
    assert_eq!(soon(two.ended()).await, CallEnd::FarHungUp);
    let ended = journal.ended(&call, &prompt).await;
    assert_eq!((&ended["status"], &ended["resultInfo"]["subcode"]), (&json!("failed"), &json!(8512)));
    let end = journal.wait(&call, "terminated").await.data();
    assert_eq!((&end["resultInfo"]["code"], &end["resultInfo"]["subcode"]), (&json!(500), &json!(1005)));
    let told = journal.gists(&call);
    assert_eq!(told.iter().filter(|gist| *gist == "terminated").count(), 1, "{told:?}");
    // And the bot may join again.
    let bot = crate::world::bot(server.http_addr(), crate::world::TENANT, crate::world::APP).await;
    let again = bot.post("", &body).await.is(201).id();
    journal.wait(&again, "established active").await;
    bot.hang_up(&again).await;
    journal.wait(&again, "terminated").await;
    // Nothing is left open, the phones' legs neither.
    let token = std::fs::read_to_string(server.operator_token_file()).expect("the operator's token");
    let operator = Bot { http: server.http_addr(), token: token.trim().to_owned() };
    let over =
        async { while operator.ask("GET", "/_ringback/status", None).await.is(200).json()["conversations"] != 0 {} };
    soon(over).await;
}
