//! SIP over TCP and TLS: calls both ways by the connection there is, its bounds, and what breaks.

use ringback_signal::{Destination, EndCause, LegEvent, Peer, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::peer::{Raw, SDP, to_tag, value};
use crate::world::{HERE, World, soon, tls};

const BOTH: [Transport; 2] = [Transport::Tcp, Transport::Tls];

/// Sends a REGISTER, answers its challenge, and gives the final answer.
async fn register(raw: &Raw, call: &str) -> String {
    raw.send(
        &raw.request("REGISTER", call, 1, None, "", "")
            .replace("sip:+1555@", "sip:1001@")
            .replace("sip:bot@", "sip:1001@"),
    )
    .await;
    let challenge = raw.expect("SIP/2.0 401").await;
    let credentials = crate::world::credentials(value(&challenge, "WWW-Authenticate").unwrap(), "REGISTER", "sip:x");
    let again = raw.request("REGISTER", call, 2, None, &credentials, "");
    raw.send(&again.replace("sip:+1555@", "sip:1001@").replace("sip:bot@", "sip:1001@")).await;
    raw.receive().await
}

#[tokio::test]
async fn a_call_comes_in_and_all_of_it_goes_by_its_connection() {
    for transport in BOTH {
        let mut world = World::start().await;
        let raw = Raw::connect(&world, transport).await;
        raw.is_trunk(&world);
        raw.send(&raw.request("INVITE", "x", 1, None, SDP, &raw.sdp("0", ""))).await;
        let leg = world.incoming().await;
        raw.expect("SIP/2.0 180").await;
        world.sip.accept(leg);
        let ok = raw.expect("SIP/2.0 200").await;
        let contact = value(&ok, "Contact").unwrap();
        let port = if transport == Transport::Tls { world.sip.tls_addr().unwrap() } else { world.sip.local_addr() };
        assert_eq!(contact, format!("<sip:{port};transport={transport}>"));
        let tag = to_tag(&ok);
        raw.send(&raw.request("ACK", "x", 1, Some(&tag), "", "")).await;
        world.answered(leg).await;
        world.sip.hang_up(leg);
        let bye = raw.expect("BYE").await;
        let line = bye.lines().next().unwrap().to_lowercase();
        assert_eq!(line, format!("bye {} sip/2.0", raw.contact()));
        let via = value(&bye, "Via").unwrap();
        assert!(via.starts_with(&format!("SIP/2.0/{} {port};", transport.to_string().to_uppercase())), "{via}");
        raw.send(&raw.response(&bye, "200 OK", "", &raw.contact(), "")).await;
        assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    }
}

#[tokio::test]
async fn who_registered_by_a_connection_is_called_by_it() {
    for transport in BOTH {
        let mut world = World::start().await;
        let raw = Raw::connect(&world, transport).await;
        let ok = register(&raw, "r").await;
        assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
        assert!(world.sip.registered("1001"));
        let leg = world.place(Destination::User("1001".into()));
        let invite = raw.expect("INVITE").await;
        assert!(value(&invite, "Contact").unwrap().contains(&format!("transport={transport}")), "{invite}");
        raw.send(&raw.response(&invite, "200 OK", "far", &raw.contact(), &raw.sdp("0", ""))).await;
        raw.expect("ACK").await;
        world.answered(leg).await;
        raw.send(&raw.request("OPTIONS", "ping", 1, None, "", "")).await;
        raw.expect("SIP/2.0 200").await;
        world.sip.hang_up(leg);
        raw.expect("BYE").await;
        assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
        // Without its connection it is nowhere, whatever its contact says.
        drop(raw);
        let gone = async {
            while world.sip.registered("1001") {
                tokio::task::yield_now().await
            }
        };
        soon(gone).await;
        let leg = world.place(Destination::User("1001".into()));
        assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::Unreachable));
    }
}

