//! Client assertions (RFC 7523 §2.2): what a bot with a certificate, or a managed identity, sends in place of a secret.
//!
//! There is no certificate here to verify one with. An open directory takes any secret the first time, so it takes an
//! assertion too, if it reads and its time is right; nobody else does.

use super::limits;
use super::token_answer::Denied;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// `client_assertion_type` (RFC 7523 §2.2).
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[derive(Deserialize)]
struct Claims {
    exp: f64,
    #[serde(default)]
    nbf: f64,
}

/// Reads an assertion without verifying its signature. `now`: seconds since 1970.
pub(super) fn check(assertion: &str, now: u64) -> Result<(), Denied> {
    let parts: Vec<&str> = assertion.split('.').collect();
    let [_, payload, _] = parts.as_slice() else { return Err(Denied::BadAssertion) };
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).map_err(|_| Denied::BadAssertion)?;
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Denied::BadAssertion)?;
    let (now, skew) = (now as f64, limits::CLOCK_SKEW_SECONDS as f64);
    if claims.exp + skew <= now || claims.nbf > now + skew { Err(Denied::AssertionTime) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_reads_and_is_of_this_time() {
        let of = |payload: &str| format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        let now = 1_000_000;
        for (payload, outcome) in [
            (r#"{"exp":1000600,"nbf":1000000,"sub":"a"}"#, Ok(())),
            (r#"{"exp":999800}"#, Ok(())),
            (r#"{"exp":999700}"#, Err(Denied::AssertionTime)),
            (r#"{"exp":1003600,"nbf":1000301}"#, Err(Denied::AssertionTime)),
            (r#"{"sub":"a"}"#, Err(Denied::BadAssertion)),
            ("", Err(Denied::BadAssertion)),
        ] {
            assert_eq!(check(&of(payload), now), outcome, "{payload}");
        }
        for bad in ["", "a.b", "a.b.c.d", "x.!.y"] {
            assert_eq!(check(bad, now), Err(Denied::BadAssertion), "{bad}");
        }
    }
}
