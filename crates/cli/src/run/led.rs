//! Which of the bot's processes should be led by a hook and are not: a start script or a program gave them an environment,
//! or options, by which they do not load it. Told from how they were started, since they do not say so themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::processes;

/// Why no hook leads this process, and what to do about it; none where one does, or where there is none for such programs.
pub(super) fn why_not(process: u32, folder: &Folder) -> Option<String> {
    let program = processes::program(process)?;
    if is_node(&program) {
        node(&processes::environment(process)?, &folder.node_hook())
    } else if is_python(&program) {
        python(&processes::words(process), &processes::environment(process)?, &folder.python_path())
    } else {
        None
    }
}

fn is_node(program: &str) -> bool {
    matches!(program, "node" | "nodejs")
}

fn is_python(program: &str) -> bool {
    let version = program.strip_prefix("python");
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

type Environment = BTreeMap<String, String>;

fn node(environment: &Environment, hook: &Path) -> Option<String> {
    // Quotes in its path are escaped there; the end of it never has any.
    let end: PathBuf = hook.iter().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    let options = environment.get("NODE_OPTIONS").map_or("", String::as_str);
    (!options.contains(&*end.to_string_lossy())).then(|| {
        "its NODE_OPTIONS was set anew: keep what is in it, as in NODE_OPTIONS=\"$NODE_OPTIONS --your-option\""
            .to_owned()
    })
}

fn python(words: &[String], environment: &Environment, hook: &Path) -> Option<String> {
    if let Some(letter) = isolating(words) {
        return Some(format!("it was started with -{letter}, by which Python loads no hook: start it without"));
    }
    let path = environment.get("PYTHONPATH").map_or("", String::as_str);
    let before: Vec<&str> = path.split(':').take_while(|folder| Path::new(folder) != hook).collect();
    if before.len() == path.split(':').count() {
        return Some(
            "its PYTHONPATH was set anew: keep what is in it, as in PYTHONPATH=\"$PYTHONPATH:your/folder\"".to_owned(),
        );
    }
    let shadows = before.iter().find(|folder| Path::new(folder).join("sitecustomize.py").is_file());
    shadows.map(|folder| {
        format!("the sitecustomize.py of {folder} comes before Ringback's on its PYTHONPATH: put it after")
    })
}

/// The option by which Python reads no PYTHONPATH, or no sitecustomize (`python --help`).
fn isolating(words: &[String]) -> Option<char> {
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty())?;
        if letters.starts_with('-') {
            continue;
        }
        for (at, letter) in letters.char_indices() {
            match letter {
                'I' | 'E' | 'S' => return Some(letter),
                // The rest is the program's.
                'c' | 'm' => return None,
                // These have a word, in the same one or as the next.
                'W' | 'X' => {
                    if at + 1 == letters.len() {
                        words.next();
                    }
                    break;
                }
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Environment {
        [(name.to_owned(), value.to_owned())].into()
    }

    #[test]
    fn node_without_the_hook_is_told_of() {
        let hook = Path::new("/da\"ta/run/7/node.cjs");
        let why = |options: &str| node(&with("NODE_OPTIONS", options), hook);
        assert_eq!(why("--require \"/da\\\"ta/run/7/node.cjs\" --no-warnings"), None);
        assert!(why("--require \"/da\\\"ta/run/8/node.cjs\"").is_some(), "another run's");
        assert!(why("--no-warnings").unwrap().contains("NODE_OPTIONS") && node(&Environment::new(), hook).is_some());
    }

    #[test]
    fn python_without_the_hook_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, shadow, hook) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
        std::fs::create_dir_all(&shadow).unwrap();
        std::fs::write(shadow.join("sitecustomize.py"), "").unwrap();
        let why = |folders: &[&Path]| {
            let path = std::env::join_paths(folders).unwrap();
            python(&["python".into(), "bot.py".into()], &with("PYTHONPATH", path.to_str().unwrap()), &hook)
        };
        assert_eq!(why(&[&hook, &shadow]), None);
        assert_eq!(why(&[&empty, &hook]), None);
        assert!(why(&[&shadow, &hook]).unwrap().contains("sitecustomize.py"));
        assert!(why(&[&empty]).unwrap().contains("PYTHONPATH") && why(&[]).is_some());
    }

    #[test]
    fn options_by_which_python_loads_no_hook_are_told_of() {
        let option = |line: &str| isolating(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for (line, letter) in [
            ("python -I bot.py", Some('I')),
            ("python -bsE -m bot", Some('E')),
            ("python -W ignore -S bot.py", Some('S')),
            ("python -X utf8 -WError -I", Some('I')),
            ("python -WIgnore bot.py", None),
            ("python -X Importtime bot.py -S", None),
            ("python -c Import -I", None),
            ("python -m bot -E", None),
            ("python - -E", None),
            ("python bot.py -I", None),
        ] {
            assert_eq!(option(line), letter, "{line}");
        }
        assert!(is_python("python3.11") && is_python("python") && !is_python("python-config") && !is_node("node-gyp"));
    }
}
