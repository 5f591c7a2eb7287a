//! `explain`: what a result means, from the catalogue and without a server; or what happened to a call or an operation, from
//! the operator's door.

use hyper::Method;
use ringback_client::wire::results::{Known, Question};
use serde_json::{Value, json};

use crate::Failure;
use crate::args::Door;
use crate::door::Visitor;
use crate::show::time_of_day;

/// Options of `explain`.
#[derive(clap::Args, Debug)]
pub(crate) struct Explain {
    /// A result: code and subcode as in `500#7117` or `400/8508`, one of the two, the code of an error, or a message that
    /// ends in `DiagCode: …`. It needs no server.
    #[arg(required_unless_present_any = ["operation", "call"], conflicts_with_all = ["operation", "call"])]
    result: Option<String>,
    /// An operation's id: what happened to it, and what its result means.
    #[arg(long, value_name = "ID")]
    operation: Option<String>,
    /// A call's id: what happened to it; with `--operation`, where to look for that.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    #[command(flatten)]
    door: Door,
}

/// `explain`
pub(crate) async fn run(explain: Explain, json: bool) -> Result<(), Failure> {
    let path = match (&explain.result, &explain.call, &explain.operation) {
        (Some(result), ..) => return meaning(result, json),
        (None, Some(call), None) => format!("explain/calls/{call}"),
        (None, Some(call), Some(operation)) => format!("explain/calls/{call}/operations/{operation}"),
        (None, None, operation) => format!("explain/operations/{}", operation.as_deref().unwrap_or_default()),
    };
    let story = Visitor::new(&explain.door)?.ask(Method::GET, &path).await?.unwrap_or_default();
    match json {
        true => println!("{story}"),
        false => tell(&story).iter().for_each(|line| println!("{line}")),
    }
    Ok(())
}

fn meaning(text: &str, json: bool) -> Result<(), Failure> {
    let question = Question::read(text).ok_or_else(|| {
        format!("'{text}' is no result: give one such as 500#7117, 400/8508, 7503 or notAllowed, or a message with a DiagCode")
    })?;
    let answers = question.answers();
    if !answers.is_empty() {
        print(&answers, json);
        return Ok(());
    }
    let near = question.near();
    print(&near, json);
    let but = if near.is_empty() { "nor is anything like it" } else { "what is near it stands above" };
    Err(format!("{text} is not in the catalogue; {but}. docs/errors.md has all of it").into())
}

fn print(all: &[&Known], json: bool) {
    for known in all {
        match json {
            true => println!("{}", as_json(known)),
            false => println!("{}\n", as_text(known)),
        }
    }
}

fn as_json(known: &Known) -> Value {
    json!({
        "of": known.of.to_string(),
        "code": known.code,
        "subcode": known.subcode,
        "messages": known.says,
        "meaning": known.meaning,
        "mark": known.evidence.mark(),
        "evidence": known.evidence.to_string(),
        "given": known.given,
    })
}

fn as_text(known: &Known) -> String {
    let mut text = format!("{known}: {}\n  at Microsoft  {}\n", known.of, known.meaning);
    text += &format!("  known from    {}\n", known.evidence);
    for message in known.says {
        text += &format!("  message       {message}\n");
    }
    text + &format!("  here          {}", known.given.unwrap_or("Ringback never gives it"))
}

/// The lines of a story.
fn tell(story: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut lines = vec![format!("call {} of app {}", text(&story["call"]), text(&story["app"]))];
    let operation = &story["operation"];
    if !operation.is_null() {
        lines.push(format!("{} {}: {}", text(&operation["kind"]), text(&operation["id"]), text(&operation["status"])));
        lines.extend(operation["clientContext"].as_str().map(|context| format!("  clientContext {context}")));
        lines.extend(result("it ended", &operation["result"]));
    }
    lines.extend(result("the call ended", &story["ended"]));
    if operation.is_null() && story["ended"].is_null() {
        lines.push("  the call lives".to_owned());
    }
    lines.push("what happened (UTC):".to_owned());
    if let Some(left_out) = story["leftOut"].as_u64().filter(|left_out| *left_out > 0) {
        lines.push(format!("  {left_out} steps before these"));
    }
    lines.extend(story["steps"].as_array().into_iter().flatten().map(step));
    lines
}

fn result(what: &str, result: &Value) -> Vec<String> {
    if result.is_null() {
        return vec![];
    }
    let mut lines = vec![format!(
        "  {what}: {}#{} {}",
        result["code"],
        result["subcode"],
        result["message"].as_str().unwrap_or_default()
    )];
    match result["meaning"].as_str() {
        Some(meaning) => {
            lines.push(format!("    at Microsoft  {meaning}"));
            lines.push(format!("    known from    {}", result["evidence"].as_str().unwrap_or_default()));
            lines.extend(result["given"].as_str().map(|given| format!("    given here    {given}")));
        }
        None => lines.push("    not in the catalogue".to_owned()),
    }
    lines
}

fn step(step: &Value) -> String {
    let at = time_of_day(step["at"].as_i64().unwrap_or_default());
    match step["notice"].as_str() {
        None => format!("  {at}  {}", step["event"].as_str().unwrap_or_default()),
        Some(notice) => {
            let why = step["why"].as_str().map_or(String::new(), |why| format!(": {why}"));
            let delivery = step["delivery"].as_str().unwrap_or_default();
            format!("  {at}    told the bot: {notice} → {delivery}{why}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_explained_without_a_server() {
        for known in ["500#7117", "7503", "8522", "400/8508", "notAllowed", "DiagCode: 408#8544.@"] {
            assert!(meaning(known, false).is_ok(), "{known}");
        }
        let unknown = meaning("500#7118", false).unwrap_err().to_string();
        assert!(unknown.contains("500#7118 is not in the catalogue; what is near it stands above"), "{unknown}");
        assert!(meaning("999999", false).unwrap_err().to_string().contains("nor is anything like it"));
        assert!(meaning("what is this?", false).unwrap_err().to_string().contains("is no result"));
    }

    #[test]
    fn a_story_is_told_in_lines() {
        let story = json!({
            "call": "c", "app": "a", "operation": null, "leftOut": 3,
            "ended": {"code": 408, "subcode": 8544, "message": "Callee…", "meaning": "It did not.", "evidence": "R", "given": "at times"},
            "steps": [
                {"at": 3_723_004_000_i64, "record": 1, "event": "call offered to its bot"},
                {"at": 3_723_004_000_i64, "record": 1, "index": 0, "notice": "incoming", "delivery": "undelivered", "why": "refused"},
            ],
        });
        let lines = tell(&story);
        for line in [
            "  the call ended: 408#8544 Callee…",
            "    at Microsoft  It did not.",
            "  3 steps before these",
            "  01:02:03.004  call offered to its bot",
            "  01:02:03.004    told the bot: incoming → undelivered: refused",
        ] {
            assert!(lines.iter().any(|told| told == line), "{line}: {lines:#?}");
        }
    }
}
