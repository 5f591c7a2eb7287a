//! Facts S1 to S10 of the page everything rests on: what an action answers, what GET reads and what the bot's own
//! journal holds is one and the same operation. docs/COMMSOPERATION.md says which test holds which fact.

use ringback_signal::phone::PhoneCall;
use serde_json::{Value, json};

use crate::soon;
use crate::web::Answer;
use crate::world::{USERS, World, play, play_for_ever, record, tone};

/// What the far end is.
#[derive(Clone, Copy, PartialEq)]
enum Far {
    /// The test line: prompts finish at once.
    Line,
    /// A SIP phone, in real time.
    Phone,
}

/// What an operation's verb is asked to do.
#[derive(Clone, Copy)]
enum Act {
    /// A prompt of 100 ms.
    Play,
    /// A prompt of 20 s.
    PlayLong,
    /// A file that is no WAV.
    PlayText,
    /// A file that is not there.
    PlayMissing,
    /// A recording of a second at most.
    Record,
    /// A recording that waits for a word.
    RecordLong,
    /// A recording after a file that is not there.
    RecordMissing,
    /// Two keys, with a pause.
    Send,
    /// A hundred keys, with long pauses.
    SendLong,
    Subscribe,
    Cancel,
}

/// What happens beside the action.
#[derive(Clone, Copy)]
enum Step {
    /// The bot plays for ever.
    PlayForEver,
    /// The bot plays 100 ms, which come once the action was answered.
    PlayShort,
    /// The bot cancels.
    Cancel,
    /// The far end hangs up.
    FarHangUp,
}

