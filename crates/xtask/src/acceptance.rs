//! `cargo xtask acceptance`: the server against clients and phones that others wrote.
//!
//! Says what is missing and installs it only when told to; the programs themselves are in acceptance/.

mod node;

use crate::Failure;
use crate::run::{cargo, patient_step, program, step, succeeds};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the Python packages go; git ignores it.
const VENV: &str = ".acceptance/venv";
const REQUIREMENTS: &str = "acceptance/requirements.txt";

/// graph-rs-sdk's program, in a workspace of its own, and where it is built: acceptance/libraries.py looks there.
const RUST_CLIENT: &str = "acceptance/rust-client/Cargo.toml";
const RUST_CLIENT_TARGET: &str = ".acceptance/rust-client";

/// A part of the acceptance, and what it needs besides Python.
struct Part {
    name: &'static str,
    programs: &'static [Program],
    /// Whether it runs Node with the packages of acceptance/node and of the example bot.
    node: bool,
    /// Whether it runs graph-rs-sdk's program.
    rust_client: bool,
}

struct Program {
    name: &'static str,
    /// Debian's package that brings it.
    package: &'static str,
}

const BARESIP: Program = Program { name: "baresip", package: "baresip" };
const CHROMIUM: Program = Program { name: "chromium", package: "chromium" };
const CURL: Program = Program { name: "curl", package: "curl" };
const IPROUTE: Program = Program { name: "ip", package: "iproute2" };
const LINPHONE: Program = Program { name: "linphonec", package: "linphone-cli" };
const SIPP: Program = Program { name: "sipp", package: "sip-tester" };

const PARTS: &[Part] = &[
    Part { name: "identity", programs: &[], node: false, rust_client: false },
    Part { name: "hosts", programs: &[CURL, IPROUTE, SIPP], node: true, rust_client: false },
    Part { name: "examples", programs: &[BARESIP], node: true, rust_client: false },
    Part { name: "containers", programs: &[BARESIP, CURL, IPROUTE], node: true, rust_client: false },
    Part { name: "sdk", programs: &[SIPP], node: false, rust_client: false },
    Part { name: "neighbours", programs: &[], node: false, rust_client: false },
    Part { name: "libraries", programs: &[BARESIP, SIPP], node: true, rust_client: true },
    Part { name: "baresip", programs: &[BARESIP], node: false, rust_client: false },
    Part { name: "meetings", programs: &[BARESIP], node: false, rust_client: false },
    Part { name: "linphone", programs: &[LINPHONE], node: false, rust_client: false },
    Part { name: "page", programs: &[CHROMIUM], node: false, rust_client: false },
    Part { name: "sipp", programs: &[SIPP], node: false, rust_client: false },
    Part { name: "made", programs: &[], node: true, rust_client: false },
    Part { name: "wire", programs: &[], node: false, rust_client: false },
];

struct Options {
    install: bool,
    only: Option<String>,
}

/// Checks what is there, builds the server and runs the parts that were asked for.
pub(crate) fn run(root: &Path, options: &[&str]) -> Result<(), Failure> {
    let options = parse(options).map_err(Failure::Unable)?;
    let chosen: Vec<&Part> = PARTS.iter().filter(|part| options.wants(part)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        return Err(Failure::Unable(format!("--only takes one of: {}", names.join(", "))));
    }
    let node = chosen.iter().any(|part| part.node);
    if options.install {
        install(root, &missing_packages(root, &chosen))?;
        if node {
            node::install(root)?;
        }
    }
    let missing = missing(root, &chosen);
    if !missing.is_empty() {
        let list = missing.join("\n  ");
        return Err(Failure::Unable(format!(
            "missing for the acceptance:\n  {list}\nrun it with --install to have this installed"
        )));
    }
    let programs = ["build", "--release", "--package", "ringback", "--package", "ringback-example-bot"];
    step("build the server and the example bot", &mut cargo(root, &programs))?;
    if chosen.iter().any(|part| part.rust_client) {
        let words = ["build", "--locked", "--manifest-path", RUST_CLIENT, "--target-dir", RUST_CLIENT_TARGET];
        step("build the Rust client", &mut cargo(root, &words))?;
    }
    let mut python = Command::new(venv_python(root));
    python.arg("run.py").arg("--server").arg(server(root)).current_dir(root.join("acceptance"));
    if let Some(only) = &options.only {
        python.args(["--only", only]);
    }
    step("acceptance", &mut python)
}

