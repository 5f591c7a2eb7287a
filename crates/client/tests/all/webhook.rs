//! Notifications in: what the listener lets through, and how often.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use ringback_client::verify::MESSAGE_ID;
use ringback_client::{Graph, Notifications, Webhook, limits};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::platform::Platform;
use crate::{sign, soon};

/// The envelope real traffic has (contract §2.15).
pub(crate) fn envelope(change: &str, path: &str, data: Value) -> Value {
    json!({"@odata.type": "#microsoft.graph.commsNotifications", "value": [{
        "@odata.type": "#microsoft.graph.commsNotification", "changeType": change,
        "resource": format!("/app/calls/{path}"), "resourceUrl": format!("/communications/calls/{path}"),
        "resourceData": data}]})
}

pub(crate) fn incoming(call: &str) -> Value {
    let data =
        json!({"@odata.type": "#microsoft.graph.call", "state": "incoming", "direction": "incoming", "id": call});
    envelope("created", call, data)
}

fn tone(call: &str, nth: u32) -> Value {
    let tone = json!({"@odata.type": "#microsoft.graph.toneInfo", "sequenceId": nth, "tone": "tone1"});
    envelope("updated", call, json!({"@odata.type": "#microsoft.graph.call", "state": "established", "toneInfo": tone}))
}

/// One POST as the platform makes it; `token` and `message_id` may be left out.
pub(crate) async fn post(to: SocketAddr, token: Option<&str>, message_id: Option<&str>, body: Bytes) -> StatusCode {
    let mut request = Request::post("/callback").header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(id) = message_id {
        request = request.header(MESSAGE_ID, id);
    }
    send(to, request.body(Full::new(body)).expect("a request")).await.0
}

async fn send(to: SocketAddr, request: Request<Full<Bytes>>) -> (StatusCode, hyper::HeaderMap, Bytes) {
    let stream = TcpStream::connect(to).await.expect("the listener is there");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    let served = tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole answer").to_bytes();
    drop(sender);
    // An answer before the whole body was read closes the connection: no failure of the test.
    let _ = served.await.expect("no panic");
    (head.status, head.headers, body)
}

pub(crate) async fn listen(platform: &Platform, webhook: Webhook) -> Notifications {
    let verifier = Graph::new(platform.config()).expect("settings").verifier();
    Notifications::listen(([127, 0, 0, 1], 0).into(), Arc::new(verifier), webhook).await.expect("a free port")
}

fn good() -> String {
    sign::by_platform(&sign::claims())
}

#[tokio::test]
async fn a_notification_is_taken_once_and_in_order() {
    let platform = Platform::silent().await;
    let mut notifications = listen(&platform, Webhook::default()).await;
    let to = notifications.address().expect("it listens");
    let token = good();
    for (id, nth) in [("m-1", 1), ("m-1", 1), ("m-2", 2), ("m-1", 1), ("m-3", 3), ("m-3", 3)] {
        let status = post(to, Some(&token), Some(id), tone("c1", nth).to_string().into()).await;
        assert_eq!(status, StatusCode::ACCEPTED);
    }
    // Without an id nothing can be known for a repeat.
    for _ in 0..2 {
        assert_eq!(post(to, Some(&token), None, tone("c1", 4).to_string().into()).await, StatusCode::ACCEPTED);
    }
    let mut order = Vec::new();
    for _ in 0..5 {
        let told = soon(notifications.recv()).await.expect("a notification");
        let ringback_client::wire::ResourceData::Call(call) = told.data else { panic!("a call") };
        order.push(call.tone_info.expect("a key").sequence_id);
    }
    assert_eq!(order, [1, 2, 3, 4, 4]);
}

