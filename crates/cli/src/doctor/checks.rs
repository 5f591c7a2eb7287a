//! The checks of `doctor`, one function each. Some look from here, some ask the server what it has seen.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt;
use hyper::Method;
use hyper::header::DATE;
use ringback_server::directory::{Config, reached_here};
use ringback_server::tls::AUTHORITY_FILE;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Check, Doctor};
use crate::door::Visitor;
use crate::lint::{findings, sentence};
use crate::{Failure, limits};

/// The name under which bots know Graph, and which the certificate must bear.
const GRAPH: &str = "graph.microsoft.com";
/// The variables that name what a bot's program trusts, and whether their file is all that it then trusts.
const TRUST: [(&str, bool); 4] = [
    ("SSL_CERT_FILE", true),
    ("REQUESTS_CA_BUNDLE", true),
    ("CURL_CA_BUNDLE", true),
    // Node adds this file to the authorities it has.
    ("NODE_EXTRA_CA_CERTS", false),
];
/// Every check that can be made, in the order in which one would look.
pub(super) async fn all(args: &Doctor) -> Result<Vec<Check>, Failure> {
    let status = match Visitor::new(&args.door) {
        Ok(visitor) => visitor.ask(Method::GET, "status").await.map(|status| (visitor, status.unwrap_or_default())),
        Err(error) => Err(error),
    };
    let (visitor, status) = match status {
        Ok(running) => running,
        Err(why) => {
            let mut checks = vec![Check::note("server", format!("none runs here ({why})"))];
            checks.extend(ports(args.config.as_deref())?);
            return Ok(checks);
        }
    };
    let addresses = &status["addresses"];
    let address = |name: &str| addresses[name].as_str().and_then(|text| text.parse::<SocketAddr>().ok());
    let mut checks = vec![Check::well("server", format!("answers at {}", visitor.url()))];
    // An operator's own certificate is for others to trust.
    if let Some(https) = address("https").filter(|_| addresses["authority"].is_string()) {
        let authority = args.door.data.join(AUTHORITY_FILE);
        checks.push(certificate(&authority, reached_here(https)).await);
        checks.extend(trusted(&authority));
    }
    checks.push(clock(&visitor).await?);
    if let Some(sip) = args.sip.or(address("sip").map(reached_here)) {
        checks.push(sip_answers(sip).await);
    }
    checks.extend(webhooks(&visitor).await?);
    checks.extend(seen(&visitor).await?);
    Ok(checks)
}

/// The ports that a server would listen on are free.
fn ports(config: Option<&Path>) -> Result<Vec<Check>, Failure> {
    let settings = Config::load(config)?.server;
    let mut checks = Vec::new();
    let (streams, both, datagrams) = ((true, false), (true, true), (false, true));
    for (what, address, (streams, datagrams)) in [
        ("HTTP", settings.http, streams),
        ("HTTPS", settings.https, streams),
        ("SIP", settings.sip, both),
        ("SIP with TLS", settings.sip_tls, streams),
        ("WebRTC", settings.webrtc, datagrams),
    ] {
        let bound = if streams { TcpListener::bind(address).map(drop) } else { Ok(()) };
        let bound = bound.and_then(|()| if datagrams { UdpSocket::bind(address).map(drop) } else { Ok(()) });
        checks.push(match bound {
            Ok(()) => Check::well("ports", format!("{address} is free for {what}")),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Check::problem(
                "ports",
                format!("{address}, wanted for {what}, is taken by another program"),
                "End that program, or give the server another address (--http, --https, --sip, --sip-tls; webrtc in the configuration).",
            ),
            Err(error) => Check::problem(
                "ports",
                format!("{address}, wanted for {what}, cannot be listened on: {error}"),
                "Give the server an address of this machine, and a port above 1023.",
            ),
        });
    }
    Ok(checks)
}

/// What the server's HTTPS shows is trusted by who trusts its authority.
async fn certificate(authority: &Path, https: SocketAddr) -> Check {
    const NAME: &str = "certificate";
    let Ok(ca) = CertificateDer::from_pem_file(authority) else {
        return Check::problem(
            NAME,
            format!("{} cannot be read as a certificate", authority.display()),
            "Restart the server: it is made again from its key.",
        );
    };
    match timeout(limits::CHECK, handshake(ca, https)).await.unwrap_or(Err("no answer".into())) {
        Ok(()) => Check::well(NAME, format!("who trusts {} trusts {https} as {GRAPH}", authority.display())),
        Err(why) => Check::problem(
            NAME,
            format!("{https} is not trusted as {GRAPH} by who trusts {}: {why}", authority.display()),
            "Restart the server, and have clients trust the ca.pem it then has.",
        ),
    }
}

async fn handshake(ca: CertificateDer<'static>, https: SocketAddr) -> Result<(), Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(ca)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(https).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(GRAPH)?, tcp).await?;
    Ok(())
}

/// A bot that is started from this shell trusts the server, as far as variables say.
fn trusted(authority: &Path) -> Vec<Check> {
    let Ok(ca) = CertificateDer::from_pem_file(authority) else { return Vec::new() };
    let mut checks = Vec::new();
    for (variable, only) in TRUST {
        let Some(file) = std::env::var_os(variable).filter(|file| !file.is_empty()) else { continue };
        let path = Path::new(&file);
        let large = path.metadata().is_ok_and(|file| file.len() > limits::BUNDLE_BYTES);
        let mut trusted = CertificateDer::pem_file_iter(path).into_iter().flatten().filter_map(Result::ok);
        let has = !large && trusted.any(|certificate| certificate == ca);
        let shown = path.display();
        checks.push(if has {
            Check::well("trust", format!("{variable} ({shown}) holds the server's authority"))
        } else {
            let rest = if only { " and nothing else is trusted" } else { "" };
            Check::note(
                "trust",
                format!(
                    "{variable} is set to {shown}, which does not hold the server's authority{rest}: start the bot with \
                     `ringback run`, which mends that, or append {} to a copy of that file",
                    authority.display()
                ),
            )
        });
    }
    checks
}

