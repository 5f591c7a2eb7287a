//! Design promise 4: the bot is not told of an operation before the answer that names it was handed to its connection.

use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::web;
use crate::world::{World, play};

/// The bot's own connection, at which the journal looks when a notice comes.
#[derive(Default)]
struct Watched {
    stream: Option<TcpStream>,
    /// What the connection held when an operation's end was told: operation, bytes.
    seen: Vec<(String, Vec<u8>)>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_is_on_its_connection_before_the_notice_is_told() {
    let world = World::start().await;
    let call = world.null_call().await;
    let watched = Arc::new(Mutex::new(Watched::default()));
    let looking = Arc::clone(&watched);
    world.journal.hook(move |told| {
        if !told.gist().starts_with("operation") {
            return;
        }
        let mut watched = looking.lock().unwrap();
        let mut held = vec![0; 4096];
        // Looks without taking, and without waiting: by now it is there, or it is late.
        let stream = watched.stream.as_ref().unwrap();
        stream.set_nonblocking(true).unwrap();
        let count = stream.peek(&mut held).unwrap_or(0);
        held.truncate(count);
        watched.seen.push((told.data()["id"].as_str().unwrap().to_owned(), held));
    });
    // The test line finishes each prompt at once, so that its end races its answer.
    let body = play(&[&world.journal.url("/p.wav")], None).to_string();
    let request = format!(
        "POST /v1.0/communications/calls/{call}/playPrompt HTTP/1.1\r\nHost: ringback\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        world.bot.token,
        body.len()
    );
    for round in 1..=60 {
        let mut stream = TcpStream::connect(world.http()).unwrap();
        let looked_at = stream.try_clone().unwrap();
        watched.lock().unwrap().stream = Some(looked_at);
        stream.write_all(request.as_bytes()).unwrap();
        world.journal.wait_for(&call, "operation completed", round).await;
        let watched = watched.lock().unwrap();
        let (operation, held) = watched.seen.last().unwrap();
        let answer = web::parse(held).unwrap_or_else(|| panic!("round {round}: told before its answer"));
        assert_eq!(&answer.is(200).id(), operation);
    }
}

/// A client that has gone holds nothing up, and what was accepted from it is carried out and told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_before_its_answer_holds_nothing_up() {
    let world = World::start().await;
    let call = world.null_call().await;
    let body = play(&[&world.journal.url("/p.wav")], None).to_string();
    let head = format!(
        "POST /v1.0/communications/calls/{call}/playPrompt HTTP/1.1\r\nHost: ringback\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        world.bot.token,
        body.len()
    );
    for _ in 0..20 {
        let mut gone = TcpStream::connect(world.http()).unwrap();
        gone.write_all(head.as_bytes()).unwrap();
    }
    let mut silent = TcpStream::connect(world.http()).unwrap();
    silent.write_all(head.as_bytes()).unwrap();
    world.journal.wait(&call, "operation completed").await;
    world.bot.hang_up(&call).await;
    let gists = world.over(&call).await;
    let listed = world.bot.get(&format!("/{call}/operations")).await.is(200).json();
    let listed = listed["value"].as_array().unwrap().len();
    assert!(listed >= 1);
    assert_eq!(gists.iter().filter(|gist| *gist == "operation completed").count(), listed, "{gists:?}");
}
