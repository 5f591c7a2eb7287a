//! What a scripted phone does by itself: one call at a time, placed or taken, from its beginning to its end.

use std::sync::Arc;

use ringback_signal::phone::{CallEnd, Phone, PhoneCall, PhoneError, RingingCall};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::phone::Called;
use super::story::Story;
use crate::limits;

/// What a step asks of the phone.
pub(super) enum Command {
    Call {
        to: String,
        /// Told when the call is being made; dropped if the phone has one.
        begun: oneshot::Sender<()>,
    },
    Answer,
    HangUp,
}

/// How far the latest call came. The order is that of a call's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// There was none yet.
    #[default]
    Idle,
    /// Placed, and nobody responded yet.
    Calling,
    /// It rings, here or there.
    Ringing,
    /// It is up.
    Answered,
    /// It is over.
    Ended,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The phone, as its test asked.
    Phone,
    /// The bot, or the server in its place.
    FarEnd,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) by: By,
    /// The SIP status that refused it, if it never was up.
    pub(super) status: Option<u16>,
    /// Why, if it is neither.
    problem: Option<String>,
}

/// The latest call.
#[derive(Clone, Default)]
pub(super) struct State {
    /// How many there have been, this one included.
    pub(super) number: u64,
    pub(super) phase: Phase,
    /// The phone placed it.
    pub(super) outgoing: bool,
    /// Its audio, kept when it is over.
    pub(super) talk: Option<Arc<PhoneCall>>,
    pub(super) end: Option<End>,
}

/// A phone's own doing.
pub(super) struct Line {
    phone: Phone,
    called: Called,
    state: watch::Sender<State>,
    story: Arc<Story>,
}

/// What steps ask, and whether the phone is switched off.
struct Orders {
    commands: mpsc::Receiver<Command>,
    off: watch::Receiver<bool>,
}

impl Orders {
    /// The next command; `None` when the phone is switched off. Cancel-safe.
    async fn next(&mut self) -> Option<Command> {
        tokio::select! {
            command = self.commands.recv() => command,
            _ = self.off.wait_for(|off| *off) => None,
        }
    }
}

impl Line {
    pub(super) fn new(phone: Phone, called: Called, state: watch::Sender<State>, story: Arc<Story>) -> Line {
        Line { phone, called, state, story }
    }

    /// Until the phone is switched off.
    pub(super) async fn run(self, commands: mpsc::Receiver<Command>, off: watch::Receiver<bool>) {
        let mut orders = Orders { commands, off };
        loop {
            tokio::select! {
                ringing = self.phone.ringing() => match ringing {
                    Ok(ringing) => self.rung(ringing, &mut orders).await,
                    Err(_) => return,
                },
                command = orders.next() => match command {
                    Some(Command::Call { to, begun }) => {
                        self.begin(Phase::Calling, true);
                        let _ = begun.send(());
                        self.dial(&to, &mut orders).await;
                    }
                    Some(Command::Answer | Command::HangUp) => {}
                    None => return,
                },
            }
        }
    }

    async fn dial(&self, to: &str, orders: &mut Orders) {
        let mut dialled = match self.phone.dial(to).await {
            Ok(dialled) => dialled,
            Err(error) => return self.failed(&error),
        };
        while dialled.status() < 200 {
            self.state.send_modify(|state| state.phase = Phase::Ringing);
            tokio::select! {
                progressed = dialled.progressed() => if let Err(error) = progressed {
                    return self.failed(&error);
                },
                command = orders.next() => if matches!(command, Some(Command::HangUp) | None) {
                    // An answer that crossed makes a call, which needs a BYE.
                    if let Ok(200..=299) = dialled.cancel().await
                        && let Ok(call) = dialled.answered().await
                    {
                        call.hang_up().await;
                    }
                    return self.end(By::Phone, None);
                },
                () = self.busy() => {}
            }
        }
        match dialled.answered().await {
            Ok(call) => self.talk(call, orders).await,
            Err(error) => self.failed(&error),
        }
    }

