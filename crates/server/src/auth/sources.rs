//! How often a source may be wrong: a bounded table of open failures by source address.
//!
//! It knows neither what failed nor the time; both are told.

use super::limits;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Failures that are not forgotten yet.
#[derive(Clone, Copy, Default)]
struct Account {
    open: u32,
    /// Since when the oldest of them is being forgotten, seconds.
    since: u64,
}

impl Account {
    fn forget(&mut self, now: u64) {
        let steps = now.saturating_sub(self.since) / limits::FAILURE_SECONDS;
        self.open = self.open.saturating_sub(u32::try_from(steps).unwrap_or(u32::MAX));
        // A clock that was set back starts the wait again instead of prolonging it.
        self.since = if self.open == 0 { now } else { now.min(self.since + steps * limits::FAILURE_SECONDS) };
    }

    fn charge(&mut self, now: u64) -> Result<(), u64> {
        self.forget(now);
        if self.open >= limits::FAILURES_OPEN {
            return Err((self.since + limits::FAILURE_SECONDS).saturating_sub(now).max(1));
        }
        self.open += 1;
        Ok(())
    }
}

/// Open failures by source. A table entry exists only while there are some.
#[derive(Default)]
pub(super) struct Sources {
    accounts: HashMap<IpAddr, Account>,
    /// Whoever found the table full.
    others: Account,
}

impl Sources {
    /// Counts a failure of this source; refused, with the seconds to wait, if it has too many open.
    pub(super) fn charge(&mut self, source: IpAddr, now: u64) -> Result<(), u64> {
        let source = network_of(source);
        if self.accounts.len() >= limits::SOURCES && !self.accounts.contains_key(&source) {
            self.accounts.retain(|_, account| {
                account.forget(now);
                account.open > 0
            });
            if self.accounts.len() >= limits::SOURCES {
                return self.others.charge(now);
            }
        }
        self.accounts.entry(source).or_insert(Account { open: 0, since: now }).charge(now)
    }

    /// It was no failure after all.
    pub(super) fn refund(&mut self, source: IpAddr) {
        let source = network_of(source);
        let Some(account) = self.accounts.get_mut(&source) else {
            self.others.open = self.others.open.saturating_sub(1);
            return;
        };
        account.open = account.open.saturating_sub(1);
        if account.open == 0 {
            self.accounts.remove(&source);
        }
    }
}

/// What one customer of a provider has: an IPv4 address or an IPv6 /64.
pub(crate) fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    fn exhaust(sources: &mut Sources, source: IpAddr, now: u64) {
        for _ in 0..limits::FAILURES_OPEN {
            sources.charge(source, now).unwrap();
        }
    }

    #[test]
    fn a_source_is_refused_until_a_failure_is_forgotten() {
        let mut sources = Sources::default();
        exhaust(&mut sources, source(1), 1000);
        assert_eq!(sources.charge(source(1), 1000), Err(2));
        assert_eq!(sources.charge(source(1), 1001), Err(1));
        assert_eq!(sources.charge(source(2), 1000), Ok(()), "another source is another matter");
        assert_eq!(sources.charge(source(1), 1002), Ok(()));
        assert_eq!(sources.charge(source(1), 1002), Err(2), "only one was forgotten");
        exhaust(&mut sources, source(1), 1002 + u64::from(limits::FAILURES_OPEN) * limits::FAILURE_SECONDS);
    }

    #[test]
    fn a_success_is_no_failure_and_leaves_nothing_behind() {
        let mut sources = Sources::default();
        for _ in 0..10 * limits::FAILURES_OPEN {
            sources.charge(source(1), 5).unwrap();
            sources.refund(source(1));
        }
        assert!(sources.accounts.is_empty());
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let mut sources = Sources::default();
        exhaust(&mut sources, source(1), 1_000_000);
        assert_eq!(sources.charge(source(1), 10), Err(2));
        assert_eq!(sources.charge(source(1), 12), Ok(()));
    }

    #[test]
    fn the_table_is_bounded_and_a_full_one_is_no_way_around() {
        let mut sources = Sources::default();
        for n in 0..u32::try_from(limits::SOURCES).unwrap() {
            sources.charge(source(n), 100).unwrap();
        }
        exhaust(&mut sources, source(1 << 20), 100);
        assert!(sources.charge(source((1 << 20) + 1), 100).is_err(), "newcomers share one account");
        assert_eq!(sources.accounts.len(), limits::SOURCES);
        assert_eq!(sources.charge(source((1 << 20) + 2), 200), Ok(()), "forgotten failures make room");
        assert_eq!(sources.accounts.len(), 1);
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let mut sources = Sources::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        exhaust(&mut sources, address("2001:db8::1"), 0);
        assert!(sources.charge(address("2001:db8::ffff:2"), 0).is_err());
        assert!(sources.charge(address("2001:db8:0:1::1"), 0).is_ok());
        exhaust(&mut sources, address("10.0.0.1"), 0);
        assert!(sources.charge(address("::ffff:10.0.0.1"), 0).is_err());
    }
}
