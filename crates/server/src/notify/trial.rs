//! Webhooks tried without a call: whether they can be reached, and whether they check the tokens of notifications.
//!
//! A trial is an envelope without any notification in it, so that nothing happens in the bot. It must not know calls.

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use ringback_core::AppId;
use serde_json::{Value, json};

use super::Lanes;
use crate::auth::TrialToken;
use crate::clock;
use crate::directory::{APP_ID, App};
use crate::outbound::{PostLimits, Target};
use crate::trace::Rule;

/// The envelope (`contract §2.15`), empty.
const EMPTY: &[u8] = br##"{"@odata.type":"#microsoft.graph.commsNotifications","value":[]}"##;

impl Lanes {
    /// Posts an empty notification with each kind of token to an app's webhook, and says what was answered; what is
    /// wrong is a finding. An error is for people.
    pub(crate) async fn try_tokens(&self, app: AppId) -> Result<Value, String> {
        let shared = &self.shared;
        let app = shared.directory.current().app(&app).cloned().ok_or("there is no such app")?;
        let target = target(&app)?;
        let mut tried = Vec::new();
        for which in TrialToken::ALL {
            let bearer = shared.auth.trial_bearer(which, &app.id, &app.tenant, clock::wall_seconds());
            let mut headers = HeaderMap::with_capacity(2);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
            if let Some(bearer) = bearer.map_err(|error| error.to_string())? {
                headers.insert(AUTHORIZATION, bearer);
            }
            let (named, body) = (app.reach.named(), Bytes::from_static(EMPTY));
            let answer = shared.outbound.post(&target, named, &headers, body, PostLimits::default()).await;
            tried.push((which, answer.map(|answer| answer.status).map_err(|error| error.to_string())));
        }
        self.judge(&app, &tried);
        let print = |(which, answer): &(TrialToken, Result<u16, String>)| match answer {
            Ok(status) => json!({ "token": which.word(), "status": status, "accepted": is_taken(*status) }),
            Err(why) => json!({ "token": which.word(), "accepted": false, "why": why }),
        };
        Ok(json!({ "app": app.id.as_str(), "value": tried.iter().map(print).collect::<Vec<_>>() }))
    }

    fn judge(&self, app: &App, tried: &[(TrialToken, Result<u16, String>)]) {
        let trace = &self.shared.trace;
        if tried.iter().all(|(_, answer)| answer.is_ok()) {
            // This trial says all that an earlier one said.
            trace.mended(&app.id, Rule::TokenRefused);
            trace.mended(&app.id, Rule::TokenUnchecked);
        }
        let mut accepted = Vec::new();
        for (which, answer) in tried {
            let Ok(status) = answer else { continue };
            match (which, is_taken(*status)) {
                (TrialToken::Right, false) => {
                    let detail = format!("it answered {status} to an empty notification with the right token");
                    trace.found(Some(&app.id), Rule::TokenRefused, &detail);
                }
                (TrialToken::Right, true) | (_, false) => {}
                (_, true) => accepted.push(which.word()),
            }
        }
        if !accepted.is_empty() {
            trace.found(Some(&app.id), Rule::TokenUnchecked, &accepted.join(", "));
        }
    }

    /// Connects to the webhook of every app that has one, and says which could be reached. Of apps that no configuration
    /// names only those with a number are looked for: the others are bots that ran here once.
    pub(crate) async fn try_webhooks(&self) -> Value {
        let directory = self.shared.directory.current();
        let is_played = |app: &App| app.configured && app.id.as_str() != APP_ID || !app.numbers.is_empty();
        let mut tried = Vec::new();
        for app in directory.apps().filter(|app| app.reach.webhook().is_some() && is_played(app)) {
            let reached = match target(app) {
                Ok(target) => {
                    let named = app.reach.named();
                    self.shared.outbound.reach(&target, named).await.map_err(|error| error.to_string())
                }
                Err(why) => Err(why),
            };
            tried.push(json!({
                "app": app.id.as_str(),
                "webhook": app.reach.webhook().map(|webhook| webhook.url().as_str()),
                "reached": reached.is_ok(),
                "why": reached.err(),
            }));
        }
        json!({ "value": tried })
    }
}

/// A 2xx: what a bot answers to a notification that it takes.
fn is_taken(status: u16) -> bool {
    (200..=299).contains(&status)
}

fn target(app: &App) -> Result<Target, String> {
    let webhook = app.reach.webhook().ok_or("the app has no webhook")?.url();
    let goes = app.reach.of_callback(webhook).unwrap_or_else(|| webhook.clone());
    Target::of(goes).map_err(|error| format!("the webhook {error}"))
}
