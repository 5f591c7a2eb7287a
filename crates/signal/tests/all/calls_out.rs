//! Calls we place.

use std::sync::Arc;
use std::time::Duration;

use ringback_signal::phone::CallEnd;
use ringback_signal::{Destination, EndCause, Flow, LegEvent, Trunk};

use crate::world::{World, soon};

fn to(user: &str) -> Destination {
    Destination::User(user.into())
}

#[tokio::test]
async fn answered_and_hung_up_by_either() {
    for by_us in [true, false] {
        let mut world = World::start().await;
        let phone = world.registered("1002").await;
        let leg = world.place(to("1002"));
        let ringing = soon(phone.ringing()).await.unwrap();
        assert_eq!((ringing.from.as_str(), ringing.from_display.as_deref()), ("bot", Some("A bot")));
        assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
        let call = soon(ringing.answer()).await.unwrap();
        world.answered(leg).await;
        if by_us {
            world.sip.hang_up(leg);
            assert_eq!(soon(call.ended()).await, CallEnd::FarHungUp);
            assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
        } else {
            soon(call.hang_up()).await;
            assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::FarHangUp));
        }
        world.no_leg_is_left().await;
        soon(world.sip.shutdown(Duration::from_secs(5))).await;
        world.nothing_more();
    }
}

#[tokio::test]
async fn a_sip_address_and_a_trunk_are_called_too() {
    let mut world = World::start().await;
    let phone = world.phone("1002").await;
    let address = phone.local_addr();
    for (to, called_by) in [
        (Destination::Uri(format!("sip:someone@{address}")), "bot"),
        (
            Destination::Trunk {
                trunk: Arc::new(Trunk::at("carrier", Flow::udp(address))),
                number: "+15550100".into(),
            },
            "bot",
        ),
    ] {
        let leg = world.place(to);
        let ringing = soon(phone.ringing()).await.unwrap();
        assert_eq!(ringing.from, called_by);
        assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
        let _call = soon(ringing.answer()).await.unwrap();
        world.answered(leg).await;
        world.sip.hang_up(leg);
        assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    }
}

#[tokio::test]
async fn refusals_and_what_they_mean() {
    let mut world = World::start().await;
    let phone = world.registered("1002").await;
    for (status, cause) in [
        (486, EndCause::Busy),
        (600, EndCause::Busy),
        (480, EndCause::Unreachable),
        (404, EndCause::Unreachable),
        (603, EndCause::Declined(603)),
        (302, EndCause::Declined(302)),
    ] {
        let leg = world.place(to("1002"));
        soon(phone.ringing()).await.unwrap().decline(status);
        assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
        assert_eq!(world.event_of(leg).await, LegEvent::Ended(cause));
    }
}

#[tokio::test]
async fn who_is_nowhere_is_unreachable_at_once() {
    let mut world = World::start().await;
    for to in [
        to("1002"),
        to("nobody"),
        Destination::Uri("sips:a@127.0.0.1".into()),
        Destination::Uri("sip:a@127.0.0.1\r\nX: y".into()),
        Destination::Uri(String::new()),
    ] {
        let leg = world.place(to);
        assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::Unreachable));
    }
}

#[tokio::test]
async fn taken_back_before_an_answer() {
    let mut world = World::start().await;
    let phone = world.registered("1002").await;
    let leg = world.place(to("1002"));
    let mut ringing = soon(phone.ringing()).await.unwrap();
    assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
    world.sip.hang_up(leg);
    soon(ringing.cancelled()).await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    world.no_leg_is_left().await;
    soon(world.sip.shutdown(Duration::from_secs(5))).await;
    world.nothing_more();
}

#[tokio::test]
async fn after_a_restart_the_far_end_gets_its_bye() {
    let mut world = World::start().await;
    let phone = world.registered("1002").await;
    let leg = world.place(to("1002"));
    let call = soon(soon(phone.ringing()).await.unwrap().answer()).await.unwrap();
    assert_eq!(world.event_of(leg).await, LegEvent::Ringing);
    let placed = world.answered(leg).await;
    let dialling = phone.clone();
    let dialled = tokio::spawn(async move { dialling.call("bot").await });
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let dialled = soon(dialled).await.unwrap().unwrap();
    let incoming = world.answered(leg).await;

    let (next, _events) = World::another(&world.media, &world.directory).await;
    assert!(!call.is_over() && !dialled.is_over());
    next.hang_up_after_restart(&placed);
    assert_eq!(soon(call.ended()).await, CallEnd::FarHungUp);
    next.hang_up_after_restart(&incoming);
    assert_eq!(soon(dialled.ended()).await, CallEnd::FarHungUp);
    next.hang_up_after_restart("nonsense");
}
