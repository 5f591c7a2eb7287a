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
use crate::Failure;
use crate::args::{Door, Lifecycle};
use crate::door::Visitor;

/// How long the raw log is driven for the limit.
const LIMIT_SECONDS: f64 = 5.0;

/// Runs it and prints the figures.
pub(crate) async fn run(options: Lifecycle, json: bool) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("ringback-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&options, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    let figures = measured?;
    if json {
        println!("{figures}");
    } else {
        for (name, value) in figures.as_object().into_iter().flatten() {
            println!("{name:<28} {value}");
        }
    }
    if figures["lost"] == 0 { Ok(()) } else { Err("operations were lost".into()) }
}

async fn measure(options: &Lifecycle, folder: &Path) -> Result<Value, Failure> {
    configure(folder)?;
    let mut server = serve(folder).await?;
    let url = address(&mut server).await?;
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
    let mut server = serve(folder).await?;
    let url = address(&mut server).await?;
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

async fn serve(folder: &Path) -> Result<Talker, Failure> {
    let (data, config) = (folder.join("data"), folder.join("ringback.toml"));
    let any = "127.0.0.1:0";
    let words = ["serve", "--json", "--http", any, "--https", any, "--sip", any, "--sip-tls", any, "--data"];
    let mut all: Vec<&std::ffi::OsStr> = words.iter().map(|word| std::ffi::OsStr::new(*word)).collect();
    all.extend([data.as_os_str(), std::ffi::OsStr::new("--config"), config.as_os_str()]);
    Talker::start(&all)
}

async fn address(server: &mut Talker) -> Result<String, Failure> {
    let ready = server.hear().await?;
    Ok(ready["http"].as_str().ok_or("the server did not say where it listens")?.to_owned())
}

async fn commits(door: &Visitor) -> Result<f64, Failure> {
    let status = door.ask(Method::GET, "status").await?.unwrap_or_default();
    Ok(status["ledger"]["commits"].as_f64().unwrap_or(0.0))
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn configure(folder: &Path) -> Result<(), Failure> {
    let text = format!(
        r#"[server]
allow_private_targets = ["127.0.0.1"]

[[tenants]]
id = "{tenant}"
name = "bench"

[[apps]]
id = "{app}"
tenant = "{tenant}"
name = "Bench bot"
secret_hash = "{hash}"
webhook = "{webhook}"
max_calls = 10000

[[users]]
id = "{user}"
tenant = "{tenant}"
name = "Test line"
sip = "{line}"
phone = "null"
"#,
        tenant = development::TENANT_ID,
        app = development::APP_ID,
        hash = development::hash_secret(development::APP_SECRET)?,
        webhook = development::APP_WEBHOOK,
        user = development::NULL_LINE.0,
        line = development::NULL_LINE.1,
    );
    Ok(std::fs::write(folder.join("ringback.toml"), text)?)
}
