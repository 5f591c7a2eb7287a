//! Who there is: tenants, apps (bots), users (phones) and trunks, as the operator wrote them down.
//!
//! Everything is answered from memory and never blocks. It must not know calls, connections or tokens: it says who may
//! be reached and under which name, others do the reaching.

mod allow;
mod config;
mod development;
mod open;
mod reach;
mod roles;
mod route;
mod secret;
mod settings;
mod sip;
mod trunk_table;

pub use allow::{AllowList, Allowed, BadEntry, Network};
pub use config::{Config, ConfigError, DEFAULT_MAX_CALLS, DEFAULT_MAX_RECORDING_MIB};
pub use development::{APP_ID, APP_NUMBERS, APP_SECRET, APP_WEBHOOK, NULL_LINE, PHONE_PASSWORD, PHONES, TENANT_ID};
pub use open::{BadNetwork, Open, TenantAsked};
pub use reach::{BadBase, Base, Moved, Reach, Webhook};
pub use roles::{BadRole, Role};
pub use route::{Destination, RouteError, SipHome};
pub use secret::{ITERATIONS, SecretError, SecretHash, hash_secret};
pub use settings::ServerSettings;
pub use sip::SIP_REALM;

use crate::limits;
use ringback_core::{AppId, Identity, IdentityKind, TenantId};
use ringback_signal::{Flow, Login, Transport};
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use url::Url;

/// Where a listener is connected to from its own machine: one on all addresses, on loopback.
pub fn reached_here(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// A tenant: apps and users of different tenants do not see one another.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// The tenant's id, as tokens carry it (`tid`).
    pub id: TenantId,
    /// Its name, which may stand for the id in a token endpoint's path and after the `@` of a user's name.
    pub name: String,
}

/// An app registration: a bot.
#[derive(Clone)]
pub struct App {
    /// The client id.
    pub id: AppId,
    /// The tenant that the app belongs to.
    pub tenant: TenantId,
    /// Whether that is for good, since the operator's configuration says so. If not (it is published for development,
    /// or was seen first), the app may be in any tenant.
    pub configured: bool,
    /// What people see.
    pub name: String,
    /// The client secret, hashed; `None`: it has not come yet.
    pub secret: Option<SecretHash>,
    /// Where the app is told of things.
    pub reach: Reach,
    /// What it may do, as its tokens say.
    pub roles: Vec<Role>,
    /// Numbers and names at which the app is called, in the form of [`dialled`].
    pub numbers: Vec<String>,
    /// What the app may dial through trunks: the beginnings of numbers. Empty: nothing.
    pub prefixes: Vec<String>,
    /// Most calls at the same time.
    pub max_calls: u32,
    /// Most room that its recordings may take, in MiB.
    pub max_recording_mib: u32,
}

impl App {
    /// Most room that its recordings may take, in bytes.
    pub fn recording_bytes(&self) -> u64 {
        u64::from(self.max_recording_mib) << 20
    }

    /// The bot, as calls and rosters name it.
    pub fn identity(&self) -> Identity {
        Identity {
            kind: IdentityKind::Application,
            id: self.id.as_str().to_owned(),
            display_name: Some(self.name.clone()),
            tenant: None,
        }
    }
}

/// A host and a port: what a connection is made to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Host name or address as in the URL (lower case; IPv6 in brackets).
    pub host: String,
    /// The port, 80 or 443 if the URL has none.
    pub port: u16,
}

/// Why a URL cannot be fetched or posted to; says what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an http or https URL with a host and without a user name or password")]
pub struct BadUrl;

/// How a user's phone is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A SIP phone that registers.
    Sip,
    /// A test line: it answers at once, and prompts played to it finish at once. For load tests.
    Null,
}

/// A user: somebody with a phone.
#[derive(Clone)]
pub struct User {
    /// The user's id, lower case.
    pub id: String,
    /// The tenant of the user.
    pub tenant: TenantId,
    /// What people see.
    pub name: String,
    /// The SIP login, which is also the number to dial.
    pub sip: String,
    /// The digest of the SIP password (RFC 7616 §3.4.2, algorithm MD5) in the realm [`SIP_REALM`]; none on a test line.
    pub ha1: Option<String>,
    /// Whether the phone's audio may come from another address than its SDP says.
    pub nat: bool,
    /// How the phone is reached.
    pub line: Line,
}

/// A way to the telephone network: a peer known by its address.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// The trunk's name.
    pub name: String,
    /// Where its requests go and come from.
    pub address: SocketAddr,
    /// By what.
    pub transport: Transport,
    /// The host its SIP addresses and its certificate bear; `None`: its address, by number.
    pub host: Option<String>,
    /// Who we are there, if it asks (digest authentication).
    pub login: Option<Login>,
    /// Register there, so that it finds us.
    pub register: bool,
    /// Ask it this often whether it is there.
    pub keep_alive: Option<Duration>,
    /// The number it is told for calls of apps that have none of their own.
    pub caller_id: Option<String>,
    /// Whether its requests may come from any port and its audio from any address.
    pub nat: bool,
    /// Most calls at the same time, both directions together.
    pub max_calls: u32,
    /// The beginnings of the numbers it carries. Empty: none, the trunk only calls in.
    pub prefixes: Vec<String>,
}

