//! The wiring: rooms are made, connected, recovered, opened, and closed in order.

mod exporter;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringback_core::Epoch;
use ringback_ledger::{Ledger, SqliteConfig, SqliteLedger};
use ringback_media::{Media, MediaConfig};
use ringback_signal::{Sip, SipConfig, TrunkStatus, WebRtc, WebRtcConfig};
use thiserror::Error;
use tokio::net::TcpListener;
use url::Url;

use crate::auth::{Auth, BadKey, SigningKey};
use crate::chats::Chats;
use crate::clock::Clock;
use crate::data_folder::{DataFolder, DataFolderError};
use crate::directory::{Config, ConfigError, SIP_REALM, ServerSettings, SharedDirectory, SipHome};
use crate::engine::{Engine, EngineError, Tell};
use crate::first_seen::FirstSeen;
use crate::http::{self, Listener, Origins, Serving, Sockets};
use crate::limits;
use crate::notify::Lanes;
use crate::outbound::{self, Outbound, OutboundError};
use crate::phones::{Phones, Wires};
use crate::recordings::Recordings;
use crate::scripted::ScriptedPhones;
use crate::tls::{self, CertificateFiles, Names, Tls, TlsError};
use crate::trace::{Timeline, Trace};
use exporter::Exporter;

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
    /// SIP.
    #[error(transparent)]
    Sip(#[from] ringback_signal::SipError),
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
    engine: Engine,
    directory: SharedDirectory,
    first_seen: FirstSeen,
    ledger: Arc<dyn Ledger>,
    lanes: Lanes,
    listener: Listener,
    phones: Phones,
    scripted: ScriptedPhones,
    sip: Sip,
    trace: Trace,
    purging: tokio::task::JoinHandle<()>,
    renewing: tokio::task::JoinHandle<()>,
    exporter: Option<Exporter>,
    tls: Tls,
    http: SocketAddr,
    https: SocketAddr,
    public_url: String,
    options: Options,
    adopted: usize,
    data: DataFolder,
}

impl Server {
    /// Starts: opens the ledger in a new epoch, takes over what was left, then listens.
    pub async fn start(options: Options) -> Result<Server, StartError> {
        let config = options.read()?;
        let settings = config.server.clone();
        let data = DataFolder::open(&options.data)?;
        // Before anything is opened that takes time to close: who finds them taken may try others at once.
        let (http_listener, http_addr) = bind("HTTP", settings.http).await?;
        let (https_listener, https_addr) = bind("HTTPS", settings.https).await?;
        let (ledger, epoch) = open_ledger(&data).await?;

        let names = names(&settings, https_addr)?;
        let tls = tls(&settings, &data, &names)?;
        let public_url = settings.public_url.clone().unwrap_or_else(|| format!("http://{http_addr}"));

        let clock = Clock::start();
        let (trace, exporting) = exporter::trace(clock, settings.otlp.as_deref())?;
        let directory = SharedDirectory::new(config.directory);
        let first_seen = FirstSeen::new(directory.clone(), Arc::clone(&ledger), clock, trace.timeline().clone());
        first_seen.load().await.map_err(|error| cannot_open(&data, error))?;
        let auth = Arc::new(auth(&data, &directory, &first_seen)?);
        let outbound = Outbound::new(settings.allow_private_targets.clone())?;
        let exporter = exporting.map(|exporting| exporting.start(trace.clone(), outbound.clone()));
        let recordings = Recordings::open(&data.recordings())
            .map_err(|source| StartError::Recordings { path: data.recordings(), source })?;
        let engine = Engine::new(Arc::clone(&ledger), epoch, clock, trace.clone());
        let scripted = ScriptedPhones::new(directory.clone(), trace.timeline().clone());
        let phones = Phones::new(
            engine.clone(),
            directory.clone(),
            outbound.clone(),
            recordings.clone(),
            scripted.clone(),
            trace.clone(),
        );
        let lanes = Lanes::new(
            engine.clone(),
            Arc::clone(&ledger),
            Arc::clone(&auth),
            directory.clone(),
            outbound,
            trace.clone(),
        );
        let tell: Arc<dyn Tell> = Arc::new(lanes.clone());
        engine.attach(Arc::new(phones.clone()), Arc::new(phones.clone()), tell);

        let page = public_url.clone();
        let (sip, home, webrtc) = connect(&settings, &tls, &directory, (&phones, page), &scripted).await?;

        let adopted = engine.recover().await?;
        let chats = Chats::open(Arc::clone(&ledger)).await.map_err(|error| cannot_open(&data, error))?;
        let serving = Serving {
            engine: engine.clone(),
            auth,
            directory: directory.clone(),
            first_seen: first_seen.clone(),
            meetings: phones.meetings(),
            trace: trace.clone(),
            others: others(clock, lanes.clone(), phones.clone()),
            open_metrics: settings.open_metrics,
            home,
            recordings: recordings.clone(),
            scripted: scripted.clone(),
            phones: phones.clone(),
            chats,
            trunks: trunks(sip.clone()),
            lanes: lanes.clone(),
            addresses: serde_json::json!({
                "http": http_addr,
                "https": https_addr,
                "sip": sip.local_addr(),
                "sipTls": sip.tls_addr(),
                "authority": tls.authority_file(),
                "webrtc": webrtc,
            }),
            origins: Origins { public_url: settings.public_url, names, http: http_addr, https: https_addr },
        };
        let sockets =
            Sockets { http: http_listener, https: https_listener, tls: tls.server_config(&[http::PROTOCOL])? };
        let listener = Listener::start(sockets, serving);
        listener.set_ready(true);
        write_address(data.path(), &format!("http://{http_addr}"));
        let purging = tokio::spawn(purge_for_ever(engine.clone(), recordings));
        Ok(Server {
            engine,
            directory,
            first_seen,
            ledger,
            lanes,
            listener,
            phones,
            scripted,
            sip,
            trace,
            purging,
            exporter,
            renewing: tokio::spawn(tls.clone().renew_for_ever()),
            tls,
            http: http_addr,
            https: https_addr,
            public_url,
            options,
            adopted,
            data,
        })
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
        &self.directory
    }

