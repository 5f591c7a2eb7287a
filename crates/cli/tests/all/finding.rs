//! `run` finds out where a bot listens and who it is. The bots are sh, which has a listener from here: what they would say
//! there and ask the server is said and asked here.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{Shutdown, shutdown};
use tempfile::TempDir;

use crate::bad_bots::{Bot, OTHER_APP, SECRET, WAITS};

/// Found in the environment, and no bot's.
const FOUND: &str = "6f9619ff-8b86-4011-b42d-00c04fc964ff";

const THIRD_APP: &str = "fb5c1a52-6f0e-4d0a-8d0c-5a5bb1a5f001";

fn folder() -> Rc<TempDir> {
    Rc::new(tempfile::tempdir().unwrap())
}

/// A listener that every process has which is started from now on.
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Connections to it are answered here.
    fn new() -> (Listener, Receiver<TcpStream>) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        fcntl_setfd(&socket, FdFlags::empty()).unwrap();
        let (sender, connections) = channel();
        let accepting = socket.try_clone().unwrap();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept()
                && sender.send(stream).is_ok()
            {}
        });
        (Listener { address: socket.local_addr().unwrap(), socket }, connections)
    }

    /// Answers as a bot with one path.
    fn of_a_bot() -> Listener {
        let (listener, connections) = Listener::new();
        serve(connections);
        listener
    }

    /// Processes that are started from now on do not have it.
    fn is_had_by_no_more(&self) {
        fcntl_setfd(&self.socket, FdFlags::CLOEXEC).unwrap();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = shutdown(&self.socket, Shutdown::Both);
    }
}

fn serve(connections: Receiver<TcpStream>) {
    std::thread::spawn(move || {
        for mut stream in connections {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            let is_there = request[..read].starts_with(b"OPTIONS /api/calls ");
            let status = if is_there { "405 Method Not Allowed\r\nAllow: POST" } else { "404 Not Found" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
}

#[test]
fn one_that_listens_before_it_answers_is_asked_again() {
    let (listener, connections) = Listener::new();
    let mut bot = Bot::start_in(&folder(), &[], &[], WAITS);
    // Hung up on once as it is, and once over TLS.
    for _ in 0..2 {
        drop(connections.recv().unwrap());
    }
    serve(connections);
    let address = listener.address;
    bot.says(&format!("incoming calls are told to http://{address}/api/calls: it answers at this path"));
    bot.let_go();
}

#[test]
fn one_that_gets_a_token_as_another_app_than_was_found_is_told_of_calls_as_that_one() {
    let listener = Listener::of_a_bot();
    let address = listener.address;
    let mut bot = Bot::start_in(&folder(), &[], &[("AZURE_CLIENT_ID", FOUND)], WAITS);
    bot.says(&format!("incoming calls are told to http://{address}/api/calls"));
    assert!(bot.ask_token(OTHER_APP, SECRET).starts_with("HTTP/1.1 200 "));
    bot.says(&format!("the bot got a token as {OTHER_APP}, not {FOUND} (from AZURE_CLIENT_ID)"));
    let app = bot.app(OTHER_APP);
    assert!(app.contains(&format!("http://{address}/api/calls")) && app.contains("\"5000\""), "{app}");
    bot.let_go();
}

#[test]
fn one_that_gets_a_token_as_the_app_that_was_found_as_well_is_that_one_again() {
    let listener = Listener::of_a_bot();
    let mut bot = Bot::start_in(&folder(), &[], &[("AZURE_CLIENT_ID", FOUND)], WAITS);
    bot.says(&format!("incoming calls are told to http://{}/api/calls", listener.address));
    assert!(bot.ask_token(OTHER_APP, SECRET).starts_with("HTTP/1.1 200 "));
    bot.says(&format!("the bot got a token as {OTHER_APP}, not {FOUND}"));
    assert!(bot.ask_token(FOUND, SECRET).starts_with("HTTP/1.1 200 "));
    bot.says(&format!("the bot got a token as {FOUND} (from AZURE_CLIENT_ID) as well"));
    bot.let_go();
}

#[test]
fn the_token_of_another_program_changes_nothing() {
    let listener = Listener::of_a_bot();
    let address = listener.address;
    let mut bot = Bot::start_in(&folder(), &[], &[("AZURE_CLIENT_ID", FOUND)], WAITS);
    bot.says(&format!("incoming calls are told to http://{address}/api/calls"));
    assert!(bot.a_stranger_asks_token(OTHER_APP, SECRET).starts_with("HTTP/1.1 200 "));
    // Seen after it.
    assert!(bot.ask_token(THIRD_APP, SECRET).starts_with("HTTP/1.1 200 "));
    bot.says(&format!("the bot got a token as {THIRD_APP}, not {FOUND}"));
    let app = bot.app(OTHER_APP);
    assert!(!app.contains(&address.to_string()), "{app}");
    bot.let_go();
}

/// The server remembers the app, and where it listened then.
#[test]
fn one_that_is_started_again_without_an_id_is_told_of_where_it_listens_now() {
    let data = folder();
    for _ in 0..2 {
        let listener = Listener::of_a_bot();
        let address = listener.address;
        let mut bot = Bot::start_in(&data, &[], &[], WAITS);
        bot.says(&format!("incoming calls are told to http://{address}/api/calls"));
        assert!(bot.ask_token(OTHER_APP, SECRET).starts_with("HTTP/1.1 200 "));
        bot.says(&format!("app id {OTHER_APP}, as which the bot got a token"));
        let app = bot.app(OTHER_APP);
        assert!(app.contains(&format!("\"local\":\"http://{address}\"")) && app.contains("\"5000\""), "{app}");
        bot.let_go();
    }
}

/// Two runs share a server; only one of the bots asks for a token.
#[test]
fn the_token_of_another_runs_bot_is_not_taken_for_this_ones() {
    let (data, others) = (folder(), Listener::of_a_bot());
    let mut other = Bot::start_in(&data, &[], &[("CLIENT_ID", OTHER_APP)], WAITS);
    other.says("phones reach the bot at");
    others.is_had_by_no_more();
    let listener = Listener::of_a_bot();
    let mut bot = Bot::start_in(&data, &[], &[("CLIENT_ID", FOUND)], WAITS);
    bot.says(&format!("incoming calls are told to http://{}/api/calls", listener.address));
    assert!(other.ask_token(OTHER_APP, SECRET).starts_with("HTTP/1.1 200 "));
    // Seen after it.
    assert!(bot.ask_token(THIRD_APP, SECRET).starts_with("HTTP/1.1 200 "));
    bot.says(&format!("the bot got a token as {THIRD_APP}, not {FOUND}"));
    assert!(other.app(OTHER_APP).contains(&format!("\"local\":\"http://{}\"", others.address)));
    bot.let_go();
    other.let_go();
}
