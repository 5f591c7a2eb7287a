//! `run` around bots that go wrong: it says which, and why. The bots are sh, which waits; what they would have asked the
//! server is asked here.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;

use serde_json::Value;
use tempfile::TempDir;

use crate::http;
use crate::said::Said;

const TENANT: &str = "0a0a0a0a-0000-4000-8000-000000000001";
const APP: &str = "0a0a0a0a-0000-4000-8000-0000000000b0";
pub(crate) const OTHER_APP: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
pub(crate) const SECRET: &str = "ringback-development-secret";
const TEST_LINE: &str = "0a0a0a0a-0000-4000-8000-000000009000";

/// A bot that waits until it is let go, under `run`.
pub(crate) struct Bot {
    data: Rc<TempDir>,
    running: Child,
    input: Option<ChildStdin>,
    said: Said,
}

impl Bot {
    fn start(options: &[&str], variables: &[(&str, &str)], bot: &str) -> Bot {
        Bot::start_in(&Rc::new(tempfile::tempdir().unwrap()), options, variables, bot)
    }

    /// The same, in a data folder that others may have.
    pub(crate) fn start_in(data: &Rc<TempDir>, options: &[&str], variables: &[(&str, &str)], bot: &str) -> Bot {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
        command.args(["run", "--data"]).arg(data.path()).args(options).args(["--", "sh", "-c", bot]);
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "PORT"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).current_dir(data.path());
        let mut running = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Said::by(running.stderr.take().unwrap());
        Bot { data: Rc::clone(data), input: running.stdin.take(), running, said }
    }

    /// The next line of `run`'s that has these words.
    pub(crate) fn says(&mut self, words: &str) -> String {
        self.said.line(words)
    }

    fn ask(&self, head: &str, body: &str) -> String {
        http::ask(http::server_of(self.data.path()), head, body)
    }

    /// Asked as the bot would, which has the hooks.
    pub(crate) fn ask_token(&self, app: &str, secret: &str) -> String {
        self.ask_token_for("graph.microsoft.com", app, secret)
    }

    fn ask_token_for(&self, host: &str, app: &str, secret: &str) -> String {
        let told = self.data.path().join(format!("run/{}/told.json", self.running.id()));
        let told: Value = serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap();
        let port = told["ringback"]["port"].as_u64().unwrap().try_into().unwrap();
        let (head, form) = token_request(host, app, secret);
        http::ask_over_tls((Ipv4Addr::LOCALHOST, port).into(), &head, &form)
    }

    /// Asked by another program.
    pub(crate) fn a_stranger_asks_token(&self, app: &str, secret: &str) -> String {
        let (head, form) = token_request("graph.microsoft.com", app, secret);
        self.ask(&head, &form)
    }

    /// What the server shows of an app.
    pub(crate) fn app(&self, app: &str) -> String {
        http::ask_as_operator(self.data.path(), &format!("GET /_ringback/apps/{app}"))
    }

    /// Calls the test line, to be told of at this address.
    fn call(&self, app: &str, callback: &str) {
        let answer = self.ask_token(app, SECRET);
        let token =
            answer.split("\"access_token\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
        let body = format!(
            "{{\"callbackUri\":\"{callback}\",\"targets\":[{{\"identity\":{{\"user\":{{\"id\":\"{TEST_LINE}\"}}}}}}],\
             \"requestedModalities\":[\"audio\"],\"mediaConfig\":{{\"@odata.type\":\
             \"#microsoft.graph.serviceHostedMediaConfig\"}}}}"
        );
        let head = format!(
            "POST /v1.0/communications/calls HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json"
        );
        let answer = self.ask(&head, &body);
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }

    /// The bot ends, and with it `run`, whose status is given.
    pub(crate) fn let_go(&mut self) -> Option<i32> {
        drop(self.input.take());
        self.running.wait().unwrap().code()
    }
}

