//! Every metric: its name, help, unit and labels, and nothing else about it anywhere else.
//!
//! Labels are words from small closed sets: no id, number, name or address. Counting is an atomic addition or a short
//! look-up; what rooms know anyway is asked for only when somebody reads. docs/metrics.md is made from here by
//! a test.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use ringback_core::{EndCause, Event, Operation, OperationKind, OperationStatus};

/// The type of what [`Metrics::print`] gives (OpenMetrics 1.0).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    status: u32,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VerbLabels {
    verb: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndLabels {
    kind: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DirectionLabels {
    direction: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CauseLabels {
    cause: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabels {
    code: u32,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PacketLabels {
    why: &'static str,
}

/// Why packets of audio count as astray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Astray {
    /// They came from elsewhere than the far end.
    Foreign,
    /// They are no packets of the session.
    Malformed,
    /// They could not be sent.
    Unsent,
}

impl Astray {
    const ALL: [Self; 3] = [Self::Foreign, Self::Malformed, Self::Unsent];

    fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Malformed => "malformed",
            Self::Unsent => "unsent",
        }
    }
}

/// What became of one attempt to deliver a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The bot has it.
    Acknowledged,
    /// An incoming call was sent to another webhook.
    Elsewhere,
    /// It will be repeated after a pause.
    Repeated,
    /// The bot may have it.
    Unsure,
    /// The bot does not want it.
    Refused,
}

impl Delivery {
    const ALL: [Self; 5] = [Self::Acknowledged, Self::Elsewhere, Self::Repeated, Self::Unsure, Self::Refused];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Elsewhere => "elsewhere",
            Self::Repeated => "repeated",
            Self::Unsure => "unsure",
            Self::Refused => "refused",
        }
    }
}

/// What became of a prompt that was to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// Fetched and decoded.
    Decoded,
    /// It could not be had.
    Unavailable,
    /// It is no WAV that can be played.
    Invalid,
}

impl Fetch {
    const ALL: [Self; 3] = [Self::Decoded, Self::Unavailable, Self::Invalid];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decoded => "decoded",
            Self::Unavailable => "unavailable",
            Self::Invalid => "invalid",
        }
    }
}

/// What rooms know at the moment, asked for when somebody reads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Conversations that live.
    pub conversations: u64,
    /// Connections of HTTP and HTTPS.
    pub connections: u64,
    /// SIP legs.
    pub sip_legs: u64,
    /// WebRTC legs.
    pub web_legs: u64,
    /// Places where phones are registered.
    pub sip_registrations: u64,
    /// Lanes that have something to tell.
    pub lanes_busy: u64,
    /// Age of the oldest notice that waits for its delivery; none waits: zero.
    pub oldest_notice: Duration,
    /// Transactions that the ledger made durable.
    pub ledger_commits: u64,
    /// Records appended.
    pub ledger_records: u64,
    /// Marks of lanes made durable.
    pub ledger_marks: u64,
    /// Writes refused because the disk was full.
    pub ledger_full: u64,
    /// Operations that nobody is left to end.
    pub orphaned: Orphaned,
}

/// What is open in the ledger, and has no task of this process that could end it. Both must be 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orphaned {
    /// Conversations.
    pub conversations: u64,
    /// Their operations that have not ended; of a conversation that cannot be read, one.
    pub operations: u64,
}

/// The metrics.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<VerbLabels, Histogram>,
    handshakes_failed: Counter,
    calls_begun: Family<DirectionLabels, Counter>,
    calls_ended: Family<CodeLabels, Counter>,
    legs_ended: Family<CauseLabels, Counter>,
    operations_started: Family<KindLabels, Counter>,
    operations_ended: Family<EndLabels, Counter>,
    append_seconds: Histogram,
    attempts: Family<OutcomeLabels, Counter>,
    notices_delivered: Counter,
    notices_undelivered: Counter,
    delivery_seconds: Histogram,
    prompts: Family<OutcomeLabels, Counter>,
    prompt_seconds: Histogram,
    packets: Family<PacketLabels, Counter>,
    slots_missed: Counter,
    spans_exported: Counter,
    spans_dropped: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Bounds of time histograms, seconds: from an answer out of memory to a webhook that takes as long as it may.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Bounds of the delivery's histogram, seconds: it may wait for a bot that is down.
const DELIVERY_SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0];

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            handshakes_failed: Counter::default(),
            calls_begun: Family::default(),
            calls_ended: Family::default(),
            legs_ended: Family::default(),
            operations_started: Family::default(),
            operations_ended: Family::default(),
            append_seconds: seconds(),
            attempts: Family::default(),
            notices_delivered: Counter::default(),
            notices_undelivered: Counter::default(),
            delivery_seconds: Histogram::new(DELIVERY_SECONDS),
            prompts: Family::default(),
            prompt_seconds: seconds(),
            packets: Family::default(),
            slots_missed: Counter::default(),
            spans_exported: Counter::default(),
            spans_dropped: Counter::default(),
        };
        metrics.registry = metrics.register();
        metrics.begin();
        metrics
    }
}

