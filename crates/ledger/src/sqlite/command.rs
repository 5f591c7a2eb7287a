//! A write on its way through the writer: asked for, applied (perhaps twice, when its first
//! transaction failed), settled.

use super::tables::Tables;
use crate::answer::{Answer, Reply};
use crate::contract::WriteError;

/// What a write wants of the tables.
pub(super) trait Request: Send + 'static {
    /// What it answers.
    type Answer: Send;
    /// Why it is refused.
    type Refusal: From<WriteError> + Send;

    /// Writes, or refuses before having written anything. An error is the database's.
    fn apply(&self, tables: &mut Tables) -> rusqlite::Result<Result<Self::Answer, Self::Refusal>>;

    /// It ends or frees something: it may use the reserved room of a full disk.
    fn may_use_reserve(&self) -> bool {
        true
    }

    /// Records that it adds.
    const RECORDS: u64 = 0;
}

/// A request of any kind, with its answer and whoever waits for it.
pub(super) trait Command: Send {
    /// Applies it; the answer is kept until [`settle`](Self::settle).
    fn apply(&mut self, tables: &mut Tables) -> rusqlite::Result<()>;
    /// Its answer is this failure.
    fn fail(&mut self, error: WriteError);
    /// Gives its answer.
    fn settle(self: Box<Self>);
    /// See [`Request::may_use_reserve`].
    fn may_use_reserve(&self) -> bool;
    /// Records that it added.
    fn records(&self) -> u64;
}

struct Pending<R: Request> {
    request: R,
    outcome: Option<Result<R::Answer, R::Refusal>>,
    reply: Reply<R::Answer, R::Refusal>,
}

/// A command for the queue, and its answer to come.
pub(super) fn command<R: Request>(request: R) -> (Box<dyn Command>, Answer<R::Answer, R::Refusal>) {
    let (reply, answer) = Answer::later();
    (Box::new(Pending { request, outcome: None, reply }), answer)
}

impl<R: Request> Command for Pending<R> {
    fn apply(&mut self, tables: &mut Tables) -> rusqlite::Result<()> {
        self.outcome = Some(self.request.apply(tables)?);
        Ok(())
    }

    fn fail(&mut self, error: WriteError) {
        self.outcome = Some(Err(error.into()));
    }

    fn settle(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Whoever asked may not care to know.
            let _ = self.reply.send(outcome);
        }
    }

    fn may_use_reserve(&self) -> bool {
        self.request.may_use_reserve()
    }

    fn records(&self) -> u64 {
        if matches!(self.outcome, Some(Ok(_))) { R::RECORDS } else { 0 }
    }
}
