//! `serve`: starts the server, says how to use it, and obeys signals.

use std::io::Read as _;

use ringback_server::directory::{self as development, hash_secret as hash};
use ringback_server::{Options, Server};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;
use crate::args::Serve;

/// Runs until SIGTERM or SIGINT; SIGHUP reads the configuration again.
pub(crate) async fn run(args: Serve, json: bool) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let options = Options {
        data: args.data,
        config: args.config,
        http: args.http,
        https: args.https,
        sip: args.sip,
        sip_tls: args.sip_tls,
    };
    let server = Server::start(options).await?;
    announce(&server, json);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => match server.reload() {
                Ok(()) => eprintln!("the configuration was read again"),
                Err(error) => eprintln!("the configuration was not changed: {error}"),
            },
        }
    }
    eprintln!("stopping, within {} s", args.drain.as_secs());
    server.stop(args.drain).await;
    eprintln!("stopped");
    Ok(())
}

/// Prints the hash of the secret on standard input.
pub(crate) fn hash_secret() -> Result<(), Failure> {
    let mut secret = String::new();
    std::io::stdin().take(4096).read_to_string(&mut secret)?;
    let secret = secret.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err("give the secret on standard input".into());
    }
    println!("{}", hash(secret)?);
    Ok(())
}

fn announce(server: &Server, json: bool) {
    let directory = server.directory().current();
    let developing = directory.is_development();
    if json {
        let mut line = json!({
            "ready": true,
            "http": server.public_url(),
            "https": server.https_url(),
            "ca": server.tls().authority_file(),
            "sip": format!("sip:{}", server.sip_addr()),
            "sip_tls": server.sip_tls_addr().map(|at| format!("sip:{at};transport=tls")),
            "operator_token_file": server.operator_token_file(),
            "adopted": server.adopted(),
            "open": directory.is_open(),
        });
        if developing {
            line["tenant"] = development::TENANT_ID.into();
            line["app_id"] = development::APP_ID.into();
            line["app_secret"] = development::APP_SECRET.into();
            line["webhook"] = development::APP_WEBHOOK.into();
        }
        println!("{line}");
        return;
    }
    let url = server.public_url();
    println!("Ringback {}", env!("CARGO_PKG_VERSION"));
    println!("  Graph API   {url}/v1.0 and {url}/beta");
    println!("  with TLS    {}", server.https_url());
    if let Some(file) = server.tls().authority_file() {
        let new = if server.tls().is_authority_new() { " (it is new: have them trust it)" } else { "" };
        println!("  clients     trust {}{new}", file.display());
    }
    println!("  a phone     {url}/ in a browser");
    println!("  SIP         {} (UDP and TCP)", server.sip_addr());
    if let Some(at) = server.sip_tls_addr() {
        println!("  with TLS    {at}");
    }
    println!("  operator    bearer token in {}", server.operator_token_file().display());
    if server.adopted() > 0 {
        println!(
            "  recovered   {} conversations of an earlier run were ended, and their bots are told",
            server.adopted()
        );
    }
    if directory.is_open() {
        println!("  identities  any app id, tenant and secret, on first sight; 5000 rings the app heard of last");
    }
    if developing {
        println!("Development directory (published identities, loopback only):");
        println!("  tenant      {}", development::TENANT_ID);
        println!("  app id      {}", development::APP_ID);
        println!("  secret      {}", development::APP_SECRET);
        println!("  bot number  {}", development::APP_NUMBERS.join(", "));
        for (id, login) in development::PHONES {
            println!("  phone       {login}, password {}, user id {id}", development::PHONE_PASSWORD);
        }
        println!("  test line   {}, user id {} (answers at once)", development::NULL_LINE.1, development::NULL_LINE.0);
        println!("Point a bot here:");
        println!("  base URL    {url}/v1.0");
        println!("  tokens      POST {url}/{}/oauth2/v2.0/token", development::TENANT_ID);
        println!("  keys        {url}/v1/.well-known/OpenIdConfiguration");
        println!("  webhook     incoming calls are told to {}", development::APP_WEBHOOK);
    }
    println!("ready");
}
