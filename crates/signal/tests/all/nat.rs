//! Behind NAT, theirs and ours: where answers, requests and audio go, and what our messages say.

use ringback_signal::{Destination, Peer};

use crate::peer::{Raw, SDP, to_tag, value};
use crate::world::{HERE, World, soon};

#[tokio::test]
async fn what_we_say_of_ourselves_is_the_public_address() {
    let mut world = World::reached_at("198.51.100.7".parse().unwrap()).await;
    let raw = Raw::trunk(&world).await;
    let port = world.sip.local_addr().port();
    world.place(Destination::Uri(raw.contact()));
    let invite = raw.expect("INVITE").await;
    let ours = format!("198.51.100.7:{port}");
    assert!(value(&invite, "Via").unwrap().starts_with(&format!("SIP/2.0/UDP {ours};")), "{invite}");
    assert_eq!(value(&invite, "Contact"), Some(format!("<sip:{ours}>").as_str()));
    assert!(invite.contains("c=IN IP4 198.51.100.7\r\n"), "{invite}");
    raw.send(&raw.request("INVITE", "x", 1, None, SDP, &raw.sdp("0", ""))).await;
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let ok = raw.expect("SIP/2.0 200").await;
    assert_eq!(value(&ok, "Contact"), Some(format!("<sip:{ours}>").as_str()));
    assert!(ok.contains("c=IN IP4 198.51.100.7\r\n"), "{ok}");
}

/// RFC 3581: whoever asks with `rport` is answered where it came from, whatever its `Via` says.
#[tokio::test]
async fn an_answer_goes_where_its_request_came_from() {
    let world = World::start().await;
    let raw = Raw::start(&world).await;
    let here = raw.address();
    for method in ["OPTIONS", "FROB"] {
        let request = raw.request(method, "x", 1, None, "", "");
        raw.send(&request.replace(&format!("UDP {here}"), "UDP 192.0.2.9:5060")).await;
        let answer = raw.receive().await;
        if method == "OPTIONS" {
            let via = value(&answer, "Via").unwrap();
            assert!(
                via.contains(&format!("received={HERE}")) && via.contains(&format!("rport={}", here.port())),
                "{via}"
            );
        }
    }
}

/// Audio goes to the address that was agreed; elsewhere only for whom the operator said so.
#[tokio::test]
async fn audio_of_a_far_end_behind_nat_goes_where_it_comes_from() {
    for nat in [true, false] {
        let mut world = World::start().await;
        let raw = Raw::trunk(&world).await;
        if nat {
            world.directory.natted.lock().unwrap().push(Peer::Trunk("carrier".into()));
        }
        // The description names a port where nobody is; the audio comes from another.
        let nowhere = tokio::net::UdpSocket::bind((HERE, 0)).await.unwrap();
        let port = |socket: &tokio::net::UdpSocket| socket.local_addr().unwrap().port().to_string();
        let sdp = raw.sdp("0", "").replace(&port(&raw.rtp), &port(&nowhere));
        raw.send(&raw.request("INVITE", "x", 1, None, SDP, &sdp)).await;
        let leg = world.incoming().await;
        world.sip.accept(leg);
        let ok = raw.expect("SIP/2.0 200").await;
        raw.send(&raw.request("ACK", "x", 1, Some(&to_tag(&ok)), "", "")).await;
        world.answered(leg).await;
        let ours = ok.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
        let ours: u16 = ours.split(' ').next().unwrap().parse().unwrap();
        let rtp =
            |sequence: u8| [&[0x80, 0, 0, sequence, 0, 0, 0, sequence, 1, 2, 3, 4], [0xff; 160].as_slice()].concat();
        let (mut heard, mut agreed) = ([0; 2_048], [0; 2_048]);
        let (mut at_source, mut sequence) = (false, 0);
        let audio = async {
            loop {
                raw.rtp.send_to(&rtp(sequence), (HERE, ours)).await.unwrap();
                sequence = sequence.wrapping_add(1);
                tokio::select! {
                    _ = raw.rtp.recv_from(&mut heard) => {
                        at_source = true;
                        return;
                    }
                    // It must not leave the address that was agreed for whoever speaks first.
                    _ = nowhere.recv_from(&mut agreed) => if !nat && sequence > 20 {
                        return;
                    },
                }
            }
        };
        soon(audio).await;
        assert_eq!(at_source, nat);
    }
}

