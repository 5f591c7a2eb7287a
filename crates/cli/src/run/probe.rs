//! At which path a bot is told of calls: asked of the bot itself, in a way that no bot takes for a call.
//!
//! The question is OPTIONS, which asks for nothing to be done (RFC 9110 §9.3.7), and whoever reads its body all the same
//! finds a collection of notifications with none in it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::limits;

/// Paths at which bots are told of calls, those of Microsoft's samples and of their kin; the most usual first.
pub(super) const USUAL: [&str; 13] = [
    "/api/calls",
    "/api/calling",
    "/api/callback",
    "/api/callbacks",
    "/callback",
    "/callback/calling",
    "/api/calling/notification",
    "/api/notifications",
    "/api/webhook",
    "/notifications",
    "/webhook",
    "/calls",
    "/calling",
];

/// No bot has this one.
const NOBODYS: &str = "/ringback-asks-whether-any-path-will-do";

/// What a bot's port says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// These of the usual paths are there, and others are not.
    Paths(Vec<&'static str>),
    /// It says nothing of paths; whether it would take a notification at any (2xx).
    Any(bool),
    /// None of the usual paths is there.
    NoneUsual,
    /// It speaks no HTTP: TLS, perhaps.
    NotHttp,
}

/// Asks.
pub(super) async fn ask(port: SocketAddr) -> Heard {
    let Some(nobodys) = status(port, NOBODYS).await else { return Heard::NotHttp };
    if !is_missing(&nobodys) {
        // Who answers for all browsers (CORS) has not looked at the path.
        return Heard::Any((200..300).contains(&nobodys.code) && !nobodys.for_browsers);
    }
    let mut there = Vec::new();
    for path in USUAL {
        match status(port, path).await {
            Some(answer) if !is_missing(&answer) => there.push((path, answer.posts)),
            _ => {}
        }
    }
    // Of several, those that say that they take POST.
    let posting: Vec<_> = there.iter().filter(|(_, posts)| *posts).map(|(path, _)| *path).collect();
    let there = if posting.is_empty() { there.into_iter().map(|(path, _)| path).collect() } else { posting };
    if there.is_empty() { Heard::NoneUsual } else { Heard::Paths(there) }
}

struct Answer {
    code: u16,
    /// `Allow` names POST.
    posts: bool,
    /// It says what pages of other origins may do (Fetch, CORS).
    for_browsers: bool,
}

fn is_missing(answer: &Answer) -> bool {
    answer.code == 404 || answer.code == 410
}

async fn status(port: SocketAddr, path: &str) -> Option<Answer> {
    const BODY: &str = r##"{"@odata.type":"#microsoft.graph.commsNotifications","value":[]}"##;
    let ask = format!(
        "OPTIONS {path} HTTP/1.1\r\nHost: {port}\r\nUser-Agent: Ringback\r\nAccept: */*\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    let answer = async {
        let mut stream = TcpStream::connect(port).await.ok()?;
        stream.write_all(ask.as_bytes()).await.ok()?;
        let mut head = Vec::new();
        while !head.windows(4).any(|four| four == b"\r\n\r\n") && head.len() < limits::HEAD {
            // A bot may close without more ado.
            match stream.read_buf(&mut head).await {
                Ok(1..) => {}
                _ => break,
            }
        }
        read(&String::from_utf8_lossy(&head))
    };
    timeout(limits::PROBE, answer).await.ok()?
}

fn read(head: &str) -> Option<Answer> {
    let mut lines = head.lines();
    let code = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
    let fields: Vec<(String, &str)> = fields.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let posts = fields.iter().any(|(name, value)| name == "allow" && value.contains("POST"));
    let for_browsers = fields.iter().any(|(name, _)| name.starts_with("access-control-allow-"));
    Some(Answer { code, posts, for_browsers })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A bot that answers by the first line of each request.
    pub(in crate::run) async fn bot(answer: fn(&str) -> &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..read]).into_owned();
                let _ = stream.write_all(answer(text.lines().next().unwrap_or_default()).as_bytes()).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn the_path_is_the_one_that_is_there() {
        let express = bot(|line| match line {
            "OPTIONS /api/calling HTTP/1.1" => "HTTP/1.1 200 OK\r\nAllow: POST\r\n\r\nPOST",
            "OPTIONS /webhook HTTP/1.1" => "HTTP/1.1 405 Method Not Allowed\r\nallow: GET\r\n\r\n",
            _ => "HTTP/1.1 404 Not Found\r\n\r\n",
        });
        assert_eq!(ask(express.await).await, Heard::Paths(vec!["/api/calling"]), "the other one takes no POST");
        let none = bot(|_| "HTTP/1.1 404 Not Found\r\n\r\n").await;
        assert_eq!(ask(none).await, Heard::NoneUsual);
    }

    #[tokio::test]
    async fn a_bot_that_takes_any_path_or_speaks_no_http_is_told_apart() {
        assert_eq!(ask(bot(|_| "HTTP/1.0 501 Unsupported method\r\n\r\n").await).await, Heard::Any(false));
        assert_eq!(ask(bot(|_| "HTTP/1.1 202 Accepted\r\n\r\n").await).await, Heard::Any(true));
        let cors = bot(|_| "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Methods: GET,POST\r\n\r\n").await;
        assert_eq!(ask(cors).await, Heard::Any(false));
        assert_eq!(ask(bot(|_| "\x15\x03\x01\x00\x02\x02\x46").await).await, Heard::NotHttp);
        assert_eq!(ask(bot(|_| "").await).await, Heard::NotHttp);
    }
}
