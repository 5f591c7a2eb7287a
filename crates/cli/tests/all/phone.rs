//! `phone call` and `trigger incoming` from outside, with the example bot: what is heard, and what is said when it is not.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ringback_example_bot::Bot;
use ringback_media::wav;
use ringback_server::directory::SecretHash;
use ringback_server::{Options, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const TENANT: &str = "1a1a1a1a-0000-4000-8000-00000000000a";
const APP: &str = "a1a1a1a1-0000-4000-8000-0000000000a1";
const SECRET: &str = "the bot's own secret";

/// A server that runs, and the example bot, which takes one call after the other.
struct Set {
    runtime: Runtime,
    server: Option<Server>,
    folder: TempDir,
}

/// One and a half seconds of tones; another number has others.
fn melody(number: u32) -> Vec<u8> {
    let sample = |n: u32| {
        let pitch = 400 + 110 * (n / 4_000 * 4 + number);
        ((f64::from(n) * f64::from(pitch) / 16_000.0 * std::f64::consts::TAU).sin() * 9_000.0) as i16
    };
    wav::encode(16_000, &(0..24_000).map(sample).collect::<Vec<_>>())
}

fn configuration(webhook: &str) -> String {
    let few = NonZeroU32::new(10_000).expect("not zero");
    let hash = SecretHash::make(SECRET, few).expect("random bytes");
    format!(
        "[server]\nhttp = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\nsip = \"127.0.0.1:0\"\nsip_tls = \"127.0.0.1:0\"\n\
         media_ports = \"20000-31999\"\n\
         [[tenants]]\nid = \"{TENANT}\"\nname = \"one.example\"\n\
         [[apps]]\nid = \"{APP}\"\ntenant = \"{TENANT}\"\nname = \"Bot\"\nsecret_hash = \"{hash}\"\n\
         webhook = \"{webhook}\"\nnumbers = [\"5000\"]\n"
    )
}

impl Set {
    fn up() -> Set {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("ringback.toml");
        std::fs::write(&config, configuration("http://127.0.0.1:9/calls")).expect("a file");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let options = Options { data: folder.path().join("data"), config: Some(config.clone()), ..Options::default() };
        let server = runtime.block_on(Server::start(options)).expect("a server");
        let graph = ringback_client::Config::new(server.public_url(), TENANT, APP, SECRET);
        let prompts = [("menu", 0), ("hours", 1), ("bye", 2), ("address", 3), ("message", 3)];
        let prompts = prompts.map(|(name, number)| (name, melody(number)));
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let bot = runtime.block_on(Bot::start(graph, listen, None, prompts)).expect("a bot");
        // Known only now.
        std::fs::write(&config, configuration(&bot.webhook())).expect("a file");
        server.reload().expect("a good configuration");
        runtime.spawn(async move {
            while let Some(call) = bot.calls.incoming().await {
                let _ = bot.serve(&call).await;
            }
        });
        Set { runtime, server: Some(server), folder }
    }

    fn file(&self, name: &str, wav: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, wav).expect("a file");
        path
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
        command.args(words).arg("--data").arg(self.folder.path().join("data"));
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program starts")
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop(std::time::Duration::from_secs(10)));
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn out(output: &Output) -> (String, String) {
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (words(&output.stdout), words(&output.stderr))
}

#[test]
fn a_call_that_goes_well_and_one_that_does_not() {
    let set = Set::up();
    let prompts = [0, 1, 2, 3].map(|n| set.file(&format!("{n}.wav"), &melody(n)));
    let [menu, hours, bye, never] = prompts.each_ref().map(|path| text(path));
    let heard = set.folder.path().join("heard.wav");
    let words = [
        "phone",
        "call",
        "5000",
        "--json",
        "--within",
        "30",
        "--expect",
        menu,
        "--say",
        never,
        "--press",
        "1",
        "--expect",
        hours,
        "--expect",
        bye,
        "--heard",
        text(&heard),
    ];
    let output = set.run(&words);
    let (stdout, stderr) = out(&output);
    assert!(output.status.success(), "{stdout}{stderr}");
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let steps: Vec<&str> = lines.iter().filter_map(|line| line["step"].as_str()).collect();
    assert_eq!(steps, ["call", "wait", "expect", "say", "press", "expect", "expect", "hang-up"]);
    assert!(lines.iter().any(|line| line["text"] == "call answered by its bot"), "the timeline is shown: {stdout}");
    assert!(wav::read(&heard).expect("a WAV file").pcm.len() > 3 * 12_000);

    // It waits for what the bot never says.
    let output =
        set.run(&["phone", "call", "5000", "--expect", menu, "--press", "1", "--within", "2", "--expect", never]);
    let (stdout, stderr) = out(&output);
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    assert!(stdout.contains("ok    press 1\n"), "{stdout}");
    assert!(stderr.contains("of sound in") && stderr.contains("at best 0."), "{stderr}");

    // Nobody is there.
    let output = set.run(&["phone", "call", "4711"]);
    assert!(out(&output).1.contains("neither a bot nor a meeting is at that number"), "{:?}", out(&output));
}

#[test]
fn what_is_wrong_with_a_script_is_said_before_anyone_is_called() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    };
    let good = file("good.wav", &melody(0));
    let silent = file("silent.wav", &wav::encode(16_000, &[0; 16_000]));
    let text_file = file("hello.wav", b"hello");
    let nowhere = folder.path().join("no/such/heard.wav");
    for (words, said) in [
        (["--press", "12x"], "--press 12x: Keys are 1 to 64 of 0-9 * # A B C D"),
        (["--press", ""], "--press : Keys are 1 to 64"),
        (["--expect", "no-such.wav"], "--expect no-such.wav: No such file"),
        (["--say", text(&text_file)], "hello.wav: It cannot be said or listened for: the prompt is not a WAV file"),
        (["--expect", text(&silent)], "silent.wav: The WAV file holds only silence"),
        (["--heard", text(&nowhere)], "name a file in a folder that is there"),
        (["--likeness", "2"], "a number from 0.1 to 1"),
        (["--codec", "opus"], "[possible values: PCMU, PCMA, G722]"),
    ] {
        // There is no server that could be asked, and nothing of it is said.
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
        command.args(["phone", "call", "5000", "--say", text(&good)]).args(words).arg("--data").arg(folder.path());
        let (stdout, stderr) = out(&command.output().expect("the program starts"));
        assert!(stdout.is_empty() && stderr.contains(said), "{words:?}: {stderr}");
    }
}

