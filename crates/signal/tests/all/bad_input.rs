//! Thousands of broken datagrams do no harm.

use tokio::net::UdpSocket;

use crate::world::{HERE, World, soon};
use ringback_signal::{EndCause, Flow, LegEvent};

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

const SEEDS: [&str; 4] = [
    "INVITE sip:bot@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1;rport\r\nFrom: \"A\" <sip:1001@127.0.0.1>;tag=1\r\nTo: <sip:bot@127.0.0.1>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContact: <sip:1001@127.0.0.1:9;ob>\r\nAuthorization: Digest username=\"1001\", realm=\"ringback\", nonce=\"00\", uri=\"sip:x\", response=\"00\", qop=auth, nc=00000001, cnonce=\"x\"\r\nContent-Type: application/sdp\r\nContent-Length: 81\r\n\r\nv=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n",
    "REGISTER sip:127.0.0.1 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK2\r\nf: <sip:1001@127.0.0.1>;tag=1\r\nt: <sip:1001@127.0.0.1>\r\ni: b\r\nCSeq: 1 REGISTER\r\nm: <sip:1001@127.0.0.1:9>;expires=60, *\r\nExpires: 3600\r\nl: 0\r\n\r\n",
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK3\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nRecord-Route: <sip:p;lr>,<sip:q;lr>\r\nContact: <sip:x@y>\r\nContent-Length: 0\r\n\r\n",
    "BYE sip:bot@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK4\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: d\r\nCSeq: 4294967295 BYE\r\nContent-Length: 0\r\n\r\n",
];

fn broken(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = SEEDS[dice.roll(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..=dice.roll(12) {
        if bytes.len() < 2 {
            break;
        }
        let at = dice.roll(bytes.len());
        match dice.roll(6) {
            0 => bytes[at] = dice.roll(256) as u8,
            1 => bytes.insert(at, b"<>\";,:@=% \r\n*\0\xff"[dice.roll(15)]),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at + 1),
            4 => {
                let piece = bytes[at..(at + dice.roll(40)).min(bytes.len())].to_vec();
                let to = dice.roll(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_broken_datagrams_and_then_a_call() {
    let mut world = World::start().await;
    let socket = UdpSocket::bind((HERE, 0)).await.unwrap();
    // The parts of a trunk are open to it, so that the broken messages get further.
    world.directory.trunks.lock().unwrap().insert(Flow::udp(socket.local_addr().unwrap()), "carrier".into());
    let stranger = UdpSocket::bind((HERE, 0)).await.unwrap();
    let mut dice = Dice(0x5EED);
    for n in 0..5_000 {
        let from = if n % 2 == 0 { &socket } else { &stranger };
        from.send_to(&broken(&mut dice), world.sip.local_addr()).await.unwrap();
        if n % 20 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // Some of what the trunk sent was still a call; those ring until refused.
    let phone = world.phone("1001").await;
    let call = tokio::spawn(async move { phone.call("after").await });
    let leg = loop {
        match world.event().await {
            (leg, LegEvent::Incoming(call)) if call.called == "after" => break leg,
            (leg, LegEvent::Incoming(_)) => world.sip.decline(leg, 486),
            (_, LegEvent::Ended(_)) => {}
            (_, other) => panic!("{other:?}"),
        }
    };
    world.sip.accept(leg);
    let call = soon(call).await.unwrap().unwrap();
    soon(call.hang_up()).await;
    loop {
        if world.event().await == (leg, LegEvent::Ended(EndCause::FarHangUp)) {
            break;
        }
    }
    world.no_leg_is_left().await;
}
