//! HTTPS: the same service, to clients that trust `ca.pem` and nothing else.

use std::path::Path;
use std::sync::Arc;

use ringback_server::Server;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::soon;
use crate::web::{self, Answer};
use crate::world::{APP, NULL_LINE, SECRET, TENANT, WEBHOOK, World, create};

/// A client that trusts one authority.
fn trusting(authority: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn connect(server: &Server, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let authority = server.tls().authority_file().expect("an authority of our own");
    let tcp = soon(TcpStream::connect(server.https_addr())).await.expect("it listens");
    soon(trusting(authority).connect(ServerName::try_from(name.to_owned()).expect("a name"), tcp)).await
}

/// A client that trusts another server's authority comes, and goes.
pub(crate) async fn distrust(server: &Server, other: &Server) {
    let tcp = soon(TcpStream::connect(server.https_addr())).await.expect("it listens");
    let authority = other.tls().authority_file().expect("an authority").clone();
    let name = ServerName::try_from("localhost").expect("a name");
    let refused = soon(trusting(&authority).connect(name, tcp)).await.expect_err("another authority");
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
}

async fn ask(server: &Server, name: &str, request: &str) -> Answer {
    let mut stream = connect(server, name).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    soon(stream.write_all(request.as_bytes())).await.expect("it reads");
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = web::parse(&bytes) {
            return answer;
        }
        assert!(soon(stream.read_buf(&mut bytes)).await.expect("an answer") > 0, "the answer breaks off");
    }
}

fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_gets_its_token_and_its_call_over_https_and_links_lead_back_there() {
    let world = World::start().await;
    let host = format!("localhost:{}", world.server.https_addr().port());
    let base = format!("https://{host}");
    let document = format!("/{TENANT}/v2.0/.well-known/openid-configuration");
    let document = ask(&world.server, "localhost", &get(&host, &document)).await.is(200).json();
    let endpoint = document["token_endpoint"].as_str().expect("a URL").strip_prefix(&base).expect("here").to_owned();
    let form = format!(
        "grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&client_id={APP}&client_secret={}",
        SECRET.replace('\'', "%27").replace(' ', "+")
    );
    let post = |path: &str, headers: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    let token = ask(&world.server, "localhost", &post(&endpoint, "", &form)).await.is(200).json();
    let bearer = format!("Authorization: Bearer {}\r\n", token["access_token"].as_str().expect("a token"));
    let request =
        post("/v1.0/communications/calls", &bearer, &create(&world.journal.url(WEBHOOK), NULL_LINE).to_string());
    let created = ask(&world.server, "localhost", &request).await.is(201);
    let place = format!("{base}/v1.0/communications/calls/{}", created.id());
    assert_eq!(created.header("location"), Some(place.as_str()));
    let document = get("api.aps.skype.com", "/v1/.well-known/OpenIdConfiguration");
    let keys = ask(&world.server, "api.aps.skype.com", &document).await.is(200).json();
    assert_eq!(keys["jwks_uri"], "https://api.aps.skype.com/v1/keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_ours_and_an_authority_that_is_another_are_seen_by_the_client() {
    let world = World::start().await;
    let stranger = World::start().await;
    let refused = connect(&world.server, "evil.example").await.expect_err("another name");
    assert!(refused.to_string().contains("not valid for name"), "{refused}");
    distrust(&world.server, &stranger.server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_the_https_port_is_told_so() {
    let world = World::start().await;
    let answer = web::send(world.server.https_addr(), get("localhost", "/healthz").as_bytes()).await.is(400);
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert!(answer.text().starts_with("This port speaks HTTPS."), "{}", answer.text());
    // What is neither is closed, with an alert or without; others are served.
    let mut stream = soon(TcpStream::connect(world.server.https_addr())).await.expect("it listens");
    soon(stream.write_all(&[0x16, 3, 1, 0, 4, 0xff, 0xff, 0xff, 0xff])).await.expect("it reads");
    let mut rest = Vec::new();
    let _ = soon(stream.read_to_end(&mut rest)).await;
    assert!(rest.is_empty() || rest[0] == 21, "an alert (RFC 8446 §6): {rest:?}");
    ask(&world.server, "127.0.0.1", &get("127.0.0.1", "/healthz")).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_a_client_makes_up_gets_into_no_document() {
    let world = World::start().await;
    let path = format!("/{TENANT}/v2.0/.well-known/openid-configuration");
    let document = ask(&world.server, "localhost", &get("evil.example", &path)).await.is(200).json();
    let ours = format!("https://{}/", world.server.https_addr());
    assert!(document["token_endpoint"].as_str().expect("a URL").starts_with(&ours), "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn instance_discovery_knows_our_hosts_only() {
    let world = World::start().await;
    let host = format!("localhost:{}", world.server.https_addr().port());
    let path = |asked: &str| format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={asked}");
    let at_home = path(&format!("https://localhost/{TENANT}/oauth2/v2.0/authorize"));
    let known = ask(&world.server, "localhost", &get(&host, &at_home)).await.is(200).json();
    // msal leaves out the port, which is put back.
    let place = format!("https://{host}/{TENANT}/v2.0/.well-known/openid-configuration");
    assert_eq!(known["tenant_discovery_endpoint"], place.as_str());
    let at_microsofts = get("login.microsoftonline.com", &at_home);
    let from_there = ask(&world.server, "login.microsoftonline.com", &at_microsofts).await.is(200).json();
    let place = format!("https://localhost/{TENANT}/v2.0/.well-known/openid-configuration");
    assert_eq!(from_there["tenant_discovery_endpoint"], place.as_str());
    for foreign in ["https://evil.example/x/oauth2/v2.0/authorize", "http://localhost/x", "", "https://"] {
        let refused = ask(&world.server, "localhost", &get(&host, &path(foreign))).await.is(400).json();
        assert_eq!(refused["error"], "invalid_instance", "{foreign}");
    }
}