    /// The live timeline.
    pub fn timeline(&self) -> &Timeline {
        self.trace.timeline()
    }

    /// How many conversations of earlier processes were taken over at the start.
    pub fn adopted(&self) -> usize {
        self.adopted
    }

    /// A phone is registered.
    pub fn is_registered(&self, sip_name: &str) -> bool {
        self.sip.registered(sip_name)
    }

    /// Reads apps, users and trunks again, and the operator's own certificate. Calls under way are not touched; a configuration with an
    /// error changes nothing.
    pub fn reload(&self) -> Result<(), StartError> {
        let config = self.options.read()?;
        self.tls.reload()?;
        self.first_seen.configure(config.directory);
        Ok(())
    }

    /// Stops within `within`: no new requests, every phone hung up and its bot told, lanes drained.
    /// What could not be told in time is told after the next start.
    pub async fn stop(self, within: Duration) {
        let until = tokio::time::Instant::now() + within;
        let left = || until.saturating_duration_since(tokio::time::Instant::now());
        self.listener.stop(left().min(within / 4)).await;
        self.scripted.clear();
        self.phones.stop(left().min(within / 2)).await;
        // A leg that ended is yet to be recorded and told by its conversation, which then leaves.
        while (self.engine.conversations() > 0 || self.lanes.busy() > 0) && !left().is_zero() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.purging.abort();
        self.renewing.abort();
        let undelivered = self.lanes.busy();
        self.lanes.stop();
        if undelivered > 0 {
            tracing::warn!(lanes = undelivered, "stopped with notices not yet told; the next start tells them");
        }
        if let Some(exporter) = self.exporter {
            exporter.stop(left()).await;
        }
        if let Err(error) = self.ledger.close().await {
            tracing::error!(%error, "the ledger did not close well");
        }
        drop(self.engine);
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

/// The ledger, in a new epoch.
async fn open_ledger(data: &DataFolder) -> Result<(Arc<dyn Ledger>, Epoch), StartError> {
    let ledger = SqliteLedger::open(&SqliteConfig::new(data.path().join("ledger")));
    let ledger: Arc<dyn Ledger> = Arc::new(ledger.map_err(|error| cannot_open(data, error))?);
    let epoch = ledger.join(NODE).await.map_err(|error| cannot_open(data, error))?;
    Ok((ledger, epoch))
}

fn cannot_open(data: &DataFolder, why: impl ToString) -> StartError {
    StartError::Ledger { path: data.path().to_owned(), why: why.to_string() }
}

/// Tokens, with the keys of the data folder.
fn auth(data: &DataFolder, directory: &SharedDirectory, first_seen: &FirstSeen) -> Result<Auth, StartError> {
    let keys = |error: BadKey| {
        let mend = "Put it back from a copy, or remove it: a new one is made, and tokens in use become invalid";
        StartError::Keys(format!("{}: {error}. {mend}", data.signing_key_path().display()))
    };
    let key = SigningKey::from_pkcs8(&data.signing_key()?).map_err(keys)?;
    let (operator, recordings) = (data.operator_token().to_owned(), data.recordings_key()?);
    Auth::new(directory.clone(), first_seen.clone(), key, operator, &recordings).map_err(keys)
}

/// What rooms know that `http` does not name, for metrics and health.
fn others(clock: Clock, lanes: Lanes, phones: Phones) -> http::Others {
    Box::new(move |now| {
        now.sip_legs = phones.sip_legs() as u64;
        now.web_legs = phones.web_legs() as u64;
        now.sip_registrations = phones.sip_registrations() as u64;
        now.lanes_busy = lanes.busy() as u64;
        now.oldest_notice = lanes.oldest().map_or(Duration::ZERO, |at| at.until(clock.now()));
    })
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

/// Starts media, SIP and WebRTC, and connects the phones to them. `page`: where the page with a phone is.
async fn connect(
    settings: &ServerSettings,
    tls: &Tls,
    directory: &SharedDirectory,
    (phones, page): (&Phones, String),
    scripted: &ScriptedPhones,
) -> Result<(Sip, SipHome, SocketAddr), StartError> {
    let ports = settings.media_ports.clone();
    let media_config = MediaConfig { bind: settings.sip.ip(), ports, shards: limits::MEDIA_SHARDS };
    let media = Media::start(media_config, Arc::new(phones.clone())).map_err(StartError::Media)?;
    let asked = Arc::new(scripted.beside(directory.clone()));
    let sip = Sip::start(sip_config(settings, tls)?, media.clone(), asked, Arc::new(phones.clone())).await?;
    let home = SipHome::new(settings, sip.local_addr(), sip.tls_addr());
    let webrtc = webrtc(settings, &media, phones)?;
    let web = webrtc.local_addr();
    phones.connect(Wires { media, sip: sip.clone(), webrtc, home: home.clone(), page });
    scripted.connect(sip.local_addr());
    Ok((sip, home, web))
}

/// Where and as whom SIP is spoken.
fn sip_config(settings: &ServerSettings, tls: &Tls) -> Result<SipConfig, StartError> {
    Ok(SipConfig {
        bind: settings.sip,
        tls: Some((settings.sip_tls, tls.server_config(&[])?)),
        tls_client: Some(sip_client(settings.sip_ca.as_deref())?),
        public_address: settings.public_address,
        realm: SIP_REALM.to_owned(),
        user_agent: concat!("Ringback/", env!("CARGO_PKG_VERSION")).to_owned(),
        session: settings.session,
    })
}

/// Phones in pages.
fn webrtc(settings: &ServerSettings, media: &Media, phones: &Phones) -> Result<WebRtc, StartError> {
    let config = WebRtcConfig { bind: settings.webrtc, public_address: settings.public_address };
    WebRtc::start(&config, media.clone(), Arc::new(phones.clone())).map_err(|source| StartError::Bind {
        what: "WebRTC",
        address: settings.webrtc,
        source,
    })
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

/// What trunks are verified with.
fn sip_client(authorities: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, StartError> {
    match authorities {
        Some(file) => Ok(tls::believing("server.sip_ca", file)?),
        None => outbound::system_tls().map(Arc::new).map_err(|error| StartError::Tls(error.into())),
    }
}

/// Forgets conversations that are no longer readable, and then their recordings. Runs until dropped.
async fn purge_for_ever(engine: Engine, recordings: Recordings) {
    let mut tick = tokio::time::interval(limits::PURGE_EVERY);
    loop {
        tick.tick().await;
        engine.purge().await;
        for call in recordings.old_calls(limits::READABLE) {
            // A call that lasts longer than that keeps its recordings.
            if let Ok(None) = engine.owner(call).await {
                let recordings = recordings.clone();
                let _ = tokio::task::spawn_blocking(move || recordings.forget(call)).await;
            }
        }
    }
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

/// The one node of an embedded ledger.
const NODE: &str = "local";
