//! Rules on a file as a whole: how it begins and how long it is.

use super::Problem;
use super::exceptions::{Exception, LONG_FILES};
use super::tree::Tree;

/// More lines than this need a reason in exceptions.rs.
pub(super) const MOST_LINES: usize = 800;

/// More lines than this are a question to the author.
const MANY_LINES: usize = 500;

/// The README is read by people who have not decided yet.
const MOST_README_LINES: usize = 150;

/// Every Rust file can be read as Rust: the other rules see nothing in one that cannot.
pub(super) fn is_rust(tree: &Tree) -> Vec<Problem> {
    tree.not_rust.iter().map(|(path, why)| Problem::new(path, 0, format!("not Rust: {why}"))).collect()
}

/// What a file of each kind begins with when it says first what it is for.
const FIRST: &[(&str, &str)] = &[("rs", "//!"), ("js", "//"), ("mjs", "//"), ("css", "/*")];

/// Every file of code says first what it is for.
pub(super) fn first_line(tree: &Tree) -> Vec<Problem> {
    let silent = |(kind, first): &(&'static str, &'static str)| {
        let (kind, first) = (*kind, *first);
        tree.of_kind(kind)
            .filter(move |file| !file.text.starts_with(first))
            .map(move |file| Problem::new(&file.path, 1, format!("does not begin with `{first}`: what is it for?")))
    };
    FIRST.iter().flat_map(silent).collect()
}

/// No file is longer than anyone reads at a sitting.
pub(super) fn length(tree: &Tree) -> Vec<Problem> {
    length_but_for(tree, LONG_FILES)
}

pub(super) fn length_but_for(tree: &Tree, exceptions: &[Exception]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, lines) in lengths(tree) {
        let excepted = exceptions.iter().any(|exception| exception.path == path);
        if lines > MOST_LINES && !excepted {
            problems.push(Problem::new(path, 0, format!("{lines} lines: over {MOST_LINES} needs a reason")));
        }
        if lines <= MOST_LINES && excepted {
            problems.push(Problem::new(path, 0, format!("{lines} lines: needs no exception any more")));
        }
    }
    for exception in exceptions {
        if !lengths(tree).any(|(path, _)| path == exception.path) {
            problems.push(Problem::new(exception.path, 0, "has an exception and does not exist"));
        }
    }
    problems
}

/// Files long enough to ask whether they are one thing.
pub(super) fn questions(tree: &Tree) -> Vec<String> {
    let long = lengths(tree).filter(|(_, lines)| *lines > MANY_LINES);
    let why = |path| LONG_FILES.iter().find(|exception| exception.path == path).map(|exception| exception.reason);
    long.map(|(path, lines)| format!("{path}: {lines} lines: {}", why(path).unwrap_or("is it still one thing?")))
        .collect()
}

fn lengths(tree: &Tree) -> impl Iterator<Item = (&str, usize)> {
    let code = ["rs", "py", "js", "mjs", "css"].into_iter().flat_map(|kind| tree.of_kind(kind));
    code.map(|file| (file.path.as_str(), file.text.lines().count()))
}

/// The README stays short.
pub(super) fn readme(tree: &Tree) -> Vec<Problem> {
    let readme = tree.files.iter().find(|file| file.path == "README.md");
    let lines = readme.map_or(0, |file| file.text.lines().count());
    if lines > MOST_README_LINES {
        return vec![Problem::new("README.md", 0, format!("{lines} lines: at most {MOST_README_LINES}"))];
    }
    Vec::new()
}
