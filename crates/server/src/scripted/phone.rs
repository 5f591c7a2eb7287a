//! One scripted phone: the steps that a test takes with it, in the order in which they come, and how it prints.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringback_core::CallId;
use ringback_media::{Tone, wav};
use ringback_signal::phone::{Phone, PhoneCall, PhoneConfig};
use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, Semaphore, SemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::ScriptError;
use super::expect::{self, Terms};
use super::line::{Command, Line, Phase, State};
use super::step::{self, Voice};
use super::story::Story;
use crate::limits;
use crate::trace::Timeline;

/// What a phone does when it is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Called {
    /// Answers at once.
    #[default]
    Answer,
    /// Rings until the test answers or hangs up.
    Ring,
    /// Is busy: 486.
    Busy,
    /// Declines: 603.
    Decline,
}

/// A phone to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewPhone {
    /// The number it calls from and is called at; none: one that nobody has.
    pub(crate) number: Option<String>,
    /// What it does when called.
    pub(crate) called: Called,
    /// What it speaks.
    pub(crate) voice: Voice,
}

/// What to wait for.
#[derive(Clone, Debug)]
pub(crate) enum Await {
    /// The far end rings, or this phone does, or the call came further.
    Ringing,
    /// The call is up, or was.
    Answered,
    /// The call is over.
    Ended,
    /// The bot has pressed these keys, one after the other, among others perhaps.
    Keys(String),
}

/// What came of a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Why it was in vain; `None`: it was not.
    pub(crate) why: Option<String>,
    /// Of an expectation: the best likeness, and where it begins, in seconds of what was heard.
    pub(crate) likeness: Option<(f64, f64)>,
}

impl Outcome {
    fn in_vain(why: impl Into<String>) -> Outcome {
        Outcome { why: Some(why.into()), likeness: None }
    }
}

/// Where the next expectation begins to listen.
#[derive(Default)]
struct Listened {
    /// The call it was in (`State::number`): another one is listened to from its beginning, whoever placed it.
    call: u64,
    sample: usize,
}

/// A scripted phone. Dropped, it hangs up and is gone.
pub(crate) struct ScriptedPhone {
    id: Uuid,
    number: String,
    voice: Voice,
    address: SocketAddr,
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
    story: Arc<Story>,
    /// Held by the step under way: the next waits.
    turn: AsyncMutex<Listened>,
    /// The latest call whose end a step has seen: who waits for a ring after it means another one.
    over: AtomicU64,
    places: Semaphore,
    touched: Mutex<Instant>,
    off: watch::Sender<bool>,
}

impl ScriptedPhone {
    pub(super) async fn start(
        server: SocketAddr,
        timeline: &Timeline,
        number: String,
        called: Called,
        voice: Voice,
    ) -> Result<ScriptedPhone, ScriptError> {
        let config =
            PhoneConfig { registrar: server, user: number.clone(), password: String::new(), bind: server.ip() };
        let phone = Phone::start(config).await?;
        phone.speak(voice.codecs());
        let (commands, commanded) = mpsc::channel(1);
        let (tell, state) = watch::channel(State::default());
        let story = Arc::new(Story::follow(timeline));
        let (off, switched) = watch::channel(false);
        let address = phone.local_addr();
        let line = Line::new(phone, called, tell, Arc::clone(&story));
        tokio::spawn(line.run(commanded, switched));
        Ok(ScriptedPhone {
            id: Uuid::now_v7(),
            number,
            voice,
            address,
            commands,
            state,
            story,
            turn: AsyncMutex::default(),
            over: AtomicU64::default(),
            places: Semaphore::new(limits::SCRIPTED_STEPS),
            touched: Mutex::new(Instant::now()),
            off,
        })
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn number(&self) -> &str {
        &self.number
    }

    /// Where its SIP socket is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn joined(&self, call: CallId) {
        self.story.joined(call);
    }

    /// Somebody asked for it.
    pub(super) fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Nobody asked for it in a long time.
    pub(super) fn is_disused(&self) -> bool {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > limits::SCRIPTED_DISUSED
    }

    /// Hangs up and answers nothing more.
    pub(super) fn switch_off(&self) {
        self.off.send_replace(true);
    }

