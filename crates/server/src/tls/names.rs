//! The names that the server has a certificate for.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls::pki_types::ServerName;

use crate::limits;

/// Microsoft's hosts that this server stands in for. A bot whose host is made to find it under one of these needs to
/// trust the authority, and no change of its code (`contract §5.3`, client-facts §2).
pub const STANDS_IN_FOR: [&str; 4] =
    ["graph.microsoft.com", "login.microsoftonline.com", "login.botframework.com", "api.aps.skype.com"];

/// What a name is refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Neither.
    #[error("is neither a host name such as \"ringback.example.com\" nor an IP address")]
    Neither,
    /// Too many.
    #[error("is one name too many: at most {} fit into a certificate", limits::CERTIFICATE_NAMES)]
    TooMany,
}

/// Host names (lower case, without wildcards) and addresses. Loopback and [`STANDS_IN_FOR`] are always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    hosts: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

impl Default for Names {
    fn default() -> Self {
        let hosts = STANDS_IN_FOR.into_iter().chain(["localhost"]);
        Names {
            hosts: hosts.map(str::to_owned).collect(),
            addresses: [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].into(),
        }
    }
}

impl Names {
    /// Adds a host name or an address (IPv6 with or without brackets).
    pub fn add(&mut self, name: &str) -> Result<(), BadName> {
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        match ServerName::try_from(bare).map_err(|_| BadName::Neither)? {
            ServerName::IpAddress(address) => _ = self.addresses.insert(IpAddr::from(address)),
            ServerName::DnsName(host) => {
                _ = self.hosts.insert(host.as_ref().trim_end_matches('.').to_ascii_lowercase())
            }
            _ => return Err(BadName::Neither),
        }
        if self.hosts.len() + self.addresses.len() > limits::CERTIFICATE_NAMES {
            return Err(BadName::TooMany);
        }
        Ok(())
    }

    /// Adds the address of a listener, unless it stands for all addresses.
    pub fn add_listener(&mut self, address: IpAddr) {
        if !address.is_unspecified() {
            self.addresses.insert(address);
        }
    }

    /// Host names.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }

    /// Addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().copied()
    }

    /// Whether a host as in a URL (without the port; IPv6 in brackets) is one of them. Compared without case.
    pub fn contains(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        match bare.parse() {
            Ok(address) => self.addresses.contains(&address),
            Err(_) => self.hosts.contains(&host.to_ascii_lowercase()),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.addresses.iter().map(ToString::to_string);
        let all: Vec<String> = self.hosts.iter().cloned().chain(addresses).collect();
        f.write_str(&all.join(", "))
    }
}
