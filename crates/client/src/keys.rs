//! The keys notifications are signed with: read from an OpenID document, kept, read again when
//! they are old or an unknown one is named, and not more often than the limits say.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, header};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http::Http;
use crate::{Error, limits};

/// RSA public keys by key id.
#[derive(Clone, Default)]
pub struct Keys(HashMap<String, DecodingKey>);

#[derive(Deserialize)]
struct Document {
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

impl Keys {
    /// Reads a JWKS document. Keys of other kinds, or without an id, are passed over, as are
    /// those beyond [`limits::KEYS`].
    ///
    /// # Errors
    /// [`Error::Answer`] if it is no JWKS.
    pub fn from_jwks(document: &[u8]) -> Result<Keys, Error> {
        let set: KeySet = parse(document, "key set")?;
        let rsa = set.keys.iter().filter(|key| key.kty == "RSA" && !key.kid.is_empty());
        let usable = rsa.filter_map(|key| {
            DecodingKey::from_rsa_components(&key.n, &key.e).ok().map(|usable| (key.kid.clone(), usable))
        });
        Ok(Keys(usable.take(limits::KEYS).collect()))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&DecodingKey> {
        self.0.get(id)
    }
}

/// [`Keys`] kept fresh from their address.
pub(crate) struct KeySource {
    http: Http,
    openid_url: String,
    held: RwLock<Held>,
    /// Held while keys are read, so that they are read once for all who wait.
    reads: Mutex<Reads>,
}

#[derive(Clone, Default)]
struct Held {
    keys: Arc<Keys>,
    read_at: Option<Instant>,
}

#[derive(Default)]
struct Reads {
    window_start: Option<Instant>,
    in_window: u32,
}

/// Why a key is not at hand.
pub(crate) enum NoKey {
    /// The issuer does not publish it.
    Unknown,
    /// The key document cannot be read, or may not be read again yet.
    Unavailable,
}

impl KeySource {
    pub(crate) fn new(http: Http, openid_url: String) -> KeySource {
        KeySource { http, openid_url, held: RwLock::default(), reads: Mutex::default() }
    }

    /// Keys among which `id` is, read again if need be. Old keys serve on while new ones are
    /// read or cannot be read.
    pub(crate) async fn with(&self, id: &str) -> Result<Arc<Keys>, NoKey> {
        let held = self.held();
        let known = held.keys.get(id).is_some();
        if known && held.fresh() {
            return Ok(held.keys);
        }
        let mut reads = match self.reads.try_lock() {
            Ok(reads) => reads,
            Err(_) if known => return Ok(held.keys),
            Err(_) => self.reads.lock().await,
        };
        // Another may have read them in between.
        let held = self.held();
        let known = held.keys.get(id).is_some();
        if known && held.fresh() {
            return Ok(held.keys);
        }
        let read = if reads.allowed(Instant::now()) { self.read().await } else { Err(NoKey::Unavailable) };
        match read {
            Ok(keys) if keys.get(id).is_some() => Ok(keys),
            Ok(_) => Err(NoKey::Unknown),
            Err(_) if known => Ok(held.keys),
            Err(reason) => Err(reason),
        }
    }

    fn held(&self) -> Held {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self) -> Result<Arc<Keys>, NoKey> {
        let keys = self.read_documents().await.map_err(|error| {
            tracing::warn!(%error, "signing keys could not be read");
            NoKey::Unavailable
        })?;
        let keys = Arc::new(keys);
        let held = Held { keys: keys.clone(), read_at: Some(Instant::now()) };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(keys)
    }

    async fn read_documents(&self) -> Result<Keys, Error> {
        let document: Document = parse(&self.fetch(&self.openid_url).await?, "OpenID document")?;
        Keys::from_jwks(&self.fetch(&document.jwks_uri).await?)
    }

    async fn fetch(&self, url: &str) -> Result<Bytes, Error> {
        let request = Request::get(url)
            .header(header::ACCEPT, "application/json")
            .body(Full::default())
            .map_err(|error| Error::Config(format!("key address: {error}")))?;
        let answer = self.http.send(request).await?;
        if !answer.status.is_success() {
            return Err(Error::Answer(format!("key document: status {}", answer.status.as_u16())));
        }
        Ok(answer.body)
    }
}

impl Held {
    fn fresh(&self) -> bool {
        self.read_at.is_some_and(|at| at.elapsed() < limits::KEY_AGE)
    }
}

impl Reads {
    fn allowed(&mut self, now: Instant) -> bool {
        if self.window_start.is_none_or(|start| now.duration_since(start) > limits::KEY_WINDOW) {
            self.window_start = Some(now);
            self.in_window = 0;
        }
        self.in_window = self.in_window.saturating_add(1);
        self.in_window <= limits::KEY_READS
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Answer(format!("{what}: {error}")))
}
