//! What the acceptance needs of Node: the program, and the packages that acceptance/node/package-lock.json names.
//!
//! The lock file names no registry: npm takes the one that it is configured for, and checks what it gets against the
//! hashes there.

use crate::Failure;
use crate::run::step;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest that the packages run on. Debian 12's own is older.
const MAJOR: u32 = 20;

const FOLDER: &str = "acceptance/node";
const LOCK: &str = "acceptance/node/package-lock.json";

/// What is not there, in words.
pub(super) fn missing(root: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    if !is_recent() {
        missing.push(format!("Node {MAJOR} or later with npm on the search path (--install does not bring it)"));
    }
    if !is_current(root) {
        missing.push(format!("the packages of {LOCK}"));
    }
    missing
}

/// Installs the packages, if they are not there as the lock file has them.
pub(super) fn install(root: &Path) -> Result<(), Failure> {
    if is_current(root) || !is_recent() {
        return Ok(());
    }
    // No package here needs to run a program of its own to be installed.
    let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    step("Node packages", Command::new("npm").args(words).current_dir(root.join(FOLDER)))?;
    // Written last: an installation that broke off is not taken for a whole one.
    fs::copy(root.join(LOCK), stamp(root))
        .map_err(|error| Failure::Unable(format!("{}: {error}", stamp(root).display())))?;
    Ok(())
}

fn is_recent() -> bool {
    let output = Command::new("node").arg("--version").output();
    output.is_ok_and(|output| major(&String::from_utf8_lossy(&output.stdout)).is_some_and(|major| major >= MAJOR))
}

/// The 20 of `v20.19.1`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn is_current(root: &Path) -> bool {
    match (fs::read(root.join(LOCK)), fs::read(stamp(root))) {
        (Ok(wanted), Ok(installed)) => wanted == installed,
        _ => false,
    }
}

fn stamp(root: &Path) -> PathBuf {
    root.join(FOLDER).join("node_modules/installed-lock.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_says_its_major_number() {
        assert_eq!(major("v20.19.1\n"), Some(20));
        assert_eq!(major("v9.0.0"), Some(9));
        assert_eq!(major(""), None);
        assert_eq!(major("20"), None);
    }

    #[test]
    fn a_folder_without_packages_lacks_them() {
        let missing = missing(Path::new("no such folder"));
        assert!(missing.iter().any(|line| line.contains(LOCK)));
    }
}
