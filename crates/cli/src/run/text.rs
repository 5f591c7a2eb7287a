//! Usual paths in the text of the bot's program: its files, as far as the command lines of its processes name them. It
//! must not know what a language means by its text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::probe::USUAL;
use super::processes::Command;
use super::read;
use crate::limits;

/// Those that it has, quoted. `commands`: those of its processes.
pub(super) fn paths(commands: &[Command]) -> Vec<&'static str> {
    let words = commands.iter().flat_map(|command| command.words.iter().map(move |word| (command, word)));
    let words = words.filter(|(_, word)| !word.is_empty()).take(limits::WORDS);
    let named = words.flat_map(|(command, word)| names(command, word).map(|name| command.folder.join(name)));
    let files: BTreeSet<PathBuf> = named.filter(|path| path.is_file()).collect();
    let texts: Vec<String> = files.iter().filter_map(|path| read(path)).collect();
    let is_there = |path: &&str| {
        let quoted = ['"', '\'', '`'].map(|quote| format!("{quote}{path}{quote}"));
        texts.iter().any(|text| quoted.iter().any(|path| text.contains(path)))
    };
    USUAL.into_iter().filter(is_there).collect()
}

/// Files that a word may mean: one of that name; Node's without its ending, or a folder's; Python's module, which servers
/// are told with the name of something in it (`bot:app`).
fn names(command: &Command, word: &str) -> impl Iterator<Item = String> + use<> {
    let word = if Path::new(word).file_name().is_some_and(|name| name == "flask") {
        // Which it loads if it is told nothing.
        command.environment.get("FLASK_APP").map_or("app", String::as_str).to_owned()
    } else {
        word.rsplit('=').next().unwrap_or_default().to_owned()
    };
    let module = word.split(':').next().unwrap_or_default().replace('.', "/");
    let node = ["", ".js", "/index.js"].map(|end| format!("{word}{end}"));
    let python = [".py", "/__main__.py", "/__init__.py"].map(|end| format!("{module}{end}"));
    node.into_iter().chain(python)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_program_is_found_as_its_starter_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("bot.py", "@app.post('/api/calling')");
        write("app.py", "@app.post('/callback')");
        write("package/__main__.py", "paths = [\"/webhook\"]");
        write("package/routes.py", "paths = [\"/calls\"]");
        write("js/index.js", "app.post(`/api/calls`, told)");
        let absolute = folder.path().join("bot.py").display().to_string();
        for (command, found) in [
            ("python bot.py", vec!["/api/calling"]),
            (&format!("python {absolute}"), vec!["/api/calling"]),
            ("gunicorn --workers 2 bot:app", vec!["/api/calling"]),
            ("uvicorn --factory package.routes:make", vec!["/calls"]),
            ("python -m package", vec!["/webhook"]),
            ("/usr/bin/flask run", vec!["/callback"]),
            ("flask --app=bot run", vec!["/api/calling", "/callback"]),
            ("node js", vec!["/api/calls"]),
            ("node js/index", vec!["/api/calls"]),
            ("node other.js", vec![]),
        ] {
            assert_eq!(paths(&[started(folder.path(), command, &[])]), found, "{command}");
        }
        let flask = [
            started(folder.path(), "flask run", &[("FLASK_APP", "bot:app")]),
            started(folder.path(), "sh", &[("FLASK_APP", "package.routes")]),
        ];
        assert_eq!(paths(&flask), ["/api/calling"], "the process's own environment counts");
    }

    fn started(folder: &Path, command: &str, variables: &[(&str, &str)]) -> Command {
        Command {
            folder: folder.to_owned(),
            words: command.split(' ').map(str::to_owned).collect(),
            environment: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }
}