fn token_request(host: &str, app: &str, secret: &str) -> (String, String) {
    let form = format!(
        "grant_type=client_credentials&client_id={app}&client_secret={secret}&scope=https%3A%2F%2F{host}%2F.default"
    );
    (format!("POST /{TENANT}/oauth2/v2.0/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded"), form)
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

/// Nobody listens there.
const CLOSED: &str = "http://127.0.0.1:1/api/calls";
pub(crate) const WAITS: &str = "echo the bot waits >&2; read line";

#[test]
fn one_that_does_nothing_is_told_of() {
    let mut bot = Bot::start(&[], &[], WAITS);
    let said = bot.says("the bot runs (process ");
    assert!(said.contains("asked for no token, made no call and listens at no port"), "{said}");
    bot.let_go();
}

#[test]
fn one_that_ends_too_soon_is_told_of() {
    let mut bot = Bot::start(&[], &[], "exit 5");
    let said = bot.says("the bot ended with status 5 after ");
    assert!(said.contains("before it asked for a token, made a call or listened at a port"), "{said}");
    assert_eq!(bot.let_go(), Some(5));
}

#[test]
fn one_whose_port_is_taken_is_told_who_has_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut bot = Bot::start(&[], &[("PORT", &port)], "exit 1");
    let said = bot.says("the bot ended with status 1");
    assert!(said.contains(&format!("port {port} is taken by process {}", std::process::id())), "{said}");
}

#[test]
fn one_that_says_itself_that_it_cannot_listen_is_told_who_has_the_port() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // What the hooks for Node and Python say; that they do is tried in acceptance/hosts.py.
    let says = format!(
        "printf '{{\"bind\": {port}, \"why\": \"EADDRINUSE\"}}\\n' > \"${{PYTHONPATH%%/python*}}/said\"; {WAITS}"
    );
    let mut bot = Bot::start(&[], &[("PYTHONPATH", "")], &says);
    let said = bot.says("the bot could not listen at port");
    assert!(said.contains(&format!("port {port}: process {} has it", std::process::id())), "{said}");
    bot.let_go();
}

/// Whoever is called `node` is to have Node's hook.
#[test]
fn one_whose_script_takes_the_hook_away_is_told_of() {
    let starts = "cp \"$(command -v sh)\" node; NODE_OPTIONS=--no-warnings ./node -c 'read line; exit 0'";
    let mut bot = Bot::start(&[], &[], starts);
    let said = bot.says("is not led here");
    assert!(said.contains("(node)") && said.contains("its NODE_OPTIONS was set anew"), "{said}");
    bot.let_go();
}

