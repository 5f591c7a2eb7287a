//! What the acceptance needs of Node: the program, and the packages that its lock file and the example bot's name.
//!
//! The lock files name no registry: npm takes the one that it is configured for, and checks what it gets against the
//! hashes there.

use crate::Failure;
use crate::run::patient_step;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest that the packages run on. Debian 12's own is older.
const MAJOR: u32 = 20;

/// Folders with a `package-lock.json`.
const FOLDERS: [&str; 2] = ["acceptance/node", "examples/node"];

/// What is not there, in words.
pub(super) fn missing(root: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    if !is_recent() {
        missing.push(format!("Node {MAJOR} or later with npm on the search path (--install does not bring it)"));
    }
    missing.extend(outdated(root).map(|folder| format!("the packages of {folder}/package-lock.json")));
    missing
}

/// Installs the packages, where they are not there as the lock file has them.
pub(super) fn install(root: &Path) -> Result<(), Failure> {
    if !is_recent() {
        return Ok(());
    }
    for folder in outdated(root).map(|folder| root.join(folder)) {
        // No package here needs to run a program of its own to be installed.
        let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        patient_step("Node packages", Command::new("npm").args(words).current_dir(&folder))?;
        // Written last: an installation that broke off is not taken for a whole one.
        let stamp = stamp(&folder);
        fs::copy(lock(&folder), &stamp).map_err(|error| Failure::Unable(format!("{}: {error}", stamp.display())))?;
    }
    Ok(())
}

/// Folders whose packages are not as their lock files have them.
fn outdated(root: &Path) -> impl Iterator<Item = &'static str> + '_ {
    FOLDERS.into_iter().filter(|folder| !is_current(&root.join(folder)))
}

fn is_recent() -> bool {
    let output = Command::new("node").arg("--version").output();
    output.is_ok_and(|output| major(&String::from_utf8_lossy(&output.stdout)).is_some_and(|major| major >= MAJOR))
}

/// The 20 of `v20.19.1`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn is_current(folder: &Path) -> bool {
    match (fs::read(lock(folder)), fs::read(stamp(folder))) {
        (Ok(wanted), Ok(installed)) => wanted == installed,
        _ => false,
    }
}

fn lock(folder: &Path) -> PathBuf {
    folder.join("package-lock.json")
}

fn stamp(folder: &Path) -> PathBuf {
    folder.join("node_modules/installed-lock.json")
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
        for folder in FOLDERS {
            assert!(missing.iter().any(|line| line.contains(folder)), "{folder}");
        }
    }
}
