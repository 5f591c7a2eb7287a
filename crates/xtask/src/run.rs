//! Starting other programs: one line before, the time taken after, a failure in words.

use crate::Failure;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What is waited before a step that asks a registry is tried again: registries have their moments.
const PAUSES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];

/// Runs a command with this process's own input and output; anything but success is a failure.
pub(crate) fn step(title: &str, command: &mut Command) -> Result<(), Failure> {
    eprintln!("== {title}");
    let started = Instant::now();
    let status = command.status().map_err(|error| Failure::Unable(format!("{title}: cannot start: {error}")))?;
    eprintln!("== {title}: {:.1} s", started.elapsed().as_secs_f64());
    if status.success() { Ok(()) } else { Err(Failure::Failed(format!("{title}: {status}"))) }
}

/// Runs a step that asks a registry: if it fails it is tried again, as often as there are pauses.
pub(crate) fn patient_step(title: &str, command: &mut Command) -> Result<(), Failure> {
    for pause in PAUSES {
        match step(title, command) {
            Err(Failure::Failed(why)) => eprintln!("== {why}; tried again in {} s", pause.as_secs()),
            ended => return ended,
        }
        thread::sleep(pause);
    }
    step(title, command)
}

/// Whether a command, whose words nobody needs, succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The cargo that runs this task, in the repository's folder.
///
/// What `cargo run` tells a program about its own package is taken back: build scripts that watch those variables
/// would otherwise run again each time a build changes between `cargo` and `cargo xtask`.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let of_this_package = name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || matches!(name.as_str(), "CARGO_CRATE_NAME" | "CARGO_BIN_NAME" | "CARGO_PRIMARY_PACKAGE");
        if of_this_package {
            command.env_remove(name);
        }
    }
    command
}

/// Whether a cargo subcommand such as `nextest` is installed.
pub(crate) fn cargo_has(root: &Path, subcommand: &str) -> bool {
    succeeds(&mut cargo(root, &[subcommand, "--version"]))
}

/// Where a program stands on the search path.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}
