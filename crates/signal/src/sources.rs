//! How much each source may send without good credentials: a token bucket per address. Pure; the
//! time is an argument. An unauthenticated request takes a token; one that authenticates gives
//! back what its challenge took, so phones are never slowed, and a guesser is.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::limits::{MAX_SOURCES, SOURCE_BURST, SOURCE_REFILL_PER_SECOND};

/// The allowance that sources beyond [`MAX_SOURCES`] share.
const OVERFLOW: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

struct Bucket {
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn refill(&mut self, now: Duration) {
        let gained = now.saturating_sub(self.at).as_secs_f64() * f64::from(SOURCE_REFILL_PER_SECOND);
        self.tokens = (self.tokens + gained).min(f64::from(SOURCE_BURST));
        self.at = now;
    }
}

/// The buckets of all sources seen lately.
#[derive(Default)]
pub(crate) struct Sources {
    buckets: HashMap<IpAddr, Bucket>,
    /// When those that have refilled were last forgotten: it costs a walk, so once a second.
    swept: Option<Duration>,
}

impl Sources {
    /// Takes one token of `source`; false when it has none, and the request is to be dropped.
    pub(crate) fn take(&mut self, source: IpAddr, now: Duration) -> bool {
        let key = self.key(source, now);
        let bucket = self.buckets.entry(key).or_insert(Bucket { tokens: f64::from(SOURCE_BURST), at: now });
        bucket.refill(now);
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// Gives `count` tokens back to `source`, whose request authenticated.
    pub(crate) fn give_back(&mut self, source: IpAddr, count: u32) {
        let key = network(source);
        if let Some(bucket) = self.buckets.get_mut(&key) {
            bucket.tokens = (bucket.tokens + f64::from(count)).min(f64::from(SOURCE_BURST));
        }
    }

    fn key(&mut self, source: IpAddr, now: Duration) -> IpAddr {
        let key = network(source);
        if self.buckets.contains_key(&key) || self.buckets.len() < MAX_SOURCES {
            return key;
        }
        if self.swept.is_none_or(|at| now.saturating_sub(at) >= Duration::from_secs(1)) {
            self.swept = Some(now);
            self.buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.tokens < f64::from(SOURCE_BURST)
            });
        }
        if self.buckets.len() < MAX_SOURCES { key } else { OVERFLOW }
    }
}

/// An IPv4 address by itself, an IPv6 address by its /64: one customer has all of it.
pub(crate) fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(9);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_source_is_bounded_and_refills() {
        let mut sources = Sources::default();
        let taken = (0..1_000).filter(|_| sources.take(HERE, NOW)).count();
        assert_eq!(taken, SOURCE_BURST as usize);
        assert!(sources.take("10.0.0.2".parse().unwrap(), NOW));
        let later = NOW + Duration::from_secs(1);
        let taken = (0..1_000).filter(|_| sources.take(HERE, later)).count();
        assert_eq!(taken, SOURCE_REFILL_PER_SECOND as usize);
    }

    #[test]
    fn who_authenticates_is_never_stopped() {
        let mut sources = Sources::default();
        for _ in 0..10_000 {
            assert!(sources.take(HERE, NOW) && sources.take(HERE, NOW));
            sources.give_back(HERE, 2);
        }
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let mut sources = Sources::default();
        let taken =
            (0..1_000u128).filter(|n| sources.take(Ipv6Addr::from((0x2001_0db8_u128 << 96) | n).into(), NOW)).count();
        assert_eq!(taken, SOURCE_BURST as usize);
    }

    #[test]
    fn sources_without_number_share_one_allowance() {
        let mut sources = Sources::default();
        let taken = (0..30_000u32).filter(|n| sources.take(Ipv4Addr::from(n + 1).into(), NOW)).count();
        assert!(taken <= MAX_SOURCES + SOURCE_BURST as usize);
        assert!(sources.buckets.len() <= MAX_SOURCES + 1);
    }
}
