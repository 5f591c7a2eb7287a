//! The token endpoint: `POST /{tenant}/oauth2/v2.0/token`, or the older `/{tenant}/oauth2/token`; grant `client_credentials` (RFC 6749 §4.4, in Azure's words).
//!
//! A secret is hashed slowly once and remembered; what is wrong costs the same whether the app exists or not, and each
//! source may be wrong only so often.

use super::token_answer::{Denied, TokenAnswer};
use super::{Auth, access, assertion, limits, openid};
use crate::directory::{App, ITERATIONS, SecretHash, TenantAsked};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringback_core::AppId;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use url::{Url, form_urlencoded};

/// Which endpoint was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenVersion {
    /// `/{tenant}/oauth2/token`: what it is for is said as `resource`.
    V1,
    /// `/{tenant}/oauth2/v2.0/token`: what it is for is said as `scope`.
    V2,
}

/// A request for a token, as it came.
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    /// Scheme and host under which it was asked for, without trailing slash.
    pub base: &'a str,
    /// The first segment of the path: a tenant's id or name.
    pub tenant: &'a str,
    /// The endpoint.
    pub version: TokenVersion,
    /// The header `Authorization`, for clients that use HTTP Basic.
    pub authorization: Option<&'a str>,
    /// The body: a form.
    pub body: &'a [u8],
    /// The header `client-request-id`.
    pub client_request_id: Option<&'a str>,
    /// Who asks.
    pub source: IpAddr,
}

/// What the request says, read.
struct Credentials {
    client: AppId,
    proof: Proof,
}

/// By what the client shows that it is the app.
enum Proof {
    Secret(String),
    Assertion(String),
}

impl Auth {
    /// Answers a request for a token. Takes about 0.1 s of another thread the first time an app's secret is seen, and
    /// every time it is wrong; otherwise it is one signature.
    pub async fn token(&self, request: TokenRequest<'_>, now: u64) -> TokenAnswer {
        match self.try_token(request, now).await {
            Ok(token) => match request.version {
                TokenVersion::V1 => {
                    TokenAnswer::token_v1(&token, limits::ACCESS_TOKEN_SECONDS, access::GRAPH_AUDIENCE, now)
                }
                TokenVersion::V2 => TokenAnswer::token(&token, limits::ACCESS_TOKEN_SECONDS),
            },
            Err(why) => TokenAnswer::denied(&why, request.client_request_id, now),
        }
    }

    /// The app that asks, if it is one of the directory's.
    pub fn asking(&self, request: TokenRequest<'_>) -> Option<AppId> {
        let client = self.read(request).ok()?.client;
        self.directory.current().app(&client).map(|app| app.id.clone())
    }

