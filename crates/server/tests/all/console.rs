//! The page with a phone: its files, for everyone, with what keeps a browser to them.

use crate::web::{self, Answer};
use crate::world::World;

async fn ask(world: &World, method: &str, path: &str, headers: &str) -> Answer {
    web::send(world.http(), format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_there_without_a_token_and_is_sent_once() {
    let world = World::start().await;
    let page = ask(&world, "GET", "/", "").await.is(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let tag = page.header("etag").expect("a tag");

    let again = ask(&world, "GET", "/?call=5000", &format!("If-None-Match: {tag}\r\n")).await.is(304);
    assert!(again.body.is_empty());
    assert_eq!(again.header("etag"), Some(tag));
    assert_eq!(again.header("content-length"), None);
    ask(&world, "GET", "/page.js", &format!("If-None-Match: {tag}\r\n")).await.is(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_files_are_only_read_and_what_is_no_file_is_as_before() {
    let world = World::start().await;
    let script = ask(&world, "GET", "/page.js", "").await.is(200);
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    let refused = ask(&world, "POST", "/", "Content-Length: 0\r\n").await.is(405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    for path in ["/index.html", "/page.js/", "/../Cargo.toml", "/console/page.js", "/favicon.ico"] {
        assert_eq!(ask(&world, "GET", path, "").await.is(401).code(), "InvalidAuthenticationToken", "{path}");
    }
}
