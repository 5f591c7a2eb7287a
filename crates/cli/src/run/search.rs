//! Which of the ports that a bot opens is its own: the others are debuggers', metrics', development servers'. It must not
//! ask the server.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use ringback_server::directory::reached_here;

use super::probe::{self, Heard, Port};
use super::processes::is_for_a_debugger;
use crate::limits;

/// What is known of a bot's ports so far.
#[derive(Default)]
pub(super) struct Search {
    /// Those of the last look.
    before: BTreeSet<SocketAddr>,
    /// Those that were asked last, and those of them that said nothing.
    asked: BTreeSet<SocketAddr>,
    silent: BTreeSet<SocketAddr>,
    /// Looks since then, and how many there are before the silent ones are asked again.
    looks: u32,
    pause: u32,
    chosen: Option<(SocketAddr, Port)>,
}

impl Search {
    /// Some port is taken for the bot's.
    pub(super) fn has_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Takes where the bot's processes listen now. Answers the port that is taken for the bot's and what it says, once
    /// that is another than before.
    pub(super) async fn look(&mut self, listening: BTreeSet<SocketAddr>) -> Option<Port> {
        // A bot that opens several ports at once has opened them all when two looks see the same.
        let settled = listening == self.before;
        self.before = listening;
        self.looks = self.looks.saturating_add(1);
        if !settled || self.before.is_empty() || !self.is_to_be_asked() {
            return None;
        }
        let is_again = self.before.is_subset(&self.asked);
        self.pause = if is_again { (self.pause * 2).min(limits::SILENT_AT_MOST) } else { limits::SILENT };
        self.asked.clone_from(&self.before);
        self.silent.clear();
        let chosen = self.chosen.take();
        let mut best: Option<((u8, bool), SocketAddr, Port)> = None;
        for listener in self.asked.iter().filter(|listener| !is_for_a_debugger(listener.port())) {
            let before = chosen.as_ref().filter(|(chosen, _)| chosen == listener);
            let mut port = probe::ask(reached(*listener)).await;
            match (&port.heard, before) {
                // It has answered before, and is busy now.
                (Heard::Silent, Some((_, before))) => port = before.clone(),
                (Heard::Silent, None) => _ = self.silent.insert(*listener),
                _ => {}
            }
            let Some(rank) = rank(&port.heard) else { continue };
            // Of those that say no more than others, the one that was chosen before stays.
            let rank = (rank, chosen.is_some() && before.is_none());
            if best.as_ref().is_none_or(|(before, ..)| rank < *before) {
                best = Some((rank, *listener, port));
            }
        }
        self.looks = 0;
        self.chosen = best.map(|(_, listener, port)| (listener, port));
        let found = self.chosen.clone().filter(|_| self.chosen != chosen);
        found.map(|(_, port)| port)
    }

    /// None was chosen, it is gone, or it does not look much like a bot and there are others since, or silent ones that
    /// may have more to say by now.
    fn is_to_be_asked(&self) -> bool {
        let others = !self.before.is_subset(&self.asked);
        let again = !self.before.is_disjoint(&self.silent) && self.looks >= self.pause;
        match &self.chosen {
            Some((port, _)) if !self.before.contains(port) => true,
            Some((_, Port { heard: Heard::Paths(_), .. })) => false,
            _ => others || again,
        }
    }
}

