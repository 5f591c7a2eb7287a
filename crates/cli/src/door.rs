//! The operator's door, from outside: HTTP with the token of the data folder.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::args::Door;
use crate::{Failure, limits};

/// A way in.
pub(crate) struct Visitor {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    token: String,
}

impl Visitor {
    /// Reads where the server is, and the token.
    pub(crate) fn new(door: &Door) -> Result<Self, Failure> {
        let read = |name: &str| {
            let path = door.data.join(name);
            std::fs::read_to_string(&path).map(|text| text.trim().to_owned()).map_err(|error| {
                format!("{}: {error}. Give the server's data folder with --data, as its owner", path.display())
            })
        };
        let url = match &door.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => read(ringback_server::ADDRESS_FILE)?,
        };
        Ok(Self { client: Client::builder(TokioExecutor::new()).build_http(), url, token: read("operator.token")? })
    }

    /// The server's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Asks, and gives the answer's head and a body to be read.
    pub(crate) async fn open(&self, method: Method, path: &str) -> Result<Response<Incoming>, Failure> {
        self.open_with(method, path, Bytes::new()).await
    }

    async fn open_with(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_ringback/{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(body))?;
        let unreachable = |error| format!("no server answers at {}: {error}. Is it running?", self.url);
        Ok(self.client.request(request).await.map_err(unreachable)?)
    }

    /// Follows the live timeline from now on.
    pub(crate) async fn timeline(&self) -> Result<Events, Failure> {
        let response = self.open(Method::GET, "timeline").await?;
        if !response.status().is_success() {
            return Err(format!("the server answered {}", response.status()).into());
        }
        Ok(Events { body: response.into_body(), buffer: Vec::new() })
    }

    /// Asks, and reads the whole answer; none for 204.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Result<Option<Value>, Failure> {
        self.send(method, path, Bytes::new()).await
    }

    /// The same with a body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Option<Value>, Failure> {
        let body = read(self.open_with(method, path, body.into()).await?).await?;
        if body.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&body)?)) }
    }

    /// Reads what is no JSON.
    pub(crate) async fn fetch(&self, path: &str) -> Result<Bytes, Failure> {
        read(self.open(Method::GET, path).await?).await
    }
}

/// The body of an answer that is good; of another, its message.
async fn read(response: Response<Incoming>) -> Result<Bytes, Failure> {
    let status = response.status();
    let body = Limited::new(response.into_body(), limits::ANSWER_BYTES).collect().await?.to_bytes();
    if status.is_success() {
        return Ok(body);
    }
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = value["error"]["message"].as_str().unwrap_or("no reason given");
    Err(format!("{status}: {message}").into())
}

/// Server-sent events (WHATWG HTML §9.2), as they come.
pub(crate) struct Events {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Events {
    /// The next event's text, comments included; none once the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Failure> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(Some(String::from_utf8_lossy(&event).into_owned()));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|_| "the server is gone: it was killed, or the connection to it broke")?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}

/// The data of an event, if it has any.
pub(crate) fn data_of(event: &str) -> Option<String> {
    let data: String = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    (!data.is_empty()).then_some(data)
}