impl Trunk {
    /// The number that is told for a call of `app` (RFC 3261 §8.1.1.3): its first telephone number, else the trunk's,
    /// else the login. A carrier refuses what is no number of its customer's.
    pub fn caller<'a>(&'a self, app: &'a App) -> Option<&'a str> {
        let own = app.numbers.iter().find(|number| number.starts_with('+')).map(String::as_str);
        own.or(self.caller_id.as_deref()).or(self.login.as_ref().map(|login| login.user.as_str()))
    }
}

/// What a directory is made of. The parts are taken as they are: [`Config`] checks them.
#[derive(Clone, Debug, Default)]
pub struct DirectoryParts {
    /// All tenants.
    pub tenants: Vec<Tenant>,
    /// All apps.
    pub apps: Vec<App>,
    /// All users.
    pub users: Vec<User>,
    /// All trunks.
    pub trunks: Vec<Trunk>,
    /// Any app is accepted on first sight; `None`: only those above.
    pub open: Option<Open>,
}

/// The directory: one immutable state of it.
#[derive(Clone, Default)]
pub struct Directory {
    tenants: Vec<Tenant>,
    apps: HashMap<AppId, Arc<App>>,
    app_numbers: HashMap<String, AppId>,
    users: HashMap<String, Arc<User>>,
    sip_names: HashMap<String, Arc<User>>,
    trunks: Vec<Arc<Trunk>>,
    development: bool,
    open: Option<Open>,
}

impl Directory {
    /// Builds the look-up tables.
    pub fn new(parts: DirectoryParts) -> Directory {
        let mut directory = Directory { tenants: parts.tenants, open: parts.open, ..Directory::default() };
        for app in parts.apps {
            for number in &app.numbers {
                directory.app_numbers.insert(number.clone(), app.id.clone());
            }
            directory.apps.insert(app.id.clone(), Arc::new(app));
        }
        for user in parts.users.into_iter().map(Arc::new) {
            directory.sip_names.insert(user.sip.clone(), Arc::clone(&user));
            directory.users.insert(user.id.clone(), user);
        }
        directory.trunks = parts.trunks.into_iter().map(Arc::new).collect();
        directory
    }

    /// Whether this is the published development directory.
    pub fn is_development(&self) -> bool {
        self.development
    }

    /// Whether any app is accepted on first sight, in whatever tenant it says it is: for development.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether this directory is for clients at this address: an open one only for this machine and the networks that
    /// the operator named.
    pub fn serves(&self, client: IpAddr) -> bool {
        self.open.as_ref().is_none_or(|open| open.serves(client))
    }

    /// The same with these apps, which are in no configuration, or of which the operator has said more since. Where no
    /// configured app has the numbers published for development, they are the last one's that has a webhook.
    pub fn with_seen(&self, apps: Vec<App>) -> Directory {
        let mut directory = self.clone();
        let dialled = apps.iter().rfind(|app| app.reach.webhook().is_some()).map(|app| app.id.clone());
        for app in apps {
            directory.apps.insert(app.id.clone(), Arc::new(app));
        }
        if let Some(app) = dialled {
            APP_NUMBERS.iter().for_each(|number| directory.give(number, &app));
        }
        directory
    }

    /// Gives a number to an app, unless it is configured as somebody else's.
    fn give(&mut self, number: &str, to: &AppId) {
        let holder = self.app_numbers.get(number).and_then(|id| self.apps.get(id)).cloned();
        if self.sip_names.contains_key(number) || holder.as_ref().is_some_and(|app| app.configured || app.id == *to) {
            return;
        }
        let mut change = |id: &AppId, change: &dyn Fn(&mut Vec<String>)| {
            if let Some(app) = self.apps.get_mut(id) {
                change(&mut Arc::make_mut(app).numbers);
            }
        };
        if let Some(holder) = holder {
            change(&holder.id, &|numbers| numbers.retain(|held| held != number));
        }
        change(to, &|numbers| numbers.push(number.to_owned()));
        self.app_numbers.insert(number.to_owned(), to.clone());
    }

    /// Whether the app may be in this tenant: its own, or any where its own is not configured.
    pub fn may_be_in(&self, app: &App, tenant: &TenantId) -> bool {
        app.tenant == *tenant || (self.is_open() && !app.configured)
    }

    /// Whether apps of this tenant see users of that one. In an open directory tenants separate nobody.
    pub fn sees(&self, app: &TenantId, user: &TenantId) -> bool {
        self.is_open() || app == user
    }

