//! The server of a data folder: the one that runs, or one that is started for as long as the bot does.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::{Method, StatusCode};
use ringback_server::data_folder::DataFolderError;
use ringback_server::directory::{Config, reached_here};
use ringback_server::{ADDRESS_FILE, Options, Server, StartError};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::say;
use crate::args::Door;
use crate::door::Visitor;
use crate::{Failure, limits};

/// A server that answers.
pub(super) struct Served {
    /// Where it serves HTTP, as a URL.
    pub(super) http: String,
    /// Where HTTPS is connected to.
    pub(super) https: SocketAddr,
    /// Where phones register.
    pub(super) sip: String,
    /// The operator's way in.
    pub(super) door: Arc<Visitor>,
    /// The authority that its certificates come from.
    pub(super) authority: PathBuf,
    /// Started here, and to be stopped here.
    own: Option<Server>,
}

impl Served {
    /// Finds the server of this data folder or starts one, and says which.
    pub(super) async fn find_or_start(data: &Path) -> Result<Served, Failure> {
        let give_up = Instant::now() + limits::START_TIME;
        let (status, own) = loop {
            if let Some(status) = status(data).await {
                break (status?, None);
            }
            match start(data).await {
                // Another run starts its server at this moment, or stops it.
                Err(StartError::DataFolder(DataFolderError::InUse(_))) if Instant::now() < give_up => {
                    sleep(limits::LOOK).await;
                }
                started => {
                    let own = started?;
                    break (status(data).await.ok_or("the server that was started does not answer")??, Some(own));
                }
            }
        };
        let served = &status["addresses"];
        let text = |name: &str| served[name].as_str();
        let (Some(http), Some(https), Some(sip)) = (text("http"), text("https"), text("sip")) else {
            return Err("the server of this data folder is another version's: stop it, or run that one".into());
        };
        if text("authority").is_none() {
            return Err(
                "the server of this data folder has a certificate of its operator's, which does not speak for \
                        Microsoft's hosts: run needs one without tls_certificate, such as another --data has"
                    .into(),
            );
        }
        say(&match own {
            Some(_) => format!("server started, for as long as this runs: http://{http}, data in {}", data.display()),
            None => format!("server found: http://{http}, data in {}", data.display()),
        });
        Ok(Served {
            http: format!("http://{http}"),
            https: reached_here(https.parse()?),
            sip: sip.to_owned(),
            authority: data.join(ringback_server::tls::AUTHORITY_FILE).canonicalize()?,
            door: Arc::new(door(data)?),
            own,
        })
    }

    /// Stops it, if it was started here.
    pub(super) async fn stop(self) {
        if let Some(server) = self.own {
            server.stop(limits::STOP).await;
        }
    }
}

fn door(data: &Path) -> Result<Visitor, Failure> {
    Visitor::new(&Door { data: data.to_owned(), url: None })
}

/// What the server of this data folder says of itself; none if nobody answers there who knows the folder's token.
async fn status(data: &Path) -> Option<Result<Value, Failure>> {
    if !data.join(ADDRESS_FILE).exists() {
        return None;
    }
    let door = door(data).ok()?;
    let answer = timeout(limits::ANSWER_TIME, door.open(Method::GET, "status")).await;
    // Another server at that address refuses the token, or is none of ours.
    if answer.ok()?.ok()?.status() != StatusCode::OK {
        return None;
    }
    Some(door.ask(Method::GET, "status").await.map(Option::unwrap_or_default))
}

/// Starts one. Where the usual port of HTTP is taken, another server has its usual ports, and this one gets free ones.
async fn start(data: &Path) -> Result<Server, StartError> {
    let usual = Config::load(None)?.server;
    let mut elsewhere = Vec::new();
    let mut choose = |what: &str, usual: SocketAddr, is_free: bool| {
        if !is_free {
            elsewhere.push(format!("{what} (usually {usual})"));
        }
        Some(if is_free { usual } else { SocketAddr::new(usual.ip(), 0) })
    };
    let alone = is_free(usual.http);
    let options = Options {
        data: data.to_owned(),
        config: None,
        http: choose("HTTP", usual.http, alone),
        https: choose("HTTPS", usual.https, alone && is_free(usual.https)),
        sip: choose("SIP", usual.sip, alone && is_free(usual.sip) && UdpSocket::bind(usual.sip).is_ok()),
        sip_tls: choose("SIP with TLS", usual.sip_tls, alone && is_free(usual.sip_tls)),
    };
    let started = match Server::start(options.clone()).await {
        // It was free a moment ago: another run was quicker.
        Err(StartError::Bind { .. }) => {
            let free = |usual: SocketAddr| Some(SocketAddr::new(usual.ip(), 0));
            elsewhere = vec!["everything".to_owned()];
            let (http, https) = (free(usual.http), free(usual.https));
            Server::start(Options { http, https, sip: free(usual.sip), sip_tls: free(usual.sip_tls), ..options }).await
        }
        started => started,
    };
    let server = started?;
    if !elsewhere.is_empty() {
        say(&format!("other programs have the usual ports: at free ones are {}", elsewhere.join(", ")));
    }
    Ok(server)
}

fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}
