//! Bare datagrams: what no phone of ours would send, and what the answers look like on the wire.

use std::time::Duration;

use ringback_signal::{Destination, EndCause, LegEvent, Peer};
use tokio::net::UdpSocket;

use crate::peer::{Raw, SDP, to_tag, value};
use crate::world::{World, soon};

#[tokio::test]
async fn requests_out_of_any_call() {
    let world = World::start().await;
    let raw = Raw::start(&world).await;
    for (method, tag, status) in [
        ("OPTIONS", None, "200"),
        ("SUBSCRIBE", None, "405"),
        ("MESSAGE", None, "405"),
        ("BYE", None, "481"),
        ("BYE", Some("x"), "481"),
        ("INVITE", Some("x"), "481"),
        ("CANCEL", None, "481"),
        ("FROB", None, "501"),
        ("INVITE", None, "401"),
        ("REGISTER", None, "401"),
    ] {
        raw.send(&raw.request(method, "c1", 1, tag, "", "")).await;
        let answer = raw.receive().await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{method}: {answer}");
        if status == "405" {
            assert!(value(&answer, "Allow").is_some_and(|a| a.contains("INVITE")));
        }
    }
    // An ACK is never answered.
    raw.send(&raw.request("ACK", "c2", 1, None, "", "")).await;
    raw.send(&raw.request("OPTIONS", "c3", 1, None, "", "")).await;
    assert_eq!(value(&raw.receive().await, "Call-ID"), Some("c3"));
}

#[tokio::test]
async fn what_a_401_says_does_not_depend_on_the_user() {
    let world = World::start().await;
    let raw = Raw::start(&world).await;
    let mut answers = Vec::new();
    for user in ["1001", "nobody"] {
        let credentials = format!(
            "Authorization: Digest username=\"{user}\", realm=\"ringback\", nonce=\"x\", uri=\"sip:x\", response=\"y\""
        );
        raw.send(&raw.request("REGISTER", "c", 1, None, &credentials, "")).await;
        let answer = raw.receive().await;
        // What is random: our tag and the nonce.
        let lines = answer.lines().map(|line| line.split(";tag=").next().unwrap());
        let lines: Vec<String> = lines.map(|l| l.split(", nonce=").next().unwrap().to_owned()).collect();
        answers.push((lines, answer.len()));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_source_without_credentials_is_bounded() {
    let world = World::start().await;
    let raw = Raw::start(&world).await;
    for n in 0..1_000 {
        raw.send(&raw.request("OPTIONS", &format!("flood{n}"), 1, None, "", "")).await;
        if n % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // A trunk is not bound by it, so its answer marks the end of what is answered.
    let trunk = Raw::trunk(&world).await;
    trunk.send(&trunk.request("OPTIONS", "end", 1, None, "", "")).await;
    trunk.expect("SIP/2.0 200").await;
    let mut answered = 0;
    while raw.try_receive() {
        answered += 1;
    }
    assert!((1..=400).contains(&answered), "{answered}");
}

#[tokio::test]
async fn unfit_invites_are_refused_with_the_reason() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    let good = raw.sdp("0", "");
    for (call, extra, body, status) in [
        ("a", SDP, raw.sdp("18 4", ""), "488"),
        ("b", SDP, raw.sdp("0", "").replace("AVP", "SAVP"), "488"),
        ("c", SDP, "nonsense".to_owned(), "400"),
        ("d", "Content-Type: text/plain", good.clone(), "415"),
        ("e", "Require: 100rel", good.clone(), "420"),
    ] {
        raw.send(&raw.request("INVITE", call, 1, None, extra, &body)).await;
        let answer = raw.expect("SIP/2.0 4").await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{call}: {answer}");
        raw.send(&raw.request("ACK", call, 1, Some(&to_tag(&answer)), "", "")).await;
    }
    world.nothing_more();
}

#[tokio::test]
async fn an_invite_without_an_offer_gets_one() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    raw.send(&raw.request("INVITE", "late", 1, None, "", "")).await;
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let ok = raw.expect("SIP/2.0 200").await;
    assert!(ok.contains("RTP/AVP 9 0 8 101"), "{ok}");
    let tag = to_tag(&ok);
    let answer = raw.sdp("8", "");
    raw.send(&raw.request("ACK", "late", 1, Some(&tag), SDP, &answer)).await;
    world.answered(leg).await;
    raw.send(&raw.request("BYE", "late", 2, Some(&tag), "", "")).await;
    raw.expect("SIP/2.0 200").await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::FarHangUp));
}

