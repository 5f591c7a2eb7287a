//! At which path a bot is told of calls: asked of the bot itself, in a way that no bot takes for a call.
//!
//! The question is OPTIONS, which asks for nothing to be done (RFC 9110 §9.3.7), and whoever reads its body all the same
//! finds a collection of notifications with none in it.

use std::net::SocketAddr;
use std::sync::Arc;

use ringback_server::outbound::unchecked_tls;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::limits;

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
    /// It speaks no HTTP.
    NotHttp,
    /// It is a debugger's.
    Debugger,
    /// It has said nothing yet: programs listen before they are ready to answer.
    Silent,
}

/// A port that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) at: SocketAddr,
    /// It wants TLS.
    pub(super) secure: bool,
    pub(super) heard: Heard,
}

impl Port {
    /// The origin that a bot has which listens there.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.at)
    }
}

/// Why there is no answer in HTTP.
enum Mute {
    /// Nothing came in time.
    Waits,
    /// It closed the connection without a word.
    HangsUp,
    /// Other bytes came.
    NotHttp,
    /// Those of a debugger.
    Debugger,
    /// It says 400 of a path that nobody has, in the clear: as ports do that want TLS and know HTTP when they see it.
    BadRequest,
}

/// Asks.
pub(super) async fn ask(at: SocketAddr) -> Port {
    let plain = heard(at, None).await;
    // Who wants TLS hangs up on everything else, or says so in TLS or by HTTP.
    if let (Err(Mute::HangsUp | Mute::NotHttp | Mute::BadRequest), Ok(tls)) = (&plain, unchecked_tls())
        && let Ok(heard) = heard(at, Some(&TlsConnector::from(Arc::new(tls)))).await
    {
        return Port { at, secure: true, heard };
    }
    let heard = plain.unwrap_or_else(|mute| match mute {
        Mute::Waits | Mute::HangsUp => Heard::Silent,
        Mute::NotHttp => Heard::NotHttp,
        Mute::Debugger => Heard::Debugger,
        Mute::BadRequest => Heard::Any(false),
    });
    Port { at, secure: false, heard }
}

