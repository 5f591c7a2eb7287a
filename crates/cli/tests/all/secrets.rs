//! A bot's secret is nowhere: not in the data folder, the output, the metrics, the timeline, or what is exported.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::http;

const APP: &str = "5e5e5e5e-0000-4000-8000-00000000000e";
const TENANT: &str = "9e9e9e9e-0000-4000-8000-00000000000e";
const LINE: &str = "c1c1c1c1-0000-4000-8000-000000009000";
/// With what Azure's secrets have: a tilde, a dot, a dash; and what a form must encode.
const SECRETS: [&str; 2] = ["Xy8Q~kN.first-seen_0nce+Zebra/=", "Xy8Q~kN.wrong-one-Walrus&"];

/// Bounds failure only.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads everything that comes on a stream, until it ends.
fn keep(mut from: impl std::io::Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeping = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut piece = [0; 8192];
        while let Ok(1..) = from.read(&mut piece).inspect(|read| keeping.lock().unwrap().extend(&piece[..*read])) {}
    });
    kept
}

/// Answers every span that comes with 200, and keeps what it was sent.
fn collector() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (address, kept) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let keeping = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keeping = Arc::clone(&keeping);
            std::thread::spawn(move || spans(stream, &keeping));
        }
    });
    (address, kept)
}

