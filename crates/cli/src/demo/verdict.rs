//! Did it work: every operation as it should be, and the audio compared with what was played.

use std::path::Path;

use ringback_client::wire::{OperationStatus, Tone};
use ringback_example_bot::Report;
use ringback_media::correlate::correlate;
use serde_json::{Value, json};

use super::Melodies;
use super::tones::{Melody, PHONE_RATE};

/// A prompt that was played is found at least this well.
const HEARD: f64 = 0.9;
/// A prompt that was not played is found at most this well.
const NOT_HEARD: f64 = 0.3;

/// The verdict, check by check.
pub(super) struct Verdict(Vec<Check>);

struct Check {
    what: String,
    found: String,
    good: bool,
}

/// Judges.
pub(super) fn of(report: &Report, heard: &[i16], melodies: &Melodies) -> Verdict {
    let mut checks = vec![
        operation(report, "keys", OperationStatus::Completed),
        operation(report, "menu", OperationStatus::Running),
        operation(report, "hours", OperationStatus::Running),
        operation(report, "bye", OperationStatus::NotStarted),
        Check {
            what: "the bot heard the key".to_owned(),
            found: report.key.map_or("none", Tone::as_str).to_owned(),
            good: report.key == Some(Tone::Tone1),
        },
        Check {
            what: "the call was told terminated".to_owned(),
            found: report
                .ended
                .as_ref()
                .map_or("no result".to_owned(), |result| format!("{}/{}", result.code, result.subcode)),
            good: report.ended.is_some(),
        },
    ];
    let played = [("menu", &melodies.menu), ("hours", &melodies.hours), ("bye", &melodies.bye)];
    checks.extend(played.map(|(name, melody)| {
        let found = likeness(melody, heard);
        Check {
            what: format!("the phone heard {name} (at least {HEARD})"),
            found: format!("{found:.3}"),
            good: found >= HEARD,
        }
    }));
    let found = likeness(&melodies.never, heard);
    checks.push(Check {
        what: format!("the phone did not hear another (below {NOT_HEARD})"),
        found: format!("{found:.3}"),
        good: found < NOT_HEARD,
    });
    Verdict(checks)
}

fn operation(report: &Report, name: &str, answered: OperationStatus) -> Check {
    let mut all = report.operations.iter();
    let step = all.find(|(_, ended)| ended.client_context.as_deref() == Some(name));
    let good = step.is_some_and(|(first, ended)| {
        let result = ended.result_info.as_ref();
        *first == answered
            && ended.status == OperationStatus::Completed
            && result.is_some_and(|result| result.code == 200)
    });
    let found = step.map_or("missing".to_owned(), |(first, ended)| {
        let code = ended.result_info.as_ref().map_or(0, |result| result.code);
        format!("{first} → {} {code}", ended.status)
    });
    Check { what: format!("operation {name}"), found, good }
}

/// How well a melody is found in what was heard, anywhere in it.
fn likeness(melody: &Melody, heard: &[i16]) -> f64 {
    correlate(&melody.pcm(PHONE_RATE), heard, heard.len()).map_or(0.0, |found| found.coefficient.abs())
}

impl Verdict {
    /// Everything is as it should be.
    pub(super) fn is_good(&self) -> bool {
        self.0.iter().all(|check| check.good)
    }

    /// For people.
    pub(super) fn print(&self, wav: &Path) {
        println!();
        for check in &self.0 {
            println!("{} {:<52} {}", if check.good { "ok  " } else { "FAIL" }, check.what, check.found);
        }
        println!("\nWhat the phone heard: {}", wav.display());
    }

    /// For programs.
    pub(super) fn json(&self, wav: &Path) -> Value {
        let checks = self.0.iter().map(|check| json!({ "what": check.what, "found": check.found, "good": check.good }));
        json!({ "good": self.is_good(), "checks": checks.collect::<Vec<_>>(), "heard": wav })
    }
}
