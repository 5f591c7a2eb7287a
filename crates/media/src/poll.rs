//! What a shard waits for: packets on its sockets, a command, its next slot. Readiness comes from the kernel (epoll), so
//! a socket without a packet costs nothing. Knows no leg beyond its place, and reads nothing.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

use crate::limits::READY_AT_ONCE;
use crate::wire::Sockets;

/// Marks the waker among the tokens of sockets.
const WOKEN: u64 = u64::MAX;

/// A socket that holds a packet, by its leg's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// RTP.
    Rtp(usize),
    /// RTCP.
    Rtcp(usize),
}

/// The waiting side, owned by the shard.
#[derive(Debug)]
pub(crate) struct Poll {
    epoll: OwnedFd,
    /// Tokens of the last wait.
    ready: Vec<u64>,
    /// Kept, because a waker that is closed takes its last wake-up with it.
    _waker: Waker,
}

/// Ends a wait, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(crate) fn wake(&self) {
        // It fails only when the count is full, and then the shard is being woken already.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

impl Poll {
    pub(crate) fn new() -> io::Result<(Poll, Waker)> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let waker = Waker(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
        // By edge: each write ends one wait, and nobody needs to read the count.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &*waker.0, epoll::EventData::new_u64(WOKEN), flags)?;
        Ok((Poll { epoll, ready: Vec::with_capacity(READY_AT_ONCE), _waker: waker.clone() }, waker))
    }

    /// Watches a leg's two sockets until they are closed. By level: what is not read now is told again.
    pub(crate) fn watch(&self, place: usize, sockets: &Sockets) -> io::Result<()> {
        let (rtp, rtcp) = sockets.both();
        let token = 2 * place as u64;
        epoll::add(&self.epoll, rtp, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?;
        epoll::add(&self.epoll, rtcp, epoll::EventData::new_u64(token + 1), epoll::EventFlags::IN)?;
        Ok(())
    }

    /// Waits for anything, at most so long; without a time, for ever. Returns how many sockets to ask
    /// [`ready`](Poll::ready) about.
    pub(crate) fn wait(&mut self, time: Option<Duration>) -> usize {
        let time = time.map(|time| Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() });
        let mut events = [MaybeUninit::uninit(); READY_AT_ONCE];
        self.ready.clear();
        // Interrupted, it is as if nothing had come.
        if let Ok((ready, _)) = epoll::wait(&self.epoll, &mut events, time.as_ref()) {
            self.ready.extend(ready.iter().map(|event| event.data.u64()));
        }
        self.ready.len()
    }

    /// The socket of an event of the last wait; `None` if it was the waker.
    pub(crate) fn ready(&self, event: usize) -> Option<Ready> {
        let token = self.ready[event];
        let place = (token / 2) as usize;
        match token {
            WOKEN => None,
            _ if token.is_multiple_of(2) => Some(Ready::Rtp(place)),
            _ => Some(Ready::Rtcp(place)),
        }
    }
}