#[tokio::test]
async fn what_is_refused_gets_its_status_and_goes_nowhere() {
    let platform = Platform::silent().await;
    let mut notifications = listen(&platform, Webhook::default()).await;
    let to = notifications.address().expect("it listens");
    let body = || Bytes::from(incoming("bad").to_string());
    let mut other = sign::claims();
    other["aud"] = json!("another app");
    let mut over = sign::claims();
    over["exp"] = json!(sign::now() - 3600);
    let oversized = Bytes::from(vec![b' '; limits::NOTIFICATION_BYTES + 1]);

    assert_eq!(post(to, None, Some("m"), body()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(to, Some("junk"), Some("m"), body()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(to, Some(&sign::by_platform(&over)), Some("m"), body()).await, StatusCode::UNAUTHORIZED);
    let forged = sign::by_forger(&sign::claims(), sign::KEY_ID);
    assert_eq!(post(to, Some(&forged), Some("m"), body()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(to, Some(&sign::by_platform(&other)), Some("m"), body()).await, StatusCode::FORBIDDEN);
    assert_eq!(post(to, Some(&good()), Some("m"), Bytes::from_static(b"{")).await, StatusCode::BAD_REQUEST);
    assert_eq!(post(to, Some(&good()), Some("m"), oversized).await, StatusCode::PAYLOAD_TOO_LARGE);

    // None of them used up the message id, and none went through.
    let taken = incoming("good").to_string().into();
    assert_eq!(post(to, Some(&good()), Some("m"), taken).await, StatusCode::ACCEPTED);
    assert_eq!(soon(notifications.recv()).await.expect("a notification").call, "good");
}

#[tokio::test]
async fn a_bot_that_takes_nothing_makes_the_platform_wait() {
    let platform = Platform::silent().await;
    let mut notifications = listen(&platform, Webhook::default()).await;
    let to = notifications.address().expect("it listens");
    let token = good();
    let mut many = incoming("c1");
    let one = many["value"][0].clone();
    many["value"] = Value::Array(vec![one; limits::NOTIFICATIONS]);
    assert_eq!(post(to, Some(&token), Some("m-1"), many.to_string().into()).await, StatusCode::ACCEPTED);
    let last = || Bytes::from(tone("c1", 1).to_string());
    assert_eq!(post(to, Some(&token), Some("m-2"), last()).await, StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..limits::NOTIFICATIONS {
        soon(notifications.recv()).await.expect("a notification");
    }
    // Its repeat is no repeat to us.
    assert_eq!(post(to, Some(&token), Some("m-2"), last()).await, StatusCode::ACCEPTED);
    soon(notifications.recv()).await.expect("the last one");
}

#[tokio::test]
async fn files_are_served_beside_and_nothing_else() {
    let platform = Platform::silent().await;
    let webhook = Webhook::default().wav("/prompts/hello.wav", &b"RIFF"[..]);
    let notifications = listen(&platform, webhook).await;
    let to = notifications.address().expect("it listens");
    let ask = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Full::default()).expect("a request");
        send(to, request)
    };
    let (status, headers, body) = ask("GET", "/prompts/hello.wav").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"RIFF"[..]));
    assert_eq!(headers["content-type"], "audio/wav");
    assert_eq!(headers["content-length"], "4");
    let (status, headers, body) = ask("HEAD", "/prompts/hello.wav").await;
    assert_eq!((status, body.len(), &headers["content-length"]), (StatusCode::OK, 0, &"4".parse().expect("a header")));
    assert_eq!(ask("PUT", "/prompts/hello.wav").await.0, StatusCode::METHOD_NOT_ALLOWED);
    let (status, headers, _) = ask("GET", "/callback").await;
    assert_eq!((status, &headers["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().expect("a header")));
    assert_eq!(ask("GET", "/prompts/").await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask("GET", "/").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_answer_names_the_message() {
    let platform = Platform::silent().await;
    let notifications = listen(&platform, Webhook::default()).await;
    let request = Request::post("/callback")
        .header("authorization", format!("Bearer {}", good()))
        .header(MESSAGE_ID, "m-1")
        .header("Scenario-Id", "s-1")
        .body(Full::new(incoming("c1").to_string().into()))
        .expect("a request");
    let (status, headers, body) = send(notifications.address().expect("it listens"), request).await;
    assert_eq!((status, body.len()), (StatusCode::ACCEPTED, 0));
    assert_eq!(headers["client-request-id"], "m-1");
    assert_eq!(headers["scenario-id"], "s-1");
}