    /// Calls a number, a bot's id or a SIP address of this server.
    pub(crate) async fn call(&self, to: &str) -> Result<Outcome, ScriptError> {
        let _turn = self.turn().await?;
        let (begun, begins) = oneshot::channel();
        let command = Command::Call { to: to.to_owned(), begun };
        let sent = self.commands.send(command).await;
        if sent.is_err() {
            return Err(ScriptError::NoPhone);
        }
        begins.await.map_err(|_| ScriptError::HasCall)?;
        Ok(Outcome::default())
    }

    /// Answers a call that rings.
    pub(crate) async fn answer(&self) -> Result<Outcome, ScriptError> {
        let _turn = self.turn().await?;
        if self.phase() != Phase::Ringing || self.state.borrow().outgoing {
            return Ok(Outcome::in_vain("no call rings at the phone"));
        }
        let _ = self.commands.send(Command::Answer).await;
        Ok(self.reached(Await::Answered, limits::SCRIPTED_HANG_UP).await)
    }

    /// Hangs up, gives up or declines.
    pub(crate) async fn hang_up(&self) -> Result<Outcome, ScriptError> {
        let _turn = self.turn().await?;
        if matches!(self.phase(), Phase::Idle | Phase::Ended) {
            return Ok(Outcome::default());
        }
        let _ = self.commands.send(Command::HangUp).await;
        Ok(self.reached(Await::Ended, limits::SCRIPTED_HANG_UP).await)
    }

    /// Presses keys, each for 100 ms, and comes back when they are sent.
    pub(crate) async fn press(&self, keys: &str) -> Result<Outcome, ScriptError> {
        step::keys(keys)?;
        let _turn = self.turn().await?;
        let (before, last) = keys.split_at(keys.char_indices().next_back().map_or(0, |(at, _)| at));
        if !before.is_empty() {
            let pressed = self.while_up(async |call| call.press(before).await).await;
            if pressed.why.is_some() {
                return Ok(pressed);
            }
        }
        let Some(call) = self.up() else { return Ok(self.not_up()) };
        // A bot may hang up at the last key while it is still held: it has taken it.
        tokio::select! {
            () = call.press(last) => {}
            _ = call.ended() => {}
        }
        Ok(Outcome::default())
    }

    /// Says a WAV file, and comes back when it is said.
    pub(crate) async fn say(&self, wav: &[u8]) -> Result<Outcome, ScriptError> {
        let samples = step::said(wav, self.voice)?;
        let _turn = self.turn().await?;
        Ok(self.while_up(async |call| call.say(&samples).await).await)
    }

    /// Listens for a WAV file, in what was heard since the last expectation that came true.
    pub(crate) async fn expect(&self, wav: &[u8], terms: Terms) -> Result<Outcome, ScriptError> {
        let reference = step::expected(wav, self.voice)?;
        let mut turn = self.turn().await?;
        let State { number, talk, .. } = self.state.borrow().clone();
        let Some(call) = talk else { return Ok(self.not_up()) };
        if turn.listened.call != number {
            *turn.listened = Listened { call: number, sample: 0 };
        }
        let verdict = expect::listen(&call, reference, turn.listened.sample, terms).await;
        let likeness = Some((verdict.likeness, verdict.at as f64 / f64::from(call.rate())));
        match verdict.end {
            Some(end) => turn.listened.sample = end,
            None => return Ok(Outcome { why: Some(verdict.why(terms)), likeness }),
        }
        Ok(Outcome { why: None, likeness })
    }

    /// Waits until that has come, at most so long.
    pub(crate) async fn wait(&self, what: Await, within: Duration) -> Result<Outcome, ScriptError> {
        if let Await::Keys(wanted) = &what {
            step::keys(wanted)?;
        }
        let _turn = self.turn().await?;
        Ok(self.reached(what, within).await)
    }

    /// What was heard in the latest call, as a WAV file.
    pub(crate) fn heard(&self) -> Option<Vec<u8>> {
        let call = self.talk()?;
        Some(wav::encode(call.rate(), &call.heard()))
    }

    /// The phone and its call, as JSON.
    pub(crate) fn print(&self) -> Value {
        let state = self.state.borrow().clone();
        let heard = state.talk.as_ref().map(|call| call.position() as f64 / f64::from(call.rate()));
        let end = state.end.as_ref().map(|end| json!({ "by": end.by.as_str(), "status": end.status }));
        json!({
            "id": self.id.to_string(),
            "number": self.number,
            "state": state.phase.as_str(),
            "call": self.story.call(),
            "ended": end,
            "why": self.why(&state),
            "keys": keys(state.talk.as_deref()),
            "heardSeconds": heard,
            "timeline": self.story.entries(),
        })
    }

