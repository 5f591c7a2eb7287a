//! Trunks that ask who we are, that we register at, and that are asked whether they are there.

use std::sync::Arc;
use std::time::Duration;

use ringback_signal::{Destination, EndCause, LegEvent, Login, Trunk, TrunkStatus};

use crate::peer::{Raw, value};
use crate::world::{World, md5, soon};

const CHALLENGE: &str = "Digest realm=\"carrier.example\", nonce=\"n1\", qop=\"auth\", opaque=\"o\"";

fn trunk(raw: &Raw) -> Trunk {
    let mut trunk = Trunk::clone(&raw.as_trunk());
    trunk.login = Some(Login { user: "ringback1".into(), password: "s3cret".into() });
    trunk
}

/// A parameter of credentials.
fn given<'a>(credentials: &'a str, name: &str) -> &'a str {
    let rest = credentials.split(&format!("{name}=")).nth(1).unwrap_or_default();
    rest.trim_start_matches('"').split(['"', ',']).next().unwrap()
}

/// Holds credentials against RFC 2617 §3.2.2.1.
fn are_right(credentials: &str, method: &str, uri: &str) -> bool {
    let ha1 = md5("ringback1:carrier.example:s3cret");
    let ha2 = md5(&format!("{method}:{uri}"));
    let [nonce, nc, cnonce] = ["nonce", "nc", "cnonce"].map(|name| given(credentials, name));
    given(credentials, "response") == md5(&format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"))
}

#[tokio::test]
async fn a_challenged_call_is_placed_again_and_its_bye_too() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let leg = world.place(Destination::Trunk { trunk: Arc::new(trunk(&raw)), number: "+1555".into() });
    let invite = raw.expect("INVITE").await;
    let challenge = format!("Proxy-Authenticate: {CHALLENGE}");
    raw.send(&raw.response_with(&invite, "407 Who", "a", &raw.contact(), &challenge, "")).await;
    raw.expect("ACK").await;
    let again = raw.expect("INVITE").await;
    assert_eq!(value(&again, "CSeq"), Some("2 INVITE"));
    assert_eq!(value(&again, "Call-ID"), value(&invite, "Call-ID"));
    let uri = invite.split(' ').nth(1).unwrap();
    let credentials = value(&again, "Proxy-Authorization").unwrap();
    assert!(are_right(credentials, "INVITE", uri), "{credentials}");
    // The nonce was too old: once more, without asking anybody.
    let stale = format!("{}, stale=true", challenge.replace("n1", "n2"));
    raw.send(&raw.response_with(&again, "407 Who", "a", &raw.contact(), &stale, "")).await;
    let third = loop {
        let third = raw.expect("INVITE").await;
        if value(&third, "CSeq") == Some("3 INVITE") {
            break third;
        }
    };
    assert!(are_right(value(&third, "Proxy-Authorization").unwrap(), "INVITE", uri));
    raw.send(&raw.response(&third, "200 OK", "far", &raw.contact(), &raw.sdp("0", ""))).await;
    raw.expect("ACK").await;
    world.answered(leg).await;
    world.sip.hang_up(leg);
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    let bye = raw.expect("BYE").await;
    let challenge = format!("WWW-Authenticate: {CHALLENGE}");
    raw.send(&raw.response_with(&bye, "401 Who", "", &raw.contact(), &challenge, "")).await;
    let again = loop {
        let again = raw.expect("BYE").await;
        if value(&again, "CSeq") != value(&bye, "CSeq") {
            break again;
        }
    };
    let uri = bye.split(' ').nth(1).unwrap();
    assert!(are_right(value(&again, "Authorization").unwrap(), "BYE", uri));
    raw.send(&raw.response(&again, "200 OK", "", &raw.contact(), "")).await;
    world.no_leg_is_left().await;
}

#[tokio::test]
async fn a_wrong_password_ends_the_call_with_its_cause() {
    let mut world = World::start().await;
    for (login, cause) in
        [(true, EndCause::Failed("the trunk refuses the configured login".into())), (false, EndCause::Declined(401))]
    {
        let raw = Raw::start(&world).await;
        let mut trunk = trunk(&raw);
        trunk.login = trunk.login.filter(|_| login);
        let leg = world.place(Destination::Trunk { trunk: Arc::new(trunk), number: "+1555".into() });
        let challenge = format!("WWW-Authenticate: {CHALLENGE}");
        for cseq in 1..=1 + u32::from(login) {
            let invite = loop {
                let invite = raw.expect("INVITE").await;
                if value(&invite, "CSeq") == Some(&format!("{cseq} INVITE")) {
                    break invite;
                }
            };
            raw.send(&raw.response_with(&invite, "401 Who", "a", &raw.contact(), &challenge, "")).await;
        }
        assert_eq!(world.event_of(leg).await, LegEvent::Ended(cause));
    }
}

