//! The desk as a table: who rings, who was first, who makes room, who forgets.

use std::time::{Duration, Instant};

use ringback_core::{CallId, ConversationId, LegId};
use tokio::sync::mpsc;

use super::desk::{Declined, Desk, Ring, SessionKey, SignedIn, SipOver, Whom};
use super::heard::Heard;
use super::{PageError, PageEvent};
use crate::clock::Clock;
use crate::engine::fresh_id;
use crate::limits;
use crate::trace::Timeline;

struct Page {
    key: SessionKey,
    events: mpsc::Receiver<PageEvent>,
}

impl Page {
    fn told(&mut self) -> Vec<String> {
        let shown = |event| match event {
            PageEvent::Ringing { called, .. } => format!("rings for {called}"),
            PageEvent::Answered { .. } => "answered".to_owned(),
            PageEvent::Ended { reason, .. } => reason.to_owned(),
        };
        std::iter::from_fn(|| self.events.try_recv().ok()).map(shown).collect()
    }
}

fn key(number: u32) -> SessionKey {
    let mut key = SessionKey::default();
    key[..4].copy_from_slice(&number.to_be_bytes());
    key
}

fn named(user: &str) -> SignedIn {
    SignedIn { user: user.to_owned(), ha1: None, asked: false }
}

fn user_of<'d>(desk: &'d mut Desk, now: Instant, key: &SessionKey) -> Option<&'d str> {
    desk.signed_in(now, key).map(|who| who.user.as_str())
}

fn page(desk: &mut Desk, number: u32, user: &str) -> Page {
    desk.sign_in(Instant::now(), key(number), named(user)).unwrap();
    let (sender, events) = mpsc::channel(limits::PAGE_EVENTS);
    desk.follow(&key(number), sender);
    Page { key: key(number), events }
}

fn ring(whom: Whom) -> Ring {
    let timeline = Timeline::new(Clock::start());
    let heard = Heard::new(&timeline, None, CallId(fresh_id()), ConversationId(fresh_id()));
    Ring { whom, from: "Bot".to_owned(), called: "Ada".to_owned(), heard }
}

fn rings(desk: &mut Desk, whom: Whom) -> (LegId, bool) {
    rings_with(desk, whom, false)
}

fn rings_with(desk: &mut Desk, whom: Whom, sip: bool) -> (LegId, bool) {
    let leg = LegId(fresh_id());
    let heard = desk.enter_ring(leg, ring(whom), sip);
    desk.announce(leg);
    (leg, heard)
}

fn ada() -> Whom {
    Whom::User("ada".to_owned())
}

#[test]
fn the_pages_of_one_user_ring_and_the_first_has_it() {
    let mut desk = Desk::default();
    let (mut one, mut two, mut other) =
        (page(&mut desk, 1, "ada"), page(&mut desk, 2, "ada"), page(&mut desk, 3, "bob"));
    let (leg, heard) = rings(&mut desk, ada());
    assert!(heard);
    assert!(matches!(desk.claim(leg, &other.key), Err(PageError::NoLeg)));
    assert!(matches!(desk.claim(leg, &two.key), Ok(None)));
    assert!(matches!(desk.claim(leg, &one.key), Err(PageError::Taken)));
    assert!(desk.won(leg, &two.key));
    desk.leg_answered(leg);
    assert_eq!(one.told(), ["rings for Ada", "answered at another phone"]);
    assert_eq!(two.told(), ["rings for Ada", "answered"]);
    assert_eq!(other.told(), [""; 0]);
    assert!(desk.holds(leg, &two.key) && !desk.holds(leg, &one.key));
    assert!(desk.heard(leg, &two.key).is_some() && desk.heard(leg, &one.key).is_none());
    desk.leg_ended(leg, "over");
    assert_eq!(two.told(), ["over"]);
    assert!(!desk.holds(leg, &two.key));
    assert!(desk.heard(leg, &two.key).is_some(), "its timeline may still be read");
}

#[test]
fn who_comes_late_hears_what_rings() {
    let mut desk = Desk::default();
    let (leg, heard) = rings(&mut desk, Whom::Anyone);
    assert!(!heard, "nobody is there");
    let mut late = page(&mut desk, 1, "bob");
    assert_eq!(late.told(), ["rings for Ada"]);
    assert!(desk.ring_over(leg, "gave up"));
    assert_eq!(late.told(), ["gave up"]);
    assert!(!desk.ring_over(leg, "again"));
    rings(&mut desk, Whom::Anyone);
    rings(&mut desk, Whom::Anyone);
    desk.all_over("the end");
    assert_eq!(late.told(), ["rings for Ada", "rings for Ada", "the end", "the end"]);
}

