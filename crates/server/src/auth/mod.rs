//! Who may come in: the token endpoint, the check of every request's token, the tokens that go out with notifications,
//! and the documents by which others verify them.
//!
//! It must not know calls, nor HTTP beyond header values; the time is told. Nothing here is logged.

mod access;
mod assertion;
mod bearers;
mod endpoint;
mod jwt;
pub mod limits;
mod openid;
mod sources;
mod token_answer;

pub use access::{Caller, GRAPH_AUDIENCE, TokenError, bearer};
pub use bearers::{NOTIFICATION_ISSUER, TrialToken};
pub use endpoint::{TokenRequest, TokenVersion};
pub use jwt::{BadKey, SigningKey};
pub use openid::{INSTANCES_PATH, KEYS_PATH, NOTIFICATION_DOCUMENT_PATH};
pub(crate) use sources::network_of;
pub use token_answer::TokenAnswer;

use crate::directory::{SharedDirectory, TenantAsked};
use crate::first_seen::FirstSeen;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::HeaderValue;
use ringback_core::{AppId, OperationId, TenantId};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Everything about tokens. One for the server; shared.
pub struct Auth {
    directory: SharedDirectory,
    first_seen: FirstSeen,
    key: SigningKey,
    operator_token: String,
    tokens: access::Tokens,
    bearers: bearers::Bearers,
    sources: Mutex<sources::Sources>,
    /// Names of secrets that were found right ([`Auth::name_of`]).
    verified: Mutex<HashSet<[u8; 32]>>,
    secrets_key: hmac::Key,
    recordings_key: hmac::Key,
    hashing: Semaphore,
    waiting: Semaphore,
}

impl Auth {
    /// All there is to tokens, with this key, this operator's token, and the key of recordings' tokens.
    pub fn new(
        directory: SharedDirectory,
        first_seen: FirstSeen,
        key: SigningKey,
        operator_token: String,
        recordings_key: &[u8],
    ) -> Result<Auth, BadKey> {
        let mut secrets_key = [0; 32];
        rand::fill(&mut secrets_key).map_err(|_| BadKey)?;
        Ok(Auth {
            directory,
            first_seen,
            key,
            operator_token,
            tokens: access::Tokens::new(),
            bearers: bearers::Bearers::default(),
            sources: Mutex::default(),
            verified: Mutex::default(),
            secrets_key: hmac::Key::new(hmac::HMAC_SHA256, &secrets_key),
            recordings_key: hmac::Key::new(hmac::HMAC_SHA256, recordings_key),
            hashing: Semaphore::new(limits::HASHES_AT_ONCE),
            waiting: Semaphore::new(limits::HASHES_WAITING),
        })
    }

    /// Who makes a request with this header `Authorization`. `now`: seconds since 1970.
    pub fn verify(&self, authorization: Option<&str>, now: u64) -> Result<Arc<Caller>, TokenError> {
        let token = bearer(authorization).ok_or(TokenError::Missing)?;
        self.tokens.verify(&self.key, &self.directory.current(), token, now)
    }

    /// The value of `Authorization` for a notification to an app about a call of this tenant.
    pub fn notification_bearer(&self, app: &AppId, tenant: &TenantId, now: u64) -> Result<HeaderValue, BadKey> {
        self.bearers.header(&self.key, app, tenant, now)
    }

    /// The same with a token that is wrong in a certain way, or right; `None`: without the header.
    pub fn trial_bearer(
        &self,
        which: TrialToken,
        app: &AppId,
        tenant: &TenantId,
        now: u64,
    ) -> Result<Option<HeaderValue>, BadKey> {
        which.header(&self.key, app, tenant, now)
    }

    /// Whether the header `Authorization` bears the operator's token. Takes as long whatever is wrong with it.
    pub fn is_operator(&self, authorization: Option<&str>) -> bool {
        let token = bearer(authorization).unwrap_or_default();
        verify_slices_are_equal(token.as_bytes(), self.operator_token.as_bytes()).is_ok()
    }

    /// Whether a password is right, as `check` says, unless this source had too many wrong ones: then the error has the
    /// seconds to wait.
    pub fn try_password(&self, source: IpAddr, now: u64, check: impl FnOnce() -> bool) -> Result<bool, u64> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.charge(source, now)?;
        let right = check();
        if right {
            sources.refund(source);
        }
        Ok(right)
    }

    /// The bearer token that opens one recording. It is made of the recording's id whenever it is printed, and stored
    /// nowhere.
    pub fn recording_token(&self, recording: OperationId) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.recordings_key, &recording.0.into_bytes()))
    }

    /// Whether the header `Authorization` opens this recording. Takes as long whatever is wrong with the token.
    pub fn opens_recording(&self, authorization: Option<&str>, recording: OperationId) -> bool {
        let token = URL_SAFE_NO_PAD.decode(bearer(authorization).unwrap_or_default()).unwrap_or_default();
        hmac::verify(&self.recordings_key, &recording.0.into_bytes(), &token).is_ok()
    }

    /// The OpenID document of notifications, for [`NOTIFICATION_DOCUMENT_PATH`]. `base`: scheme and host under which
    /// it is asked for, without trailing slash; what it names is found there too.
    pub fn notification_document(&self, base: &str) -> Value {
        openid::notification_document(base)
    }

    /// The OpenID document of a tenant, for `/{tenant}/v2.0/.well-known/openid-configuration`; an unknown tenant's
    /// answer is an error in Azure's shape.
    pub fn tenant_document(&self, base: &str, tenant: &str, now: u64) -> Result<Value, TokenAnswer> {
        let directory = self.directory.current();
        match directory.tenant_asked(tenant) {
            Some(TenantAsked::Named(found)) => Ok(openid::tenant_document(base, found.as_str(), found.as_str())),
            // Azure's shared endpoints name no tenant as issuer, either.
            Some(TenantAsked::OfApp) => Ok(openid::tenant_document(base, tenant, "{tenantid}")),
            None => {
                let why = token_answer::Denied::UnknownTenant(tenant.to_owned());
                Err(TokenAnswer::denied(&why, None, now))
            }
        }
    }

    /// What instance discovery says of an authority, for [`INSTANCES_PATH`]. `base`: its scheme and host, without
    /// trailing slash; `None`: a host that is not ours, which is an error in Azure's shape.
    pub fn instance_document(&self, base: Option<&str>, tenant: &str, now: u64) -> Result<Value, TokenAnswer> {
        match base {
            Some(base) => Ok(openid::instance_document(base, tenant)),
            None => Err(TokenAnswer::denied(&token_answer::Denied::UnknownInstance, None, now)),
        }
    }

    /// The public keys (JWKS), for [`KEYS_PATH`] and `/{tenant}/discovery/v2.0/keys`.
    pub fn keys(&self) -> Value {
        json!({"keys": [self.key.jwk()]})
    }
}

#[cfg(test)]
mod tests;
