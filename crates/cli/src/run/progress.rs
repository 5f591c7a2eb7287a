//! What a bot has done so far, and what was said of it: each thing once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::say;
use crate::limits;

/// Shared by those who look.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The bot's app id, as far as that is known.
    own: Option<String>,
    /// Apps as which it got a token.
    tokens: BTreeSet<String>,
    /// It asked for a token, in vain perhaps.
    asked: bool,
    /// It placed or answered a call.
    called: bool,
    /// It could not listen where it wanted, which was said.
    turned_away: bool,
    /// Where it listens.
    listens: Option<SocketAddr>,
    /// Apps that the server had seen before it started.
    apps: BTreeSet<String>,
    said: BTreeSet<String>,
    /// Processes of its own that a hook leads, so that what they connect to directly is well.
    led: BTreeSet<u32>,
}

impl Progress {
    /// Of a bot of this app, as far as is known.
    pub(super) fn of(own: Option<String>) -> Progress {
        Progress(Mutex::new(Known { own, ..Known::default() }))
    }

    pub(super) fn own(&self) -> Option<String> {
        self.known().own.clone()
    }

    /// It turned out to be this one.
    pub(super) fn is(&self, app: &str) {
        self.known().own = Some(app.to_owned());
    }

    pub(super) fn got_token(&self, app: &str) {
        self.known().tokens.insert(app.to_owned());
    }

    pub(super) fn tokens(&self) -> BTreeSet<String> {
        self.known().tokens.clone()
    }

    /// Says a thing, unless it was said before.
    pub(super) fn say_once(&self, text: &str) {
        let mut known = self.known();
        let is_new = known.said.len() < limits::SAID && known.said.insert(text.to_owned());
        drop(known);
        if is_new {
            say(text);
        }
    }

    pub(super) fn asked_for_token(&self) {
        self.known().asked = true;
    }

    pub(super) fn has_asked_for_token(&self) -> bool {
        self.known().asked
    }

    pub(super) fn called(&self) {
        self.known().called = true;
    }

    pub(super) fn listens(&self, at: SocketAddr) {
        self.known().listens = Some(at);
    }

    pub(super) fn turned_away(&self) {
        self.known().turned_away = true;
    }

    /// It may want a port that it has not, and nothing was said of that.
    pub(super) fn may_want_a_port(&self) -> bool {
        let known = self.known();
        known.listens.is_none() && !known.turned_away
    }

    /// It has done something that bots do.
    pub(super) fn has_begun(&self) -> bool {
        let known = self.known();
        known.asked || known.called || known.listens.is_some()
    }

    /// Which apps the server knew before.
    pub(super) fn set_apps(&self, list: &Value) {
        let ids = list["value"].as_array().into_iter().flatten().filter_map(|app| app["id"].as_str());
        self.known().apps = ids.map(str::to_owned).collect();
    }

    /// A hook leads this process.
    pub(super) fn leads(&self, process: u32) {
        self.known().led.insert(process);
    }

    pub(super) fn led(&self) -> BTreeSet<u32> {
        self.known().led.clone()
    }

    pub(super) fn was_there(&self, app: &str) -> bool {
        self.known().apps.contains(app)
    }

    /// The app as the server has it now: at which numbers phones reach it.
    pub(super) fn numbers(&self, app: &Value) {
        let numbers: Vec<&str> = app["numbers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !numbers.is_empty() {
            self.say_once(&format!("phones reach the bot at {}", numbers.join(", ")));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one step, so a poisoned lock is still sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
