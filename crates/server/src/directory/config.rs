//! `ringback.toml`: read, checked as a whole, turned into settings and a directory.
//!
//! An unknown key is an error, and every error names the key and says what to do. Nothing here opens a socket.

use super::allow::AllowList;
use super::secret::SecretHash;
use super::sip::ha1;
use super::trunk_table::TrunkTable;
use super::{
    App, Directory, DirectoryParts, Line, Open, Origin, Reach, Role, SecretError, Tenant, User, Webhook, development,
    dialled,
};
use ringback_core::{AppId, TenantId};
use ringback_signal::SessionBounds;
use serde::Deserialize;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use url::Url;

/// Calls at the same time of an app or trunk that says nothing else: what Graph allows an app (`contract §5.5`).
pub const DEFAULT_MAX_CALLS: u32 = 100;

/// Room for an app's recordings, in MiB, where the configuration names none: nine hours of audio.
pub const DEFAULT_MAX_RECORDING_MIB: u32 = 1_024;
/// A file of this size is no configuration (it is read whole).
const MOST_BYTES: u64 = 16 << 20;

/// Settings of the listening server, `[server]`. Read once at start.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where HTTPS is served.
    pub https: SocketAddr,
    /// `/metrics` needs no token from this machine.
    pub open_metrics: bool,
    /// Where SIP is served (UDP and TCP).
    pub sip: SocketAddr,
    /// Where SIP is served with TLS.
    pub sip_tls: SocketAddr,
    /// Where WebRTC is served to phones in pages (UDP).
    pub webrtc: SocketAddr,
    /// The certificate authorities that trunks are verified with, as a file; `None`: the system's.
    pub sip_ca: Option<PathBuf>,
    /// How clients reach the HTTP side, without a trailing slash; `None`: the way each client came.
    pub public_url: Option<String>,
    /// Further names to have a certificate for.
    pub tls_names: Vec<String>,
    /// The operator's own certificate and key; `None`: an authority of our own.
    pub tls_files: Option<(PathBuf, PathBuf)>,
    /// The address that phones are told to send audio to; `None`: the address listened on.
    pub public_address: Option<IpAddr>,
    /// How long a SIP session lasts without a refresh.
    pub session: SessionBounds,
    /// UDP ports for audio.
    pub media_ports: RangeInclusive<u16>,
    /// The collector that spans are exported to (OTLP over HTTP), without a trailing slash; `None`: no spans.
    pub otlp: Option<String>,
    /// Private hosts and networks that webhooks, prompts and SIP addresses may lead to.
    pub allow_private_targets: AllowList,
}

/// All that the configuration says.
#[derive(Debug)]
pub struct Config {
    /// `[server]`.
    pub server: ServerSettings,
    /// Everything else.
    pub directory: Directory,
}

/// Why a configuration is refused. The texts are for the operator and hold no secrets.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key or a type that is not known.
    #[error("configuration, line {line}: {problem}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A value is not acceptable.
    #[error("configuration, {key}: {problem}")]
    Value {
        /// The key, such as `apps[0].webhook`.
        key: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A listener that others can reach, with a secret that everybody knows.
    #[error(
        "refusing to listen on {address}, which others can reach, because {identity}: \
         change it in the configuration, or listen on 127.0.0.1"
    )]
    Unsafe {
        /// The listener.
        address: SocketAddr,
        /// Which identity, in words.
        identity: String,
    },
    /// A listener that others can reach, with a directory that accepts anyone.
    #[error(
        "refusing to listen on {address}, which others can reach, because any identity is accepted \
         (server.identities = \"any\"): name the private networks whose clients are served in server.identities_from, such as \
         [\"172.28.0.0/16\"], or listen on 127.0.0.1"
    )]
    Open {
        /// The listener.
        address: SocketAddr,
    },
    /// The published directory does not read: a fault of this build.
    #[error("the development directory is damaged: {0}")]
    Development(#[from] SecretError),
}