#[test]
fn a_call_is_declined_once_no_page_wants_it() {
    let mut desk = Desk::default();
    let (one, mut two) = (page(&mut desk, 1, "ada"), page(&mut desk, 2, "ada"));
    let (leg, _) = rings(&mut desk, ada());
    assert_eq!(desk.decline(leg, &one.key), Ok(Declined::OthersRing));
    assert_eq!(desk.decline(leg, &one.key), Err(PageError::NoLeg), "once");
    assert!(matches!(desk.claim(leg, &one.key), Err(PageError::NoLeg)));
    assert_eq!(two.told(), ["rings for Ada"]);
    assert_eq!(desk.decline(leg, &two.key), Ok(Declined::Last));
    // A page that is closed cannot want it.
    let (leg, _) = rings(&mut desk, ada());
    drop(two);
    assert_eq!(desk.decline(leg, &one.key), Ok(Declined::Last));
}

#[test]
fn a_sip_phone_and_a_page_exclude_each_other() {
    let mut desk = Desk::default();
    let mut one = page(&mut desk, 1, "ada");
    let (leg, _) = rings_with(&mut desk, ada(), true);
    assert!(desk.sip_answered(leg), "it was first");
    assert_eq!(one.told(), ["rings for Ada", "answered at another phone"]);
    assert!(matches!(desk.claim(leg, &one.key), Err(PageError::NoLeg)));
    assert!(matches!(desk.sip_over(leg), SipOver::Leg));

    let (leg, _) = rings_with(&mut desk, ada(), true);
    let mut freed = desk.claim(leg, &one.key).unwrap().expect("the SIP phone is to be cancelled");
    assert!(!desk.sip_answered(leg), "the page was first");
    assert!(freed.try_recv().is_err());
    assert!(matches!(desk.sip_over(leg), SipOver::Claimed));
    assert!(freed.try_recv().is_ok());
    assert!(desk.won(leg, &one.key));

    let (leg, _) = rings_with(&mut desk, ada(), true);
    assert!(matches!(desk.sip_over(leg), SipOver::PagesRing), "it was declined there");
    let claimed = desk.claim(leg, &one.key);
    assert!(matches!(claimed, Ok(None)), "there is nothing to cancel any more");
    assert!(desk.ring_over(leg, "gave up"), "by the caller, before the page was connected");
    assert!(!desk.won(leg, &one.key));

    let (leg, _) = rings_with(&mut desk, ada(), true);
    assert_eq!(desk.decline(leg, &one.key), Ok(Declined::Last));
    assert!(matches!(desk.sip_over(leg), SipOver::Leg), "both declined");
    let (leg, _) = rings_with(&mut desk, ada(), true);
    drop(one);
    assert!(matches!(desk.sip_over(leg), SipOver::Leg), "the page was closed");
}

#[test]
fn sessions_are_bounded_and_those_that_nobody_has_open_make_room() {
    let mut desk = Desk::default();
    let now = Instant::now();
    let mut open = Vec::new();
    for number in 0..limits::PAGE_SESSIONS_PER_USER as u32 - 1 {
        open.push(page(&mut desk, number, "ada"));
    }
    desk.sign_in(now, key(100), named("ada")).unwrap();
    desk.sign_in(now, key(101), named("ada")).unwrap();
    assert_eq!(user_of(&mut desk, now, &key(100)), None, "it made room");
    assert_eq!(user_of(&mut desk, now, &key(101)), Some("ada"));
    open.push(page(&mut desk, 102, "ada"));
    assert_eq!(desk.sign_in(now, key(103), named("ada")), Err(PageError::TooManySessions), "all are open");
    assert!(desk.sign_in(now, key(104), named("bob")).is_ok());
    let late = now + limits::PAGE_SESSION_IDLE + Duration::from_secs(1);
    assert_eq!(user_of(&mut desk, late, &key(104)), None, "idle for long");
    let last = open.pop();
    drop(open);
    assert_eq!(user_of(&mut desk, late, &key(102)), Some("ada"), "open");
    assert_eq!(user_of(&mut desk, late, &key(1)), Some("ada"), "open until now");
    drop(last);
}