    /// All tenants.
    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// All apps, in no order.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<App>> {
        self.apps.values()
    }

    /// All users, in no order.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// All trunks.
    pub fn trunks(&self) -> &[Arc<Trunk>] {
        &self.trunks
    }

    /// The tenant with this id or name, compared without case.
    pub fn tenant(&self, id_or_name: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| {
            tenant.id.as_str().eq_ignore_ascii_case(id_or_name) || tenant.name.eq_ignore_ascii_case(id_or_name)
        })
    }

    /// The app with this client id.
    pub fn app(&self, id: &AppId) -> Option<&Arc<App>> {
        self.apps.get(id)
    }

    /// The app that somebody dials: by one of its numbers or names, or by its id.
    pub fn app_by_number(&self, number: &str) -> Option<&Arc<App>> {
        self.app_numbers.get(&dialled(number)).and_then(|id| self.app(id)).or_else(|| self.app(&AppId::new(number)))
    }

    /// The user with this id, compared without case.
    pub fn user(&self, id: &str) -> Option<&Arc<User>> {
        self.users.get(&id.to_lowercase())
    }

    /// The user with this SIP login, which is compared exactly (RFC 3261 §19.1.4).
    pub fn user_by_sip(&self, name: &str) -> Option<&Arc<User>> {
        self.sip_names.get(name)
    }

    /// The trunk of this name.
    pub fn trunk(&self, name: &str) -> Option<&Arc<Trunk>> {
        self.trunks.iter().find(|trunk| trunk.name == name)
    }

    /// The trunk that this comes from. By datagrams: its address exactly, or another port of it where the trunk is
    /// behind NAT. By a connection, which has a port of its own and cannot lie about its address: its host.
    pub fn trunk_by_source(&self, source: Flow) -> Option<&Arc<Trunk>> {
        let (ip, port) = (source.address.ip().to_canonical(), source.address.port());
        let mut at = self.trunks.iter().filter(|trunk| trunk.transport == source.transport && trunk.address.ip() == ip);
        if source.transport != Transport::Udp {
            return at.next();
        }
        let exact = at.clone().find(|trunk| trunk.address.port() == port);
        exact.or_else(|| at.find(|trunk| trunk.nat))
    }
}

/// The directory of the running server: always whole, replaced at once when the configuration is read again.
#[derive(Clone, Debug)]
pub struct SharedDirectory {
    current: Arc<RwLock<Arc<Directory>>>,
    /// Public names under which bots said that they are reached, and that led elsewhere.
    moved: Arc<RwLock<HashMap<AppId, Vec<Origin>>>>,
}

impl SharedDirectory {
    /// Shares a directory.
    pub fn new(directory: Directory) -> SharedDirectory {
        SharedDirectory { current: Arc::new(RwLock::new(Arc::new(directory))), moved: Arc::default() }
    }

    /// The directory as it is now. What was taken stays as it was.
    pub fn current(&self) -> Arc<Directory> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A callback of this origin was sent elsewhere: the origin is the app's own. Forgotten by a restart.
    pub fn note_own(&self, app: &AppId, origin: &Origin) {
        let mut moved = self.moved.write().unwrap_or_else(PoisonError::into_inner);
        let own = moved.entry(app.clone()).or_default();
        if !own.contains(origin) {
            own.truncate(limits::CALLBACKS - 1);
            own.insert(0, origin.clone());
        }
    }

    /// Whether it was.
    pub fn is_own(&self, app: &AppId, origin: &Origin) -> bool {
        let moved = self.moved.read().unwrap_or_else(PoisonError::into_inner);
        moved.get(app).is_some_and(|own| own.contains(origin))
    }

    /// Puts another directory in its place.
    pub fn replace(&self, directory: Directory) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
    }
}

impl Origin {
    /// The origin of an http or https URL that bears no credentials.
    pub fn of(url: &Url) -> Result<Origin, BadUrl> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(BadUrl);
        };
        let plain = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !plain || host.is_empty() || port == 0 {
            return Err(BadUrl);
        }
        Ok(Origin { host: host.to_owned(), port })
    }
}

// What may end in a trace shows ids: no secret, no number, and no URL.

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "App({})", self.id)
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({})", self.id)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({} apps, {} users)", self.apps.len(), self.users.len())
    }
}

/// A number as dialled, in the one form in which numbers are compared: without `tel:`, spaces, dashes, dots and
/// brackets if it is a number, in lower case if it is a name.
pub fn dialled(text: &str) -> String {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let is_separator = |c: char| matches!(c, ' ' | '-' | '.' | '(' | ')' | '/');
    let number: String = text.chars().filter(|c| !is_separator(*c)).collect();
    let is_number =
        number.strip_prefix('+').unwrap_or(&number).bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#');
    if is_number { number } else { text.to_lowercase() }
}

#[cfg(test)]
mod tests;
