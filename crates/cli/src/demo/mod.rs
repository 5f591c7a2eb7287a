//! `demo`: the main job on real input. A server on SQLite in a fresh folder, the example bot, and a
//! scripted phone that calls it over SIP and RTP on loopback. It exits well only if every operation
//! ended as it should and the phone heard what was played.

mod tones;
mod verdict;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringback_example_bot::{Bot, Report};
use ringback_media::wav;
use ringback_server::directory as development;
use ringback_server::{Options, Server};
use ringback_signal::phone::{Phone, PhoneConfig};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;
use crate::args::Demo;
use crate::show::line_of;
use tones::Melody;

/// The whole demonstration takes about ten seconds; a machine that needs a minute has a problem to show.
const WHOLE: Duration = Duration::from_secs(60);
/// How long the phone waits for one prompt.
const PROMPT: Duration = Duration::from_secs(15);
/// A prompt is at least this long, and is followed by at least this much silence.
const SOUND: Duration = Duration::from_millis(900);
const QUIET: Duration = Duration::from_millis(250);
/// The key the phone presses.
const KEY: &str = "1";

/// Runs it.
pub(crate) async fn run(args: Demo, json: bool) -> Result<(), Failure> {
    let keep = args.out.is_some();
    let mut terminate = signal(SignalKind::terminate())?;
    let folder = folder(args.out)?;
    let performed = tokio::select! {
        performed = tokio::time::timeout(WHOLE, perform(&folder, json)) => performed,
        _ = terminate.recv() => return interrupted(&folder, keep),
        _ = tokio::signal::ctrl_c() => return interrupted(&folder, keep),
    };
    performed.map_err(|_| "the demo did not finish within a minute")??;
    if !keep {
        // What it heard stays; a ledger that nobody asked for does not.
        std::fs::remove_dir_all(folder.join("data"))?;
    }
    Ok(())
}

/// Ended by a signal: nothing stays that nobody asked for.
fn interrupted(folder: &Path, keep: bool) -> Result<(), Failure> {
    if !keep {
        std::fs::remove_dir_all(folder)?;
    }
    Err("the demo was interrupted".into())
}

/// What is said, and one thing that is not. `hours` is what the key asks for.
struct Melodies {
    menu: Melody,
    hours: Melody,
    bye: Melody,
    never: Melody,
}

async fn perform(folder: &Path, json: bool) -> Result<(), Failure> {
    let melodies = Melodies {
        menu: Melody::number(0),
        hours: Melody::number(1),
        bye: Melody::number(2),
        never: Melody::number(3),
    };
    let settings = folder.join("ringback.toml");
    configure(&settings, development::APP_WEBHOOK)?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options = Options {
        data: folder.join("data"),
        config: Some(settings.clone()),
        http: Some(loopback),
        https: Some(loopback),
        sip: Some(loopback),
        sip_tls: Some(loopback),
    };
    let server = Server::start(options).await?;
    let following = follow(&server, json);
    let bot = start_bot(&server, &melodies, loopback).await?;
    // The bot chose its own port; the directory learns of it as an operator would tell it.
    configure(&settings, &bot.webhook())?;
    server.reload()?;

    let bot_side = async {
        let call = bot.calls.incoming().await.ok_or("the bot's listener ended")?;
        Ok::<Report, Failure>(bot.serve(&call).await?)
    };
    let (report, heard) = tokio::try_join!(bot_side, phone_side(&server))?;
    server.stop(Duration::from_secs(10)).await;
    following.abort();

    let wav_path = folder.join("heard.wav");
    wav::write(&wav_path, tones::PHONE_RATE, &heard)?;
    let verdict = verdict::of(&report, &heard, &melodies);
    if json {
        println!("{}", verdict.json(&wav_path));
    } else {
        verdict.print(&wav_path);
    }
    if verdict.is_good() { Ok(()) } else { Err("the demo did not end as it should; see above".into()) }
}

async fn start_bot(server: &Server, melodies: &Melodies, listen: SocketAddr) -> Result<Bot, Failure> {
    let graph = ringback_client::Config::new(
        server.public_url(),
        development::TENANT_ID,
        development::APP_ID,
        development::APP_SECRET,
    );
    let prompts = [
        ("menu", melodies.menu.wav()),
        ("hours", melodies.hours.wav()),
        ("address", melodies.never.wav()),
        ("message", melodies.never.wav()),
        ("bye", melodies.bye.wav()),
    ];
    Bot::start(graph, listen, None, prompts).await
}

/// The phone's script: register, call, hear the menu, press a key, hear the rest, be hung up.
async fn phone_side(server: &Server) -> Result<Vec<i16>, Failure> {
    let (_, login) = development::PHONES[0];
    let phone = Phone::start(PhoneConfig {
        registrar: server.sip_addr(),
        user: login.to_owned(),
        password: development::PHONE_PASSWORD.to_owned(),
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
    })
    .await?;
    phone.register().await?;
    let call = phone.call(development::APP_NUMBERS[0]).await?;
    call.heard_until_quiet(0, SOUND, QUIET, PROMPT).await.ok_or("the phone did not hear the first prompt")?;
    call.press(KEY).await;
    tokio::time::timeout(PROMPT * 2, call.ended()).await.map_err(|_| "the bot did not hang up")?;
    Ok(call.heard())
}

/// Prints the live timeline until it is ended.
fn follow(server: &Server, json: bool) -> tokio::task::JoinHandle<()> {
    let mut entries = server.timeline().follow();
    tokio::spawn(async move {
        while let Ok(entry) = entries.recv().await {
            let value = json!(entry);
            if json {
                println!("{value}");
            } else {
                println!("{}", line_of(&value));
            }
        }
    })
}

fn folder(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let folder = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        std::env::temp_dir().join(format!("ringback-demo-{}-{}", std::process::id(), now.as_millis()))
    });
    if folder.join("data").exists() {
        return Err(format!("{} was used before: give a fresh folder", folder.display()).into());
    }
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// The development directory, with the bot's own webhook.
fn configure(path: &Path, webhook: &str) -> Result<(), Failure> {
    let (phone_id, login) = development::PHONES[0];
    let text = format!(
        r#"[[tenants]]
id = "{tenant}"
name = "demo"

[[apps]]
id = "{app}"
tenant = "{tenant}"
name = "Demo bot"
secret_hash = "{hash}"
webhook = "{webhook}"
numbers = ["{number}"]

[[users]]
id = "{phone_id}"
tenant = "{tenant}"
name = "Phone {login}"
sip = "{login}"
password = "{password}"
"#,
        tenant = development::TENANT_ID,
        app = development::APP_ID,
        hash = development::hash_secret(development::APP_SECRET)?,
        number = development::APP_NUMBERS[0],
        password = development::PHONE_PASSWORD,
    );
    Ok(std::fs::write(path, text)?)
}