/// One row: a verb, how it ends, and what must be seen.
struct Row {
    name: &'static str,
    far: Far,
    before: &'static [Step],
    act: Act,
    after: &'static [Step],
    /// The status of the answer.
    answered: &'static str,
    /// What becomes of it: status, code, subcode. It is told exactly once, unless it was answered already ended.
    ends: (&'static str, i32, i32),
}

/// The prompt that others queue behind.
const FIRST: &str = "/first.wav";

const DONE: (&str, i32, i32) = ("completed", 200, 0);
const CANCELLED: (&str, i32, i32) = ("failed", 400, 8508);
/// `contract §2.8`: tones are `completed` however they end.
const TONES_CANCELLED: (&str, i32, i32) = ("completed", 400, 8508);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { name: "a prompt is played", far: Far::Line, before: &[], act: Act::Play, after: &[], answered: "running", ends: DONE },
    Row { name: "a prompt is heard", far: Far::Phone, before: &[], act: Act::Play, after: &[], answered: "running", ends: DONE },
    Row { name: "a prompt is cancelled", far: Far::Phone, before: &[], act: Act::PlayLong, after: &[Step::Cancel], answered: "running", ends: CANCELLED },
    Row { name: "the bot hangs up in mid-prompt", far: Far::Phone, before: &[], act: Act::PlayLong, after: &[], answered: "running", ends: CANCELLED },
    Row { name: "the far end hangs up in mid-prompt", far: Far::Phone, before: &[], act: Act::PlayLong, after: &[Step::FarHangUp], answered: "running", ends: CANCELLED },
    Row { name: "a prompt is no WAV", far: Far::Phone, before: &[], act: Act::PlayText, after: &[], answered: "running", ends: ("failed", 400, 8535) },
    Row { name: "a prompt cannot be fetched", far: Far::Phone, before: &[], act: Act::PlayMissing, after: &[], answered: "running", ends: ("failed", 400, 8536) },
    Row { name: "a queued prompt has its turn", far: Far::Phone, before: &[Step::PlayShort], act: Act::Play, after: &[], answered: "notStarted", ends: DONE },
    Row { name: "a queued prompt has its turn and is no WAV", far: Far::Phone, before: &[Step::PlayShort], act: Act::PlayText, after: &[], answered: "notStarted", ends: ("failed", 400, 8535) },
    Row { name: "a queued prompt is cancelled", far: Far::Line, before: &[Step::PlayForEver], act: Act::Play, after: &[Step::Cancel], answered: "notStarted", ends: CANCELLED },
    Row { name: "the bot hangs up before a queued prompt", far: Far::Line, before: &[Step::PlayForEver], act: Act::Play, after: &[], answered: "notStarted", ends: CANCELLED },
    Row { name: "the far end hangs up before a queued prompt", far: Far::Phone, before: &[Step::PlayForEver], act: Act::Play, after: &[Step::FarHangUp], answered: "notStarted", ends: CANCELLED },
    Row { name: "a test line is recorded", far: Far::Line, before: &[], act: Act::RecordLong, after: &[], answered: "running", ends: ("completed", 200, 8516) },
    Row { name: "a silent phone is recorded", far: Far::Phone, before: &[], act: Act::Record, after: &[], answered: "running", ends: ("failed", 400, 8510) },
    Row { name: "a recording's prompt cannot be fetched", far: Far::Phone, before: &[], act: Act::RecordMissing, after: &[], answered: "running", ends: ("failed", 400, 8536) },
    Row { name: "a recording is cancelled", far: Far::Phone, before: &[], act: Act::RecordLong, after: &[Step::Cancel], answered: "running", ends: CANCELLED },
    Row { name: "a queued recording has its turn", far: Far::Phone, before: &[Step::PlayShort], act: Act::Record, after: &[], answered: "notStarted", ends: ("failed", 400, 8510) },
    Row { name: "a queued recording is cancelled", far: Far::Line, before: &[Step::PlayForEver], act: Act::RecordLong, after: &[Step::Cancel], answered: "notStarted", ends: CANCELLED },
    Row { name: "the far end hangs up before a queued recording", far: Far::Phone, before: &[Step::PlayForEver], act: Act::RecordLong, after: &[Step::FarHangUp], answered: "notStarted", ends: CANCELLED },
    Row { name: "a test line is sent tones", far: Far::Line, before: &[], act: Act::Send, after: &[], answered: "running", ends: DONE },
    Row { name: "a phone is sent tones", far: Far::Phone, before: &[], act: Act::Send, after: &[], answered: "running", ends: DONE },
    Row { name: "tones are cancelled", far: Far::Phone, before: &[], act: Act::SendLong, after: &[Step::Cancel], answered: "running", ends: TONES_CANCELLED },
    Row { name: "the bot hangs up in mid-tone", far: Far::Phone, before: &[], act: Act::SendLong, after: &[], answered: "running", ends: TONES_CANCELLED },
    Row { name: "the far end hangs up in mid-tone", far: Far::Phone, before: &[], act: Act::SendLong, after: &[Step::FarHangUp], answered: "running", ends: TONES_CANCELLED },
    Row { name: "queued tones have their turn", far: Far::Phone, before: &[Step::PlayShort], act: Act::Send, after: &[], answered: "notStarted", ends: DONE },
    Row { name: "queued tones are cancelled", far: Far::Line, before: &[Step::PlayForEver], act: Act::Send, after: &[Step::Cancel], answered: "notStarted", ends: TONES_CANCELLED },
    Row { name: "tones are subscribed to", far: Far::Line, before: &[], act: Act::Subscribe, after: &[], answered: "completed", ends: DONE },
    Row { name: "tones are subscribed to in mid-prompt", far: Far::Line, before: &[Step::PlayForEver], act: Act::Subscribe, after: &[], answered: "completed", ends: DONE },
    Row { name: "nothing is cancelled", far: Far::Line, before: &[], act: Act::Cancel, after: &[], answered: "completed", ends: DONE },
    Row { name: "a running and a queued prompt are cancelled", far: Far::Line, before: &[Step::PlayForEver, Step::PlayShort], act: Act::Cancel, after: &[], answered: "completed", ends: DONE },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_get_and_notification_are_one_operation() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let text = b"no WAV".to_vec();
    for (path, bytes) in
        [(FIRST, tone(100)), ("/short.wav", tone(100)), ("/long.wav", tone(20_000)), ("/text.wav", text)]
    {
        world.journal.file(path, bytes);
    }
    for version in ["v1.0", "beta"] {
        for row in ROWS {
            let (call, up) = match row.far {
                Far::Line => (world.null_call().await, None),
                Far::Phone => {
                    let (call, up) = world.call_to(&phone, USERS[0].0).await;
                    (call, Some(up))
                }
            };
            println!("{version}: {}", row.name);
            check(&world, version, row, &call, up).await;
        }
    }
}

