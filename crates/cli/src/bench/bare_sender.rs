//! What `bench media` holds the server against: a thread that sends the same packets at the same pace and does nothing
//! else, and then as fast as it can, which is the machine's limit. A process of its own.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use ringback_media::rtp;
use serde_json::json;

use super::far_ends::{SAMPLES, SLOT, SLOTS};
use super::process::Orders;
use crate::Failure;

/// Packets sent between two looks at the clock.
const STRIDE: usize = 64;

/// Speaks with the parent over stdin and stdout.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut orders = Orders::open();
    let order = orders.next().await?;
    let targets = order["targets"].as_array().ok_or("no targets")?;
    let mut legs = Vec::with_capacity(targets.len());
    for target in targets {
        let target: SocketAddr = target.as_str().ok_or("no target")?.parse()?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(target)?;
        legs.push(Leg { socket, sequence: 0 });
    }
    let addresses: Vec<SocketAddr> = legs.iter().map(|leg| leg.socket.local_addr()).collect::<Result<_, _>>()?;
    println!("{}", json!({ "addresses": addresses }));
    loop {
        let order = orders.next().await?;
        let seconds = Duration::from_secs_f64(order["seconds"].as_f64().ok_or("no seconds")?);
        let paced = order["paced"] == true;
        let sending = thread::spawn(move || {
            let sent = if paced { pace(&mut legs, seconds) } else { flood(&mut legs, seconds) };
            (legs, sent)
        });
        // Nothing else is to be done meanwhile.
        let sent;
        (legs, sent) = sending.join().map_err(|_| "the sender broke")?;
        println!("{}", json!({ "packets_per_s": sent as f64 / seconds.as_secs_f64() }));
    }
}

struct Leg {
    socket: UdpSocket,
    sequence: u16,
}

impl Leg {
    fn send(&mut self, bytes: &mut Vec<u8>) -> u64 {
        let timestamp = u32::from(self.sequence) * SAMPLES as u32;
        rtp::Packet {
            payload_type: 0,
            marker: false,
            sequence: self.sequence,
            timestamp,
            ssrc: 1,
            payload: &[0xFF; SAMPLES],
        }
        .write(bytes);
        self.sequence = self.sequence.wrapping_add(1);
        u64::from(self.socket.send(bytes).is_ok())
    }
}

fn pace(legs: &mut [Leg], time: Duration) -> u64 {
    // The kernel may otherwise wake a thread 50 µs late, to wake several at once.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let (start, mut bytes, mut sent) = (Instant::now(), Vec::new(), 0);
    for slot in 0u64.. {
        let due = Duration::from_nanos(SLOT.as_nanos() as u64 * slot);
        if due >= time {
            break;
        }
        thread::sleep((start + due).saturating_duration_since(Instant::now()));
        let mine = legs.iter_mut().skip((slot % SLOTS) as usize).step_by(SLOTS as usize);
        sent += mine.map(|leg| leg.send(&mut bytes)).sum::<u64>();
    }
    sent
}

fn flood(legs: &mut [Leg], time: Duration) -> u64 {
    let (start, mut bytes, mut sent, mut next) = (Instant::now(), Vec::new(), 0, 0);
    while start.elapsed() < time {
        for _ in 0..STRIDE {
            sent += legs[next].send(&mut bytes);
            next = (next + 1) % legs.len();
        }
    }
    sent
}
