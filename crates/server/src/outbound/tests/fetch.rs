//! Prompts: redirects, sizes, times.

use super::webserver::{Reply, Server, ok_with, redirect};
use super::{client, client_with, get};
use crate::directory::AllowList;
use crate::outbound::{ConnectError, FetchError, limits};
use std::time::Duration;

#[tokio::test]
async fn a_prompt_is_fetched_with_one_get() {
    let server = Server::start(|_| ok_with("RIFF")).await;
    assert_eq!(get(&client(), &server.url("/hello.wav?v=1")).await.unwrap(), "RIFF");
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("GET /hello.wav?v=1 HTTP/1.1\r\n"), "{}", seen[0]);
    assert!(
        seen[0].to_lowercase().contains("accept-encoding: identity")
            && !seen[0].to_lowercase().contains("content-length")
    );
}

#[tokio::test]
async fn redirects_are_followed_three_times() {
    let chain =
        |hops: usize| Server::start(move |n| if n < hops { redirect(&format!("/{n}")) } else { ok_with("RIFF") });
    let server = chain(3).await;
    assert_eq!(get(&client(), &server.url("/")).await.unwrap(), "RIFF");
    assert_eq!((server.seen().len(), server.connections()), (4, 1));
    assert!(server.seen()[3].starts_with("GET /2 "));
    let server = chain(4).await;
    assert_eq!(get(&client(), &server.url("/")).await, Err(FetchError::TooManyRedirects));
    for bad in ["file:///etc/passwd", "http://u:p@x/", "http://"] {
        let server = Server::start(move |_| redirect(bad)).await;
        assert_eq!(get(&client(), &server.url("/")).await, Err(FetchError::BadRedirect), "{bad}");
    }
    let server = Server::start(|_| Reply::Send("HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n".into())).await;
    assert_eq!(get(&client(), &server.url("/")).await, Err(FetchError::BadRedirect), "without a place to go");
}

#[tokio::test]
async fn a_redirect_is_checked_again() {
    let inside = Server::start(|_| ok_with("the crown jewels")).await;
    let lure = format!("http://{}/admin", inside.address);
    let outside = Server::start(move |_| redirect(&lure)).await;
    let client = client_with(AllowList::default());
    let own = outside.url("/").origin().clone();
    let error = client.get(&outside.url("/prompt.wav"), &[own], 1000, limits::PROMPT_TIME).await.unwrap_err();
    assert!(matches!(error, FetchError::Connect(ConnectError::Forbidden(_))), "{error:?}");
    assert_eq!((outside.seen().len(), inside.connections()), (1, 0));
}

#[tokio::test]
async fn size_is_bounded_whether_announced_or_not() {
    let exact = "x".repeat(1000);
    let server = Server::start(move |_| ok_with(&exact)).await;
    assert_eq!(get(&client(), &server.url("/")).await.unwrap().len(), 1000);
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n".to_owned();
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}1\r\nx\r\n");
    let unframed = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1001));
    for reply in [announced, chunked, unframed] {
        let text = reply.clone();
        // Never finished: refused as soon as it is known to be too large.
        let server = Server::start(move |_| Reply::Stall(text.clone())).await;
        assert_eq!(get(&client(), &server.url("/")).await, Err(FetchError::TooLarge { limit: 1000 }), "{reply:.60}");
    }
}

#[tokio::test]
async fn what_is_not_a_whole_file_is_an_error() {
    let limit = Duration::from_millis(200);
    let fetch = async |reply: Reply| {
        // Only who stalls is given little time.
        let time = if matches!(reply, Reply::Stall(_)) { limit } else { Duration::from_secs(60) };
        let server = Server::start(move |_| reply.clone()).await;
        client().get(&server.url("/"), &[], 1000, time).await.unwrap_err()
    };
    for status in [204, 206, 304, 404, 500] {
        let reply = Reply::Send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(fetch(reply).await, FetchError::Status(status));
    }
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_owned();
    assert!(matches!(fetch(Reply::Last(short.clone())).await, FetchError::Broken(_)));
    assert_eq!(fetch(Reply::Stall(short)).await, FetchError::TimedOut { limit });
    assert_eq!(fetch(Reply::Stall(String::new())).await, FetchError::TimedOut { limit });
    let packed = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc".to_owned();
    assert_eq!(fetch(Reply::Send(packed)).await, FetchError::Encoded);
    assert!(matches!(fetch(Reply::Last("hello".into())).await, FetchError::Broken(_)));
}
