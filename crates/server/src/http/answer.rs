//! Answers: their bodies, their headers, and the moment their last byte is handed over.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Response, StatusCode};
use tokio::sync::{mpsc, oneshot};

use crate::trace::About;

/// What holds a call's lane while its answer is written.
pub(crate) type HoldSender = oneshot::Sender<()>;

/// Holds whose answers hyper has, but has not flushed. One per connection.
#[derive(Clone, Default, Debug)]
pub(crate) struct Unflushed(Arc<Mutex<VecDeque<HoldSender>>>);

impl Unflushed {
    fn push(&self, hold: HoldSender) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(hold);
    }

    /// Everything written so far has reached the socket.
    fn release(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection that releases the holds of answers once they are flushed to the socket.
pub(crate) struct Flushing<T> {
    io: T,
    unflushed: Unflushed,
}

impl<T> Flushing<T> {
    pub(crate) fn new(io: T, unflushed: Unflushed) -> Self {
        Self { io, unflushed }
    }
}

impl<T: Read + Unpin> Read for Flushing<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: Write + Unpin> Write for Flushing<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if flushed.is_ready() {
            self.unflushed.release();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct ReplyBody(Kind);

#[derive(Debug)]
enum Kind {
    Whole { bytes: Bytes, _hold: Option<Handing> },
    Stream { chunks: mpsc::Receiver<io::Result<Bytes>>, left: Option<u64> },
}

/// The next piece of an answer that goes on. One that ends before its length is broken off, so that nobody takes it for
/// the whole.
fn next(piece: Option<io::Result<Bytes>>, left: &mut Option<u64>) -> Option<io::Result<Frame<Bytes>>> {
    match (piece, &mut *left) {
        (Some(Ok(piece)), left) => {
            *left = left.map(|left| left.saturating_sub(piece.len() as u64));
            Some(Ok(Frame::data(piece)))
        }
        (None, Some(1..)) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        (Some(Err(error)), _) => Some(Err(error)),
        (None, _) => None,
    }
}

/// A hold that moves to its connection when hyper has taken the body, and is dropped with it if the
/// connection dies first.
#[derive(Debug)]
struct Handing {
    hold: Option<HoldSender>,
    unflushed: Unflushed,
}

impl Drop for Handing {
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.unflushed.push(hold);
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Whole { bytes, .. } if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole { bytes, .. } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Stream { chunks, left } => chunks.poll_recv(cx).map(|piece| next(piece, left)),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole { bytes, .. } if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream { .. } => SizeHint::default(),
        }
    }
}

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    content_type: &'static str,
    bytes: Bytes,
    stream: Option<(mpsc::Receiver<io::Result<Bytes>>, Option<u64>)>,
    hold: Option<HoldSender>,
    about: Option<About>,
}

/// The content type of Graph's JSON (`contract §5.4`).
pub(crate) const ODATA: &str = "application/json; odata.metadata=minimal";
/// Any other JSON.
pub(crate) const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: vec![], content_type: TEXT, bytes: Bytes::new(), stream: None, hold: None, about: None }
    }

    /// An answer with a body.
    pub(crate) fn body(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self { content_type, bytes: bytes.into(), ..Self::empty(status) }
    }

    /// An answer that goes on, piece by piece; an error breaks it off, and so does an end before `length` bytes.
    pub(crate) fn stream(
        content_type: &'static str,
        chunks: mpsc::Receiver<io::Result<Bytes>>,
        length: Option<u64>,
    ) -> Self {
        Self { content_type, stream: Some((chunks, length)), ..Self::empty(StatusCode::OK) }
    }

    /// With a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Holding a call's lane until it is handed over.
    pub(crate) fn holding(self, hold: Option<HoldSender>) -> Self {
        Self { hold, ..self }
    }

    /// Of a request that did this.
    pub(crate) fn about(self, about: About) -> Self {
        Self { about: Some(about), ..self }
    }

    /// What its request did.
    pub(crate) fn did(&self) -> Option<About> {
        self.about
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// As hyper wants it.
    pub(crate) fn finish(self, unflushed: &Unflushed) -> Response<ReplyBody> {
        let length = self.bytes.len();
        let streams = self.stream.is_some();
        let body = match self.stream {
            Some((chunks, left)) => ReplyBody(Kind::Stream { chunks, left }),
            None => ReplyBody(Kind::Whole {
                bytes: self.bytes,
                _hold: self.hold.map(|hold| Handing { hold: Some(hold), unflushed: unflushed.clone() }),
            }),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // What was not modified has the length of what was sent before (RFC 9110 §8.6).
        let without_length = matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if !streams && !without_length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if length > 0 || streams {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        for (name, value) in self.headers {
            // A value that cannot be a header (an id a client made up) is left out, not echoed.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn what_ends_before_its_length_is_broken_off() {
        for (length, whole) in [(Some(4), false), (Some(3), true), (None, true)] {
            let (sender, chunks) = mpsc::channel(1);
            let body = Reply::stream(TEXT, chunks, length).finish(&Unflushed::default()).into_body();
            sender.send(Ok(Bytes::from_static(b"abc"))).await.unwrap();
            drop(sender);
            assert_eq!(body.collect().await.is_ok(), whole, "{length:?}");
        }
    }
}
