//! A server that is killed, or stopped, in the middle of calls (design promises 1 and 5): what died with it is told
//! once, what was answered is found, far ends are hung up.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ringback_server::Server;
use ringback_signal::phone::CallEnd;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::journal::{Journal, Reply};
use crate::soon;
use crate::web::Bot;
use crate::world::{
    self, APP, NULL_LINE, NUMBER, TENANT, USERS, World, answer, configuration, create, options, play, play_for_ever,
    tone,
};

/// Names the folder that the child serves.
const FOLDER: &str = "RINGBACK_TEST_SERVES";

/// Not a test by itself: the server that the tests below kill. It ends with its standard input, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let server = Server::start(options(Path::new(&folder))).await.expect("it starts");
    println!("\naddresses {} {}", server.http_addr(), server.sip_addr());
    tokio::io::stdin().read_to_end(&mut Vec::new()).await.expect("standard input");
}

/// A server in a process of its own.
pub(crate) struct Victim {
    child: Child,
    pub(crate) bot: Bot,
    pub(crate) sip: std::net::SocketAddr,
}

impl Victim {
    async fn start(folder: &TempDir, journal: &Journal) -> Victim {
        Self::serving(folder, &configuration(journal.address())).await
    }

    /// With a configuration of its own.
    pub(crate) async fn serving(folder: &TempDir, configuration: &str) -> Victim {
        std::fs::write(folder.path().join("ringback.toml"), configuration).expect("a file");
        let mut command = Command::new(std::env::current_exe().expect("this very program"));
        command.args(["--exact", "recovery::the_server_that_is_killed", "--nocapture"]);
        command.env(FOLDER, folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (http, sip) = loop {
            let line = soon(lines.next_line()).await.expect("it can be read").expect("it says its addresses");
            if let Some((http, sip)) = line.strip_prefix("addresses ").and_then(|rest| rest.split_once(' ')) {
                break (http.parse().expect("an address"), sip.parse().expect("an address"));
            }
        };
        Victim { child, bot: world::bot(http, TENANT, APP).await, sip }
    }

    pub(crate) async fn kill(mut self) {
        soon(self.child.kill()).await.expect("it can be killed");
    }

    /// A call to the test line, up.
    pub(crate) async fn null_call(&self, journal: &Journal, path: &str) -> String {
        let call = self.bot.post("", &create(&journal.url(path), NULL_LINE)).await.is(201).id();
        journal.wait(&call, "established active").await;
        call
    }
}

pub(crate) async fn start_again(folder: &TempDir) -> Server {
    soon(Server::start(options(folder.path()))).await.expect("it starts again")
}

fn result(of: &Value) -> (i64, i64) {
    let result = &of["resultInfo"];
    (result["code"].as_i64().expect("a code"), result["subcode"].as_i64().expect("a subcode"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_prompt_everything_is_told_once_and_found() {
    let (journal, folder) = (Journal::start().await, tempfile::tempdir().expect("a folder"));
    let long = journal.file("/long.wav", tone(20_000));
    let victim = Victim::start(&folder, &journal).await;
    let bot = victim.bot.clone();

    // A phone hears a prompt, with another one behind it.
    let phone = world::phone(victim.sip, "1001").await;
    let dialled = soon(phone.dial(NUMBER)).await.expect("it rings");
    let call = journal.incoming(&[]).await;
    bot.post(&format!("/{call}/answer"), &answer()).await.is(202);
    let up = soon(dialled.answered()).await.expect("it is up");
    journal.wait(&call, "established active").await;
    let path = format!("/{call}/playPrompt");
    let running = bot.post(&path, &play(&[&long], Some("running"))).await.is(200).id();
    let queued = bot.post(&path, &play(&[&long], Some("queued"))).await.is(200).id();
    let done = bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200).id();
    // Another phone rings, and nobody has answered it.
    let other = world::phone(victim.sip, "1002").await;
    let _ringing = soon(other.dial(NUMBER)).await.expect("it rings");
    let asked = journal.incoming(std::slice::from_ref(&call)).await;
    // A third is rung by the bot.
    let placed = bot.post("", &create(&journal.url("/calls"), USERS[0].0)).await.is(201).id();
    let _rung = soon(phone.ringing()).await.expect("it rings");
    // And the test line plays, many times over.
    let mut lines = Vec::new();
    for _ in 0..12 {
        let line = victim.null_call(&journal, "/calls").await;
        let operation = bot.beta(&format!("/{line}/playPrompt"), &play_for_ever(None)).await.is(200).id();
        lines.push((line, operation));
    }
    victim.kill().await;

    let server = start_again(&folder).await;
    let bot = Bot { http: server.http_addr(), token: bot.token };
    assert_eq!(server.adopted(), 3 + lines.len());
    assert_eq!(soon(up.ended()).await, CallEnd::FarHungUp, "the far end gets a BYE");
    let mut expected = vec![(call.clone(), vec![running.clone(), queued]), (asked, vec![]), (placed, vec![])];
    expected.extend(lines.into_iter().map(|(line, operation)| (line, vec![operation])));
    for (call, operations) in &expected {
        let end = journal.wait(call, "terminated").await.data();
        assert_eq!(result(&end), (500, 1005), "{call}");
        for operation in operations {
            let told = journal.operation(call, operation);
            assert_eq!(told.len(), 1, "{call}: {:?}", journal.gists(call));
            let read = bot.operation(call, operation).await;
            for seen in [&told[0].data(), &read] {
                assert_eq!((seen["status"].as_str(), result(seen)), (Some("failed"), (500, 8512)));
            }
        }
        assert_eq!(bot.get(&format!("/{call}")).await.is(404).code(), "8522");
        let listed = bot.get(&format!("/{call}/operations")).await.is(200).json();
        let listed = listed["value"].as_array().unwrap().clone();
        assert!(listed.iter().all(|operation| operation["status"] != "running"), "nothing runs for ever");
    }
    assert_eq!(bot.operation(&call, &done).await["status"], "completed", "what was answered is found");
    assert_eq!(bot.operation(&call, &running).await["clientContext"], "running");

    // Stopped well, and started twice more: nothing is told again. A stop waits for what is still to be told.
    soon(server.stop(Duration::from_secs(10))).await;
    let told = journal.told().len();
    for (call, _) in &expected {
        let gists = journal.gists(call);
        assert_eq!(gists.iter().filter(|gist| *gist == "terminated").count(), 1, "{gists:?}");
        assert_eq!(gists.last().unwrap(), "terminated", "{gists:?}");
    }
    for _ in 0..2 {
        let server = start_again(&folder).await;
        assert_eq!(server.adopted(), 0);
        soon(server.stop(Duration::from_secs(10))).await;
    }
    assert_eq!(journal.told().len(), told);
}

/// What was said until the server died is kept, and told as the rest is (design promise 7).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_recording_what_was_said_is_kept() {
    let (journal, folder) = (Journal::start().await, tempfile::tempdir().expect("a folder"));
    let prompt = journal.file("/prompt.wav", tone(100));
    let victim = Victim::start(&folder, &journal).await;
    let bot = victim.bot.clone();
    let phone = world::phone(victim.sip, "1001").await;
    let call = bot.post("", &create(&journal.url("/calls"), USERS[0].0)).await.is(201).id();
    let up = soon(soon(phone.ringing()).await.expect("it rings").answer()).await.expect("it is up");
    journal.wait(&call, "established active").await;
    let body = crate::recordings::long_record(&prompt);
    let recording = bot.post(&format!("/{call}/recordResponse"), &body).await.is(200).id();
    let queued = bot.post(&format!("/{call}/playPrompt"), &play(&[&prompt], None)).await.is(200).id();
    let (sound, quiet) = (Duration::from_millis(250), Duration::from_millis(150));
    soon(up.heard_until_quiet(0, sound, quiet, Duration::from_secs(30))).await.expect("a beep");
    let said = world::words(1_500);
    // It is written as it comes.
    crate::recordings::say_until_recorded(&up, &said, &folder.path().join("data"), &call, &recording).await;
    victim.kill().await;

    let server = start_again(&folder).await;
    let ended = journal.ended(&call, &recording).await;
    assert_eq!((ended["status"].as_str(), result(&ended)), (Some("completed"), (200, 8517)));
    let message = ended["resultInfo"]["message"].as_str().expect("a message");
    assert!(message.contains("the server was restarted"), "{message}");
    assert_eq!(result(&journal.ended(&call, &queued).await), (500, 8512));
    assert_eq!(result(&journal.wait(&call, "terminated").await.data()), (500, 1005));
    // The address is of the server that died: its port is gone, the token is good.
    let location = ended["recordingLocation"].as_str().expect("a location");
    let path = location.splitn(4, '/').nth(3).expect("a path");
    let token = ended["recordingAccessToken"].as_str().expect("a token").to_owned();
    let reader = Bot { http: server.http_addr(), token };
    let answer = reader.ask("GET", &format!("/{path}"), None).await.is(200);
    let recorded = ringback_media::wav::decode(&answer.body).expect("a whole WAV file").pcm;
    let wanted = ringback_media::resample(&said, 8_000, 16_000);
    let found = ringback_media::correlate::correlate(&wanted, &recorded, recorded.len()).expect("sound");
    assert!(found.coefficient > 0.9, "{}", found.coefficient);
    let part = folder.path().join("data/recordings").join(APP).join(format!("{call}_{recording}.part"));
    assert!(!part.exists());
}

/// A bot that was away when the server died is told what it missed, as it would have been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_owed_when_it_was_killed_is_told_with_the_same_id_and_body() {
    let (journal, folder) = (Journal::start().await, tempfile::tempdir().expect("a folder"));
    let victim = Victim::start(&folder, &journal).await;
    let call = victim.null_call(&journal, "/away").await;
    journal.wait(&call, "roster").await;
    journal.always("/away", Reply::status(500));
    let mut operations = Vec::new();
    for _ in 0..3 {
        let body = play(&["http://h/p.wav"], None);
        operations.push(victim.bot.post(&format!("/{call}/playPrompt"), &body).await.is(200).id());
    }
    let attempted = journal.wait(&call, "operation completed").await;
    // A call that has ended, and whose bot does not know.
    let over = victim.null_call(&journal, "/calls").await;
    journal.wait(&over, "roster").await;
    journal.always("/calls", Reply::status(500));
    victim.bot.hang_up(&over).await;
    journal.wait(&over, "terminating").await;
    victim.kill().await;

    for path in ["/away", "/calls"] {
        journal.mend(path);
    }
    let before = journal.of(&call).len();
    let server = start_again(&folder).await;
    // The other one's leg may not have been recorded as ended.
    assert!((1..=2).contains(&server.adopted()));
    journal.wait(&call, "terminated").await;
    journal.wait(&over, "terminated").await;
    soon(server.stop(Duration::from_secs(10))).await;
    let told = journal.of(&call);
    // The last cursor may not have been recorded: at the most the notice before is told twice.
    let again: Vec<_> = told[before..].iter().filter(|one| one.gist() != "roster").collect();
    assert_eq!(again[0].message_id(), attempted.message_id());
    assert_eq!(again[0].body, attempted.body);
    let gists: Vec<String> = again.iter().map(|one| one.gist()).collect();
    assert_eq!(gists, ["operation completed", "operation completed", "operation completed", "terminated"]);
    let ids: Vec<Value> = again[..3].iter().map(|one| one.data()["id"].take()).collect();
    assert_eq!(ids, operations);
    assert_eq!(journal.gists(&over).iter().filter(|gist| *gist == "terminated").count(), 1);
}

/// A stop in the middle of a call hangs up, tells the bot, and loses nothing of what a bot that is away must hear.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_tells_the_bots_and_loses_nothing() {
    let World { server, journal, bot, folder } = {
        let world = World::start().await;
        world.journal.file("/long.wav", tone(20_000));
        world
    };
    let phone = world::phone(server.sip_addr(), "1001").await;
    let placed = bot.post("", &create(&journal.url("/calls"), USERS[0].0)).await.is(201).id();
    let up = soon(soon(phone.ringing()).await.expect("it rings").answer()).await.expect("it is up");
    let mut told_so_far = vec![placed.clone()];
    for _ in 0..5 {
        told_so_far.push(bot.post("", &create(&journal.url("/calls"), NULL_LINE)).await.is(201).id());
    }
    let away = bot.post("", &create(&journal.url("/away"), NULL_LINE)).await.is(201).id();
    for call in told_so_far.iter().chain([&away]) {
        journal.wait(call, "roster").await;
    }
    let operation =
        bot.post(&format!("/{placed}/playPrompt"), &play(&[&journal.url("/long.wav")], None)).await.is(200).id();
    journal.always("/away", Reply::status(500));
    soon(server.stop(Duration::from_secs(3))).await;

    // Told before the stop was over.
    assert_eq!(soon(up.ended()).await, CallEnd::FarHungUp);
    assert_eq!(journal.operation(&placed, &operation).len(), 1);
    for call in &told_so_far {
        let gists = journal.gists(call);
        assert_eq!(gists.last().map(String::as_str), Some("terminated"), "{gists:?}");
    }
    // The bot that did not listen is told after the next start.
    let attempted = journal.of(&away);
    journal.mend("/away");
    let server = start_again(&folder).await;
    assert_eq!(server.adopted(), 0, "a stop leaves nothing open");
    soon(server.stop(Duration::from_secs(10))).await;
    let repeated = journal.of(&away).split_off(attempted.len());
    assert_eq!(repeated.iter().map(|told| told.gist()).collect::<Vec<_>>(), ["terminated"]);
    assert_eq!(repeated[0].message_id(), attempted.last().unwrap().message_id());
    for call in &told_so_far {
        let gists = journal.gists(call);
        assert_eq!(gists.iter().filter(|gist| *gist == "terminated").count(), 1, "{gists:?}");
    }
}
