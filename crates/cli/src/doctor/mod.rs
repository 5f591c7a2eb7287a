//! `doctor`: looks at everything that commonly keeps a bot, a phone and the server apart, and says what to do. It
//! changes nothing: it listens, connects and asks, each for a moment.

mod checks;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;

use crate::Failure;
use crate::args::Door;

/// Options of `doctor`.
#[derive(clap::Args, Debug)]
pub(crate) struct Doctor {
    /// The server's configuration: whose ports are looked at while it does not run.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where phones reach SIP, if that is not where the server listens: an address that a router passes on.
    #[arg(long, value_name = "ADDRESS:PORT")]
    sip: Option<SocketAddr>,
    #[command(flatten)]
    door: Door,
}

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// All is well.
    Well,
    /// Worth knowing, and nothing to mend.
    Note,
    /// Something to mend: how.
    Problem(String),
}

/// A check that was made.
#[derive(Debug)]
pub(crate) struct Check {
    /// What was looked at.
    pub(crate) name: &'static str,
    /// What was seen.
    pub(crate) saw: String,
    /// How that is.
    pub(crate) health: Health,
}

impl Check {
    pub(crate) fn well(name: &'static str, saw: impl Into<String>) -> Check {
        Check { name, saw: saw.into(), health: Health::Well }
    }

    pub(crate) fn note(name: &'static str, saw: impl Into<String>) -> Check {
        Check { name, saw: saw.into(), health: Health::Note }
    }

    pub(crate) fn problem(name: &'static str, saw: impl Into<String>, mend: impl Into<String>) -> Check {
        Check { name, saw: saw.into(), health: Health::Problem(mend.into()) }
    }

    fn print(&self, json: bool) {
        let (word, mend) = match &self.health {
            Health::Well => ("well", None),
            Health::Note => ("note", None),
            Health::Problem(mend) => ("problem", Some(mend)),
        };
        if json {
            println!("{}", json!({ "check": self.name, "health": word, "saw": self.saw, "mend": mend }));
            return;
        }
        println!("{word:<8} {:<12} {}", self.name, self.saw);
        if let Some(mend) = mend {
            println!("{:<21} → {mend}", "");
        }
    }
}

/// Succeeds if there is nothing to mend.
pub(crate) async fn run(args: Doctor, json: bool) -> Result<(), Failure> {
    let checks = checks::all(&args).await?;
    for check in &checks {
        check.print(json);
    }
    match checks.iter().filter(|check| matches!(check.health, Health::Problem(_))).count() {
        0 => Ok(()),
        1 => Err("there is one thing to mend".into()),
        more => Err(format!("there are {more} things to mend").into()),
    }
}
