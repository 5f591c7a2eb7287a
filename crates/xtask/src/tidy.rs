//! `cargo xtask tidy`: the tests on the source tree: arrows between rooms, what a file must begin with and must not
//! hold, how long it may be, and links that lead nowhere.
//!
//! Each rule is a function from the [`Tree`] to [`Problem`]s, so that broken samples can be given to it.

mod arrows;
mod exceptions;
mod files;
mod links;
mod rooms;
mod tokens;
mod tree;
mod words;

#[cfg(test)]
mod samples;

use crate::Failure;
use std::fmt;
use std::path::Path;
use tree::Tree;

/// Something a rule does not accept.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// Relative to the repository, with `/`.
    path: String,
    /// 1-based; 0 where the whole file is meant.
    line: usize,
    what: String,
}

impl Problem {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

const RULES: &[fn(&Tree) -> Vec<Problem>] = &[
    arrows::manifests,
    arrows::uses,
    rooms::server,
    files::is_rust,
    files::first_line,
    files::length,
    files::readme,
    words::unfinished,
    words::core_is_pure,
    words::sleeping_tests,
    words::machine_paths,
    links::markdown,
];

/// Reads the tree under `root` and holds every rule against it.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let tree = Tree::read(root).map_err(|error| Failure::Unable(format!("tidy: {error}")))?;
    let mut problems: Vec<Problem> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    problems.sort();
    for question in files::questions(&tree) {
        eprintln!("question: {question}");
    }
    for exception in exceptions::SLEEPING_TESTS {
        eprintln!("question: {}: its tests sleep: {}", exception.path, exception.reason);
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() {
        eprintln!("== tidy: {} files", tree.files.len());
        Ok(())
    } else {
        Err(Failure::Failed(format!("tidy: {} problems", problems.len())))
    }
}