async fn check(world: &World, version: &str, row: &Row, call: &str, up: Option<PhoneCall>) {
    for step in row.before {
        take(world, *step, call, up.as_ref()).await;
    }
    let context = format!("{} / {version}", row.name);
    let (verb, kind) = match row.act {
        Act::Play | Act::PlayLong | Act::PlayText | Act::PlayMissing => ("playPrompt", "playPromptOperation"),
        Act::Record | Act::RecordLong | Act::RecordMissing => ("recordResponse", "recordOperation"),
        Act::Send | Act::SendLong => ("sendDtmfTones", "sendDtmfTonesOperation"),
        Act::Subscribe => ("subscribeToTone", "subscribeToToneOperation"),
        Act::Cancel => ("cancelMediaProcessing", "cancelMediaProcessingOperation"),
    };
    let path = format!("/{version}/communications/calls/{call}/{verb}");
    let answer = world.bot.ask("POST", &path, Some(&body(world, row.act, &context))).await.is(200);
    let answered = answer.json();
    let id = answer.id();
    let wanted = Wanted { id: &id, context: &context, kind };

    // The answer: S2, S5, S6, S8, S10, and S7 before and after.
    wanted.check(&answered);
    assert_eq!(answered["status"], row.answered, "{context}");
    let place = format!("{}/{version}/communications/calls/{call}/operations/{id}", world.server.public_url());
    assert_eq!(answer.header("location"), Some(place.as_str()), "{context}");

    // GET, at once and in the list: the same, perhaps further on.
    let by_id = format!("/{version}/communications/calls/{call}/operations/{id}");
    let read = world.bot.ask("GET", &by_id, None).await.is(200).json();
    wanted.check(&read);
    assert!(!(is_terminal(&answered) && read["status"] != answered["status"]), "{context}: it went back");
    let listed = world.bot.get(&format!("/{call}/operations")).await.is(200).json();
    let listed = listed["value"].as_array().unwrap().iter().find(|listed| listed["id"] == *id).expect("it is listed");
    wanted.check(listed);

    world.journal.hand_over(FIRST);
    for step in row.after {
        take(world, *step, call, up.as_ref()).await;
    }
    if !is_terminal(&answered) && !is_mid_prompt(row) {
        world.journal.ended(call, &id).await;
    }
    // The barrier: nothing of this call is told after its end.
    if !row.after.iter().any(|step| matches!(step, Step::FarHangUp)) {
        world.bot.hang_up(call).await;
    }
    let gists = world.over(call).await;
    assert_eq!(gists.last().map(String::as_str), Some("terminated"), "{context}: {gists:?}");
    let told = world.journal.operation(call, &id);
    if is_terminal(&answered) {
        assert_eq!(told.len(), 0, "{context}: S3: nothing more is told: {gists:?}");
    } else {
        assert_eq!(told.len(), 1, "{context}: S4: its end is told once: {gists:?}");
        let notice = told[0].item();
        assert_eq!(notice["changeType"], "deleted", "{context}");
        wanted.check(&notice["resourceData"]);
        wanted.check_end(&notice["resourceData"], row.ends);
    }
    // Read again, when the call is over: the same as was told.
    let last = world.bot.ask("GET", &by_id, None).await.is(200).json();
    wanted.check(&last);
    wanted.check_end(&last, row.ends);
    if let Some(up) = up {
        soon(up.ended()).await;
    }
}

fn is_mid_prompt(row: &Row) -> bool {
    // What is still open when the call ends, ends with it.
    row.after.is_empty() && [CANCELLED, TONES_CANCELLED].contains(&row.ends)
}