#[tokio::test]
async fn within_a_call_each_request_gets_its_answer() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    raw.send(&raw.request("INVITE", "x", 1, None, SDP, &raw.sdp("0", ""))).await;
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let ok = raw.expect("SIP/2.0 200").await;
    let version = |message: &str| message.lines().find(|l| l.starts_with("o=")).unwrap().to_owned();
    let first = version(&ok);
    let tag = to_tag(&ok);
    raw.send(&raw.request("ACK", "x", 1, Some(&tag), "", "")).await;
    world.answered(leg).await;
    for (method, cseq, status) in [("INFO", 2, "200"), ("OPTIONS", 3, "200"), ("REFER", 4, "405"), ("INFO", 2, "500")] {
        // Not a repetition: that would get the first answer again.
        let request = raw.request(method, "x", cseq, Some(&tag), "", "");
        raw.send(&request.replace("z9hG4bK", &format!("z9hG4bK{status}"))).await;
        let answer = raw.receive().await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{method}: {answer}");
    }
    // Of another's tag: not this call.
    let stranger = raw.request("BYE", "x", 5, Some(&tag), "", "").replace("tag=far", "tag=stranger");
    raw.send(&stranger).await;
    raw.expect("SIP/2.0 481").await;
    // Hold by re-INVITE, with our description's version one on.
    raw.send(&raw.request("INVITE", "x", 6, Some(&tag), SDP, &raw.sdp("0", "a=inactive\r\n"))).await;
    let held = raw.expect("SIP/2.0 200").await;
    assert!(held.contains("a=inactive"), "{held}");
    assert_eq!(version(&held), first.replace(" 1 IN", " 2 IN"));
    assert_eq!(world.event_of(leg).await, LegEvent::Held(true));
    raw.send(&raw.request("ACK", "x", 6, Some(&tag), "", "")).await;
    // One we cannot share leaves the call as it was.
    raw.send(&raw.request("INVITE", "x", 7, Some(&tag), SDP, &raw.sdp("18", ""))).await;
    raw.expect("SIP/2.0 488").await;
    raw.send(&raw.request("ACK", "x", 7, Some(&tag), "", "")).await;
    raw.send(&raw.request("BYE", "x", 8, Some(&tag), "", "")).await;
    raw.expect("SIP/2.0 200").await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::FarHangUp));
    // Again: answered from memory; a new one: no such call.
    raw.send(&raw.request("BYE", "x", 8, Some(&tag), "", "")).await;
    raw.expect("SIP/2.0 200").await;
    raw.send(&raw.request("BYE", "x", 9, Some(&tag), "", "")).await;
    raw.expect("SIP/2.0 481").await;
    world.nothing_more();
}

#[tokio::test]
async fn a_2xx_that_crosses_our_cancel_is_ended_by_bye() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let contact = raw.contact();
    let leg = world.place(Destination::Uri(contact.clone()));
    let invite = raw.expect("INVITE").await;
    raw.send(&raw.response(&invite, "180 Ringing", "far", &contact, "")).await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
    world.sip.hang_up(leg);
    let cancel = raw.expect("CANCEL").await;
    assert_eq!(value(&cancel, "Via"), value(&invite, "Via"));
    raw.send(&raw.response(&invite, "200 OK", "far", &contact, &raw.sdp("0", ""))).await;
    raw.expect("ACK").await;
    let bye = raw.expect("BYE").await;
    assert!(value(&bye, "To").unwrap().ends_with("tag=far"), "{bye}");
    raw.send(&raw.response(&bye, "200 OK", "", &contact, "")).await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    world.nothing_more();
}

#[tokio::test]
async fn a_cancel_waits_for_a_provisional_response() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let contact = raw.contact();
    let leg = world.place(Destination::Uri(contact.clone()));
    let invite = raw.expect("INVITE").await;
    world.sip.hang_up(leg);
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    // The next message is the INVITE again, not a CANCEL.
    assert!(raw.receive().await.starts_with("INVITE "));
    raw.send(&raw.response(&invite, "100 Trying", "", &contact, "")).await;
    let cancel = raw.expect("CANCEL").await;
    raw.send(&raw.response(&cancel, "200 OK", "far", &contact, "")).await;
    raw.send(&raw.response(&invite, "487 Request Terminated", "far", &contact, "")).await;
    raw.expect("ACK").await;
}