impl Metrics {
    /// Names, helps and units.
    fn register(&self) -> Registry {
        let mut all = Registry::with_prefix("ringback");
        let m = self;
        all.register("http_requests", "Requests answered, by what they asked for", m.requests.clone());
        let help = "Time from a request's head to its answer";
        all.register_with_unit("http_request_duration", help, Unit::Seconds, m.request_seconds.clone());
        all.register("tls_handshakes_failed", "TLS handshakes that came to nothing", m.handshakes_failed.clone());
        all.register("calls_begun", "Calls offered to bots or placed by them", m.calls_begun.clone());
        all.register("calls_ended", "Calls that ended, by the code of their resultInfo", m.calls_ended.clone());
        all.register("legs_ended", "Connections to phones that ended, by cause", m.legs_ended.clone());
        all.register("operations_started", "Operations accepted, by kind", m.operations_started.clone());
        all.register("operations_ended", "Operations that ended, by kind and status", m.operations_ended.clone());
        let help = "Time from handing a record to the ledger until it was on disk";
        all.register_with_unit("ledger_append_duration", help, Unit::Seconds, m.append_seconds.clone());
        all.register("notice_attempts", "Attempts to deliver a notice, by what became of them", m.attempts.clone());
        all.register("notices_delivered", "Notices that bots have", m.notices_delivered.clone());
        all.register("notices_undelivered", "Notices given up", m.notices_undelivered.clone());
        let help = "Time from a notice's record until its bot had it";
        all.register_with_unit("notice_delivery_duration", help, Unit::Seconds, m.delivery_seconds.clone());
        all.register("prompts", "Prompts asked for, by what became of them", m.prompts.clone());
        let help = "Time until a prompt was fetched and decoded, or not";
        all.register_with_unit("prompt_duration", help, Unit::Seconds, m.prompt_seconds.clone());
        let help = "RTP and RTCP packets of legs that closed: from a stranger, not of the session, or not to be sent";
        all.register("media_packets_astray", help, m.packets.clone());
        let help = "Slots of 5 ms that a shard left out because it woke late";
        all.register("media_slots_missed", help, m.slots_missed.clone());
        all.register("spans_exported", "Spans that the collector has", m.spans_exported.clone());
        all.register("spans_dropped", "Spans that no collector took in time", m.spans_dropped.clone());
        all
    }

    /// Counters of which every label is known begin at 0: a first failure then is a step that a rate sees.
    fn begin(&self) {
        for kind in KINDS {
            drop(self.operations_started.get_or_create(&KindLabels { kind }));
            for status in ["completed", "failed"] {
                drop(self.operations_ended.get_or_create(&EndLabels { kind, status }));
            }
        }
        for direction in ["incoming", "outgoing"] {
            drop(self.calls_begun.get_or_create(&DirectionLabels { direction }));
        }
        for outcome in Delivery::ALL.map(Delivery::as_str) {
            drop(self.attempts.get_or_create(&OutcomeLabels { outcome }));
        }
        for why in Astray::ALL.map(Astray::as_str) {
            drop(self.packets.get_or_create(&PacketLabels { why }));
        }
        for outcome in Fetch::ALL.map(Fetch::as_str) {
            drop(self.prompts.get_or_create(&OutcomeLabels { outcome }));
        }
    }

