//! `run`: starts a bot as it is, with Microsoft's hosts leading to Ringback, and nothing changed outside the data
//! folder and the bot's own environment. docs/RUN.md says what it does at length.

mod bundle;
mod child;
mod environment;
mod folder;
mod hosts;
mod limits;
mod proxy;
mod served;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::Failure;
use environment::Set;
use folder::Folder;
use proxy::Proxy;
use served::Served;

/// Options of `run`.
#[derive(clap::Args, Debug)]
pub(crate) struct Run {
    /// The data folder: its server is used, or one is started for as long as the bot runs.
    #[arg(long, default_value = "ringback-data", value_name = "DIR")]
    data: PathBuf,
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
    let folder = Folder::make(&args.data)?;
    let proxy = Proxy::start(served.https, upstream).await?;
    let set = Set {
        folder: &folder,
        proxy: proxy.address,
        ringback: served.https,
        authority: &served.authority,
        has_upstream,
    };
    let mut variables = set.variables(&own);
    variables.extend(bundle::write(folder.path(), &served.authority, &own)?);
    say(&format!("phones register at {}; the page with a phone: {}/", served.sip, served.http));
    let outcome = match child::start(&args.command, variables) {
        Ok(mut child) => child::wait(&mut child, &mut signals).await,
        Err(error) => Err(error),
    };
    served.stop().await;
    Ok(child::exit_code(outcome?))
}

/// What this command says of itself, on standard error among the bot's own words.
fn say(text: &str) {
    eprintln!("ringback: {text}");
}
