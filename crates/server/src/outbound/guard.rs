//! Which addresses may be connected to. Pure: an address and the operator's list in, a verdict out.
//!
//! Anything that is not plainly an address of the public Internet is refused, in whatever form it is written, unless
//! the operator named it.

use crate::directory::AllowList;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The target may not be reached. The text is for the bot's author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host is at {what}, which the operator did not name in server.allow_private_targets")]
pub struct Forbidden {
    /// What kind of address it is.
    pub what: &'static str,
}

/// Checks every address a host has: one forbidden address forbids the host, whatever the others are.
pub(super) fn check(host: &str, addresses: &[IpAddr], allowed: &AllowList) -> Result<(), Forbidden> {
    if allowed.names_host(host) {
        return Ok(());
    }
    for address in addresses {
        if let Some(what) = not_public(*address)
            && !allowed.names_address(*address)
        {
            return Err(Forbidden { what });
        }
    }
    Ok(())
}

/// What kind of address this is, if not a public one (IANA special-purpose registries, RFC 6890).
pub(super) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, ..) => Some("an unspecified address"),
        (127, ..) => Some("a loopback address"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("a private address"),
        (100, 64..=127, _) => Some("a shared carrier address"),
        (169, 254, _) => Some("a link-local address"),
        (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _) => Some("an address for special use"),
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Some("an address for documentation"),
        (224..=239, ..) => Some("a multicast address"),
        (240.., ..) => Some("a reserved address"),
        _ => None,
    }
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("an unspecified address");
    }
    if address.is_loopback() {
        return Some("a loopback address");
    }
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let v4 = |high: u16, low: u16| not_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match (s0, s1, s2, s3, s4, s5) {
        // IPv4 in other clothes: mapped, NAT64 (RFC 6052), 6to4 (RFC 3056).
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => v4(s6, s7),
        (0x2002, high, low, ..) => v4(high, low),
        // The deprecated IPv4-compatible form, translation, local NAT64, Teredo, discard, SRv6, ORCHID: no way to a bot.
        (0, ..) | (0x64, 0xff9b, ..) | (0x100, ..) | (0x2001, 0..=0x1ff, ..) | (0x5f00, ..) => {
            Some("an address for special use")
        }
        (0x2001, 0xdb8, ..) | (0x3fff, 0..=0xfff, ..) => Some("an address for documentation"),
        (0xfc00..=0xfdff, ..) => Some("a private address"),
        (0xfe80..=0xfeff, ..) => Some("a link-local address"),
        (0xff00.., ..) => Some("a multicast address"),
        (0x2000..=0x3fff, ..) => None,
        _ => Some("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nothing_but_the_public_internet() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
            "::ffff:0:127.0.0.1",
        ] {
            assert!(not_public(ip(text)).is_some(), "{text} is not public");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "169.253.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(not_public(ip(text)), None, "{text} is public");
        }
    }

    #[test]
    fn one_private_address_forbids_the_host_unless_it_is_named() {
        let none = AllowList::default();
        let mixed = [ip("8.8.8.8"), ip("10.0.0.5")];
        assert_eq!(check("bot.example", &mixed, &none), Err(Forbidden { what: "a private address" }));
        assert_eq!(check("bot.example", &mixed[..1], &none), Ok(()));
        let by_net = AllowList::parse(&["10.0.0.0/24"]).unwrap();
        assert_eq!(check("bot.example", &mixed, &by_net), Ok(()));
        assert!(check("bot.example", &[ip("10.0.1.5")], &by_net).is_err());
        assert_eq!(check("bot.example", &[ip("::ffff:10.0.0.5")], &by_net), Ok(()), "the mapped form is the address");
        let by_name = AllowList::parse(&["bot.example"]).unwrap();
        assert_eq!(check("Bot.Example", &mixed, &by_name), Ok(()));
        assert!(check("other.example", &mixed, &by_name).is_err());
        assert_eq!(check("x", &[ip("127.0.0.1"), ip("::1")], &none.clone().with_loopback()), Ok(()));
        assert!(check("x", &[ip("10.0.0.1")], &none.with_loopback()).is_err());
    }
}