fn spans(mut stream: TcpStream, keeping: &Mutex<Vec<u8>>) {
    let (mut seen, mut piece) = (Vec::new(), [0; 8192]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        seen.extend(&piece[..read]);
        let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&seen[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        if seen.len() >= end + 4 + length.unwrap_or(0_usize) {
            keeping.lock().unwrap().append(&mut seen);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    }
}

struct Served {
    child: Child,
    http: SocketAddr,
    operator: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // Harmless where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn request(&self, head: &str, body: &str) -> String {
        http::ask(self.http, head, body)
    }

    fn door(&self, path: &str) -> String {
        self.request(&format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {}", self.operator), "")
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Asks for tokens in every way in which a secret comes, and gives the last one.
fn ask(served: &Served) -> String {
    let v2 = format!("POST /{TENANT}/oauth2/v2.0/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded");
    let v1 = v2.replace("/v2.0", "");
    let mut token = String::new();
    for (secret, status) in [(SECRETS[0], "200"), (SECRETS[1], "401")] {
        let form = format!("grant_type=client_credentials&client_id={APP}&client_secret={}", encoded(secret));
        let scope = "scope=https%3A%2F%2Fgraph.microsoft.com%2F.default";
        let basic = STANDARD.encode(format!("{APP}:{}", encoded(secret)));
        let with_basic = format!("{v2}\r\nAuthorization: Basic {basic}");
        for answer in [
            served.request(&v1, &format!("{form}&resource=https%3A%2F%2Fgraph.microsoft.com")),
            served.request(&with_basic, &format!("grant_type=client_credentials&{scope}")),
            // A secret where the app's id belongs, as it happens to people.
            served.request(
                &v2,
                &format!("grant_type=client_credentials&client_id={}&client_secret={APP}&{scope}", encoded(secret)),
            ),
            served.request(&v2, &format!("{form}&{scope}")),
        ] {
            if let Some((_, body)) = answer.split_once("\r\n\r\n").filter(|_| answer.starts_with("HTTP/1.1 200")) {
                let body: Value = serde_json::from_str(body).expect("JSON");
                token = body["access_token"].as_str().expect("a token").to_owned();
            }
            assert!(!answer.contains(secret), "it is not said back: {answer}");
        }
        let last = served.request(&v2, &format!("{form}&{scope}"));
        assert!(last.starts_with(&format!("HTTP/1.1 {status}")), "{last}");
    }
    token
}

fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
        }
    }
}

#[test]
fn a_bots_secret_is_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let (collector, exported) = collector();
    let config = folder.path().join("ringback.toml");
    let text = format!(
        "[server]\nidentities = \"any\"\nhttp = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\nsip = \"127.0.0.1:0\"\n\
         sip_tls = \"127.0.0.1:0\"\nmedia_ports = \"20000-31999\"\n[telemetry]\notlp = \"http://{collector}\"\n\
         [[tenants]]\nid = \"{TENANT}\"\nname = \"one.example\"\n[[users]]\nid = \"{LINE}\"\ntenant = \"{TENANT}\"\n\
         name = \"Line\"\nsip = \"9000\"\nphone = \"null\"\n"
    );
    std::fs::write(&config, text).expect("a file");
    let data = folder.path().join("data");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ringback"))
        .args(["serve", "--log", "debug", "--json", "--data"])
        .arg(&data)
        .arg("--config")
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (stdout, stderr) = (keep(child.stdout.take().unwrap()), keep(child.stderr.take().unwrap()));
    let until = std::time::Instant::now() + PATIENCE;
    let url = loop {
        if let Ok(url) = std::fs::read_to_string(data.join("http.url")) {
            break url;
        }
        assert!(std::time::Instant::now() < until, "{}", String::from_utf8_lossy(&stderr.lock().unwrap()));
        std::thread::yield_now();
    };
    let operator = std::fs::read_to_string(data.join("operator.token")).expect("a token").trim().to_owned();
    let http = url.trim().trim_start_matches("http://").parse().expect("an address");
    let mut served = Served { child, http, operator };

    let mut follow = TcpStream::connect(served.http).expect("it listens");
    let head =
        format!("GET /_ringback/timeline HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n\r\n", served.operator);
    follow.write_all(head.as_bytes()).expect("it reads");
    let mut first = [0; 1];
    follow.read_exact(&mut first).expect("it follows");
    let timeline = keep(follow);

    let token = ask(&served);
    let create = format!(
        "{{\"callbackUri\":\"http://127.0.0.1:9/calls\",\"targets\":[{{\"identity\":{{\"user\":{{\"id\":\"{LINE}\"}}}}}}],\
         \"mediaConfig\":{{\"@odata.type\":\"#microsoft.graph.serviceHostedMediaConfig\"}}}}"
    );
    let head = format!("POST /v1.0/communications/calls HTTP/1.1\r\nAuthorization: Bearer {token}");
    let created = served.request(&head, &create);
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let shown = ["/metrics", "/_ringback/apps", "/_ringback/findings", "/_ringback/status", "/_ringback/calls"];
    let shown: Vec<_> = shown.map(|path| (path.to_owned(), served.door(path).into_bytes())).into();

    let stopped = Command::new("kill").args(["-TERM", &served.child.id().to_string()]).status().expect("kill");
    assert!(stopped.success() && served.child.wait().expect("it ends").success());
    let mut places = shown;
    files(&data, &mut places);
    for (name, kept) in [("stdout", stdout), ("stderr", stderr), ("timeline", timeline), ("spans", exported)] {
        places.push((name.to_owned(), kept.lock().unwrap().clone()));
    }
    // Ids are kept in lower case, and a secret may have come where an id belongs.
    let holds = |kept: &str, text: &str| kept.contains(&text.to_ascii_lowercase());
    let places: Vec<(String, String)> = places
        .into_iter()
        .map(|(place, bytes)| (place, String::from_utf8_lossy(&bytes.to_ascii_lowercase()).into_owned()))
        .collect();
    for (place, bytes) in &places {
        assert!(
            !bytes.is_empty() || place.contains("lock") || place.ends_with("-wal") || place.ends_with("-shm"),
            "{place} is empty"
        );
        for secret in SECRETS {
            // As it is, as a form has it, and as HTTP Basic has it; and a middle part, whatever is cut off around it.
            let middle = &secret[4..20];
            let basic = STANDARD.encode(format!("{APP}:{}", encoded(secret)));
            for form in [secret, &encoded(secret), &basic, &STANDARD.encode(secret), middle] {
                assert!(!holds(bytes, form), "{place} holds {form}");
            }
        }
    }
    assert!(places.iter().any(|(place, bytes)| place.contains("ledger") && holds(bytes, APP)), "the app is kept");
    assert!(places.iter().any(|(place, bytes)| place == "timeline" && holds(bytes, "is seen for the first time")));
}
