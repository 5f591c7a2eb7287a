//! `doctor` and `lint` from outside: silent about a healthy set-up, and each fault by its name.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use ringback_server::directory::SecretHash;
use ringback_server::{Options, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::http;

const TENANT: &str = "1a1a1a1a-0000-4000-8000-00000000000a";
const APP: &str = "a1a1a1a1-0000-4000-8000-0000000000a1";
const SECRET: &str = "the-bots-own-secret";
const LINE: &str = "c1c1c1c1-0000-4000-8000-000000009000";

/// A server that runs, with one app whose webhook is a listener of the test's.
struct Set {
    runtime: Runtime,
    server: Option<Server>,
    webhook: Option<TcpListener>,
    folder: TempDir,
}

impl Set {
    fn up() -> Set {
        let webhook = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let folder = tempfile::tempdir().expect("a folder");
        let few = NonZeroU32::new(10_000).expect("not zero");
        let hash = SecretHash::make(SECRET, few).expect("random bytes");
        let configuration = format!(
            "[server]\nhttp = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\nsip = \"127.0.0.1:0\"\nsip_tls = \"127.0.0.1:0\"\n\
             media_ports = \"20000-31999\"\n\
             [[tenants]]\nid = \"{TENANT}\"\nname = \"one.example\"\n\
             [[apps]]\nid = \"{APP}\"\ntenant = \"{TENANT}\"\nname = \"Bot\"\nsecret_hash = \"{hash}\"\n\
             webhook = \"http://{}/calls\"\nnumbers = [\"5000\"]\n\
             [[users]]\nid = \"{LINE}\"\ntenant = \"{TENANT}\"\nname = \"Line\"\nsip = \"9000\"\nphone = \"null\"\n",
            webhook.local_addr().expect("an address")
        );
        let config = folder.path().join("ringback.toml");
        std::fs::write(&config, configuration).expect("a file");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let options = Options { data: folder.path().join("data"), config: Some(config), ..Options::default() };
        let server = runtime.block_on(Server::start(options)).expect("a server");
        Set { runtime, server: Some(server), webhook: Some(webhook), folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn request(&self, head: &str, body: &str) -> String {
        http::ask(self.server.as_ref().expect("it runs").http_addr(), head, body)
    }

    /// Problems that `doctor` names: check and what it saw.
    fn problems(&self, more: &[&str], variables: &[(&str, PathBuf)]) -> Vec<(String, String)> {
        self.checks("problem", more, variables)
    }

    /// The checks of this health.
    fn checks(&self, health: &str, more: &[&str], variables: &[(&str, PathBuf)]) -> Vec<(String, String)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
        command.args(["doctor", "--json", "--data"]).arg(self.data()).args(more);
        for variable in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
            command.env_remove(variable);
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("the program starts");
        let lines = String::from_utf8(output.stdout).expect("text");
        let checks: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(!checks.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let problems: Vec<_> = checks.iter().filter(|check| check["health"] == "problem").collect();
        assert_eq!(output.status.success(), problems.is_empty(), "the exit code says whether there is one");
        assert!(problems.iter().all(|check| check["mend"].as_str().is_some_and(|mend| mend.len() > 10)));
        let text = |check: &Value, member: &str| check[member].as_str().expect("text").to_owned();
        let found = checks.iter().filter(|check| check["health"] == health);
        found.map(|check| (text(check, "check"), text(check, "saw"))).collect()
    }
}

impl Set {
    /// Asks until the problems are as wanted: what a peer did is looked at beside what it is answered.
    #[track_caller]
    fn soon(&self, are_wanted: impl Fn(&[(String, String)]) -> bool) {
        let until = Instant::now() + Duration::from_secs(40);
        while !are_wanted(&self.problems(&[], &[])) {
            assert!(Instant::now() < until, "they never were: {:#?}", self.problems(&[], &[]));
        }
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop(Duration::from_secs(2)));
        }
    }
}

#[track_caller]
fn one(problems: &[(String, String)], check: &str, words: &str) {
    let names: Vec<&str> = problems.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [check], "{problems:#?}");
    assert!(problems[0].1.contains(words), "{problems:#?}");
}

#[test]
fn a_healthy_set_up_has_nothing_to_mend() {
    let set = Set::up();
    let authority = set.data().join("ca.pem");
    assert_eq!(set.problems(&[], &[("SSL_CERT_FILE", authority)]), []);
}

#[test]
fn a_port_that_is_taken_is_named_while_no_server_runs() {
    let mut set = Set::up();
    drop(set.server.take());
    // A port that the system hands out to nobody else once it is free again.
    let first = 10_000 + (std::process::id() % 9_000) as u16;
    let taken = (first..20_000).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).expect("a free port");
    let address = taken.local_addr().expect("an address");
    let path = set.folder.path().join("ringback.toml");
    let text = std::fs::read_to_string(&path).expect("a file");
    std::fs::write(&path, text.replacen("127.0.0.1:0", &address.to_string(), 1)).expect("a file");
    // The server that ran has left its address behind, as one that was killed does.
    let problems = set.problems(&["--config", path.to_str().expect("text")], &[]);
    one(&problems, "ports", &format!("{address}, wanted for HTTP, is taken"));
    drop(taken);
    assert_eq!(set.problems(&["--config", path.to_str().expect("text")], &[]), []);
}

