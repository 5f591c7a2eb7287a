//! The source tree as text: every file a rule may look at, read once.

use super::tokens::{Token, tokens};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// Kinds of text that the rules read. Anything else (pictures, sound) is not looked at.
const KINDS: &[&str] = &["rs", "md", "toml", "py", "sh", "xml", "txt", "html", "js", "mjs", "css", "csdl"];

/// Folders that hold no source, wherever they stand.
const NO_SOURCE: &[&str] = &["target", "ringback-data", "demo-out", "node_modules", "__pycache__"];

/// Folders that begin with a dot and are source all the same.
const DOT_SOURCE: &[&str] = &[".ci", ".cargo", ".config"];

/// One file.
pub(super) struct File {
    /// Relative to the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// Empty unless it is Rust.
    pub(super) tokens: Vec<Token>,
}

/// Every file the rules look at.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    /// Rust files that cannot be read as such: path, and why.
    pub(super) not_rust: Vec<(String, String)>,
    /// Every path that exists, folders too, relative and with `/`: what a link may lead to.
    pub(super) paths: BTreeSet<String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        tree.files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(tree)
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            if entry.file_type()?.is_dir() {
                let hidden = name.starts_with('.') && !DOT_SOURCE.contains(&name.as_str());
                if !hidden && !NO_SOURCE.contains(&name.as_str()) {
                    self.walk(&entry.path(), &path)?;
                    self.paths.insert(path);
                }
            } else {
                if is_text(&path) {
                    let text = std::fs::read_to_string(entry.path())
                        .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
                    self.add(path.clone(), text);
                }
                self.paths.insert(path);
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, text: String) {
        let mut read = Vec::new();
        if path.ends_with(".rs") {
            match tokens(&text) {
                Ok(tokens) => read = tokens,
                Err(error) => self.not_rust.push((path.clone(), error.to_string())),
            }
        }
        self.files.push(File { path, text, tokens: read });
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.of_kind("rs")
    }

    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| extension(&file.path) == Some(kind))
    }
}

impl File {
    /// 1-based lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn is_text(path: &str) -> bool {
    extension(path).is_some_and(|kind| KINDS.contains(&kind)) || path.starts_with(".ci/")
}

fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, kind)| kind)
}

#[cfg(test)]
impl Tree {
    /// A tree of samples: (path, text).
    pub(super) fn of(samples: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in samples {
            let mut parent = String::new();
            for part in path.split('/') {
                parent = if parent.is_empty() { part.to_owned() } else { format!("{parent}/{part}") };
                tree.paths.insert(parent.clone());
            }
            tree.add((*path).to_owned(), (*text).to_owned());
        }
        tree
    }
}