/// This machine's clock and the server's.
async fn clock(visitor: &Visitor) -> Result<Check, Failure> {
    let response = visitor.open(Method::GET, "status").await?;
    let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
    let _ = response.into_body().collect().await;
    let Some(date) = date else { return Ok(Check::note("clock", "the server does not say its time")) };
    let now = SystemTime::now();
    let apart = now.duration_since(date).or_else(|_| date.duration_since(now)).unwrap_or_default();
    Ok(if apart <= ringback_server::limits::CLOCKS_APART {
        Check::well("clock", "this machine's and the server's agree")
    } else {
        Check::problem(
            "clock",
            format!("this machine's clock and the server's are {} s apart", apart.as_secs()),
            "Set both by the network (NTP): tokens are good for a time, and each side refuses what is outside of it.",
        )
    })
}

/// SIP answers, by datagrams as most phones send them.
async fn sip_answers(address: SocketAddr) -> Check {
    const NAME: &str = "sip";
    match timeout(limits::CHECK, options(address)).await.unwrap_or(Err(io::ErrorKind::TimedOut.into())) {
        Ok(()) => Check::well(NAME, format!("{address} answers over UDP")),
        Err(error) => Check::problem(
            NAME,
            format!("{address} does not answer over UDP: {error}"),
            "A firewall may block it, or a router's \"SIP helper\" change it: allow UDP to that port, and to the media \
             ports (40000 to 41999 unless configured), or use TCP or TLS.",
        ),
    }
}

/// Sends OPTIONS (RFC 3261 §11) and waits for any answer; it is repeated each half second, as datagrams are lost.
async fn options(to: SocketAddr) -> io::Result<()> {
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = tokio::net::UdpSocket::bind(any).await?;
    socket.connect(to).await?;
    let from = socket.local_addr()?;
    let id = format!("{:x}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos());
    let request = format!(
        "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{id};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:doctor@{from}>;tag={id}\r\nTo: <sip:{to}>\r\nCall-ID: {id}@doctor\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let mut again = tokio::time::interval(Duration::from_millis(500));
    let mut answer = [0; 2048];
    loop {
        tokio::select! {
            _ = again.tick() => { socket.send(request.as_bytes()).await?; }
            read = socket.recv(&mut answer) => {
                if answer[..read?].starts_with(b"SIP/2.0 ") {
                    return Ok(());
                }
            }
        }
    }
}

/// Every app's webhook can be connected to, as the server sees it.
async fn webhooks(visitor: &Visitor) -> Result<Vec<Check>, Failure> {
    let tried = visitor.ask(Method::POST, "trials/webhooks").await?.unwrap_or_default();
    let check = |app: &Value| {
        let text = |member: &str| app[member].as_str().unwrap_or_default();
        if app["reached"] == true {
            return Check::well("webhook", format!("{} of app {} is there", text("webhook"), text("app")));
        }
        Check::problem(
            "webhook",
            format!("{} of app {} cannot be reached: {}", text("webhook"), text("app"), text("why")),
            "Start the bot, or correct the webhook; one on a public name that leads to this machine is named by \
             `ringback run --callback PUBLIC=LOCAL`.",
        )
    };
    Ok(tried["value"].as_array().into_iter().flatten().map(check).collect())
}

/// What the server has seen go wrong since it started, or since it was told to forget.
async fn seen(visitor: &Visitor) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    for finding in findings(visitor, "setUp").await? {
        let text = |member: &str| finding[member].as_str().unwrap_or_default();
        let who = if text("app").is_empty() { "a bot".to_owned() } else { format!("app {}", text("app")) };
        let name = match text("rule") {
            "webhookUnreachable" => "webhook",
            "secretRejected" => "secret",
            "wrongAudience" => "audience",
            "clockOff" => "clock",
            "certificateNotTrusted" => "certificate",
            "proxyIgnored" => "proxy",
            _ => "seen",
        };
        let ago = ago(&finding);
        checks.push(Check::problem(name, format!("{who}: {}, {ago}", sentence(&finding)), text("advice")));
    }
    match findings(visitor, "bot").await?.len() {
        0 => {}
        1 => checks.push(Check::note("bots", "one finding: see `ringback lint`")),
        count => checks.push(Check::note("bots", format!("{count} findings: see `ringback lint`"))),
    }
    checks.extend(unserved(visitor).await?);
    Ok(checks)
}

/// How long ago it was found, the last time.
fn ago(finding: &Value) -> String {
    let last = Duration::from_micros(finding["last"].as_u64().unwrap_or_default());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    match now.saturating_sub(last).as_secs() / 60 {
        0 => "within the last minute".to_owned(),
        1 => "a minute ago".to_owned(),
        minutes @ ..120 => format!("{minutes} minutes ago"),
        minutes => format!("{} hours ago", minutes / 60),
    }
}

/// What bots asked for and the server does not serve: what their authors may miss.
async fn unserved(visitor: &Visitor) -> Result<Vec<Check>, Failure> {
    let missed = visitor.ask(Method::GET, "unserved").await?.unwrap_or_default();
    let row = |row: &Value| {
        let text = |member: &str| row[member].as_str().unwrap_or_default();
        let asked =
            format!("{} {} was asked for {} times and is not served", text("method"), text("path"), row["count"]);
        Check::note("unserved", asked)
    };
    Ok(missed["value"].as_array().into_iter().flatten().map(row).collect())
}
