//! The rules themselves, tested: each broken sample must be found, each sound one must pass.

use super::exceptions::Exception;
use super::tree::Tree;
use super::{Problem, arrows, files, links, rooms, words};

type Rule = fn(&Tree) -> Vec<Problem>;

/// Holds one rule against one file; gives `line: what` of each problem.
fn check(rule: Rule, path: &str, text: &str) -> Vec<String> {
    found(rule(&Tree::of(&[(path, text)])))
}

fn found(problems: Vec<Problem>) -> Vec<String> {
    problems.into_iter().map(|problem| format!("{}: {}", problem.line, problem.what)).collect()
}

fn nothing() -> Vec<String> {
    Vec::new()
}

#[test]
fn an_arrow_that_is_not_drawn_is_found_in_a_manifest() {
    let broken = "[package]\nname = \"ringback-media\"\n[dependencies]\nringback-signal = { workspace = true }\n";
    let wanted = vec!["0: no arrow leads from `ringback-media` to `ringback-signal`".to_owned()];
    assert_eq!(check(arrows::manifests, "crates/media/Cargo.toml", broken), wanted);

    let for_tests = broken.replace("[dependencies]", "[dev-dependencies]");
    assert_eq!(check(arrows::manifests, "crates/media/Cargo.toml", &for_tests), wanted);

    let renamed = "[package]\nname = \"ringback-media\"\n\
        [target.'cfg(unix)'.dependencies]\nother = { package = \"ringback-signal\", path = \"../signal\" }\n";
    assert_eq!(check(arrows::manifests, "crates/media/Cargo.toml", renamed), wanted);
}

#[test]
fn a_drawn_arrow_and_a_foreign_crate_pass() {
    let sound = "[package]\nname = \"ringback-signal\"\n[dependencies]\nringback-media = \"1\"\nserde = \"1\"\n";
    assert_eq!(check(arrows::manifests, "crates/signal/Cargo.toml", sound), nothing());
}

#[test]
fn a_crate_that_is_not_drawn_is_found() {
    let text = "[package]\nname = \"ringback-common\"\n";
    let wanted = vec!["0: a crate that is not drawn in tidy/arrows.rs".to_owned()];
    assert_eq!(check(arrows::manifests, "crates/common/Cargo.toml", text), wanted);
    let renamed = vec!["0: the crate's name must be `ringback-core`".to_owned()];
    assert_eq!(check(arrows::manifests, "crates/core/Cargo.toml", text), renamed);
}

#[test]
fn an_arrow_that_is_not_drawn_is_found_in_the_code() {
    let broken = "//! x\n\nfn f() {\n    ringback_server::start();\n}\n";
    let wanted = vec!["4: no arrow leads from `ringback-client` to `ringback-server`".to_owned()];
    assert_eq!(check(arrows::uses, "crates/client/src/lib.rs", broken), wanted);
    assert_eq!(check(arrows::uses, "crates/client/tests/all/main.rs", broken), wanted);
}

#[test]
fn a_crate_named_in_words_is_no_arrow() {
    let sound = "//! As ringback_server does.\n// ringback_server\nconst A: &str = \"ringback_server\";\n\
        use ringback_graph as g;\nuse ringback_client as me;\n";
    assert_eq!(check(arrows::uses, "crates/client/src/lib.rs", sound), nothing());
}

#[test]
fn rooms_name_only_those_an_arrow_leads_to() {
    let at = "crates/server/src/";
    let wanted = |line: usize, from: &str, to: &str| vec![format!("{line}: no arrow leads from `{from}` to `{to}`")];
    let engine = format!("{at}engine/mailbox.rs");
    let notify = format!("{at}notify.rs");
    assert_eq!(check(rooms::server, &engine, "//! x\nuse crate::http::Reply;"), wanted(2, "engine", "http"));
    assert_eq!(
        check(rooms::server, &engine, "//! x\nuse crate::{engine::A, notify::{B, C}};"),
        wanted(2, "engine", "notify")
    );
    assert_eq!(
        check(rooms::server, &engine, "//! x\nfn f() { super::super::auth::check() }"),
        wanted(2, "engine", "auth")
    );
    assert_eq!(check(rooms::server, &notify, "//! x\nuse super::http::Reply;"), wanted(2, "notify", "http"));
    assert_eq!(check(rooms::server, &notify, "//! x\nuse crate::Server;"), wanted(2, "notify", "Server"));
    let in_tests = "//! x\n#[cfg(test)]\nmod tests {\n use super::super::http::Reply;\n use super::*;\n}";
    assert_eq!(check(rooms::server, &notify, in_tests), wanted(4, "notify", "http"));
}

