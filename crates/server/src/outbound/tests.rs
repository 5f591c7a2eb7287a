//! The client against servers on loopback that answer well, badly, late or not at all.

use super::*;
use crate::directory::AllowList;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Barrier;

/// What a server does with a request it has read.
#[derive(Clone)]
enum Reply {
    /// Writes this and waits for the next request.
    Send(String),
    /// Writes this and closes.
    Last(String),
    /// Writes this and then nothing, for ever.
    Stall(String),
}

/// A server that answers the n-th request (from 0, over all connections) as the script says.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

type Script = Arc<dyn Fn(usize) -> Reply + Send + Sync>;

impl Server {
    async fn start(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Server {
        Server::start_with(Arc::new(script), None).await
    }

    async fn start_with(script: Script, tls: Option<tokio_rustls::TlsAcceptor>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server { address, seen: Arc::default(), connections: Arc::default() };
        let (seen, connections) = (Arc::clone(&server.seen), Arc::clone(&server.connections));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (seen, script, tls) = (Arc::clone(&seen), Arc::clone(&script), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => converse(tcp, &seen, &script).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(tcp).await {
                                converse(stream, &seen, &script).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    fn url(&self, path: &str) -> Target {
        Target::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Mutex<Vec<String>>, script: &Script) {
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        let (Reply::Send(text) | Reply::Last(text) | Reply::Stall(text)) = script(number);
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.flush().await;
        match script(number) {
            Reply::Send(_) => {}
            Reply::Last(_) => {
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Stall(_) => std::future::pending().await,
        }
    }
}

/// One request, head and body, as text; `None` at the end of the connection.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if bytes.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return Some(String::from_utf8(bytes).unwrap());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn ok() -> Reply {
    Reply::Send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".into())
}

fn ok_with(body: &str) -> Reply {
    Reply::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

fn redirect(to: &str) -> Reply {
    Reply::Send(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 2\r\n\r\nhi"))
}

/// A client that may reach loopback, without system certificates.
fn client() -> Outbound {
    client_with(AllowList::default().with_loopback())
}

fn client_with(allowed: AllowList) -> Outbound {
    Outbound::with_tls(allowed, connect::tls_with(rustls::RootCertStore::empty()).unwrap())
}

const SOON: PostLimits = PostLimits { answer: Duration::from_millis(200) };

async fn post(client: &Outbound, target: &Target) -> Result<Answer, PostError> {
    client.post(target, None, &HeaderMap::new(), Bytes::from_static(b"{}"), PostLimits::default()).await
}

async fn get(client: &Outbound, target: &Target) -> Result<Bytes, FetchError> {
    client.get(target, None, 1000, limits::PROMPT_TIME).await
}

#[tokio::test]
async fn a_post_arrives_whole_and_its_answer_is_read() {
    let answer = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /b?c\r\nRetry-After: 2.5\r\nContent-Length: 0\r\n\r\n";
    let server = Server::start(move |_| Reply::Send(answer.into())).await;
    let mut headers = HeaderMap::new();
    headers.insert("scenario-id", HeaderValue::from_static("s1"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let body = Bytes::from_static(b"{\"value\":[]}");
    let found =
        client().post(&server.url("/api/calls?x=1"), None, &headers, body, PostLimits::default()).await.unwrap();
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
    let error = client.post(&silent.url("/"), None, &headers, small, SOON).await.unwrap_err();
    assert_eq!(error, PostError::Unanswered);
    assert!(error.is_written());

    // Accepts by its backlog and never reads: more than all socket buffers hold cannot be written.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&format!("http://{}/", deaf.local_addr().unwrap())).unwrap();
    let large = Bytes::from(vec![b' '; 64 << 20]);
    let error = client.post(&target, None, &headers, large, SOON).await.unwrap_err();
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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
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
    let post = async |target: Target, own: Option<&Origin>| {
        client.post(&target, own, &HeaderMap::new(), Bytes::from_static(b"{}"), PostLimits::default()).await
    };
    assert!(post(server.url("/api/calls"), Some(&own)).await.is_ok());
    assert!(post(server.url("/another/path"), Some(&own)).await.is_ok());
    assert_eq!(server.connections(), 1);
    // The idle connection to it must not let others in.
    assert!(post(server.url("/"), None).await.is_err());
    let foreign = other.url("/").origin().clone();
    assert!(post(server.url("/"), Some(&foreign)).await.is_err());
    assert!(post(other.url("/"), Some(&own)).await.is_err(), "another port is another origin");
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

/// A TLS server for `localhost`, and its certificate.
async fn tls_server() -> (Server, rustls::pki_types::CertificateDer<'static>) {
    let certificate = rustls::pki_types::CertificateDer::from(include_bytes!("testdata/localhost.cert.der").as_slice());
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(include_bytes!("testdata/localhost.key.der").as_slice()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    (Server::start_with(Arc::new(|_| ok_with("secret")), Some(acceptor)).await, certificate)
}

#[tokio::test]
async fn tls_checks_the_certificate_and_the_name() {
    let (server, certificate) = tls_server().await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let trusting = Outbound::with_tls(AllowList::default().with_loopback(), connect::tls_with(roots).unwrap());
    let url = |host: &str| Target::parse(&format!("https://{host}:{}/", server.address.port())).unwrap();
    assert_eq!(get(&trusting, &url("localhost")).await.unwrap(), "secret");
    assert_eq!(post(&trusting, &url("localhost")).await.unwrap().status, 200);
    assert_eq!(server.connections(), 1);
    for (client, host) in [(&trusting, "127.0.0.1"), (&client(), "localhost")] {
        let error = post(client, &url(host)).await.unwrap_err();
        assert!(matches!(error, PostError::Connect(ConnectError::Tls(_))), "{host}: {error:?}");
    }
    assert_eq!(server.seen().len(), 2);
    let plain = Target::parse(&format!("http://localhost:{}/", server.address.port())).unwrap();
    assert!(post(&trusting, &plain).await.is_err(), "a TLS connection is not lent to http");
}

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
    let error = client.get(&outside.url("/prompt.wav"), Some(&own), 1000, limits::PROMPT_TIME).await.unwrap_err();
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
    let fetch = async |reply: Reply| {
        let server = Server::start(move |_| reply.clone()).await;
        let limit = Duration::from_millis(200);
        client().get(&server.url("/"), None, 1000, limit).await.unwrap_err()
    };
    for status in [204, 206, 304, 404, 500] {
        let reply = Reply::Send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(fetch(reply).await, FetchError::Status(status));
    }
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_owned();
    assert!(matches!(fetch(Reply::Last(short.clone())).await, FetchError::Broken(_)));
    let limit = Duration::from_millis(200);
    assert_eq!(fetch(Reply::Stall(short)).await, FetchError::TimedOut { limit });
    assert_eq!(fetch(Reply::Stall(String::new())).await, FetchError::TimedOut { limit });
    let packed = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc".to_owned();
    assert_eq!(fetch(Reply::Send(packed)).await, FetchError::Encoded);
    assert!(matches!(fetch(Reply::Last("hello".into())).await, FetchError::Broken(_)));
}

#[tokio::test]
async fn the_sweeper_ends_with_the_client() {
    let client = client();
    let shared = Arc::downgrade(&client.shared);
    drop(client);
    assert!(shared.upgrade().is_none(), "nothing else holds it");
}
