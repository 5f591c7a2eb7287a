//! One call's lane: one notice at a time, in order (design promise 4), and a bot that is slow, dead
//! or answers garbage delays only this lane (promise 6).

use std::sync::Arc;
use std::time::Duration;

use ringback_core::Told;
use ringback_ledger::{Cursor, Undelivered, WriteError};
use tokio::time::Instant;

use super::Shared;
use super::faults::Kind as Fault;
use super::post::{Attempt, Letter};
use super::queue::{Next, Queue};
use crate::directory::{BadUrl, Origin};
use crate::engine::{LaneOwner, Posted};
use crate::limits;
use crate::outbound::Target;
use crate::trace::{Entry, notice_word};

/// Delivers until the call's last notice is told.
pub(crate) async fn run(shared: Arc<Shared>, owner: LaneOwner, queue: Arc<Queue>) {
    let call = owner.call;
    let owner = Arc::new(owner);
    let mut lane = Lane {
        shared: &shared,
        owner,
        queue: &queue,
        done: Cursor::default(),
        failing: Failing::default(),
        target: None,
        moved: false,
        held: None,
    };
    lane.live().await;
    shared.close(call);
}

struct Lane<'a> {
    shared: &'a Arc<Shared>,
    owner: Arc<LaneOwner>,
    queue: &'a Arc<Queue>,
    done: Cursor,
    failing: Failing,
    /// The last callback, read: most calls have one.
    target: Option<(String, Arc<Target>)>,
    /// It was said that notices go elsewhere.
    moved: bool,
    /// A notice that comes after the next one, on purpose. The cursor stands before it.
    held: Option<Posted>,
}

/// Since when the bot has failed.
#[derive(Default)]
struct Failing(Option<Instant>);

impl Failing {
    /// Whether it has failed for too long, after this attempt. A bot that says it wants no such notice is there, and does
    /// not fail.
    fn for_too_long(&mut self, attempt: &Attempt, now: Instant) -> bool {
        match attempt {
            Attempt::Acknowledged | Attempt::Elsewhere(_) | Attempt::Refused(_) => self.0 = None,
            Attempt::Again { .. } => _ = self.0.get_or_insert(now),
            Attempt::Unsure(_) => {}
        }
        self.0.is_some_and(|since| now.duration_since(since) >= limits::LANE_GIVES_UP)
    }
}

/// What to do after a notice.
#[derive(PartialEq, Eq)]
enum After {
    GoOn,
    LastTold,
}

