//! A scripted phone's call: what its script can do with it, and the task that answers the far end.

use std::time::Duration;

use ringback_media::{RemoteRtp, Tone};
use rsipstack::sip::{Method, StatusCodeKind};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::audio::Audio;
use super::{Line, PhoneError};
use crate::dialog::Dialog;
use crate::limits;
use crate::sdp::{self, Direction, Local};
use crate::sip::flow::{Hop, Transport};
use crate::sip::message::{self, header};
use crate::sip::wire::{Asked, InviteEvent};

/// Who ended a phone's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// The phone.
    HungUp,
    /// The far end, by BYE.
    FarHungUp,
}

enum Command {
    HangUp,
    Offer(Direction, oneshot::Sender<Result<(), PhoneError>>),
}

/// A call that is up. Dropped, it falls silent without a BYE, as a phone that loses power.
pub struct PhoneCall {
    audio: std::sync::Arc<Audio>,
    commands: mpsc::Sender<Command>,
    ended: watch::Receiver<Option<CallEnd>>,
}

impl PhoneCall {
    /// Starts the task that answers the far end.
    pub(super) fn start(line: Line, dialog: Dialog, audio: Audio, local: Local) -> PhoneCall {
        let audio = std::sync::Arc::new(audio);
        let (commands, commanded) = mpsc::channel(4);
        let (end, ended) = watch::channel(None);
        let task = Task { line, dialog, audio: audio.clone(), local };
        tokio::spawn(task.run(commanded, end));
        PhoneCall { audio, commands, ended }
    }

    /// Where the far end receives RTP, and what was agreed of it; for whoever sends in the phone's place.
    pub fn far_end(&self) -> Option<RemoteRtp> {
        self.audio.agreed().map(|agreed| agreed.remote(false))
    }

    /// Presses keys (`0`–`9`, `*`, `#`, `A`–`D`), 100 ms each, by RFC 4733; returns when the last
    /// is sent.
    pub async fn press(&self, keys: &str) {
        self.audio.press(keys);
        self.audio.sent().await;
    }

    /// Samples a second of what is said and heard: 16,000 with G.722, else 8,000.
    pub fn rate(&self) -> u32 {
        self.audio.rate()
    }

    /// Says samples at [`PhoneCall::rate`]; returns when they are sent. Otherwise the phone sends silence.
    pub async fn say(&self, pcm: &[i16]) {
        self.audio.say(pcm);
        self.audio.sent().await;
    }

    /// All that was heard so far, at [`PhoneCall::rate`], from the first packet on; gaps are silence. It begins anew when
    /// that rate changes.
    pub fn heard(&self) -> Vec<i16> {
        self.audio.heard()
    }

    /// The same from sample `from` on.
    pub fn heard_since(&self, from: usize) -> Vec<i16> {
        self.audio.heard_since(from)
    }

    /// The keys that the far end pressed so far, by RFC 4733.
    pub fn keys(&self) -> Vec<Tone> {
        self.audio.keys()
    }

    /// How many samples were heard so far: where to look for what comes next.
    pub fn position(&self) -> usize {
        self.audio.position()
    }

    /// Waits until so many samples were heard. Cancel-safe; never ends when no more come.
    pub async fn heard_at_least(&self, samples: usize) {
        self.audio.heard_at_least(samples).await;
    }

    /// Waits until the far end has pressed such keys, all so far in their order. Cancel-safe; never ends when none come.
    pub async fn pressed(&self, wanted: impl Fn(&[Tone]) -> bool) {
        self.audio.pressed(wanted).await;
    }

    /// How much of what was heard since sample `from` is sound, to 20 ms.
    pub fn sound_since(&self, from: usize) -> Duration {
        self.audio.sound_since(from)
    }

    /// How many audio packets came so far.
    pub fn received(&self) -> u64 {
        self.audio.received()
    }

    /// Waits until, since sample `from` (see [`PhoneCall::position`]), at least `sound` of sound was
    /// heard and then silence for `quiet`. Gives what was heard since `from`, or `None` when that
    /// did not happen `within` the time given.
    pub async fn heard_until_quiet(
        &self,
        from: usize,
        sound: Duration,
        quiet: Duration,
        within: Duration,
    ) -> Option<Vec<i16>> {
        let until = Instant::now() + within;
        let found = self.audio.quiet_after_sound(from, sound, quiet, until).await;
        found.then(|| self.heard_since(from))
    }

