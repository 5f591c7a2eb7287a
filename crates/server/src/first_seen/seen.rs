//! What is known of one app: what the operator said, and what it came with. Its stored form is JSON; it is pure.

use ringback_core::{AppId, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::directory::{APP_WEBHOOK, BadRole, Role, SecretHash};
use crate::directory::{App, Base, DEFAULT_MAX_CALLS, DEFAULT_MAX_RECORDING_MIB, Directory, Moved, Reach, Webhook};
use crate::limits;

/// What the operator says of an app, as it is said and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wish {
    /// The tenant of its incoming calls: a GUID, or a domain name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What it may do; all, where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Where it is told of incoming calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// Where it really listens, whatever public name its URLs have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    /// The same, name by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub callbacks: Vec<Callback>,
}

/// One origin, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// The origin in the bot's URLs.
    pub public: String,
    /// The origin that it listens at.
    pub local: String,
}

/// What is wrong with a wish, and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWish {
    /// `tenant`.
    #[error("tenant is neither a GUID nor a domain name")]
    Tenant,
    /// `roles`.
    #[error("roles: {0}")]
    Roles(#[from] BadRole),
    /// `webhook`.
    #[error("webhook {0}")]
    Webhook(String),
    /// `local`.
    #[error("local {0}")]
    Local(String),
    /// A member of `callbacks`.
    #[error("callbacks[{index}].{member} {problem}")]
    Callback {
        /// Which.
        index: usize,
        /// `public` or `local`.
        member: &'static str,
        /// What.
        problem: String,
    },
    /// Too many `callbacks`.
    #[error("callbacks has more than {} entries", limits::CALLBACKS)]
    TooMany,
}

impl Wish {
    /// The same, if all of it can be used.
    pub(super) fn checked(self) -> Result<Wish, BadWish> {
        self.reach(None)?;
        self.roles()?;
        Ok(self)
    }

    fn roles(&self) -> Result<Option<Vec<Role>>, BadRole> {
        self.roles.as_deref().map(Role::parse_all).transpose()
    }

    fn reach(&self, otherwise: Option<Webhook>) -> Result<Reach, BadWish> {
        let webhook = self.webhook.as_deref().map(|text| short(text, Webhook::parse)).transpose();
        let local = self.local.as_deref().map(|text| short(text, Base::parse)).transpose();
        if self.callbacks.len() > limits::CALLBACKS {
            return Err(BadWish::TooMany);
        }
        let callback = |(index, callback): (usize, &Callback)| {
            let base = |member, text: &str| {
                short(text, Base::parse).map_err(|problem| BadWish::Callback { index, member, problem })
            };
            Ok(Moved { public: base("public", &callback.public)?, local: base("local", &callback.local)? })
        };
        let callbacks = self.callbacks.iter().enumerate().map(callback).collect::<Result<_, BadWish>>()?;
        let webhook = webhook.map_err(BadWish::Webhook)?.or(otherwise);
        Ok(Reach::new(webhook, local.map_err(BadWish::Local)?, callbacks))
    }
}

fn short<T, E: ToString>(text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, String> {
    if text.len() > limits::WISH_URL_BYTES {
        return Err(format!("is longer than {} bytes", limits::WISH_URL_BYTES));
    }
    parse(text).map_err(|error| error.to_string())
}

/// What is known of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    #[serde(default)]
    pub(super) wish: Wish,
    /// The hash of its first secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret_hash: Option<String>,
    /// When it was last heard of after another one had been, microseconds since 1970.
    pub(super) heard: i64,
    /// When the operator last said something of it, or it got what apps get that are seen for the first time.
    #[serde(default)]
    pub(super) said: i64,
}

/// The stored form, with its version.
#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    app: Seen,
}

impl Seen {
    pub(super) fn read(text: &str) -> Result<Seen, String> {
        let stored: Stored = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if stored.v == 1 { Ok(stored.app) } else { Err(format!("version {} is not known", stored.v)) }
    }

    pub(super) fn print(&self) -> String {
        serde_json::to_string(&Stored { v: 1, app: self.clone() }).unwrap_or_default()
    }

    /// It is seen now: it gets what was last said of apps first seen, unless more was said of it since.
    pub(super) fn meet(&mut self, template: Option<&Seen>, now: i64) {
        let Some(template) = template.filter(|template| self.said < template.said) else { return };
        let tenant = template.wish.tenant.clone().or(self.wish.tenant.take());
        self.wish = Wish { tenant, ..template.wish.clone() };
        self.said = now;
    }

    /// The app as the directory shows it.
    pub(super) fn app(&self, id: &AppId, configured: &Directory) -> App {
        let known = configured.app(id).map(|app| App::clone(app));
        let otherwise = match &known {
            Some(app) => app.reach.webhook().cloned(),
            // On a machine of its own, a bot listens where most samples do.
            None => configured.is_development().then(|| Webhook::parse(APP_WEBHOOK).ok()).flatten(),
        };
        let tenant = self.wish.tenant.as_deref().map(TenantId::new);
        let mut app = known.unwrap_or_else(|| App {
            id: id.clone(),
            tenant: configured.home(),
            configured: false,
            name: format!("Bot {}", id.as_str().split('-').next().unwrap_or_default()),
            secret: None,
            reach: Reach::default(),
            roles: Role::ALL.to_vec(),
            numbers: Vec::new(),
            prefixes: Vec::new(),
            max_calls: DEFAULT_MAX_CALLS,
            max_recording_mib: DEFAULT_MAX_RECORDING_MIB,
        });
        // What was stored was checked.
        app.reach = self.wish.reach(otherwise).unwrap_or_default();
        app.roles = self.wish.roles().ok().flatten().unwrap_or(app.roles);
        app.secret = app.secret.or_else(|| SecretHash::parse(self.secret_hash.as_deref()?).ok());
        if let Some(tenant) = tenant.filter(|_| !app.configured) {
            app.tenant = tenant;
        }
        app
    }
}

/// Whether this can be an app's id: a GUID, as all of Microsoft's are. Anything else may be a secret in the wrong place,
/// which would be kept and shown.
pub(super) fn is_app_id(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}
