//! The arrows between crates, as docs/ARCHITECTURE.md draws them: read from every Cargo.toml and every use of a crate.

use super::Problem;
use super::tree::{File, Tree};

/// A crate of ours and which others it may name.
struct Arrows {
    folder: &'static str,
    package: &'static str,
    may: &'static [&'static str],
}

/// The drawing. A crate that does not stand here may not exist.
const DRAWN: &[Arrows] = &[
    Arrows { folder: "crates/core", package: "ringback-core", may: &[] },
    Arrows { folder: "crates/graph", package: "ringback-graph", may: &[] },
    Arrows { folder: "crates/ledger", package: "ringback-ledger", may: &["ringback-core"] },
    Arrows { folder: "crates/media", package: "ringback-media", may: &[] },
    Arrows { folder: "crates/signal", package: "ringback-signal", may: &["ringback-media"] },
    Arrows {
        folder: "crates/server",
        package: "ringback-server",
        may: &["ringback-core", "ringback-graph", "ringback-ledger", "ringback-media", "ringback-signal"],
    },
    Arrows { folder: "crates/client", package: "ringback-client", may: &["ringback-graph"] },
    Arrows {
        folder: "crates/cli",
        package: "ringback",
        // signal and media: the demo's scripted phone, and judging what it heard (docs/decisions/0001).
        may: &["ringback-server", "ringback-client", "ringback-example-bot", "ringback-signal", "ringback-media"],
    },
    Arrows {
        folder: "crates/sim",
        package: "ringback-sim",
        may: &["ringback-core", "ringback-ledger", "ringback-server"],
    },
    Arrows { folder: "crates/xtask", package: "xtask", may: &[] },
    Arrows { folder: "acceptance/rust-client", package: "ringback-acceptance-rust-client", may: &[] },
    Arrows { folder: "examples/rust", package: "ringback-example-bot", may: &["ringback-client"] },
];

/// Every dependency on a crate of ours, of whatever kind, is drawn.
pub(super) fn manifests(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        match arrows_of(file) {
            None => problems.push(Problem::new(&file.path, 0, "a crate that is not drawn in tidy/arrows.rs")),
            Some(arrows) => problems.extend(manifest(file, arrows)),
        }
    }
    problems
}

fn manifest(file: &File, arrows: &Arrows) -> Vec<Problem> {
    let table: toml::Table = match file.text.parse() {
        Ok(table) => table,
        Err(error) => return vec![Problem::new(&file.path, 0, format!("not TOML: {error}"))],
    };
    let mut problems = Vec::new();
    let package = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    if package != Some(arrows.package) {
        problems.push(Problem::new(&file.path, 0, format!("the crate's name must be `{}`", arrows.package)));
    }
    for name in dependencies(&table) {
        let ours = DRAWN.iter().any(|drawn| drawn.package == name);
        if ours && !arrows.may.contains(&name.as_str()) {
            problems.push(Problem::new(&file.path, 0, undrawn(arrows, &name)));
        }
    }
    problems
}

/// The packages named in every table of dependencies, those of one target included.
fn dependencies(table: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        if let Some(list) = table.get(kind).and_then(toml::Value::as_table) {
            for (name, how) in list {
                let renamed = how.get("package").and_then(toml::Value::as_str);
                names.push(renamed.unwrap_or(name).to_owned());
            }
        }
    }
    if let Some(targets) = table.get("target").and_then(toml::Value::as_table) {
        names.extend(targets.values().filter_map(toml::Value::as_table).flat_map(dependencies));
    }
    names
}

/// Every `ringback_…` in the code is a crate that this one may name.
pub(super) fn uses(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.rust() {
        let Some(arrows) = arrows_of(file) else { continue };
        for token in &file.tokens {
            let drawn = DRAWN.iter().find(|drawn| drawn.package.replace('-', "_") == token.text);
            // `ringback` alone is also a word; its crate is a program, and nobody can name it.
            let Some(named) = drawn.filter(|drawn| drawn.package.contains('-')) else { continue };
            if named.package != arrows.package && !arrows.may.contains(&named.package) {
                problems.push(Problem::new(&file.path, token.line, undrawn(arrows, named.package)));
            }
        }
    }
    problems
}

fn undrawn(from: &Arrows, to: &str) -> String {
    format!("no arrow leads from `{}` to `{to}`", from.package)
}

fn arrows_of(file: &File) -> Option<&'static Arrows> {
    DRAWN.iter().find(|arrows| {
        let rest = file.path.strip_prefix(arrows.folder);
        rest.is_some_and(|rest| rest.starts_with('/'))
    })
}
