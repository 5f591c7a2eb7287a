//! `notification resend`: a call's notices told again, for whoever works on a webhook.

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use crate::Failure;
use crate::args::Door;
use crate::door::Visitor;

/// What to do with notifications.
#[derive(Subcommand, Debug)]
pub(crate) enum Notification {
    /// Tell a call's bot again what it was told: the same message id, the same body, once. The last one, if not said.
    Resend(Resend),
}

/// Options of `notification resend`.
#[derive(clap::Args, Debug)]
pub(crate) struct Resend {
    /// The call's id.
    call: String,
    /// The notice in this record of the call's log, see `explain --call`.
    #[arg(long, value_name = "N", requires = "index", conflicts_with_all = ["undelivered", "last"])]
    record: Option<u64>,
    /// Which of that record's notices.
    #[arg(long, value_name = "I", requires = "record")]
    index: Option<u32>,
    /// Those that were given up, in order, up to the first that is not taken now either.
    #[arg(long, conflicts_with = "last")]
    undelivered: bool,
    /// The last one.
    #[arg(long)]
    last: bool,
    #[command(flatten)]
    door: Door,
}

/// `notification …`
pub(crate) async fn run(command: Notification, json: bool) -> Result<(), Failure> {
    let Notification::Resend(resend) = command;
    let body = match (resend.record, resend.index) {
        (Some(record), Some(index)) => json!({ "record": record, "index": index }),
        _ if resend.undelivered => json!({ "undelivered": true }),
        _ => json!({}),
    };
    let path = format!("calls/{}/notifications/resend", resend.call);
    let answer = Visitor::new(&resend.door)?.send(Method::POST, &path, body.to_string()).await?.unwrap_or_default();
    let resent = answer["value"].as_array().cloned().unwrap_or_default();
    for notice in &resent {
        if json {
            println!("{notice}");
        } else {
            println!("{}", line_of(notice));
        }
    }
    match resent.iter().find(|notice| notice["taken"] != true) {
        None => Ok(()),
        Some(notice) => Err(format!("the bot did not take it: {}", notice["outcome"].as_str().unwrap_or("?")).into()),
    }
}

fn line_of(notice: &Value) -> String {
    let text = |member: &str| notice[member].as_str().unwrap_or("?");
    format!(
        "record {} index {}  {}  message {}  {}",
        notice["record"],
        notice["index"],
        text("notice"),
        text("messageId"),
        text("outcome")
    )
}
