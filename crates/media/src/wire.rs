//! What a leg's packets travel by: two sockets of its own (where they are bound, whom they believe, where they send), or a
//! port. Knows no RTP beyond the rule that control runs on the next port (RFC 3550 §11).

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::OpenError;
use crate::port::ShardEnd;

/// The ports legs may take: pairs of an even one for RTP and the next for RTCP.
#[derive(Debug)]
pub(crate) struct Ports {
    bind: IpAddr,
    first: u16,
    pairs: u16,
    state: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    ports: HashSet<u16>,
    /// Pairs are handed out in turn, so that a late packet of an ended call seldom meets the next one.
    next: u16,
}

impl Ports {
    /// `None` if the range holds no pair.
    pub(crate) fn new(bind: IpAddr, range: RangeInclusive<u16>) -> Option<Arc<Ports>> {
        let first = range.start().checked_next_multiple_of(2)?;
        let pairs = (u32::from(*range.end()) + 1).checked_sub(u32::from(first))? / 2;
        let pairs = u16::try_from(pairs).ok().filter(|&n| n > 0)?;
        Some(Arc::new(Ports { bind, first, pairs, state: Mutex::default() }))
    }

    /// Binds the next free pair. Ports that others hold are passed over.
    pub(crate) fn bind(self: &Arc<Self>) -> Result<Pair, OpenError> {
        let mut taken = self.taken();
        for _ in 0..self.pairs {
            let port = self.first + 2 * taken.next;
            taken.next = (taken.next + 1) % self.pairs;
            if taken.ports.contains(&port) {
                continue;
            }
            match self.sockets(port) {
                Ok((rtp, rtcp)) => {
                    taken.ports.insert(port);
                    return Ok(Pair { rtp, rtcp, lease: Lease { ports: Arc::clone(self), port } });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(OpenError::Io(error)),
            }
        }
        Err(OpenError::NoPort)
    }

    fn sockets(&self, port: u16) -> io::Result<(UdpSocket, UdpSocket)> {
        let rtp = UdpSocket::bind((self.bind, port))?;
        let rtcp = UdpSocket::bind((self.bind, port + 1))?;
        rtp.set_nonblocking(true)?;
        rtcp.set_nonblocking(true)?;
        Ok((rtp, rtcp))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two bound sockets. Dropped, their ports are free again.
#[derive(Debug)]
pub(crate) struct Pair {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// Last, so that the sockets are closed before the ports are handed out again.
    lease: Lease,
}

impl Pair {
    /// Where RTP is received.
    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.lease.ports.bind, self.lease.port)
    }
}

#[derive(Debug)]
struct Lease {
    ports: Arc<Ports>,
    port: u16,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ports.taken().ports.remove(&self.port);
    }
}

/// What a leg's packets travel by.
#[derive(Debug)]
pub(crate) enum Wire {
    /// Sockets of the shard.
    Sockets(Sockets),
    /// Somebody else's wire, who knows the far end, and speaks RTCP with it.
    Port(ShardEnd),
}

impl Wire {
    /// Reads one RTP packet, without waiting.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Read {
        match self {
            Wire::Sockets(sockets) => sockets.read(buffer),
            Wire::Port(port) => port.read(buffer).map_or(Read::Empty, |length| Read::Packet(length, None)),
        }
    }

    /// Believes the source of a packet of the session from now on, and no other.
    pub(crate) fn latch(&mut self, source: Option<SocketAddr>) {
        if let (Wire::Sockets(sockets), Some(source)) = (self, source) {
            sockets.latch(source);
        }
    }

    /// Sends an RTP packet; one that is not taken is lost, as the network might have lost it.
    pub(crate) fn send(&self, packet: &[u8]) -> bool {
        match self {
            Wire::Sockets(sockets) => sockets.send(packet),
            Wire::Port(port) => port.send(packet),
        }
    }

    /// Sends an RTCP packet, where that is ours to do.
    pub(crate) fn send_rtcp(&self, packet: &[u8]) -> bool {
        match self {
            Wire::Sockets(sockets) => sockets.send_rtcp(packet),
            Wire::Port(_) => true,
        }
    }
}

/// The sockets of a leg, and the far end they belong to.
#[derive(Debug)]
pub(crate) struct Sockets {
    pair: Pair,
    far: Option<Far>,
}