    /// Puts the far end on hold, or takes it off, by re-INVITE; returns when it agreed. What it speaks is what the phone
    /// speaks by then ([`Phone::speak`](super::Phone::speak)).
    pub async fn hold(&self, on: bool) -> Result<(), PhoneError> {
        let direction = if on { Direction::SendOnly } else { Direction::SendReceive };
        let (reply, replied) = oneshot::channel();
        let sent = self.commands.send(Command::Offer(direction, reply)).await;
        sent.map_err(|_| PhoneError::Over)?;
        replied.await.map_err(|_| PhoneError::Over)?
    }

    /// Hangs up; returns when the far end has agreed, or does not answer.
    pub async fn hang_up(&self) {
        let _ = self.commands.send(Command::HangUp).await;
        self.ended().await;
    }

    /// Waits until the call is over.
    pub async fn ended(&self) -> CallEnd {
        let mut ended = self.ended.clone();
        let end = ended.wait_for(Option::is_some).await.ok().and_then(|end| *end);
        // The task tells an end before it goes.
        end.unwrap_or(CallEnd::FarHungUp)
    }

    /// Whether the call is over.
    pub fn is_over(&self) -> bool {
        self.ended.borrow().is_some()
    }
}

struct Task {
    line: Line,
    dialog: Dialog,
    audio: std::sync::Arc<Audio>,
    local: Local,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, end: watch::Sender<Option<CallEnd>>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::HangUp) => {
                        self.hang_up().await;
                        end.send_replace(Some(CallEnd::HungUp));
                        return;
                    }
                    Some(Command::Offer(direction, reply)) => {
                        let _ = reply.send(self.offer(direction).await);
                    }
                    None => return,
                },
                Some(request) = self.line.requests.recv() => {
                    if self.request(request).await {
                        end.send_replace(Some(CallEnd::FarHungUp));
                        return;
                    }
                }
            }
        }
    }

    async fn hang_up(&mut self) {
        let bye = self.dialog.request(Method::Bye);
        let Some(to) = Hop::of(&self.dialog.next_hop()).await else {
            return;
        };
        if let Some(mut bye) = self.line.phone.wire.send(bye, &to) {
            let _ = timeout(limits::AFTERMATH, bye.last()).await;
        }
    }

    async fn offer(&mut self, direction: Direction) -> Result<(), PhoneError> {
        self.local.version += 1;
        self.local.codecs = self.line.phone.codecs();
        let mut invite = self.dialog.request(Method::Invite);
        invite.body = sdp::offer(&self.local, direction);
        invite.headers.push(self.line.phone.wire.contact(Transport::Udp, false));
        invite.headers.push(header("Content-Type", message::SDP));
        let to = Hop::of(&self.dialog.next_hop()).await.ok_or(PhoneError::NoResponse)?;
        let mut sent = self.line.phone.wire.send(invite, &to).ok_or(PhoneError::NoResponse)?;
        let response = sent.last().await.ok_or(PhoneError::NoResponse)?;
        if response.status_code.kind() != StatusCodeKind::Successful {
            return Err(PhoneError::Refused(response.status_code.code()));
        }
        let agreed = sdp::read_answer(&response.body, self.local.codecs).map_err(|_| PhoneError::NoAudio)?;
        self.audio.connect(agreed);
        Ok(())
    }

    /// Answers a request; true when it ended the call.
    async fn request(&mut self, request: Asked) -> bool {
        let wire = &self.line.phone.wire;
        if !self.dialog.is_of(&request.original) || !self.dialog.advance(&request.original) {
            wire.answer_stateless(request, 481, Vec::new()).await;
            return false;
        }
        match request.original.method {
            Method::Bye => {
                wire.answer(request, 200, Vec::new()).await;
                true
            }
            Method::Invite => {
                self.reinvited(request).await;
                false
            }
            Method::Ack => false,
            _ => {
                wire.answer(request, 405, vec![header("Allow", message::ALLOW)]).await;
                false
            }
        }
    }

    async fn reinvited(&mut self, request: Asked) {
        let wire = &self.line.phone.wire;
        let mut invited = wire.invited(request, String::new());
        self.local.version += 1;
        let (status, body) = match sdp::answer(&invited.request.body, &self.local) {
            Ok((answer, agreed)) => {
                self.audio.connect(agreed);
                (200, Some(answer))
            }
            Err(_) => (488, None),
        };
        let headers = vec![wire.contact(Transport::Udp, false)];
        invited.respond(wire.response(&invited.request, status, "", headers, body));
        tokio::spawn(async move { while let Some(InviteEvent::Cancelled) = invited.event().await {} });
    }
}
