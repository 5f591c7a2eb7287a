//! `run` around small bots in sh: what passes through, and what the bot is given. That clients of all kinds are led here
//! is the acceptance's (acceptance/hosts.py).

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::http;
use crate::said::Said;

/// `ringback run` of a bot in sh, with these options before it.
fn command(data: &Path, options: &[&str], bot: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.args(["run", "--data"]).arg(data).args(options).args(["--", "sh", "-c", bot]);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn run(data: &Path, options: &[&str], bot: &str) -> Output {
    command(data, options, bot).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Ends it when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn input_output_and_status_are_the_bots() {
    let data = folder();
    let mut running = command(data.path(), &[], "read line; echo \"heard $line\"; echo aside >&2; exit 7");
    let mut running =
        Running(running.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    use std::io::{Read as _, Write as _};
    running.0.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let (mut output, mut error) = (String::new(), String::new());
    running.0.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    running.0.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(output, "heard hello\n", "nothing of ours is among it");
    assert!(error.contains("\naside\n"), "{error}");
    assert_eq!(running.0.wait().unwrap().code(), Some(7), "{error}");
}

#[test]
fn a_signal_is_the_bots_and_so_is_the_status() {
    let data = folder();
    for (bot, signal, status) in [
        ("trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.05; done", "TERM", 3),
        ("trap 'echo told; exit 4' INT; echo ready; while :; do sleep 0.05; done", "INT", 4),
        ("echo ready; kill -KILL $$", "", 128 + 9),
    ] {
        let mut running = command(data.path(), &[], bot);
        let mut running = Running(running.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let mut said = Said::by(running.0.stdout.take().unwrap());
        said.line("ready");
        if !signal.is_empty() {
            let told = Command::new("kill").args([format!("-{signal}"), running.0.id().to_string()]).status();
            assert!(told.unwrap().success());
            said.line("told");
        }
        assert_eq!(running.0.wait().unwrap().code(), Some(status), "{signal}");
    }
}

#[test]
fn the_bot_finds_what_leads_it_here_and_keeps_what_it_had() {
    let data = folder();
    let mut command =
        command(data.path(), &[], "ulimit -n; env; cat \"$NODE_EXTRA_CA_CERTS\"; ls \"${PYTHONPATH%%:*}\"");
    command
        .env("NODE_OPTIONS", "--trace-warnings")
        .env("PYTHONPATH", "mine")
        .env("NO_PROXY", "localhost,.microsoft.com");
    let output = command.output().unwrap();
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{error}");
    let limit = Command::new("sh").args(["-c", "ulimit -n"]).output().unwrap();
    assert!(said.starts_with(&text(&limit.stdout)), "the limit of open files is the user's: {said}");
    for wanted in [
        "\nHTTPS_PROXY=http://127.0.0.1:",
        "\nhttps_proxy=http://127.0.0.1:",
        "\nNO_PROXY=localhost\n",
        "\nNODE_OPTIONS=--require \"/",
        "/node.cjs\" --trace-warnings\n",
        ":mine\n",
        "\nSSL_CERT_FILE=",
        "\nREQUESTS_CA_BUNDLE=",
        "\nCURL_CA_BUNDLE=",
        "-----BEGIN CERTIFICATE-----",
        "sitecustomize.py",
    ] {
        assert!(format!("\n{said}").contains(wanted), "no {wanted:?} in {said}");
    }
    let left: Vec<_> = std::fs::read_dir(data.path().join("run")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_server_that_runs_is_used_and_left_running() {
    let data = folder();
    let outer = run(
        data.path(),
        &[],
        &format!(
            "'{}' run --data '{}' -- true && '{0}' call list --data '{1}'",
            env!("CARGO_BIN_EXE_ringback"),
            data.path().display()
        ),
    );
    let error = text(&outer.stderr);
    assert!(outer.status.success(), "{error}");
    assert!(error.contains("server started, for as long as this runs") && error.contains("server found"), "{error}");
    assert!(text(&outer.stdout).contains("conversation"), "the list's head: {}", text(&outer.stdout));
}

#[test]
fn of_two_that_start_at_once_one_starts_the_server_and_both_use_it() {
    let data = folder();
    let mut both = [(); 2].map(|()| {
        let mut running = command(data.path(), &[], "echo ready; read line");
        Running(running.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    });
    let mut own = Vec::new();
    for running in &mut both {
        let server = Said::by(running.0.stderr.take().unwrap()).line("ringback: server ");
        own.push(server.contains("server started"));
        Said::by(running.0.stdout.take().unwrap()).line("ready");
    }
    own.sort_unstable();
    assert_eq!(own, [false, true]);
}

#[test]
fn what_is_said_of_bots_to_come_goes_with_the_run_or_with_the_next() {
    let (data, program) = (folder(), env!("CARGO_BIN_EXE_ringback"));
    let any = "127.0.0.1:0";
    let mut serve = Command::new(program);
    serve.args(["serve", "--http", any, "--https", any, "--sip", any, "--sip-tls", any, "--drain", "1", "--data"]);
    let mut served = Running(serve.arg(data.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    Said::by(served.0.stdout.take().unwrap()).line("ready");
    let has_webhook = || template(data.path()).contains("/of-this-run");
    let start = |options: &[&str]| {
        let mut bot = command(data.path(), options, "echo ready; read line");
        bot.current_dir(data.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        let bot = bot.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut running = Running(bot);
        Said::by(running.0.stdout.take().unwrap()).line("ready");
        running
    };
    let webhook = ["--webhook", "http://127.0.0.1:9/of-this-run"];
    let mut first = start(&webhook);
    assert!(has_webhook());
    drop(first.0.stdin.take());
    first.0.wait().unwrap();
    assert!(!has_webhook(), "it went with the run");
    drop(start(&webhook));
    assert!(has_webhook(), "a run that is killed leaves it");
    drop(start(&["--app-id", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"]));
    assert!(!has_webhook(), "and the next one takes it away");
}

/// What the server of this data folder gives apps that it sees for the first time.
fn template(data: &Path) -> String {
    let answer = http::ask_as_operator(data, "GET /_ringback/apps/first-seen");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

#[test]
fn a_program_that_is_not_there_is_said() {
    let data = folder();
    let output = Command::new(env!("CARGO_BIN_EXE_ringback"))
        .args(["run", "--data"])
        .arg(data.path())
        .args(["--", "no-such-bot", "--flag"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("the bot was not started: there is no program `no-such-bot`"), "{error}");
}

#[test]
fn a_proxy_that_cannot_be_gone_through_is_refused_before_anything_starts() {
    let data = folder();
    let output = command(data.path(), &[], "echo started").env("HTTPS_PROXY", "socks5://127.0.0.1:1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("HTTPS_PROXY"), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_server_that_goes_while_the_bot_runs_is_told_of() {
    let (data, program) = (folder(), env!("CARGO_BIN_EXE_ringback"));
    let any = "127.0.0.1:0";
    let mut serve = Command::new(program);
    serve.args(["serve", "--http", any, "--https", any, "--sip", any, "--sip-tls", any, "--drain", "1", "--data"]);
    let mut served = Running(serve.arg(data.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    Said::by(served.0.stdout.take().unwrap()).line("ready");
    let stop = format!("kill -TERM {}; read line", served.0.id());
    let mut running = command(data.path(), &[], &stop);
    let mut running = Running(running.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    Said::by(running.0.stderr.take().unwrap()).line("the server has stopped");
    drop(running.0.stdin.take());
    assert_eq!(running.0.wait().unwrap().code(), Some(1), "the status of a read that found nothing");
}