#[derive(Clone, Copy, Debug)]
struct Far {
    /// From the SDP.
    addr: SocketAddr,
    any_source: bool,
    /// Where we send, and if latched the only source we believe.
    peer: SocketAddr,
    latched: bool,
    /// The kernel knows the peer too.
    connected: bool,
}

/// What a read of the RTP socket gave.
pub(crate) enum Read {
    /// Nothing more for now.
    Empty,
    /// Something that is not a packet of the far end.
    Stranger,
    /// A packet of that length, of a source that may be the far end. By a port there is no other.
    Packet(usize, Option<SocketAddr>),
}

impl Sockets {
    pub(crate) fn new(pair: Pair) -> Sockets {
        Sockets { pair, far: None }
    }

    /// Its RTP and its RTCP socket, to be watched.
    pub(crate) fn both(&self) -> (&UdpSocket, &UdpSocket) {
        (&self.pair.rtp, &self.pair.rtcp)
    }

    /// The far end by a new SDP. The same strict address changes nothing. A strict one is the only source there can be,
    /// so the kernel is told of it at once; behind a NAT that waits for the first packet.
    pub(crate) fn aim(&mut self, addr: SocketAddr, any_source: bool) {
        let peer = match self.far {
            Some(far) if far.addr == addr && !far.any_source && !any_source => return,
            // Behind a NAT the way back is the one that worked, until another packet shows a better one.
            Some(far) if far.addr == addr && far.any_source && any_source => far.peer,
            _ => addr,
        };
        if self.far.is_some_and(|far| far.connected)
            && let Err(error) = rustix::net::connect_unspec(&self.pair.rtp)
        {
            tracing::warn!(%error, "media socket stays connected");
        }
        self.far = Some(Far { addr, any_source, peer, latched: false, connected: false });
        if !any_source {
            self.latch(addr);
        }
    }

    /// Believes this source from now on, and no other; strangers' packets then die in the kernel, and sending is
    /// cheaper.
    fn latch(&mut self, source: SocketAddr) {
        let Some(far) = self.far.as_mut().filter(|far| !far.latched) else { return };
        far.latched = true;
        far.peer = source;
        match self.pair.rtp.connect(source) {
            Ok(()) => far.connected = true,
            Err(error) => tracing::warn!(%error, "media socket stays unconnected"),
        }
    }

    /// Reads one RTP packet, without waiting.
    fn read(&self, buffer: &mut [u8]) -> Read {
        let (length, source) = match self.pair.rtp.recv_from(buffer) {
            Ok(read) => read,
            // The far end's "port unreachable" to something we sent: there may be packets behind it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Read::Stranger,
            Err(_) => return Read::Empty,
        };
        match self.far {
            Some(far) if source == far.peer || (!far.latched && far.any_source) => Read::Packet(length, Some(source)),
            _ => Read::Stranger,
        }
    }

    /// Reads one RTCP packet, without waiting: its length, or 0 if a stranger sent it.
    /// Its port may be any (a NAT chooses it), its address must be the far end's.
    pub(crate) fn read_rtcp(&self, buffer: &mut [u8]) -> Option<usize> {
        let (length, source) = self.pair.rtcp.recv_from(buffer).ok()?;
        let known = self.far.is_some_and(|far| source.ip() == far.peer.ip());
        Some(if known { length } else { 0 })
    }

    /// Sends an RTP packet; one that the kernel does not take is lost, as the network might have lost it.
    fn send(&self, packet: &[u8]) -> bool {
        match self.far {
            Some(far) if far.connected => match self.pair.rtp.send(packet) {
                // That was about an earlier packet, and this one was not sent.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.pair.rtp.send(packet).is_ok(),
                sent => sent.is_ok(),
            },
            Some(far) => self.pair.rtp.send_to(packet, far.peer).is_ok(),
            None => false,
        }
    }

    /// Sends an RTCP packet to the port after the far end's.
    fn send_rtcp(&self, packet: &[u8]) -> bool {
        let Some(far) = self.far else { return false };
        let Some(port) = far.peer.port().checked_add(1) else { return false };
        self.pair.rtcp.send_to(packet, SocketAddr::new(far.peer.ip(), port)).is_ok()
    }
}
