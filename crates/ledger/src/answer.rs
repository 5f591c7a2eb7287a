//! What a store answers with: a future that is ready, or waits for the store's thread.
//!
//! A named type instead of a boxed future: an append costs one allocation (the channel) and none
//! where the store answers at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// An error that can say that no answer will come, because the store has stopped.
pub trait Unanswered {
    /// That error.
    fn unanswered() -> Self;
}

/// A store's answer. Dropping it does not take the request back.
#[must_use = "a request is made whether or not its answer is awaited, but its failure is told nowhere else"]
#[derive(Debug)]
pub struct Answer<T, E>(Inner<T, E>);

#[derive(Debug)]
enum Inner<T, E> {
    Ready(Option<Result<T, E>>),
    Waiting(oneshot::Receiver<Result<T, E>>),
}

/// Where a store's thread puts an answer.
pub(crate) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

impl<T, E> Answer<T, E> {
    /// An answer that is there.
    pub fn ready(result: Result<T, E>) -> Self {
        Self(Inner::Ready(Some(result)))
    }

    /// An answer that a store's thread will give.
    pub(crate) fn later() -> (Reply<T, E>, Self) {
        let (reply, waiting) = oneshot::channel();
        (reply, Self(Inner::Waiting(waiting)))
    }
}

// Nothing in it is ever pinned: the ready value is moved out, and the receiver is Unpin.
impl<T, E> Unpin for Answer<T, E> {}

impl<T, E: Unanswered> Future for Answer<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Ready(result) => Poll::Ready(result.take().unwrap_or_else(|| Err(E::unanswered()))),
            Inner::Waiting(waiting) => {
                Pin::new(waiting).poll(context).map(|answer| answer.unwrap_or_else(|_| Err(E::unanswered())))
            }
        }
    }
}
