//! Calls that come in.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

use ringback_media::{MediaEvent, Prompt, Repeat, Tone, correlate::correlate};
use ringback_signal::phone::{CallEnd, PhoneError};
use ringback_signal::{EndCause, Flow, Incoming, LegEvent, LegId, Peer};

use crate::world::{World, soon};

#[tokio::test]
async fn answered_and_hung_up_by_the_caller() {
    let mut world = World::start().await;
    let phone = world.phone("1001").await;
    let call = tokio::spawn(async move { phone.call("bot").await });
    let (leg, event) = world.event().await;
    let told =
        Incoming { peer: Peer::User("1001".into()), from: "1001".into(), from_display: None, called: "bot".into() };
    assert_eq!(event, LegEvent::Incoming(told));
    assert_eq!(leg.get_version_num(), 4);
    world.sip.accept(leg);
    let call = soon(call).await.unwrap().unwrap();
    world.answered(leg).await;
    soon(call.hang_up()).await;
    assert_eq!(soon(call.ended()).await, CallEnd::HungUp);
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::FarHangUp));
}

#[tokio::test]
async fn answered_and_hung_up_by_us() {
    let mut world = World::start().await;
    let phone = world.phone("1001").await;
    let call = tokio::spawn(async move { phone.call("bot").await });
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let call = soon(call).await.unwrap().unwrap();
    world.answered(leg).await;
    world.sip.hang_up(leg);
    assert_eq!(soon(call.ended()).await, CallEnd::FarHungUp);
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    world.no_leg_is_left().await;
    soon(world.sip.shutdown(Duration::from_secs(5))).await;
    world.nothing_more();
}

#[tokio::test]
async fn declined() {
    let mut world = World::start().await;
    for status in [486, 480, 603] {
        let phone = world.phone("1001").await;
        let call = tokio::spawn(async move { phone.call("bot").await });
        let leg = world.incoming().await;
        world.sip.decline(leg, status);
        let refused = soon(call).await.unwrap();
        assert!(matches!(refused, Err(PhoneError::Refused(s)) if s == status));
        assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp));
    }
}

#[tokio::test]
async fn given_up_by_the_caller() {
    let mut world = World::start().await;
    let phone = world.phone("1001").await;
    let dialled = tokio::spawn(async move { phone.dial("bot").await });
    let leg = world.incoming().await;
    let mut dialled = soon(dialled).await.unwrap().unwrap();
    assert_eq!(dialled.status(), 180);
    assert_eq!(soon(dialled.cancel()).await.unwrap(), 487);
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::Cancelled));
    // An order that comes too late changes nothing.
    world.sip.accept(leg);
    world.sip.hang_up(leg);
    world.no_leg_is_left().await;
    soon(world.sip.shutdown(Duration::from_secs(5))).await;
    world.nothing_more();
}

#[tokio::test]
async fn without_the_password_nobody_is_told() {
    let mut world = World::start().await;
    for (user, password) in [("1001", "wrong"), ("nobody", "x")] {
        let phone = world.phone_with(user, password).await;
        let refused = soon(phone.call("bot")).await;
        assert!(matches!(refused, Err(PhoneError::Refused(401))));
    }
    world.nothing_more();
}

#[tokio::test]
async fn a_trunk_needs_no_password() {
    let mut world = World::start().await;
    let phone = world.phone_with("+15550100", "").await;
    world.directory.trunks.lock().unwrap().insert(Flow::udp(phone.local_addr()), "carrier".into());
    let call = tokio::spawn(async move { phone.call("+15550199").await });
    let (leg, event) = world.event().await;
    let LegEvent::Incoming(told) = event else {
        panic!("{event:?}");
    };
    assert_eq!(told.peer, Peer::Trunk("carrier".into()));
    assert_eq!((told.from.as_str(), told.called.as_str()), ("+15550100", "+15550199"));
    world.sip.accept(leg);
    soon(call).await.unwrap().unwrap();
    world.answered(leg).await;
}

/// Known by where it is, as a trunk; another phone at the same machine is still asked who it is.
#[tokio::test]
async fn a_scripted_phone_of_our_own_states_its_caller() {
    let mut world = World::start().await;
    let phone = world.phone_with("+15550100", "").await;
    world.directory.scripted.lock().unwrap().insert(Flow::udp(phone.local_addr()), "a".into());
    let stranger = world.phone_with("+15550100", "").await;
    assert!(matches!(soon(stranger.call("bot")).await, Err(PhoneError::Refused(401))));
    let mut dialled = soon(phone.dial("bot")).await.unwrap();
    let (leg, event) = world.event().await;
    let LegEvent::Incoming(told) = event else {
        panic!("{event:?}");
    };
    assert_eq!((told.peer, told.from.as_str()), (Peer::Scripted("a".into()), "+15550100"));
    world.sip.accept(leg);
    assert!(soon(dialled.progressed()).await.unwrap());
    let call = soon(dialled.answered()).await.unwrap();
    world.answered(leg).await;
    soon(call.hang_up()).await;
}

#[tokio::test]
async fn hold_is_told_and_taken_back() {
    let mut world = World::start().await;
    let phone = world.phone("1001").await;
    let call = tokio::spawn(async move { phone.call("bot").await });
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let call = soon(call).await.unwrap().unwrap();
    world.answered(leg).await;
    for on in [true, false, true] {
        soon(call.hold(on)).await.unwrap();
        assert_eq!(world.event_of(leg).await, LegEvent::Held(on));
    }
    soon(call.hang_up()).await;
    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::FarHangUp));
}

fn tune(seconds: f32, start: f32) -> Vec<i16> {
    let samples = (seconds * 16_000.0) as usize;
    let sample = |n: usize| {
        let t = n as f32 / 16_000.0;
        // A rising tone, unlike itself at every other place.
        ((t * TAU * (start + 400.0 * t)).sin() * 9_000.0) as i16
    };
    (0..samples).map(sample).collect()
}

fn at_8k(pcm: &[i16]) -> Vec<i16> {
    pcm.chunks(2).map(|pair| pair[0]).collect()
}

#[tokio::test]
async fn what_is_played_is_heard_and_what_is_pressed_is_told() {
    let mut world = World::start().await;
    let phone = world.phone("1001").await;
    let call = tokio::spawn(async move { phone.call("bot").await });
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let call = soon(call).await.unwrap().unwrap();
    world.answered(leg).await;

    let pcm = tune(1.0, 300.0);
    let prompt = Arc::new(Prompt::from_pcm16k(pcm.clone()));
    world.media.play(leg, LegId::from_u128(1), vec![prompt], Repeat::Times(1)).unwrap();
    let (sound, quiet) = (Duration::from_millis(500), Duration::from_millis(300));
    let heard = call.heard_until_quiet(0, sound, quiet, Duration::from_secs(15)).await.unwrap();
    let right = correlate(&at_8k(&pcm), &heard, heard.len()).unwrap();
    assert!(right.coefficient > 0.9, "{right:?}");
    let wrong = correlate(&at_8k(&tune(1.0, 1_500.0)), &heard, heard.len()).unwrap();
    assert!(wrong.coefficient < 0.5, "{wrong:?}");
    let finished = soon(world.media_events.recv()).await;
    assert!(matches!(finished, Some(MediaEvent::Finished { .. })), "{finished:?}");

    soon(call.press("1#A")).await;
    for tone in [Tone::Digit(1), Tone::Pound, Tone::A] {
        let told = soon(world.media_events.recv()).await.unwrap();
        assert!(matches!(told, MediaEvent::Tone { tone: t } if t == tone), "{told:?}");
    }
}