async fn take(world: &World, step: Step, call: &str, up: Option<&PhoneCall>) {
    match step {
        Step::PlayForEver => {
            // A phone's prompt is fetched.
            let body = match up {
                None => play_for_ever(None),
                Some(_) => {
                    let mut body = play(&[&world.journal.url("/short.wav")], None);
                    body["loop"] = true.into();
                    body
                }
            };
            let running = world.bot.beta(&format!("/{call}/playPrompt"), &body).await.is(200);
            assert_eq!(running.json()["status"], "running");
        }
        Step::PlayShort => {
            world.journal.withhold(FIRST);
            let body = play(&[&world.journal.url(FIRST)], None);
            world.bot.post(&format!("/{call}/playPrompt"), &body).await.is(200);
        }
        Step::Cancel => {
            world.bot.post(&format!("/{call}/cancelMediaProcessing"), &json!({})).await.is(200);
        }
        Step::FarHangUp => soon(up.expect("a phone").hang_up()).await,
    }
}

/// The action's body. Its read-only members are someone's mistake, and mean nothing.
fn body(world: &World, act: Act, context: &str) -> Value {
    let file = |path| play(&[&world.journal.url(path)], Some(context));
    let mut body = match act {
        Act::Play => file("/short.wav"),
        Act::PlayLong => file("/long.wav"),
        Act::PlayText => file("/text.wav"),
        Act::PlayMissing => file("/missing.wav"),
        Act::Record | Act::RecordLong | Act::RecordMissing => {
            let missing = matches!(act, Act::RecordMissing);
            let mut body = record(&world.journal.url(if missing { "/missing.wav" } else { "/short.wav" }));
            let seconds = if matches!(act, Act::Record) { 1 } else { 60 };
            body["maxRecordDurationInSeconds"] = seconds.into();
            body["initialSilenceTimeoutInSeconds"] = seconds.into();
            body["clientContext"] = context.into();
            body["recordingLocation"] = "mine".into();
            body["recordingAccessToken"] = "mine".into();
            body
        }
        Act::Send => json!({"tones": ["tone1", "pound"], "delayBetweenTonesMs": 100, "clientContext": context}),
        Act::SendLong => json!({"tones": vec!["a"; 100], "delayBetweenTonesMs": 10_000, "clientContext": context}),
        Act::Subscribe | Act::Cancel => json!({"clientContext": context}),
    };
    body["id"] = "mine".into();
    body["status"] = "failed".into();
    body["resultInfo"] = json!({"code": 1, "subcode": 2, "message": "mine"});
    body["completionReason"] = "mine".into();
    body
}

fn is_terminal(operation: &Value) -> bool {
    ["completed", "failed"].contains(&operation["status"].as_str().expect("a status"))
}

/// What is the same wherever an operation is seen.
struct Wanted<'a> {
    id: &'a str,
    context: &'a str,
    kind: &'a str,
}

impl Wanted<'_> {
    fn check(&self, operation: &Value) {
        assert_eq!(operation["id"], self.id, "{operation}");
        assert_eq!(operation["clientContext"], self.context, "{operation}");
        assert_eq!(operation["@odata.type"], format!("#microsoft.graph.{}", self.kind), "{operation}");
        let statuses = ["notStarted", "running", "completed", "failed"];
        assert!(statuses.contains(&operation["status"].as_str().expect("a status")), "{operation}");
        // S7: null until it has ended, always there after.
        let result = &operation["resultInfo"];
        assert_eq!(result.is_null(), !is_terminal(operation), "{operation}");
        if !result.is_null() {
            assert_eq!(result["@odata.type"], "#microsoft.graph.resultInfo");
            assert!(result["code"].is_i64() && result["subcode"].is_i64() && result["message"].is_string(), "{result}");
        }
        // S9, S10: these four are always there, and nothing leads elsewhere.
        let members: Vec<&str> = operation.as_object().expect("an object").keys().map(String::as_str).collect();
        for needed in ["clientContext", "id", "resultInfo", "status"] {
            assert!(members.contains(&needed), "{needed} is left out: {operation}");
        }
        // Where a recording lies, and the key to it, are there from its end on, and only if there is one.
        if self.kind == "recordOperation" {
            for (name, part) in [("recordingLocation", "/recordings/"), ("recordingAccessToken", "")] {
                let seen = operation[name].as_str();
                let right = match operation["status"].as_str() {
                    Some("completed") => seen.is_some_and(|seen| !seen.is_empty() && seen.contains(part)),
                    Some("failed") => seen == Some(""),
                    _ => operation.get(name) == Some(&Value::Null),
                };
                assert!(right, "{name}: {operation}");
            }
        }
        let known = ["@odata.context", "@odata.type", "@odata.id", "@odata.etag", "completionReason", "prompts"];
        let of_recordings = ["recordingLocation", "recordingAccessToken"];
        let known = |name: &&str| {
            known.contains(name)
                || NEEDED.contains(name)
                || (self.kind == "recordOperation" && of_recordings.contains(name))
        };
        let more = members.iter().find(|name| !known(name));
        assert_eq!(more, None, "{operation}");
    }

    fn check_end(&self, operation: &Value, (status, code, subcode): (&str, i32, i32)) {
        let result = &operation["resultInfo"];
        let seen = (operation["status"].as_str(), result["code"].as_i64(), result["subcode"].as_i64());
        assert_eq!(seen, (Some(status), Some(code.into()), Some(subcode.into())), "{}: {operation}", self.context);
    }
}