impl Config {
    /// Reads a file; without one, the defaults and the published development directory.
    pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
        let Some(path) = path else {
            return Config::development();
        };
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > MOST_BYTES {
            return Err(read(std::io::Error::other(format!("it is larger than {MOST_BYTES} bytes"))));
        }
        Config::parse(&std::fs::read_to_string(path).map_err(read)?)
    }

    /// The defaults and the published development directory, with which loopback may be fetched from.
    pub fn development() -> Result<Config, ConfigError> {
        let mut server = settings(ServerTable::default(), TelemetryTable::default())?;
        server.allow_private_targets = server.allow_private_targets.with_loopback();
        Ok(Config { server, directory: development::directory()? })
    }

    /// Reads the text of a configuration.
    pub fn parse(text: &str) -> Result<Config, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            line: error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count()),
            problem: without_value(error.message()),
        })?;
        let open = open(file.server.identities.as_deref(), file.server.identities_from.as_deref())?;
        let server = settings(file.server, file.telemetry)?;
        let mut names = Names::default();
        let mut parts = DirectoryParts { open, ..DirectoryParts::default() };
        for (index, table) in file.tenants.into_iter().enumerate() {
            parts.tenants.push(tenant(&Key("tenants", index), table, &mut names)?);
        }
        for (index, table) in file.apps.into_iter().enumerate() {
            parts.apps.push(app(&Key("apps", index), table, &mut names)?);
        }
        for (index, table) in file.users.into_iter().enumerate() {
            parts.users.push(user(&Key("users", index), table, &mut names)?);
        }
        for (index, table) in file.trunks.into_iter().enumerate() {
            parts.trunks.push(table.read(&Key("trunks", index), &mut names)?);
        }
        Ok(Config { server, directory: Directory::new(parts) })
    }

    /// The safety rule: a listener that others can reach refuses to start with a published identity, or with any identity
    /// for anyone. To be asked once the listening addresses are final; slow only if one of them is not loopback.
    pub fn check_safety(&self) -> Result<(), ConfigError> {
        let open = [self.server.http, self.server.https, self.server.sip, self.server.sip_tls, self.server.webrtc]
            .into_iter()
            .find(|at| !at.ip().to_canonical().is_loopback());
        let Some(address) = open else { return Ok(()) };
        if let Some(identity) = development::published_identity(&self.directory) {
            return Err(ConfigError::Unsafe { address, identity });
        }
        let anyone = self.directory.open.as_ref().is_some_and(|open| !open.is_shared());
        if anyone { Err(ConfigError::Open { address }) } else { Ok(()) }
    }
}

