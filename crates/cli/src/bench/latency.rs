//! `bench latency`: what a caller and a bot feel, in ms.
//!
//! Two processes: an ordinary `serve`, and the judge, which is the phone, the bot and the RTP at once, so that one clock
//! times everything from outside the server. One call is measured at a time, first alone, then beside calls that play.

use std::path::Path;

use ringback_server::directory as development;
use serde_json::{Value, json};

use super::process::Talker;
use super::served;
use crate::Failure;
use crate::args::Latency;

/// Runs it and prints the figures.
pub(crate) async fn run(options: Latency, json: bool) -> Result<(), Failure> {
    let folder = served::folder()?;
    let measured = measure(&options, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    let figures = measured?;
    served::print(&figures, json);
    if figures["beside"]["calls_ended_beside"] == 0 { Ok(()) } else { Err("calls that were to play ended".into()) }
}

async fn measure(options: &Latency, folder: &Path) -> Result<Value, Failure> {
    let sip = served::sip_address()?;
    let mut judge = Talker::start(&["bench", "latency-load"])?;
    judge.say(&json!({ "calls": options.calls, "beside": options.beside, "sip": sip })).await?;
    let place = judge.hear().await?;
    let text = |name: &str| place[name].as_str().ok_or(format!("no {name}"));
    // A trunk is not challenged: its first INVITE is the one that counts.
    let trunk = format!("[[trunks]]\nname = \"caller\"\naddress = \"{}\"\n", text("caller")?);
    served::configure(folder, text("webhook")?, &trunk)?;
    let mut server = served::start(folder, Some(sip), None, options.server.as_deref())?;
    let url = served::address(&mut server).await?;
    judge
        .say(&json!({
            "url": url,
            "tenant": development::TENANT_ID,
            "app_id": development::APP_ID,
            "secret": development::APP_SECRET,
        }))
        .await?;
    let alone = judge.hear().await?;
    let beside = judge.hear().await?;
    judge.kill().await?;
    server.kill().await?;
    Ok(json!({ "calls": options.calls, "playing_beside": options.beside, "alone": alone, "beside": beside }))
}