    async fn try_token(&self, request: TokenRequest<'_>, now: u64) -> Result<String, Denied> {
        let directory = self.directory.current();
        let unknown = || Denied::UnknownTenant(request.tenant.to_owned());
        let asked = directory.tenant_asked(request.tenant).ok_or_else(unknown)?;
        let credentials = self.read(request)?;
        let known = directory.app(&credentials.client);
        self.charge(request.source, now)?;
        let (app, tenant) = if directory.is_open() && known.is_none_or(|app| !app.configured) {
            let app = self.accept(known, &credentials, &asked, now).await?;
            let tenant = asked.of(&app);
            (app, tenant)
        } else {
            let app = known.filter(|app| asked.of(app) == app.tenant);
            let Proof::Secret(secret) = &credentials.proof else { return Err(Denied::Assertion) };
            self.check_secret(app, secret).await?;
            let app = Arc::clone(app.ok_or(Denied::Client)?);
            let tenant = app.tenant.clone();
            (app, tenant)
        };
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).refund(request.source);
        let issuer = openid::issuer(request.base, tenant.as_str());
        access::issue(&self.key, &app, &tenant, issuer, now).map_err(|_| Denied::Signing)
    }

    /// The app in an open directory: taken as it comes the first time, by its first secret from then on.
    async fn accept(
        &self,
        known: Option<&Arc<App>>,
        credentials: &Credentials,
        asked: &TenantAsked,
        now: u64,
    ) -> Result<Arc<App>, Denied> {
        let (id, has_secret) = (&credentials.client, known.is_some_and(|app| app.secret.is_some()));
        let secret = match &credentials.proof {
            Proof::Secret(secret) => secret,
            Proof::Assertion(_) if has_secret => return Err(Denied::Assertion),
            Proof::Assertion(assertion) => {
                assertion::check(assertion, now)?;
                return Ok(self.first_seen.admit(id, asked, None).await?);
            }
        };
        if has_secret {
            self.check_secret(known, secret).await.map_err(|why| why.of_first(id))?;
            return Ok(self.first_seen.admit(id, asked, None).await?);
        }
        let first = self.hash(secret).await?;
        let app = self.first_seen.admit(id, asked, Some(&first)).await?;
        // Somebody else with this id may have come first, at the same moment.
        if app.secret.as_ref() == Some(&first) {
            self.remember(self.name_of(&app, secret));
        }
        self.check_secret(Some(&app), secret).await.map_err(|why| why.of_first(id))?;
        Ok(app)
    }

    /// Hashes a secret, in turn with those that are checked.
    async fn hash(&self, secret: &str) -> Result<SecretHash, Denied> {
        let _place = self.waiting.try_acquire().map_err(|_| Denied::Busy)?;
        // The semaphore is never closed.
        let _turn = self.hashing.acquire().await;
        let secret = secret.to_owned();
        let made = tokio::task::spawn_blocking(move || SecretHash::make(&secret, ITERATIONS)).await;
        made.ok().and_then(Result::ok).ok_or(Denied::Busy)
    }

    fn charge(&self, source: IpAddr, now: u64) -> Result<(), Denied> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.charge(source, now).map_err(|retry_after| Denied::TooManyFailures { retry_after })
    }

    fn read(&self, request: TokenRequest<'_>) -> Result<Credentials, Denied> {
        if request.body.len() > limits::TOKEN_REQUEST_BYTES {
            return Err(Denied::TooLarge);
        }
        let form: Vec<_> = form_urlencoded::parse(request.body).collect();
        let field = |name: &'static str| -> Result<Option<&str>, Denied> {
            let mut values = form.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_ref());
            let value = values.next().filter(|value| !value.is_empty());
            if values.next().is_some() { Err(Denied::TwoSecrets) } else { Ok(value) }
        };
        let required = |name: &'static str| field(name)?.ok_or(Denied::MissingParameter(name));
        if required("grant_type")? != "client_credentials" {
            return Err(Denied::GrantType);
        }
        let basic = request.authorization.and_then(basic);
        let secret = field("client_secret")?.map(|secret| Proof::Secret(secret.to_owned()));
        let assertion = match (field("client_assertion")?, field("client_assertion_type")?) {
            (None, _) => None,
            (Some(assertion), Some(assertion::JWT_BEARER)) => Some(Proof::Assertion(assertion.to_owned())),
            (Some(_), _) => return Err(Denied::BadAssertion),
        };
        let (client, proof) = match (basic, field("client_id")?, secret, assertion) {
            (Some(_), _, Some(_), _) | (Some(_), _, _, Some(_)) | (_, _, Some(_), Some(_)) => {
                return Err(Denied::TwoSecrets);
            }
            (Some((client, _)), Some(other), ..) if client != other => {
                return Err(Denied::TwoSecrets);
            }
            (Some((client, secret)), ..) => (client, Proof::Secret(secret)),
            (None, Some(client), Some(proof), None) | (None, Some(client), None, Some(proof)) => {
                (client.to_owned(), proof)
            }
            (None, Some(_), None, None) => return Err(Denied::MissingSecret),
            (None, None, ..) => return Err(Denied::MissingParameter("client_id")),
        };
        match request.version {
            TokenVersion::V1 => check_resource(required("resource")?, request.base)?,
            TokenVersion::V2 => {
                let scope = required("scope")?;
                check_resource(scope.strip_suffix("/.default").ok_or(Denied::Scope)?, request.base)?;
            }
        }
        Ok(Credentials { client: AppId::new(&client), proof })
    }

    async fn check_secret(&self, app: Option<&Arc<App>>, secret: &str) -> Result<(), Denied> {
        let name = app.map(|app| self.name_of(app, secret));
        if name.as_ref().is_some_and(|name| self.is_verified(name)) {
            return Ok(());
        }
        let _place = self.waiting.try_acquire().map_err(|_| Denied::Busy)?;
        // The semaphore is never closed.
        let _turn = self.hashing.acquire().await;
        // Whoever waited behind the first request of the same app finds its result.
        if name.as_ref().is_some_and(|name| self.is_verified(name)) {
            return Ok(());
        }
        let (hash, secret) =
            (app.and_then(|app| app.secret.clone()).unwrap_or_else(SecretHash::of_nobody), secret.to_owned());
        let right = tokio::task::spawn_blocking(move || hash.verify(&secret)).await.unwrap_or(false);
        match name {
            Some(name) if right => {
                self.remember(name);
                Ok(())
            }
            _ => Err(Denied::Client),
        }
    }

    /// What a verified secret is remembered by: nothing that helps to guess it outside this process.
    fn name_of(&self, app: &App, secret: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.secrets_key);
        context.update(app.id.as_str().as_bytes());
        context.update(&[0]);
        context.update(app.secret.as_ref().map(SecretHash::digest).unwrap_or_default());
        context.update(secret.as_bytes());
        let mut name = [0; 32];
        name.copy_from_slice(context.sign().as_ref());
        name
    }

    fn is_verified(&self, name: &[u8; 32]) -> bool {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn remember(&self, name: [u8; 32]) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= limits::VERIFIED_SECRETS {
            verified.clear();
        }
        verified.insert(name);
    }
}

/// Graph under its own name, under ours, or by its id.
fn check_resource(resource: &str, base: &str) -> Result<(), Denied> {
    let resource = resource.trim_end_matches('/');
    let ours = [access::GRAPH_AUDIENCE, "00000003-0000-0000-c000-000000000000", base];
    let known = ours.iter().any(|ours| resource.eq_ignore_ascii_case(ours));
    if known {
        return Ok(());
    }
    let host = Url::parse(resource).ok().and_then(|url| url.domain().map(str::to_owned));
    Err(Denied::Resource(host.filter(|host| host.contains('.') && host.len() <= limits::RESOURCE_HOST)))
}

/// Client id and secret of HTTP Basic, each encoded as in a form (RFC 6749 §2.3.1).
fn basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client, secret) = decoded.split_once(':')?;
    let plain = |text: &str| {
        form_urlencoded::parse(format!("x={}", text.replace('&', "%26")).as_bytes())
            .next()
            .map(|(_, value)| Cow::into_owned(value))
    };
    Some((plain(client)?, plain(secret)?))
}
