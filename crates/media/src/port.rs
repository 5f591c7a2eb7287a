//! A port: the way of a leg's RTP packets between the shard and whoever carries them to the far end (WebRTC). Two bounded
//! rings; neither side ever waits for the other, and a packet that finds its ring full is lost, as the network might have
//! lost it. No packet is allocated. Knows no RTP.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::limits::{PORT_PACKET_BYTES, PORT_PACKETS};

struct Packet {
    length: u16,
    bytes: [u8; PORT_PACKET_BYTES],
}

/// The end of whoever carries the packets.
pub struct Port {
    to_shard: SyncSender<Packet>,
    from_shard: Receiver<Packet>,
}

/// The shard's end.
pub(crate) struct ShardEnd {
    from_port: Receiver<Packet>,
    to_port: SyncSender<Packet>,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// Both ends. `wake` is called when the shard has put a packet in.
pub(crate) fn port(wake: Box<dyn Fn() + Send + Sync>) -> (Port, ShardEnd) {
    let (to_shard, from_port) = sync_channel(PORT_PACKETS);
    let (to_port, from_shard) = sync_channel(PORT_PACKETS);
    (Port { to_shard, from_shard }, ShardEnd { from_port, to_port, wake })
}

impl Port {
    /// Hands an RTP packet of the far end to the leg, which reads it within a slot of 5 ms. False if it is lost: the ring
    /// is full, the packet longer than [`PORT_PACKET_BYTES`], or the leg closed.
    pub fn put(&self, packet: &[u8]) -> bool {
        put(&self.to_shard, packet)
    }

    /// Takes the next RTP packet that the leg sends, if there is one; returns its length in `buffer`.
    pub fn take(&self, buffer: &mut [u8; PORT_PACKET_BYTES]) -> Option<usize> {
        take(&self.from_shard, buffer)
    }
}

impl ShardEnd {
    /// The next packet of the far end, cut to the buffer.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        take(&self.from_port, buffer)
    }

    /// False if it is lost.
    pub(crate) fn send(&self, packet: &[u8]) -> bool {
        let sent = put(&self.to_port, packet);
        (self.wake)();
        sent
    }
}

fn put(ring: &SyncSender<Packet>, packet: &[u8]) -> bool {
    let mut bytes = [0; PORT_PACKET_BYTES];
    let Some(room) = bytes.get_mut(..packet.len()) else { return false };
    room.copy_from_slice(packet);
    ring.try_send(Packet { length: packet.len() as u16, bytes }).is_ok()
}

fn take(ring: &Receiver<Packet>, buffer: &mut [u8]) -> Option<usize> {
    let packet = ring.try_recv().ok()?;
    let length = usize::from(packet.length).min(buffer.len());
    buffer[..length].copy_from_slice(&packet.bytes[..length]);
    Some(length)
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Port")
    }
}

impl fmt::Debug for ShardEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShardEnd")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn packets_keep_their_order_and_bytes_and_a_full_ring_loses_the_last() {
        let woken = Arc::new(AtomicUsize::new(0));
        let (port, shard) = port(Box::new({
            let woken = Arc::clone(&woken);
            move || _ = woken.fetch_add(1, Ordering::Relaxed)
        }));
        let mut buffer = [0; PORT_PACKET_BYTES];
        assert_eq!((port.take(&mut buffer), shard.read(&mut buffer)), (None, None));
        for number in 0..PORT_PACKETS as u8 {
            assert!(port.put(&[number; 172]) && shard.send(&[number, 1]));
        }
        assert!(!port.put(&[9]) && !shard.send(&[9]), "full");
        assert_eq!(woken.load(Ordering::Relaxed), PORT_PACKETS + 1);
        for number in 0..PORT_PACKETS as u8 {
            assert_eq!(port.take(&mut buffer), Some(2));
            assert_eq!(buffer[..2], [number, 1]);
            assert_eq!(shard.read(&mut buffer), Some(172));
            assert_eq!(buffer[..172], [number; 172]);
        }
        assert!(!port.put(&[0; PORT_PACKET_BYTES + 1]), "too long");
        assert!(port.put(&[7; PORT_PACKET_BYTES]));
        assert_eq!(shard.read(&mut buffer[..100]), Some(100), "cut");
        drop(shard);
        assert!(!port.put(&[1]), "closed");
    }
}
