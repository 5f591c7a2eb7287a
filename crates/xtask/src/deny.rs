//! `cargo xtask deny`: what the dependencies may be, as deny.toml says.

use crate::Failure;
use crate::run::{cargo, cargo_has, step};
use std::path::Path;

/// Runs the three checks that read the tree alone; advisories would need a database from the network.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    if !cargo_has(root, "deny") {
        return Err(Failure::Unable(
            "cargo-deny is missing; install it with `cargo install cargo-deny --locked --no-default-features`".into(),
        ));
    }
    step("dependencies", &mut cargo(root, &["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))
}