async fn until(world: &World, is: impl Fn(&TrunkStatus) -> bool) {
    let seen = async {
        while !world.sip.trunks().iter().any(&is) {
            tokio::task::yield_now().await;
        }
    };
    soon(seen).await;
}

#[tokio::test]
async fn we_register_and_ask_and_the_operator_sees_how_it_went() {
    let world = World::start().await;
    let raw = Raw::start(&world).await;
    let mut looked_after = trunk(&raw);
    looked_after.register = true;
    world.directory.looked_after.lock().unwrap().push(looked_after.clone());
    let asked = raw.expect("REGISTER").await;
    assert!(value(&asked, "To").unwrap().contains("sip:ringback1@"), "{asked}");
    let challenge = format!("WWW-Authenticate: {CHALLENGE}");
    raw.send(&raw.response_with(&asked, "401 Who", "a", &raw.contact(), &challenge, "")).await;
    let again = loop {
        let again = raw.expect("REGISTER").await;
        if value(&again, "CSeq") == Some("2 REGISTER") {
            break again;
        }
    };
    let uri = again.split(' ').nth(1).unwrap();
    assert!(are_right(value(&again, "Authorization").unwrap(), "REGISTER", uri));
    assert!(value(&again, "Contact").unwrap().starts_with("<sip:ringback1@"), "{again}");
    let contact = value(&again, "Contact").unwrap().trim_matches(['<', '>']).to_owned();
    raw.send(&raw.response(&again, "200 OK", "a", &contact, "")).await;
    until(&world, |status| status.registered == Some(true) && status.problem.is_none()).await;

    // Changed, it begins anew.
    looked_after.keep_alive = Some(Duration::from_secs(1));
    *world.directory.looked_after.lock().unwrap() = vec![looked_after];
    let refused = loop {
        let refused = raw.receive().await;
        match refused.split(' ').next().unwrap() {
            "REGISTER" if value(&refused, "CSeq") == Some("1 REGISTER") => break refused,
            "OPTIONS" => raw.send(&raw.response(&refused, "404 Nobody", "a", &raw.contact(), "")).await,
            _ => {}
        }
    };
    raw.send(&raw.response(&refused, "403 No", "a", &raw.contact(), "")).await;
    until(&world, |status| status.problem.as_deref().is_some_and(|p| p.contains("refuses the configured login"))).await;
    let options = async {
        loop {
            let asked = raw.expect("OPTIONS").await;
            raw.send(&raw.response(&asked, "404 Nobody", "a", &raw.contact(), "")).await;
            if world.sip.trunks()[0].answers == Some(true) {
                return;
            }
        }
    };
    soon(options).await;
}

/// A trunk at which we are registered.
async fn registered(world: &World) -> Raw {
    let raw = Raw::start(world).await;
    let mut trunk = trunk(&raw);
    trunk.register = true;
    world.directory.looked_after.lock().unwrap().push(trunk);
    let asked = raw.expect("REGISTER").await;
    assert_eq!(value(&asked, "Expires"), Some("600"));
    raw.send(&raw.response(&asked, "200 OK", "a", &raw.contact(), "")).await;
    until(world, |status| status.registered == Some(true)).await;
    raw
}

/// RFC 3261 §10.2.2.
#[tokio::test]
async fn at_its_stop_it_is_registered_nowhere_any_more() {
    let world = World::start().await;
    let raw = registered(&world).await;
    let registrar = async {
        let challenge = format!("WWW-Authenticate: {CHALLENGE}");
        let mut challenged = None;
        loop {
            let asked = raw.expect("REGISTER").await;
            match (value(&asked, "CSeq").unwrap(), value(&asked, "Authorization")) {
                ("1 REGISTER", _) => {}
                ("2 REGISTER", None) => {
                    assert_eq!(value(&asked, "Expires"), Some("0"), "{asked}");
                    raw.send(&raw.response_with(&asked, "401 Who", "a", &raw.contact(), &challenge, "")).await;
                    challenged = value(&asked, "Call-ID").map(str::to_owned);
                }
                (_, credentials) => {
                    assert_eq!(value(&asked, "Expires"), Some("0"), "{asked}");
                    assert_eq!(value(&asked, "Call-ID"), challenged.as_deref());
                    let uri = asked.split(' ').nth(1).unwrap();
                    assert!(are_right(credentials.unwrap(), "REGISTER", uri), "{asked}");
                    return raw.send(&raw.response(&asked, "200 OK", "a", &raw.contact(), "")).await;
                }
            }
        }
    };
    soon(async { tokio::join!(world.sip.shutdown(Duration::from_secs(60)), registrar) }).await;
    assert_eq!(world.sip.trunks()[0].registered, Some(false));
}

#[tokio::test]
async fn a_trunk_that_does_not_answer_does_not_hold_up_a_stop() {
    let world = World::start().await;
    let _silent = registered(&world).await;
    soon(world.sip.shutdown(Duration::from_secs(60))).await;
}
