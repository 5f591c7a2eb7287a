//! Is this notification from the platform, and for us? Headers and body in, what they say out;
//! no listener, no channel, so that it serves under any web framework (contract §5.3).

use std::sync::Arc;

use hyper::{HeaderMap, StatusCode, header};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use ringback_graph::Notification;
use serde::Deserialize;

use crate::http::Http;
use crate::keys::{KeySource, Keys, NoKey};
use crate::{Config, limits};

/// Header that names one message; a repeat bears the same.
pub const MESSAGE_ID: &str = "x-microsoft-skype-message-id";

/// Issuers that sign notifications (contract §5.3, client-facts §3).
pub const ISSUERS: [&str; 2] = ["https://api.botframework.com", "https://graph.microsoft.com"];

/// Whom a notification must be for.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The app's id: the token's `aud`.
    pub app_id: String,
    /// The tenant whose calls are served; `None` = any.
    pub tenant: Option<String>,
}

/// One verified POST of the platform.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message's id, the same in a repeat; `None` if the platform sent none.
    pub message_id: Option<String>,
    /// The tenant named by the token.
    pub tenant: String,
    /// What is told, in order; real platforms send one each time.
    pub notifications: Vec<Notification<'static>>,
}

/// Why a POST is refused. The words name no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No `Authorization: Bearer`.
    #[error("no bearer token")]
    NoToken,
    /// Not a token, not signed with RS256 by a published key, or a claim is missing.
    #[error("the token is not genuine")]
    NotGenuine,
    /// Genuine, but over or not yet begun.
    #[error("the token is not valid at this time")]
    OutOfTime,
    /// Genuine, but of an issuer that does not sign notifications.
    #[error("the token's issuer does not sign notifications")]
    Issuer,
    /// Genuine, but for another app.
    #[error("the token is for another app")]
    Audience,
    /// Genuine, but its tenant is missing, contradictory or not the one served.
    #[error("the token's tenant is not the one served")]
    Tenant,
    /// The signing keys cannot be read now.
    #[error("the signing keys cannot be read now")]
    NoKeys,
    /// Too many notifications are waiting to be taken.
    #[error("too many notifications are waiting")]
    NoRoom,
    /// The body is longer than [`limits::NOTIFICATION_BYTES`].
    #[error("the body is too long")]
    TooLong,
    /// The body is no `commsNotifications`.
    #[error("the body is no commsNotifications")]
    Body,
}

impl Refusal {
    /// The HTTP status to answer: 401 for a token that is none, 403 for one that is not for us,
    /// 503 where the platform should repeat.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::NoToken | Refusal::NotGenuine | Refusal::OutOfTime => StatusCode::UNAUTHORIZED,
            Refusal::Issuer | Refusal::Audience | Refusal::Tenant => StatusCode::FORBIDDEN,
            Refusal::NoKeys | Refusal::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Body => StatusCode::BAD_REQUEST,
        }
    }
}

/// Only what this check itself reads; the others are read by `jsonwebtoken`.
#[derive(Deserialize)]
struct Claims {
    tid: Option<String>,
    #[serde(rename = "http://schemas.microsoft.com/identity/claims/tenantid")]
    tenant: Option<String>,
}

/// Verifies and parses one POST with keys at hand. Reads nothing but its arguments and the clock.
///
/// # Errors
/// The [`Refusal`] to answer with.
pub fn read(headers: &HeaderMap, body: &[u8], keys: &Keys, expected: &Expected) -> Result<Delivery, Refusal> {
    let tenant = verify(bearer(headers)?, keys, expected)?;
    parse(headers, body, tenant)
}

/// The second half of [`read`], after [`Verifier::admit`] gave the `tenant`.
///
/// # Errors
/// [`Refusal::TooLong`], [`Refusal::Body`].
pub fn parse(headers: &HeaderMap, body: &[u8], tenant: String) -> Result<Delivery, Refusal> {
    if body.len() > limits::NOTIFICATION_BYTES {
        return Err(Refusal::TooLong);
    }
    let notifications = Notification::parse(body).map_err(|_| Refusal::Body)?;
    Ok(Delivery { message_id: message_id(headers), tenant, notifications })
}