#[test]
fn rooms_may_name_what_is_drawn() {
    let http = "//! x\nuse crate::{engine, auth::Caller};\nuse super::limits;\npub(crate) struct A;\npub(super) fn f() {}\n\
        mod tests { use super::*; }\nuse ringback_graph::Call;";
    assert_eq!(check(rooms::server, "crates/server/src/http/mod.rs", http), nothing());
    let wiring = "//! x\nuse crate::{http, notify, engine};\nuse ringback_signal::Sip;";
    assert_eq!(check(rooms::server, "crates/server/src/lib.rs", wiring), nothing());
}

#[test]
fn only_http_and_notify_speak_graph() {
    let wanted = vec!["2: `engine` must not name `ringback_graph`".to_owned()];
    assert_eq!(check(rooms::server, "crates/server/src/engine.rs", "//! x\nuse ringback_graph::Call;"), wanted);
}

#[test]
fn a_room_that_is_not_drawn_is_found() {
    let wanted = vec!["0: room `utils` is not drawn in tidy/rooms.rs".to_owned()];
    assert_eq!(check(rooms::server, "crates/server/src/utils/mod.rs", "//! x\n"), wanted);
}

#[test]
fn a_file_that_is_not_rust_is_found() {
    let wanted = ["0: not Rust: cannot parse string into token stream"];
    assert_eq!(check(files::is_rust, "a.rs", "//! x\nfn f() {"), wanted);
}

#[test]
fn a_file_says_first_what_it_is_for() {
    let wanted = vec!["1: does not begin with `//!`: what is it for?".to_owned()];
    assert_eq!(check(files::first_line, "a.rs", "use x;\n//! late\n"), wanted);
    assert_eq!(check(files::first_line, "a.rs", "//! What it is for.\n"), nothing());
    let wanted = vec!["1: does not begin with `//`: what is it for?".to_owned()];
    assert_eq!(check(files::first_line, "console/a.js", "let x;\n// late\n"), wanted);
    assert_eq!(check(files::first_line, "console/a.css", "/* What it is for. */\n"), nothing());
}

#[test]
fn a_long_file_needs_a_reason_and_a_short_one_needs_no_exception() {
    let long = "//! x\n".repeat(801);
    let tree = Tree::of(&[("a.rs", &long), ("b.rs", "//! x\n")]);
    assert_eq!(found(files::length_but_for(&tree, &[])), ["0: 801 lines: over 800 needs a reason"]);
    let excepted = [Exception { path: "a.rs", reason: "a table" }];
    assert_eq!(found(files::length_but_for(&tree, &excepted)), nothing());
    let stale = [excepted[0].path, "b.rs", "c.rs"].map(|path| Exception { path, reason: "none" });
    let wanted = ["0: 1 lines: needs no exception any more", "0: has an exception and does not exist"];
    assert_eq!(found(files::length_but_for(&tree, &stale)), wanted);
    assert_eq!(files::questions(&tree), ["a.rs: 801 lines: is it still one thing?"]);
}

#[test]
fn the_readme_stays_short() {
    assert_eq!(check(files::readme, "README.md", &"x\n".repeat(151)), ["0: 151 lines: at most 150"]);
    assert_eq!(check(files::readme, "README.md", &"x\n".repeat(150)), nothing());
}

