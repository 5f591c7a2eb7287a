//! Signed tokens: RS256 and nothing else (RFC 7515, RFC 7519), with one key that is read once.
//!
//! Writing and reading are a few lines on top of the crypto library, so that the key is parsed once, no other algorithm
//! exists, and the time is told instead of read. It knows no claim's meaning.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The key cannot be read, or does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing key is not a usable RSA key of 2048 bits or more in PKCS#8 form")]
pub struct BadKey;

/// What is wrong with a token before its claims are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Not three parts of base64url with JSON in them.
    Malformed,
    /// Not signed by this key, or with another algorithm.
    Signature,
}

/// The key that signs, with its public half in the forms in which it is given out.
pub struct SigningKey {
    pair: RsaKeyPair,
    random: SystemRandom,
    public: Vec<u8>,
    /// The head of every token, encoded.
    head: String,
    jwk: Value,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
}

impl SigningKey {
    /// Reads a key, and signs once with it to be sure that it can.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<SigningKey, BadKey> {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| BadKey)?;
        if pair.public_modulus_len() < 256 {
            return Err(BadKey);
        }
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| BadKey)?;
        let public = public.as_ref().to_vec();
        let n = URL_SAFE_NO_PAD.encode(pair.public_key().modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(pair.public_key().exponent().big_endian_without_leading_zero());
        // RFC 7638: the same key has the same name, whoever computes it.
        let thumbprint = digest(&SHA256, format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#).as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(thumbprint.as_ref());
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "kid": kid, "typ": "JWT"}).to_string());
        let jwk = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e});
        let key = SigningKey { pair, random: SystemRandom::new(), public, head, jwk };
        key.sign(&json!({}))?;
        Ok(key)
    }

    /// The public key as a JWK (RFC 7517).
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// A signed token with these claims.
    pub(super) fn sign<T: Serialize>(&self, claims: &T) -> Result<String, BadKey> {
        let claims = serde_json::to_vec(claims).map_err(|_| BadKey)?;
        let mut token = format!("{}.{}", self.head, URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &self.random, token.as_bytes(), &mut signature).map_err(|_| BadKey)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The claims of a token that this key has signed.
    pub(super) fn read<T: DeserializeOwned>(&self, token: &str) -> Result<T, Unreadable> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Unreadable::Malformed)?;
        let (head, claims) = signed.split_once('.').ok_or(Unreadable::Malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Unreadable::Malformed);
        let (head, claims, signature) = (decode(head)?, decode(claims)?, decode(signature)?);
        let head: Head = serde_json::from_slice(&head).map_err(|_| Unreadable::Malformed)?;
        if head.alg != "RS256" {
            return Err(Unreadable::Signature);
        }
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| Unreadable::Signature)?;
        serde_json::from_slice(&claims).map_err(|_| Unreadable::Malformed)
    }
}