#[tokio::test]
async fn a_trunk_is_called_by_a_connection_of_ours_which_serves_again() {
    for transport in BOTH {
        let mut world = World::start().await;
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let trunk = std::sync::Arc::new(ringback_signal::Trunk::at(
            "carrier",
            ringback_signal::Flow { transport, address: at },
        ));
        let mut raw = None;
        for _ in 0..2 {
            let leg = world.place(Destination::Trunk { trunk: trunk.clone(), number: "+1555".into() });
            if raw.is_none() {
                let (tcp, _) = soon(listener.accept()).await.unwrap();
                let io: Box<dyn crate::peer::Bytes> = match transport {
                    Transport::Tls => Box::new(soon(TlsAcceptor::from(tls().0).accept(tcp)).await.unwrap()),
                    _ => Box::new(tcp),
                };
                raw = Some(Raw::accepted(io, transport, at, world.sip.local_addr()).await);
            }
            let raw = raw.as_ref().unwrap();
            let invite = raw.expect("INVITE").await;
            raw.send(&raw.response(&invite, "100 Trying", "", &raw.contact(), "")).await;
            raw.send(&raw.response(&invite, "180 Ringing", "far", &raw.contact(), "")).await;
            assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
            world.sip.hang_up(leg);
            assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
            let cancel = raw.expect("CANCEL").await;
            assert_eq!(value(&cancel, "Via"), value(&invite, "Via"));
            raw.send(&raw.response(&cancel, "200 OK", "far", &raw.contact(), "")).await;
            raw.send(&raw.response(&invite, "487 Request Terminated", "far", &raw.contact(), "")).await;
            raw.expect("ACK").await;
        }
    }
}

#[tokio::test]
async fn a_trunk_must_prove_its_name() {
    let mut world = World::start().await;
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let flow = ringback_signal::Flow { transport: Transport::Tls, address: listener.local_addr().unwrap() };
    let mut trunk = ringback_signal::Trunk::at("carrier", flow);
    trunk.host = Some("sip.example.com".into());
    let leg = world.place(Destination::Trunk { trunk: trunk.into(), number: "+1555".into() });
    let (tcp, _) = soon(listener.accept()).await.unwrap();
    assert!(soon(TlsAcceptor::from(tls().0).accept(tcp)).await.is_err());
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::Unreachable));
}

#[tokio::test]
async fn a_connection_that_breaks_ends_what_waits_for_it() {
    let mut world = World::start().await;
    let raw = Raw::connect(&world, Transport::Tcp).await;
    raw.is_trunk(&world);
    raw.send(&raw.request("INVITE", "x", 1, None, SDP, &raw.sdp("0", ""))).await;
    let leg = world.incoming().await;
    drop(raw);
    assert!(matches!(world.event_of(leg).await, LegEvent::Ended(EndCause::Failed(_))));

    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let leg = world.place(Destination::Uri(format!("sip:x@{at};transport=tcp")));
    let (tcp, _) = soon(listener.accept()).await.unwrap();
    let raw = Raw::accepted(Box::new(tcp), Transport::Tcp, at, world.sip.local_addr()).await;
    let invite = raw.expect("INVITE").await;
    // Someone is there, so that no first response is waited for any more.
    raw.send(&raw.response(&invite, "180 Ringing", "far", &raw.contact(), "")).await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
    drop((raw, listener));
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::Unreachable));
}

#[tokio::test]
async fn pings_are_answered_on_every_transport() {
    let world = World::start().await;
    for raw in [
        Raw::start(&world).await,
        Raw::connect(&world, Transport::Tcp).await,
        Raw::connect(&world, Transport::Tls).await,
    ] {
        raw.send("\r\n\r\n").await;
        assert_eq!(raw.receive().await, "\r\n");
        raw.send(&raw.request("OPTIONS", "ping", 1, None, "", "")).await;
        raw.expect("SIP/2.0 200").await;
    }
}

