//! The operator's door: what it shows, and that it ends a call whatever its state.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::soon;
use crate::web::{self, Bot};
use crate::world::{NUMBER, SIBLING_APP, World, configuration, play};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_sees_every_call_and_ends_any() {
    let world = World::start().await;
    let token = std::fs::read_to_string(world.server.operator_token_file()).unwrap();
    let door = Bot { http: world.http(), token: token.trim().to_owned() };
    let phone = world.phone("1001").await;
    let up = world.null_call().await;
    let dialled = soon(phone.dial(NUMBER)).await.expect("it rings");
    let ringing = world.journal.incoming(&[]).await;
    let operation =
        world.bot.post(&format!("/{up}/playPrompt"), &play(&["http://h/p.wav"], Some("x"))).await.is(200).id();
    world.journal.ended(&up, &operation).await;

    let calls = door.ask("GET", "/_ringback/calls", None).await.is(200).json();
    let ids: Vec<&str> = calls["value"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&up.as_str()) && ids.contains(&ringing.as_str()));
    let listed = door.ask("GET", &format!("/_ringback/calls/{up}/operations"), None).await.is(200).json();
    assert_eq!(listed["value"][0]["id"], operation);
    assert_eq!(door.ask("GET", "/_ringback/status", None).await.is(200).json()["conversations"], 2);
    // An incoming call is declined, one that is up is hung up; neither was the bot's doing.
    for call in [&up, &ringing] {
        door.ask("DELETE", &format!("/_ringback/calls/{call}"), None).await.is(204);
        world.over(call).await;
        let end = world.journal.wait(call, "terminated").await.data()["resultInfo"].clone();
        assert_eq!((&end["code"], &end["subcode"]), (&json!(200), &json!(5000)), "{end}");
        assert_eq!(door.ask("GET", &format!("/_ringback/calls/{call}"), None).await.is(404).code(), "8522");
    }
    assert!(soon(dialled.answered()).await.is_err());
    let shown = door.ask("GET", &format!("/_ringback/calls/{up}/operations/{operation}"), None).await.is(200).json();
    assert_eq!(shown["value"][0]["clientContext"], "x");
    assert_eq!(door.ask("GET", "/_ringback/nonsense", None).await.is(404).code(), "itemNotFound");
    assert_eq!(door.ask("PUT", "/_ringback/calls", Some(&json!({}))).await.is(405).code(), "notAllowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_needs_no_token_and_the_timeline_follows() {
    let world = World::start().await;
    for path in ["/healthz", "/readyz"] {
        web::send(world.http(), format!("GET {path} HTTP/1.1\r\nHost: r\r\n\r\n").as_bytes()).await.is(200);
    }
    let token = std::fs::read_to_string(world.server.operator_token_file()).unwrap();
    let mut stream = soon(TcpStream::connect(world.http())).await.unwrap();
    let head = format!("GET /_ringback/timeline HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {}\r\n\r\n", token.trim());
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    let until = async |stream: &mut TcpStream, text: &mut Vec<u8>, words: &str| {
        while !String::from_utf8_lossy(text).contains(words) {
            assert!(soon(stream.read_buf(text)).await.unwrap() > 0, "it ends: {}", String::from_utf8_lossy(text));
        }
    };
    until(&mut stream, &mut text, ": following").await;
    // A look is no news; what it finds nothing for is.
    world.door().ask("GET", "/_ringback/status", None).await.is(200);
    world.door().ask("GET", "/_ringback/nonsense", None).await.is(404);
    let call = world.null_call().await;
    world.bot.hang_up(&call).await;
    until(&mut stream, &mut text, "call terminated 200/7000").await;
    until(&mut stream, &mut text, "terminated → acknowledged").await;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("text/event-stream"));
    assert!(text.contains("GET /_ringback/… → 404") && !text.contains("/_ringback/status"), "{text}");
    for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(entry["at"].is_i64() && entry["kind"].is_string() && entry["text"].is_string(), "{entry}");
    }
}

/// The configuration is read again whole, or not at all; calls under way are not touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_changes_the_directory_and_no_call() {
    let world = World::start().await;
    let call = world.null_call().await;
    let sibling = world.sibling().await;
    sibling.get("").await.is(200);
    let file = world.folder.path().join("ringback.toml");
    let text = configuration(world.journal.address());
    std::fs::write(&file, text.replace("[[users]]", "[[users]]\nshoe = 42")).unwrap();
    assert!(world.server.reload().is_err());
    sibling.get("").await.is(200);
    let other = "a9a9a9a9-0000-4000-8000-0000000000a9";
    std::fs::write(&file, text.replace(SIBLING_APP, other)).unwrap();
    world.server.reload().unwrap();
    assert_eq!(sibling.get("").await.is(403).code(), "7503");
    crate::world::bot(world.http(), crate::world::TENANT, other).await.get("").await.is(200);
    let operation = world.bot.post(&format!("/{call}/playPrompt"), &play(&["http://h/p.wav"], None)).await.is(200).id();
    assert_eq!(world.journal.ended(&call, &operation).await["status"], "completed");
}