#[test]
fn a_page_has_so_many_legs_and_forgets_the_oldest_that_is_over() {
    let mut desk = Desk::default();
    let mut one = page(&mut desk, 1, "ada");
    let legs: Vec<LegId> = (0..limits::PAGE_LEGS).map(|_| LegId(fresh_id())).collect();
    for leg in &legs {
        assert_eq!(desk.calls(*leg, &one.key), Ok(()));
        let timeline = Timeline::new(Clock::start());
        desk.hears(*leg, Heard::new(&timeline, None, CallId(fresh_id()), ConversationId(fresh_id())));
    }
    assert_eq!(desk.calls(LegId(fresh_id()), &one.key), Err(PageError::TooManyLegs));
    desk.leg_ended(legs[2], "over");
    assert!(desk.heard(legs[2], &one.key).is_some());
    assert_eq!(desk.calls(LegId(fresh_id()), &one.key), Ok(()));
    assert!(desk.heard(legs[2], &one.key).is_none());
    assert!(desk.heard(legs[0], &one.key).is_some());
    assert_eq!(one.told(), ["over"]);
    let alive = desk.sign_out(&one.key);
    assert_eq!(alive.len(), limits::PAGE_LEGS);
    alive.into_iter().for_each(|leg| desk.leg_ended(leg, "over"));
    assert_eq!(user_of(&mut desk, Instant::now(), &one.key), None);
}

#[test]
fn what_is_being_opened_has_its_place() {
    let mut desk = Desk::default();
    let (mut one, two) = (page(&mut desk, 1, "ada"), page(&mut desk, 2, "ada"));
    let legs: Vec<LegId> = (1..limits::PAGE_LEGS).map(|_| LegId(fresh_id())).collect();
    for leg in &legs {
        assert_eq!(desk.calls(*leg, &one.key), Ok(()));
    }
    let (ringing, _) = rings(&mut desk, ada());
    let (other, _) = rings(&mut desk, ada());
    assert!(matches!(desk.claim(ringing, &one.key), Ok(None)), "the last place");
    assert_eq!(desk.calls(LegId(fresh_id()), &one.key), Err(PageError::TooManyLegs), "though it is not won yet");
    assert!(matches!(desk.claim(other, &one.key), Err(PageError::TooManyLegs)), "answers count too");
    assert!(matches!(desk.claim(other, &two.key), Ok(None)), "it rings on, and another page may take it");
    assert!(desk.ring_over(ringing, "gave up"));
    let last = LegId(fresh_id());
    assert_eq!(desk.calls(last, &one.key), Ok(()), "the caller's end gives the place back");
    desk.calls_not(last);
    assert!(!desk.holds(last, &one.key));
    assert_eq!(desk.calls(last, &one.key), Ok(()), "and so does an offer that was not taken");
    assert_eq!(one.told(), ["rings for Ada", "rings for Ada", "gave up"], "nothing of a leg that never was");
}

#[test]
fn who_signs_out_while_a_leg_is_opened_has_it_hung_up() {
    let mut desk = Desk::default();
    let one = page(&mut desk, 1, "ada");
    let (called, (rung, _)) = (LegId(fresh_id()), rings(&mut desk, ada()));
    assert_eq!(desk.calls(called, &one.key), Ok(()));
    assert!(matches!(desk.claim(rung, &one.key), Ok(None)));
    assert_eq!(desk.sign_out(&one.key), [called]);
    assert!(desk.won(rung, &one.key), "its audio was opened");
    assert!(!desk.knows(&one.key), "so it is hung up");
    desk.leg_ended(rung, "over");
    assert!(!desk.holds(rung, &one.key));
    assert_eq!(desk.calls(LegId(fresh_id()), &one.key), Err(PageError::NotSignedIn));
}

#[test]
fn a_page_that_does_not_read_is_cut_off_and_hears_of_what_rings_when_it_comes_again() {
    let mut desk = Desk::default();
    let mut slow = page(&mut desk, 1, "ada");
    for _ in 0..limits::PAGE_EVENTS + 1 {
        rings(&mut desk, ada());
    }
    assert_eq!(slow.told().len(), limits::PAGE_EVENTS);
    assert!(slow.events.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected));
    let (sender, events) = mpsc::channel(2 * limits::PAGE_EVENTS);
    desk.follow(&slow.key, sender);
    assert_eq!(Page { events, ..slow }.told().len(), limits::PAGE_EVENTS + 1);
}

#[test]
fn who_comes_back_is_told_how_his_legs_are() {
    let mut desk = Desk::default();
    let first = page(&mut desk, 1, "ada");
    let legs = [LegId(fresh_id()), LegId(fresh_id()), LegId(fresh_id())];
    legs.iter().for_each(|leg| desk.calls(*leg, &first.key).unwrap());
    drop(first.events);
    desk.leg_answered(legs[1]);
    desk.leg_answered(legs[2]);
    desk.leg_ended(legs[2], "the other side hung up");
    let (sender, events) = mpsc::channel(limits::PAGE_EVENTS);
    desk.follow(&first.key, sender);
    let mut back = Page { key: first.key, events };
    assert_eq!(back.told(), ["answered", "it was over when this page came back"]);
}
