//! The open directory: any app is accepted on first sight, as a bot's author wants it on his own machine, and only for
//! clients of this machine and of the private networks that the operator named.
//!
//! It must not know who was seen.

use super::allow::Network;
use std::net::IpAddr;

/// Any identity is accepted, from these clients. By default: from this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    networks: Vec<Network>,
}

/// Why clients of a network may not use an open directory; says what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a private network such as \"172.28.0.0/16\" (RFC 1918) or \"fd00::/8\" (RFC 4193)")]
pub struct BadNetwork;

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