/// The message of a syntax error without the value it is about, which may be a password. (The error's own text quotes
/// the whole line.)
fn without_value(message: &str) -> String {
    let about_value = message.starts_with("invalid type:") || message.starts_with("invalid value:");
    match message.split_once(", expected ") {
        Some((_, expected)) if about_value => format!("the value has the wrong type, expected {expected}"),
        _ => message.to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    server: ServerTable,
    #[serde(default)]
    telemetry: TelemetryTable,
    #[serde(default)]
    tenants: Vec<TenantTable>,
    #[serde(default)]
    apps: Vec<AppTable>,
    #[serde(default)]
    users: Vec<UserTable>,
    #[serde(default)]
    trunks: Vec<TrunkTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ServerTable {
    http: Option<String>,
    https: Option<String>,
    sip: Option<String>,
    sip_tls: Option<String>,
    webrtc: Option<String>,
    sip_ca: Option<PathBuf>,
    public_url: Option<String>,
    metrics: Option<String>,
    tls_names: Vec<String>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    public_address: Option<String>,
    session_expires: Option<u32>,
    media_ports: Option<String>,
    allow_private_targets: Vec<String>,
    identities: Option<String>,
    identities_from: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TelemetryTable {
    otlp: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantTable {
    id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppTable {
    id: String,
    tenant: String,
    name: String,
    secret_hash: String,
    webhook: String,
    roles: Option<Vec<String>>,
    #[serde(default)]
    numbers: Vec<String>,
    #[serde(default)]
    prefixes: Vec<String>,
    max_calls: Option<u32>,
    max_recording_mib: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    id: String,
    tenant: String,
    name: String,
    sip: String,
    password: Option<String>,
    ha1: Option<String>,
    #[serde(default)]
    nat: bool,
    phone: Option<String>,
}

/// A table of an array of tables, for error texts.
pub(super) struct Key(&'static str, usize);

impl Key {
    pub(super) fn error(&self, field: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError::Value { key: format!("{}[{}].{field}", self.0, self.1), problem: problem.into() }
    }
}

/// Everything that may be there only once, and which table has it.
#[derive(Default)]
pub(super) struct Names {
    taken: HashMap<(&'static str, String), String>,
    tenants: Vec<TenantId>,
}

impl Names {
    /// Takes a name of some kind; `kind` is a space of names, such as everything that can be dialled.
    pub(super) fn take(&mut self, key: &Key, field: &str, kind: &'static str, name: &str) -> Result<(), ConfigError> {
        let place = format!("{}[{}].{field}", key.0, key.1);
        match self.taken.insert((kind, name.to_lowercase()), place) {
            None => Ok(()),
            Some(other) => Err(key.error(field, format!("{name:?} is already taken by {other}: each needs its own"))),
        }
    }

    fn tenant(&self, key: &Key, id: &str) -> Result<TenantId, ConfigError> {
        let id = TenantId::new(id);
        let known = self.tenants.contains(&id);
        if known {
            Ok(id)
        } else {
            Err(key.error("tenant", format!("there is no tenant {id}: add it under [[tenants]]")))
        }
    }
}

fn settings(table: ServerTable, telemetry: TelemetryTable) -> Result<ServerSettings, ConfigError> {
    let error = |key: &str, problem: &str| ConfigError::Value { key: format!("server.{key}"), problem: problem.into() };
    let address = |key: &str, text: Option<String>, default: SocketAddr| match text {
        None => Ok(default),
        Some(text) => text.parse::<SocketAddr>().map_err(|_| {
            error(key, "is not an address and port such as \"127.0.0.1:8480\"; host names are not looked up")
        }),
    };
    let media_ports = table.media_ports.as_deref().unwrap_or("40000-41999");
    let ports =
        media_ports.split_once('-').and_then(|(from, to)| Some((from.trim().parse().ok()?, to.trim().parse().ok()?)));
    let public_address = table.public_address.as_deref().map(str::parse::<IpAddr>).transpose();
    Ok(ServerSettings {
        http: address("http", table.http, SocketAddr::from(([127, 0, 0, 1], 8480)))?,
        https: address("https", table.https, SocketAddr::from(([127, 0, 0, 1], 8443)))?,
        sip: address("sip", table.sip, SocketAddr::from(([127, 0, 0, 1], 5060)))?,
        sip_tls: address("sip_tls", table.sip_tls, SocketAddr::from(([127, 0, 0, 1], 5061)))?,
        webrtc: match address("webrtc", table.webrtc, SocketAddr::from(([127, 0, 0, 1], 0)))? {
            any if any.ip().is_unspecified() && table.public_address.is_none() => {
                return Err(error(
                    "webrtc",
                    "is no address that a browser could send to: name one of the machine's, or set public_address",
                ));
            }
            one => one,
        },
        sip_ca: table.sip_ca,
        public_url: table
            .public_url
            .map(|text| {
                public_url(&text).ok_or_else(|| error("public_url", "is not an http or https URL without a path"))
            })
            .transpose()?,
        open_metrics: match table.metrics.as_deref() {
            None | Some("token") => false,
            Some("loopback") => true,
            Some(_) => {
                return Err(error("metrics", "is neither \"token\" nor \"loopback\" (this machine needs no token)"));
            }
        },
        tls_names: table.tls_names,
        tls_files: match (table.tls_certificate, table.tls_key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(error("tls_key", "is missing: a certificate is served with its key")),
            (None, Some(_)) => {
                return Err(error("tls_certificate", "is missing: a key is served with its certificate"));
            }
        },
        public_address: public_address.map_err(|_| error("public_address", "is not an IP address"))?,
        session: session(table.session_expires)?,
        media_ports: match ports {
            Some((from, to)) if from >= 1024 && from < to => from..=to,
            _ => {
                return Err(error("media_ports", "is not a range of ports from 1024 up such as \"40000-41999\""));
            }
        },
        otlp: telemetry.otlp.map(|text| otlp(&text)).transpose()?,
        allow_private_targets: AllowList::parse(&table.allow_private_targets)
            .map_err(|(index, problem)| error(&format!("allow_private_targets[{index}]"), &problem.to_string()))?,
    })
}

/// Who is accepted: those listed, or anyone, and then from where.
fn open(identities: Option<&str>, from: Option<&[String]>) -> Result<Option<Open>, ConfigError> {
    let error = |key: &str, problem: &str| ConfigError::Value { key: format!("server.{key}"), problem: problem.into() };
    match (identities, from) {
        (None | Some("listed"), None) => Ok(None),
        (None | Some("listed"), Some(_)) => {
            Err(error("identities_from", "is only for identities = \"any\": listed apps come from anywhere"))
        }
        (Some("any"), from) => Open::from_networks(from.unwrap_or_default())
            .map(Some)
            .map_err(|(index, problem)| error(&format!("identities_from[{index}]"), &problem.to_string())),
        (Some(_), _) => Err(error("identities", "is neither \"listed\" nor \"any\" (every app, on first sight)")),
    }
}

/// RFC 4028 §5: no session timer is below 90 s.
fn session(usual: Option<u32>) -> Result<SessionBounds, ConfigError> {
    let default = SessionBounds::default();
    match usual {
        None => Ok(default),
        Some(usual) if (default.least..=86_400).contains(&usual) => Ok(SessionBounds { usual, ..default }),
        Some(_) => Err(ConfigError::Value {
            key: "server.session_expires".into(),
            problem: format!("is not a number of seconds from {} to 86400", default.least),
        }),
    }
}

fn public_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    Origin::of(&url).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    bare.then(|| url.as_str().trim_end_matches('/').to_owned())
}

fn otlp(text: &str) -> Result<String, ConfigError> {
    let url = Url::parse(text).ok().filter(|url| Origin::of(url).is_ok() && url.query().is_none());
    let url = url.ok_or_else(|| ConfigError::Value {
        key: "telemetry.otlp".to_owned(),
        problem: "is not an http or https URL such as \"http://127.0.0.1:4318\"".to_owned(),
    })?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn tenant(key: &Key, table: TenantTable, names: &mut Names) -> Result<Tenant, ConfigError> {
    check_id(key, "id", &table.id)?;
    check_id(key, "name", &table.name)?;
    names.take(key, "id", "tenant", &table.id)?;
    if !table.name.eq_ignore_ascii_case(&table.id) {
        names.take(key, "name", "tenant", &table.name)?;
    }
    let id = TenantId::new(&table.id);
    names.tenants.push(id.clone());
    Ok(Tenant { id, name: table.name })
}

fn app(key: &Key, table: AppTable, names: &mut Names) -> Result<App, ConfigError> {
    check_id(key, "id", &table.id)?;
    names.take(key, "id", "dial", &table.id)?;
    let mut numbers = Vec::with_capacity(table.numbers.len());
    for number in &table.numbers {
        let number = dialled(number);
        check_dialled(key, "numbers", &number)?;
        names.take(key, "numbers", "dial", &number)?;
        numbers.push(number);
    }
    let webhook = Webhook::parse(&table.webhook).map_err(|problem| key.error("webhook", problem.to_string()))?;
    Ok(App {
        tenant: names.tenant(key, &table.tenant)?,
        configured: true,
        id: AppId::new(&table.id),
        name: table.name,
        secret: Some(
            SecretHash::parse(&table.secret_hash).map_err(|problem| key.error("secret_hash", problem.to_string()))?,
        ),
        reach: Reach::new(Some(webhook), None, Vec::new()),
        roles: match &table.roles {
            None => Role::ALL.to_vec(),
            Some(names) => Role::parse_all(names).map_err(|problem| key.error("roles", problem.to_string()))?,
        },
        numbers,
        prefixes: prefixes(key, &table.prefixes)?,
        max_calls: max_calls(key, table.max_calls)?,
        max_recording_mib: table.max_recording_mib.unwrap_or(DEFAULT_MAX_RECORDING_MIB),
    })
}

fn user(key: &Key, table: UserTable, names: &mut Names) -> Result<User, ConfigError> {
    check_id(key, "id", &table.id)?;
    check_dialled(key, "sip", &table.sip)?;
    names.take(key, "id", "user", &table.id)?;
    names.take(key, "sip", "dial", &dialled(&table.sip))?;
    let line = match table.phone.as_deref() {
        None | Some("sip") => Line::Sip,
        Some("null") => Line::Null,
        Some(_) => {
            return Err(key.error("phone", "is neither \"sip\" nor \"null\" (a test line that answers at once)"));
        }
    };
    let ha1 = match (line, table.password, table.ha1) {
        (Line::Null, None, None) => None,
        (Line::Null, ..) => {
            return Err(key.error("phone", "a \"null\" line takes no password and no ha1: leave them out"));
        }
        (Line::Sip, Some(password), None) if !password.is_empty() => Some(ha1(&table.sip, &password)),
        (Line::Sip, None, Some(ha1)) if ha1.len() == 32 && ha1.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Some(ha1.to_ascii_lowercase())
        }
        (Line::Sip, None, Some(_)) => {
            return Err(key.error("ha1", "is not 32 hexadecimal digits: it is md5(sip:ringback:password)"));
        }
        (Line::Sip, ..) => {
            return Err(key.error("password", "a SIP phone needs either a password or a ha1, and not both"));
        }
    };
    Ok(User {
        tenant: names.tenant(key, &table.tenant)?,
        id: table.id.to_lowercase(),
        name: table.name,
        sip: table.sip,
        ha1,
        nat: table.nat,
        line,
    })
}

pub(super) fn max_calls(key: &Key, given: Option<u32>) -> Result<u32, ConfigError> {
    match given.unwrap_or(DEFAULT_MAX_CALLS) {
        0 => Err(key.error("max_calls", "is 0: give at least 1, or remove the entry")),
        calls => Ok(calls),
    }
}

/// Beginnings of numbers: digits, perhaps after a `+`. An empty one would mean every number and is refused.
pub(super) fn prefixes(key: &Key, given: &[String]) -> Result<Vec<String>, ConfigError> {
    let is_prefix = |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        !text.is_empty() && text.len() <= 20 && digits.bytes().all(|b| b.is_ascii_digit())
    };
    given
        .iter()
        .map(|text| dialled(text))
        .map(|text| if is_prefix(&text) { Ok(text) } else { Err(text) })
        .collect::<Result<_, _>>()
        .map_err(|text| key.error("prefixes", format!("{text:?} is not the beginning of a number such as \"+4930\"")))
}

/// Ids and names that stand in paths, tokens and the log.
pub(super) fn check_id(key: &Key, field: &str, text: &str) -> Result<(), ConfigError> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(fine) {
        return Ok(());
    }
    Err(key.error(field, format!("{text:?} is not 1 to 64 letters, digits, '-', '_' and '.' (a GUID is best)")))
}

/// What can be dialled, as the user part of a SIP address.
pub(super) fn check_dialled(key: &Key, field: &str, text: &str) -> Result<(), ConfigError> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.+*#".contains(&b);
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(fine) {
        return Ok(());
    }
    Err(key
        .error(field, format!("{text:?} is neither a number such as \"+15550100\" nor a name of letters and digits")))
}