/// [`read`] with keys fetched from the OpenID document, kept and renewed. Share it in an `Arc`.
pub struct Verifier {
    keys: KeySource,
    expected: Expected,
}

impl Verifier {
    /// Expects tokens for the app and tenant of `config`.
    pub fn new(config: &Config) -> Verifier {
        let expected = Expected { app_id: config.app_id.clone(), tenant: Some(config.tenant.clone()) };
        Verifier::with(Http::new(), config.openid_url(), expected)
    }

    /// Expects `expected`, with keys from the OpenID document at `openid_url`.
    pub fn expecting(expected: Expected, openid_url: impl Into<String>) -> Verifier {
        Verifier::with(Http::new(), openid_url.into(), expected)
    }

    pub(crate) fn with(http: Http, openid_url: String, expected: Expected) -> Verifier {
        Verifier { keys: KeySource::new(http, openid_url), expected }
    }

    /// Verifies and parses one POST.
    ///
    /// # Errors
    /// The [`Refusal`] to answer with.
    pub async fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, Refusal> {
        parse(headers, body, self.admit(headers).await?)
    }

    /// Checks the token alone, so that a stranger's body need not be read. Gives its tenant.
    ///
    /// # Errors
    /// The [`Refusal`] to answer with.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        let keys = self.keys_for(headers).await?;
        verify(bearer(headers)?, &keys, &self.expected)
    }

    async fn keys_for(&self, headers: &HeaderMap) -> Result<Arc<Keys>, Refusal> {
        let header = jsonwebtoken::decode_header(bearer(headers)?).map_err(|_| Refusal::NotGenuine)?;
        if header.alg != Algorithm::RS256 {
            return Err(Refusal::NotGenuine);
        }
        let id = header.kid.ok_or(Refusal::NotGenuine)?;
        self.keys.with(&id).await.map_err(|reason| match reason {
            NoKey::Unknown => Refusal::NotGenuine,
            NoKey::Unavailable => Refusal::NoKeys,
        })
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(Refusal::NoToken)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Refusal::NoToken),
    }
}

/// The tenant of a token that is genuine and for us.
fn verify(token: &str, keys: &Keys, expected: &Expected) -> Result<String, Refusal> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::NotGenuine)?;
    let key = header.kid.as_deref().and_then(|id| keys.get(id)).ok_or(Refusal::NotGenuine)?;
    let mut rules = Validation::new(Algorithm::RS256);
    rules.leeway = limits::CLOCK_SKEW_SECONDS;
    rules.validate_nbf = true;
    rules.set_required_spec_claims(&["exp", "iss", "aud"]);
    rules.set_audience(&[&expected.app_id]);
    rules.set_issuer(&ISSUERS);
    let token = jsonwebtoken::decode::<Claims>(token, key, &rules).map_err(|error| match error.kind() {
        ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => Refusal::OutOfTime,
        ErrorKind::InvalidIssuer => Refusal::Issuer,
        ErrorKind::InvalidAudience => Refusal::Audience,
        _ => Refusal::NotGenuine,
    })?;
    tenant(token.claims, expected)
}

/// Either claim will do; where both are there they must agree.
fn tenant(claims: Claims, expected: &Expected) -> Result<String, Refusal> {
    let Claims { tid, tenant } = claims;
    let agree = match (&tid, &tenant) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => true,
    };
    let named = tid.or(tenant).filter(|named| agree && !named.is_empty()).ok_or(Refusal::Tenant)?;
    match &expected.tenant {
        Some(served) if !served.eq_ignore_ascii_case(&named) => Err(Refusal::Tenant),
        _ => Ok(named),
    }
}

fn message_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(MESSAGE_ID)?.to_str().ok()?;
    (!id.is_empty() && id.len() <= limits::MESSAGE_ID_BYTES).then(|| id.to_owned())
}
