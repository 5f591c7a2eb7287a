//! Calls out: tokens, errors, repeats, and what each verb sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ringback_client::{Config, Error, Graph};
use serde_json::json;
use tokio::task::JoinSet;

use crate::platform::{APP, Platform, Reply, TENANT, error};

fn graph(platform: &Platform) -> Graph {
    Graph::new(platform.config()).expect("settings")
}

fn list() -> Reply {
    (200, json!({"value": []})).into()
}

#[tokio::test]
async fn a_token_is_asked_for_once_however_many_need_it() {
    let platform = Platform::start(|_| list()).await;
    let graph = graph(&platform);
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let graph = graph.clone();
        tasks.spawn(async move { graph.list_calls().await });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic").expect("a list");
    }
    let asked = platform.asked("/token");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, format!("/{TENANT}/oauth2/v2.0/token"));
    assert_eq!(asked[0].header("content-type"), "application/x-www-form-urlencoded");
    let form = std::str::from_utf8(&asked[0].body).expect("text");
    let expected = format!(
        "grant_type=client_credentials&client_id={APP}&client_secret=s3cret+%26+more\
         &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
    );
    assert_eq!(form, expected);
    let calls = platform.asked("/v1.0/communications/calls");
    assert_eq!(calls.len(), 16);
    assert!(calls.iter().all(|call| call.header("authorization") == "Bearer token-1"));
}

#[tokio::test]
async fn a_token_that_is_over_is_replaced() {
    let platform = Platform::with_tokens_of(0, |_| list()).await;
    let graph = graph(&platform);
    graph.list_calls().await.expect("a list");
    graph.list_calls().await.expect("a list");
    let calls = platform.asked("/calls");
    assert_eq!(calls[0].header("authorization"), "Bearer token-1");
    assert_eq!(calls[1].header("authorization"), "Bearer token-2");
}

#[tokio::test]
async fn a_token_the_platform_no_longer_takes_is_replaced_once() {
    let platform = Platform::start(|asked| match asked.header("authorization") {
        "Bearer token-1" => error(401, "InvalidAuthenticationToken", "Access token is not valid."),
        _ => list(),
    });
    let platform = platform.await;
    graph(&platform).list_calls().await.expect("a list");
    assert_eq!(platform.asked("/token").len(), 2);

    let refusing = Platform::start(|_| error(401, "InvalidAuthenticationToken", "No.")).await;
    let refused = graph(&refusing).list_calls().await.expect_err("refused");
    assert_eq!(refused.code(), Some("InvalidAuthenticationToken"));
    assert_eq!(refusing.asked("/calls").len(), 2);
}

#[tokio::test]
async fn credentials_refused_are_told_without_the_secret() {
    let platform = Platform::start(|_| {
        (401, json!({"error": "invalid_client", "error_description": "Client secret is wrong."})).into()
    });
    let platform = platform.await;
    let mut config = platform.config();
    // The platform's script answers here, not its token endpoint.
    config.authority = Some(format!("{}/elsewhere/", platform.url()));
    config.tenant = "none?".into();
    let refused = Graph::new(config).expect("settings").list_calls().await.expect_err("refused");
    assert_eq!(refused.to_string(), "no token for the app: invalid_client (401): Client secret is wrong.");
}

#[tokio::test]
async fn settings_are_shown_without_the_secret() {
    let config = Config::new("http://127.0.0.1:1", "t", "a", "hush");
    assert!(!format!("{config:?}").contains("hush"));
    assert!(matches!(Graph::new(Config::new("ftp://x", "t", "a", "s")), Err(Error::Config(_))));
    assert!(matches!(Graph::new(Config::new("nothing", "t", "a", "s")), Err(Error::Config(_))));
}

