//! What goes wrong with a bot while it runs, said as it happens: from the server's timeline, from the hooks, and from
//! what its processes do. And, when it ends, why that may be.

use std::collections::BTreeSet;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::folder::Folder;
use super::processes::{self, Family};
use super::progress::Progress;
use super::{hosts, led};
use crate::door::{Events, Visitor, data_of};
use crate::limits;

/// Where most bots listen.
const USUAL_PORT: u16 = 3978;

/// What is watched of a bot.
pub(super) struct Watch<'a> {
    pub(super) progress: &'a Arc<Progress>,
    pub(super) door: &'a Visitor,
    /// Where the hooks are, and say things.
    pub(super) folder: &'a Folder,
    /// The address that the server sees the bot at.
    pub(super) from: String,
    /// Ports that it is known to want.
    pub(super) wanted: Vec<u16>,
}

impl Watch<'_> {
    /// Follows the timeline until the server ends it, which one that was found here may do at any time.
    pub(super) async fn timeline(&self, events: &mut Events) {
        while let Ok(Some(event)) = events.next().await {
            self.entry(&entry_of(&event));
        }
        self.progress.say_once("the server has stopped: nobody answers what the bot asks from now on");
    }

    /// The bot has ended: says what the timeline has of it still. That is over at a question of our own.
    pub(super) async fn catch_up(&self, events: &mut Events) {
        let last = async {
            self.door.ask(Method::GET, "status").await.ok()?;
            loop {
                let entry = entry_of(&events.next().await.ok()??);
                if entry["text"].as_str().is_some_and(|text| text.starts_with("GET /_ringback/status ")) {
                    return Some(());
                }
                self.entry(&entry);
            }
        };
        let _ = timeout(limits::ANSWER_TIME, last).await;
    }

    /// Other bots may have the server, too: of them nothing is said, and the tokens that they get are not this one's.
    fn entry(&self, entry: &Value) {
        let text = |member: &str| entry[member].as_str().unwrap_or_default();
        let (kind, app, text) = (text("kind"), entry["app"].as_str(), text("text"));
        if let Some(app) = app
            && kind == "request"
            && text.ends_with("/token → 200")
            && entry["from"] == self.from.as_str()
        {
            self.progress.got_token(app);
        }
        let whose = match (app, self.progress.own()) {
            (Some(app), Some(own)) if app != own => return self.other(kind, app, text),
            // It may be any.
            (Some(app), None) => format!("app {app}: "),
            _ => String::new(),
        };
        let say = |text: &str| self.progress.say_once(&format!("{whose}{text}"));
        match kind {
            "lint" | "token" => say(text),
            "identity" => self.progress.say_once(text),
            // What is repeated, slow or cannot be connected to, the linter says in better words.
            "notification" if text.contains("where the bot listens") => say(text),
            "notification" if text.contains("webhook answered") => say(&format!("notification {text}")),
            "request" => self.request(text),
            _ => {}
        }
    }

    /// Another app is seen before this bot has a token: what is taken for the bot's app id may be wrong.
    fn other(&self, kind: &str, app: &str, text: &str) {
        if kind == "identity" && text.contains("for the first time") && !self.progress.has_asked_for_token() {
            self.progress.say_once(&format!("{text}: if that is this bot, give --app-id {app}"));
        }
    }

    /// `POST /…/oauth2/v2.0/token → 200`, as the timeline has it.
    fn request(&self, text: &str) {
        let (asked, status) = text.rsplit_once(" → ").unwrap_or((text, ""));
        if asked.ends_with("/token") {
            self.progress.asked_for_token();
        }
        match status {
            "201" | "202" if asked.contains("/communications/calls") || asked.contains("/app/calls") => {
                self.progress.called();
            }
            _ => {}
        }
    }

    /// Looks at what hooks say and at processes that none leads, and once at a bot that does nothing. Does not return.
    pub(super) async fn processes(&self, root: u32) {
        let mut tick = tokio::time::interval(limits::LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut look, quiet) = (Instant::now(), Instant::now() + limits::QUIET);
        let (mut read, mut looked) = (0, false);
        let (mut unled, mut past) = (BTreeSet::new(), BTreeSet::new());
        loop {
            tick.tick().await;
            self.hooks(&mut read);
            if Instant::now() < look {
                continue;
            }
            look = Instant::now() + limits::LOOK_AGAIN;
            let others = Family::of(root).without(&self.progress.led());
            unled = self.unled(&others, &unled);
            self.past(&others, &mut past).await;
            if !looked && Instant::now() >= quiet {
                looked = true;
                self.quiet(root, &past);
            }
        }
    }

    /// Says which processes no hook leads. Those alone that were there at the last look, too: tools that ask Python
    /// something are gone at once. Gives those of this one.
    fn unled(&self, others: &Family, before: &BTreeSet<u32>) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        for process in others.processes() {
            let Some(why) = led::why_not(*process, self.folder) else { continue };
            found.insert(*process);
            if before.contains(process) {
                let name = processes::name(*process);
                self.progress.say_once(&format!(
                    "process {process} ({name}) is not led here, and what it asks of Microsoft may reach Microsoft: {why}"
                ));
            }
        }
        found
    }

    /// Says which processes connect elsewhere by themselves, each once.
    async fn past(&self, others: &Family, told: &mut BTreeSet<u32>) {
        for (process, address) in others.connects(hosts::PORT) {
            if !told.insert(process) {
                continue;
            }
            let name = processes::name(process);
            self.progress.say_once(&format!(
                "process {process} ({name}) connects to {address} by itself, past the proxy and the hooks: if that is \
                 Microsoft's, see docs/RUN.md, where it does not reach"
            ));
            // Whose address it is cannot be known from here; a bot's first way is to Microsoft.
            if !self.progress.has_begun() {
                let app = self.progress.own().map(|app| format!("/{app}")).unwrap_or_default();
                let _ = self.door.ask(Method::POST, &format!("findings/proxyIgnored{app}")).await;
            }
        }
    }

    /// Says what hooks have said since the last look.
    pub(super) fn hooks(&self, read: &mut u64) {
        for line in lines_after(&self.folder.said(), read) {
            let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
            if let Some(refused) = value["refused"].as_str() {
                self.progress.say_once(refused);
            }
            if let Some(process) = value["leads"].as_u64().and_then(|process| u32::try_from(process).ok()) {
                self.progress.leads(process);
            }
            if let Some(port) = value["bind"].as_u64().and_then(|port| u16::try_from(port).ok()) {
                let why = match (value["why"].as_str(), processes::holder(port)) {
                    (Some("EACCES"), _) => "that port is not this user's to have: choose one above 1023".to_owned(),
                    (_, Some((process, name))) => format!("process {process} has it ({name})"),
                    _ => "another program has it".to_owned(),
                };
                self.progress.turned_away();
                self.progress.say_once(&format!("the bot could not listen at port {port}: {why}"));
            }
        }
    }

    /// The bot has run for a while. If nothing has come of it, says what it does instead, unless that was said.
    fn quiet(&self, root: u32, past: &BTreeSet<u32>) {
        if self.progress.has_begun() || !past.is_empty() {
            return;
        }
        let seconds = limits::QUIET.as_secs();
        let taken = self.taken().filter(|_| self.progress.may_want_a_port());
        let why = taken.unwrap_or_else(|| "it waits for something else, or prints to nowhere".to_owned());
        self.progress.say_once(&format!(
            "after {seconds} s the bot runs (process {root}) and has asked for no token{}, made no call and listens at no \
             port: {why}",
            self.progress.own().map(|app| format!(" as app {app}")).unwrap_or_default()
        ));
    }

    /// Another program has a port that the bot may want.
    fn taken(&self) -> Option<String> {
        let taken = self.wanted.iter().chain([&USUAL_PORT]).find(|port| processes::is_taken(**port))?;
        let by = processes::holder(*taken)
            .map_or("another program".to_owned(), |(process, name)| format!("process {process} ({name})"));
        Some(format!("port {taken} is taken by {by}, if that is the one it wants"))
    }

    /// The bot has ended. Says why, where it was too soon or not well.
    pub(super) fn ended(&self, status: ExitStatus, ran: Duration, was_told: bool) {
        self.hooks(&mut 0);
        // Who is told of a signal beside it (by the terminal, or as one of a group) may be quicker than this process.
        if was_told || super::child::was_asked_to_end(status) {
            return;
        }
        let how = super::child::in_words(status);
        let ran = format!("{:.1} s", ran.as_secs_f64());
        if !self.progress.has_begun() {
            let taken = if self.progress.may_want_a_port() { self.taken() } else { None };
            let taken = taken.map_or(String::new(), |taken| format!("; {taken}"));
            self.progress.say_once(&format!(
                "the bot ended {how} after {ran}, before it asked for a token, made a call or listened at a port: what it \
                 printed says why{taken}"
            ));
        } else if !status.success() {
            self.progress.say_once(&format!("the bot ended {how} after {ran}: what it printed says why"));
        }
    }
}

/// What an event of the timeline says; null, if nothing.
fn entry_of(event: &str) -> Value {
    data_of(event).and_then(|data| serde_json::from_str(&data).ok()).unwrap_or_default()
}

/// Whole lines of a file from a place on, which is moved.
fn lines_after(path: &Path, from: &mut u64) -> Vec<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(*from))?;
        file.take(limits::HOOKS_SAY.saturating_sub(*from)).read_to_string(&mut text)
    });
    if read.is_err() {
        return Vec::new();
    }
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    *from += whole as u64;
    text[..whole].lines().map(str::to_owned).collect()
}
