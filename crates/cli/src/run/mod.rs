//! `run`: starts a bot as it is, with Microsoft's hosts leading to Ringback, and nothing changed outside the data
//! folder and the bot's own environment. docs/RUN.md says what it does at length.

mod app;
mod bundle;
mod child;
mod environment;
mod folder;
mod hosts;
mod incoming;
mod led;
mod probe;
mod processes;
pub(crate) mod program;
mod progress;
mod proxy;
mod search;
mod served;
mod text;
mod watch;

use std::ffi::OsString;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hyper::Method;
use url::Url;

use crate::{Failure, limits};
use environment::Set;
use folder::Folder;
use incoming::{Callback, Incoming};
use progress::Progress;
use proxy::Proxy;
use served::Served;
use watch::Watch;

/// Options of `run`.
#[derive(clap::Args, Debug)]
pub(crate) struct Run {
    /// The data folder: its server is used, or one is started for as long as the bot runs.
    #[arg(long, default_value = "ringback-data", value_name = "DIR")]
    data: PathBuf,
    /// An origin of the bot's, such as a tunnel's, and where it leads: `https://x.example=http://127.0.0.1:3978`.
    #[arg(long, value_name = "PUBLIC=LOCAL", value_parser = incoming::callback)]
    callback: Vec<Callback>,
    /// The bot's app id (client id), if its environment does not say.
    #[arg(long, value_name = "ID", value_parser = app::id)]
    app_id: Option<String>,
    /// Where the bot is told of incoming calls, if that is not to be found out.
    #[arg(long, value_name = "URL", value_parser = incoming::webhook)]
    webhook: Option<Url>,
    /// The bot's command, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the bot to its end. Its exit status is this program's.
pub(crate) async fn run(args: Run) -> Result<ExitCode, Failure> {
    let mut signals = child::Signals::catch()?;
    let own = |name: &str| std::env::var_os(name);
    let upstream = environment::upstream(&own)?;
    let has_upstream = upstream.is_some();
    let served = Served::find_or_start(&args.data).await?;
    let folder = Folder::make(&args.data, &own("PATH").unwrap_or_default())?;
    let app = app_of(&args)?;
    let progress = Arc::new(Progress::of(app.as_ref().map(|app| app.id.clone())));
    let proxy = Proxy::start(served.https, upstream, Arc::clone(&progress)).await?;
    let trusted = bundle::write(folder.path(), &served.authority, &own)?;
    let set = Set {
        folder: &folder,
        proxy: proxy.address,
        ringback: proxy.door,
        authority: &served.authority,
        has_upstream,
        trusted: &trusted,
    };
    folder.tell(&set.told(&own))?;
    let variables = set.variables(&own);
    say(&format!("phones register at {}; the page with a phone: {}/", served.sip, served.http));
    let incoming = Incoming {
        door: Arc::clone(&served.door),
        app,
        webhook: args.webhook.clone(),
        callbacks: args.callback.clone(),
        progress: Arc::clone(&progress),
        development: Mutex::default(),
    };
    let outcome = bot(&args, &served, (&folder, proxy.from), &incoming, (variables, &mut signals)).await;
    served.stop().await;
    outcome
}

/// The bot, from its start to its end.
async fn bot(
    args: &Run,
    served: &Served,
    (folder, from): (&Folder, IpAddr),
    incoming: &Incoming,
    (variables, signals): (Vec<(&'static str, OsString)>, &mut child::Signals),
) -> Result<ExitCode, Failure> {
    let progress = &incoming.progress;
    progress.set_apps(&served.door.ask(Method::GET, "apps").await?.unwrap_or_default());
    incoming.begin().await;
    let watch = Watch { progress, door: &served.door, folder, from: from.to_string(), wanted: wanted_ports(args) };
    let mut events = served.door.timeline().await?;
    let began = Instant::now();
    let mut child = child::start(&args.command, variables)?;
    crate::open_files();
    let id = child.id().ok_or("the bot ended before it was looked at")?;
    // None of those who look ends before the bot does, but the timeline, with a server that is stopped by others.
    let looking = async { tokio::join!(watch.timeline(&mut events), watch.processes(id), incoming.follow(id)) };
    let ended = tokio::select! {
        ended = child::wait(&mut child, signals) => ended,
        _ = looking => Err("the bot is not looked at any more".into()),
    };
    let ran = began.elapsed();
    if let Ok((_, false)) = ended {
        watch.catch_up(&mut events).await;
    }
    incoming.end().await;
    let (status, was_told) = ended?;
    watch.ended(status, ran, was_told);
    Ok(child::exit_code(status))
}

/// Who the bot is, as the command line or the bot's own settings say.
fn app_of(args: &Run) -> Result<Option<app::Found>, Failure> {
    let own = |name: &str| std::env::var_os(name);
    let found = app::find(&own, &std::env::current_dir()?);
    Ok(match &args.app_id {
        Some(id) => {
            Some(app::Found { id: id.clone(), tenant: found.and_then(|app| app.tenant), from: "--app-id".into() })
        }
        None => found,
    })
}

/// Ports that the bot is told to have: its webhook's, and the `PORT` of its environment.
fn wanted_ports(args: &Run) -> Vec<u16> {
    let webhook = args.webhook.as_ref().and_then(Url::port_or_known_default);
    let variable = std::env::var("PORT").ok().and_then(|port| port.parse().ok());
    webhook.into_iter().chain(variable).collect()
}

/// A file of the bot's, of settings or of its program; larger ones are something else.
fn read(path: &Path) -> Option<String> {
    let length = path.metadata().ok()?.len();
    if length > limits::SETTINGS { None } else { std::fs::read_to_string(path).ok() }
}

/// What this command says of itself, on standard error among the bot's own words.
fn say(text: &str) {
    // Nobody may be listening any more, and the bot goes on.
    let _ = writeln!(std::io::stderr(), "ringback: {text}");
}