    /// A request was answered. `verb`: one of the words of the http room.
    pub fn request(&self, verb: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { verb, status: status.into() }).inc();
        self.request_seconds.get_or_create(&VerbLabels { verb }).observe(took.as_secs_f64());
    }

    /// A TLS handshake came to nothing.
    pub fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }

    /// A record is on disk.
    pub fn appended(&self, took: Duration) {
        self.append_seconds.observe(took.as_secs_f64());
    }

    /// An event was recorded. `operation`: the operation that it ended.
    pub fn event(&self, event: &Event, operation: Option<&Operation>) {
        match event {
            Event::CallOffered(_) => self.began("incoming"),
            Event::CallPlaced(_) => self.began("outgoing"),
            Event::CallTerminated { result, .. } => {
                let code = u32::try_from(result.code).unwrap_or_default();
                self.calls_ended.get_or_create(&CodeLabels { code }).inc();
            }
            Event::LegEnded { cause, .. } => {
                self.legs_ended.get_or_create(&CauseLabels { cause: cause_word(cause) }).inc();
            }
            Event::OperationStarted { operation, .. } => {
                let kind = kind_word(&operation.kind);
                self.operations_started.get_or_create(&KindLabels { kind }).inc();
                if operation.status.is_terminal() {
                    self.ended(operation);
                }
            }
            Event::OperationEnded { .. } => {
                if let Some(operation) = operation {
                    self.ended(operation);
                }
            }
            _ => {}
        }
    }

    fn began(&self, direction: &'static str) {
        self.calls_begun.get_or_create(&DirectionLabels { direction }).inc();
    }

    fn ended(&self, operation: &Operation) {
        let status = if operation.status == OperationStatus::Completed { "completed" } else { "failed" };
        self.operations_ended.get_or_create(&EndLabels { kind: kind_word(&operation.kind), status }).inc();
    }

    /// A notice was attempted.
    pub fn attempted(&self, outcome: Delivery) {
        self.attempts.get_or_create(&OutcomeLabels { outcome: outcome.as_str() }).inc();
    }

    /// A lane is done with a notice: its bot has it after this time, or it was given up.
    pub fn told(&self, after: Option<Duration>) {
        match after {
            Some(after) => {
                self.notices_delivered.inc();
                self.delivery_seconds.observe(after.as_secs_f64());
            }
            None => _ = self.notices_undelivered.inc(),
        }
    }

    /// A prompt was fetched and decoded, or not.
    pub fn prompt(&self, outcome: Fetch, took: Duration) {
        self.prompts.get_or_create(&OutcomeLabels { outcome: outcome.as_str() }).inc();
        self.prompt_seconds.observe(took.as_secs_f64());
    }

    /// A leg closed, of whose packets so many went astray.
    pub fn astray(&self, why: Astray, packets: u64) {
        self.packets.get_or_create(&PacketLabels { why: why.as_str() }).inc_by(packets);
    }

    /// A shard of media left out slots.
    pub fn slots_missed(&self, slots: u64) {
        self.slots_missed.inc_by(slots);
    }

    /// The collector has spans.
    pub fn spans_exported(&self, count: u64) {
        self.spans_exported.inc_by(count);
    }

    /// Spans were dropped.
    pub fn spans_dropped(&self, count: u64) {
        self.spans_dropped.inc_by(count);
    }

    /// All of it, in the text form of OpenMetrics.
    pub fn print(&self, snapshot: Snapshot) -> String {
        let mut now = Registry::with_prefix("ringback");
        now.register_collector(Box::new(snapshot));
        let mut process = Registry::with_prefix("process");
        process.register_collector(Box::new(super::process::Usage::read()));
        let mut text = String::new();
        for registry in [&self.registry, &now, &process] {
            // Writing to a String cannot fail.
            let _ = encode(&mut text, registry);
            text.truncate(text.len() - END.len());
        }
        text + END
    }
}

/// How the text form ends.
const END: &str = "# EOF\n";

impl Collector for Snapshot {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        gauge(&mut to, "conversations", "Conversations that live", self.conversations)?;
        gauge(&mut to, "http_connections", "Connections of HTTP and HTTPS", self.connections)?;
        gauge(&mut to, "sip_legs", "SIP dialogs, those that ring included", self.sip_legs)?;
        gauge(&mut to, "web_legs", "Calls of phones in pages, by WebRTC", self.web_legs)?;
        gauge(&mut to, "sip_registrations", "Places where phones are registered", self.sip_registrations)?;
        gauge(&mut to, "lanes_busy", "Calls with notices that wait for their delivery", self.lanes_busy)?;
        let help = "Age of the oldest notice that waits for its delivery; 0: none waits";
        let age = ConstGauge::new(self.oldest_notice.as_secs_f64());
        age.encode(to.encode_descriptor("notices_oldest_age", help, Some(&Unit::Seconds), age.metric_type())?)?;
        let help = "Operations that have not ended, of conversations that no task of this process owns; must be 0";
        gauge(&mut to, "operations_orphaned", help, self.orphaned.operations)?;
        let help = "Conversations that have not ended and that no task of this process owns; must be 0";
        gauge(&mut to, "conversations_orphaned", help, self.orphaned.conversations)?;
        counter(&mut to, "ledger_commits", "Transactions made durable", self.ledger_commits)?;
        counter(&mut to, "ledger_records", "Records appended", self.ledger_records)?;
        counter(&mut to, "ledger_marks", "Marks of lanes made durable", self.ledger_marks)?;
        counter(&mut to, "ledger_full", "Writes refused because the disk was full", self.ledger_full)
    }
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), fmt::Error> {
    let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    value.encode(to.encode_descriptor(name, help, None, value.metric_type())?)
}

fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), fmt::Error> {
    let value = ConstCounter::new(value);
    value.encode(to.encode_descriptor(name, help, None, value.metric_type())?)
}

const KINDS: [&str; 5] = ["playPrompt", "recordResponse", "sendDtmfTones", "subscribeToTone", "cancelMediaProcessing"];

pub(crate) fn kind_word(kind: &OperationKind) -> &'static str {
    match kind {
        OperationKind::PlayPrompt { .. } => "playPrompt",
        OperationKind::RecordResponse(_) => "recordResponse",
        OperationKind::SendDtmfTones { .. } => "sendDtmfTones",
        OperationKind::SubscribeToTone => "subscribeToTone",
        OperationKind::CancelMediaProcessing => "cancelMediaProcessing",
    }
}

fn cause_word(cause: &EndCause) -> &'static str {
    match cause {
        EndCause::FarHangUp => "far_hang_up",
        EndCause::Cancelled => "cancelled",
        EndCause::Busy => "busy",
        EndCause::NoAnswer => "no_answer",
        EndCause::Unreachable => "unreachable",
        EndCause::Declined(_) => "declined",
        EndCause::LocalHangUp => "local_hang_up",
        EndCause::MediaTimeout => "media_timeout",
        EndCause::Failed(_) => "failed",
    }
}
