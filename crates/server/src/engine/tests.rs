//! The blast wall: a conversation that breaks ends, its bot is told, and the engine lives.

use std::sync::Arc;
use std::time::Duration;

use ringback_core::{AppId, CallId, Epoch, Identity, IdentityKind, LegId, OperationId, Prompt, Repeat, TenantId, Told};
use ringback_ledger::{Cursor, MemoryLedger};
use tokio::sync::mpsc;

use super::{Engine, Hold, LaneOwner, Legs, Parties, Playback, Posted, Tell};
use crate::clock::Clock;
use crate::trace::Timeline;

/// Breaks whoever places a leg through it.
struct Broken;

impl Legs for Broken {
    fn place(&self, _: LegId, _: &AppId, _: &TenantId, _: &Identity, _: &Identity) {
        panic!("on purpose");
    }
    fn accept(&self, _: LegId) {}
    fn decline(&self, _: LegId, _: u16) {}
    fn hang_up(&self, _: LegId, _: Option<&str>) {}
}

impl Playback for Broken {
    fn play(&self, _: LegId, _: OperationId, _: &AppId, _: &[Prompt], _: Repeat) {}
    fn stop(&self, _: LegId, _: OperationId) {}
}

/// Passes on which lanes must read the log.
struct Lanes(mpsc::Sender<CallId>);

impl Tell for Lanes {
    fn open(&self, _: LaneOwner) {}
    fn reopen(&self, _: LaneOwner) {}
    fn hold(&self, _: CallId, _: Hold) {}
    fn tell(&self, _: CallId, _: Posted) {}
    fn catch_up(&self, call: CallId) {
        self.0.try_send(call).expect("room");
    }
    fn abandon(&self, _: CallId) {
        panic!("the lane must not be abandoned");
    }
}

fn identity(kind: IdentityKind) -> Identity {
    Identity { kind, id: "someone".to_owned(), display_name: None, tenant: None }
}

#[tokio::test]
async fn a_conversation_that_breaks_is_ended_and_told() {
    let clock = Clock::start();
    let engine = Engine::new(Arc::new(MemoryLedger::new()), Epoch(1), clock, Timeline::new(clock));
    let (sender, mut lanes) = mpsc::channel(1);
    engine.attach(Arc::new(Broken), Arc::new(Broken), Arc::new(Lanes(sender)));
    let (app, tenant) = (AppId::new("app"), TenantId::new("tenant"));
    let parties = Parties {
        app: app.clone(),
        tenant: tenant.clone(),
        callback: "http://127.0.0.1/".to_owned(),
        source: identity(IdentityKind::Application),
        target: identity(IdentityKind::User),
        subject: None,
        max_calls: 1,
    };
    // The answer is given before the leg is placed: the call was durable when it broke.
    let placed = engine.place_call(parties, None).await.expect("placed").call.expect("a call");
    let call = placed.call.id();
    let told = tokio::time::timeout(Duration::from_secs(10), lanes.recv()).await.expect("in time");
    assert_eq!(told, Some(call));

    let owner = LaneOwner { call, conversation: placed.conversation, app, tenant };
    let page = engine.posted_after(&owner, Cursor::default()).await.expect("read");
    assert!(page.over);
    let last = page.posted.last().map(|posted| posted.notice.told.clone());
    let Some(Told::Terminated(result)) = last else { panic!("{last:?}") };
    assert_eq!((result.code, result.subcode), (500, 7106));
}