/// The same, where it is found by its name: it goes on as that program, with the hook, and with what was set.
#[test]
fn a_script_that_sets_options_anew_does_not_take_the_hook_away() {
    let path = tempfile::tempdir().unwrap();
    let node = "#!/bin/sh\necho \"node $1 has $NODE_OPTIONS and $PYTHONPATH by $PATH\" >&2\n";
    std::fs::write(path.path().join("node"), node).unwrap();
    std::fs::set_permissions(path.path().join("node"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let own = path.path().to_str().unwrap();
    let usual = std::env::var("PATH").unwrap();
    let starts = "NODE_OPTIONS=--no-warnings PYTHONPATH=lib node 'a word'; echo \"kept by $PATH\" >&2";
    let mut bot = Bot::start(&[], &[("PATH", &format!("{own}:{usual}"))], starts);
    let said = bot.says("node a word has ");
    let (options, rest) = said.split_once(" and ").unwrap();
    let (folders, found) = rest.split_once(" by ").unwrap();
    assert!(options.contains("--require \"/") && options.contains("/node.cjs\" --no-warnings"), "{said}");
    assert!(folders.starts_with('/') && folders.ends_with("/python:lib"), "{said}");
    assert_eq!(found, format!("{own}:{usual}"));
    assert!(bot.says("kept by ").contains("/programs:"));
}

/// Variables arrive whose names no shell would hand on (`npm_config_@scope:registry`), and each word as it was.
#[test]
fn a_program_found_by_its_name_is_given_all_it_was_given() {
    let prints = "import os, sys; print('has', os.environ['a.b@c:d'], sys.argv[1:], sys.executable, file=sys.stderr)";
    let mut bot = Bot::start(&[], &[], &format!("env 'a.b@c:d=its own' python3 -c \"{prints}\" '' 'a  word'"));
    let said = bot.says("has its own ['', 'a  word'] /");
    assert!(!said.contains("/programs/"), "its own program, not the one before it: {said}");
}

#[test]
fn a_wrong_secret_is_told_of() {
    let mut bot = Bot::start(&[], &[], WAITS);
    bot.says("the bot waits");
    assert!(bot.ask_token(APP, "not this one").contains("AADSTS7000215"));
    bot.says("a token was asked for with a wrong client secret");
    bot.call(APP, CLOSED);
    bot.says("could not be connected to");
    assert!(!bot.said.had("and refused"), "the same in other words");
    assert_eq!(bot.let_go(), Some(1), "the status of a read that found nothing");
}

/// As bots ask that chat, too. Their secret is well.
#[test]
fn a_token_for_something_else_is_told_of_as_such() {
    let mut bot = Bot::start(&[], &[], WAITS);
    bot.says("the bot waits");
    assert!(bot.ask_token_for("api.botframework.com", APP, SECRET).contains("AADSTS500011"));
    let said = bot.says("a token was asked for and refused: AADSTS500011");
    assert!(said.contains("https://api.botframework.com") && !said.contains("secret"), "{said}");
    bot.let_go();
}

#[test]
fn what_a_bot_did_last_is_told_before_its_end() {
    let mut bot = Bot::start(&[], &[], WAITS);
    bot.says("the bot waits");
    bot.ask_token(APP, "not this one");
    bot.let_go();
    bot.says("a token was asked for with a wrong client secret");
    let said = bot.says("the bot ended with status 1");
    assert!(!said.contains("before it asked for a token"), "{said}");
}

#[test]
fn what_is_found_of_another_app_is_not_told() {
    let mut bot = Bot::start(&[], &[("MicrosoftAppId", OTHER_APP)], WAITS);
    bot.says("the bot waits");
    assert!(bot.ask_token(APP, "not this one").contains("AADSTS7000215"));
    bot.call(OTHER_APP, CLOSED);
    bot.says("the bot's webhook could not be connected to");
    assert!(!bot.said.had("secret"), "that was the other");
    bot.let_go();
}

#[test]
fn a_webhook_that_never_answers_is_told_of() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bot = Bot::start(&[], &[], WAITS);
    bot.says("the bot waits");
    bot.call(APP, &format!("http://{}/api/calls", silent.local_addr().unwrap()));
    bot.says("the bot's webhook did not answer within 5 s");
    bot.let_go();
}

#[test]
fn a_webhook_that_cannot_be_reached_is_told_of() {
    let mut bot = Bot::start(&[], &[], WAITS);
    bot.says("the bot waits");
    bot.call(APP, CLOSED);
    bot.says(&format!("app {APP}: the bot's webhook could not be connected to"));
    bot.let_go();
}

#[test]
fn a_webhook_that_does_not_know_its_path_is_told_of() {
    let webhook = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = webhook.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in webhook.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 8192];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            // What is not read when it is closed takes the answer with it.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    let mut bot = Bot::start(&[], &[], WAITS);
    bot.says("the bot waits");
    bot.call(APP, &format!("http://{address}/nowhere"));
    bot.says("the webhook answered 404");
    bot.let_go();
}

/// What the command line says of a bot is told to the server before the bot starts.
#[test]
fn what_is_said_of_a_bot_is_known_to_the_server() {
    let options = ["--webhook", "http://127.0.0.1:3999/hook", "--callback", "https://bot.example=3999"];
    let mut bot = Bot::start(&options, &[("MicrosoftAppId", OTHER_APP)], WAITS);
    bot.says(&format!("app id {OTHER_APP}, from MicrosoftAppId"));
    bot.says("https://bot.example is sent to http://127.0.0.1:3999");
    bot.says("the bot waits");
    let app = bot.app(OTHER_APP);
    for wanted in ["http://127.0.0.1:3999/hook", "https://bot.example"] {
        assert!(app.contains(wanted), "no {wanted} in {app}");
    }
    bot.let_go();
}

/// Until it is known who a bot is, it may be the development app; that is over when the bot is.
#[test]
fn what_is_said_of_the_development_app_is_taken_back() {
    let mut outer = Bot::start(&[], &[("MicrosoftAppId", OTHER_APP)], WAITS);
    outer.says("the bot waits");
    let mut bot = Bot::start_in(&outer.data, &["--webhook", "http://127.0.0.1:3999/hook"], &[], WAITS);
    bot.says("the bot waits");
    assert!(outer.app(APP).contains("3999/hook"), "{}", outer.app(APP));
    bot.let_go();
    assert!(!outer.app(APP).contains("3999/hook"), "{}", outer.app(APP));
    outer.let_go();
}
