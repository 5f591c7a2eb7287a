//! The tower layer: around services made with `tower`, and inside hyper's own server.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use ringback_client::verify::{Delivery, MESSAGE_ID, Refusal};
use ringback_client::{Calls, Graph, Notifications, VerifyLayer, limits};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::platform::Platform;
use crate::webhook::{incoming, post};
use crate::{sign, soon};

fn layer(platform: &Platform) -> VerifyLayer {
    VerifyLayer::new(Arc::new(Graph::new(platform.config()).expect("settings").verifier()))
}

fn request<B>(method: Method, token: Option<&str>, body: B) -> Request<B> {
    let mut request = Request::builder().method(method).header(MESSAGE_ID, "m-1").header("Scenario-Id", "s-1");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(body).expect("a request")
}

fn whole(body: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(body.into())
}

fn good() -> String {
    sign::by_platform(&sign::claims())
}

/// What is answered around a service that takes everything, and what that service was given.
async fn answered<B>(platform: &Platform, request: Request<B>) -> (StatusCode, HeaderMap, Vec<Delivery>)
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let (taken, mut given) = mpsc::unbounded_channel();
    let inner = service_fn(move |delivery: Delivery| {
        taken.send(delivery).expect("the test listens");
        async { Ok::<_, Infallible>("whatever it gives") }
    });
    let Ok(response) = soon(layer(platform).layer(inner).oneshot(request)).await;
    let mut all = Vec::new();
    while let Ok(delivery) = given.try_recv() {
        all.push(delivery);
    }
    (response.status(), response.headers().clone(), all)
}

#[tokio::test]
async fn what_is_verified_comes_through_parsed() {
    let platform = Platform::silent().await;
    let body = whole(incoming("c1").to_string());
    let (status, headers, given) = answered(&platform, request(Method::POST, Some(&good()), body)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(
        (&headers["client-request-id"], &headers["scenario-id"]),
        (&"m-1".parse().unwrap(), &"s-1".parse().unwrap())
    );
    assert_eq!(given.len(), 1);
    assert_eq!(given[0].message_id.as_deref(), Some("m-1"));
    assert_eq!(given[0].notifications[0].call, "c1");
}

#[tokio::test]
async fn what_is_refused_has_its_status_and_comes_through_to_nobody() {
    let platform = Platform::silent().await;
    let body = || whole(incoming("c1").to_string());
    let mut other = sign::claims();
    other["aud"] = "another app".into();
    let wrong = sign::by_platform(&other);
    let forged = sign::by_forger(&sign::claims(), sign::KEY_ID);
    let good = good();
    let cases = [
        (request(Method::POST, None, body()), StatusCode::UNAUTHORIZED),
        (request(Method::POST, Some(&forged), body()), StatusCode::UNAUTHORIZED),
        (request(Method::POST, Some(&wrong), body()), StatusCode::FORBIDDEN),
        (request(Method::POST, Some(&good), whole("{")), StatusCode::BAD_REQUEST),
        (request(Method::GET, Some(&good), body()), StatusCode::METHOD_NOT_ALLOWED),
    ];
    for (request, wanted) in cases {
        let (status, _, given) = answered(&platform, request).await;
        assert_eq!((status, given.len()), (wanted, 0));
    }
}

#[tokio::test]
async fn a_body_is_read_only_after_its_token_and_only_so_far() {
    let platform = Platform::silent().await;
    // It never ends: reading it whole would take all memory, or for ever.
    let endless = || {
        let chunk = Bytes::from(vec![b' '; 64 * 1024]);
        let frames = futures_util::stream::repeat_with(move || Ok::<_, io::Error>(Frame::data(chunk.clone())));
        StreamBody::new(frames)
    };
    let (status, _, given) = answered(&platform, request(Method::POST, Some(&good()), endless())).await;
    assert_eq!((status, given.len()), (StatusCode::PAYLOAD_TOO_LARGE, 0));
    let unread = StreamBody::new(futures_util::stream::poll_fn(|_| -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        panic!("a stranger's body is read")
    }));
    assert_eq!(answered(&platform, request(Method::POST, Some("junk"), unread)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_the_bot_cannot_take_the_platform_repeats() {
    let platform = Platform::silent().await;
    let ask = || request(Method::POST, Some(&good()), whole(incoming("c1").to_string()));
    let broken = service_fn(|_: Delivery| async { Err::<(), _>(io::Error::other("the bot's own secret")) });
    let Ok(response) = soon(layer(&platform).layer(broken).oneshot(ask())).await;
    assert_eq!(
        (response.status(), &response.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
    );
    assert!(response.into_body().collect().await.expect("a body").to_bytes().is_empty(), "its words are not told");

    let refusing = service_fn(|_: Delivery| async { Err::<(), _>(Refusal::Tenant) });
    let Ok(response) = soon(layer(&platform).layer(refusing).oneshot(ask())).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);

    let Ok(response) = soon(layer(&platform).layer(NeverReady).oneshot(ask())).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// Under a load that does not end.
#[derive(Clone)]
struct NeverReady;

impl Service<Delivery> for NeverReady {
    type Response = ();
    type Error = Infallible;
    type Future = std::future::Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Delivery) -> Self::Future {
        panic!("called though it is not ready")
    }
}

#[tokio::test]
async fn calls_are_followed_behind_a_web_server_of_ones_own() {
    let platform = Platform::silent().await;
    let (inlet, notifications) = Notifications::inlet();
    assert_eq!(notifications.address(), None);
    let calls = Calls::new(Graph::new(platform.config()).expect("settings"), notifications);
    let webhook = TowerToHyperService::new(layer(&platform).layer(inlet));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            let served =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), webhook.clone());
            served.await.expect("served");
        }
    });
    for (id, call) in [("m-1", "c1"), ("m-1", "c1"), ("m-2", "c2")] {
        let status = post(address, Some(&good()), Some(id), incoming(call).to_string().into()).await;
        assert_eq!(status, StatusCode::ACCEPTED);
    }
    for call in ["c1", "c2"] {
        assert_eq!(soon(calls.incoming()).await.expect("a call").id(), call);
    }
    let long = Bytes::from(vec![b' '; limits::NOTIFICATION_BYTES + 1]);
    assert_eq!(post(address, Some(&good()), None, long).await, StatusCode::PAYLOAD_TOO_LARGE);
    server.abort();
}