const NEEDED: [&str; 4] = ["clientContext", "id", "resultInfo", "status"];

/// S4, the `null` operations: an action answered without one is told through its call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actions_without_an_operation_are_told_through_their_call() {
    let world = World::start().await;
    let phone = world.phone("1001").await;

    // answer ends well: established.
    let (call, up) = world.call_from(&phone).await;
    // keepAlive starts nothing and tells nothing; the hang-up behind it shows that.
    let before = world.journal.gists(&call);
    world.bot.ask("POST", &format!("/v1.0/communications/calls/{call}/keepAlive"), None).await.is(200).without_body();
    assert_eq!(world.bot.get(&format!("/{call}/operations")).await.is(200).json()["value"], json!([]));
    // Hang up: answered with nothing, told as terminating and terminated.
    world.bot.hang_up(&call).await;
    soon(up.ended()).await;
    let gists = world.over(&call).await;
    assert_eq!(gists[..before.len()], before[..]);
    assert_eq!(before[..4], ["incoming", "establishing", "established", "established active"]);
    assert!(gists.ends_with(&["terminating".to_owned(), "terminated".to_owned()]), "{gists:?}");
    // keepAlive, answer, reject and hang up of what is over: refused, and nothing is told.
    let told = world.journal.of(&call).len();
    for verb in ["keepAlive", "answer", "reject"] {
        let body = if verb == "answer" { crate::world::answer() } else { json!({}) };
        let refused = world.bot.post(&format!("/{call}/{verb}"), &body).await.is(404);
        assert_eq!(refused.code(), "8522", "{verb}");
    }
    assert_eq!(world.bot.delete(&format!("/{call}")).await.is(404).code(), "8522");
    assert_eq!(world.journal.of(&call).len(), told);

    // reject ends well: the call is deleted, its caller hears why.
    let calling = phone.clone();
    let dialled = tokio::spawn(async move { calling.call(crate::world::NUMBER).await.map(drop) });
    let rejected = world.journal.incoming(std::slice::from_ref(&call)).await;
    world.bot.post(&format!("/{rejected}/reject"), &json!({"reason": "busy"})).await.is(202).without_body();
    assert_eq!(world.over(&rejected).await, ["incoming", "terminated"]);
    let refused = soon(dialled).await.unwrap().unwrap_err();
    assert_eq!(refused.to_string(), "the far end refused with status 486");

    // answer ends badly: the caller gave up, and the bot is told the end.
    let mut dialled = soon(phone.dial(crate::world::NUMBER)).await.expect("it rings");
    let given_up = world.journal.incoming(&[call, rejected]).await;
    assert_eq!(soon(dialled.cancel()).await.unwrap(), 487);
    assert_eq!(world.over(&given_up).await, ["incoming", "terminated"]);
    let late = world.bot.post(&format!("/{given_up}/answer"), &crate::world::answer()).await.is(404);
    assert_eq!(late.code(), "8522");

    // reject and answer ends badly: the call is no longer incoming. Refused, and nothing changes.
    let line = world.null_call().await;
    assert_eq!(world.bot.post(&format!("/{line}/reject"), &json!({})).await.is(409).code(), "notAllowed");
    let again = world.bot.post(&format!("/{line}/answer"), &crate::world::answer()).await.is(409);
    assert_eq!(again.code(), "notAllowed");
    world.bot.hang_up(&line).await;
    let gists = world.over(&line).await;
    assert_eq!(gists, ["establishing", "established", "established active", "roster", "terminating", "terminated"]);
}

