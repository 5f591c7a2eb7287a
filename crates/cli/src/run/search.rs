//! Which of the ports that a bot opens is its own: the others are debuggers', metrics', development servers'. It must not
//! ask the server.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use ringback_server::directory::reached_here;

use super::probe::{self, Heard};

/// Ports at which a bot's debugger listens, not the bot: Node's and Python's.
const DEBUGGERS: [u16; 3] = [9229, 9230, 5678];

/// What is known of a bot's ports so far.
#[derive(Default)]
pub(super) struct Search {
    /// Those of the last look.
    before: BTreeSet<SocketAddr>,
    /// Those that were asked when one was chosen.
    asked: BTreeSet<SocketAddr>,
    chosen: Option<(SocketAddr, Heard)>,
}

impl Search {
    /// Some port is taken for the bot's.
    pub(super) fn has_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Takes where the bot's processes listen now. Answers the port that is taken for the bot's and what it says, once
    /// that is another than before.
    pub(super) async fn look(&mut self, mut listening: BTreeSet<SocketAddr>) -> Option<(SocketAddr, Heard)> {
        listening.retain(|at| !DEBUGGERS.contains(&at.port()));
        // A bot that opens several ports at once has opened them all when two looks see the same.
        let settled = listening == self.before;
        self.before = listening;
        if !settled || self.before.is_empty() || !self.is_to_be_asked() {
            return None;
        }
        self.asked.clone_from(&self.before);
        let mut best: Option<((u8, bool), SocketAddr, Heard)> = None;
        for port in &self.asked {
            let heard = probe::ask(reached(*port)).await;
            // Of those that say no more than others, the one that was chosen before stays.
            let is_other = self.chosen.as_ref().is_some_and(|(chosen, _)| chosen != port);
            let rank = (rank(&heard), is_other);
            if best.as_ref().is_none_or(|(before, ..)| rank < *before) {
                best = Some((rank, *port, heard));
            }
        }
        let found = best.map(|(_, port, heard)| (port, heard));
        if found == self.chosen {
            return None;
        }
        self.chosen.clone_from(&found);
        found
    }

    /// None was chosen, it is gone, or it does not look much like a bot and there are others since.
    fn is_to_be_asked(&self) -> bool {
        match &self.chosen {
            None => true,
            Some((port, _)) if !self.before.contains(port) => true,
            Some((_, Heard::Paths(_))) => false,
            Some(_) => !self.before.is_subset(&self.asked),
        }
    }
}

/// The less, the more it looks like a bot.
fn rank(heard: &Heard) -> u8 {
    match heard {
        Heard::Paths(_) => 0,
        Heard::Any(_) => 1,
        Heard::NoneUsual => 2,
        Heard::NotHttp => 3,
    }
}

/// How a listener is reached from here.
pub(super) fn reached(listener: SocketAddr) -> SocketAddr {
    // A listener on all addresses takes IPv4 as well, unless it says otherwise, which few do.
    let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), listener.port());
    reached_here(if listener.ip().is_unspecified() { any } else { listener })
}

#[cfg(test)]
mod tests {
    use super::probe::tests::bot;
    use super::*;

    const METRICS: fn(&str) -> &'static str = |_| "HTTP/1.1 204 No Content\r\n\r\n";
    const BOT: fn(&str) -> &'static str = |line| match line {
        "OPTIONS /api/calls HTTP/1.1" => "HTTP/1.1 405 Method Not Allowed\r\nallow: POST\r\n\r\n",
        _ => "HTTP/1.1 404 Not Found\r\n\r\n",
    };

    #[tokio::test]
    async fn a_port_that_opens_later_is_asked_until_one_has_a_bots_path() {
        let (metrics, is_bot) = (bot(METRICS).await, bot(BOT).await);
        let mut search = Search::default();
        let at = |ports: &[SocketAddr]| ports.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(search.look(at(&[metrics])).await, None, "there may be more");
        assert_eq!(search.look(at(&[metrics])).await, Some((metrics, Heard::Any(true))));
        assert_eq!(search.look(at(&[metrics, is_bot])).await, None);
        let found = Some((is_bot, Heard::Paths(vec!["/api/calls"])));
        assert_eq!(search.look(at(&[metrics, is_bot])).await, found);
        let third = bot(BOT).await;
        for _ in 0..2 {
            assert_eq!(search.look(at(&[metrics, is_bot, third])).await, None, "one was found");
        }
    }

    #[tokio::test]
    async fn of_two_that_say_the_same_the_first_stays_until_it_goes() {
        let (one, other) = (bot(METRICS).await, bot(METRICS).await);
        let (low, high) = (one.min(other), one.max(other));
        let mut search = Search::default();
        search.look([high].into()).await;
        assert_eq!(search.look([high].into()).await, Some((high, Heard::Any(true))));
        for _ in 0..2 {
            assert_eq!(search.look([low, high].into()).await, None);
        }
        search.look([low].into()).await;
        assert_eq!(search.look([low].into()).await, Some((low, Heard::Any(true))));
    }

    #[tokio::test]
    async fn a_debugger_is_no_bot_even_alone() {
        let mut search = Search::default();
        for _ in 0..2 {
            assert_eq!(search.look(["127.0.0.1:9229".parse().unwrap()].into()).await, None);
        }
        assert!(!search.has_chosen());
    }

    #[test]
    fn a_listener_is_reached_on_loopback_where_it_can_be() {
        for (listens, reaches) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "127.0.0.1:1"),
            ("[::1]:1", "[::1]:1"),
            ("192.0.2.1:1", "192.0.2.1:1"),
        ] {
            assert_eq!(reached(listens.parse().unwrap()).to_string(), reaches);
        }
    }
}