impl Lane<'_> {
    async fn live(&mut self) {
        self.done = self.start_at().await;
        self.queue.done(self.done);
        loop {
            match self.queue.next(self.done).await {
                Next::Stop => return,
                Next::Deliver(posted) => {
                    if self.tell(*posted).await == After::LastTold {
                        break;
                    }
                }
                Next::ReadLog => {
                    if self.catch_up().await == After::LastTold {
                        break;
                    }
                }
            }
        }
        self.shared.ledger.lane_done(self.owner.call);
    }

    /// Where the lane of an earlier process came to; for a new call, nowhere yet.
    async fn start_at(&self) -> Cursor {
        loop {
            match self.shared.ledger.cursor_get(self.owner.call).await {
                Ok(cursor) => return cursor.unwrap_or_default(),
                Err(error) => {
                    tracing::warn!(%error, "a lane's cursor could not be read; trying again");
                    tokio::time::sleep(limits::BACKOFF_FIRST).await;
                }
            }
        }
    }

    /// Tells what the log holds after what was told.
    async fn catch_up(&mut self) -> After {
        // It stands after the cursor, and is read again.
        self.held = None;
        let page = loop {
            match self.shared.engine.posted_after(&self.owner, self.done).await {
                Ok(page) => break page,
                Err(error) => {
                    tracing::warn!(%error, "a lane could not read the log; trying again");
                    tokio::time::sleep(limits::BACKOFF_LAST).await;
                }
            }
        };
        if page.more {
            self.queue.still_behind();
        }
        let over = page.over;
        for posted in page.posted {
            if self.tell(posted).await == After::LastTold {
                return After::LastTold;
            }
        }
        if over { After::LastTold } else { After::GoOn }
    }

    async fn tell(&mut self, posted: Posted) -> After {
        let cursor = posted.cursor;
        let last = matches!(posted.notice.told, Told::Terminated(_));
        let may_swap = !last && self.held.is_none() && posted.notice.ask_until.is_none();
        let fault = self.shared.faults.take(&self.owner, may_swap);
        if let Some(fault) = fault {
            self.say_fault(&posted, fault);
        }
        if fault == Some(Fault::Swap) {
            self.held = Some(posted);
            return After::GoOn;
        }
        self.tell_one(posted, fault).await;
        if let Some(held) = self.held.take() {
            self.tell_one(held, None).await;
        }
        self.done = cursor;
        self.queue.done(cursor);
        self.shared.ledger.cursor_put(self.owner.call, cursor);
        if last { After::LastTold } else { After::GoOn }
    }

    /// Until the bot has it, or it is recorded as undelivered.
    async fn tell_one(&mut self, posted: Posted, fault: Option<Fault>) {
        let (cursor, at) = (posted.cursor, posted.at);
        self.queue.begin(at);
        for released in self.queue.holds_of(cursor.version) {
            // Released, its connection died, or it took too long: all the same to the lane.
            let _ = tokio::time::timeout(limits::HOLD, released).await;
        }
        let target = self.target(&posted.notice.callback);
        let letter = Arc::new(Letter::new(&self.owner, target, posted, &self.shared.auth));
        let outcome = match fault {
            Some(Fault::Drop) => Err("lost on purpose, by a fault that a test asked for".to_owned()),
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                self.deliver(letter).await
            }
            Some(Fault::Duplicate) => {
                let outcome = self.deliver(Arc::clone(&letter)).await;
                if outcome.is_ok() {
                    letter.post(self.shared).await;
                }
                outcome
            }
            Some(Fault::Swap) | None => self.deliver(letter).await,
        };
        let now = self.shared.engine.clock().now();
        self.shared.trace.metrics().told(outcome.is_ok().then(|| at.until(now)));
        if let Err(why) = outcome {
            self.note_undelivered(Undelivered { call: self.owner.call, at: cursor, text: why }).await;
        }
    }

    /// The timeline tells what was done on purpose.
    fn say_fault(&self, posted: &Posted, fault: Fault) {
        let what = match fault {
            Fault::Delay(delay) => format!("comes {} ms late", delay.as_millis()),
            Fault::Drop => "is lost".to_owned(),
            Fault::Duplicate => "comes twice".to_owned(),
            Fault::Swap => "comes after the next".to_owned(),
        };
        self.shared.trace.timeline().add("notification", || {
            let word = notice_word(&posted.notice.told);
            Entry::about(self.owner.call, format!("{word} {what}, on purpose")).of_app(Some(&self.owner.app))
        });
    }

    /// Records that a notice was given up; until that is durable, the lane does not go on.
    async fn note_undelivered(&self, mark: Undelivered) {
        while let Err(error) = self.shared.ledger.note_undelivered(mark.clone()).await {
            if error == WriteError::Closed {
                return;
            }
            tracing::warn!(%error, "an undelivered notice could not be recorded; trying again");
            tokio::time::sleep(limits::BACKOFF_LAST).await;
        }
    }

    /// Where a notice for this callback goes: there, or where the operator says that it leads.
    fn target(&mut self, callback: &str) -> Result<Arc<Target>, BadUrl> {
        let mut target = match self.target.as_ref().filter(|(text, _)| text == callback) {
            Some((_, target)) => Arc::clone(target),
            None => Arc::new(Target::parse(callback)?),
        };
        self.target = Some((callback.to_owned(), Arc::clone(&target)));
        if let Some(leads) = self.shared.leads(&self.owner.app, &target)? {
            self.say_moved(target.origin(), leads.origin());
            target = Arc::new(leads);
        }
        Ok(target)
    }

    /// Says once that notices go elsewhere than the bot said. Hosts and ports alone: callbacks may hold secrets.
    fn say_moved(&mut self, from: &Origin, to: &Origin) {
        if self.moved {
            return;
        }
        self.moved = true;
        self.shared.directory.note_own(&self.owner.app, from);
        let text = || format!("notifications for {} go to {}:{}, where the bot listens", from.host, to.host, to.port);
        let entry = || Entry::about(self.owner.call, text()).of_app(Some(&self.owner.app));
        self.shared.trace.timeline().add("notification", entry);
    }

    /// Attempts until the bot has it, or it is given up for the reason returned.
    async fn deliver(&mut self, letter: Arc<Letter>) -> Result<(), String> {
        let mut unsure = false;
        let mut pause = limits::BACKOFF_FIRST;
        loop {
            // An ask is attempted only while it runs (design §6), after a restart too.
            if letter.posted().notice.ask_until.is_some_and(|until| until <= self.shared.engine.clock().now()) {
                return Err("the ask ran out before the bot had it".to_owned());
            }
            let Some(attempt) = self.attempt(&letter).await else { return Ok(()) };
            let gives_up = self.failing.for_too_long(&attempt, Instant::now());
            let (why, after) = match attempt {
                Attempt::Acknowledged => return Ok(()),
                Attempt::Elsewhere(callback) => {
                    self.shared.engine.ask_redirected(self.owner.call, callback);
                    return Ok(());
                }
                Attempt::Refused(why) => return Err(why),
                Attempt::Unsure(why) if unsure => return Err(why),
                Attempt::Unsure(_) => {
                    unsure = true;
                    continue;
                }
                Attempt::Again { why, after } => (why, after),
            };
            if gives_up {
                return Err(why);
            }
            let pause_now = after.map_or(pause, |asked| asked.clamp(pause, limits::BACKOFF_LAST));
            if !self.wait(&letter, pause_now).await {
                return Err(why);
            }
            pause = (pause * 2).min(limits::BACKOFF_LAST);
        }
    }

    /// One attempt. An ask that is settled meanwhile holds nothing up: its attempt goes on alone.
    async fn attempt(&self, letter: &Arc<Letter>) -> Option<Attempt> {
        if letter.posted().notice.ask_until.is_none() {
            return Some(letter.post(self.shared).await);
        }
        let (shared, posting) = (Arc::clone(self.shared), Arc::clone(letter));
        let mut attempt = tokio::spawn(async move { posting.post(&shared).await });
        tokio::select! {
            attempt = &mut attempt => {
                Some(attempt.unwrap_or_else(|_| Attempt::Refused("the attempt broke off in the server".to_owned())))
            }
            () = self.queue.newer(letter.posted().cursor) => None,
        }
    }

    /// Waits before the next attempt. False if an ask ran out or was settled meanwhile.
    async fn wait(&self, letter: &Letter, pause: Duration) -> bool {
        let Some(until) = letter.posted().notice.ask_until else {
            tokio::time::sleep(pause).await;
            return true;
        };
        let clock = self.shared.engine.clock();
        let next = Instant::now() + pause;
        if next >= clock.instant(until) {
            return false;
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => true,
            () = self.queue.newer(letter.posted().cursor) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_that_answers_at_all_begins_anew() {
        let (mut failing, began) = (Failing::default(), Instant::now());
        let again = || Attempt::Again { why: String::new(), after: None };
        let late = began + limits::LANE_GIVES_UP;
        assert!(!failing.for_too_long(&again(), began));
        assert!(!failing.for_too_long(&again(), late - Duration::from_millis(1)));
        assert!(failing.for_too_long(&again(), late), "it never answered");
        for answer in [Attempt::Acknowledged, Attempt::Elsewhere(String::new()), Attempt::Refused(String::new())] {
            let mut failing = Failing(Some(began));
            assert!(!failing.for_too_long(&answer, late));
            assert!(!failing.for_too_long(&again(), late), "{answer:?}");
        }
    }
}