fn parse(words: &[&str]) -> Result<Options, String> {
    let mut options = Options { install: false, only: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--install" => options.install = true,
            "--only" => {
                let part = words.next().ok_or("--only needs the name of a part")?;
                options.only = Some((*part).to_owned());
            }
            other => return Err(format!("acceptance: no such option: {other}")),
        }
    }
    Ok(options)
}

impl Options {
    fn wants(&self, part: &Part) -> bool {
        self.only.as_deref().is_none_or(|only| only == part.name)
    }
}

/// What is not there, in words.
fn missing(root: &Path, parts: &[&Part]) -> Vec<String> {
    let mut missing: Vec<String> =
        missing_packages(root, parts).into_iter().map(|package| format!("Debian's package {package}")).collect();
    if program("python3").is_none() {
        missing.push("python3, 3.11 or later".to_owned());
    }
    if !venv_is_current(root) {
        missing.push(format!("the Python packages of {REQUIREMENTS}, in {VENV}"));
    }
    if parts.iter().any(|part| part.node) {
        missing.extend(node::missing(root));
    }
    missing
}

fn missing_packages(root: &Path, parts: &[&Part]) -> Vec<&'static str> {
    let needed = parts.iter().flat_map(|part| part.programs);
    let mut packages: Vec<&str> =
        needed.filter(|needed| program(needed.name).is_none()).map(|needed| needed.package).collect();
    // Without it Debian's Python makes no environment.
    if !venv_is_current(root) && !succeeds(Command::new("python3").args(["-c", "import ensurepip"])) {
        packages.push("python3-venv");
    }
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn install(root: &Path, packages: &[&str]) -> Result<(), Failure> {
    if !packages.is_empty() {
        // Both are one step: lists that were fetched half make the second fail. A machine may be updating itself, too.
        let apt = "apt-get update --quiet && exec apt-get install --yes --quiet --no-install-recommends \
                   -o DPkg::Lock::Timeout=300 \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", apt, "apt-get"]).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
        patient_step("Debian's packages", &mut command)?;
    }
    if !venv_is_current(root) {
        step("Python environment", Command::new("python3").args(["-m", "venv", "--clear", VENV]).current_dir(root))?;
        // The SDKs have some 30,000 modules, of which few are used: those are compiled when they are.
        let quick = ["--no-compile", "--quiet", "--disable-pip-version-check"];
        let pip = ["-m", "pip", "install"].into_iter().chain(quick).chain(["-r", REQUIREMENTS]);
        patient_step("Python packages", Command::new(venv_python(root)).args(pip).current_dir(root))?;
        // Written last: an installation that broke off is not taken for a whole one.
        fs::copy(root.join(REQUIREMENTS), stamp(root))
            .map_err(|error| Failure::Unable(format!("{}: {error}", stamp(root).display())))?;
    }
    Ok(())
}

/// Whether the environment runs and was made from the requirements as they are now.
fn venv_is_current(root: &Path) -> bool {
    let same = match (fs::read(root.join(REQUIREMENTS)), fs::read(stamp(root))) {
        (Ok(wanted), Ok(installed)) => wanted == installed,
        _ => false,
    };
    let recent = ["-c", "import sys; sys.exit(sys.version_info < (3, 11))"];
    same && succeeds(Command::new(venv_python(root)).args(recent))
}

fn stamp(root: &Path) -> PathBuf {
    root.join(VENV).join("requirements.txt")
}

fn venv_python(root: &Path) -> PathBuf {
    root.join(VENV).join("bin/python")
}

/// Where `cargo build --release` leaves the server.
fn server(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    target.join("release/ringback")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_refused() {
        let options = parse(&["--only", "wire", "--install"]).unwrap();
        assert!(options.install);
        assert_eq!(options.only.as_deref(), Some("wire"));
        assert!(parse(&["--only"]).is_err());
        assert!(parse(&["--quick"]).is_err());
    }

    #[test]
    fn only_one_part_is_wanted_when_it_is_named() {
        let options = parse(&["--only", "sipp"]).unwrap();
        let wanted: Vec<&str> = PARTS.iter().filter(|part| options.wants(part)).map(|part| part.name).collect();
        assert_eq!(wanted, ["sipp"]);
    }

    #[test]
    fn a_folder_without_an_environment_lacks_it() {
        let nowhere = Path::new("no such folder");
        assert!(!venv_is_current(nowhere));
        assert!(missing(nowhere, &[]).iter().any(|line| line.contains(REQUIREMENTS)));
    }
}
