//! Access tokens: what is in them, and who presents one. Verified tokens are remembered by their hash until they
//! expire: the signature is checked once, the app's presence in the directory every time.

use super::jwt::{BadKey, SigningKey, Unreadable};
use super::limits;
use crate::directory::{App, Directory};
use aws_lc_rs::digest::{SHA256, digest};
use ringback_core::{AppId, TenantId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Who the tokens are for: Microsoft Graph, which this server stands in for.
pub const GRAPH_AUDIENCE: &str = "https://graph.microsoft.com";

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The app.
    pub app: AppId,
    /// The tenant the token was issued in: the app's, or any in an open directory.
    pub tenant: TenantId,
    /// Its permissions when the token was issued.
    pub roles: Vec<String>,
}

/// Why a token lets nobody in. The texts are what Graph says where it is known to say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No `Authorization: Bearer` header.
    #[error("Access token is empty.")]
    Missing,
    /// Not a token.
    #[error("CompactToken parsing failed: the access token is not a JWT of three parts.")]
    Malformed,
    /// Past its end, or from a clock that is ahead of this server's.
    #[error("Lifetime validation failed, the token is expired.")]
    Expired,
    /// A token for something else, such as a notification's.
    #[error("Access token validation failure. Invalid audience: tokens for https://graph.microsoft.com are taken.")]
    WrongAudience,
    /// Not signed by this server.
    #[error(
        "Access token validation failure. Invalid signature: tokens of this server's own token endpoint are taken."
    )]
    BadSignature,
    /// A good token of an app that is not in the directory (any more).
    #[error("Application is not registered in our store.")]
    UnknownApp,
    /// A good token of an app that belongs to another tenant now.
    #[error("Request authorization tenant mismatch.")]
    OtherTenant,
}

/// The claims of an access token.
#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    #[serde(default)]
    iss: String,
    #[serde(default)]
    iat: u64,
    #[serde(default)]
    nbf: u64,
    #[serde(default)]
    exp: u64,
    #[serde(default)]
    appid: String,
    #[serde(default)]
    app_displayname: String,
    #[serde(default)]
    appidacr: String,
    #[serde(default)]
    idtyp: String,
    #[serde(default)]
    oid: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    tid: String,
    #[serde(default)]
    uti: String,
    #[serde(default)]
    ver: String,
}

/// A new access token for an app, in one of its tenants.
pub(super) fn issue(
    key: &SigningKey,
    app: &App,
    tenant: &TenantId,
    issuer: String,
    now: u64,
) -> Result<String, BadKey> {
    let id = app.id.as_str().to_owned();
    key.sign(&Claims {
        aud: GRAPH_AUDIENCE.to_owned(),
        iss: issuer,
        iat: now,
        nbf: now,
        exp: now + limits::ACCESS_TOKEN_SECONDS,
        appid: id.clone(),
        app_displayname: app.name.clone(),
        appidacr: "1".to_owned(),
        idtyp: "app".to_owned(),
        oid: id.clone(),
        roles: app.roles.iter().map(ToString::to_string).collect(),
        sub: id,
        tid: tenant.as_str().to_owned(),
        uti: Uuid::new_v4().simple().to_string(),
        ver: "1.0".to_owned(),
    })
}

/// The token of an `Authorization` header of the scheme `Bearer` (RFC 6750 §2.1).
pub fn bearer(authorization: Option<&str>) -> Option<&str> {
    let (scheme, token) = authorization?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

type TokenHash = [u8; 32];

struct Known {
    caller: Arc<Caller>,
    from: u64,
    until: u64,
}

/// The verified tokens.
pub(super) struct Tokens {
    shards: [Mutex<HashMap<TokenHash, Known>>; limits::TOKEN_SHARDS],
}

impl Tokens {
    pub(super) fn new() -> Tokens {
        Tokens { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    pub(super) fn verify(
        &self,
        key: &SigningKey,
        directory: &Directory,
        token: &str,
        now: u64,
    ) -> Result<Arc<Caller>, TokenError> {
        if token.len() > limits::TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let hash = hash_of(token);
        let caller = match self.known(&hash, now) {
            Some(known) => known?,
            None => {
                let known = check(key, token, now)?;
                let caller = Arc::clone(&known.caller);
                self.remember(hash, known, now);
                caller
            }
        };
        match directory.app(&caller.app) {
            Some(app) if directory.may_be_in(app, &caller.tenant) => Ok(caller),
            Some(_) => Err(TokenError::OtherTenant),
            None => Err(TokenError::UnknownApp),
        }
    }

    fn known(&self, hash: &TokenHash, now: u64) -> Option<Result<Arc<Caller>, TokenError>> {
        let mut shard = self.shard(hash);
        let known = shard.get(hash)?;
        if is_alive(known.from, known.until, now) {
            return Some(Ok(Arc::clone(&known.caller)));
        }
        shard.remove(hash);
        Some(Err(TokenError::Expired))
    }

    fn remember(&self, hash: TokenHash, known: Known, now: u64) {
        let mut shard = self.shard(&hash);
        if shard.len() >= limits::TOKENS_PER_SHARD {
            shard.retain(|_, known| known.until > now);
        }
        if shard.len() >= limits::TOKENS_PER_SHARD {
            // Each then costs one check of a signature again.
            shard.clear();
        }
        shard.insert(hash, known);
    }

    fn shard(&self, hash: &TokenHash) -> std::sync::MutexGuard<'_, HashMap<TokenHash, Known>> {
        let shard = &self.shards[usize::from(hash[0]) % limits::TOKEN_SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }

    #[cfg(test)]
    pub(super) fn pretend_known(&self, token: &str, caller: &Arc<Caller>, until: u64, now: u64) {
        self.remember(hash_of(token), Known { caller: Arc::clone(caller), from: now, until }, now);
    }
}

/// Checks what the token itself says.
fn check(key: &SigningKey, token: &str, now: u64) -> Result<Known, TokenError> {
    let claims: Claims = key.read(token).map_err(|error| match error {
        Unreadable::Malformed => TokenError::Malformed,
        Unreadable::Signature => TokenError::BadSignature,
    })?;
    if claims.aud != GRAPH_AUDIENCE {
        return Err(TokenError::WrongAudience);
    }
    if !is_alive(claims.nbf, claims.exp, now) {
        return Err(TokenError::Expired);
    }
    let caller = Caller { app: AppId::new(&claims.appid), tenant: TenantId::new(&claims.tid), roles: claims.roles };
    Ok(Known { caller: Arc::new(caller), from: claims.nbf, until: claims.exp })
}

fn is_alive(from: u64, until: u64, now: u64) -> bool {
    now < until && from <= now.saturating_add(limits::CLOCK_SKEW_SECONDS)
}

fn hash_of(token: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
