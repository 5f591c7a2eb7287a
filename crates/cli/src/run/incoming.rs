//! Bots that wait to be called: who they are and where they are told of calls is found out, said aloud and told to the
//! server, which then sends there whatever public name a bot's addresses have.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::future::pending;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Method;
use nix::libc::O_NONBLOCK;
use ringback_server::directory::APP_ID;
use ringback_server::first_seen::TEMPLATE;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::time::timeout;
use url::Url;

use super::app::Found;
use super::probe::{Heard, Port, USUAL};
use super::processes::{Family, is_taken};
use super::progress::Progress;
use super::search::Search;
use super::{say, text};
use crate::door::Visitor;
use crate::{Failure, limits};

/// A public origin and the one that it stands for, as `--callback` names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Callback {
    public: String,
    local: String,
}

/// Reads `https://x.example=http://127.0.0.1:3978`, or `https://x.example=3978`.
pub(super) fn callback(text: &str) -> Result<Callback, String> {
    let (public, local) =
        text.split_once('=').ok_or("PUBLIC=LOCAL, such as https://x.example=http://127.0.0.1:3978")?;
    let local = match local.parse::<u16>() {
        Ok(port) => format!("http://127.0.0.1:{port}"),
        Err(_) => local.to_owned(),
    };
    Ok(Callback { public: origin(public)?, local: origin(&local)? })
}

/// Scheme, host and port of an address that has nothing else.
fn origin(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is no address such as https://x.example or http://127.0.0.1:3978");
    let url = Url::parse(text).map_err(|_| wrong())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_web || url.path() != "/" || url.query().is_some() {
        return Err(wrong());
    }
    Ok(url.origin().ascii_serialization())
}

/// Reads `--webhook`.
pub(super) fn webhook(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| "an address such as http://127.0.0.1:3978/api/calls".to_owned())
}

/// What is known of the bot before it starts, and how the server is told.
pub(super) struct Incoming {
    pub(super) door: Arc<Visitor>,
    pub(super) app: Option<Found>,
    pub(super) webhook: Option<Url>,
    pub(super) callbacks: Vec<Callback>,
    pub(super) progress: Arc<Progress>,
    /// What the server shows of the development app since it was told that the bot may be that one.
    pub(super) development: Mutex<Option<Value>>,
}

/// What the server shows of where an app is told of things.
const REACH: [&str; 3] = ["webhook", "local", "callbacks"];

/// Where the bot is told of things, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    /// The origin at which it listens.
    local: Option<String>,
    webhook: Option<String>,
}

/// A question to a person, answered with a path.
type Question = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

impl Incoming {
    /// Says who the bot is, and tells the server what the command line says of it, in place of what was said before of
    /// bots to come.
    pub(super) async fn begin(&self) {
        match &self.app {
            Some(found) => say(&format!("app id {}, from {}", found.id, found.from)),
            None => {
                say("no app id in the environment, .env or appsettings.json: known once the bot gets a token; until \
                         then calls are offered as the development app's (or give --app-id)")
            }
        }
        for Callback { public, local } in &self.callbacks {
            say(&format!("{public} is sent to {local}"));
        }
        self.forget_template().await;
        if self.webhook.is_some() || !self.callbacks.is_empty() {
            let webhook = self.webhook.as_ref().map(Url::to_string);
            self.tell(&Place { local: None, webhook }, &mut BTreeSet::new(), &BTreeSet::new()).await;
        }
    }

    /// Nothing is said any more of whoever the bot may have been, unless others have said something else since.
    pub(super) async fn end(&self) {
        if self.app.is_some() {
            return;
        }
        self.forget_template().await;
        let told = self.development().take();
        let now = self.ask(Method::GET, APP_ID).await;
        if told.zip(now).is_some_and(|(told, now)| REACH.iter().all(|member| told[member] == now[member])) {
            self.ask(Method::DELETE, APP_ID).await;
        }
    }

    /// What an earlier run may have left, too, if it was killed.
    async fn forget_template(&self) {
        self.ask(Method::DELETE, TEMPLATE).await;
    }

    /// Asks for what is said of an app, or takes it back. There may be nothing, or no server any more.
    async fn ask(&self, method: Method, app: &str) -> Option<Value> {
        timeout(limits::ANSWER_TIME, self.door.ask(method, &format!("apps/{app}"))).await.ok()?.ok()?
    }

