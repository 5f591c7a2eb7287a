//! The linter: follows each call's events, requests and notifications, and says what its bot did that works by luck.
//!
//! A pure machine: it is told what happened and when, and gives what was found. It must not know how it is shown.

use std::collections::{HashMap, HashSet, VecDeque};

use ringback_core::{AppId, CallId, Event, Now, Operation, OperationKind, Record, ResultInfo};

use super::findings::Rule;
use crate::limits;

/// Something found in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Noticed {
    pub(super) rule: Rule,
    pub(super) app: AppId,
    pub(super) call: CallId,
    pub(super) detail: String,
}

/// The calls that live.
#[derive(Debug, Default)]
pub(super) struct Lint {
    calls: HashMap<CallId, Watched>,
    /// What was said of calls that are over, whose notices may yet be attempted for minutes.
    over: VecDeque<(CallId, Rule)>,
    /// Apps of the directory whose bots last came with a wrong secret: that they do nothing is explained.
    refused: HashSet<AppId>,
}

/// What is known of a call's bot.
#[derive(Debug)]
struct Watched {
    app: AppId,
    /// It took a notification.
    taken: bool,
    /// When it first knew that audio is active: it was told, or read it.
    audio: Option<Now>,
    /// It did something with the call.
    acted: bool,
    /// What was said of this call: each thing once.
    said: Vec<Rule>,
}

impl Lint {
    /// A record was made.
    pub(super) fn recorded(&mut self, record: &Record) -> Vec<Noticed> {
        record.events.iter().flat_map(|event| self.event(event, record.at)).collect()
    }

    fn event(&mut self, event: &Event, at: Now) -> Vec<Noticed> {
        match event {
            Event::CallOffered(begun) | Event::CallPlaced(begun) if self.calls.len() < limits::CONVERSATIONS => {
                self.calls.insert(begun.call, Watched::of(&begun.app));
            }
            Event::CallAnswered { call, .. } | Event::CallTerminating { call } | Event::CallKeptAlive { call } => {
                self.acted(*call);
            }
            Event::OperationStarted { call, operation } => return self.began(*call, operation),
            Event::CallTerminated { call, result } => {
                let noticed = self.ended(*call, result, at);
                for rule in self.calls.remove(call).map(|watched| watched.said).unwrap_or_default() {
                    self.keep(*call, rule);
                }
                return noticed.into_iter().collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn began(&mut self, call: CallId, operation: &Operation) -> Vec<Noticed> {
        self.acted(call);
        let is_media = match operation.kind {
            OperationKind::PlayPrompt { .. }
            | OperationKind::RecordResponse(_)
            | OperationKind::SendDtmfTones { .. } => true,
            OperationKind::SubscribeToTone | OperationKind::CancelMediaProcessing => false,
        };
        let Some(watched) = self.calls.get(&call).filter(|_| is_media) else { return Vec::new() };
        let early = watched.audio.is_none().then_some(Rule::PlayedBeforeAudio);
        let nameless = operation.client_context.is_none().then_some(Rule::NoClientContext);
        [early, nameless].into_iter().flatten().filter_map(|rule| self.say(call, rule, String::new())).collect()
    }

    /// A bot that took what it was sent, had the time, and did nothing with it.
    fn ended(&mut self, call: CallId, result: &ResultInfo, at: Now) -> Option<Noticed> {
        let watched = self.calls.get(&call).filter(|watched| !watched.acted && watched.taken)?;
        if self.refused.contains(&watched.app) {
            return None;
        }
        let detail = if *result == ResultInfo::not_answered_by_bot() {
            "it took the incoming call's notification, and neither answered, rejected nor redirected the call"
        } else if watched.audio.is_some_and(|since| since.until(at) >= limits::REACTS) {
            "it was told that the call is established and audio active, and used it for nothing"
        } else {
            return None;
        };
        self.say(call, Rule::NeverReacted, detail.to_owned())
    }

    /// A bot came with a wrong secret.
    pub(super) fn secret_rejected(&mut self, app: &AppId) {
        self.refused.insert(app.clone());
    }

    /// A bot got a token.
    pub(super) fn gave_token(&mut self, app: &AppId) {
        self.refused.remove(app);
    }

    /// A request did something to a call.
    pub(super) fn acted(&mut self, call: CallId) {
        if let Some(watched) = self.calls.get_mut(&call) {
            watched.acted = true;
            self.refused.remove(&watched.app);
        }
    }

    /// The bot took a notification.
    pub(super) fn taken(&mut self, call: CallId) {
        if let Some(watched) = self.calls.get_mut(&call) {
            watched.taken = true;
        }
    }

    /// The bot is told that audio is active, or reads it.
    pub(super) fn told_of_audio(&mut self, call: CallId, at: Now) {
        if let Some(watched) = self.calls.get_mut(&call) {
            watched.audio.get_or_insert(at);
        }
    }

    /// Something that others noticed: once for each call.
    pub(super) fn say_of(&mut self, call: CallId, app: &AppId, rule: Rule, detail: String) -> Option<Noticed> {
        if self.calls.contains_key(&call) {
            return self.say(call, rule, detail);
        }
        if self.over.contains(&(call, rule)) {
            return None;
        }
        self.keep(call, rule);
        Some(Noticed { rule, app: app.clone(), call, detail })
    }

    /// Remembers what was said of a call that is over.
    fn keep(&mut self, call: CallId, rule: Rule) {
        if self.over.len() >= limits::LINTED_CALLS {
            self.over.pop_front();
        }
        self.over.push_back((call, rule));
    }

    fn say(&mut self, call: CallId, rule: Rule, detail: String) -> Option<Noticed> {
        let watched = self.calls.get_mut(&call)?;
        if watched.said.contains(&rule) {
            return None;
        }
        watched.said.push(rule);
        Some(Noticed { rule, app: watched.app.clone(), call, detail })
    }
}

impl Watched {
    fn of(app: &AppId) -> Watched {
        Watched { app: app.clone(), taken: false, audio: None, acted: false, said: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_bot_that_has_no_token_is_not_said_to_do_nothing() {
        let (app, call) = (AppId::new("an app"), CallId(Uuid::nil()));
        let mut lint = Lint::default();
        let rings_out = |lint: &mut Lint| {
            lint.calls.insert(call, Watched::of(&app));
            lint.taken(call);
            lint.ended(call, &ResultInfo::not_answered_by_bot(), Now(0)).map(|noticed| noticed.rule)
        };
        assert_eq!(rings_out(&mut lint), Some(Rule::NeverReacted));
        lint.secret_rejected(&app);
        assert_eq!(rings_out(&mut lint), None, "the wrong secret was told");
        lint.gave_token(&app);
        assert_eq!(rings_out(&mut lint), Some(Rule::NeverReacted));
        lint.secret_rejected(&app);
        lint.acted(call);
        assert_eq!(rings_out(&mut lint), Some(Rule::NeverReacted), "with a token of before");
    }
}
