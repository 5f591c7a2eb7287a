//! The blast wall: a conversation that breaks ends, its bot is told, and the engine lives.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use ringback_core::{
    AppId, CallId, EndCause, Epoch, Identity, IdentityKind, Input, LegId, OperationId, PlayPrompt, Prompt,
    RecordResponse, Recording, Refusal, Repeat, TenantId, Told, Tone,
};
use ringback_ledger::{Cursor, Ledger, MemoryLedger, Version};
use tokio::sync::{mpsc, oneshot};

use super::{Audio, CallView, Engine, EngineError, Hold, LaneOwner, Legs, Parties, Posted, Tell, fresh_id};
use crate::clock::Clock;
use crate::limits;
use crate::trace::Trace;
use crate::trace::metrics::Orphaned;

/// Breaks whoever places a leg through it.
struct Broken;

impl Legs for Broken {
    fn place(&self, _: LegId, _: &AppId, _: &TenantId, _: &Identity, _: &Identity) {
        panic!("on purpose");
    }
    fn take_seat(&self, _: LegId) {}
    fn admit(&self, _: LegId, _: LegId) {}
    fn accept(&self, _: LegId) {}
    fn decline(&self, _: LegId, _: u16) {}
    fn hang_up(&self, _: LegId, _: Option<&str>) {}
}

