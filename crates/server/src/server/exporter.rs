//! The task that exports spans: `trace` knows how, `outbound` knows the way, and neither names the other.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::directory::ConfigError;
use crate::outbound::{Outbound, PostLimits, Target};
use crate::trace::{Span, Trace, otlp};

/// What is to be exported, and where.
pub(super) struct Exporting {
    spans: mpsc::Receiver<Span>,
    target: Target,
}

/// The trace, and what is to be exported if there is a collector: a URL, to which OTLP's own path is added.
pub(super) fn trace(clock: Clock, collector: Option<&str>) -> Result<(Trace, Option<Exporting>), ConfigError> {
    let Some(collector) = collector else { return Ok((Trace::new(clock), None)) };
    let target = Target::parse(&format!("{collector}/v1/traces"))
        .map_err(|problem| ConfigError::Value { key: "telemetry.otlp".to_owned(), problem: problem.to_string() })?;
    let (trace, spans) = Trace::with_spans(clock);
    Ok((trace, Some(Exporting { spans, target })))
}

impl Exporting {
    pub(super) fn start(self, trace: Trace, outbound: Outbound) -> Exporter {
        let Exporting { spans, target } = self;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let (stop, stopped) = oneshot::channel();
        let post = async move |body: Bytes| {
            // The operator named it, wherever it is.
            match outbound
                .post(&target, std::slice::from_ref(target.origin()), &headers, body, PostLimits::default())
                .await
            {
                Ok(answer) if (200..300).contains(&answer.status) => otlp::Posted::Taken,
                Ok(answer) if matches!(answer.status, 429 | 500..) => {
                    otlp::Posted::Later(format!("the collector answered {}", answer.status))
                }
                Ok(answer) => otlp::Posted::Refused(format!("the collector answered {}", answer.status)),
                Err(error) => otlp::Posted::Later(error.to_string()),
            }
        };
        Exporter { task: tokio::spawn(otlp::export(spans, stopped, trace, post)), stop }
    }
}

/// The task.
pub(super) struct Exporter {
    task: tokio::task::JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Exporter {
    /// Exports what is left, within `within`.
    pub(super) async fn stop(mut self, within: Duration) {
        let _ = self.stop.send(());
        if tokio::time::timeout(within, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