#[tokio::test]
async fn the_second_phone_that_answers_one_call_is_hung_up() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let contact = raw.contact();
    let leg = world.place(Destination::Uri(contact.clone()));
    let invite = raw.expect("INVITE").await;
    let sdp = raw.sdp("0", "");
    raw.send(&raw.response(&invite, "200 OK", "one", &contact, &sdp)).await;
    raw.expect("ACK").await;
    world.answered(leg).await;
    raw.send(&raw.response(&invite, "200 OK", "two", &contact, &sdp)).await;
    let ack = raw.expect("ACK").await;
    assert!(value(&ack, "To").unwrap().ends_with("tag=two"), "{ack}");
    let bye = raw.expect("BYE").await;
    assert!(value(&bye, "To").unwrap().ends_with("tag=two"), "{bye}");
    world.nothing_more();
}

#[tokio::test]
async fn behind_a_nat_all_goes_where_it_came_from() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    world.directory.natted.lock().unwrap().push(Peer::Trunk("carrier".into()));
    // An address nobody can reach from here, as a phone behind a NAT would state.
    let contact = "sip:x@192.0.2.77:5060";
    let to = Destination::Trunk { trunk: raw.as_trunk(), number: "+1555".into() };
    let leg = world.place(to);
    let invite = raw.expect("INVITE").await;
    raw.send(&raw.response(&invite, "200 OK", "far", contact, &raw.sdp("0", ""))).await;
    raw.expect("ACK").await;
    world.answered(leg).await;
    world.sip.hang_up(leg);
    raw.expect("BYE").await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
}

#[tokio::test]
async fn an_answer_without_audio_we_know_is_hung_up() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let contact = raw.contact();
    let leg = world.place(Destination::Uri(contact.clone()));
    let invite = raw.expect("INVITE").await;
    raw.send(&raw.response(&invite, "200 OK", "far", &contact, "")).await;
    raw.expect("BYE").await;
    let ended = world.event_of(leg).await;
    assert!(matches!(ended, LegEvent::Ended(EndCause::Failed(_))), "{ended:?}");
}

#[tokio::test]
async fn shutdown_hangs_up() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let contact = raw.contact();
    let leg = world.place(Destination::Uri(contact.clone()));
    let invite = raw.expect("INVITE").await;
    raw.send(&raw.response(&invite, "200 OK", "far", &contact, &raw.sdp("0", ""))).await;
    world.answered(leg).await;
    let sip = world.sip.clone();
    let down = tokio::spawn(async move { sip.shutdown(Duration::from_secs(10)).await });
    let bye = raw.expect("BYE").await;
    raw.send(&raw.response(&bye, "200 OK", "", &contact, "")).await;
    soon(down).await.unwrap();
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    // The address is free again once the last of it is gone.
    let address = world.sip.local_addr();
    drop(world);
    let free = async {
        while UdpSocket::bind(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon(free).await;
}

#[tokio::test]
async fn a_request_within_a_call_is_as_good_as_an_acknowledgement() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    raw.send(&raw.request("INVITE", "x", 1, None, SDP, &raw.sdp("0", "a=sendonly\r\n"))).await;
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let tag = to_tag(&raw.expect("SIP/2.0 200").await);
    raw.send(&raw.request("INFO", "x", 2, Some(&tag), "", "")).await;
    world.answered(leg).await;
    assert_eq!(world.event_of(leg).await, LegEvent::Held(true));
    raw.send(&raw.request("BYE", "x", 3, Some(&tag), "", "")).await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::FarHangUp));
}

#[tokio::test]
async fn without_a_media_port_there_is_no_call_either_way() {
    // Neither the system hands them out by itself, nor does another test that runs take them.
    let port = 18_010 + 2 * (std::process::id() % 490) as u16;
    let mut world = World::with_ports(port..=port + 1).await;
    let raw = Raw::trunk(&world).await;
    raw.send(&raw.request("INVITE", "one", 1, None, SDP, &raw.sdp("0", ""))).await;
    let leg = world.incoming().await;
    raw.send(&raw.request("INVITE", "two", 1, None, SDP, &raw.sdp("0", ""))).await;
    let refused = raw.expect("SIP/2.0 503").await;
    assert_eq!(value(&refused, "Call-ID"), Some("two"));
    assert!(value(&refused, "Retry-After").is_some());
    let placed = world.place(Destination::Uri(raw.contact()));
    let ended = world.event_of(placed).await;
    assert!(matches!(ended, LegEvent::Ended(EndCause::Failed(_))), "{ended:?}");
    world.sip.decline(leg, 486);
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    world.nothing_more();
}