    async fn rung(&self, mut ringing: RingingCall, orders: &mut Orders) {
        self.begin(Phase::Ringing, false);
        match self.called {
            Called::Answer => {}
            Called::Busy => return self.decline(ringing, 486),
            Called::Decline => return self.decline(ringing, 603),
            Called::Ring => loop {
                tokio::select! {
                    () = ringing.cancelled() => return self.end(By::FarEnd, None),
                    command = orders.next() => match command {
                        Some(Command::Answer) => break,
                        Some(Command::HangUp) | None => return self.decline(ringing, 603),
                        Some(Command::Call { .. }) => {}
                    },
                    () = self.busy() => {}
                }
            },
        }
        match ringing.answer().await {
            Ok(call) => self.talk(call, orders).await,
            Err(error) => self.failed(&error),
        }
    }

    /// Carries a call that is up.
    async fn talk(&self, call: PhoneCall, orders: &mut Orders) {
        let call = Arc::new(call);
        self.state.send_modify(|state| (state.phase, state.talk) = (Phase::Answered, Some(Arc::clone(&call))));
        let longest = sleep(limits::SCRIPTED_CALL);
        tokio::pin!(longest);
        loop {
            tokio::select! {
                end = call.ended() => {
                    return self.end(if end == CallEnd::HungUp { By::Phone } else { By::FarEnd }, None);
                }
                command = orders.next() => if matches!(command, Some(Command::HangUp) | None) {
                    call.hang_up().await;
                },
                () = &mut longest => call.hang_up().await,
                () = self.busy() => {}
            }
        }
    }

    /// Turns away whoever else calls, for ever.
    async fn busy(&self) {
        while let Ok(ringing) = self.phone.ringing().await {
            ringing.decline(486);
        }
        std::future::pending().await
    }

    fn begin(&self, phase: Phase, outgoing: bool) {
        if outgoing {
            self.story.begin();
        }
        let number = self.state.borrow().number + 1;
        self.state.send_replace(State { number, phase, outgoing, ..State::default() });
    }

    fn decline(&self, ringing: RingingCall, status: u16) {
        ringing.decline(status);
        self.end(By::Phone, Some(status));
    }

    fn failed(&self, error: &PhoneError) {
        match error {
            PhoneError::Refused(status) => self.end(By::FarEnd, Some(*status)),
            other => self.ended(End { by: By::FarEnd, status: None, problem: Some(other.to_string()) }),
        }
    }

    fn end(&self, by: By, status: Option<u16>) {
        self.ended(End { by, status, problem: None });
    }

    fn ended(&self, end: End) {
        self.state.send_modify(|state| (state.phase, state.end) = (Phase::Ended, Some(end)));
    }
}

impl Phase {
    /// In JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Calling => "calling",
            Phase::Ringing => "ringing",
            Phase::Answered => "answered",
            Phase::Ended => "ended",
        }
    }
}

impl By {
    /// In JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            By::Phone => "phone",
            By::FarEnd => "bot",
        }
    }
}

impl End {
    /// In words. `call`: there was a bot's call, which a meeting that nobody is in has not.
    pub(super) fn words(&self, call: bool) -> String {
        if let Some(problem) = &self.problem {
            return format!("the call failed: {problem}");
        }
        match (self.by, self.status) {
            (By::Phone, None) => "the phone hung up".to_owned(),
            (By::Phone, Some(status)) => format!("the phone turned the call away with {status}"),
            (By::FarEnd, None) => "the bot hung up".to_owned(),
            (By::FarEnd, Some(404)) => {
                "neither a bot nor a meeting is at that number, or this caller may not reach it (404)".to_owned()
            }
            (By::FarEnd, Some(480)) if !call => {
                "the meeting's bot is not there (480): it has to join before phones can".to_owned()
            }
            (By::FarEnd, Some(403)) => "the bot rejected the call as forbidden (403)".to_owned(),
            (By::FarEnd, Some(480)) => "the bot did not answer in time (480)".to_owned(),
            (By::FarEnd, Some(486)) => "the bot rejected the call as busy (486)".to_owned(),
            (By::FarEnd, Some(603)) => "the bot rejected the call, or hung up before it answered (603)".to_owned(),
            (By::FarEnd, Some(503)) => {
                "the bot, the meeting or the server takes no more calls just now (503): `ringback tail` says which"
                    .to_owned()
            }
            (By::FarEnd, Some(status)) => format!("the call was refused with {status}"),
        }
    }
}
