//! Session timers (RFC 4028), early media (RFC 3960), reliable provisional responses (RFC 3262) and
//! UPDATE (RFC 3311) on the wire.

use ringback_media::{MediaEvent, Tone};
use ringback_signal::{Destination, EndCause, LegEvent, LegId};

use crate::peer::{Raw, SDP, to_tag, value};
use crate::world::{SHORTEST_SESSION, World, soon};

/// A call that came in with these headers and is up, and our tag in it.
async fn up(world: &mut World, raw: &Raw, headers: &str) -> (LegId, String, String) {
    let headers = format!("{SDP}\r\n{headers}");
    raw.send(&raw.request("INVITE", "x", 1, None, headers.trim_end(), &raw.sdp("0", ""))).await;
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let ok = raw.expect("SIP/2.0 200").await;
    let tag = to_tag(&ok);
    raw.send(&raw.request("ACK", "x", 1, Some(&tag), "", "")).await;
    world.answered(leg).await;
    (leg, tag, ok)
}

#[tokio::test]
async fn we_refresh_by_update_until_the_far_end_forgot_the_call() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    let asked =
        format!("Supported: timer\r\nAllow: INVITE, UPDATE\r\nSession-Expires: {SHORTEST_SESSION};refresher=uas");
    let (leg, _, ok) = up(&mut world, &raw, &asked).await;
    assert_eq!(value(&ok, "Session-Expires"), Some("3;refresher=uas"));
    let update = raw.expect("UPDATE").await;
    assert_eq!(value(&update, "Session-Expires"), Some("3;refresher=uac"));
    assert_eq!(value(&update, "Content-Length"), Some("0"));
    let extra = "Session-Expires: 3;refresher=uac";
    raw.send(&raw.response_with(&update, "200 OK", "", &raw.contact(), extra, "")).await;
    let again = loop {
        let again = raw.expect("UPDATE").await;
        if value(&again, "CSeq") != value(&update, "CSeq") {
            break again;
        }
    };
    raw.send(&raw.response(&again, "481 Gone", "", &raw.contact(), "")).await;
    raw.expect("BYE").await;
    assert!(matches!(world.event_of(leg).await, LegEvent::Ended(EndCause::Failed(_))));
}

#[tokio::test]
async fn we_refresh_by_invite_where_there_is_no_update() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    let (leg, _, _) = up(&mut world, &raw, "Supported: timer\r\nx: 3;refresher=uas").await;
    let invite = raw.expect("INVITE").await;
    assert!(invite.contains("m=audio "), "{invite}");
    let extra = "Session-Expires: 1800;refresher=uac";
    raw.send(&raw.response_with(&invite, "200 OK", "", &raw.contact(), extra, &raw.sdp("0", ""))).await;
    raw.expect("ACK").await;
    world.sip.hang_up(leg);
    raw.expect("BYE").await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
}

#[tokio::test]
async fn who_does_not_refresh_is_hung_up() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    let (leg, _, ok) = up(&mut world, &raw, "Supported: timer\r\nSession-Expires: 3").await;
    assert_eq!((value(&ok, "Session-Expires"), value(&ok, "Require")), (Some("3;refresher=uac"), Some("timer")));
    raw.expect("BYE").await;
    assert!(matches!(world.event_of(leg).await, LegEvent::Ended(EndCause::Failed(_))));
}

#[tokio::test]
async fn a_reinvite_that_is_refused_refreshes_nothing() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    let (leg, tag, _) = up(&mut world, &raw, "Supported: timer\r\nSession-Expires: 3").await;
    raw.send(&raw.request("INVITE", "x", 2, Some(&tag), SDP, &raw.sdp("3", ""))).await;
    raw.expect("SIP/2.0 488").await;
    raw.send(&raw.request("ACK", "x", 2, Some(&tag), "", "")).await;
    raw.expect("BYE").await;
    assert!(matches!(world.event_of(leg).await, LegEvent::Ended(EndCause::Failed(_))));
}

#[tokio::test]
async fn of_two_reinvites_that_cross_theirs_waits() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    let (leg, tag, _) = up(&mut world, &raw, "Supported: timer\r\nx: 3;refresher=uas").await;
    let ours = raw.expect("INVITE").await;
    raw.send(&raw.request("INVITE", "x", 2, Some(&tag), SDP, &raw.sdp("0", ""))).await;
    raw.expect("SIP/2.0 491").await;
    raw.send(&raw.request("ACK", "x", 2, Some(&tag), "", "")).await;
    let extra = "Session-Expires: 1800;refresher=uac";
    raw.send(&raw.response_with(&ours, "200 OK", "", &raw.contact(), extra, &raw.sdp("0", ""))).await;
    raw.expect("ACK").await;
    world.sip.hang_up(leg);
    raw.expect("BYE").await;
}

