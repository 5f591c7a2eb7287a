//! `bench media`: what RTP costs the server, and how punctual it is.
//!
//! Three processes: an ordinary `serve`; the far ends, which are also the bot and the phone; and afterwards a bare
//! sender, which sends to the same far ends. Calls are placed, answered and played on as in life; what is measured is
//! the server's processor time as the kernel accounts it, and the time at which the kernel received each packet.

use std::path::Path;

use ringback_server::directory as development;
use serde_json::{Value, json};

use super::process::Talker;
use super::served::{self, round, round2};
use crate::Failure;
use crate::args::Media;

/// How long the bare sender is measured at most: its pace needs no longer to be known.
const BASELINE_SECONDS: u16 = 10;
/// How long the machine's limit is measured.
const LIMIT_SECONDS: f64 = 2.0;
/// Around a measured time: the bare sender begins before it and ends after it.
const MARGIN_SECONDS: f64 = 2.5;

/// Runs it and prints the figures.
pub(crate) async fn run(options: Media, json: bool) -> Result<(), Failure> {
    let folder = served::folder()?;
    let measured = measure(&options, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    let figures = measured?;
    served::print(&figures, json);
    let fine = figures["packets_different"] == 0 && figures["packets_compared"] != 0 && figures["calls_ended"] == 0;
    if fine { Ok(()) } else { Err("what was heard is not what was to be played; see the figures".into()) }
}

async fn measure(options: &Media, folder: &Path) -> Result<Value, Failure> {
    let (server_on, others_on) = if options.pin { places()? } else { (None, None) };
    let sip = served::sip_address()?;
    let mut load = Talker::start_on(others_on.as_deref(), None, &["bench", "media-load"])?;
    load.say(&json!({ "legs": options.legs, "one_way": options.one_way, "sip": sip })).await?;
    let webhook = load.hear().await?["webhook"].as_str().ok_or("no webhook")?.to_owned();
    served::configure(folder, &webhook, "")?;
    let mut server = served::start(folder, Some(sip), server_on.as_deref(), options.server.as_deref())?;
    let url = served::address(&mut server).await?;
    load.say(&json!({
        "url": url,
        "tenant": development::TENANT_ID,
        "app_id": development::APP_ID,
        "secret": development::APP_SECRET,
    }))
    .await?;
    load.hear().await?;
    load.say(&json!({ "seconds": options.seconds })).await?;
    load.hear().await?;
    let cpu = server.cpu_seconds()?;
    load.hear().await?;
    let cpu = server.cpu_seconds()? - cpu;
    let rss = server.rss_mb()?;
    let heard = load.hear().await?;
    server.kill().await?;

    let (baseline, limit) = bare(options, &mut load, &heard, server_on.as_deref()).await?;
    load.kill().await?;
    let hundreds = f64::from(options.legs) / 100.0;
    let per_cent = |cpu: f64, seconds: f64| round2(100.0 * cpu / seconds / hundreds);
    let mut figures = json!({
        "legs": options.legs,
        "one_way": options.one_way,
        "pinned": options.pin,
        "seconds": heard["seconds"],
        "cpu_percent_per_100_legs": per_cent(cpu, f64::from(options.seconds)),
        "baseline_cpu_percent_per_100_legs": per_cent(baseline.cpu, baseline.seconds),
        "within_5ms_percent": heard["within_5ms_percent"],
        "baseline_within_5ms_percent": baseline.heard["within_5ms_percent"],
        "limit_packets_per_s": round(limit),
        "rss_mb": round(rss),
    });
    for name in ["late_packets", "lost_packets", "worst_ms", "packets_per_s", "rtcp_packets"] {
        figures[name] = heard[name].clone();
    }
    for name in ["packets_compared", "packets_different", "calls_ended"] {
        figures[name] = heard[name].clone();
    }
    Ok(figures)
}

/// What the bare sender did at the server's pace.
struct Baseline {
    cpu: f64,
    seconds: f64,
    heard: Value,
}

/// The bare sender, at the server's pace and then without one: packets a second.
async fn bare(
    options: &Media,
    load: &mut Talker,
    heard: &Value,
    place: Option<&str>,
) -> Result<(Baseline, f64), Failure> {
    let mut bare = Talker::start_on(place, None, &["bench", "bare-sender"])?;
    bare.say(&json!({ "targets": heard["targets"] })).await?;
    let addresses = bare.hear().await?;
    load.say(&addresses).await?;
    load.hear().await?;
    let seconds = f64::from(options.seconds.min(BASELINE_SECONDS));
    bare.say(&json!({ "paced": true, "seconds": seconds + MARGIN_SECONDS })).await?;
    load.say(&json!({ "seconds": seconds })).await?;
    load.hear().await?;
    let cpu = bare.cpu_seconds()?;
    load.hear().await?;
    let cpu = bare.cpu_seconds()? - cpu;
    let baseline = Baseline { cpu, seconds, heard: load.hear().await? };
    bare.hear().await?;
    bare.say(&json!({ "paced": false, "seconds": LIMIT_SECONDS })).await?;
    let limit = bare.hear().await?["packets_per_s"].as_f64().ok_or("no limit")?;
    bare.kill().await?;
    Ok((baseline, limit))
}

/// The processor of the server, and those of all else, as `taskset` takes them.
fn places() -> Result<(Option<String>, Option<String>), Failure> {
    match std::thread::available_parallelism()?.get() {
        1 => Err("--pin needs two processors".into()),
        2 => Ok((Some("0".to_owned()), Some("1".to_owned()))),
        many => Ok((Some("0".to_owned()), Some(format!("1-{}", many - 1)))),
    }
}
