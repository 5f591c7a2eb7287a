//! `ringback`, the one binary: serves, demonstrates, shows and measures. Results go to stdout, talk to
//! stderr; `--json` makes results JSON, one value a line. It never opens the database: it asks the
//! server, as everyone does.

mod args;
mod bench;
mod demo;
mod doctor;
mod door;
mod explain;
mod limits;
mod lint;
mod notification;
mod phone;
mod proc_stat;
mod run;
mod serve;
mod show;
mod trust;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use args::{Args, Command};

/// A request makes many small allocations on one thread and frees some of them on another;
/// docs/PERFORMANCE.md has figures with and without this allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why a command failed, for a person to read.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    if let Some(error) = run::program::go_on() {
        eprintln!("ringback: {error}");
        return ExitCode::from(127);
    }
    let args = Args::parse();
    trace(&args.log);
    // A bot gets the limits that its user has: `run` raises its own once the bot has started.
    if !matches!(args.command, Command::Run(_)) {
        open_files();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ringback: the runtime did not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(obey(args));
    // What still blocks (a file being read) does not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ringback: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(args: Args) -> Result<ExitCode, Failure> {
    let json = args.json;
    let done = match args.command {
        Command::Run(bot) => return run::run(bot).await,
        Command::Trust(authority) => trust::run(authority),
        Command::Serve(serve) => serve::run(serve, json).await,
        Command::Demo(demo) => demo::run(demo, json).await,
        Command::Call(call) => show::call(call, json).await,
        Command::Operation(operation) => show::operation(operation, json).await,
        Command::Tail(door) => show::tail(door, json).await,
        Command::Explain(explain) => explain::run(explain, json).await,
        Command::Notification(command) => notification::run(command, json).await,
        Command::Phone(command) => phone::phone(command, json).await,
        Command::Trigger(command) => phone::trigger(command, json).await,
        Command::Lint(lint) => lint::run(lint, json).await,
        Command::Doctor(doctor) => doctor::run(doctor, json).await,
        Command::Bench(command) => bench::run(command, json).await,
        Command::HashSecret => serve::hash_secret(),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// As many open files as the system lets this user have: a call needs two sockets, and the usual soft limit of 1,024
/// would end at 500 calls.
fn open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        eprintln!("ringback: the limit of open files stays as it is: {error}");
    }
}

/// Traces go to stderr. The SIP library's own words hold credentials and numbers, so they are kept
/// quiet whatever the filter says.
fn trace(filter: &str) {
    let asked: Vec<&str> = filter.split(',').filter(|part| !part.trim_start().starts_with("rsipstack")).collect();
    let filter = format!("{},{}", asked.join(","), ringback_signal::QUIET_SIP_LIBRARY);
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