/// A refresh describes the same session: whoever hears of the port meanwhile does not get the audio.
#[tokio::test]
async fn audio_from_behind_nat_stays_where_it_was_found_when_the_session_is_refreshed() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    world.directory.natted.lock().unwrap().push(Peer::Trunk("carrier".into()));
    let nowhere = tokio::net::UdpSocket::bind((HERE, 0)).await.unwrap();
    let stranger = tokio::net::UdpSocket::bind((HERE, 0)).await.unwrap();
    let port = |socket: &tokio::net::UdpSocket| socket.local_addr().unwrap().port().to_string();
    let sdp = raw.sdp("0", "").replace(&port(&raw.rtp), &port(&nowhere));
    raw.send(&raw.request("INVITE", "x", 1, None, SDP, &sdp)).await;
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let ok = raw.expect("SIP/2.0 200").await;
    let tag = to_tag(&ok);
    raw.send(&raw.request("ACK", "x", 1, Some(&tag), "", "")).await;
    world.answered(leg).await;
    let ours = ok.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
    let ours: u16 = ours.split(' ').next().unwrap().parse().unwrap();
    let rtp = |sequence: u8| [&[0x80, 0, 0, sequence, 0, 0, 0, sequence, 1, 2, 3, 4], [0xff; 160].as_slice()].concat();
    let (mut packet, mut lost) = ([0; 2_048], [0; 2_048]);
    let found = async {
        for sequence in 0.. {
            raw.rtp.send_to(&rtp(sequence), (HERE, ours)).await.unwrap();
            tokio::select! {
                _ = raw.rtp.recv_from(&mut packet) => return,
                _ = nowhere.recv_from(&mut lost) => {}
            }
        }
    };
    soon(found).await;
    raw.send(&raw.request("INVITE", "x", 2, Some(&tag), SDP, &sdp)).await;
    raw.expect("SIP/2.0 200").await;
    raw.send(&raw.request("ACK", "x", 2, Some(&tag), "", "")).await;
    for sequence in 0..20 {
        stranger.send_to(&rtp(sequence), (HERE, ours)).await.unwrap();
        soon(raw.rtp.recv_from(&mut packet)).await.unwrap();
    }
    assert!(stranger.try_recv_from(&mut packet).is_err(), "it hears nothing");
}

#[tokio::test]
async fn a_lying_contact_of_a_phone_behind_nat_is_not_believed() {
    let world = World::start().await;
    let raw = Raw::start(&world).await;
    world.directory.natted.lock().unwrap().push(Peer::User("1001".into()));
    let as_user = |request: String| {
        let request = request.replace("sip:+1555@", "sip:1001@").replace("sip:bot@", "sip:1001@");
        request.replace(&format!("Contact: <sip:x@{}>", raw.address()), "Contact: <sip:1001@192.0.2.77:5060>")
    };
    raw.send(&as_user(raw.request("REGISTER", "r", 1, None, "", ""))).await;
    let challenge = raw.expect("SIP/2.0 401").await;
    let challenge = value(&challenge, "WWW-Authenticate").unwrap();
    let credentials = crate::world::credentials(challenge, "REGISTER", "sip:x");
    raw.send(&as_user(raw.request("REGISTER", "r", 2, None, &credentials, ""))).await;
    raw.expect("SIP/2.0 200").await;
    // Heard and said again, it is worth nothing; nor is a registration that is too brief.
    raw.send(&as_user(raw.request("REGISTER", "replayed", 3, None, &credentials, ""))).await;
    let stale = raw.expect("SIP/2.0 401").await;
    assert!(value(&stale, "WWW-Authenticate").unwrap().contains("stale=true"), "{stale}");
    let credentials = crate::world::credentials(value(&stale, "WWW-Authenticate").unwrap(), "REGISTER", "sip:x");
    raw.send(&as_user(raw.request("REGISTER", "brief", 4, None, &format!("{credentials}\r\nExpires: 5"), ""))).await;
    assert_eq!(value(&raw.expect("SIP/2.0 423").await, "Min-Expires"), Some("10"));
    world.place(Destination::User("1001".into()));
    let invite = raw.expect("INVITE").await;
    assert!(invite.starts_with("INVITE sip:1001@192.0.2.77:5060 "), "{invite}");
}
