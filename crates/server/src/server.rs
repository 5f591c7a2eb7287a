//! The wiring: what is opened, in which order, and closed.

mod exporter;
mod rooms;
mod wires;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringback_signal::{Sip, TrunkStatus};
use thiserror::Error;
use tokio::net::TcpListener;
use url::Url;

use crate::data_folder::{DataFolder, DataFolderError};
use crate::directory::{Config, ConfigError, ServerSettings, SharedDirectory};
use crate::engine::EngineError;
use crate::http::{self, Listener, Origins, Serving, Sockets};
use crate::outbound::OutboundError;
use crate::tls::{CertificateFiles, Names, Tls, TlsError};
use crate::trace::Timeline;
use rooms::Rooms;
use wires::Connected;

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The data folder, made on first use.
    pub data: PathBuf,
    /// The configuration file; none: the published development directory.
    pub config: Option<PathBuf>,
    /// Overrides `server.http`.
    pub http: Option<SocketAddr>,
    /// Overrides `server.https`.
    pub https: Option<SocketAddr>,
    /// Overrides `server.sip`.
    pub sip: Option<SocketAddr>,
    /// Overrides `server.sip_tls`.
    pub sip_tls: Option<SocketAddr>,
}

/// Why a server did not start. The texts say what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// The ledger's file.
    #[error("the ledger in {} cannot be opened: {why}", path.display())]
    Ledger {
        /// Where.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A socket.
    #[error("cannot listen on {address} for {what}: {source}. Another program may use it; choose another address")]
    Bind {
        /// For what.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The folder of recordings.
    #[error("the recordings in {} cannot be read: {source}", path.display())]
    Recordings {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Media.
    #[error("the media threads did not start: {0}")]
    Media(std::io::Error),
    /// The signing key or the TLS roots.
    #[error("{0}")]
    Keys(String),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What earlier processes left.
    #[error("what an earlier process left could not be taken over: {0}")]
    Recovery(#[from] EngineError),
}

impl From<OutboundError> for StartError {
    fn from(error: OutboundError) -> Self {
        Self::Keys(error.to_string())
    }
}

/// A running server.
pub struct Server {
    rooms: Rooms,
    listener: Listener,
    sip: Sip,
    tls: Tls,
    purging: tokio::task::JoinHandle<()>,
    renewing: tokio::task::JoinHandle<()>,
    http: SocketAddr,
    https: SocketAddr,
    public_url: String,
    options: Options,
    adopted: usize,
    data: DataFolder,
}

impl Server {
    /// Starts: opens the data folder and, in a new epoch, the ledger in it; makes the rooms; connects the phones; takes
    /// over what was left; then listens. What fails leaves nothing open.
    pub async fn start(options: Options) -> Result<Server, StartError> {
        let Config { server: settings, directory } = options.read()?;
        let data = DataFolder::open(&options.data)?;
        // Before anything is opened that takes time to close: who finds them taken may try others at once.
        let (http_listener, http) = bind("HTTP", settings.http).await?;
        let (https_listener, https) = bind("HTTPS", settings.https).await?;
        let names = names(&settings, https)?;
        let tls = tls(&settings, &data, &names)?;
        let sockets =
            Sockets { http: http_listener, https: https_listener, tls: tls.server_config(&[http::PROTOCOL])? };
        let public_url = settings.public_url.clone().unwrap_or_else(|| format!("http://{http}"));

        let rooms = Rooms::open(&settings, directory, &data).await?;
        let (connected, adopted) = match rooms.connect(&settings, &tls, public_url.clone()).await {
            Ok(connected) => connected,
            Err(error) => {
                rooms.close(Duration::ZERO).await;
                return Err(error);
            }
        };
        let Connected { sip, home, webrtc } = connected;
        let serving = Serving {
            engine: rooms.engine.clone(),
            auth: Arc::clone(&rooms.auth),
            directory: rooms.directory.clone(),
            first_seen: rooms.first_seen.clone(),
            meetings: rooms.phones.meetings(),
            trace: rooms.trace.clone(),
            others: rooms.others(),
            open_metrics: settings.open_metrics,
            home,
            recordings: rooms.recordings.clone(),
            scripted: rooms.scripted.clone(),
            phones: rooms.phones.clone(),
            chats: rooms.chats.clone(),
            trunks: trunks(sip.clone()),
            lanes: rooms.lanes.clone(),
            addresses: serde_json::json!({
                "http": http,
                "https": https,
                "sip": sip.local_addr(),
                "sipTls": sip.tls_addr(),
                "authority": tls.authority_file(),
                "webrtc": webrtc,
            }),
            origins: Origins { public_url: settings.public_url, names, http, https },
        };
        let listener = Listener::start(sockets, serving);
        listener.set_ready(true);
        write_address(data.path(), &format!("http://{http}"));
        let (purging, renewing) = (tokio::spawn(rooms.purging()), tokio::spawn(tls.clone().renew_for_ever()));
        Ok(Server { rooms, listener, sip, tls, purging, renewing, http, https, public_url, options, adopted, data })
    }

    /// Where HTTP listens.
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// Where HTTPS listens.
    pub fn https_addr(&self) -> SocketAddr {
        self.https
    }

    /// The same as a URL: a name of the certificate, and the port.
    pub fn https_url(&self) -> String {
        if self.https.ip().to_canonical().is_loopback() {
            return format!("https://localhost:{}", self.https.port());
        }
        format!("https://{}", self.https)
    }

    /// What HTTPS is served with.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// How clients reach it without TLS, or as the operator says they do.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Where SIP listens, by UDP and TCP.
    pub fn sip_addr(&self) -> SocketAddr {
        self.sip.local_addr()
    }

    /// Where SIP listens with TLS.
    pub fn sip_tls_addr(&self) -> Option<SocketAddr> {
        self.sip.tls_addr()
    }

    /// The file that holds the operator's token.
    pub fn operator_token_file(&self) -> PathBuf {
        DataFolder::operator_token_path(self.data.path())
    }

    /// The directory.
    pub fn directory(&self) -> &SharedDirectory {
        &self.rooms.directory
    }

    /// The live timeline.
    pub fn timeline(&self) -> &Timeline {
        self.rooms.trace.timeline()
    }

    /// How many conversations of earlier processes were taken over at the start.
    pub fn adopted(&self) -> usize {
        self.adopted
    }

    /// A phone is registered.
    pub fn is_registered(&self, sip_name: &str) -> bool {
        self.sip.registered(sip_name)
    }

    /// Reads apps, users and trunks again, and the operator's own certificate. Calls under way are not touched, but for those
    /// of pages whose session is over thereby; a configuration with an error changes nothing.
    pub fn reload(&self) -> Result<(), StartError> {
        let config = self.options.read()?;
        self.tls.reload()?;
        self.rooms.first_seen.configure(config.directory);
        self.rooms.phones.review_sessions();
        Ok(())
    }

    /// Stops within `within`: no new requests, then the rooms. What could not be told in time is told after the next start.
    pub async fn stop(self, within: Duration) {
        let began = tokio::time::Instant::now();
        self.listener.stop(within / 4).await;
        self.purging.abort();
        self.renewing.abort();
        self.rooms.close(within.saturating_sub(began.elapsed())).await;
    }
}

impl Options {
    /// The configuration with what these options override.
    fn read(&self) -> Result<Config, ConfigError> {
        let mut config = Config::load(self.config.as_deref())?;
        config.server.http = self.http.unwrap_or(config.server.http);
        config.server.https = self.https.unwrap_or(config.server.https);
        config.server.sip = self.sip.unwrap_or(config.server.sip);
        config.server.sip_tls = self.sip_tls.unwrap_or(config.server.sip_tls);
        config.check_safety()?;
        Ok(config)
    }
}

async fn bind(what: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let cannot = |source| StartError::Bind { what, address, source };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let bound = listener.local_addr().map_err(cannot)?;
    Ok((listener, bound))
}

/// Every name under which clients may ask for this server.
fn names(settings: &ServerSettings, listener: SocketAddr) -> Result<Names, ConfigError> {
    let mut names = Names::default();
    for reached in [Some(listener.ip()), Some(settings.sip_tls.ip()), settings.public_address].into_iter().flatten() {
        names.add_listener(reached);
    }
    let public = settings.public_url.as_deref().and_then(|url| Url::parse(url).ok());
    let public = public.as_ref().and_then(Url::host_str).map(|host| ("public_url".to_owned(), host));
    let listed = settings.tls_names.iter().enumerate();
    let listed = listed.map(|(index, name)| (format!("tls_names[{index}]"), name.as_str()));
    for (key, name) in public.into_iter().chain(listed) {
        names
            .add(name)
            .map_err(|problem| ConfigError::Value { key: format!("server.{key}"), problem: problem.to_string() })?;
    }
    Ok(names)
}

fn tls(settings: &ServerSettings, data: &DataFolder, names: &Names) -> Result<Tls, TlsError> {
    match &settings.tls_files {
        Some((certificate, key)) => {
            Tls::with_files(CertificateFiles { certificate: certificate.clone(), key: key.clone() })
        }
        None => Tls::with_authority(data, names.clone(), SystemTime::now()),
    }
}

/// How the trunks are, for the operator.
fn trunks(sip: Sip) -> http::Trunks {
    let print = |status: TrunkStatus| {
        serde_json::json!({
            "name": status.name,
            "registered": status.registered,
            "answers": status.answers,
            "problem": status.problem,
        })
    };
    Arc::new(move || sip.trunks().into_iter().map(print).collect())
}

/// The file of the data folder that says where the server is reached, for the command line.
pub const ADDRESS_FILE: &str = "http.url";

fn write_address(folder: &Path, url: &str) {
    // Whole or not at all: a command may look for it at this moment.
    let (file, new) = (folder.join(ADDRESS_FILE), folder.join("http.url.new"));
    let written = std::fs::write(&new, format!("{url}\n")).and_then(|()| std::fs::rename(&new, &file));
    if let Err(error) = written {
        tracing::warn!(%error, "the server's address could not be noted in the data folder; the command line needs --url");
    }
}