#[tokio::test]
async fn an_error_keeps_the_platforms_words() {
    let platform = Platform::silent().await;
    let Err(Error::Graph(told)) = graph(&platform).get_call("c1").await else { panic!("a Graph error") };
    assert_eq!((told.status, told.code.as_str(), told.message.as_str()), (404, "8522", "Call not found."));
    assert_eq!(told.request_id.as_deref(), Some("r-1"));
    assert_eq!(platform.asked("/calls").len(), 1, "404 is not asked again");

    let empty = Platform::start(|_| Reply(502, vec![("request-id", "r-2".into())], json!(null))).await;
    let Err(Error::Graph(told)) = graph(&empty).get_call("c1").await else { panic!("a Graph error") };
    assert_eq!((told.status, told.code.as_str()), (502, "unknown"));
    assert_eq!(told.request_id.as_deref(), Some("r-2"));
}

#[tokio::test]
async fn a_throttled_request_is_repeated_three_times_and_no_more() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let platform = Platform::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply(503, vec![("retry-after", "0".into())], json!(null)),
        1 => Reply(429, vec![("retry-after", "0.001".into())], json!(null)),
        _ => (201, json!({"@odata.type": "#microsoft.graph.call", "id": "c1", "state": "establishing"})).into(),
    });
    let platform = platform.await;
    let call = graph(&platform).get_call("c1").await.expect("at the third attempt");
    assert_eq!(call.id.as_deref(), Some("c1"));
    let attempts: Vec<String> =
        platform.asked("/calls").iter().map(|asked| asked.header("retry-attempt").to_owned()).collect();
    assert_eq!(attempts, ["", "1", "2"]);

    let full = Platform::start(|_| {
        let Reply(status, mut headers, body) = error(503, "serviceNotAvailable", "Full.");
        headers.push(("retry-after", "0".into()));
        Reply(status, headers, body)
    });
    let full = full.await;
    let refused = graph(&full).get_call("c1").await.expect_err("full");
    assert_eq!(refused.code(), Some("serviceNotAvailable"));
    assert_eq!(full.asked("/calls").len(), 4);
}

#[tokio::test]
async fn without_a_time_to_wait_or_with_too_long_a_one_nothing_is_repeated() {
    for wait in [None, Some("86400"), Some("soon"), Some("-1")] {
        let platform = Platform::start(move |_| {
            Reply(503, wait.map(|wait| ("retry-after", wait.to_owned())).into_iter().collect(), json!(null))
        });
        let platform = platform.await;
        assert!(graph(&platform).list_calls().await.is_err());
        assert_eq!(platform.asked("/calls").len(), 1, "{wait:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let gone = "http://127.0.0.1:1";
    let failed = Graph::new(Config::new(gone, TENANT, APP, "s")).expect("settings").list_calls().await;
    let Err(Error::Transport { host, .. }) = failed else { panic!("no answer: {failed:?}") };
    assert_eq!(format!("http://{host}"), gone);
}

#[tokio::test]
async fn https_is_spoken_and_nothing_else_taken_for_it() {
    let platform = Platform::silent().await;
    let url = platform.url().replace("http://", "https://");
    let failed = Graph::new(Config::new(url, TENANT, APP, "s")).expect("settings").list_calls().await;
    assert!(matches!(failed, Err(Error::Transport { .. })), "{failed:?}");
    assert!(platform.asked("/").is_empty());
}

#[tokio::test]
async fn all_pages_of_a_listing_are_read_from_the_same_host() {
    let mut nth = 0;
    let platform = Platform::start(move |_| {
        nth += 1;
        let next = (nth < 3).then(|| format!("http://elsewhere.invalid/v1.0/communications/calls?$skiptoken={nth}"));
        (200, json!({"value": [{"id": format!("c{nth}")}], "@odata.nextLink": next})).into()
    });
    let platform = platform.await;
    let calls = graph(&platform).list_calls().await.expect("a list");
    let ids: Vec<_> = calls.iter().filter_map(|call| call.id.as_deref()).collect();
    assert_eq!(ids, ["c1", "c2", "c3"]);
    let queries: Vec<_> = platform.asked("/calls").into_iter().map(|asked| asked.query).collect();
    assert_eq!(queries, ["", "$skiptoken=1", "$skiptoken=2"]);
}
