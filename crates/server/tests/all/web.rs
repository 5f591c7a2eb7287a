//! A plain HTTP client that hides nothing: what is sent are the bytes given, what comes back is kept as it came.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::soon;

/// An answer, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The one header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        value
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// This status, or the test fails and shows the whole answer.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {:?}", self.text(), self.headers);
        self
    }

    /// An answer without a body says so (client-facts §2).
    #[track_caller]
    pub(crate) fn without_body(self) -> Self {
        assert!(self.body.is_empty(), "{}", self.text());
        let length = if self.status == 204 { None } else { Some("0") };
        assert_eq!(self.header("content-length"), length, "{:?}", self.headers);
        self
    }

    /// A refusal in Graph's shape (`contract §6`): its code, after everything else about it was checked.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let error = &self.json()["error"];
        for member in ["date", "request-id", "client-request-id"] {
            assert!(error["innerError"][member].is_string(), "no {member}: {error}");
        }
        assert!(!error["message"].as_str().unwrap().is_empty(), "{error}");
        assert_eq!(Some(error["innerError"]["request-id"].as_str().unwrap()), self.header("request-id"));
        assert_eq!(Some(error["innerError"]["client-request-id"].as_str().unwrap()), self.header("client-request-id"));
        error["code"].as_str().expect("a code in text").to_owned()
    }

    #[track_caller]
    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().expect("a message").to_owned()
    }

    /// The member `id` of the body.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.text())).to_owned()
    }
}

/// Sends these bytes on a connection of their own, and reads one answer.
pub(crate) async fn send(to: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = soon(TcpStream::connect(to)).await.expect("the server listens");
    soon(stream.write_all(bytes)).await.expect("the server reads");
    read(&mut stream).await
}

/// Reads one answer.
pub(crate) async fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = parse(&bytes) {
            return answer;
        }
        let read = soon(stream.read_buf(&mut bytes)).await.expect("the answer can be read");
        assert!(read > 0, "the answer breaks off: {:?}", String::from_utf8_lossy(&bytes));
    }
}

/// The answer in these bytes, once it is whole.
pub(crate) fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").expect("name and value");
        (name.to_owned(), value.to_owned())
    };
    let mut answer = Answer { status, headers: lines.map(header).collect(), body: Vec::new() };
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = unchunked(&bytes[end..])?;
        return Some(answer);
    }
    let length = answer.header("content-length").map_or(0, |length| length.parse().expect("a length"));
    assert!(bytes.len() <= end + length, "more came than was announced");
    answer.body = bytes.get(end..end + length)?.to_vec();
    Some(answer)
}

/// What chunks hold (RFC 9112 §7.1), once the last of them is there.
fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let length = std::str::from_utf8(&bytes[..end]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let length = length.expect("the length of a chunk");
        let chunk = bytes.get(end + 2..end + 2 + length)?;
        bytes = bytes[end + 2 + length..].strip_prefix(b"\r\n")?;
        body.extend_from_slice(chunk);
        if length == 0 {
            assert!(bytes.is_empty(), "more came than was announced");
            return Some(body);
        }
    }
}

/// A bot's way in.
#[derive(Clone, Debug)]
pub(crate) struct Bot {
    pub(crate) http: SocketAddr,
    pub(crate) token: String,
}

impl Bot {
    /// A request to any path, with a JSON body or none.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string);
        self.ask_raw(method, path, "", body.as_deref().map(str::as_bytes)).await
    }

    /// The same with more headers, each ended by CR LF, and any body.
    pub(crate) async fn ask_raw(&self, method: &str, path: &str, headers: &str, body: Option<&[u8]>) -> Answer {
        let length = body.map(|body| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        let length = length.unwrap_or_default();
        let token = &self.token;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: ringback\r\nAuthorization: Bearer {token}\r\n{length}{headers}\r\n"
        );
        send(self.http, &[head.as_bytes(), body.unwrap_or_default()].concat()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", &v1(path), None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", &v1(path), Some(body)).await
    }

    pub(crate) async fn beta(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", &format!("/beta/communications/calls{path}"), Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", &v1(path), None).await
    }

    /// An operation as read by its id.
    pub(crate) async fn operation(&self, call: &str, operation: &str) -> Value {
        self.get(&format!("/{call}/operations/{operation}")).await.is(200).json()
    }

    /// Hangs up.
    pub(crate) async fn hang_up(&self, call: &str) {
        self.delete(&format!("/{call}")).await.is(204).without_body();
    }
}

fn v1(path: &str) -> String {
    format!("/v1.0/communications/calls{path}")
}