    fn phase(&self) -> Phase {
        self.state.borrow().phase
    }

    fn talk(&self) -> Option<Arc<PhoneCall>> {
        self.state.borrow().talk.clone()
    }

    /// Waits for this step's turn.
    async fn turn(&self) -> Result<Turn<'_>, ScriptError> {
        let place = self.places.try_acquire().map_err(|_| ScriptError::Busy)?;
        Ok(Turn { _place: place, listened: self.turn.lock().await })
    }

    /// Does something with a call that is up, as long as it is.
    async fn while_up(&self, what: impl AsyncFnOnce(&PhoneCall)) -> Outcome {
        let Some(call) = self.up() else { return self.not_up() };
        tokio::select! {
            () = what(&call) => Outcome::default(),
            _ = call.ended() => Outcome::in_vain("the call was over before it was done"),
        }
    }

    fn up(&self) -> Option<Arc<PhoneCall>> {
        self.talk().filter(|call| !call.is_over())
    }

    fn not_up(&self) -> Outcome {
        let state = self.state.borrow().clone();
        let why = self.why(&state).unwrap_or_else(|| "no call was made, or none is up yet".to_owned());
        Outcome::in_vain(format!("the phone has no call that is up: {why}"))
    }

    /// Why the call is over, or did not come to be, in words; with what the bot's webhook had to do with it.
    fn why(&self, state: &State) -> Option<String> {
        let end = state.end.as_ref()?;
        let trouble = if state.talk.is_none() { self.story.trouble() } else { None };
        let words = end.words(self.story.call().is_some());
        Some(match trouble {
            Some(trouble) => format!("{words}; its webhook: {trouble}"),
            None => words,
        })
    }

    async fn reached(&self, what: Await, within: Duration) -> Outcome {
        let (mut state, over) = (self.state.clone(), self.over.load(Ordering::Relaxed));
        let there = async {
            if let Await::Keys(wanted) = &what {
                return self.heard_keys(wanted).await;
            }
            // The end ends every wait; whether it is what was waited for is seen below.
            let until = match what {
                Await::Ringing => Phase::Ringing,
                Await::Answered => Phase::Answered,
                Await::Ended | Await::Keys(_) => Phase::Ended,
            };
            let _ =
                state.wait_for(|state| (state.number > over || until == Phase::Ended) && state.phase >= until).await;
        };
        let _ = timeout(within, there).await;
        let state = self.state.borrow().clone();
        let is_new = state.number > over;
        if state.phase == Phase::Ended {
            self.over.store(state.number, Ordering::Relaxed);
        }
        let missed = match &what {
            Await::Ringing if is_new && state.phase >= Phase::Ringing => None,
            Await::Answered if is_new && state.talk.is_some() => None,
            Await::Ended if state.phase == Phase::Ended => None,
            Await::Keys(wanted) if keys(state.talk.as_deref()).contains(wanted.as_str()) => None,
            Await::Keys(_) => Some(format!("the bot pressed {:?}", keys(state.talk.as_deref()))),
            _ => Some(format!("the call is {}", state.phase.as_str())),
        };
        let Some(missed) = missed else { return Outcome::default() };
        let after = format!("{missed} after {:.1} s", within.as_secs_f64());
        Outcome::in_vain(self.why(&state).filter(|_| is_new).unwrap_or(after))
    }

    /// Waits until the bot has pressed these keys, or the call is over.
    async fn heard_keys(&self, wanted: &str) {
        let mut state = self.state.clone();
        let _ = state.wait_for(|state| state.phase >= Phase::Answered).await;
        let Some(call) = self.talk() else { return };
        tokio::select! {
            () = call.pressed(|keys| text(keys).contains(wanted)) => {}
            _ = call.ended() => {}
        }
    }
}

/// A step's turn: nobody else's meanwhile.
struct Turn<'a> {
    _place: SemaphorePermit<'a>,
    listened: MutexGuard<'a, Listened>,
}

/// The keys that the bot pressed.
fn keys(call: Option<&PhoneCall>) -> String {
    call.map(|call| text(&call.keys())).unwrap_or_default()
}

fn text(keys: &[Tone]) -> String {
    keys.iter().map(|tone| tone.key()).collect()
}
