//! The command line: every option, with what it means. docs/OPERATING.md says the same at length.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// A self-hosted calling platform that speaks the Microsoft Graph cloud communications API.
#[derive(Parser, Debug)]
#[command(name = "ringback", version, about, max_term_width = 100)]
pub(crate) struct Args {
    /// Print results as JSON, one value a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to trace to stderr: `error`, `warn`, `info`, `debug`, or a list such as `info,ringback_server=debug`.
    #[arg(long, global = true, default_value = "warn", value_name = "FILTER")]
    pub(crate) log: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a bot as it is, with Microsoft's hosts leading to Ringback: `ringback run -- python bot.py`.
    Run(crate::run::Run),
    /// Have this machine or a Java runtime trust the data folder's certificate authority, or no longer.
    Trust(crate::trust::Trust),
    /// Run the server.
    Serve(Serve),
    /// Hear it work: a server, an example bot and a scripted phone, over SIP and RTP on loopback.
    Demo(Demo),
    /// Show calls, or hang one up.
    #[command(subcommand)]
    Call(Call),
    /// Show a call's operations.
    #[command(subcommand)]
    Operation(Operation),
    /// Follow the live timeline.
    Tail(Door),
    /// Be a phone: call a bot, say, press, listen.
    #[command(subcommand)]
    Phone(crate::phone::Phone),
    /// Tell a bot again what it was told.
    #[command(subcommand)]
    Notification(crate::notification::Notification),
    /// Make something happen to a bot.
    #[command(subcommand)]
    Trigger(crate::phone::Trigger),
    /// What was noticed of bots that works by luck; and, when asked, whether they check tokens.
    Lint(crate::lint::Lint),
    /// Say what a result means, such as `500#7117`, `7503` or `400/8508`; or what happened to a call or an operation, and why.
    Explain(crate::explain::Explain),
    /// Look for what keeps a bot, a phone and the server apart, and say what to do.
    Doctor(crate::doctor::Doctor),
    /// Measure.
    #[command(subcommand)]
    Bench(Bench),
    /// Hash an app's secret, read from standard input, for `secret_hash` in the configuration.
    HashSecret,
}

/// What to measure.
#[derive(Subcommand, Debug)]
pub(crate) enum Bench {
    /// Durable operations a second, from the request to the notification, beside the disk's own limit.
    Lifecycle(Lifecycle),
    /// The load of `lifecycle`; started by it.
    #[command(hide = true)]
    LifecycleLoad,
    /// RTP: what it costs the server, and how punctual it is, beside a bare sender and the machine's own limit.
    Media(Media),
    /// The far ends of `media`; started by it.
    #[command(hide = true)]
    MediaLoad,
    /// The bare sender of `media`; started by it.
    #[command(hide = true)]
    BareSender,
    /// What a caller and a bot wait for, step by step, alone and beside calls that play.
    Latency(Latency),
    /// The judge of `latency`; started by it.
    #[command(hide = true)]
    LatencyLoad,
}

/// Options of `bench latency`.
#[derive(clap::Args, Debug)]
pub(crate) struct Latency {
    /// Measured calls, one at a time, alone and then again beside others.
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) calls: u16,
    /// Calls that play meanwhile.
    #[arg(long, default_value = "300", value_parser = clap::value_parser!(u16).range(0..=2_000))]
    pub(crate) beside: u16,
    /// Another build of this program to run as the server, to be judged by this one.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) server: Option<PathBuf>,
}

/// Options of `bench media`.
#[derive(clap::Args, Debug)]
pub(crate) struct Media {
    /// Calls, each with a prompt that plays without end.
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u16).range(1..=2_000))]
    pub(crate) legs: u16,
    /// Measured seconds.
    #[arg(long, default_value = "30", value_parser = clap::value_parser!(u16).range(2..=600))]
    pub(crate) seconds: u16,
    /// The far ends send no audio, only RTCP.
    #[arg(long)]
    pub(crate) one_way: bool,
    /// The server and the bare sender run on the first processor alone, and the far ends on the others (needs taskset).
    #[arg(long)]
    pub(crate) pin: bool,
    /// Another build of this program to run as the server, to be judged by this one.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) server: Option<PathBuf>,
}

/// Options of `bench lifecycle`.
#[derive(clap::Args, Debug)]
pub(crate) struct Lifecycle {
    /// Clients, each with its own call and one operation in flight.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) clients: u16,
    /// Measured seconds.
    #[arg(long, default_value = "20", value_parser = clap::value_parser!(u16).range(5..=3600))]
    pub(crate) seconds: u16,
}

/// Options of `serve`.
#[derive(clap::Args, Debug)]
pub(crate) struct Serve {
    /// The data folder; made on first use, readable by its owner only.
    #[arg(long, default_value = "ringback-data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The configuration; without one, the published development tenant, app and phones.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to serve HTTP, instead of what the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) http: Option<SocketAddr>,
    /// Where to serve HTTPS, instead of what the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) https: Option<SocketAddr>,
    /// Where to serve SIP over UDP and TCP, instead of what the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) sip: Option<SocketAddr>,
    /// Where to serve SIP with TLS, instead of what the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) sip_tls: Option<SocketAddr>,
    /// How long a stop may take: phones are hung up, and bots told, within this many seconds.
    #[arg(long, default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) drain: Duration,
}

/// Options of `demo`.
#[derive(clap::Args, Debug)]
pub(crate) struct Demo {
    /// Where to keep the data folder and what the phone heard; without it, a fresh folder for temporary files.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// How to reach a running server.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Door {
    /// The server's data folder: its address and the operator's token are read there.
    #[arg(long, default_value = "ringback-data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The server's address, if it is not the one in the data folder.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}

/// What to do with calls.
#[derive(Subcommand, Debug)]
pub(crate) enum Call {
    /// List the calls that live.
    List(Door),
    /// Show one call that lives.
    Show {
        /// Its id.
        id: String,
        #[command(flatten)]
        door: Door,
    },
    /// End a call; one that still rings is rejected.
    #[command(name = "hang-up")]
    HangUp {
        /// Its id.
        id: String,
        #[command(flatten)]
        door: Door,
    },
    /// List the notices that a call's bot could not be given.
    Undelivered {
        /// The call's id.
        id: String,
        #[command(flatten)]
        door: Door,
    },
}

/// What to do with operations.
#[derive(Subcommand, Debug)]
pub(crate) enum Operation {
    /// List a call's operations; an ended call's are there for 24 hours.
    List {
        /// The call's id.
        call: String,
        #[command(flatten)]
        door: Door,
    },
    /// Show one operation.
    Show {
        /// The call's id.
        call: String,
        /// Its id.
        id: String,
        #[command(flatten)]
        door: Door,
    },
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: u64 = text.parse().map_err(|_| "a whole number of seconds".to_owned())?;
    if (1..=3600).contains(&seconds) { Ok(Duration::from_secs(seconds)) } else { Err("1 to 3600 seconds".to_owned()) }
}