impl Audio for Broken {
    fn play(&self, _: LegId, _: OperationId, _: &AppId, _: &[Prompt], _: Repeat) {}
    fn send_tones(&self, _: LegId, _: OperationId, _: &[Tone], _: Duration) {}
    fn record(&self, _: LegId, _: CallId, _: OperationId, _: &AppId, _: &Recording) {}
    fn keep(&self, _: LegId, _: OperationId) {}
    fn stop(&self, _: LegId, _: OperationId) {}
    fn recover(&self, _: Vec<OperationId>) -> oneshot::Receiver<Vec<OperationId>> {
        oneshot::channel().1
    }
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

/// Does what it is told, and says nothing of it.
struct Idle;

impl Legs for Idle {
    fn place(&self, _: LegId, _: &AppId, _: &TenantId, _: &Identity, _: &Identity) {}
    fn take_seat(&self, _: LegId) {}
    fn admit(&self, _: LegId, _: LegId) {}
    fn accept(&self, _: LegId) {}
    fn decline(&self, _: LegId, _: u16) {}
    fn hang_up(&self, _: LegId, _: Option<&str>) {}
}

impl Audio for Idle {
    fn send_tones(&self, _: LegId, _: OperationId, _: &[Tone], _: Duration) {}
    fn play(&self, _: LegId, _: OperationId, _: &AppId, _: &[Prompt], _: Repeat) {}
    fn stop(&self, _: LegId, _: OperationId) {}
    fn record(&self, _: LegId, _: CallId, _: OperationId, _: &AppId, _: &Recording) {}
    fn keep(&self, _: LegId, _: OperationId) {}
    fn recover(&self, _: Vec<OperationId>) -> oneshot::Receiver<Vec<OperationId>> {
        oneshot::channel().1
    }
}

/// Breaks whoever ends a recording through it; the recordings are whole.
struct Clumsy;

impl Audio for Clumsy {
    fn send_tones(&self, _: LegId, _: OperationId, _: &[Tone], _: Duration) {}
    fn play(&self, _: LegId, _: OperationId, _: &AppId, _: &[Prompt], _: Repeat) {}
    fn record(&self, _: LegId, _: CallId, _: OperationId, _: &AppId, _: &Recording) {}
    fn keep(&self, _: LegId, _: OperationId) {
        panic!("on purpose");
    }
    fn stop(&self, _: LegId, _: OperationId) {}
    fn recover(&self, recordings: Vec<OperationId>) -> oneshot::Receiver<Vec<OperationId>> {
        let (sender, whole) = oneshot::channel();
        sender.send(recordings).expect("it is waited for");
        whole
    }
}

fn identity(kind: IdentityKind) -> Identity {
    Identity { kind, id: "someone".to_owned(), display_name: None, tenant: None }
}

fn parties() -> Parties {
    Parties {
        app: AppId::new("app"),
        tenant: TenantId::new("tenant"),
        callback: "http://bot.example/".to_owned(),
        source: identity(IdentityKind::Application),
        target: identity(IdentityKind::User),
        subject: None,
        max_calls: 1,
    }
}

#[tokio::test]
async fn a_conversation_that_breaks_is_ended_and_told() {
    let clock = Clock::start();
    let engine = Engine::new(Arc::new(MemoryLedger::new()), Epoch(1), clock, Trace::new(clock));
    let (sender, mut lanes) = mpsc::channel(1);
    engine.attach(Arc::new(Broken), Arc::new(Broken), Arc::new(Lanes(sender)));
    let Parties { app, tenant, .. } = parties();
    // The answer is given before the leg is placed: the call was durable when it broke.
    let placed = engine.place_call(parties(), None).await.expect("placed").call.expect("a call");
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

#[tokio::test]
async fn what_nobody_is_left_to_end_is_counted_until_it_is_taken_over() {
    let (clock, ledger) = (Clock::start(), Arc::new(MemoryLedger::new()));
    let (sender, _lanes) = mpsc::channel(8);
    let ours = |epoch: u64| {
        let engine = Engine::new(Arc::clone(&ledger) as Arc<dyn Ledger>, Epoch(epoch), clock, Trace::new(clock));
        engine.attach(Arc::new(Idle), Arc::new(Idle), Arc::new(Lanes(sender.clone())));
        engine
    };
    let before = ours(1);
    let Parties { app, tenant, .. } = parties();
    let call = before.place_call(parties(), None).await.expect("placed").call.expect("a call");
    before.happening(call.call.begun.leg, Input::LegAnswered { leg: call.call.begun.leg, dialog: String::new() });
    let play = Input::PlayPrompt(PlayPrompt {
        call: call.call.id(),
        operation: OperationId(fresh_id()),
        client_context: None,
        prompts: vec![Prompt { uri: "http://bot.example/p.wav".to_owned(), resource_id: None, times: 1 }],
        repeat: Repeat::Once,
    });
    before.act(&app, &tenant, call.call.id(), play).await.expect("played");
    assert_eq!(before.orphaned().await.expect("an answer"), Orphaned::default(), "it has its task");

    // Another process, as after a crash: nothing is taken over yet, and that is seen.
    let after = ours(2);
    assert_eq!(after.orphaned().await.expect("an answer"), Orphaned { conversations: 1, operations: 1 });
    assert_eq!(after.recover().await.expect("recovered"), 1);
    let leg = call.call.begun.leg;
    after.happening(leg, Input::LegEnded { leg, cause: EndCause::LocalHangUp });
    until_over(&after).await;
    assert_eq!(after.orphaned().await.expect("an answer"), Orphaned::default());
}

/// A conversation that breaks while its call waits for a recording keeps it, and ends.
#[tokio::test]
async fn a_conversation_that_breaks_keeps_its_recording() {
    let clock = Clock::start();
    let engine = Engine::new(Arc::new(MemoryLedger::new()), Epoch(1), clock, Trace::new(clock));
    let (sender, mut lanes) = mpsc::channel(1);
    engine.attach(Arc::new(Idle), Arc::new(Clumsy), Arc::new(Lanes(sender)));
    let Parties { app, tenant, .. } = parties();
    let placed = engine.place_call(parties(), None).await.expect("placed").call.expect("a call");
    let (call, leg) = (placed.call.id(), placed.call.begun.leg);
    engine.happening(leg, Input::LegAnswered { leg, dialog: String::new() });
    let record = Input::RecordResponse(RecordResponse {
        call,
        operation: OperationId(fresh_id()),
        client_context: None,
        prompts: vec![],
        prompt_optional: true,
        barge_in: false,
        beep: true,
        initial_silence: None,
        max_silence: None,
        max_duration: None,
        stop_tones: vec![],
        location: "http://server.example/recordings/1".to_owned(),
    });
    engine.act(&app, &tenant, call, record).await.expect("it records");
    engine.happening(leg, Input::LegEnded { leg, cause: EndCause::FarHangUp });
    let told = tokio::time::timeout(Duration::from_secs(10), lanes.recv()).await.expect("in time");
    assert_eq!(told, Some(call));

    let owner = LaneOwner { call, conversation: placed.conversation, app, tenant };
    let page = engine.posted_after(&owner, Cursor::default()).await.expect("read");
    assert!(page.over);
    let told: Vec<Told> = page.posted.into_iter().rev().take(2).map(|posted| posted.notice.told).collect();
    let [Told::Terminated(result), Told::OperationEnded(recording)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((result.code, result.subcode), (200, 5002));
    assert_eq!(recording.recording_location(), Some("http://server.example/recordings/1"));
}

/// A record that cannot be read costs what it says, and no more: the far end is let go, and the bot is told the end.
#[tokio::test]
async fn a_record_that_cannot_be_read_leaves_no_call_open() {
    let (clock, ledger) = (Clock::start(), Arc::new(MemoryLedger::new()));
    let (sender, _lanes) = mpsc::channel(8);
    let ours = |epoch: u64, ledger: &Arc<MemoryLedger>| {
        let ledger = Arc::clone(ledger) as Arc<dyn Ledger>;
        let engine = Engine::new(ledger, Epoch(epoch), clock, Trace::new(clock));
        engine.attach(Arc::new(Idle), Arc::new(Idle), Arc::new(Lanes(sender.clone())));
        engine
    };
    let before = ours(1, &ledger);
    let Parties { app, tenant, .. } = parties();
    let placed = before.place_call(parties(), None).await.expect("placed").call.expect("a call");
    let (call, leg) = (placed.call.id(), placed.call.begun.leg);
    before.happening(leg, Input::LegAnswered { leg, dialog: String::new() });
    let operation = OperationId(fresh_id());
    let subscribe = Input::SubscribeToTone { call, operation, client_context: None };
    before.act(&app, &tenant, call, subscribe).await.expect("done");
    before.happening(leg, Input::ToneHeard { leg, tone: Tone::Pound });
    // A look at the call comes after what happened to it.
    before.call(&app, &tenant, call).await.expect("it lives");
    let log = ledger.read(placed.conversation, Version(0), 100).await.expect("read");
    for spoilt in [log.len() / 2, log.len()].map(|version| Version(version as u64)) {
        ledger.damage(placed.conversation, spoilt, "{}");
    }

    let after = ours(2, &ledger);
    assert_eq!(after.recover().await.expect("recovered"), 1);
    after.happening(leg, Input::LegEnded { leg, cause: EndCause::LocalHangUp });
    until_over(&after).await;
    let owner = LaneOwner { call, conversation: placed.conversation, app, tenant };
    let page = after.posted_after(&owner, Cursor::default()).await.expect("read");
    assert!(page.over);
    let last = page.posted.last().map(|posted| posted.notice.told.clone());
    let Some(Told::Terminated(result)) = last else { panic!("{last:?}") };
    assert_eq!(result.code, 500);
    assert_eq!(after.orphaned().await.expect("an answer"), Orphaned::default());
}

async fn until_over(engine: &Engine) {
    let over = async {
        while engine.conversations() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), over).await.expect("it ends");
}

/// Asks for its call as soon as that is placed, many times at once.
struct Eager {
    engine: OnceLock<Engine>,
    asked: Mutex<Vec<Asked>>,
}

type Asked = Pin<Box<dyn Future<Output = Result<CallView, EngineError>> + Send>>;

impl Legs for Eager {
    fn place(&self, leg: LegId, _: &AppId, _: &TenantId, _: &Identity, _: &Identity) {
        let engine = self.engine.get().expect("it is there");
        let (call, _) = engine.call_of_leg(leg).expect("it is known");
        let mut asked = self.asked.lock().expect("sound");
        for _ in 0..limits::MAILBOX {
            let engine = engine.clone();
            let mut ask: Asked = Box::pin(async move {
                let Parties { app, tenant, .. } = parties();
                engine.call(&app, &tenant, call).await
            });
            assert!(ask.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "it waits in the mailbox");
            asked.push(ask);
        }
    }
    fn take_seat(&self, _: LegId) {}
    fn admit(&self, _: LegId, _: LegId) {}
    fn accept(&self, _: LegId) {}
    fn decline(&self, _: LegId, _: u16) {}
    fn hang_up(&self, _: LegId, _: Option<&str>) {}
}

/// What is due is not put off by those who ask, however many they are.
#[tokio::test]
async fn a_deadline_comes_before_those_who_ask() {
    let clock = Clock::start();
    let engine = Engine::new(Arc::new(MemoryLedger::new()), Epoch(1), clock, Trace::new(clock));
    let eager = Arc::new(Eager { engine: OnceLock::new(), asked: Mutex::default() });
    let (sender, _lanes) = mpsc::channel(1);
    engine.attach(Arc::clone(&eager) as Arc<dyn Legs>, Arc::new(Idle), Arc::new(Lanes(sender)));
    let _ = eager.engine.set(engine.clone());
    engine.place_call(parties(), Some(Duration::ZERO)).await.expect("placed");
    let asked = std::mem::take(&mut *eager.asked.lock().expect("sound"));
    assert_eq!(asked.len(), limits::MAILBOX);
    for ask in asked {
        let answer = tokio::time::timeout(Duration::from_secs(10), ask).await.expect("in time");
        assert!(matches!(answer, Err(EngineError::Refused(Refusal::CallNotFound))), "it rang out: {answer:?}");
    }
}
