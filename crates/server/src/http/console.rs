//! The page with a phone, at the root of the server's address: the files of console/, which are part of the program.
//!
//! They are for everyone and hold nothing of anybody: what the page shows it asks for over HTTP, as any program may.
//! It must not know: what the page does. Nothing is made up here, and no file is read while the server runs.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{HeaderMap, IF_NONE_MATCH};
use hyper::{Method, StatusCode};

use super::answer::Reply;
use super::refusals::Refused;

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// Path, content type and content of every file.
const FILES: &[(&str, &str, &[u8])] = &[
    ("/", HTML, include_bytes!("../../../../console/index.html")),
    ("/icon.svg", PICTURE, include_bytes!("../../../../console/icon.svg")),
    ("/line.js", SCRIPT, include_bytes!("../../../../console/line.js")),
    ("/page.js", SCRIPT, include_bytes!("../../../../console/page.js")),
    ("/phone.js", SCRIPT, include_bytes!("../../../../console/phone.js")),
    ("/server.js", SCRIPT, include_bytes!("../../../../console/server.js")),
    ("/sound.js", SCRIPT, include_bytes!("../../../../console/sound.js")),
    ("/style.css", STYLE, include_bytes!("../../../../console/style.css")),
    ("/timeline.js", SCRIPT, include_bytes!("../../../../console/timeline.js")),
];

/// Only what came from here runs, is shown or is asked; nobody frames the page, and no form leads away (CSP 3 §6).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether there is a file at this path.
pub(crate) fn is_file(path: &str) -> bool {
    file(path).is_some()
}

/// Serves a file; none: there is none at this path.
pub(crate) fn serve(method: &Method, path: &str, headers: &HeaderMap) -> Option<Result<Reply, Refused>> {
    let (_, content_type, content) = *file(path)?;
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Some(Err(Refused::only("GET, HEAD")));
    }
    let tag = tag(content);
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let reply = if matches(known, &tag) {
        Reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        Reply::body(StatusCode::OK, content_type, content)
            .with("content-security-policy", POLICY)
            .with("permissions-policy", "microphone=(self)")
            .with("referrer-policy", "no-referrer")
            .with("x-content-type-options", "nosniff")
    };
    // Kept, and asked about each time: after the server was replaced the page is the new one's, in all its files.
    Some(Ok(reply.with("etag", tag).with("cache-control", "no-cache")))
}

fn file(path: &str) -> Option<&'static (&'static str, &'static str, &'static [u8])> {
    FILES.iter().find(|(at, ..)| *at == path)
}

/// The entity tag (RFC 9110 §8.8.3): the same for the same content, whoever serves it.
fn tag(content: &[u8]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest(&SHA256, content).as_ref()[..12]))
}

/// RFC 9110 §13.1.2: a list of tags, weak or not, or any.
fn matches(known: &str, tag: &str) -> bool {
    known.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn folder() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../console")
    }

    fn name(path: &str) -> &str {
        if path == "/" { "index.html" } else { &path[1..] }
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let entries = std::fs::read_dir(folder()).unwrap();
        let mut there: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        let mut served: Vec<&str> = FILES.iter().map(|(path, ..)| name(path)).collect();
        served.sort_unstable();
        assert_eq!(there, served);
        for (path, _, content) in FILES {
            assert_eq!(std::fs::read(folder().join(name(path))).unwrap(), *content, "{path}");
        }
    }

    /// What the page's files name in `href="…"`, `src="…"` and `from "…"`.
    fn named(text: &str) -> Vec<&str> {
        let after = |begin: &'static str| text.split(begin).skip(1).filter_map(|rest| rest.split('"').next());
        [" href=\"", " src=\"", " from \""].into_iter().flat_map(after).collect()
    }

    #[test]
    fn every_file_that_a_file_names_is_served_and_none_comes_from_elsewhere() {
        let mut all = Vec::new();
        for (path, _, content) in FILES {
            let text = std::str::from_utf8(content).unwrap();
            for name in named(text) {
                let target = format!("/{}", name.trim_start_matches("./"));
                assert!(is_file(&target), "{path} names {name}");
                all.push(target);
            }
            assert!(!text.contains("url(") && !text.contains("import("), "{path}: a reference that this does not read");
        }
        for (path, ..) in FILES.iter().filter(|(path, ..)| *path != "/") {
            assert!(all.iter().any(|named| named == path), "nobody names {path}");
        }
    }

    #[test]
    fn what_the_policy_forbids_is_not_tried() {
        let page = std::str::from_utf8(file("/").unwrap().2).unwrap();
        for forbidden in ["<style", " style=", " onclick=", "javascript:"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=").count());
    }

    #[test]
    fn tags_are_compared_as_lists_of_them() {
        let tag = tag(b"content");
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            assert!(matches(&known, &tag), "{known}");
        }
        assert!(!matches("", &tag) && !matches("\"other\"", &tag));
        assert_ne!(tag, super::tag(b"other content"));
    }
}
