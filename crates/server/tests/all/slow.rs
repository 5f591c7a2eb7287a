//! Clients that send as little as they can, as slowly as they can: each is let go within its bound, and meanwhile others
//! are served as ever.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::soon;
use crate::web;
use crate::world::{World, play};

/// Slow clients of each kind.
const OF_EACH: usize = 100;

/// How often each sends one byte more: often enough that no time-out between two bytes would notice.
const DRIP: Duration = Duration::from_millis(200);

/// Sends a beginning, then one byte after the other, until the server has had enough. Returns what it said.
async fn drip(to: SocketAddr, beginning: Vec<u8>, then: u8) -> Vec<u8> {
    let stream = soon(TcpStream::connect(to)).await.expect("it listens");
    let (mut read, mut write) = stream.into_split();
    soon(write.write_all(&beginning)).await.expect("it reads");
    let dripping = tokio::spawn(async move {
        let mut pace = tokio::time::interval(DRIP);
        while write.write_all(&[then]).await.is_ok() {
            pace.tick().await;
        }
    });
    let mut said = Vec::new();
    // A reset is an end, too.
    let _ = soon(read.read_to_end(&mut said)).await;
    dripping.abort();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_let_go_and_hold_nobody_up() {
    let world = World::start().await;
    let (http, https) = (world.http(), world.server.https_addr());
    let token = &world.bot.token;
    let head = b"GET /v1.0/communications/calls HTTP/1.1\r\nHost: ringback\r\nX-Slow: ".to_vec();
    let body = format!(
        "POST /v1.0/communications/calls HTTP/1.1\r\nHost: ringback\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 100000\r\n\r\n{{"
    );
    // A record of TLS that announces 16 KiB (RFC 8446 §5.1).
    let hello = vec![0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];
    let start = |to: SocketAddr, beginning: Vec<u8>, then: u8| -> Vec<_> {
        (0..OF_EACH).map(|_| tokio::spawn(drip(to, beginning.clone(), then))).collect()
    };
    let heads = start(http, head, b'a');
    let bodies = start(http, body.into_bytes(), b' ');
    let handshakes = start(https, hello, 0);

    let call = world.null_call().await;
    let played =
        world.bot.post(&format!("/{call}/playPrompt"), &play(&["http://127.0.0.1:9/a.wav"], None)).await.is(200);
    assert_eq!(world.journal.ended(&call, &played.id()).await["status"], "completed");
    world.bot.hang_up(&call).await;

    for body in bodies {
        let said = body.await.expect("no panic");
        let refused = web::parse(&said).unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&said))).is(408);
        assert_eq!(refused.code(), "invalidRequest");
    }
    for head in heads {
        let said = head.await.expect("no panic");
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&said));
    }
    for handshake in handshakes {
        // Nothing, or an alert (RFC 8446 §6).
        let said = handshake.await.expect("no panic");
        assert!(said.is_empty() || said[0] == 21, "{said:?}");
    }
    world.bot.get("").await.is(200);
}
