//! One notification: printed, signed, posted, and what its answer means for the lane.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ringback_core::{AppId, CallId, TenantId};
use ringback_ledger::Cursor;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::Shared;
use crate::auth::{Auth, BadKey};
use crate::clock;
use crate::directory::BadUrl;
use crate::engine::{LaneOwner, Posted};
use crate::limits;
use crate::outbound::{Answer, ConnectError, PostError, PostLimits, Target};
use crate::trace::metrics::Delivery;
use crate::trace::{Attempted, Entry, Rule, notice_word};
use crate::wire;

/// What became of an attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The bot has it.
    Acknowledged,
    /// An ask is to go elsewhere.
    Elsewhere(String),
    /// The bot did not see it, or could not take it: hold the lane, try again.
    Again {
        /// For the operator.
        why: String,
        /// What the bot asked for.
        after: Option<Duration>,
    },
    /// The bot may have acted on it: repeat once, then step over.
    Unsure(String),
    /// The bot does not want it: undelivered at once.
    Refused(String),
}

/// A notification's message id: the same after any crash (design §4).
pub(crate) fn message_id(call: CallId, cursor: Cursor) -> Uuid {
    let mut name = [0u8; 12];
    name[..8].copy_from_slice(&cursor.version.0.to_be_bytes());
    name[8..].copy_from_slice(&cursor.index.to_be_bytes());
    Uuid::new_v5(&call.0, &name)
}

/// A notification, ready to be posted any number of times.
pub(crate) struct Letter {
    owner: Arc<LaneOwner>,
    target: Result<Arc<Target>, BadUrl>,
    posted: Posted,
    message_id: Uuid,
    body: Bytes,
}

impl Letter {
    pub(crate) fn new(
        owner: &Arc<LaneOwner>,
        target: Result<Arc<Target>, BadUrl>,
        posted: Posted,
        auth: &Auth,
    ) -> Self {
        let body = Bytes::from(wire::notification(owner, &posted.notice, auth).print());
        let message_id = message_id(owner.call, posted.cursor);
        Self { owner: Arc::clone(owner), target, posted, message_id, body }
    }

    pub(crate) fn message_id(&self) -> Uuid {
        self.message_id
    }

    pub(crate) fn posted(&self) -> &Posted {
        &self.posted
    }

    /// Posts it once.
    pub(crate) async fn post(&self, shared: &Shared) -> Attempt {
        let clock = shared.engine.clock();
        let began = clock.now();
        if matches!(self.posted.notice.told, ringback_core::Told::Established { audio: Some(true), .. }) {
            shared.trace.telling_of_audio(self.owner.call);
        }
        let attempt = self.attempt(shared).await;
        let ended = clock.now();
        let operation = match &self.posted.notice.told {
            ringback_core::Told::OperationEnded(operation) => Some(operation.id),
            _ => None,
        };
        shared.trace.attempted(&Attempted {
            call: self.owner.call,
            operation: operation.map(|id| id.0),
            version: self.posted.cursor.version.0,
            notice: notice_word(&self.posted.notice.told),
            message: self.message_id,
            outcome: delivery(&attempt),
            begin: began,
            end: ended,
        });
        shared.trace.timeline().add("notification", || Entry {
            took_ms: Some(began.until(ended).as_secs_f64() * 1e3),
            operation: operation.map(|id| id.to_string()),
            ..Entry::about(
                self.owner.call,
                format!("{} → {}", notice_word(&self.posted.notice.told), outcome(&attempt)),
            )
            .of_app(Some(&self.owner.app))
        });
        attempt
    }

    async fn attempt(&self, shared: &Shared) -> Attempt {
        let target = match &self.target {
            Ok(target) => target,
            Err(error) => return Attempt::Refused(format!("the callback {error}")),
        };
        let headers = match self.headers(shared) {
            Ok(headers) => headers,
            Err(why) => return Attempt::Again { why, after: None },
        };
        let app = shared.directory.current().app(&self.owner.app).cloned();
        let named = app.as_ref().map(|app| app.reach.named()).unwrap_or_default();
        let posted = shared.outbound.post(target, named, &headers, self.body.clone(), PostLimits::default()).await;
        self.look_at(shared, &posted);
        match posted {
            Ok(answer) => {
                self.watch_rest(shared, answer.rest);
                self.read(answer.status, answer.location, answer.retry_after)
            }
            // Only another configuration would let it through: no use in waiting.
            Err(PostError::Connect(ConnectError::Forbidden(why))) => Attempt::Refused(why.to_string()),
            Err(error) if error.is_written() => Attempt::Unsure(error.to_string()),
            Err(error) => Attempt::Again { why: error.to_string(), after: None },
        }
    }

