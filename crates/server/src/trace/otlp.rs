//! Spans on their way out: OTLP over HTTP with JSON (OpenTelemetry protocol 1.x, `/v1/traces`).
//!
//! It never slows a request: what the collector cannot take in time is dropped and counted. How a body is posted is the
//! wiring's.

use std::time::Duration;

use bytes::Bytes;
use ringback_core::Now;
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::Trace;
use super::spans::{Span, Value};
use crate::limits;

/// What became of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    /// The collector has it.
    Taken,
    /// Try again: it is down or busy.
    Later(String),
    /// It does not want it.
    Refused(String),
}

/// Exports until it is told to stop, and then what is left.
pub(crate) async fn export<P>(mut spans: mpsc::Receiver<Span>, stop: oneshot::Receiver<()>, trace: Trace, post: P)
where
    P: AsyncFn(Bytes) -> Posted,
{
    let mut batch = Vec::with_capacity(limits::SPANS_IN_BODY);
    let mut failing = false;
    let gather = async {
        loop {
            fill(&mut spans, &mut batch).await;
            hand_over(&mut batch, &trace, &post, &mut failing).await;
        }
    };
    tokio::select! {
        () = gather => {}
        _ = stop => {}
    }
    loop {
        while batch.len() < limits::SPANS_IN_BODY
            && let Ok(span) = spans.try_recv()
        {
            batch.push(span);
        }
        if batch.is_empty() {
            return;
        }
        hand_over(&mut batch, &trace, &post, &mut failing).await;
    }
}

/// Waits for a span, and then a little for more.
async fn fill(spans: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>) {
    let mut until = None;
    while batch.len() < limits::SPANS_IN_BODY {
        let next = match until {
            None => spans.recv().await,
            Some(until) => match timeout_at(until, spans.recv()).await {
                Ok(next) => next,
                Err(_) => return,
            },
        };
        match next {
            Some(span) => batch.push(span),
            // Every handle has gone: nothing more will come.
            None if batch.is_empty() => std::future::pending().await,
            None => return,
        }
        until.get_or_insert_with(|| Instant::now() + limits::SPANS_GATHERED);
    }
}

/// Posts the batch, a few times if need be, and empties it.
async fn hand_over<P>(batch: &mut Vec<Span>, trace: &Trace, post: &P, failing: &mut bool)
where
    P: AsyncFn(Bytes) -> Posted,
{
    let body = Bytes::from(print(batch).to_string());
    let mut pause = limits::SPANS_AGAIN;
    let mut tries = 1;
    let outcome = loop {
        match post(body.clone()).await {
            Posted::Later(_) if tries < limits::SPANS_TRIES => {}
            outcome => break outcome,
        }
        tries += 1;
        tokio::time::sleep(pause).await;
        pause *= 2;
    };
    let count = batch.len() as u64;
    batch.clear();
    match outcome {
        Posted::Taken => {
            trace.metrics().spans_exported(count);
            *failing = false;
        }
        Posted::Later(why) | Posted::Refused(why) => {
            trace.metrics().spans_dropped(count);
            // Said once, until it works again.
            if !std::mem::replace(failing, true) {
                tracing::warn!(%why, "spans cannot be exported; they are dropped");
            }
        }
    }
}

/// An `ExportTraceServiceRequest`.
fn print(spans: &[Span]) -> Json {
    let attributes = [("service.name", "ringback"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let resource: Vec<Json> =
        attributes.iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect();
    json!({
        "resourceSpans": [{
            "resource": {"attributes": resource},
            "scopeSpans": [{
                "scope": {"name": "ringback", "version": env!("CARGO_PKG_VERSION")},
                "spans": spans.iter().map(span).collect::<Vec<_>>(),
            }],
        }],
    })
}

fn span(span: &Span) -> Json {
    let attributes = span.attributes.iter().map(|(key, value)| match value {
        Value::Text(text) => json!({"key": key, "value": {"stringValue": text}}),
        Value::Number(number) => json!({"key": key, "value": {"intValue": number.to_string()}}),
    });
    let links = span.links.iter().map(|(trace, id)| json!({"traceId": trace.simple().to_string(), "spanId": hex(id)}));
    let mut printed = json!({
        "traceId": span.trace.simple().to_string(),
        "spanId": hex(&span.id),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": nanos(span.begin),
        "endTimeUnixNano": nanos(span.end),
        "attributes": attributes.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "status": match span.error {
            // STATUS_CODE_ERROR
            Some(why) => json!({"code": 2, "message": why}),
            None => json!({}),
        },
    });
    if let Some(parent) = &span.parent {
        printed["parentSpanId"] = hex(parent).into();
    }
    printed
}

fn hex(id: &[u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(*id))
}

/// Protobuf's JSON writes 64-bit numbers as texts.
fn nanos(at: Now) -> String {
    Duration::from_micros(at.0.max(0).unsigned_abs()).as_nanos().to_string()
}
