//! `cargo xtask`: the developer's tasks. Plain cargo suffices for `test` and `tidy`; the others say what they lack.
//!
//! Knows the repository as files and commands, and none of the project's crates.

mod acceptance;
mod deny;
mod run;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask TASK

  test                              format, lints, tidy and all Rust tests
  tidy                              the tests on the source tree alone
  deny                              licences, bans and sources of the dependencies (needs cargo-deny)
  acceptance [--install] [--only PART]
                                    runs the server against programs that others wrote;
                                    PART is one of those in acceptance/README.md
";

/// Why a task did not succeed; decides the exit status.
enum Failure {
    /// The task ran and found something wrong: status 1.
    Failed(String),
    /// The task could not run: something is missing, or it was asked for in the wrong words: status 2.
    Unable(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = repository();
    let outcome = match words.as_slice() {
        ["test"] => test::run(&root),
        ["tidy"] => tidy::run(&root),
        ["deny"] => deny::run(&root),
        ["acceptance", options @ ..] => acceptance::run(&root, options),
        [] | ["help" | "-h" | "--help"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(Failure::Unable(format!("no such task\n\n{HELP}"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::from(1)
        }
        Err(Failure::Unable(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::from(2)
        }
    }
}

/// The folder that holds the workspace: two above this crate's.
fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
