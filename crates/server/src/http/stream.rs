//! Server-sent events (WHATWG HTML §9.2): how what comes is written to whoever follows it.
//!
//! It must not know what is followed, or by whom.

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval_at};

use super::answer::Reply;
use super::stopped;
use crate::limits;
use crate::trace::Entry;

/// What is followed.
pub(super) trait Source: Send + 'static {
    /// The next event, made by a function of this file; `None`: there are no more. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// Comments: the reader follows from here on, and we are still there.
const FOLLOWING: Bytes = Bytes::from_static(b": following\n\n");
const PULSE: Bytes = Bytes::from_static(b": here\n\n");

/// Answers with what comes from `source`, until nothing does, the reader goes or the server stops.
pub(super) fn stream(mut source: impl Source, mut stopping: watch::Receiver<bool>) -> Reply {
    let (chunks, receiver) = mpsc::channel(limits::STREAM_CHUNKS);
    tokio::spawn(async move {
        let mut pulse = interval_at(Instant::now() + limits::STREAM_PULSE, limits::STREAM_PULSE);
        let mut chunk = FOLLOWING;
        while chunks.send(Ok(chunk)).await.is_ok() {
            chunk = tokio::select! {
                event = source.next() => match event {
                    Some(event) => event,
                    None => return,
                },
                _ = pulse.tick() => PULSE,
                () = chunks.closed() => return,
                () = stopped(&mut stopping) => return,
            };
        }
    });
    Reply::stream("text/event-stream", receiver, None).with("cache-control", "no-store")
}

/// An event of this name.
pub(super) fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// An entry of the timeline.
pub(super) fn entry(entry: &Entry) -> Bytes {
    Bytes::from(format!("data: {}\n\n", serde_json::to_string(entry).unwrap_or_default()))
}

/// The reader was too slow for this many entries.
pub(super) fn missed(entries: u64) -> Bytes {
    event("missed", &entries.into())
}
