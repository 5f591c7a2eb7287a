//! The arrows between the rooms inside `server`, read from every path that starts at the crate's root.

use super::Problem;
use super::tokens::{Token, names_after, reads};
use super::tree::{File, Tree};

/// Where the rooms are.
const SERVER: &str = "crates/server/src/";

/// Files that put the rooms together and may name all of them.
const WIRING: &[&str] = &["lib", "server"];

/// A room and which others it may name.
struct Room {
    name: &'static str,
    may: &'static [&'static str],
    /// Crates of ours that it may not name though `server` may.
    not_crates: &'static [&'static str],
}

/// The drawing. Nothing leads to `http`; only `http` and `notify` speak Graph's words, and share `wire`, which prints
/// them; `engine` reaches legs and media through traits of its own, so that a simulation can stand in for both, and only
/// it, `notify`, which keeps cursors, `first_seen`, which keeps apps, and `chats` write to the ledger.
const DRAWN: &[Room] = &[
    Room {
        name: "http",
        may: &[
            "engine",
            "auth",
            "chats",
            "first_seen",
            "notify",
            "phones",
            "wire",
            "recordings",
            "scripted",
            "meetings",
            "tls",
            "directory",
            "data_folder",
            "trace",
            "clock",
            "limits",
        ],
        not_crates: &[LEDGER, MEDIA, SIGNAL],
    },
    Room {
        name: "notify",
        may: &["engine", "auth", "wire", "outbound", "directory", "trace", "clock", "limits"],
        not_crates: &[MEDIA, SIGNAL],
    },
    Room { name: "wire", may: &["engine", "auth", "limits"], not_crates: &[LEDGER, MEDIA, SIGNAL] },
    Room { name: "engine", may: &["trace", "clock", "limits"], not_crates: &[GRAPH, MEDIA, SIGNAL] },
    // What stands in for the engine's traits: the only room that holds legs and media, as a simulation holds its own.
    Room {
        name: "phones",
        may: &["engine", "directory", "outbound", "recordings", "scripted", "meetings", "trace", "clock", "limits"],
        not_crates: &[GRAPH, LEDGER],
    },
    // Far ends that tests drive: phones of their own, beside the server's legs.
    Room { name: "scripted", may: &["directory", "trace", "limits"], not_crates: &[GRAPH, LEDGER] },
    // Tapes of the media room, and files.
    Room { name: "recordings", may: &["limits"], not_crates: &[GRAPH, LEDGER, SIGNAL] },
    Room { name: "meetings", may: &["limits"], not_crates: ALL_BUT_CORE },
    Room { name: "outbound", may: &["directory", "trace", "limits"], not_crates: ALL_BUT_CORE },
    Room {
        name: "auth",
        may: &["first_seen", "directory", "data_folder", "trace", "clock", "limits"],
        not_crates: ALL_BUT_CORE,
    },
    // Messages are documents of the ledger.
    Room { name: "chats", may: &["limits"], not_crates: &[GRAPH, MEDIA, SIGNAL] },
    // What it knows beside the configuration are documents of the ledger.
    Room { name: "first_seen", may: &["directory", "trace", "clock", "limits"], not_crates: &[GRAPH, MEDIA, SIGNAL] },
    // It answers the registrar's questions, through a trait of the signal room.
    Room { name: "directory", may: &["limits"], not_crates: &[GRAPH, LEDGER, MEDIA] },
    // What it has to keep lies in the data folder.
    Room { name: "tls", may: &["data_folder", "limits"], not_crates: ALL_BUT_CORE },
    Room { name: "data_folder", may: &["limits"], not_crates: ALL_BUT_CORE },
    Room { name: "trace", may: &["clock", "limits"], not_crates: ALL_BUT_CORE },
    Room { name: "clock", may: &["limits"], not_crates: ALL_BUT_CORE },
    Room { name: "limits", may: &[], not_crates: ALL_BUT_CORE },
];

const GRAPH: &str = "ringback_graph";
const LEDGER: &str = "ringback_ledger";
const MEDIA: &str = "ringback_media";
const SIGNAL: &str = "ringback_signal";
const ALL_BUT_CORE: &[&str] = &[GRAPH, LEDGER, MEDIA, SIGNAL];

/// Every room names only those that an arrow leads to.
pub(super) fn server(tree: &Tree) -> Vec<Problem> {
    tree.rust().filter(|file| file.path.starts_with(SERVER)).flat_map(room).collect()
}

fn room(file: &File) -> Vec<Problem> {
    let inside = file.path[SERVER.len()..].trim_end_matches(".rs");
    let name = inside.split('/').next().unwrap_or(inside);
    if WIRING.contains(&name) {
        return Vec::new();
    }
    let Some(room) = DRAWN.iter().find(|room| room.name == name) else {
        return vec![Problem::new(&file.path, 0, format!("room `{name}` is not drawn in tidy/rooms.rs"))];
    };
    let mut problems = Vec::new();
    for named in names_at_root(&file.tokens, depth(inside)) {
        let other = named.text.as_str();
        // What is no room is an item of the wiring, which a room must not lean on either.
        if other != room.name && !room.may.contains(&other) {
            problems.push(Problem::new(&file.path, named.line, format!("no arrow leads from `{name}` to `{other}`")));
        }
    }
    for token in file.tokens.iter().filter(|token| room.not_crates.contains(&token.text.as_str())) {
        problems.push(Problem::new(&file.path, token.line, format!("`{name}` must not name `{}`", token.text)));
    }
    problems
}

/// How many modules stand between the crate's root and this file's items.
fn depth(inside: &str) -> usize {
    inside.trim_end_matches("/mod").split('/').count()
}

/// The names that follow `crate::`, or as many `super::` as lead to the crate's root.
fn names_at_root(tokens: &[Token], depth: usize) -> Vec<&Token> {
    let mut names = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let token = &tokens[index];
        let begins = index == 0 || tokens[index - 1].text != ":";
        if token.text == "crate" {
            names.extend(names_after(tokens, index + 1));
        } else if token.text == "super" && begins {
            let mut steps = 1;
            while reads(tokens, index + 1, &[":", ":", "super"]) {
                steps += 1;
                index += 3;
            }
            if steps >= depth + token.modules {
                names.extend(names_after(tokens, index + 1).into_iter().filter(|name| name.text != "*"));
            }
        }
        index += 1;
    }
    names
}
