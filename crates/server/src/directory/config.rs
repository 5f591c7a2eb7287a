//! `ringback.toml`: read, checked as a whole, turned into settings and a directory.
//!
//! An unknown key is an error, and every error names the key and says what to do. Nothing here opens a socket.

use super::secret::SecretHash;
use super::settings::{self, ServerSettings, ServerTable, TelemetryTable};
use super::sip::ha1;
use super::trunk_table::TrunkTable;
use super::{
    App, Directory, DirectoryParts, Line, Reach, Role, SecretError, Tenant, User, Webhook, development, dialled,
};
use ringback_core::{AppId, TenantId};
use serde::Deserialize;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Calls at the same time of an app or trunk that says nothing else: what Graph allows an app (`contract §5.5`).
pub const DEFAULT_MAX_CALLS: u32 = 100;

/// Room for an app's recordings, in MiB, where the configuration names none: nine hours of audio.
pub const DEFAULT_MAX_RECORDING_MIB: u32 = 1_024;
/// A file of this size is no configuration (it is read whole).
const MOST_BYTES: u64 = 16 << 20;

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
        let mut server = settings::settings(ServerTable::default(), TelemetryTable::default())?;
        server.allow_private_targets = server.allow_private_targets.with_loopback();
        Ok(Config { server, directory: development::directory()? })
    }

    /// Reads the text of a configuration.
    pub fn parse(text: &str) -> Result<Config, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            line: error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count()),
            problem: without_value(error.message()),
        })?;
        let open = settings::open(&file.server)?;
        let server = settings::settings(file.server, file.telemetry)?;
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
