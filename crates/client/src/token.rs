//! The app's own access token by client credentials: fetched once, shared, renewed in time.
//! Knows nothing of calls; the secret and the token reach no trace line.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, header};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http::{Answer, Http};
use crate::{Config, Error, limits};

const SCOPE: &str = "https://graph.microsoft.com/.default";

/// Source of tokens for one app in one tenant.
pub(crate) struct Tokens {
    http: Http,
    url: String,
    form: String,
    /// Held while a token is fetched: those who come meanwhile wait for it and share it.
    held: Mutex<Option<Held>>,
}

struct Held {
    token: Arc<str>,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Denied {
    error: String,
    error_description: String,
}

impl Tokens {
    pub(crate) fn new(http: Http, config: &Config) -> Tokens {
        let authority = config.authority.as_deref().unwrap_or(&config.base_url);
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &config.app_id)
            .append_pair("client_secret", &config.secret)
            .append_pair("scope", SCOPE)
            .finish();
        let url = format!("{}/{}/oauth2/v2.0/token", authority.trim_end_matches('/'), config.tenant);
        Tokens { http, url, form, held: Mutex::new(None) }
    }

    /// The token in use, or a new one if it ends within [`limits::TOKEN_MARGIN`].
    pub(crate) async fn get(&self) -> Result<Arc<str>, Error> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.renew_at) {
            return Ok(held.token.clone());
        }
        let granted = self.fetch().await?;
        let token: Arc<str> = granted.access_token.into();
        let renew_at = Instant::now() + time_of_use(Duration::from_secs(granted.expires_in));
        *held = Some(Held { token: token.clone(), renew_at });
        Ok(token)
    }

    /// Forgets `refused`, unless it was replaced already.
    pub(crate) async fn forget(&self, refused: &str) {
        self.held.lock().await.take_if(|held| &*held.token == refused);
    }

    async fn fetch(&self) -> Result<Granted, Error> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(self.form.clone())))
            .map_err(|error| Error::Config(format!("token address: {error}")))?;
        let answer = self.http.send(request).await?;
        if !answer.status.is_success() {
            return Err(denied(&answer));
        }
        serde_json::from_slice(&answer.body).map_err(|_| Error::Answer("the token endpoint sent no token".into()))
    }
}

/// How long a token is used: all its life but the margin, or half of a short life.
fn time_of_use(lifetime: Duration) -> Duration {
    let lifetime = lifetime.min(limits::TOKEN_LIFETIME);
    lifetime.saturating_sub(limits::TOKEN_MARGIN).max(lifetime / 2)
}

fn denied(answer: &Answer) -> Error {
    let denied: Denied = serde_json::from_slice(&answer.body).unwrap_or_default();
    Error::Token { status: answer.status.as_u16(), code: denied.error, description: denied.error_description }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_five_minutes_before_its_end_or_at_half_a_short_life() {
        let used = |seconds| time_of_use(Duration::from_secs(seconds)).as_secs();
        assert_eq!(used(3900), 3600);
        assert_eq!(used(60), 30);
        assert_eq!(used(0), 0);
        assert_eq!(used(u64::MAX), limits::TOKEN_LIFETIME.as_secs() - 300);
    }
}