    /// What the webhook's way of answering says about the bot and its set-up.
    fn look_at(&self, shared: &Shared, posted: &Result<Answer, PostError>) {
        let found = |rule, detail: &str| shared.trace.found_in(self.owner.call, &self.owner.app, rule, detail);
        match posted {
            Ok(answer) => {
                if let Some(apart) = answer.date.map(clock::apart).filter(|apart| *apart > limits::CLOCKS_APART) {
                    found(Rule::ClockOff, &format!("its webhook's clock is {} s from the server's", apart.as_secs()));
                }
            }
            Err(PostError::Connect(error)) => {
                let origin = self.target.as_ref().map(|target| target.url().origin().ascii_serialization());
                found(Rule::WebhookUnreachable, &format!("{}: {error}", origin.unwrap_or_default()));
            }
            Err(PostError::Unanswered) => {
                found(Rule::WebhookSlow, &format!("at the notification {}", notice_word(&self.posted.notice.told)))
            }
            Err(PostError::NotWritten(_) | PostError::Broken(_)) => {}
        }
    }

    /// Says so if the rest of an answer does not come.
    fn watch_rest(&self, shared: &Shared, rest: Option<JoinHandle<bool>>) {
        let Some(rest) = rest else { return };
        let (trace, owner, notice) =
            (shared.trace.clone(), Arc::clone(&self.owner), notice_word(&self.posted.notice.told));
        tokio::spawn(async move {
            if let Ok(false) = rest.await {
                let detail = format!("at the notification {notice}");
                trace.found_in(owner.call, &owner.app, Rule::WebhookUnfinished, &detail);
            }
        });
    }

    fn read(&self, status: u16, location: Option<String>, after: Option<Duration>) -> Attempt {
        let why = format!("the webhook answered {status}");
        let is_ask = self.posted.notice.ask_until.is_some();
        match (status, location) {
            (200..=299, _) => Attempt::Acknowledged,
            // contract §5.1: only an incoming call may be sent elsewhere.
            // Seen from where the bot says that it is, not from where it was reached.
            (302 | 307, Some(location)) if is_ask => {
                match Target::parse(&self.posted.notice.callback).and_then(|from| from.join(&location)) {
                    Ok(to) => Attempt::Elsewhere(to.url().to_string()),
                    Err(error) => Attempt::Refused(format!("the webhook's Location {error}")),
                }
            }
            (429 | 500..=599, _) => Attempt::Again { why, after },
            _ => Attempt::Refused(why),
        }
    }

    fn headers(&self, shared: &Shared) -> Result<HeaderMap, String> {
        let bearer = bearer(shared, &self.owner.app, &self.owner.tenant).map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        // contract §5.2.
        let chain = self.owner.conversation.to_string();
        let id = self.message_id.to_string();
        for (name, value) in [
            (HeaderName::from_static("scenario-id"), &chain),
            (HeaderName::from_static("x-microsoft-skype-chain-id"), &chain),
            (HeaderName::from_static("x-microsoft-skype-message-id"), &id),
        ] {
            headers.insert(name, HeaderValue::try_from(value.as_str()).map_err(|error| error.to_string())?);
        }
        Ok(headers)
    }
}

fn bearer(shared: &Shared, app: &AppId, tenant: &TenantId) -> Result<HeaderValue, BadKey> {
    shared.auth.notification_bearer(app, tenant, clock::wall_seconds())
}

fn delivery(attempt: &Attempt) -> Delivery {
    match attempt {
        Attempt::Acknowledged => Delivery::Acknowledged,
        Attempt::Elsewhere(_) => Delivery::Elsewhere,
        Attempt::Again { .. } => Delivery::Repeated,
        Attempt::Unsure(_) => Delivery::Unsure,
        Attempt::Refused(_) => Delivery::Refused,
    }
}

/// What became of an attempt, in words.
pub(crate) fn outcome(attempt: &Attempt) -> String {
    match attempt {
        Attempt::Acknowledged => "acknowledged".to_owned(),
        Attempt::Elsewhere(_) => "sent elsewhere".to_owned(),
        Attempt::Again { why, .. } => format!("will be repeated: {why}"),
        Attempt::Unsure(why) => format!("unsure: {why}"),
        Attempt::Refused(why) => format!("undelivered: {why}"),
    }
}