#[test]
fn an_incoming_call_is_triggered() {
    let set = Set::up();
    let output = set.run(&["trigger", "incoming", "--for", "0"]);
    let (stdout, stderr) = out(&output);
    assert!(output.status.success(), "{stdout}{stderr}");
    let call = stdout.lines().find_map(|line| line.strip_prefix("call ")).expect("the call's id");
    assert_eq!(call.len(), 36, "{stdout}");
    assert!(stdout.contains("the bot answered\n"), "{stdout}");

    // What the bot was told of it, once more.
    let output = set.run(&["notification", "resend", call, "--json"]);
    let (stdout, stderr) = out(&output);
    assert!(output.status.success(), "{stdout}{stderr}");
    let resent: Value = serde_json::from_str(stdout.trim()).expect("JSON");
    assert_eq!((&resent["taken"], &resent["outcome"]), (&Value::Bool(true), &"acknowledged".into()));
    let output = set.run(&["notification", "resend", call, "--undelivered"]);
    assert!(out(&output).1.contains("No notice of this call was given up"), "{:?}", out(&output));
}

#[test]
fn told_to_end_it_takes_its_phone_away() {
    let set = Set::up();
    let never = set.file("never.wav", &melody(3));
    let mut command = set.command(&["phone", "call", "5000", "--within", "60", "--expect", text(&never)]);
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut line = String::new();
    // The server has its phone once it says a first thing of it.
    BufReader::new(running.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    let told = Command::new("kill").args(["-TERM", &running.id().to_string()]).status();
    assert!(told.expect("kill is there").success());
    assert_eq!(running.wait().expect("it ends").code(), Some(1), "after {line}");
    let mut why = String::new();
    running.stderr.take().expect("a pipe").read_to_string(&mut why).expect("text");
    assert!(why.contains("interrupted; the phone has hung up"), "{why}");
}
