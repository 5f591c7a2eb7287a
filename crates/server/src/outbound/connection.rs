//! One HTTP/1.1 connection and the pool of idle ones.
//!
//! A connection is driven by whoever uses it: there is no task of its own and nothing is handed from thread to thread.
//! Dropping it in the middle of an exchange closes it.

use super::connect::{Progress, Stream};
use super::limits;
use super::target::Place;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

/// A request's body, which notes when it was taken.
pub(super) struct RequestBody {
    data: Option<Bytes>,
    progress: Arc<Progress>,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.take();
        self.progress.body_taken();
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64))
    }
}

/// An open connection.
pub(super) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    driver: Pin<Box<http1::Connection<TokioIo<Stream>, RequestBody>>>,
    progress: Arc<Progress>,
    ended: bool,
    reused: bool,
}

impl Connection {
    pub(super) async fn open(stream: Stream) -> hyper::Result<Connection> {
        let progress = stream.progress();
        let mut builder = http1::Builder::new();
        builder.max_buf_size(limits::HEAD_BYTES);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await?;
        Ok(Connection { sender, driver: Box::pin(driver), progress, ended: false, reused: false })
    }

    /// Whether this connection has carried another exchange before.
    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Whether the whole request of the present exchange was flushed to the socket.
    pub(super) fn is_written(&self) -> bool {
        self.progress.is_written()
    }

    /// Whether any byte of an answer has come in the present exchange.
    pub(super) fn is_answered(&self) -> bool {
        self.progress.is_answered()
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(&mut self, head: Request<()>, body: Bytes) -> hyper::Result<Response<Incoming>> {
        self.progress.begin();
        let data = (!body.is_empty()).then_some(body);
        if data.is_none() {
            self.progress.body_taken();
        }
        let body = RequestBody { data, progress: Arc::clone(&self.progress) };
        let mut answer = pin!(self.sender.send_request(head.map(|()| body)));
        let (driver, ended) = (&mut self.driver, &mut self.ended);
        poll_fn(|cx| {
            *ended = *ended || driver.as_mut().poll(cx).is_ready();
            // Asked after driving: what the driver handed over in its last moment counts.
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// The next piece of an answer's body; `None` at its end.
    pub(super) async fn next(&mut self, body: &mut Incoming) -> Option<hyper::Result<Bytes>> {
        loop {
            let frame = poll_fn(|cx| {
                self.drive(cx);
                Pin::new(&mut *body).poll_frame(cx)
            })
            .await?;
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                // Trailers say nothing that is asked here.
                Ok(Err(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Whether the connection, after an exchange or some idle time, can carry another request.
    pub(super) async fn is_usable(&mut self) -> bool {
        poll_fn(|cx| {
            self.drive(cx);
            Poll::Ready(())
        })
        .await;
        self.reused = true;
        !self.ended && self.sender.is_ready()
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        self.ended = self.ended || self.driver.as_mut().poll(cx).is_ready();
    }
}

/// Idle connections, the most recently used first.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    places: HashMap<Arc<Place>, Vec<(Instant, Connection)>>,
    total: usize,
}

impl Pool {
    pub(super) fn take(&self, place: &Place) -> Option<Connection> {
        let mut idle = self.lock();
        let (_, connection) = idle.places.get_mut(place)?.pop()?;
        idle.total -= 1;
        Some(connection)
    }

    /// Keeps a usable connection, or closes it where there are enough.
    pub(super) fn keep(&self, place: &Arc<Place>, connection: Connection) {
        let mut idle = self.lock();
        if idle.total >= limits::IDLE_TOTAL {
            return;
        }
        let list = match idle.places.get_mut(place) {
            Some(list) => list,
            None => idle.places.entry(Arc::clone(place)).or_default(),
        };
        if list.len() >= limits::IDLE_PER_ORIGIN {
            return;
        }
        list.push((Instant::now(), connection));
        idle.total += 1;
    }

    /// Closes what has been idle since before this instant.
    pub(super) fn sweep(&self, before: Instant) {
        let mut closing = Vec::new();
        let mut idle = self.lock();
        for list in idle.places.values_mut() {
            // The oldest come first.
            let old = list.partition_point(|(since, _)| *since < before);
            closing.extend(list.drain(..old));
        }
        idle.places.retain(|_, list| !list.is_empty());
        idle.total -= closing.len();
        // Sockets are closed after the lock is given back.
        drop(idle);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
