//! Rules on single words of the code: nothing unfinished, nothing silenced, no clock in `core`, no sleep in a test, no
//! path of one machine.

use super::Problem;
use super::exceptions::{Exception, SLEEPING_TESTS};
use super::tokens::{Token, reads};
use super::tree::{File, Tree};

/// Macros that mark unfinished work.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// Lints that may not be switched off: they find what is unfinished.
const UNSILENCED: &[&str] = &["dead_code", "unused", "unused_variables", "unused_imports"];

/// What `core` may not name: it has no clock, no threads and no operating system.
const IMPURE: &[&str] = &["std", "tokio", "Instant", "SystemTime"];

/// Nothing unfinished is left in the tree, and no test is switched off.
pub(super) fn unfinished(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.rust() {
        let tokens = &file.tokens;
        for (index, token) in tokens.iter().enumerate() {
            let word = token.text.as_str();
            if UNFINISHED.contains(&word) && reads(tokens, index + 1, &["!"]) {
                problems.push(Problem::new(&file.path, token.line, format!("`{word}!`")));
            }
            if word == "allow" && reads(tokens, index + 1, &["("]) {
                let silenced = tokens[index + 2..].iter().take_while(|inside| inside.text != ")");
                for lint in silenced.filter(|lint| UNSILENCED.contains(&lint.text.as_str())) {
                    problems.push(Problem::new(&file.path, lint.line, format!("`allow({})`", lint.text)));
                }
            }
            if word == "#" && reads(tokens, index + 1, &["[", "ignore"]) {
                problems.push(Problem::new(&file.path, token.line, "a test that is `#[ignore]`d proves nothing"));
            }
        }
    }
    problems
}

/// `core` is `#![no_std]` and names neither a clock nor anything that waits.
pub(super) fn core_is_pure(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.rust().filter(|file| file.path.starts_with("crates/core/src/")) {
        if file.path == "crates/core/src/lib.rs" && !says_no_std(&file.tokens) {
            problems.push(Problem::new(&file.path, 0, "must say `#![no_std]`"));
        }
        for token in file.tokens.iter().filter(|token| !token.in_test) {
            if IMPURE.contains(&token.text.as_str()) {
                problems.push(Problem::new(&file.path, token.line, format!("core must not name `{}`", token.text)));
            }
        }
    }
    problems
}

fn says_no_std(tokens: &[Token]) -> bool {
    (0..tokens.len()).any(|index| reads(tokens, index, &["#", "!", "[", "no_std", "]"]))
}

/// No test sleeps to be right.
pub(super) fn sleeping_tests(tree: &Tree) -> Vec<Problem> {
    sleeping_tests_but_for(tree, SLEEPING_TESTS)
}

pub(super) fn sleeping_tests_but_for(tree: &Tree, exceptions: &[Exception]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.rust() {
        let excepted = exceptions.iter().any(|exception| exception.path == file.path);
        let sleeps: Vec<&Token> = file.tokens.iter().filter(|token| is_sleep(file, token)).collect();
        if !excepted {
            for token in &sleeps {
                problems.push(Problem::new(&file.path, token.line, format!("a test names `{}`", token.text)));
            }
        } else if sleeps.is_empty() {
            problems.push(Problem::new(&file.path, 0, "no test sleeps here: needs no exception any more"));
        }
    }
    for exception in exceptions.iter().filter(|exception| !tree.paths.contains(exception.path)) {
        problems.push(Problem::new(exception.path, 0, "has an exception and does not exist"));
    }
    problems
}

fn is_sleep(file: &File, token: &Token) -> bool {
    let in_test = token.in_test || file.path.contains("/tests/");
    in_test && matches!(token.text.as_str(), "sleep" | "sleep_until" | "sleep_ms")
}

/// No path of one machine stands in the tree.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Problem> {
    // Put together here so that this file does not hold them.
    let roots = [["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"], ["/wo", "rk/"]].map(|halves| halves.concat());
    let mut problems = Vec::new();
    for file in &tree.files {
        for (number, line) in file.lines() {
            for root in roots.iter().filter(|root| names_path(line, root)) {
                problems.push(Problem::new(&file.path, number, format!("a path of one machine: `{root}`")));
            }
        }
    }
    problems
}

/// Whether `root` begins a path in `line`, and is not the middle of one (`https://host/home/`).
fn names_path(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '.' | '}' | '-' | '_'))
    })
}