/// A verb that is refused makes no operation: nothing is listed, nothing is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_no_operation() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let mut dialled = soon(phone.dial(crate::world::NUMBER)).await.expect("it rings");
    let call = world.journal.incoming(&[]).await;
    let prompt = world.journal.url("/short.wav");
    for (verb, body) in verbs(&prompt) {
        let refused = world.bot.post(&format!("/{call}/{verb}"), &body).await.is(409);
        assert_eq!(refused.code(), "notAllowed", "{verb} before the call is established");
    }
    // An incoming call is rejected, not hung up.
    assert_eq!(world.bot.delete(&format!("/{call}")).await.is(409).code(), "notAllowed");
    assert_eq!(world.bot.get(&format!("/{call}/operations")).await.is(200).json()["value"], json!([]));
    assert_eq!(soon(dialled.cancel()).await.unwrap(), 487);
    assert_eq!(world.over(&call).await, ["incoming", "terminated"]);
    for (verb, body) in verbs(&prompt) {
        assert_eq!(world.bot.post(&format!("/{call}/{verb}"), &body).await.is(404).code(), "8522", "{verb} after");
    }
    assert_eq!(world.bot.get(&format!("/{call}/operations")).await.is(200).json()["value"], json!([]));
}

/// The verbs that start an operation, with a body each.
fn verbs(prompt: &str) -> [(&'static str, Value); 5] {
    [
        ("playPrompt", play(&[prompt], None)),
        ("recordResponse", record(prompt)),
        ("sendDtmfTones", json!({"tones": ["tone1"]})),
        ("subscribeToTone", json!({})),
        ("cancelMediaProcessing", json!({})),
    ]
}

/// S5: at most 256 UTF-16 units, on every verb that takes one, and unchanged byte for byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_context_has_at_most_256_units_and_comes_back_unchanged() {
    let world = World::start().await;
    let call = world.null_call().await;
    let prompt = world.journal.url("/short.wav");
    let taken = [
        "x".repeat(255),
        "x".repeat(256),
        "😀".repeat(128),
        "é".repeat(256),
        // Controls, quotes, a combining accent, right-to-left, a lone joiner: all of it comes back.
        "\u{1}\t\"\\/ e\u{301} \u{5d0}\u{200d}\u{feff}\u{ffff}".to_owned(),
        String::new(),
    ];
    let refused = ["x".repeat(257), "😀".repeat(129), format!("{}x", "😀".repeat(128))];
    for (verb, mut body) in verbs(&prompt) {
        for text in &taken {
            body["clientContext"] = text.as_str().into();
            let answer = world.bot.post(&format!("/{call}/{verb}"), &body).await.is(200);
            let id = answer.id();
            assert_eq!(answer.json()["clientContext"], text.as_str(), "{verb}");
            assert_eq!(world.bot.operation(&call, &id).await["clientContext"], text.as_str(), "{verb}");
            if let "playPrompt" | "recordResponse" = verb {
                assert_eq!(world.journal.ended(&call, &id).await["clientContext"], text.as_str());
            }
        }
        let before = world.bot.get(&format!("/{call}/operations")).await.json();
        for text in &refused {
            body["clientContext"] = text.as_str().into();
            let answer: Answer = world.bot.post(&format!("/{call}/{verb}"), &body).await.is(400);
            assert_eq!(answer.code(), "invalidRequest");
            assert!(answer.message().contains("256"), "{}", answer.message());
        }
        assert_eq!(world.bot.get(&format!("/{call}/operations")).await.json(), before, "{verb}: no effect");
        // Escaped or not makes no difference to what it is.
        let escaped = body.to_string().replace(&body["clientContext"].to_string(), "\"\\ud83d\\ude00\"");
        let path = format!("/v1.0/communications/calls/{call}/{verb}");
        let answer = world.bot.ask_raw("POST", &path, "", Some(escaped.as_bytes())).await.is(200);
        assert_eq!(answer.json()["clientContext"], "😀");
        // None given, none invented.
        body["clientContext"] = Value::Null;
        let answer = world.bot.post(&format!("/{call}/{verb}"), &body).await.is(200);
        assert_eq!(answer.json()["clientContext"], Value::Null);
    }
}

