//! Client secrets at rest: a salted, slow hash, and how a secret is compared with it.
//!
//! It knows neither apps nor requests.

use aws_lc_rs::{pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::num::NonZeroU32;

/// Rounds of a new hash. OWASP's password storage guidance for PBKDF2-HMAC-SHA256 (2023): 600,000.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();
/// Fewer rounds than this are refused as too cheap to guess (the same guidance, ten years ago).
const FEWEST_ITERATIONS: u32 = 10_000;
/// More rounds than this would let one configured line stall every token request.
const MOST_ITERATIONS: u32 = 5_000_000;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
const SCHEME: &str = "pbkdf2-sha256";
static ALGORITHM: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA256;

/// A secret's hash, `pbkdf2-sha256$iterations$salt$hash` with salt and hash in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// Why a hash cannot be read, or none can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not the expected form.
    #[error("is not of the form \"pbkdf2-sha256$iterations$salt$hash\": make one with `ringback hash-secret`")]
    Malformed,
    /// The number of rounds is out of range.
    #[error("has {0} iterations: between {FEWEST_ITERATIONS} and {MOST_ITERATIONS} are accepted")]
    Iterations(u32),
    /// The system gave no random bytes.
    #[error("the system's source of random bytes failed")]
    Random,
}

impl SecretHash {
    /// Hashes a secret with a fresh salt.
    pub fn make(secret: &str, iterations: NonZeroU32) -> Result<SecretHash, SecretError> {
        let mut salt = vec![0; SALT_BYTES];
        rand::fill(&mut salt).map_err(|_| SecretError::Random)?;
        let mut hash = vec![0; HASH_BYTES];
        pbkdf2::derive(ALGORITHM, iterations, &salt, secret.as_bytes(), &mut hash);
        Ok(SecretHash { iterations, salt, hash })
    }

    /// Reads a hash as it stands in the configuration.
    pub fn parse(text: &str) -> Result<SecretHash, SecretError> {
        let mut parts = text.split('$');
        let (Some(SCHEME), Some(iterations), Some(salt), Some(hash), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SecretError::Malformed);
        };
        let iterations: u32 = iterations.parse().map_err(|_| SecretError::Malformed)?;
        if !(FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&iterations) {
            return Err(SecretError::Iterations(iterations));
        }
        let iterations = NonZeroU32::new(iterations).ok_or(SecretError::Malformed)?;
        let salt = STANDARD.decode(salt).map_err(|_| SecretError::Malformed)?;
        let hash = STANDARD.decode(hash).map_err(|_| SecretError::Malformed)?;
        if salt.len() < 8 || hash.len() != HASH_BYTES {
            return Err(SecretError::Malformed);
        }
        Ok(SecretHash { iterations, salt, hash })
    }

    /// A hash that no secret has: comparing with it costs as much as comparing with a real one.
    pub fn of_nobody() -> SecretHash {
        SecretHash { iterations: ITERATIONS, salt: vec![0; SALT_BYTES], hash: vec![0; HASH_BYTES] }
    }

    /// Whether this is the secret. Slow on purpose (about 0.1 s at [`ITERATIONS`]); compares in constant time.
    pub fn verify(&self, secret: &str) -> bool {
        pbkdf2::verify(ALGORITHM, self.iterations, &self.salt, secret.as_bytes(), &self.hash).is_ok()
    }

    /// The bytes of the hash: with the salt in them, a name for this very secret of this very configuration.
    pub(crate) fn digest(&self) -> &[u8] {
        &self.hash
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}${}${}${}", self.iterations, STANDARD.encode(&self.salt), STANDARD.encode(&self.hash))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// Makes the text for `secret_hash` of an app in `ringback.toml`.
pub fn hash_secret(secret: &str) -> Result<String, SecretError> {
    Ok(SecretHash::make(secret, ITERATIONS)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

    #[test]
    fn a_hash_survives_its_text_and_knows_only_its_secret() {
        let made = SecretHash::make("open sesame", FEW).unwrap();
        let read = SecretHash::parse(&made.to_string()).unwrap();
        assert_eq!(made, read);
        assert!(read.verify("open sesame"));
        assert!(!read.verify("open sesam") && !read.verify("") && !read.verify("Open sesame"));
        assert_ne!(made, SecretHash::make("open sesame", FEW).unwrap(), "each hash has its own salt");
        assert!(!SecretHash::of_nobody().verify(""));
    }

    #[test]
    fn the_format_is_the_published_one() {
        // Python: hashlib.pbkdf2_hmac("sha256", b"password", b"saltsalt", 10000)
        let text = "pbkdf2-sha256$10000$c2FsdHNhbHQ=$8AsC4H/147lFlEEMCnL1JMziEIWaSGvXLB7jM4MIJaM=";
        assert!(SecretHash::parse(text).unwrap().verify("password"));
    }

    #[test]
    fn what_is_not_a_hash_is_refused_in_words() {
        let good = SecretHash::make("x", FEW).unwrap().to_string();
        for bad in [
            "",
            "secret",
            "pbkdf2-sha1$10000$c2FsdHNhbHQ=$x",
            &good[1..],
            &format!("{good}$"),
            &good.replace("10000", "ten"),
        ] {
            assert_eq!(SecretHash::parse(bad), Err(SecretError::Malformed), "{bad}");
        }
        assert_eq!(SecretHash::parse(&good.replace("10000", "9999")), Err(SecretError::Iterations(9999)));
        assert_eq!(
            SecretHash::parse(&good.replace("10000", "4000000000")),
            Err(SecretError::Iterations(4_000_000_000))
        );
        assert_eq!(
            format!("{:?}", SecretHash::parse(&good)),
            "Ok(SecretHash(..))",
            "a hash is not printed by accident"
        );
    }
}
