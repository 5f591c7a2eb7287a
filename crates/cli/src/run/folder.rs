//! The folder of one run, in the data folder: hooks and files of certificates, for as long as the bot runs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Failure;

/// The hooks, as they lie in the repository: name and text.
const HOOKS: [(&str, &str); 2] =
    [(NODE_HOOK, include_str!("hooks/node.cjs")), (PYTHON_HOOK, include_str!("hooks/python/sitecustomize.py"))];
/// Programs that are found here first, so that they are given the hooks whatever a start script has set for them.
pub(super) const PROGRAMS: [&str; 3] = ["node", "python", "python3"];
/// In the folder of a run.
const PROGRAMS_PATH: &str = "programs";
/// In the folder of a run.
pub(super) const PYTHON_PATH: &str = "python";
/// In the folder of a run.
pub(super) const NODE_HOOK: &str = "node.cjs";
const PYTHON_HOOK: &str = "python/sitecustomize.py";

/// Removed when dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes `<data>/run/<process id>` with the hooks in it, and removes what runs that were killed left behind. `path` is
    /// where the user's programs are found.
    pub(super) fn make(data: &Path, path: &OsStr) -> Result<Folder, Failure> {
        let cannot = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        let data = data.canonicalize().map_err(|error| cannot(data, error))?;
        let runs = data.join("run");
        fs::create_dir_all(&runs).map_err(|error| cannot(&runs, error))?;
        for run in fs::read_dir(&runs).map_err(|error| cannot(&runs, error))?.flatten() {
            if !Path::new("/proc").join(run.file_name()).exists() {
                // Another run may be removing it too.
                let _ = fs::remove_dir_all(run.path());
            }
        }
        let folder = Folder(runs.join(std::process::id().to_string()));
        for (name, text) in HOOKS {
            let file = folder.0.join(name);
            let parent = file.parent().unwrap_or(&folder.0);
            fs::create_dir_all(parent).map_err(|error| cannot(parent, error))?;
            fs::write(&file, text).map_err(|error| cannot(&file, error))?;
        }
        let programs = folder.programs();
        fs::create_dir_all(&programs).map_err(|error| cannot(&programs, error))?;
        let this = std::env::current_exe()?;
        // Scripts look which of them there are.
        let is_there = |name: &&str| std::env::split_paths(path).any(|folder| folder.join(name).is_file());
        for name in PROGRAMS.into_iter().filter(is_there) {
            let file = programs.join(name);
            symlink(&this, &file).map_err(|error| cannot(&file, error))?;
        }
        Ok(folder)
    }

    /// Writes what the hooks are told.
    pub(super) fn tell(&self, told: &Value) -> Result<(), Failure> {
        let file = self.0.join("told.json");
        Ok(fs::write(&file, told.to_string()).map_err(|error| format!("{}: {error}", file.display()))?)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What Node is to load first.
    pub(super) fn node_hook(&self) -> PathBuf {
        self.0.join(NODE_HOOK)
    }

    /// Where Python is to look first.
    pub(super) fn python_path(&self) -> PathBuf {
        self.0.join(PYTHON_PATH)
    }

    /// Where programs are to be looked for first.
    pub(super) fn programs(&self) -> PathBuf {
        self.0.join(PROGRAMS_PATH)
    }

    /// What the hooks say to this process, a value of JSON a line.
    pub(super) fn said(&self) -> PathBuf {
        self.0.join("said")
    }
}

/// The folder of a run, if this is where its programs are.
pub(super) fn run_of(programs: &Path) -> Option<&Path> {
    let run = programs.parent().filter(|_| programs.ends_with(PROGRAMS_PATH))?;
    run.join(NODE_HOOK).is_file().then_some(run)
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_hooks_and_goes_with_those_that_were_left() {
        let data = tempfile::tempdir().unwrap();
        let left = data.path().join("run/4194305");
        fs::create_dir_all(&left).unwrap();
        let path = data.path().join("path");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("node"), "").unwrap();
        let folder = Folder::make(data.path(), path.as_os_str()).unwrap();
        assert!(folder.programs().join("node").is_symlink() && !folder.programs().join("python").exists());
        assert!(!left.exists(), "no process has that number");
        assert!(folder.node_hook().is_file() && folder.python_path().join("sitecustomize.py").is_file());
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }
}
