//! A scripted platform: gives tokens, publishes keys, answers calls as the test says, and
//! remembers what it was asked. Knows nothing of how calls go; the real server is tested elsewhere.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use ringback_client::Config;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::sign;

pub(crate) const TENANT: &str = "0d9f6bd2-32ab-4a2c-8f5e-0c7d6a4b1e20";
pub(crate) const APP: &str = "5a1e0c6e-9d5b-4e0a-b1a7-3f2f8f6f0a11";

/// One request as it came.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// Status, extra headers, body.
pub(crate) struct Reply(pub(crate) u16, pub(crate) Vec<(&'static str, String)>, pub(crate) Value);

impl From<(u16, Value)> for Reply {
    fn from((status, body): (u16, Value)) -> Reply {
        Reply(status, Vec::new(), body)
    }
}

type Script = Box<dyn FnMut(&Asked) -> Reply + Send>;

pub(crate) struct Platform {
    address: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

struct State {
    asked: Mutex<Vec<Asked>>,
    script: Mutex<Script>,
    expires_in: u64,
}

impl Platform {
    /// Tokens last an hour and more; `script` answers everything but tokens and keys.
    pub(crate) async fn start(script: impl FnMut(&Asked) -> Reply + Send + 'static) -> Platform {
        Platform::with_tokens_of(3900, script).await
    }

    pub(crate) async fn with_tokens_of(
        expires_in: u64,
        script: impl FnMut(&Asked) -> Reply + Send + 'static,
    ) -> Platform {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let script: Script = Box::new(script);
        let state = Arc::new(State { asked: Mutex::default(), script: Mutex::new(script), expires_in });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, state.clone(), format!("http://{address}")));
        Platform { address, state, _tasks: tasks }
    }

    /// One that answers 404 to all but tokens and keys.
    pub(crate) async fn silent() -> Platform {
        Platform::start(|_| error(404, "8522", "Call not found.")).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn config(&self) -> Config {
        Config::new(self.url(), TENANT, APP, "s3cret & more")
    }

    /// The requests whose path contains `part`.
    pub(crate) fn asked(&self, part: &str) -> Vec<Asked> {
        let asked = self.state.asked.lock().expect("no panic");
        asked.iter().filter(|asked| asked.path.contains(part)).cloned().collect()
    }
}

/// An OData error, as the contract words it (§6).
pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    let inner = json!({"date": "2026-11-23T10:00:00", "request-id": "r-1", "client-request-id": "c-1"});
    (status, json!({"error": {"code": code, "message": message, "innerError": inner}})).into()
}

async fn accept(listener: TcpListener, state: Arc<State>, url: String) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        let (state, url) = (state.clone(), url.clone());
        connections.spawn(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request, &state, &url).await) });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A client that goes away is no failure of the test.
            let _ = connection.await;
        });
    }
}

async fn answer(request: Request<Incoming>, state: &State, url: &str) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
    let asked = Asked { method: head.method, path, query, headers: head.headers, body };
    let nth = {
        let mut all = state.asked.lock().expect("no panic");
        all.push(asked.clone());
        all.iter().filter(|one| one.path == asked.path).count()
    };
    let Reply(status, headers, body) = if asked.path.ends_with("/oauth2/v2.0/token") {
        (200, json!({"access_token": format!("token-{nth}"), "expires_in": state.expires_in, "token_type": "Bearer"}))
            .into()
    } else if asked.path == "/v1/.well-known/OpenIdConfiguration" {
        (200, json!({"issuer": "https://api.botframework.com", "jwks_uri": format!("{url}/keys")})).into()
    } else if asked.path == "/keys" {
        (200, sign::key_set()).into()
    } else {
        (state.script.lock().expect("no panic"))(&asked)
    };
    let bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(bytes)).expect("a response")
}
