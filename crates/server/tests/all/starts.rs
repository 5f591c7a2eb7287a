//! A start that fails leaves nothing open: the same process may try again, on the same folder.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use ringback_server::{Server, StartError};

use crate::soon;
use crate::world::{configuration, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_leaves_nothing_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let (datagrams, stream) = (UdpSocket::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
    let udp = datagrams.as_ref().expect("a socket").local_addr().expect("an address");
    let tcp = stream.as_ref().expect("a socket").local_addr().expect("an address");
    let right = configuration(tcp);
    let server = |line: &str| right.replace("[server]\n", &format!("[server]\n{line}\n"));
    let other = |key: &str, value: &str| {
        let is_key = |line: &str| line.starts_with(&format!("{key} = \"127.0.0.1:0\""));
        let lines =
            right.lines().map(|line| if is_key(line) { format!("{key} = \"{value}\"") } else { line.to_owned() });
        lines.collect::<Vec<_>>().join("\n")
    };
    for (wrong, what) in [
        (other("http", &tcp.to_string()), "HTTP"),
        (other("sip", &udp.to_string()), "SIP"),
        (other("sip_tls", &tcp.to_string()), "SIP"),
        (server(&format!("webrtc = \"{udp}\"")), "WebRTC"),
        (right.replace("20000-31999", "20001-20002"), "media"),
    ] {
        std::fs::write(folder.path().join("ringback.toml"), wrong).expect("a file");
        match soon(Server::start(options(folder.path()))).await.err() {
            Some(StartError::Bind { what: found, .. }) => assert_eq!(found, what),
            Some(StartError::Media(_)) => assert_eq!(what, "media"),
            other => panic!("{what}: {other:?}"),
        }
        std::fs::write(folder.path().join("ringback.toml"), &right).expect("a file");
        let server = soon(Server::start(options(folder.path()))).await;
        let server = server.unwrap_or_else(|error| panic!("after {what}: {error}"));
        soon(server.stop(Duration::from_secs(10))).await;
    }
}
