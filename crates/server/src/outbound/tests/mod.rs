//! The client against servers on loopback that answer well, badly, late or not at all.

mod fetch;
mod webserver;

use super::*;
use crate::directory::AllowList;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use webserver::{Reply, Server, ok, ok_with, read_request, tls_server};

/// A client that may reach loopback, without system certificates.
fn client() -> Outbound {
    client_with(AllowList::default().with_loopback())
}

fn client_with(allowed: AllowList) -> Outbound {
    Outbound::with_tls(allowed, connect::tls_with(rustls::RootCertStore::empty()).unwrap()).unwrap()
}

const SOON: PostLimits = PostLimits { answer: Duration::from_millis(200) };

/// More than a busy machine needs.
const PATIENT: PostLimits = PostLimits { answer: Duration::from_secs(60) };

async fn post(client: &Outbound, target: &Target) -> Result<Answer, PostError> {
    client.post(target, &[], &HeaderMap::new(), Bytes::from_static(b"{}"), PATIENT).await
}

async fn get(client: &Outbound, target: &Target) -> Result<Bytes, FetchError> {
    client.get(target, &[], 1000, limits::PROMPT_TIME).await
}

#[tokio::test]
async fn a_post_arrives_whole_and_its_answer_is_read() {
    let answer = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /b?c\r\nRetry-After: 2.5\r\nContent-Length: 0\r\n\r\n";
    let server = Server::start(move |_| Reply::Send(answer.into())).await;
    let mut headers = HeaderMap::new();
    headers.insert("scenario-id", HeaderValue::from_static("s1"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let body = Bytes::from_static(b"{\"value\":[]}");
    let found = client().post(&server.url("/api/calls?x=1"), &[], &headers, body, PostLimits::default()).await.unwrap();
    assert_eq!((found.status, found.location.as_deref()), (307, Some("/b?c")));
    assert_eq!(found.retry_after, Some(Duration::from_millis(2500)));
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /api/calls?x=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\n{\"value\":[]}"), "{seen}");
    let head = seen.to_lowercase();
    let host = format!("host: {}", server.address);
    for line in [host.as_str(), "content-length: 12", "scenario-id: s1", "user-agent: ringback/0.1,(calling/1.0)"] {
        assert_eq!(head.lines().filter(|found| *found == line).count(), 1, "{line} in {head}");
    }
}

#[tokio::test]
async fn an_unreadable_retry_after_is_none() {
    for text in ["-1", "soon", "NaN", "1e300", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        let answer = format!("HTTP/1.1 429 x\r\nRetry-After: {text}\r\nContent-Length: 0\r\n\r\n");
        let server = Server::start(move |_| Reply::Send(answer.clone())).await;
        let answer = post(&client(), &server.url("/")).await.unwrap();
        assert_eq!((answer.status, answer.retry_after), (429, None), "{text}");
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::start(|n| if n % 2 == 0 { ok() } else { ok_with("a body, too") }).await;
    let client = client();
    for _ in 0..6 {
        post(&client, &server.url("/")).await.unwrap();
    }
    assert_eq!((server.seen().len(), server.connections()), (6, 1));
    assert_eq!(client.shared.guarded.count(), 1);
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let server =
        Server::start(|_| Reply::Send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n".into())).await;
    let client = client();
    assert_eq!(post(&client, &server.url("/")).await.unwrap().status, 204);
    assert_eq!(post(&client, &server.url("/")).await.unwrap().status, 204);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_answer_that_never_finishes_holds_up_nobody() {
    let server = Server::start(|n| match n {
        0 => Reply::Stall("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".into()),
        1 => Reply::Stall("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n".into()),
        _ => ok(),
    })
    .await;
    let client = client();
    for _ in 0..3 {
        assert!(post(&client, &server.url("/")).await.is_ok());
    }
    let in_background = limits::UNFINISHED_ANSWERS - client.shared.unfinished.available_permits();
    assert_eq!(in_background, 2, "answers are still being waited for, but not by who posted");
    assert_eq!(server.connections(), 3, "an unfinished connection is not used again");
}

#[tokio::test]
async fn a_long_answer_is_not_read_to_its_end() {
    let long = "x".repeat(limits::ANSWER_BODY_BYTES + 1);
    let server = Server::start(move |_| ok_with(&long)).await;
    let client = client();
    assert_eq!(post(&client, &server.url("/")).await.unwrap().status, 200);
    // Whether its end was there already or is dropped later, the connection is never kept.
    assert_eq!(client.shared.guarded.count(), 0);
    post(&client, &server.url("/")).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let server = Server::start(|n| match n {
        0 => Reply::Last("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into()),
        1 => ok(),
        // Reads the second request of this connection and closes it.
        2 => Reply::Last(String::new()),
        _ => ok(),
    })
    .await;
    let client = client();
    for _ in 0..3 {
        assert!(post(&client, &server.url("/")).await.is_ok());
    }
    assert_eq!(server.seen().len(), 4, "the third was written twice: once to the connection that closed");
}

#[tokio::test]
async fn a_connection_that_ends_with_its_answer_is_not_kept() {
    let server = Server::start(|_| {
        Reply::Last("HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".into())
    })
    .await;
    let client = client();
    post(&client, &server.url("/")).await.unwrap();
    assert_eq!(client.shared.guarded.count(), 0);
}

#[tokio::test]
async fn only_a_flush_after_the_body_counts_as_written() {
    let server = Server::start(|_| ok()).await;
    let connector = Connector::new(
        AllowList::default().with_loopback(),
        connect::tls_with(rustls::RootCertStore::empty()).unwrap(),
    )
    .unwrap();
    let mut stream = connector.connect(&server.url("/"), false).await.unwrap();
    let progress = stream.progress();
    stream.write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
    stream.flush().await.unwrap();
    assert!(!progress.is_written());
    progress.body_taken();
    assert!(!progress.is_written());
    stream.flush().await.unwrap();
    assert!(progress.is_written());
    progress.begin();
    assert!(!progress.is_written());
}

#[tokio::test]
async fn a_new_connection_that_closes_is_not_tried_again() {
    let server = Server::start(|_| Reply::Last(String::new())).await;
    let error = post(&client(), &server.url("/")).await.unwrap_err();
    assert!(matches!(error, PostError::Broken(_)) && error.is_written(), "{error:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_that_has_begun_is_not_asked_for_again() {
    let server = Server::start(|n| if n == 0 { ok() } else { Reply::Last("HTTP/1.1 2".into()) }).await;
    let client = client();
    post(&client, &server.url("/")).await.unwrap();
    assert!(matches!(post(&client, &server.url("/")).await, Err(PostError::Broken(_))));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn written_and_unanswered_is_told_apart_from_not_written() {
    let silent = Server::start(|_| Reply::Stall(String::new())).await;
    let client = client();
    let headers = HeaderMap::new();
    let small = Bytes::from_static(b"{}");
    let error = client.post(&silent.url("/"), &[], &headers, small, SOON).await.unwrap_err();
    assert_eq!(error, PostError::Unanswered);
    assert!(error.is_written());

    // Accepts by its backlog and never reads: more than all socket buffers hold cannot be written.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&format!("http://{}/", deaf.local_addr().unwrap())).unwrap();
    let large = Bytes::from(vec![b' '; 64 << 20]);
    let error = client.post(&target, &[], &headers, large, SOON).await.unwrap_err();
    assert!(matches!(error, PostError::NotWritten(_)) && !error.is_written(), "{error:?}");
    assert_eq!(client.shared.guarded.count(), 0);
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let endless = "x".repeat(2 * limits::HEAD_BYTES);
    for garbage in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        &format!("HTTP/1.1 200 OK\r\nA: {endless}"),
    ] {
        let reply = garbage.to_owned();
        let server = Server::start(move |_| Reply::Stall(reply.clone())).await;
        let error = post(&client(), &server.url("/")).await.unwrap_err();
        assert!(matches!(error, PostError::Broken(_)), "{garbage:.20}: {error:?}");
    }
}

#[tokio::test]
async fn nobody_listening_means_nothing_was_written() {
    let target = Target::parse("http://127.0.0.1:1/").unwrap();
    let error = post(&client(), &target).await.unwrap_err();
    assert!(matches!(error, PostError::Connect(ConnectError::Unreachable(_))) && !error.is_written(), "{error:?}");
}

#[tokio::test]
async fn a_dropped_post_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let client = client();
    let posting = tokio::spawn(async move { post(&client, &target).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await.unwrap();
    posting.abort();
    assert_eq!(read_request(&mut stream).await, None, "the end is seen");
}

#[tokio::test]
async fn private_targets_are_refused_before_anything_is_sent() {
    let server = Server::start(|_| ok()).await;
    let port = server.address.port();
    let client = client_with(AllowList::default());
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433", "127.1", "0.0.0.0", "[::]"]
    {
        let target = Target::parse(&format!("http://{host}:{port}/")).unwrap();
        let error = post(&client, &target).await.unwrap_err();
        assert!(matches!(error, PostError::Connect(ConnectError::Forbidden(_))), "{host}: {error:?}");
        let error = get(&client, &target).await.unwrap_err();
        assert!(matches!(error, FetchError::Connect(ConnectError::Forbidden(_))), "{host}: {error:?}");
        assert!(error.to_string().contains("allow_private_targets"), "{error}");
    }
    assert_eq!(server.connections(), 0);
    let by_name = client_with(AllowList::parse(&["localhost"]).unwrap());
    assert!(post(&by_name, &Target::parse(&format!("http://localhost:{port}/")).unwrap()).await.is_ok());
    assert!(post(&by_name, &server.url("/")).await.is_err(), "its address was not named");
}

#[tokio::test]
async fn an_apps_own_webhook_is_reached_by_that_app_only() {
    let server = Server::start(|_| ok()).await;
    let other = Server::start(|_| ok()).await;
    let client = client_with(AllowList::default());
    let own = server.url("/api/calls").origin().clone();
    let foreign = other.url("/").origin().clone();
    let post = async |target: Target, named: &[Origin]| {
        client.post(&target, named, &HeaderMap::new(), Bytes::from_static(b"{}"), PostLimits::default()).await
    };
    assert!(post(server.url("/api/calls"), &[foreign.clone(), own.clone()]).await.is_ok());
    assert!(post(server.url("/another/path"), std::slice::from_ref(&own)).await.is_ok());
    assert_eq!(server.connections(), 1);
    // The idle connection to it must not let others in.
    assert!(post(server.url("/"), &[]).await.is_err());
    assert!(post(server.url("/"), &[foreign]).await.is_err());
    assert!(post(other.url("/"), &[own]).await.is_err(), "another port is another origin");
    assert_eq!((server.seen().len(), other.connections()), (2, 0));
}

#[tokio::test]
async fn idle_connections_are_bounded_and_closed_in_time() {
    let many = limits::IDLE_PER_ORIGIN + 5;
    let all = Arc::new(Barrier::new(many));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let all = Arc::clone(&all);
            tokio::spawn(async move {
                read_request(&mut stream).await.unwrap();
                // Nobody is answered before all have connected.
                all.wait().await;
                let Reply::Send(text) = ok() else { return };
                stream.write_all(text.as_bytes()).await.unwrap();
                read_request(&mut stream).await;
            });
        }
    });
    let client = client();
    let posts: Vec<_> = (0..many)
        .map(|_| {
            let (client, target) = (client.clone(), target.clone());
            tokio::spawn(async move { post(&client, &target).await.unwrap() })
        })
        .collect();
    for posted in posts {
        posted.await.unwrap();
    }
    let pool = &client.shared.guarded;
    assert_eq!(pool.count(), limits::IDLE_PER_ORIGIN);
    let now = Instant::now();
    pool.sweep(now - Duration::from_secs(60));
    assert_eq!(pool.count(), limits::IDLE_PER_ORIGIN, "what is young stays");
    pool.sweep(now);
    assert_eq!(pool.count(), 0);
}

#[tokio::test]
async fn tls_checks_the_certificate_and_the_name() {
    let (server, certificate) = tls_server().await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let allowed = AllowList::parse(&["127.0.0.1", "localhost"]).unwrap();
    let trusting = Outbound::with_tls(allowed.clone(), connect::tls_with(roots).unwrap()).unwrap();
    let url = |host: &str| Target::parse(&format!("https://{host}:{}/", server.address.port())).unwrap();
    assert_eq!(get(&trusting, &url("localhost")).await.unwrap(), "secret");
    assert_eq!(post(&trusting, &url("localhost")).await.unwrap().status, 200);
    assert_eq!(server.connections(), 1);
    for (client, host) in [(&trusting, "127.0.0.1"), (&client_with(allowed), "localhost")] {
        let error = post(client, &url(host)).await.unwrap_err();
        assert!(matches!(error, PostError::Connect(ConnectError::Tls(_))), "{host}: {error:?}");
    }
    assert_eq!(server.seen().len(), 2);
    let plain = Target::parse(&format!("http://localhost:{}/", server.address.port())).unwrap();
    assert!(post(&trusting, &plain).await.is_err(), "a TLS connection is not lent to http");
}

#[tokio::test]
async fn in_development_a_bot_of_this_machine_needs_no_certificate_that_others_trust() {
    let (server, _) = tls_server().await;
    for host in ["localhost", "127.0.0.1"] {
        let url = Target::parse(&format!("https://{host}:{}/", server.address.port())).unwrap();
        assert_eq!(post(&client(), &url).await.unwrap().status, 200, "{host}");
    }
}

#[tokio::test]
async fn the_sweeper_ends_with_the_client() {
    let client = client();
    let shared = Arc::downgrade(&client.shared);
    drop(client);
    assert!(shared.upgrade().is_none(), "nothing else holds it");
}
