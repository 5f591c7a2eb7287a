//! What `run` has on PATH before node and python: this program, under their names. A start script that sets NODE_OPTIONS or
//! PYTHONPATH itself would take the hooks away; here they are put back, and what goes on is the program of that name that
//! is on PATH beside. No shell does this: it would lose the variables whose names are none of a shell's.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::environment::{first, node_option};
use super::folder::{NODE_HOOK, PROGRAMS, PYTHON_PATH, run_of};

/// Goes on as the real program if this one was started by the name of one; `None` where the name is its own. Returns only
/// to say why it cannot.
pub(crate) fn go_on() -> Option<String> {
    let own = |variable: &str| std::env::var_os(variable);
    let mut words = std::env::args_os();
    let called = PathBuf::from(words.next()?);
    let name = called.file_name().filter(|name| PROGRAMS.iter().any(|program| name == program))?;
    let mut path: Vec<PathBuf> = own("PATH").iter().flat_map(std::env::split_paths).collect();
    // Who is found on PATH is called by the name alone.
    let is_called = |folder: &Path| match called.parent() {
        Some(parent) if parent != Path::new("") => parent == folder,
        _ => run_of(folder).is_some(),
    };
    let at = path.iter().position(|folder| is_called(folder));
    let programs = at.map(|at| path.remove(at)).or_else(|| called.parent().map(Path::to_owned))?;
    let run = run_of(&programs)?;

    let mut command = Command::new(name);
    command.args(words);
    if let (Some(_), Ok(others)) = (at, std::env::join_paths(path)) {
        command.env("PATH", others);
    }
    let option = node_option(&run.join(NODE_HOOK));
    if !own("NODE_OPTIONS").is_some_and(|options| options.to_string_lossy().contains(&option)) {
        command.env("NODE_OPTIONS", first(&option, " ", own("NODE_OPTIONS")));
    }
    let hook = run.join(PYTHON_PATH);
    if own("PYTHONPATH").and_then(|list| std::env::split_paths(&list).next()).as_ref() != Some(&hook) {
        command.env("PYTHONPATH", first(&hook.to_string_lossy(), ":", own("PYTHONPATH")));
    }
    Some(format!("{}: {}", name.display(), command.exec()))
}