/// S6 to S8 are read-only: nobody writes to an operation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_cannot_be_written_to() {
    let world = World::start().await;
    let call = world.null_call().await;
    let id = world.bot.beta(&format!("/{call}/playPrompt"), &play_for_ever(None)).await.is(200).id();
    let before = world.bot.operation(&call, &id).await;
    for path in [format!("/{call}/operations/{id}"), format!("/{call}/operations('{id}')")] {
        for method in ["PATCH", "POST", "DELETE", "PUT"] {
            let full = format!("/v1.0/communications/calls{path}");
            let refused = world.bot.ask(method, &full, Some(&json!({"status": "completed"}))).await.is(405);
            assert_eq!(refused.header("allow"), Some("GET"));
            assert_eq!(refused.code(), "notAllowed");
        }
    }
    assert_eq!(world.bot.operation(&call, &id).await, before);
}

/// `notStarted` becomes `running` when its turn comes; bots are told of the end only, in the order of the queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_moves_on_and_only_ends_are_told() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    world.journal.file(FIRST, tone(100));
    world.journal.withhold(FIRST);
    world.journal.file("/long.wav", tone(20_000));
    let (call, up) = world.call_to(&phone, USERS[0].0).await;
    let play = async |path: &str| {
        let body = play(&[&world.journal.url(path)], None);
        let answer = world.bot.post(&format!("/{call}/playPrompt"), &body).await.is(200);
        (answer.id(), answer.json()["status"].as_str().unwrap().to_owned())
    };
    let (first, first_status) = play(FIRST).await;
    let (second, second_status) = play("/long.wav").await;
    let (third, third_status) = play(FIRST).await;
    assert_eq!([first_status, second_status, third_status], ["running", "notStarted", "notStarted"]);
    world.journal.hand_over(FIRST);
    assert_eq!(world.journal.ended(&call, &first).await["status"], "completed");
    // The record that ended the first began the second.
    assert_eq!(world.bot.operation(&call, &second).await["status"], "running");
    assert_eq!(world.bot.operation(&call, &third).await["status"], "notStarted");
    let cancel = world.bot.post(&format!("/{call}/cancelMediaProcessing"), &json!({})).await.is(200);
    assert_eq!(world.journal.ended(&call, &third).await["status"], "failed");
    world.bot.hang_up(&call).await;
    soon(up.ended()).await;
    world.over(&call).await;
    let ended: Vec<String> = world
        .journal
        .of(&call)
        .iter()
        .filter(|told| told.gist().starts_with("operation"))
        .map(|told| told.data()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ended, [first.clone(), second.clone(), third.clone()]);
    let listed = world.bot.get(&format!("/{call}/operations")).await.is(200).json();
    let listed: Vec<&str> =
        listed["value"].as_array().unwrap().iter().map(|listed| listed["id"].as_str().unwrap()).collect();
    assert_eq!(listed, [&first, &second, &third, &cancel.id()]);
}

/// docs/COMMSOPERATION.md names tests that there are, and every fact.
#[test]
fn every_test_that_this_page_names_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/COMMSOPERATION.md")).expect("the page");
    let mut named = 0;
    for name in page.split('`').skip(1).step_by(2).filter(|code| code.contains(".rs::") && !code.ends_with("::name")) {
        let (file, function) = name.split_once("::").expect("a file and a function");
        let (room, file) = file.split_once('/').expect("a crate and a file");
        let text = std::fs::read_to_string(root.join(format!("crates/{room}/tests/all/{file}"))).expect(name);
        assert!(text.contains(&format!("fn {function}(")), "{name}");
        named += 1;
    }
    assert!(named > 20, "{named}");
    for fact in 1..=10 {
        assert!(page.contains(&format!("| S{fact} |")), "S{fact}");
    }
}