    fn development(&self) -> MutexGuard<'_, Option<Value>> {
        // Changed as a whole, so a poisoned lock is still sound.
        self.development.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks where the bot listens, as long as it runs, and tells the server. Does not return.
    pub(super) async fn follow(&self, root: u32) {
        let mut tick = tokio::time::interval(limits::LOOK);
        let (mut search, mut place) = (Search::default(), Place::default());
        let (mut told, mut looks) = (BTreeSet::new(), 0_u32);
        let mut listening = BTreeSet::new();
        let mut question: Question = Box::pin(pending());
        loop {
            tokio::select! {
                path = &mut question => {
                    question = Box::pin(pending());
                    place.webhook = self.answered(place.local.as_deref().unwrap_or_default(), path);
                    told.clear();
                }
                _ = tick.tick() => {
                    looks = looks.wrapping_add(1);
                    // A bot that was found is looked at less often.
                    if search.has_chosen() && !is_time(looks) {
                        continue;
                    }
                    let family = Family::of(root);
                    listening = family.listening();
                    if let Some(port) = search.look(listening.clone()).await {
                        self.progress.listens(port.at);
                        place = self.place(&port, &family);
                        // What is known is told meanwhile. If the bot is found elsewhere, another question is asked.
                        question = match (&place.local, &place.webhook) {
                            (Some(local), None) => Box::pin(asked_of_a_person(local.clone())),
                            _ => Box::pin(pending()),
                        };
                        told.clear();
                    }
                }
            }
            if place != Place::default() {
                self.tell(&place, &mut told, &listening).await;
            }
        }
    }

    /// Where the bot that has this port is told of calls. Said aloud.
    fn place(&self, port: &Port, family: &Family) -> Place {
        let webhook = self.webhook.as_ref().map(Url::to_string);
        if port.heard == Heard::NotHttp {
            if webhook.is_none() {
                say(&format!(
                    "the bot listens at {} and speaks no HTTP there: say with --webhook where it is told of calls",
                    port.at
                ));
            }
            return Place { local: None, webhook };
        }
        let local = port.origin();
        say(&format!(
            "the bot listens at {local}: what it names by a public address of its own (a tunnel's) is sent there"
        ));
        let webhook = webhook.or_else(|| path(&local, &port.heard, family).map(|path| format!("{local}{path}")));
        Place { local: Some(local), webhook }
    }

    /// What a person at the terminal has said of the path, or that there is none.
    fn answered(&self, local: &str, path: Option<String>) -> Option<String> {
        let Some(path) = path else {
            say(&format!(
                "where the bot is told of incoming calls is not known: give --webhook {local}/PATH (it can make calls all \
                 the same)"
            ));
            return None;
        };
        found(local, &path, "as you say");
        Some(format!("{local}{path}"))
    }

    /// Tells the server, for each app that may be the bot and has not been told of. What it refuses is said.
    async fn tell(&self, place: &Place, told: &mut BTreeSet<String>, listening: &BTreeSet<SocketAddr>) {
        let callbacks = self.callbacks.iter();
        let callbacks: Vec<Value> =
            callbacks.map(|Callback { public, local }| json!({ "public": public, "local": local })).collect();
        let mut wish = json!({ "callbacks": callbacks });
        for (name, value) in [("local", &place.local), ("webhook", &place.webhook)] {
            if let Some(value) = value {
                wish[name] = value.as_str().into();
            }
        }
        let apps = self.apps(listening).await.unwrap_or_default();
        for app in apps {
            if !told.insert(app.clone()) {
                self.recognise(&app);
                continue;
            }
            let mut wish = wish.clone();
            // One that was not found says its tenant itself.
            if let Some(tenant) =
                self.app.as_ref().filter(|found| found.id == app).and_then(|found| found.tenant.as_ref())
            {
                wish["tenant"] = tenant.as_str().into();
            }
            match self.door.send(Method::PUT, &format!("apps/{app}"), wish.to_string()).await {
                Ok(answer) => {
                    self.recognise(&app);
                    let answer = answer.unwrap_or_default();
                    if place.webhook.is_some() {
                        self.progress.numbers(&answer);
                    }
                    if app == APP_ID && self.app.is_none() {
                        *self.development() = Some(answer);
                    }
                }
                Err(why) => say(&format!("the server does not take where the bot is told of calls: {why}")),
            }
        }
    }

    /// Whoever the bot may be: the app that was found, unless it got a token as another one instead; or, until it got one,
    /// those yet to be seen, those seen since it runs that listen nowhere else, and the development app, whose number is
    /// published.
    async fn apps(&self, listening: &BTreeSet<SocketAddr>) -> Result<Vec<String>, Failure> {
        let tokens = self.progress.tokens();
        match &self.app {
            Some(found) if tokens.is_empty() || tokens.contains(&found.id) => return Ok(vec![found.id.clone()]),
            Some(_) => return Ok(tokens.into_iter().collect()),
            None => {}
        }
        let mut apps = vec![TEMPLATE.to_owned()];
        if !tokens.is_empty() {
            apps.extend(tokens);
            return Ok(apps);
        }
        let list = self.door.ask(Method::GET, "apps").await?.unwrap_or_default();
        let known = list["value"].as_array().map_or(&[][..], Vec::as_slice);
        let known = known.iter().filter(|app| may_be(app, listening)).filter_map(|app| app["id"].as_str());
        apps.extend(known.filter(|id| *id == APP_ID || !self.progress.was_there(id)).map(str::to_owned));
        Ok(apps)
    }

