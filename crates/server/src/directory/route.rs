//! Whom an app may call, and how that one is reached: the target of a create-call request, resolved.
//!
//! Pure. In an open directory, who is not known is anyone at a page's phone. Apps see only their own tenant; the telephone network only with a prefix the operator allowed; foreign SIP
//! hosts only where the operator named them.

use super::{AllowList, App, Directory, Line, SIP_REALM, ServerSettings, TenantAsked, Trunk, User, dialled};
use ringback_core::IdentityKind;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Where a call goes.
#[derive(Clone)]
pub enum Destination {
    /// A user's SIP phone.
    Phone(Arc<User>),
    /// A test line ([`Line::Null`]).
    Test(Arc<User>),
    /// Whoever is at a page's phone: the directory is open, and knows nobody of this name or number.
    Anyone,
    /// A number of the telephone network, through a trunk.
    Trunk {
        /// The trunk, chosen by the longest prefix.
        trunk: Arc<Trunk>,
        /// The number, without separators.
        number: String,
    },
    /// A SIP address elsewhere, which the operator named.
    Uri(String),
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Phone(user) | Destination::Test(user) => write!(f, "{user:?}"),
            // Numbers and addresses stay out of traces.
            Destination::Trunk { trunk, .. } => write!(f, "Trunk({})", trunk.name),
            Destination::Uri(_) => f.write_str("Uri"),
            Destination::Anyone => f.write_str("Anyone"),
        }
    }
}

/// Why a target cannot be called. The texts are for the bot's author; they hold no number and no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No user of the app's tenant has this id, name or SIP address.
    #[error("there is no such user in the app's tenant: give a user's id, SIP login, or login@tenant")]
    UnknownUser,
    /// The number is a bot's.
    #[error("the number belongs to an app: an app calls phones, not apps")]
    App,
    /// Not a number, nor a user's.
    #[error("this is neither a telephone number (digits, perhaps after a +) nor the number of a phone of the tenant")]
    NotANumber,
    /// The app has no prefix for the number.
    #[error(
        "the app may not dial this number: the operator lists what it may dial in `prefixes` of the app (default: none)"
    )]
    NotAllowed,
    /// No trunk carries the number.
    #[error("no trunk carries this number: the operator lists what a trunk carries in `prefixes` of the trunk")]
    NoTrunk,
    /// A SIP address that does not read.
    #[error("this is not a SIP address of the form sip:user@host or sip:user@host:port")]
    NotAnAddress,
    /// A SIP address at a host that the operator did not name.
    #[error("SIP addresses at this host may not be called: the operator names hosts in server.allow_private_targets")]
    ForeignHost,
    /// A kind of identity that has no phone.
    #[error("only users, phones and SIP addresses can be called")]
    NotCallable,
}

/// Which SIP addresses are ours, and which foreign ones the operator named.
#[derive(Clone, Debug)]
pub struct SipHome {
    hosts: Vec<String>,
    ports: Vec<u16>,
    allowed: AllowList,
}

impl SipHome {
    /// From the settings and the addresses that SIP really listens on, without TLS and with it.
    pub fn new(settings: &ServerSettings, listening: SocketAddr, secure: Option<SocketAddr>) -> SipHome {
        let mut hosts = vec![SIP_REALM.to_owned(), listening.ip().to_string()];
        hosts.extend(settings.public_address.map(|address: IpAddr| address.to_string()));
        if listening.ip().is_loopback() {
            hosts.push("localhost".to_owned());
        }
        let ports = [Some(listening), secure].into_iter().flatten().map(|at| at.port()).collect();
        SipHome { hosts, ports, allowed: settings.allow_private_targets.clone() }
    }

    fn is_ours(&self, host: &str, port: Option<u16>) -> bool {
        port.is_none_or(|port| self.ports.contains(&port))
            && self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))
    }
}

impl Directory {
    /// Where a call of `app` to this identity goes.
    pub fn resolve_target(
        &self,
        app: &App,
        kind: IdentityKind,
        id: &str,
        home: &SipHome,
    ) -> Result<Destination, RouteError> {
        match self.resolve_known(app, kind, id, home) {
            // Whom a bot under development calls is seldom set up, too.
            Err(RouteError::UnknownUser | RouteError::NotAllowed | RouteError::NoTrunk)
                if self.is_open() && !id.trim().is_empty() =>
            {
                Ok(Destination::Anyone)
            }
            resolved => resolved,
        }
    }

