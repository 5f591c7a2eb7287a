//! The bearer of a notification (`contract §5.3`, `client-facts §3`): made per app and tenant, reused until shortly
//! before it expires.

use super::jwt::{BadKey, SigningKey};
use super::limits;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::HeaderValue;
use ringback_core::{AppId, TenantId};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Who signs notifications, as bots know it.
pub const NOTIFICATION_ISSUER: &str = "https://api.botframework.com";
/// The claim without which a strict bot refuses a notification.
const TENANT_CLAIM: &str = "http://schemas.microsoft.com/identity/claims/tenantid";

struct Bearer {
    header: HeaderValue,
    made: u64,
}

impl Bearer {
    fn is_fresh(&self, now: u64) -> bool {
        // A clock set back by more than bots forgive makes a new one, too.
        now < self.made + limits::BEARER_SECONDS - limits::BEARER_SPARE_SECONDS
            && self.made <= now.saturating_add(limits::CLOCK_SKEW_SECONDS)
    }
}

/// A token with which a bot's check of notifications is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialToken {
    /// As every notification bears it: the only one that a bot may take.
    Right,
    /// None at all.
    Missing,
    /// The right claims, signed by nobody (RFC 7519 §6).
    Unsigned,
    /// The right claims with a signature that is not ours.
    Forged,
    /// Ours, and for another app.
    WrongAudience,
    /// Ours, and an hour past its end.
    Expired,
}

impl TrialToken {
    /// All of them; the right one first, so that a bot that refuses everything is known.
    pub const ALL: [TrialToken; 6] = [
        TrialToken::Right,
        TrialToken::Missing,
        TrialToken::Unsigned,
        TrialToken::Forged,
        TrialToken::WrongAudience,
        TrialToken::Expired,
    ];

    /// Its word, for people.
    pub fn word(self) -> &'static str {
        match self {
            TrialToken::Right => "right",
            TrialToken::Missing => "missing",
            TrialToken::Unsigned => "unsigned",
            TrialToken::Forged => "forged",
            TrialToken::WrongAudience => "for another audience",
            TrialToken::Expired => "expired",
        }
    }

    /// The value of `Authorization`; `None`: the header is left out.
    pub(super) fn header(
        self,
        key: &SigningKey,
        app: &AppId,
        tenant: &TenantId,
        now: u64,
    ) -> Result<Option<HeaderValue>, BadKey> {
        let begin = if self == TrialToken::Expired { now - limits::BEARER_SECONDS - 3_600 } else { now };
        let audience = if self == TrialToken::WrongAudience { NOBODYS_APP } else { app.as_str() };
        let claims = claims(audience, tenant, begin);
        let token = match self {
            TrialToken::Missing => return Ok(None),
            TrialToken::Unsigned => unsigned(&claims),
            TrialToken::Forged => forged(&key.sign(&claims)?),
            TrialToken::Right | TrialToken::WrongAudience | TrialToken::Expired => key.sign(&claims)?,
        };
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| BadKey)?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

/// An app id that no app has.
const NOBODYS_APP: &str = "00000000-0000-4000-8000-000000000000";

fn claims(audience: &str, tenant: &TenantId, begin: u64) -> Value {
    json!({
        "aud": audience,
        "iss": NOTIFICATION_ISSUER,
        "iat": begin,
        "nbf": begin,
        "exp": begin + limits::BEARER_SECONDS,
        "tid": tenant.as_str(),
        TENANT_CLAIM: tenant.as_str(),
    })
}

fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(claims))
}

/// The same token with every byte of its signature turned: as long as a true one, and true of nothing.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let turned: Vec<u8> = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default().iter().map(|byte| !byte).collect();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(turned))
}

/// The bearers in use.
#[derive(Default)]
pub(super) struct Bearers {
    made: Mutex<HashMap<(AppId, TenantId), Bearer>>,
}

impl Bearers {
    /// The value of `Authorization` for a notification to this app about this tenant's call.
    pub(super) fn header(
        &self,
        key: &SigningKey,
        app: &AppId,
        tenant: &TenantId,
        now: u64,
    ) -> Result<HeaderValue, BadKey> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (app.clone(), tenant.clone());
        if let Some(bearer) = made.get(&name).filter(|bearer| bearer.is_fresh(now)) {
            return Ok(bearer.header.clone());
        }
        // Signed under the lock (about a millisecond an hour), so that it is made once.
        let token = key.sign(&claims(app.as_str(), tenant, now))?;
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| BadKey)?;
        header.set_sensitive(true);
        if made.len() >= limits::BEARERS {
            made.retain(|_, bearer| bearer.is_fresh(now));
        }
        if made.len() >= limits::BEARERS {
            made.clear();
        }
        made.insert(name, Bearer { header: header.clone(), made: now });
        Ok(header)
    }
}