    /// A bot is whom it gets a token as, whatever its settings say; of several, the one that they say.
    fn recognise(&self, app: &str) {
        let (own, tokens) = (self.progress.own(), self.progress.tokens());
        let is_found = self.app.as_ref().is_some_and(|found| found.id == app);
        let is_known = own.is_some_and(|own| own == app || !is_found && tokens.contains(&own));
        if is_known || !tokens.contains(app) {
            return;
        }
        self.progress.is(app);
        say(&match &self.app {
            None => format!("app id {app}, as which the bot got a token"),
            Some(Found { from, .. }) if is_found => {
                format!("the bot got a token as {app} (from {from}) as well: it is that one again")
            }
            Some(Found { id, from, .. }) => {
                format!("the bot got a token as {app}, not {id} (from {from}): it is told of calls as {app}")
            }
        });
    }
}

/// Whether an app may be a bot of which nothing is known but where it listens.
fn may_be(app: &Value, listening: &BTreeSet<SocketAddr>) -> bool {
    app["id"] == APP_ID || app["configured"] != true && !is_elsewhere(app, listening)
}

/// Whether another run has told where this app listens: it still does, and not at a port of this bot.
fn is_elsewhere(app: &Value, listening: &BTreeSet<SocketAddr>) -> bool {
    let local = app["local"].as_str().and_then(|local| Url::parse(local).ok()?.port_or_known_default());
    local.is_some_and(|port| is_taken(port) && !listening.iter().any(|at| at.port() == port))
}

fn is_time(looks: u32) -> bool {
    let every = limits::LOOK_AGAIN.as_millis() / limits::LOOK.as_millis();
    u128::from(looks) % every == 0
}

/// The path at which the bot is told of calls, if that can be known. Says how.
fn path(local: &str, heard: &Heard, family: &Family) -> Option<&'static str> {
    let written: Vec<&str> = match heard {
        Heard::Paths(paths) => paths.clone(),
        _ => text::paths(&family.commands()),
    };
    let (path, why) = match (heard, written.as_slice()) {
        (Heard::Paths(_), [path]) => (*path, "it answers at this path and not at others".to_owned()),
        (Heard::Paths(_), [path, others @ ..]) => {
            (*path, format!("it answers there, and at {} (--webhook says otherwise)", others.join(", ")))
        }
        (_, [path]) => (*path, "the program's text has this path".to_owned()),
        (Heard::Any(true), _) => (USUAL[0], "it answers at any path".to_owned()),
        _ => return None,
    };
    found(local, path, &why);
    Some(path)
}

fn found(local: &str, path: &str, why: &str) {
    say(&format!("incoming calls are told to {local}{path}: {why}"));
}

/// Asks at the terminal, if there is one: the bot has standard input.
async fn asked_of_a_person(local: String) -> Option<String> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return None;
    }
    // Read without a thread that waits: a question that is dropped must not take the next line that is typed.
    let mut terminal = OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open("/dev/tty").ok()?;
    let question = format!("ringback: the bot listens at {local}. At which path is it told of calls? [{}] ", USUAL[0]);
    terminal.write_all(question.as_bytes()).ok()?;
    let mut typed = pipe::Receiver::from_file_unchecked(terminal).ok()?;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") && line.len() < limits::HEAD {
        if typed.read_buf(&mut line).await.ok()? == 0 {
            return None;
        }
    }
    let line = String::from_utf8_lossy(&line);
    let path = line.trim();
    Some(if path.is_empty() { USUAL[0].to_owned() } else { format!("/{}", path.trim_start_matches('/')) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_are_origins() {
        let read = callback("https://Bot.ngrok.app=3978").unwrap();
        assert_eq!((read.public.as_str(), read.local.as_str()), ("https://bot.ngrok.app", "http://127.0.0.1:3978"));
        assert_eq!(callback("https://a.example:444=http://[::1]:1").unwrap().local, "http://[::1]:1");
        for wrong in
            ["", "https://x.example", "x=y", "https://x.example/api=3978", "ftp://x.example=1", "https://x=99999"]
        {
            assert!(callback(wrong).is_err(), "{wrong}");
        }
        assert!(webhook("http://127.0.0.1:3978/api/calls").is_ok() && webhook("3978").is_err());
    }

    #[test]
    fn the_app_of_another_runs_bot_is_not_taken_for_one_whose_id_is_not_known() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (here, nowhere) = (BTreeSet::from([at]), BTreeSet::new());
        let app = json!({ "id": "a", "configured": false, "local": format!("http://{at}") });
        assert!(may_be(&app, &here) && !may_be(&app, &nowhere), "others listen there");
        assert!(may_be(&json!({ "id": "a", "configured": false }), &nowhere));
        assert!(!may_be(&json!({ "id": "a", "configured": true }), &nowhere));
        assert!(may_be(&json!({ "id": APP_ID, "configured": true }), &nowhere));
        let left = json!({ "id": "a", "configured": false, "local": "http://127.0.0.1:1" });
        assert!(may_be(&left, &nowhere), "nobody does any more");
    }
}