/// The less, the more it looks like a bot; `None`: not at all, or not yet.
fn rank(heard: &Heard) -> Option<u8> {
    match heard {
        Heard::Paths(_) => Some(0),
        Heard::Any(_) => Some(1),
        Heard::NoneUsual => Some(2),
        Heard::NotHttp => Some(3),
        Heard::Debugger | Heard::Silent => None,
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
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::probe::tests::bot;
    use super::*;

    const METRICS: fn(&str) -> &'static str = |_| "HTTP/1.1 204 No Content\r\n\r\n";
    const BOT: fn(&str) -> &'static str = |line| match line {
        "OPTIONS /api/calls HTTP/1.1" => "HTTP/1.1 405 Method Not Allowed\r\nallow: POST\r\n\r\n",
        _ => "HTTP/1.1 404 Not Found\r\n\r\n",
    };

    /// The ports as one look after the other sees them.
    async fn looks(search: &mut Search, ports: &[SocketAddr], times: u32) -> Option<(SocketAddr, Heard)> {
        let mut found = None;
        for _ in 0..times {
            found = search.look(ports.iter().copied().collect()).await.map(|port| (port.at, port.heard));
        }
        found
    }

    #[tokio::test]
    async fn a_port_that_opens_later_is_asked_until_one_has_a_bots_path() {
        let (metrics, is_bot) = (bot(METRICS).await, bot(BOT).await);
        let mut search = Search::default();
        assert_eq!(looks(&mut search, &[metrics], 1).await, None, "there may be more");
        assert_eq!(looks(&mut search, &[metrics], 1).await, Some((metrics, Heard::Any(true))));
        assert_eq!(looks(&mut search, &[metrics, is_bot], 1).await, None);
        let found = Some((is_bot, Heard::Paths(vec!["/api/calls"])));
        assert_eq!(looks(&mut search, &[metrics, is_bot], 1).await, found);
        let third = bot(BOT).await;
        assert_eq!(looks(&mut search, &[metrics, is_bot, third], 2).await, None, "one was found");
    }

    #[tokio::test]
    async fn of_two_that_say_the_same_the_first_stays_until_it_goes() {
        let (one, other) = (bot(METRICS).await, bot(METRICS).await);
        let (low, high) = (one.min(other), one.max(other));
        let mut search = Search::default();
        assert_eq!(looks(&mut search, &[high], 2).await, Some((high, Heard::Any(true))));
        assert_eq!(looks(&mut search, &[low, high], 2).await, None);
        assert_eq!(looks(&mut search, &[low], 2).await, Some((low, Heard::Any(true))));
    }

    #[tokio::test]
    async fn a_debugger_is_no_bot_even_alone() {
        let debugger = bot(|_| "HTTP/1.0 400 Bad Request\r\n\r\nWebSockets request was expected\r\n").await;
        let mut search = Search::default();
        assert_eq!(looks(&mut search, &[debugger], 2).await, None);
        assert!(!search.has_chosen());
        let cors = bot(|_| "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n\r\n").await;
        assert_eq!(looks(&mut search, &[debugger, cors], 2).await, Some((cors, Heard::Any(false))));
    }

    #[tokio::test]
    async fn a_silent_port_is_asked_again_and_one_that_was_chosen_may_be_busy() {
        static IS_READY: AtomicBool = AtomicBool::new(false);
        let slow = bot(|line| if IS_READY.load(Ordering::Relaxed) { BOT(line) } else { "" }).await;
        let mut search = Search::default();
        assert_eq!(looks(&mut search, &[slow], 2).await, None);
        assert!(!search.has_chosen());
        IS_READY.store(true, Ordering::Relaxed);
        assert_eq!(looks(&mut search, &[slow], limits::SILENT - 1).await, None, "not at once");
        assert_eq!(looks(&mut search, &[slow], 1).await, Some((slow, Heard::Paths(vec!["/api/calls"]))));

        static IS_BUSY: AtomicBool = AtomicBool::new(false);
        let busy = bot(|line| if IS_BUSY.load(Ordering::Relaxed) { "" } else { METRICS(line) }).await;
        let mut search = Search::default();
        assert_eq!(looks(&mut search, &[busy], 2).await, Some((busy, Heard::Any(true))));
        IS_BUSY.store(true, Ordering::Relaxed);
        let none = bot(|_| "HTTP/1.1 404 Not Found\r\n\r\n").await;
        assert_eq!(looks(&mut search, &[busy, none], 2).await, None);
        assert!(search.has_chosen());
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