#[tokio::test]
async fn what_is_no_sip_or_endless_is_let_go_and_calls_go_on() {
    let mut world = World::start().await;
    let live = Raw::connect(&world, Transport::Tcp).await;
    live.is_trunk(&world);
    live.send(&live.request("INVITE", "live", 1, None, SDP, &live.sdp("0", ""))).await;
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let tag = to_tag(&live.expect("SIP/2.0 200").await);
    live.send(&live.request("ACK", "live", 1, Some(&tag), "", "")).await;
    world.answered(leg).await;

    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab".to_vec(),
        [b"OPTIONS sip:a@b SIP/2.0\r\n".to_vec(), b"Subject: more\r\n".repeat(2_000)].concat(),
    ] {
        let raw = Raw::connect(&world, Transport::Tcp).await;
        raw.send_bytes(&bytes).await;
        raw.closed().await;
    }
    // Plain text where TLS is spoken.
    let tcp = TcpStream::connect(world.sip.tls_addr().unwrap()).await.unwrap();
    let raw = Raw::accepted(Box::new(tcp), Transport::Tcp, world.sip.local_addr(), world.sip.local_addr()).await;
    raw.send(&raw.request("OPTIONS", "plain", 1, None, "", "")).await;
    raw.closed().await;
    // Requests that cannot be cut are answered before.
    for (from, to, status) in [
        ("Content-Length: 0", "Content-Length: 70000", "SIP/2.0 513 "),
        ("Content-Length: 0", "Content-Length: -1", "SIP/2.0 400 "),
        ("Content-Length: 0", "Subject: no length", "SIP/2.0 400 "),
    ] {
        let raw = Raw::connect(&world, Transport::Tcp).await;
        raw.send(&raw.request("OPTIONS", "cut", 1, None, "", "").replace(from, to)).await;
        let answer = raw.receive().await;
        assert!(answer.starts_with(status), "{answer}");
        raw.closed().await;
    }

    live.send(&live.request("BYE", "live", 2, Some(&tag), "", "")).await;
    live.expect("SIP/2.0 200").await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::FarHangUp));
}

#[tokio::test]
async fn one_source_has_its_share_of_connections() {
    let world = World::start().await;
    let mut held = Vec::new();
    for _ in 0..ringback_signal::limits::MAX_CONNECTIONS_PER_SOURCE {
        held.push(Raw::connect(&world, Transport::Tcp).await);
    }
    let last = held.last().unwrap();
    last.send(&last.request("OPTIONS", "in", 1, None, "", "")).await;
    last.expect("SIP/2.0 200").await;
    Raw::connect(&world, Transport::Tcp).await.closed().await;
    // A place that becomes free is taken again.
    held.pop();
    let again = async {
        loop {
            let raw = Raw::connect(&world, Transport::Tcp).await;
            raw.send_bytes(b"\r\n\r\n").await;
            if raw.next().await.is_some() {
                return;
            }
        }
    };
    soon(again).await;
}

#[tokio::test]
async fn by_a_stream_a_trunk_is_known_by_it() {
    let mut world = World::start().await;
    let raw = Raw::connect(&world, Transport::Tcp).await;
    // The same address by another transport is somebody else.
    let flow = ringback_signal::Flow::udp(raw.address());
    world.directory.trunks.lock().unwrap().insert(flow, "carrier".into());
    raw.send(&raw.request("INVITE", "x", 1, None, SDP, &raw.sdp("0", ""))).await;
    raw.expect("SIP/2.0 401").await;
    raw.send(&raw.request("ACK", "x", 1, Some("y"), "", "")).await;
    raw.is_trunk(&world);
    raw.send(&raw.request("INVITE", "y", 1, None, SDP, &raw.sdp("0", ""))).await;
    let (leg, event) = world.event().await;
    assert!(matches!(event, LegEvent::Incoming(told) if told.peer == Peer::Trunk("carrier".into())));
    world.sip.decline(leg, 486);
    raw.expect("SIP/2.0 486").await;
}
