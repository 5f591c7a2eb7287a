//! The bearer of a notification (`contract §5.3`, `client-facts §3`): made per app and tenant, reused until shortly
//! before it expires.

use super::jwt::{BadKey, SigningKey};
use super::limits;
use hyper::header::HeaderValue;
use ringback_core::{AppId, TenantId};
use serde_json::json;
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
        let token = key.sign(&json!({
            "aud": app.as_str(),
            "iss": NOTIFICATION_ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + limits::BEARER_SECONDS,
            "tid": tenant.as_str(),
            TENANT_CLAIM: tenant.as_str(),
        }))?;
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
