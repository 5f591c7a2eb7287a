//! Secrets, tokens and numbers reach no trace (design promise 8), nor the operator's timeline.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringback_signal::QUIET_SIP_LIBRARY;
use ringback_signal::phone::{Phone, PhoneConfig};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::journal::{Journal, Reply};
use crate::soon;
use crate::web::Bot;
use crate::world::{
    self, APP, HERE, NULL_LINE, SECRET, TENANT, USERS, World, answer, configuration, create, play, tone,
};

/// Where traces are written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const CALLER: &str = "+4930555017701";
const CALLED: &str = "+4930555018802";
const NOBODY: &str = "+4930555019903";
const PASSWORD: &str = "battery staple of the caller";
const WRONG: &str = "guessed by a stranger";
const NAME: &str = "Ada Example";
const SIGNATURE: &str = "sig-of-a-storage-service";
const CONTEXT: &str = "what the bot knows of its customer";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_tokens_and_numbers_are_nowhere_in_the_traces() {
    let written = Written::default();
    let writer = written.clone();
    let filter = EnvFilter::new(format!("trace,{QUIET_SIP_LIBRARY}"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    subscriber.with_writer(move || writer.clone()).init();
    tracing::info!("the trace is read");

    let journal = Journal::start().await;
    let text = configuration(journal.address())
        .replace("\"1001\"", &format!("\"{CALLER}\""))
        .replace("\"5000\"", &format!("\"{CALLED}\""))
        .replace(world::PASSWORD, PASSWORD)
        .replace("\"Phone 1001\"", &format!("\"{NAME}\""));
    let collector = Journal::start().await;
    let text = text + &format!("[telemetry]\notlp = \"http://{}\"\n", collector.address());
    let world = World::start_with(journal, tempfile::tempdir().expect("a folder"), &text).await;
    let mut timeline = world.server.timeline().follow();
    let operator = std::fs::read_to_string(world.server.operator_token_file()).unwrap().trim().to_owned();
    a_whole_day(&world, &operator).await;
    let bearer = world.journal.told()[0].header("authorization").replace("Bearer ", "");
    let token = world.bot.token.clone();
    let World { server, journal: _journal, .. } = world;
    soon(server.stop(Duration::from_secs(1))).await;

    let mut entries = String::new();
    while let Ok(entry) = timeline.try_recv() {
        entries += &serde_json::to_string(&entry).unwrap();
        entries += "\n";
    }
    let traces = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(traces.contains("the trace is read"));
    assert!(entries.contains("call terminated"));
    let spans: Vec<String> = collector.told().iter().map(|told| String::from_utf8_lossy(&told.body).into()).collect();
    let spans = spans.join("\n");
    assert!(spans.contains("\"notify\"") && spans.contains("\"fetch prompt\""));
    let signatures: Vec<&str> = [&token, &bearer].iter().map(|token| token.rsplit('.').next().unwrap()).collect();
    let numbers = [CALLER, CALLED, NOBODY].map(|number| number.trim_start_matches('+'));
    let others = [SECRET, PASSWORD, WRONG, NAME, SIGNATURE, CONTEXT, &operator, &token, &bearer, "tone7", "nonce"];
    for secret in others.iter().chain(&signatures).chain(&numbers) {
        for (place, text) in [("traces", &traces), ("timeline", &entries), ("spans", &spans)] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in the {place}");
        }
    }
}

/// Everything that can go well or badly with a secret in it.
async fn a_whole_day(world: &World, operator: &str) {
    let http = world.http();
    // Tokens: wrong secrets, bearers that are none, the operator's at the wrong door.
    world::token(http, TENANT, APP, WRONG).await.is(401);
    for token in [WRONG.replace(' ', ""), operator.to_owned(), format!("{}x", world.bot.token)] {
        Bot { http, token }.get("").await.is(401);
    }
    world.operator("status").await.is(200);
    // Phones: a wrong password, a number that nobody has, a call that is answered, keys, hold.
    let config = |password: &str| PhoneConfig {
        registrar: world.server.sip_addr(),
        user: CALLER.to_owned(),
        password: password.to_owned(),
        bind: HERE,
    };
    let stranger = soon(Phone::start(config(WRONG))).await.unwrap();
    soon(stranger.register()).await.unwrap_err();
    let phone = soon(Phone::start(config(PASSWORD))).await.unwrap();
    soon(phone.register()).await.unwrap();
    assert!(soon(phone.call(NOBODY)).await.is_err());
    world.journal.script("/calls", [Reply::status(500)]);
    let dialled = soon(phone.dial(CALLED)).await.expect("it rings");
    let call = world.journal.incoming(&[]).await;
    let mut body = answer();
    body["callbackUri"] = world.journal.url(&format!("/calls?{SIGNATURE}")).into();
    world.bot.post(&format!("/{call}/answer"), &body).await.is(202);
    let up = soon(dialled.answered()).await.expect("it is up");
    world.journal.wait(&call, "established active").await;
    world.bot.post(&format!("/{call}/subscribeToTone"), &json!({"clientContext": CONTEXT})).await.is(200);
    up.press("7").await;
    world.journal.wait(&call, "tone tone7").await;
    soon(up.hold(true)).await.expect("agreed");
    soon(up.hold(false)).await.expect("agreed");
    // Prompts: one that is heard, one that is none, one that is nowhere.
    world.journal.file("/p.wav", tone(60));
    world.journal.file("/text.wav", "no WAV");
    for path in ["/p.wav", "/text.wav", "/missing.wav"] {
        let uri = world.journal.url(&format!("{path}?{SIGNATURE}"));
        let operation =
            world.bot.post(&format!("/{call}/playPrompt"), &play(&[&uri], Some(CONTEXT))).await.is(200).id();
        world.journal.ended(&call, &operation).await;
    }
    let nowhere = format!("http://127.0.0.1:1/{SIGNATURE}");
    let body = play(&[&nowhere], Some(CONTEXT));
    let operation = world.bot.post(&format!("/{call}/playPrompt"), &body).await.is(200).id();
    world.journal.ended(&call, &operation).await;
    soon(up.hang_up()).await;
    world.over(&call).await;
    // Calls out: to a phone that is busy, to a number nobody carries; webhooks that fail in every way.
    let call = world.bot.post("", &create(&world.journal.url("/calls"), USERS[0].0)).await.is(201).id();
    soon(phone.ringing()).await.expect("it rings").decline(486);
    world.over(&call).await;
    let mut body = create(&world.journal.url("/calls"), "");
    body["targets"][0]["identity"] = json!({"phone": {"id": NOBODY}});
    world.bot.post("", &body).await.is(400);
    let failures = [Reply::status(404), Reply::Close, Reply::status(429), Reply::with(302, "location", SIGNATURE)];
    world.journal.script("/failing", failures);
    let callback = world.journal.url(&format!("/failing?{SIGNATURE}"));
    let call = world.bot.post("", &create(&callback, NULL_LINE)).await.is(201).id();
    world.journal.wait(&call, "established active").await;
    world.bot.hang_up(&call).await;
    world.over(&call).await;
    let call = world.bot.post("", &create(&nowhere, NULL_LINE)).await.is(201).id();
    world.bot.hang_up(&call).await;
    // Bad input, with something in it that is nobody's business.
    let bad = json!({"callbackUri": 5, "targets": SIGNATURE, "subject": CONTEXT});
    world.bot.post("", &bad).await.is(400);
    world.bot.ask("GET", &format!("/v1.0/{SIGNATURE}"), None).await.is(501);
}
