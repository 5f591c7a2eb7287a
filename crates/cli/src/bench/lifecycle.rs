//! `bench lifecycle`: durable operations a second, start to notification.
//!
//! Load and webhooks are one child process, the server is another: an ordinary `serve` with real
//! token checks, engine, SQLite at full sync, lanes and signatures. Only the far end is a test line,
//! on which prompts finish at once. Afterwards the server is killed with SIGKILL and opened again,
//! and every operation it answered must be found.

use std::path::Path;

use hyper::Method;
use ringback_server::directory as development;
use serde_json::{Value, json};

use super::process::Talker;
use super::served::{self, configure, round};
use crate::Failure;
use crate::args::{Door, Lifecycle};
use crate::door::Visitor;

/// How long the raw log is driven for the limit.
const LIMIT_SECONDS: f64 = 5.0;

/// Runs it and prints the figures.
pub(crate) async fn run(options: Lifecycle, json: bool) -> Result<(), Failure> {
    let folder = served::folder()?;
    let measured = measure(&options, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    let figures = measured?;
    served::print(&figures, json);
    if figures["lost"] == 0 { Ok(()) } else { Err("operations were lost".into()) }
}

async fn measure(options: &Lifecycle, folder: &Path) -> Result<Value, Failure> {
    configure(folder, development::APP_WEBHOOK, "")?;
    let mut server = served::start(folder, None, None, None)?;
    let url = served::address(&mut server).await?;
    let door = Visitor::new(&Door { data: folder.join("data"), url: Some(url.clone()) })?;
    let mut load = Talker::start(&["bench", "lifecycle-load"])?;
    load.say(&json!({
        "url": url,
        "tenant": development::TENANT_ID,
        "app_id": development::APP_ID,
        "secret": development::APP_SECRET,
        "user": development::NULL_LINE.0,
        "clients": options.clients,
        "seconds": options.seconds,
    }))
    .await?;
    // The load says when the measured time begins and ends.
    load.hear().await?;
    let (cpu, commits) = (server.cpu_seconds()?, commits(&door).await?);
    load.hear().await?;
    let (cpu, commits) = (server.cpu_seconds()? - cpu, self::commits(&door).await? - commits);
    let rss = server.rss_mb()?;
    let mut figures = load.hear().await?;

    server.kill().await?;
    let mut server = served::start(folder, None, None, None)?;
    let url = served::address(&mut server).await?;
    load.say(&json!({ "url": url })).await?;
    let found = load.hear().await?;
    load.kill().await?;
    server.kill().await?;

    let data = folder.join("raw");
    std::fs::create_dir_all(&data)?;
    let writers = usize::from(options.clients);
    let limit = tokio::task::spawn_blocking(move || {
        ringback_server::raw_log_lifecycles_per_second(&data, writers, LIMIT_SECONDS)
    })
    .await??;
    let (lifecycles, seconds) =
        (figures["lifecycles"].as_f64().unwrap_or(0.0), figures["seconds"].as_f64().unwrap_or(1.0));
    let lost = figures["lost"].as_u64().unwrap_or(0) + found["lost"].as_u64().unwrap_or(0);
    figures["lost"] = lost.into();
    figures["found_after_kill"] = found["found"].clone();
    figures["server_cpu_us_per_lifecycle"] = round(cpu * 1e6 / lifecycles.max(1.0)).into();
    figures["commits_per_s"] = round(commits / seconds).into();
    figures["limit_lifecycles_per_s"] = round(limit).into();
    figures["rss_mb"] = round(rss).into();
    Ok(figures)
}

async fn commits(door: &Visitor) -> Result<f64, Failure> {
    let status = door.ask(Method::GET, "status").await?.unwrap_or_default();
    Ok(status["ledger"]["commits"].as_f64().unwrap_or(0.0))
}
