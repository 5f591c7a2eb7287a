//! `call`, `operation`, `tail`: what the operator's door shows, as a table or as JSON.

use hyper::Method;
use serde_json::Value;

use crate::Failure;
use crate::args::{Call, Door, Operation};
use crate::door::{Visitor, data_of};

/// `call …`
pub(crate) async fn call(command: Call, json: bool) -> Result<(), Failure> {
    match command {
        Call::List(door) => print(&door, "calls", json, CALL).await,
        Call::Show { id, door } => print(&door, &format!("calls/{id}"), json, CALL).await,
        Call::Undelivered { id, door } => print(&door, &format!("calls/{id}/undelivered"), json, UNDELIVERED).await,
        Call::HangUp { id, door } => {
            Visitor::new(&door)?.ask(Method::DELETE, &format!("calls/{id}")).await?;
            eprintln!("ended");
            Ok(())
        }
    }
}

/// `operation …`
pub(crate) async fn operation(command: Operation, json: bool) -> Result<(), Failure> {
    match command {
        Operation::List { call, door } => print(&door, &format!("calls/{call}/operations"), json, OPERATION).await,
        Operation::Show { call, id, door } => {
            print(&door, &format!("calls/{call}/operations/{id}"), json, OPERATION).await
        }
    }
}

/// `tail`: server-sent events until the server ends or the reader does.
pub(crate) async fn tail(door: Door, json: bool) -> Result<(), Failure> {
    let mut events = Visitor::new(&door)?.timeline().await?;
    eprintln!("following");
    while let Some(event) = events.next().await? {
        show_event(&event, json);
    }
    eprintln!("the server is stopping");
    Ok(())
}

/// Columns of a table: a heading and where its value is.
type Columns = &'static [(&'static str, &'static str)];

const CALL: Columns =
    &[("call", "/id"), ("state", "/state"), ("direction", "/direction"), ("conversation", "/callChainId")];
const OPERATION: Columns = &[
    ("operation", "/id"),
    ("type", "/@odata.type"),
    ("status", "/status"),
    ("code", "/resultInfo/code"),
    ("subcode", "/resultInfo/subcode"),
    ("clientContext", "/clientContext"),
];
const UNDELIVERED: Columns = &[("record", "/record"), ("index", "/index"), ("why", "/why")];

async fn print(door: &Door, path: &str, json: bool, columns: Columns) -> Result<(), Failure> {
    let answer = Visitor::new(door)?.ask(Method::GET, path).await?.unwrap_or_default();
    let rows = answer["value"].as_array().cloned().unwrap_or_default();
    if json {
        for row in &rows {
            println!("{row}");
        }
        return Ok(());
    }
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))).collect()).collect();
    let width = |column: usize| {
        let widest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        widest.max(columns[column].0.len())
    };
    let line = |row: &[String]| {
        let padded = row.iter().enumerate().map(|(column, text)| format!("{text:<width$}", width = width(column)));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    println!("{}", line(&columns.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()));
    for row in &cells {
        println!("{}", line(row));
    }
    Ok(())
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.trim_start_matches("#microsoft.graph.").to_owned(),
        Some(other) => other.to_string(),
    }
}

fn show_event(event: &str, json: bool) {
    let Some(data) = data_of(event) else { return };
    if event.starts_with("event: missed") {
        eprintln!("{data} entries were missed");
    } else if json {
        println!("{data}");
    } else if let Ok(entry) = serde_json::from_str::<Value>(&data) {
        println!("{}", line_of(&entry));
    }
}

/// A timeline entry for people: time of day (UTC), kind, call, what.
pub(crate) fn line_of(entry: &Value) -> String {
    let clock = time_of_day(entry["at"].as_i64().unwrap_or_default());
    let id = |member: &str| entry[member].as_str().unwrap_or_default();
    // The end of an id differs where its beginning, a time, does not.
    let short = |id: &str| id.char_indices().nth_back(5).map_or(String::new(), |(at, _)| format!("…{}", &id[at..]));
    let took = entry["tookMs"].as_f64().map_or(String::new(), |ms| format!("  ({ms:.1} ms)"));
    let (call, operation) = (id("call"), short(id("operation")));
    let operation = if operation.is_empty() { operation } else { format!("  op {operation}") };
    // A path says again which call it is.
    let text = if call.is_empty() { id("text").to_owned() } else { id("text").replace(call, "…") };
    format!("{clock}  {:<12}  {:<7}  {text}{operation}{took}", id("kind"), short(call))
}

/// A moment in microseconds since 1970 as time of day (UTC), to the millisecond.
pub(crate) fn time_of_day(at: i64) -> String {
    let of_day = at.rem_euclid(86_400_000_000);
    let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, micros / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_a_line_that_names_its_call_once() {
        let call = "01a22b75-adfb-7183-8405-561cc989e7fa";
        let path = format!("POST /v1.0/communications/calls/{call}/answer → 202");
        let entry = json!({"at": 28_662_525_000_i64, "kind": "request", "call": call, "text": path, "tookMs": 12.68});
        let line = "07:57:42.525  request       …89e7fa  POST /v1.0/communications/calls/…/answer → 202  (12.7 ms)";
        assert_eq!(line_of(&entry), line);
        let of_none = json!({"at": 0, "kind": "identity", "text": "app x is seen for the first time"});
        assert_eq!(line_of(&of_none), "00:00:00.000  identity               app x is seen for the first time");
        let operation =
            json!({"at": 0, "kind": "event", "call": call, "operation": call, "text": "playPrompt running"});
        assert_eq!(line_of(&operation), "00:00:00.000  event         …89e7fa  playPrompt running  op …89e7fa");
    }
}