#[tokio::test]
async fn too_brief_a_session_is_refused_with_the_least() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    let headers = format!("{SDP}\r\nSupported: timer\r\nSession-Expires: 2");
    raw.send(&raw.request("INVITE", "brief", 1, None, &headers, &raw.sdp("0", ""))).await;
    let refused = raw.expect("SIP/2.0 422").await;
    assert_eq!(value(&refused, "Min-SE"), Some("3"));
    raw.send(&raw.request("ACK", "brief", 1, Some(&to_tag(&refused)), "", "")).await;
    let (_, tag, _) = up(&mut world, &raw, "Supported: timer").await;
    raw.send(&raw.request("UPDATE", "x", 2, Some(&tag), "Supported: timer\r\nSession-Expires: 2", "")).await;
    raw.expect("SIP/2.0 422").await;
    world.nothing_more();
}

#[tokio::test]
async fn what_the_far_end_wants_at_least_it_gets() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let leg = world.place(Destination::Uri(raw.contact()));
    let invite = raw.expect("INVITE").await;
    assert_eq!((value(&invite, "Session-Expires"), value(&invite, "Min-SE")), (Some("1800"), Some("3")));
    assert_eq!(value(&invite, "Supported"), Some("timer, 100rel"));
    raw.send(&raw.response_with(&invite, "422 Too Small", "far", &raw.contact(), "Min-SE: 4000", "")).await;
    raw.expect("ACK").await;
    let again = raw.expect("INVITE").await;
    assert_eq!((value(&again, "Session-Expires"), value(&again, "CSeq")), (Some("4000"), Some("2 INVITE")));
    let extra = "Session-Expires: 4000;refresher=uas\r\nRequire: timer";
    raw.send(&raw.response_with(&again, "200 OK", "far", &raw.contact(), extra, &raw.sdp("0", ""))).await;
    raw.expect("ACK").await;
    world.answered(leg).await;
}

#[tokio::test]
async fn an_update_may_hold_and_keys_come_by_info() {
    let mut world = World::start().await;
    let raw = Raw::trunk(&world).await;
    let (leg, tag, _) = up(&mut world, &raw, "").await;
    let hold = raw.sdp("0", "a=sendonly\r\n");
    raw.send(&raw.request("UPDATE", "x", 2, Some(&tag), SDP, &hold)).await;
    let ok = raw.expect("SIP/2.0 200").await;
    assert!(ok.contains("a=recvonly"), "{ok}");
    assert_eq!(world.event_of(leg).await, LegEvent::Held(true));
    for (cseq, kind, body, status) in [
        (3, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "200"),
        (4, "application/dtmf", "#", "200"),
        (5, "application/dtmf", "?", "400"),
        (6, "application/x-broken", "5", "415"),
        (7, "text/plain", "", "200"),
    ] {
        let kind = format!("Content-Type: {kind}");
        raw.send(&raw.request("INFO", "x", cseq, Some(&tag), &kind, body)).await;
        let answer = raw.receive().await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{body}: {answer}");
        if status == "415" {
            assert_eq!(value(&answer, "Accept"), Some("application/dtmf-relay, application/dtmf"));
        }
    }
    for tone in [Tone::Digit(5), Tone::Pound] {
        assert_eq!(soon(world.media_events.recv()).await, Some(MediaEvent::Tone { tone }));
    }
}

#[tokio::test]
async fn audio_before_the_answer_is_connected_and_the_answer_still_counts() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let leg = world.place(Destination::Uri(raw.contact()));
    let invite = raw.expect("INVITE").await;
    raw.send(&raw.response(&invite, "183 Session Progress", "far", &raw.contact(), &raw.sdp("0", ""))).await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
    // What we send goes where the early description says.
    let mut packet = [0; 2_048];
    soon(raw.rtp.recv_from(&mut packet)).await.unwrap();
    world.nothing_more();
    // A 200 need not repeat it.
    raw.send(&raw.response(&invite, "200 OK", "far", &raw.contact(), "")).await;
    world.answered(leg).await;
}

#[tokio::test]
async fn reliable_responses_are_acknowledged_one_after_the_other() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let leg = world.place(Destination::Uri(raw.contact()));
    let invite = raw.expect("INVITE").await;
    let reliable = |number: u32| format!("Require: 100rel\r\nRSeq: {number}");
    let contact = raw.contact();
    let ringing = |number| raw.response_with(&invite, "180 Ringing", "far", &contact, &reliable(number), "");
    let progress = raw.response_with(&invite, "183 Progress", "far", &contact, &reliable(7), &raw.sdp("0", ""));
    raw.send(&progress).await;
    let prack = raw.expect("PRACK").await;
    assert_eq!((value(&prack, "RAck"), value(&prack, "CSeq")), (Some("7 1 INVITE"), Some("2 PRACK")));
    raw.send(&raw.response(&prack, "200 OK", "", &contact, "")).await;
    // One that came too early is left to be repeated.
    raw.send(&ringing(9)).await;
    raw.send(&ringing(8)).await;
    let prack = raw.expect("PRACK").await;
    assert_eq!((value(&prack, "RAck"), value(&prack, "CSeq")), (Some("8 1 INVITE"), Some("3 PRACK")));
    raw.send(&raw.response(&prack, "200 OK", "", &contact, "")).await;
    raw.send(&raw.response(&invite, "200 OK", "far", &contact, "")).await;
    raw.expect("ACK").await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
    world.answered(leg).await;
    world.sip.hang_up(leg);
    let bye = raw.expect("BYE").await;
    assert_eq!(value(&bye, "CSeq"), Some("4 BYE"));
}