#[test]
fn unfinished_and_silenced_code_is_found() {
    let rule = words::unfinished;
    assert_eq!(check(rule, "a.rs", "fn f() {\n    todo!()\n}"), ["2: `todo!`"]);
    assert_eq!(check(rule, "a.rs", "fn f() { unimplemented!(\"x\"); dbg!(1); }"), ["1: `unimplemented!`", "1: `dbg!`"]);
    assert_eq!(check(rule, "a.rs", "#![allow(missing_docs, dead_code)]"), ["1: `allow(dead_code)`"]);
    let ignored = "#[test]\n#[ignore = \"slow\"]\nfn f() {}";
    assert_eq!(check(rule, "a.rs", ignored), ["2: a test that is `#[ignore]`d proves nothing"]);
    let sound = "//! todo! in words\nfn todo() { let ignore = \"dbg!(#[ignore])\"; } // unimplemented!()\n";
    assert_eq!(check(rule, "a.rs", sound), nothing());
}

#[test]
fn core_has_no_clock_and_no_system() {
    let rule = words::core_is_pure;
    let lib = "crates/core/src/lib.rs";
    assert_eq!(check(rule, lib, "//! x\n"), ["0: must say `#![no_std]`"]);
    assert_eq!(
        check(rule, lib, "//! x\n#![no_std]\nuse std::time::Instant;"),
        ["3: core must not name `std`", "3: core must not name `Instant`"]
    );
    let sound =
        "//! std\n#![no_std]\n#[cfg(test)]\nextern crate std;\n#[cfg(test)]\nmod tests { use std::vec::Vec; }\n";
    assert_eq!(check(rule, lib, sound), nothing());
    let after_tests = format!("{sound}fn f() {{ tokio::spawn() }}");
    assert_eq!(check(rule, lib, &after_tests), ["7: core must not name `tokio`"]);
    assert_eq!(check(rule, "crates/server/src/lib.rs", "//! x\nuse std::time::Instant;"), nothing());
}

#[test]
fn a_test_that_sleeps_is_found() {
    let rule: Rule = |tree| words::sleeping_tests_but_for(tree, &[]);
    let inside = "//! x\nfn f() { sleep() }\n#[cfg(test)]\nmod tests {\n    fn g() { std::thread::sleep(d) }\n}";
    assert_eq!(check(rule, "crates/a/src/a.rs", inside), ["5: a test names `sleep`"]);
    let whole = "//! x\nuse tokio::time::sleep;";
    assert_eq!(check(rule, "crates/a/tests/all/a.rs", whole), ["2: a test names `sleep`"]);
    let single = "//! x\n#[tokio::test]\nasync fn a() { tokio::time::sleep(d).await }\nfn b() { sleep() }";
    assert_eq!(check(rule, "crates/a/src/a.rs", single), ["3: a test names `sleep`"]);

    let tree = Tree::of(&[("crates/a/tests/all/a.rs", whole), ("crates/a/src/b.rs", "//! x\n")]);
    let exceptions = ["crates/a/tests/all/a.rs", "crates/a/src/b.rs"].map(|path| Exception { path, reason: "none" });
    let wanted = ["0: no test sleeps here: needs no exception any more"];
    assert_eq!(found(words::sleeping_tests_but_for(&tree, &exceptions)), wanted);
}

#[test]
fn paths_of_one_machine_are_found() {
    let home = ["/ho", "me/"].concat();
    let rule = words::machine_paths;
    assert_eq!(check(rule, "a.md", &format!("see\n`{home}me/x`")), [format!("2: a path of one machine: `{home}`")]);
    assert_eq!(check(rule, "a.md", &format!("https://example.com{home}x")), nothing());
}

#[test]
fn a_link_to_nothing_is_found() {
    let page = "[a](b.md) [c](../d/e.md#f) [g](https://example.com/h.md) [i](#j) [k](missing.md)\n`[l](gone.md)`\n\
        ```\n[m](gone.md)\n```\n[n]: gone.md\n[o](../../out.md)\n";
    let tree = Tree::of(&[("docs/a.md", page), ("docs/b.md", ""), ("d/e.md", "")]);
    let wanted = [
        "1: a link to nothing: `missing.md`",
        "6: a link to nothing: `gone.md`",
        "7: a link to nothing: `../../out.md`",
    ];
    assert_eq!(found(links::markdown(&tree)), wanted);
}
