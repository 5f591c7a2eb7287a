//! A phone rings: which bot or meeting it reaches, and how the bot sees who calls.

use std::sync::Arc;

use ringback_core::{Identity, IdentityKind, LegId, TenantId};
use ringback_signal::{Incoming, Peer};

use super::{HangUp, Phones};
use crate::directory::{App, Directory, User, dialled};
use crate::engine::{EngineError, Legs, Parties, fresh_id};
use crate::meetings::Known;
use crate::trace::Entry;

/// SIP's words for why a call does not reach a bot (RFC 3261 §21).
const NOT_FOUND: u16 = 404;
/// Nobody is there who could answer.
const NOBODY_THERE: u16 = 480;
pub(super) const UNAVAILABLE: u16 = 503;

impl Phones {
    pub(super) fn incoming(&self, leg: LegId, incoming: Incoming) {
        let directory = self.shared.directory.current();
        let trunk = match &incoming.peer {
            Peer::Trunk(name) => Some(name.clone()),
            Peer::User(_) | Peer::Scripted(_) => None,
        };
        let full = trunk
            .as_ref()
            .and_then(|name| directory.trunk(name))
            .is_some_and(|trunk| self.calls_of_trunk(&trunk.name) >= trunk.max_calls as usize);
        self.enter(leg, trunk);
        self.offer(leg, &incoming, full);
    }

    /// Rings the bot, or declines the leg. `full`: what it came by carries as many calls as it may.
    pub(super) fn offer(&self, leg: LegId, incoming: &Incoming, full: bool) {
        let directory = self.shared.directory.current();
        let Some((app, source)) = reached(&directory, incoming) else {
            return self.dialled_meeting(leg, &directory, incoming.clone());
        };
        if full {
            return self.decline(leg, UNAVAILABLE);
        }
        let Some(webhook) = app.reach.webhook() else {
            let why = "was rung, and has no webhook yet: PUT /_ringback/apps/{id} names one";
            let entry = || Entry::of_none(format!("app {} {why}", app.id)).of_app(Some(&app.id));
            self.shared.trace.timeline().add("identity", entry);
            return self.decline(leg, UNAVAILABLE);
        };
        let parties = Parties {
            app: app.id.clone(),
            tenant: app.tenant.clone(),
            callback: webhook.url().to_string(),
            source,
            target: app.identity(),
            subject: None,
            max_calls: app.max_calls as usize,
        };
        match self.shared.engine.offer(leg, parties) {
            Err(error) => {
                tracing::warn!(%error, "an incoming call was turned away");
                self.decline(leg, UNAVAILABLE);
            }
            Ok(answer) => {
                self.tell_scripted(leg, &incoming.peer);
                let this = self.clone();
                self.shared.runtime.spawn(async move {
                    if !matches!(answer.await, Ok(Ok(_))) {
                        this.decline(leg, UNAVAILABLE);
                    }
                });
            }
        }
    }

    /// Whoever has a phone here may dial a meeting; trunks may not, since its number is none of the telephone network.
    fn dialled_meeting(&self, leg: LegId, directory: &Directory, incoming: Incoming) {
        let meeting = self.shared.meetings.dialled(&dialled(&incoming.called));
        let identity = match (&incoming.peer, caller(directory, &incoming)) {
            (Peer::Trunk(_), _) => None,
            (Peer::User(_), user) => user.map(|user| as_seen(user, &user.tenant)),
            (Peer::Scripted(_), user) => {
                Some(user.map_or_else(|| telephone(&incoming), |user| as_seen(user, &user.tenant)))
            }
        };
        let (Some(meeting), Some(identity)) = (meeting, identity) else {
            return self.decline(leg, NOT_FOUND);
        };
        let this = self.clone();
        self.shared.runtime.spawn(async move {
            match this.shared.engine.phone_joins(leg, &meeting.thread, identity).await {
                Ok(()) => this.tell_scripted(leg, &incoming.peer),
                Err(EngineError::NobodyThere) => {
                    this.keep_out(leg, &meeting, NOBODY_THERE, "the meeting's bot is not there")
                }
                Err(error) => {
                    tracing::warn!(%error, "a phone was kept out of its meeting");
                    this.keep_out(leg, &meeting, UNAVAILABLE, "the meeting takes no more phones just now");
                }
            }
        });
    }

    fn keep_out(&self, leg: LegId, meeting: &Known, status: u16, why: &'static str) {
        let text = || format!("a phone was kept out of meeting {}: {why}", meeting.join_id);
        self.shared.trace.timeline().add("event", || Entry::of_none(text()));
        self.because(leg, HangUp::KeptOut(why));
        self.decline(leg, status);
    }

    /// A scripted phone learns which call it is in.
    fn tell_scripted(&self, leg: LegId, peer: &Peer) {
        if let Peer::Scripted(phone) = peer
            && let (Ok(phone), Some((call, _))) = (phone.parse(), self.shared.engine.call_of_leg(leg))
        {
            self.shared.scripted.joined(phone, call);
        }
    }
}

/// The bot at the called number, if this caller may reach it, and the caller as the bot sees it.
pub(super) fn reached(directory: &Directory, incoming: &Incoming) -> Option<(Arc<App>, Identity)> {
    let app = directory.app_by_number(&dialled(&incoming.called)).cloned()?;
    let source = match (&incoming.peer, caller(directory, incoming)) {
        (Peer::User(_), None) => return None,
        // Users reach the bots of their own tenant. Where tenants separate nobody, the caller is one of the bot's own.
        (_, Some(user)) if directory.sees(&app.tenant, &user.tenant) => as_seen(user, &app.tenant),
        (_, Some(_)) => return None,
        (_, None) => telephone(incoming),
    };
    Some((app.clone(), seen_by(&app, source)))
}

/// The caller as an app sees it: who has no permission at all does not see who calls (`contract §2.3`).
fn seen_by(app: &App, source: Identity) -> Identity {
    if app.roles.is_empty() {
        let id = fresh_id().to_string();
        return Identity { kind: IdentityKind::Encrypted, id, display_name: None, tenant: None };
    }
    source
}

/// The user whose phone calls. A scripted phone with a user's number stands for that user, with any other for a telephone.
fn caller<'d>(directory: &'d Directory, incoming: &Incoming) -> Option<&'d Arc<User>> {
    match &incoming.peer {
        Peer::User(name) => directory.user_by_sip(name),
        Peer::Scripted(_) => directory.user_by_sip(&incoming.from),
        Peer::Trunk(_) => None,
    }
}

/// A user as bots see him.
fn as_seen(user: &User, tenant: &TenantId) -> Identity {
    Identity {
        kind: IdentityKind::User,
        id: user.id.clone(),
        display_name: Some(user.name.clone()),
        tenant: Some(tenant.as_str().to_owned()),
    }
}

/// A telephone as bots see it.
fn telephone(incoming: &Incoming) -> Identity {
    Identity {
        kind: IdentityKind::Phone,
        id: incoming.from.clone(),
        display_name: incoming.from_display.clone(),
        tenant: None,
    }
}
