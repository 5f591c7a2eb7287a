//! Bots that wait to be called: who they are and where they are told of calls is found out, said aloud and told to the
//! server, which then sends there whatever public name a bot's addresses have.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Method;
use ringback_server::directory::APP_ID;
use ringback_server::first_seen::TEMPLATE;
use serde_json::{Value, json};
use tokio::time::timeout;
use url::Url;

use super::app::Found;
use super::probe::{Heard, USUAL};
use super::processes::Family;
use super::progress::Progress;
use super::search::{Search, reached};
use super::{limits, say};
use crate::Failure;
use crate::door::Visitor;

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
    pub(super) command: Vec<OsString>,
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

impl Incoming {
    /// Says who the bot is, and tells the server what the command line says of it, in place of what was said before of
    /// bots to come.
    pub(super) async fn begin(&self) {
        match &self.app {
            Some(found) => say(&format!("app id {}, from {}", found.id, found.from)),
            None => {
                say("no app id in the environment, .env or appsettings.json: known once the bot asks for a token; \
                         until then calls are offered as the development app's (or give --app-id)")
            }
        }
        for Callback { public, local } in &self.callbacks {
            say(&format!("{public} is sent to {local}"));
        }
        self.forget_template().await;
        if self.webhook.is_some() || !self.callbacks.is_empty() {
            let webhook = self.webhook.as_ref().map(Url::to_string);
            self.tell(&Place { local: None, webhook }, &mut BTreeSet::new()).await;
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
        loop {
            tick.tick().await;
            looks = looks.wrapping_add(1);
            // A bot that was found is looked at less often.
            if search.has_chosen() && !is_time(looks) {
                continue;
            }
            if let Some((port, heard)) = search.look(Family::of(root).listening()).await {
                self.progress.listens(port);
                place = self.place(reached(port), &heard).await;
                told.clear();
                self.tell(&place, &mut told).await;
            } else if self.app.is_none() && place != Place::default() {
                self.tell(&place, &mut told).await;
            }
        }
    }

    /// Where the bot that listens there is told of calls. Said aloud.
    async fn place(&self, reached: SocketAddr, heard: &Heard) -> Place {
        if *heard == Heard::NotHttp {
            say(&format!(
                "the bot listens at {reached} and speaks no plain HTTP there: start it without TLS, or say with \
                          --webhook where it is told of calls"
            ));
            return self.given(None);
        }
        let local = format!("http://{reached}");
        say(&format!(
            "the bot listens at {local}: what it names by a public address of its own (a tunnel's) is sent there"
        ));
        let mut place = self.given(Some(local.clone()));
        if place.webhook.is_none() {
            place.webhook = self.path(reached, heard).await.map(|path| format!("{local}{path}"));
        }
        place
    }

    fn given(&self, local: Option<String>) -> Place {
        Place { local, webhook: self.webhook.as_ref().map(Url::to_string) }
    }

    /// The path at which it is told of calls, if that can be known or is told. Says how it came to be known.
    async fn path(&self, port: SocketAddr, heard: &Heard) -> Option<String> {
        let found = |path: &str, why: &str| {
            say(&format!("incoming calls are told to http://{port}{path}: {why}"));
            Some(path.to_owned())
        };
        let written: Vec<&str> = match heard {
            Heard::Paths(paths) => paths.clone(),
            _ => self.written(),
        };
        match (heard, written.as_slice()) {
            (Heard::Paths(_), [path]) => return found(path, "it answers at this path and not at others"),
            (Heard::Paths(_), [path, others @ ..]) => {
                return found(
                    path,
                    &format!("it answers there, and at {} (--webhook says otherwise)", others.join(", ")),
                );
            }
            (_, [path]) => return found(path, "the program's text has this path"),
            (Heard::Any(true), _) => return found(USUAL[0], "it answers at any path"),
            _ => {}
        }
        if let Some(path) = asked_of_a_person(port).await {
            return found(&path, "as you say");
        }
        say(&format!(
            "where the bot is told of incoming calls is not known: give --webhook http://{port}/PATH (it can make \
                      calls all the same)"
        ));
        None
    }

    /// Usual paths that the files of the command name.
    fn written(&self) -> Vec<&'static str> {
        let text = |word: &OsString| {
            let path = Path::new(word);
            let length = path.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
            if length > limits::SETTINGS { None } else { std::fs::read_to_string(path).ok() }
        };
        let texts: Vec<String> = self.command.iter().filter_map(text).collect();
        let quoted = |path: &str| ['"', '\'', '`'].map(|quote| format!("{quote}{path}{quote}"));
        let is_named = |path: &&str| {
            let forms = quoted(path);
            texts.iter().any(|text| forms.iter().any(|form| text.contains(form)))
        };
        USUAL.into_iter().filter(is_named).collect()
    }

    /// Tells the server, for each app that may be the bot and has not been told of. What it refuses is said.
    async fn tell(&self, place: &Place, told: &mut BTreeSet<String>) {
        let tenant = self.app.as_ref().and_then(|app| app.tenant.clone());
        let callbacks = self.callbacks.iter();
        let callbacks: Vec<Value> =
            callbacks.map(|Callback { public, local }| json!({ "public": public, "local": local })).collect();
        let mut wish = json!({ "callbacks": callbacks });
        for (name, value) in [("tenant", &tenant), ("local", &place.local), ("webhook", &place.webhook)] {
            if let Some(value) = value {
                wish[name] = value.as_str().into();
            }
        }
        let apps = match &self.app {
            Some(app) => vec![app.id.clone()],
            None => self.apps().await.unwrap_or_default(),
        };
        for app in apps {
            if !told.insert(app.clone()) {
                continue;
            }
            match self.door.send(Method::PUT, &format!("apps/{app}"), wish.to_string()).await {
                Ok(answer) => {
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

    /// Whoever the bot may be: those yet to be seen, those seen since it runs, and the development app, whose number is
    /// published.
    async fn apps(&self) -> Result<Vec<String>, Failure> {
        let list = self.door.ask(Method::GET, "apps").await?.unwrap_or_default();
        let known = list["value"].as_array().cloned().unwrap_or_default();
        let ids = known.iter().filter_map(|app| Some((app["id"].as_str()?, app["configured"] == true)));
        let may_be = |(id, configured): (&str, bool)| {
            let is_new = !configured && !self.progress.was_there(id);
            (is_new || id == APP_ID).then(|| id.to_owned())
        };
        Ok([TEMPLATE.to_owned()].into_iter().chain(ids.filter_map(may_be)).collect())
    }
}

fn is_time(looks: u32) -> bool {
    let every = limits::LOOK_AGAIN.as_millis() / limits::LOOK.as_millis();
    u128::from(looks) % every == 0
}

/// Asks at the terminal, if there is one: the bot has standard input.
async fn asked_of_a_person(port: SocketAddr) -> Option<String> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return None;
    }
    let asked = tokio::task::spawn_blocking(move || {
        let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        write!(terminal, "ringback: the bot listens at {port}. At which path is it told of calls? [{}] ", USUAL[0])
            .ok()?;
        let mut line = String::new();
        std::io::BufReader::new(terminal).read_line(&mut line).ok()?;
        let path = line.trim();
        Some(if path.is_empty() { USUAL[0].to_owned() } else { format!("/{}", path.trim_start_matches('/')) })
    });
    asked.await.ok()?
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
}
