//! Spans, as a collector gets them: OpenTelemetry's own types read what is posted, and each operation is one trace.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::json;

use crate::journal::{Journal, Reply};
use crate::recovery::{Victim, start_again};
use crate::soon;
use crate::world::{USERS, World, configuration, play, play_for_ever, tone};

/// The collector is a journal of its own.
const COLLECTOR: &str = "/v1/traces";

/// The configuration with a collector.
fn exporting(bots: &Journal, collector: &Journal) -> String {
    configuration(bots.address()) + &format!("[telemetry]\notlp = \"http://{}/\"\n", collector.address())
}

/// Everything that a collector was given.
fn spans(collector: &Journal) -> Vec<Span> {
    let mut all = Vec::new();
    for told in collector.told() {
        assert_eq!((told.path.as_str(), told.header("content-type")), (COLLECTOR, "application/json"));
        let request: ExportTraceServiceRequest = serde_json::from_slice(&told.body).expect("a request of OTLP");
        for resource in request.resource_spans {
            let name = &resource.resource.expect("a resource").attributes[0];
            assert_eq!(name.key, "service.name");
            all.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    all
}

/// The spans of an operation's or call's trace, in the order of their beginnings.
fn trace(collector: &Journal, id: &str) -> Vec<Span> {
    let id = uuid::Uuid::parse_str(id).expect("an id");
    let mut found: Vec<Span> = spans(collector).into_iter().filter(|span| span.trace_id == id.as_bytes()).collect();
    found.sort_by_key(|span| span.start_time_unix_nano);
    for span in &found {
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:?}");
        let known = |id: &[u8]| found.iter().filter(|other| other.span_id == id).count();
        assert_eq!(known(&span.span_id), 1, "an id of its own: {found:#?}");
        assert!(span.parent_span_id.is_empty() || known(&span.parent_span_id) == 1, "a parent: {span:?}\n{found:#?}");
    }
    found
}

/// Span's name and its parent's.
fn tree(spans: &[Span]) -> Vec<(String, String)> {
    let parent = |span: &Span| spans.iter().find(|other| other.span_id == span.parent_span_id);
    let named = |span: &Span| (span.name.clone(), parent(span).map_or(String::new(), |parent| parent.name.clone()));
    let mut tree: Vec<_> = spans.iter().map(named).collect();
    tree.sort();
    tree
}

fn pairs(tree: &[(&str, &str)]) -> Vec<(String, String)> {
    tree.iter().map(|(name, parent)| ((*name).to_owned(), (*parent).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_is_one_trace_from_the_request_to_the_delivery() {
    let (bots, collector) = (Journal::start().await, Journal::start().await);
    let text = exporting(&bots, &collector);
    let world = World::start_with(bots, tempfile::tempdir().expect("a folder"), &text).await;
    let phone = world.phone("1001").await;
    let (call, _up) = world.call_to(&phone, USERS[0].0).await;
    let prompt = world.journal.file("/p.wav", tone(60));
    // The last notice of the call's beginning: the failure is for what comes after.
    world.journal.wait(&call, "roster").await;
    world.journal.script("/calls", [Reply::status(503)]);
    let body = play(&[&prompt], None).to_string();
    let client = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let path = format!("/v1.0/communications/calls/{call}/playPrompt");
    let operation = world.bot.ask_raw("POST", &path, client, Some(body.as_bytes())).await.is(200).id();
    world.journal.until(|_| (world.journal.operation(&call, &operation).len() == 2).then_some(())).await;
    let missing = world.journal.url("/missing.wav");
    let failed = world.bot.post(&format!("/{call}/playPrompt"), &play(&[&missing], None)).await.is(200).id();
    world.journal.ended(&call, &failed).await;
    world.bot.hang_up(&call).await;
    world.over(&call).await;
    soon(world.server.stop(Duration::from_secs(20))).await;

    let spans = trace(&collector, &operation);
    let expected = [
        ("fetch prompt", "playPrompt"),
        ("notify", "record"),
        ("notify", "record"),
        ("playPrompt", ""),
        ("playPrompt", "playPrompt"),
        ("record", "playPrompt"),
        ("record", "playPrompt"),
    ];
    assert_eq!(tree(&spans), pairs(&expected), "{spans:#?}");
    let root = spans.iter().find(|span| span.parent_span_id.is_empty()).expect("a root");
    assert_eq!(root.kind(), SpanKind::Server);
    let clients = uuid::Uuid::parse_str("4bf92f3577b34da6a3ce929d0e0e4736").expect("an id");
    let calls = uuid::Uuid::parse_str(&call).expect("an id");
    let linked: Vec<&[u8]> = root.links.iter().map(|link| link.trace_id.as_slice()).collect();
    assert_eq!(linked, [clients.as_bytes(), calls.as_bytes()]);
    // The notice's attempts hang on the record that ended the operation, and the first one failed.
    let notify: Vec<&Span> = spans.iter().filter(|span| span.name == "notify").collect();
    assert_eq!(notify[0].parent_span_id, notify[1].parent_span_id);
    let code = |span: &Span| span.status.as_ref().map_or(StatusCode::Unset, |status| status.code());
    assert_eq!([code(notify[0]), code(notify[1])], [StatusCode::Error, StatusCode::Unset]);
    let records: Vec<&Span> = spans.iter().filter(|span| span.name == "record").collect();
    assert_eq!(notify[0].parent_span_id, records[1].span_id);

    let failed = trace(&collector, &failed);
    let errors: Vec<&str> = failed.iter().filter(|s| code(s) == StatusCode::Error).map(|s| s.name.as_str()).collect();
    assert_eq!(errors, ["playPrompt", "fetch prompt"]);

    // The rest of the call is in the call's own trace, whole.
    let spans = trace(&collector, &call);
    let roots: Vec<&str> = spans.iter().filter(|s| s.parent_span_id.is_empty()).map(|s| s.name.as_str()).collect();
    assert_eq!(roots, ["createCall"]);
    assert!(spans.iter().any(|span| span.name == "hangUp"));
    assert!(spans.iter().filter(|span| span.name == "notify").count() >= 4, "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incoming_call_has_a_root_too() {
    let (bots, collector) = (Journal::start().await, Journal::start().await);
    let text = exporting(&bots, &collector);
    let world = World::start_with(bots, tempfile::tempdir().expect("a folder"), &text).await;
    let phone = world.phone("1001").await;
    let (call, up) = world.call_from(&phone).await;
    soon(up.hang_up()).await;
    world.over(&call).await;
    soon(world.server.stop(Duration::from_secs(20))).await;
    let spans = trace(&collector, &call);
    let roots: Vec<&str> = spans.iter().filter(|s| s.parent_span_id.is_empty()).map(|s| s.name.as_str()).collect();
    assert_eq!(roots, ["incoming call"]);
    assert!(spans.iter().any(|span| span.name == "answer"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_on_over_a_crash() {
    let (bots, collector) = (Journal::start().await, Journal::start().await);
    let folder = tempfile::tempdir().expect("a folder");
    let text = exporting(&bots, &collector);
    let victim = Victim::serving(&folder, &text).await;
    let call = victim.null_call(&bots, "/calls").await;
    let play = play_for_ever(None);
    let operation = victim.bot.beta(&format!("/{call}/playPrompt"), &play).await.is(200).id();
    let begun = pairs(&[("playPrompt", ""), ("record", "playPrompt")]);
    collector.until(|_| (tree(&trace_so_far(&collector, &operation)) == begun).then_some(())).await;
    victim.kill().await;

    let server = start_again(&folder).await;
    bots.ended(&call, &operation).await;
    bots.wait(&call, "terminated").await;
    soon(server.stop(Duration::from_secs(20))).await;
    let spans = trace(&collector, &operation);
    let whole = [
        ("notify", "record"),
        ("playPrompt", ""),
        ("playPrompt", "playPrompt"),
        ("record", "playPrompt"),
        ("record", "playPrompt"),
    ];
    assert_eq!(tree(&spans), pairs(&whole), "{spans:#?}");
}

/// The same as [`trace`], of what may not be whole yet.
fn trace_so_far(collector: &Journal, id: &str) -> Vec<Span> {
    let id = uuid::Uuid::parse_str(id).expect("an id");
    spans(collector).into_iter().filter(|span| span.trace_id == id.as_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let bots = Journal::start().await;
    let text = configuration(bots.address()) + "[telemetry]\notlp = \"http://127.0.0.1:1\"\n";
    let world = World::start_with(bots, tempfile::tempdir().expect("a folder"), &text).await;
    let call = world.null_call().await;
    world.bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200);
    world.bot.hang_up(&call).await;
    world.over(&call).await;
    // Nor does it hold up a stop for longer than is allowed.
    soon(world.server.stop(Duration::from_millis(500))).await;
}
