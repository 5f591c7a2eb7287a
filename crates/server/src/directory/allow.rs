//! What the operator names as reachable although it is private: hosts, addresses and networks.
//!
//! A pure answer to "is this one named?"; it must not know what is fetched, nor resolve a name.

use std::fmt;
use std::net::IpAddr;

/// One entry of `server.allow_private_targets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// A host name, in lower case: whatever it resolves to is allowed.
    Host(String),
    /// A network; a single address is a network of full length.
    Network(Network),
}

/// An IPv4 or IPv6 network: an address and the number of leading bits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why an entry cannot be read; says what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is neither a host name, an address nor a network such as \"10.0.0.0/8\"")]
pub struct BadEntry;

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or a single address.
    pub fn parse(text: &str) -> Result<Network, BadEntry> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim_matches(['[', ']']).parse().map_err(|_| BadEntry)?;
        let full = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse::<u8>().ok().filter(|bits| *bits <= full).ok_or(BadEntry)?,
            None => full,
        };
        Ok(Network { address, bits })
    }

    /// Whether the address lies in the network. An IPv4 address written as IPv6 counts as the IPv4 address it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits.min(32))).unwrap_or(0);
                net.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                net.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl Network {
    /// Whether every address of the other network lies in this one.
    pub fn holds(&self, other: Network) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4() && self.bits <= other.bits && self.contains(other.address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The operator's list. Empty by default: nothing private is reachable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    entries: Vec<Allowed>,
    /// Loopback is reachable too: only with the published development directory.
    loopback: bool,
}

impl AllowList {
    /// Reads the entries of `server.allow_private_targets`; the error bears the entry's index.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<AllowList, (usize, BadEntry)> {
        let mut list = AllowList::default();
        for (index, text) in entries.iter().enumerate() {
            list.entries.push(Allowed::parse(text.as_ref()).map_err(|error| (index, error))?);
        }
        Ok(list)
    }

    /// The same list with loopback allowed, as the development directory has it.
    pub fn with_loopback(mut self) -> AllowList {
        self.loopback = true;
        self
    }

    /// Whether it is: every app may have targets on this machine.
    pub fn has_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether the operator named this host; names compare without case.
    pub fn names_host(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']);
        self.entries.iter().any(|entry| matches!(entry, Allowed::Host(name) if name.eq_ignore_ascii_case(host)))
            || (self.loopback && host.eq_ignore_ascii_case("localhost"))
            || host.parse().is_ok_and(|address| self.names_address(address))
    }

    /// Whether the operator named this address, or a network that holds it.
    pub fn names_address(&self, address: IpAddr) -> bool {
        (self.loopback && address.to_canonical().is_loopback())
            || self.entries.iter().any(|entry| matches!(entry, Allowed::Network(net) if net.contains(address)))
    }
}

impl Allowed {
    fn parse(text: &str) -> Result<Allowed, BadEntry> {
        if let Ok(network) = Network::parse(text) {
            return Ok(Allowed::Network(network));
        }
        let is_name = !text.is_empty()
            && text.len() <= 253
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_')
            && text.bytes().any(|b| b.is_ascii_alphabetic());
        if is_name { Ok(Allowed::Host(text.to_ascii_lowercase())) } else { Err(BadEntry) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (net, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.8"),
            ("10.1.2.128/25", "10.1.2.200", "10.1.2.127"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("[::1]", "::1", "::2"),
        ] {
            let net = Network::parse(net).unwrap();
            assert!(net.contains(ip(inside)), "{inside} is in {net}");
            assert!(!net.contains(ip(outside)), "{outside} is not in {net}");
        }
        assert!(
            Network::parse("10.0.0.0/8").unwrap().contains(ip("::ffff:10.1.1.1")),
            "the mapped form is the address"
        );
    }

    #[test]
    fn entries_are_hosts_or_networks_and_nothing_else() {
        let list = AllowList::parse(&["Bots.Internal", "10.0.0.0/8"]).unwrap();
        assert!(list.names_host("bots.internal") && list.names_host("BOTS.internal"));
        assert!(!list.names_host("internal") && !list.names_host("x.bots.internal"));
        assert!(list.names_host("10.3.4.5") && list.names_address(ip("10.3.4.5")));
        assert!(!list.names_address(ip("127.0.0.1")));
        assert!(list.with_loopback().names_address(ip("127.0.0.1")));
        for bad in ["", "10.0.0.0/33", "http://x", "a b", "1.2.3", "::/129", "x:80"] {
            assert_eq!(AllowList::parse(&["fine", bad]), Err((1, BadEntry)), "{bad:?}");
        }
    }
}
