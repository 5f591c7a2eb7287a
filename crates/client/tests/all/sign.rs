//! Tokens as the platform signs them, and as a forger would.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::platform::{APP, TENANT};

static PLATFORM: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).expect("a key"));
static FORGER: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).expect("a key"));

pub(crate) const KEY_ID: &str = "key-1";
pub(crate) const TENANT_CLAIM: &str = "http://schemas.microsoft.com/identity/claims/tenantid";

/// The published keys, one of another kind among them.
pub(crate) fn key_set() -> Value {
    let key = PLATFORM.public_key();
    let n = URL_SAFE_NO_PAD.encode(key.modulus().big_endian_without_leading_zero());
    let e = URL_SAFE_NO_PAD.encode(key.exponent().big_endian_without_leading_zero());
    json!({"keys": [
        {"kty": "EC", "kid": "other", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": n, "e": e},
    ]})
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// The claims of a good token.
pub(crate) fn claims() -> Value {
    let now = now();
    json!({
        "iss": "https://api.botframework.com", "aud": APP, "iat": now, "nbf": now - 5, "exp": now + 3900,
        "tid": TENANT, TENANT_CLAIM: TENANT,
    })
}

pub(crate) fn by_platform(claims: &Value) -> String {
    token(&json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID}), claims, &PLATFORM)
}

pub(crate) fn by_forger(claims: &Value, key_id: &str) -> String {
    token(&json!({"alg": "RS256", "typ": "JWT", "kid": key_id}), claims, &FORGER)
}

/// With any header and the platform's own signature.
pub(crate) fn with_header(header: &Value, claims: &Value) -> String {
    token(header, claims, &PLATFORM)
}

fn token(header: &Value, claims: &Value, key: &KeyPair) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("signs");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}
