//! The open directory: any app is accepted on first sight, as a bot's author wants it on his own machine, and only for
//! clients of this machine and of the private networks that the operator named.
//!
//! It must not know who was seen.

use super::allow::Network;
use super::{App, Directory, TENANT_ID};
use ringback_core::TenantId;
use std::net::IpAddr;
use uuid::Uuid;

/// Any identity is accepted, from these clients. By default: from this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    networks: Vec<Network>,
}

/// Why clients of a network may not use an open directory; says what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a private network such as \"172.28.0.0/16\" (RFC 1918) or \"fd00::/8\" (RFC 4193)")]
pub struct BadNetwork;

/// What the first segment of a token endpoint's path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantAsked {
    /// A tenant, by its id or by a domain name of it.
    Named(TenantId),
    /// The tenant that the app is in: the words by which Azure's shared endpoints go.
    OfApp,
}

impl TenantAsked {
    /// Which one that is for an app.
    pub fn of(&self, app: &App) -> TenantId {
        match self {
            TenantAsked::Named(tenant) => tenant.clone(),
            TenantAsked::OfApp => app.tenant.clone(),
        }
    }
}

/// Azure's shared endpoints, and the tenant of the Bot Framework, which is nobody's own.
const SHARED: [&str; 4] = ["common", "organizations", "consumers", "botframework.com"];

impl Directory {
    /// Which tenant a client means. In an open directory any GUID is one, and any domain name stands for one whose id is
    /// made of the name, the same each time; `None`: there is no such tenant.
    pub fn tenant_asked(&self, asked: &str) -> Option<TenantAsked> {
        if let Some(tenant) = self.tenant(asked) {
            return Some(TenantAsked::Named(tenant.id.clone()));
        }
        if !self.is_open() {
            return None;
        }
        if SHARED.iter().any(|word| word.eq_ignore_ascii_case(asked)) {
            return Some(TenantAsked::OfApp);
        }
        if let Ok(id) = Uuid::try_parse(asked) {
            return Some(TenantAsked::Named(TenantId::new(&id.to_string())));
        }
        let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_domain = asked.len() <= 253 && asked.contains('.') && asked.split('.').all(label);
        let of_name = || Uuid::new_v5(&Uuid::NAMESPACE_DNS, asked.to_ascii_lowercase().as_bytes());
        is_domain.then(|| TenantAsked::Named(TenantId::new(&of_name().to_string())))
    }

    /// The tenant of apps that have not named theirs: the first one, or the one published for development.
    pub fn home(&self) -> TenantId {
        self.tenants().first().map_or_else(|| TenantId::new(TENANT_ID), |tenant| tenant.id.clone())
    }
}

/// Networks that no one on the Internet is in.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

impl Open {
    /// The same for clients of these networks too; the error bears the entry's index.
    pub fn from_networks<S: AsRef<str>>(entries: &[S]) -> Result<Open, (usize, BadNetwork)> {
        let private: Vec<Network> = PRIVATE.iter().filter_map(|text| Network::parse(text).ok()).collect();
        let read = |(index, text): (usize, &S)| {
            let network = Network::parse(text.as_ref()).map_err(|_| (index, BadNetwork))?;
            let inside = private.iter().any(|private| private.holds(network));
            if inside { Ok(network) } else { Err((index, BadNetwork)) }
        };
        Ok(Open { networks: entries.iter().enumerate().map(read).collect::<Result<_, _>>()? })
    }

    /// Whether others than this machine's clients are served.
    pub(super) fn is_shared(&self) -> bool {
        !self.networks.is_empty()
    }

    pub(super) fn serves(&self, client: IpAddr) -> bool {
        client.to_canonical().is_loopback() || self.networks.iter().any(|network| network.contains(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn this_machine_and_the_named_networks_are_served() {
        let own = Open::default();
        assert!(own.serves(ip("127.0.0.1")) && own.serves(ip("::1")) && own.serves(ip("::ffff:127.0.0.1")));
        assert!(!own.serves(ip("172.28.0.5")) && !own.is_shared());
        let shared = Open::from_networks(&["172.28.0.0/16", "fd12::/16"]).unwrap();
        assert!(shared.serves(ip("172.28.0.5")) && shared.serves(ip("fd12::9")) && shared.serves(ip("127.0.0.1")));
        assert!(!shared.serves(ip("172.29.0.5")) && !shared.serves(ip("203.0.113.1")));
    }

    #[test]
    fn only_private_networks_can_be_named() {
        for bad in ["0.0.0.0/0", "10.0.0.0/7", "::/0", "203.0.113.0/24", "172.0.0.0/8", "2001:db8::/32", "bots", ""] {
            assert_eq!(Open::from_networks(&["10.1.0.0/16", bad]), Err((1, BadNetwork)), "{bad:?}");
        }
    }
}