async fn heard(at: SocketAddr, tls: Option<&TlsConnector>) -> Result<Heard, Mute> {
    let nobodys = status(at, tls, NOBODYS).await?;
    if nobodys.code == 400 && tls.is_none() {
        return Err(Mute::BadRequest);
    }
    if !is_missing(&nobodys) {
        // Who answers for all browsers (CORS) has not looked at the path.
        return Ok(Heard::Any((200..300).contains(&nobodys.code) && !nobodys.for_browsers));
    }
    let mut there = Vec::new();
    for path in USUAL {
        match status(at, tls, path).await {
            Ok(answer) if !is_missing(&answer) => there.push((path, answer.posts)),
            _ => {}
        }
    }
    // Of several, those that say that they take POST.
    let posting: Vec<_> = there.iter().filter(|(_, posts)| *posts).map(|(path, _)| *path).collect();
    let there = if posting.is_empty() { there.into_iter().map(|(path, _)| path).collect() } else { posting };
    Ok(if there.is_empty() { Heard::NoneUsual } else { Heard::Paths(there) })
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

async fn status(at: SocketAddr, tls: Option<&TlsConnector>, path: &str) -> Result<Answer, Mute> {
    const BODY: &str = r##"{"@odata.type":"#microsoft.graph.commsNotifications","value":[]}"##;
    let ask = format!(
        "OPTIONS {path} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: Ringback\r\nAccept: */*\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut said = Vec::new();
    let asked = async {
        let tcp = TcpStream::connect(at).await.ok()?;
        match tls {
            None => exchange(tcp, &ask, &mut said).await,
            Some(tls) => exchange(tls.connect(ServerName::from(at.ip()), tcp).await.ok()?, &ask, &mut said).await,
        }
    };
    let is_over = timeout(limits::PROBE, asked).await.is_ok();
    let text = String::from_utf8_lossy(&said);
    match read(&text) {
        _ if is_debuggers(&text) => Err(Mute::Debugger),
        Some(answer) => Ok(answer),
        None if !said.is_empty() => Err(Mute::NotHttp),
        None => Err(if is_over { Mute::HangsUp } else { Mute::Waits }),
    }
}

/// Sends the question, and keeps what comes up to the end of an answer's head.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, ask: &str, said: &mut Vec<u8>) -> Option<()> {
    stream.write_all(ask.as_bytes()).await.ok()?;
    let is_whole = |said: &[u8]| said.windows(4).any(|four| four == b"\r\n\r\n") && !said.starts_with(NODES_DEBUGGER);
    // A bot may close without more ado.
    while !is_whole(said) && said.len() < limits::HEAD && stream.read_buf(said).await.ok()? > 0 {}
    Some(())
}

/// How the answer of Node's debugger begins, which says what it is in the body, and hangs up.
const NODES_DEBUGGER: &[u8] = b"HTTP/1.0 400 ";

/// Node's debugger, or one that speaks first by the Debug Adapter Protocol, as Python's does.
fn is_debuggers(said: &str) -> bool {
    said.contains("WebSockets request was expected") || said.starts_with("Content-Length:")
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
    use std::time::SystemTime;

    use ringback_server::data_folder::DataFolder;
    use ringback_server::tls::{Names, Tls};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

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
        let paths = Heard::Paths(vec!["/api/calling"]);
        assert_eq!(ask(express.await).await.heard, paths, "the other one takes no POST");
        let none = bot(|_| "HTTP/1.1 404 Not Found\r\n\r\n").await;
        assert_eq!(ask(none).await.heard, Heard::NoneUsual);
    }

    #[tokio::test]
    async fn a_bot_that_takes_any_path_or_speaks_no_http_is_told_apart() {
        let heard = async |answer: fn(&str) -> &'static str| ask(bot(answer).await).await.heard;
        assert_eq!(heard(|_| "HTTP/1.0 501 Unsupported method\r\n\r\n").await, Heard::Any(false));
        assert_eq!(heard(|_| "HTTP/1.0 400 Bad Request\r\n\r\n").await, Heard::Any(false));
        assert_eq!(heard(|_| "HTTP/1.1 202 Accepted\r\n\r\n").await, Heard::Any(true));
        const CORS: &str = "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Methods: GET,POST\r\n\r\n";
        assert_eq!(heard(|_| CORS).await, Heard::Any(false));
        assert_eq!(heard(|_| "220 mail.example ESMTP\r\n").await, Heard::NotHttp);
        assert_eq!(heard(|_| "").await, Heard::Silent, "it hangs up");
        let listens = TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(ask(listens.local_addr().unwrap()).await.heard, Heard::Silent, "it does not accept yet");
    }

    /// As Go's servers do, and nginx.
    #[tokio::test]
    async fn a_port_that_says_in_the_clear_that_it_wants_tls_is_asked_over_tls() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let tls = Tls::with_authority(&data, Names::default(), SystemTime::now()).unwrap();
        let tls = TlsAcceptor::from(tls.server_config(&[]).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                if stream.peek(&mut request).await.unwrap() > 0 && request.starts_with(b"OPTIONS ") {
                    _ = stream.read(&mut request).await;
                    let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request").await;
                    continue;
                }
                let mut stream = tls.accept(stream).await.unwrap();
                let read = stream.read(&mut request).await.unwrap();
                let is_there = request[..read].starts_with(b"OPTIONS /callback ");
                let status = if is_there { "405 Method Not Allowed" } else { "404 Not Found" };
                let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await;
            }
        });
        let port = ask(address).await;
        assert_eq!((port.origin(), port.heard), (format!("https://{address}"), Heard::Paths(vec!["/callback"])));
    }

    #[tokio::test]
    async fn debuggers_are_told_by_what_they_say() {
        const NODE: &str =
            "HTTP/1.0 400 Bad Request\r\nContent-Type: text/html\r\n\r\nWebSockets request was expected\r\n";
        assert_eq!(ask(bot(|_| NODE).await).await.heard, Heard::Debugger);
        const PYTHON: &str = "Content-Length: 2\r\n\r\n{}";
        assert_eq!(ask(bot(|_| PYTHON).await).await.heard, Heard::Debugger);
    }
}
