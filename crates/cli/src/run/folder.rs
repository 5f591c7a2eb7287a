//! The folder of one run, in the data folder: hooks and files of certificates, for as long as the bot runs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;

/// The hooks, as they lie in the repository: name and text.
const HOOKS: [(&str, &str); 2] =
    [(NODE_HOOK, include_str!("hooks/node.cjs")), (PYTHON_HOOK, include_str!("hooks/python/sitecustomize.py"))];
const NODE_HOOK: &str = "node.cjs";
const PYTHON_HOOK: &str = "python/sitecustomize.py";

/// Removed when dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes `<data>/run/<process id>` with the hooks in it, and removes what runs that were killed left behind.
    pub(super) fn make(data: &Path) -> Result<Folder, Failure> {
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
        Ok(folder)
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
        self.0.join("python")
    }

    /// What the hooks say to this process, a value of JSON a line.
    pub(super) fn said(&self) -> PathBuf {
        self.0.join("said")
    }
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
        let folder = Folder::make(data.path()).unwrap();
        assert!(!left.exists(), "no process has that number");
        assert!(folder.node_hook().is_file() && folder.python_path().join("sitecustomize.py").is_file());
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }
}
