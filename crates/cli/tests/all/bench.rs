//! The benchmarks work: a few legs and calls, for a moment. What is heard must be right and every figure must be there;
//! how fast it was is nobody's business here.

use std::process::Command;

use serde_json::Value;

/// Runs a benchmark and reads its one line.
fn bench(words: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_ringback"))
        .arg("bench")
        .args(words)
        .arg("--json")
        .output()
        .expect("the program starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"))
}

fn number(figures: &Value, name: &str) -> f64 {
    figures[name].as_f64().unwrap_or_else(|| panic!("no {name} in {figures}"))
}

fn media(words: &[&str]) {
    let mut all = vec!["media", "--legs", "5", "--seconds", "3"];
    all.extend(words);
    let figures = bench(&all);
    assert_eq!(number(&figures, "legs"), 5.0);
    for name in [
        "seconds",
        "cpu_percent_per_100_legs",
        "baseline_cpu_percent_per_100_legs",
        "within_5ms_percent",
        "baseline_within_5ms_percent",
        "late_packets",
        "lost_packets",
        "worst_ms",
        "limit_packets_per_s",
        "rss_mb",
    ] {
        number(&figures, name);
    }
    assert!(number(&figures, "packets_per_s") > 0.0);
    assert!(number(&figures, "rtcp_packets") > 0.0, "each leg reports within 3 s");
    assert!(number(&figures, "packets_compared") > 0.0);
    assert_eq!(number(&figures, "packets_different"), 0.0, "what is heard is the prompt, bit for bit");
    assert_eq!(number(&figures, "calls_ended"), 0.0);
}

#[test]
fn media_both_ways() {
    media(&[]);
}

#[test]
fn media_one_way() {
    media(&["--one-way"]);
}

#[test]
fn latency() {
    let figures = bench(&["latency", "--calls", "2", "--beside", "3"]);
    assert_eq!(number(&figures, "calls"), 2.0);
    assert_eq!(number(&figures, "playing_beside"), 3.0);
    for load in ["alone", "beside"] {
        for step in [
            "incoming_ms",
            "answer_ms",
            "first_packet_ms",
            "finished_ms",
            "tone_ms",
            "terminated_ms",
            "floor_answer_ms",
            "floor_webhook_ms",
        ] {
            for share in ["p50", "p99", "worst"] {
                assert!(number(&figures[load][step], share) >= 0.0, "{load} {step} {share}");
            }
        }
    }
}

#[test]
fn lifecycle() {
    let figures = bench(&["lifecycle", "--clients", "2", "--seconds", "5"]);
    assert!(number(&figures, "lifecycles") > 0.0);
    assert_eq!((number(&figures, "lost"), number(&figures, "repeated")), (0.0, 0.0));
    assert_eq!(number(&figures, "answered"), number(&figures, "found_after_kill"));
}