#[test]
fn a_bundle_without_the_authority_is_noted_and_no_problem() {
    let set = Set::up();
    let other = Set::up();
    let strange = other.data().join("ca.pem");
    let nowhere = set.folder.path().join("nowhere.pem");
    for (variable, file) in [("NODE_EXTRA_CA_CERTS", strange), ("SSL_CERT_FILE", nowhere)] {
        let variables = [(variable, file)];
        one(&set.checks("note", &[], &variables), "trust", variable);
        assert_eq!(set.problems(&[], &variables), []);
    }
}

#[test]
fn a_webhook_that_is_away_is_named() {
    let mut set = Set::up();
    let path = set.folder.path().join("ringback.toml");
    let text = std::fs::read_to_string(&path).expect("a file");
    let webhook = set.webhook.take().expect("it listens").local_addr().expect("an address");
    std::fs::write(&path, text.replace(&webhook.to_string(), "127.0.0.1:1")).expect("a file");
    set.server.as_ref().expect("it runs").reload().expect("it is a configuration");
    one(&set.problems(&[], &[]), "webhook", "cannot be reached");
}

#[test]
fn sip_that_does_not_answer_is_named() {
    let set = Set::up();
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address").to_string();
    one(&set.problems(&["--sip", &address], &[]), "sip", "does not answer over UDP");
}

#[test]
fn a_wrong_secret_is_named() {
    let set = Set::up();
    let form = |secret: &str| {
        format!(
            "grant_type=client_credentials&client_id={APP}&client_secret={secret}\
             &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
        )
    };
    let ask = format!("POST /{TENANT}/oauth2/v2.0/token HTTP/1.1");
    assert!(set.request(&ask, &form("mistaken")).starts_with("HTTP/1.1 401"));
    let problems = set.problems(&[], &[]);
    one(&problems, "secret", APP);
    assert!(!problems[0].1.contains("mistaken"), "the secret itself is not shown");
    assert!(set.request(&ask, &form(SECRET)).starts_with("HTTP/1.1 200"));
    assert_eq!(set.problems(&[], &[]), [], "it is mended");
}

/// Takes one notification, answers it with a clock that is an hour late, and gives the bearer token that came with it.
fn told(webhook: &TcpListener) -> String {
    let (mut stream, _) = webhook.accept().expect("a notification");
    let (mut seen, mut piece) = (String::new(), [0; 4096]);
    while !seen.contains("\r\n\r\n") {
        let read = stream.read(&mut piece).expect("a head");
        seen += &String::from_utf8_lossy(&piece[..read]);
    }
    let late = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(3_600));
    let answer = format!("HTTP/1.1 202 Accepted\r\nDate: {late}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).expect("it reads");
    // What is not read when it is closed takes the answer with it.
    std::io::copy(&mut stream, &mut std::io::sink()).expect("it closes");
    let bearer = seen.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization: "));
    bearer.expect("a token").split(' ').next_back().expect("a word").to_owned()
}

#[test]
fn a_clock_that_is_off_and_a_token_for_another_audience_are_named() {
    let set = Set::up();
    let form = format!(
        "grant_type=client_credentials&client_id={APP}&client_secret={SECRET}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
    );
    let answer = set.request(&format!("POST /{TENANT}/oauth2/v2.0/token HTTP/1.1"), &form);
    let token: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    let with = |token: &str, what: &str| {
        format!("{what} /v1.0/communications/calls HTTP/1.1\r\nAuthorization: Bearer {token}")
    };
    let webhook = set.webhook.as_ref().expect("it listens");
    let create = format!(
        "{{\"callbackUri\":\"http://{}/calls\",\"targets\":[{{\"identity\":{{\"user\":{{\"id\":\"{LINE}\"}}}}}}],\
         \"mediaConfig\":{{\"@odata.type\":\"#microsoft.graph.serviceHostedMediaConfig\"}}}}",
        webhook.local_addr().expect("an address")
    );
    let created = set.request(&with(token["access_token"].as_str().expect("a token"), "POST"), &create);
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let bearer = told(webhook);
    assert!(set.request(&with(&bearer, "GET"), "").starts_with("HTTP/1.1 401"));
    let names = || set.problems(&[], &[]).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    // The lane looks at an answer after it has come.
    set.soon(|problems| problems.iter().any(|(name, _)| name == "clock"));
    assert_eq!(names(), ["audience", "clock"]);
}

#[test]
fn a_client_that_does_not_trust_the_certificate_is_named() {
    let set = Set::up();
    let https = set.server.as_ref().expect("it runs").https_addr();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
    let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let name = "graph.microsoft.com".try_into().expect("a name");
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).expect("a client");
    let mut stream = TcpStream::connect(https).expect("it listens");
    let refused = client.complete_io(&mut stream).expect_err("nobody is trusted");
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
    set.soon(|problems| !problems.is_empty());
    one(&set.problems(&[], &[]), "certificate", "did not trust");
}

#[test]
fn what_only_the_bots_machine_sees_is_told_to_the_server_and_forgotten_when_asked() {
    let set = Set::up();
    let answer = http::ask_as_operator(&set.data(), "POST /_ringback/findings/proxyIgnored");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    one(&set.problems(&[], &[]), "proxy", "connects past the proxy");
    let lint = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
        command.args(["lint", "--data"]).arg(set.data()).args(more).output().expect("the program starts")
    };
    assert!(lint(&[]).status.success(), "it is no finding of a bot's");
    assert!(lint(&["--forget"]).status.success());
    assert_eq!(set.problems(&[], &[]), []);
}