    fn resolve_known(
        &self,
        app: &App,
        kind: IdentityKind,
        id: &str,
        home: &SipHome,
    ) -> Result<Destination, RouteError> {
        if let Some(rest) = strip_sip(id) {
            return self.resolve_address(app, id, rest, home);
        }
        match kind {
            IdentityKind::User => self.user_of(app, id).map(line_of).ok_or(RouteError::UnknownUser),
            IdentityKind::Phone => self.resolve_number(app, id),
            _ => Err(RouteError::NotCallable),
        }
    }

    /// A user of the app's tenant by id, SIP login or `login@tenant`.
    fn user_of(&self, app: &App, id: &str) -> Option<&Arc<User>> {
        let by_principal = || {
            let (login, tenant) = id.split_once('@')?;
            let is_own = self.tenant_asked(tenant).is_some_and(|asked| match asked {
                TenantAsked::Named(tenant) => self.sees(&app.tenant, &tenant),
                TenantAsked::OfApp => true,
            });
            is_own.then(|| self.user_by_sip(login))?
        };
        let found = self.user(id).or_else(|| self.user_by_sip(id)).or_else(by_principal);
        found.filter(|user| self.sees(&app.tenant, &user.tenant))
    }

    fn resolve_number(&self, app: &App, id: &str) -> Result<Destination, RouteError> {
        let number = dialled(id);
        if let Some(user) = self.user_of(app, &number) {
            return Ok(line_of(user));
        }
        if self.app_by_number(&number).is_some_and(|other| self.sees(&app.tenant, &other.tenant)) {
            return Err(RouteError::App);
        }
        let digits = number.strip_prefix('+').unwrap_or(&number);
        if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(RouteError::NotANumber);
        }
        if longest(&app.prefixes, &number).is_none() {
            return Err(RouteError::NotAllowed);
        }
        let carries = self.trunks().iter().filter_map(|trunk| Some((longest(&trunk.prefixes, &number)?, trunk)));
        // The first of equals: the order of the configuration decides.
        let best = carries.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, trunk)| Destination::Trunk { trunk: Arc::clone(trunk), number }).ok_or(RouteError::NoTrunk)
    }

    fn resolve_address(&self, app: &App, id: &str, rest: &str, home: &SipHome) -> Result<Destination, RouteError> {
        let (user, host, port) = split_address(rest).ok_or(RouteError::NotAnAddress)?;
        if home.is_ours(host, port) {
            return self.user_of(app, user).map(line_of).ok_or(RouteError::UnknownUser);
        }
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        // A trunk's host is the telephone network however it is written: the prefixes decide, not the address.
        if address.is_some_and(|address| self.trunks().iter().any(|trunk| trunk.address.ip() == address)) {
            return self.resolve_number(app, user);
        }
        if home.allowed.names_host(host) { Ok(Destination::Uri(id.to_owned())) } else { Err(RouteError::ForeignHost) }
    }
}

fn line_of(user: &Arc<User>) -> Destination {
    match user.line {
        Line::Sip => Destination::Phone(Arc::clone(user)),
        Line::Null => Destination::Test(Arc::clone(user)),
    }
}

/// The length of the longest prefix of the number.
fn longest(prefixes: &[String], number: &str) -> Option<usize> {
    prefixes.iter().filter(|prefix| number.starts_with(prefix.as_str())).map(String::len).max()
}

fn strip_sip(id: &str) -> Option<&str> {
    let (scheme, rest) = id.split_once(':')?;
    scheme.eq_ignore_ascii_case("sip").then_some(rest)
}

/// `user@host[:port]`, without parameters, headers or a password: they would reach the wire as the bot wrote them.
fn split_address(rest: &str) -> Option<(&str, &str, Option<u16>)> {
    let (user, place) = rest.split_once('@')?;
    let user_fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.+*#".contains(&b);
    let host_fine = |b: u8| b.is_ascii_alphanumeric() || b"-.:".contains(&b);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !place.ends_with(']') => (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0)?)),
        _ => (place, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_ok = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.len() <= 253 && !host.contains(':') && host.bytes().all(host_fine),
    };
    let user_ok = !user.is_empty() && user.len() <= 64 && user.bytes().all(user_fine);
    (user_ok && host_ok).then_some((user, host, port))
}
