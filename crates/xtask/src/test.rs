//! `cargo xtask test`: what every change must pass, with nothing but cargo installed.

use crate::run::{cargo, cargo_has, step};
use crate::{Failure, tidy};
use std::path::Path;

/// Format, lints, the tree itself, then all Rust tests. Stops at the first that fails.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    step("format", &mut cargo(root, &["fmt", "--all", "--", "--check"]))?;
    tidy::run(root)?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    step("lints", &mut cargo(root, &clippy))?;
    if cargo_has(root, "nextest") {
        step("tests", &mut cargo(root, &["nextest", "run", "--workspace"]))?;
        step("examples in the documentation", &mut cargo(root, &["test", "--workspace", "--doc", "--quiet"]))
    } else {
        step("tests", &mut cargo(root, &["test", "--workspace"]))
    }
}
