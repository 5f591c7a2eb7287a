//! The proxy over loopback, with plain TCP servers at its ends: where a CONNECT comes out, and what is refused.

use super::*;

/// A server that answers one connection with its name, after reading a line.
async fn named(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut byte = [0];
            while stream.read_exact(&mut byte).await.is_ok() && byte != *b"\n" {}
            stream.write_all(name.as_bytes()).await.unwrap();
        }
    });
    address
}

async fn start(ringback: SocketAddr, upstream: Option<Upstream>) -> Result<Proxy, Failure> {
    Proxy::start(ringback, upstream, Arc::default()).await
}

/// Everything that comes back for these bytes.
async fn ask(proxy: &Proxy, bytes: &str) -> String {
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn microsofts_hosts_come_out_here_and_others_where_they_say() {
    let (ringback, other) = (named("ringback").await, named("other").await);
    let proxy = start(ringback, None).await.unwrap();
    for host in ["graph.microsoft.com:443", "LOGIN.microsoftonline.com:443"] {
        let answer = ask(&proxy, &format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\nhello\n")).await;
        assert_eq!(answer, "HTTP/1.1 200 Connection established\r\n\r\nringback", "{host}");
    }
    let answer = ask(&proxy, &format!("CONNECT {other} HTTP/1.1\r\n\r\nhello\n")).await;
    assert!(answer.ends_with("\r\n\r\nother"), "{answer}");
}

#[tokio::test]
async fn what_is_microsofts_and_not_served_is_refused_in_words() {
    let proxy = start(named("ringback").await, None).await.unwrap();
    for host in ["a.skype.com:443", "graph.microsoft.com:80", "login.windows.net:443"] {
        let answer = ask(&proxy, &format!("CONNECT {host} HTTP/1.1\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(answer.contains("is Microsoft's") && answer.contains("nothing was sent"), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_connect_is_refused_and_breaks_nothing() {
    let proxy = start(named("ringback").await, None).await.unwrap();
    for line in
        ["GET https://graph.microsoft.com/ HTTP/1.1", "CONNECT nothing HTTP/1.1", "CONNECT :443 HTTP/1.1", "", "é"]
    {
        let answer = ask(&proxy, &format!("{line}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 501 "), "{line:?}: {answer}");
    }
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let answer = ask(&proxy, &format!("CONNECT {closed} HTTP/1.1\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
}

#[tokio::test]
async fn what_goes_through_goes_through_the_users_own_proxy() {
    let (ringback, direct) = (named("ringback").await, named("direct").await);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = format!("http://ada:p%40ss@{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 1024];
            let read = stream.read(&mut head).await.unwrap();
            head.truncate(read);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            stream.write_all(&head).await.unwrap();
        }
    });
    let upstream = Upstream::parse(&address, vec!["127.0.0.1".to_owned()]).unwrap();
    let proxy = start(ringback, Some(upstream)).await.unwrap();
    let through = ask(&proxy, "CONNECT other.example:8443 HTTP/1.1\r\n\r\n").await;
    assert!(through.contains("CONNECT other.example:8443 HTTP/1.1"), "{through}");
    // "ada:p@ss"
    assert!(through.contains("Proxy-Authorization: Basic YWRhOnBAc3M="), "{through}");
    let here = ask(&proxy, "CONNECT graph.microsoft.com:443 HTTP/1.1\r\n\r\n\n").await;
    assert!(here.ends_with("ringback"), "{here}");
    let past = ask(&proxy, &format!("CONNECT {direct} HTTP/1.1\r\n\r\n\n")).await;
    assert!(past.ends_with("direct"), "{past}");
}

#[test]
fn only_plain_proxies_can_be_gone_through() {
    assert!(Upstream::parse("proxy.example:3128", Vec::new()).is_ok());
    for address in ["socks5://proxy.example", "https://proxy.example", "http://", "://"] {
        let refused = Upstream::parse(address, Vec::new()).unwrap_err().to_string();
        assert!(refused.contains("HTTPS_PROXY"), "{address}: {refused}");
    }
}
