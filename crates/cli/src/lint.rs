//! `lint`: what the server noticed of bots, and, when asked, whether a bot checks the tokens of its notifications.

use hyper::Method;
use serde_json::Value;

use crate::Failure;
use crate::args::Door;
use crate::door::Visitor;

/// Options of `lint`.
#[derive(clap::Args, Debug)]
pub(crate) struct Lint {
    /// Post an empty notification to the bot's webhook with each of six tokens, of which it must take the first only.
    #[arg(long)]
    tokens: bool,
    /// The app whose bot is tried; without it, every app.
    #[arg(long, value_name = "ID", requires = "tokens")]
    app: Option<String>,
    /// Forget what was found, and begin anew.
    #[arg(long, conflicts_with = "tokens")]
    forget: bool,
    #[command(flatten)]
    door: Door,
}

/// Succeeds if nothing was found.
pub(crate) async fn run(args: Lint, json: bool) -> Result<(), Failure> {
    let visitor = Visitor::new(&args.door)?;
    if args.forget {
        visitor.ask(Method::DELETE, "findings").await?;
        eprintln!("forgotten");
        return Ok(());
    }
    if args.tokens {
        try_tokens(&visitor, args.app.as_deref(), json).await?;
    }
    let mut found = findings(&visitor, "bot").await?;
    if let Some(app) = &args.app {
        found.retain(|finding| finding["app"].as_str().is_some_and(|of| of.eq_ignore_ascii_case(app)));
    }
    for finding in &found {
        if json {
            println!("{finding}");
        } else {
            show(finding);
        }
    }
    match found.len() {
        0 => {
            eprintln!("nothing was found");
            Ok(())
        }
        1 => Err("one thing was found".into()),
        more => Err(format!("{more} things were found").into()),
    }
}

/// What was found that concerns this: `bot`, `setUp`.
pub(crate) async fn findings(visitor: &Visitor, concern: &str) -> Result<Vec<Value>, Failure> {
    let answer = visitor.ask(Method::GET, "findings").await?.unwrap_or_default();
    let all = answer["value"].as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().filter(|found| found["concern"] == concern).collect())
}

/// What was found, as one sentence.
pub(crate) fn sentence(finding: &Value) -> String {
    let text = |member: &str| finding[member].as_str().unwrap_or_default();
    let detail = match text("detail") {
        "" => String::new(),
        detail => format!(": {detail}"),
    };
    let times = match finding["count"].as_u64() {
        Some(count) if count > 1 => format!(" ({count} times)"),
        _ => String::new(),
    };
    format!("{}{detail}{times}", text("says"))
}

fn show(finding: &Value) {
    let text = |member: &str| finding[member].as_str().unwrap_or_default();
    let who = match text("app") {
        "" => "a bot".to_owned(),
        app => format!("app {app}"),
    };
    let call = match text("call") {
        "" => String::new(),
        call => format!("; last in call {call}"),
    };
    println!("{}: {who} {}{call}\n    {}", text("rule"), sentence(finding), text("advice"));
}

async fn try_tokens(visitor: &Visitor, app: Option<&str>, json: bool) -> Result<(), Failure> {
    let apps = match app {
        Some(app) => vec![app.to_owned()],
        None => {
            let tried = visitor.ask(Method::POST, "trials/webhooks").await?.unwrap_or_default();
            let reached = tried["value"].as_array().into_iter().flatten().filter(|app| app["reached"] == true);
            reached.filter_map(|app| app["app"].as_str().map(str::to_owned)).collect()
        }
    };
    if apps.is_empty() {
        return Err("no app's webhook can be reached; is the bot running?".into());
    }
    let mut unanswered = Vec::new();
    for app in apps {
        let tried = visitor.ask(Method::POST, &format!("trials/tokens/{app}")).await?.unwrap_or_default();
        let tried: Vec<_> = tried["value"].as_array().into_iter().flatten().collect();
        if tried.iter().any(|one| one["status"].is_null()) {
            unanswered.push(app.clone());
        }
        for one in tried {
            if json {
                println!("{one}");
                continue;
            }
            let word = one["token"].as_str().unwrap_or_default();
            let answer = one["status"].as_u64().map_or_else(
                || one["why"].as_str().unwrap_or("no answer").to_owned(),
                |status| format!("{status}{}", if one["accepted"] == true { ", accepted" } else { "" }),
            );
            println!("app {app}, token {word}: {answer}");
        }
    }
    match unanswered.as_slice() {
        [] => Ok(()),
        apps => Err(format!("not every token was answered by the bot of {}; is it running?", apps.join(", ")).into()),
    }
}
