//! Prints what metrics there are, and compares them with docs/metrics.md.

use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::expect_file;
use ringback_core::{AppId, EndCause, Event, LegId, ResultInfo};
use uuid::Uuid;

use super::Rule;
use super::findings;
use super::metrics::{Delivery, Fetch, Metrics, Snapshot};

const HEAD: &str = "\
# Metrics

What `GET /metrics` shows, in the text form of OpenMetrics; who may read it is said in [OPERATING](OPERATING.md). Made
from `crates/server/src/trace/metrics.rs` by a test; run it with `UPDATE_EXPECT=1` after a change.

A counter's samples end in `_total`, a histogram's in `_bucket`, `_sum` and `_count`. Labels are words from small sets:
no id, telephone number or name of anyone is ever one.

| name | is a | labels | help |
|---|---|---|---|
";

#[test]
fn docs_name_every_metric() {
    let metrics = Metrics::default();
    metrics.request("playPrompt", 200, Duration::from_millis(3));
    let call = ringback_core::CallId(Uuid::nil());
    metrics.event(&Event::CallTerminated { call, result: ResultInfo::new(200, 0, "") }, None);
    metrics.event(&Event::LegEnded { leg: LegId(Uuid::nil()), cause: EndCause::Busy }, None);
    metrics.attempted(Delivery::Acknowledged);
    metrics.told(None);
    metrics.prompt(Fetch::Decoded, Duration::from_secs(1));
    let text = metrics.print(Snapshot::default());
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
    let mut table = HEAD.to_owned();
    let labels = labels(&text);
    for help in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = help.split_once(' ').expect("a name and a help");
        let kind = format!("# TYPE {name} ");
        let kind = text.lines().find_map(|line| line.strip_prefix(&kind)).expect("a type");
        let labels = labels.get(name).cloned().unwrap_or_default();
        table += &format!("| `{name}` | {kind} | {labels} | {} |\n", help.trim_end_matches('.'));
    }
    expect_file!["../../../../docs/metrics.md"].assert_eq(&table);
}

/// The names of labels that a metric's samples bear, but for a histogram's own.
fn labels(text: &str) -> BTreeMap<&str, String> {
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut found = BTreeMap::new();
    for sample in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = sample.split_once('{').unwrap_or((sample, "}"));
        let Some(of) = names.iter().filter(|of| name.starts_with(*of)).max_by_key(|of| of.len()) else { continue };
        let pairs = rest.split_once('}').expect("an end of labels").0;
        let words = pairs.split(',').filter_map(|pair| Some(pair.split_once('=')?.0)).filter(|label| *label != "le");
        let words: Vec<String> = words.map(|label| format!("`{label}`")).collect();
        if !words.is_empty() {
            found.insert(*of, words.join(", "));
        }
    }
    found
}

#[test]
fn a_finding_reads_as_a_sentence() {
    let app = AppId::new("an app");
    for rule in Rule::ALL {
        let line = findings::line(rule, Some(&app), "here");
        assert!(!line.starts_with("its ") && !line.contains("the bot its") && !line.contains("bot the bot"), "{line}");
    }
    assert!(findings::line(Rule::WebhookSlow, Some(&app), "").starts_with("the bot's webhook did not answer"));
    assert!(findings::line(Rule::NeverReacted, Some(&app), "").starts_with("the bot took what it was sent"));
    assert!(findings::line(Rule::ProxyIgnored, None, "").starts_with("a bot connects past the proxy"));
}
