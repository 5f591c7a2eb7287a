//! What the token endpoint answers, in the shapes of Azure's.

use crate::first_seen::NotTaken;
use ringback_core::AppId;
use serde_json::{Value, json};
use std::fmt;
use uuid::Uuid;

/// An answer of the token endpoint. To be sent as JSON with `Cache-Control: no-store`.
#[derive(Clone, PartialEq)]
pub struct TokenAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// `Retry-After`, seconds.
    pub retry_after: Option<u64>,
    /// What the operator is told of a refusal: Azure's number and the reason, without the client's own words.
    pub refused: Option<String>,
}

/// Everything that a token request is refused for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    UnknownTenant(String),
    UnknownInstance,
    MissingParameter(&'static str),
    MissingSecret,
    TwoSecrets,
    TooLarge,
    GrantType,
    Scope,
    /// The host of the resource, if it has one.
    Resource(Option<String>),
    Client,
    OtherSecret(AppId),
    BadId,
    Assertion,
    BadAssertion,
    AssertionTime,
    TooManyApps(String),
    NotKept,
    TooManyFailures {
        retry_after: u64,
    },
    Busy,
    Signing,
}

impl TokenAnswer {
    /// The secret was wrong, or there is no such app: which of the two is not told.
    pub fn is_wrong_secret(&self) -> bool {
        self.body["error_codes"][0] == Denied::Client.row().2
    }

    /// As the older endpoint answers: times are texts, and the resource is said.
    pub(super) fn token_v1(token: &str, seconds: u64, resource: &str, now: u64) -> TokenAnswer {
        let body = json!({
            "token_type": "Bearer",
            "expires_in": seconds.to_string(),
            "ext_expires_in": seconds.to_string(),
            "expires_on": (now + seconds).to_string(),
            "not_before": now.to_string(),
            "resource": resource,
            "access_token": token,
        });
        TokenAnswer { status: 200, body, retry_after: None, refused: None }
    }

    pub(super) fn token(token: &str, seconds: u64) -> TokenAnswer {
        let body = json!({
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        });
        TokenAnswer { status: 200, body, retry_after: None, refused: None }
    }

    /// `correlation`: the client's own id of the request, given back.
    pub(super) fn denied(why: &Denied, correlation: Option<&str>, now: u64) -> TokenAnswer {
        let (status, error, code, text) = why.row();
        let trace = Uuid::new_v4();
        let correlation = correlation.and_then(|id| Uuid::parse_str(id).ok()).unwrap_or_else(Uuid::new_v4);
        let timestamp = timestamp(now);
        let body = json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        });
        let retry_after = match why {
            Denied::TooManyFailures { retry_after } => Some(*retry_after),
            Denied::Busy | Denied::NotKept => Some(1),
            _ => None,
        };
        let told = match why {
            Denied::UnknownTenant(_) => Denied::UnknownTenant("…".to_owned()).row().3,
            _ => text,
        };
        TokenAnswer { status, body, retry_after, refused: Some(format!("AADSTS{code}: {told}")) }
    }
}

impl From<NotTaken> for Denied {
    fn from(why: NotTaken) -> Denied {
        match why {
            NotTaken::BadId => Denied::BadId,
            NotTaken::NotKept(_) => Denied::NotKept,
            // The configuration was read again meanwhile.
            NotTaken::Strict | NotTaken::Unknown => Denied::Client,
            NotTaken::TooMany | NotTaken::Wish(_) | NotTaken::TenantConfigured => Denied::TooManyApps(why.to_string()),
        }
    }
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body may be a token.
        write!(f, "TokenAnswer({})", self.status)
    }
}

impl Denied {
    /// The same of an app whose first secret is remembered.
    pub(super) fn of_first(self, app: &AppId) -> Denied {
        if self == Denied::Client { Denied::OtherSecret(app.clone()) } else { self }
    }

    /// HTTP status, OAuth error (RFC 6749 §5.2), Azure's number, and what to do.
    fn row(&self) -> (u16, &'static str, u32, String) {
        match self {
            Denied::UnknownTenant(tenant) => {
                let shown: String = tenant.chars().filter(|c| !c.is_control()).take(64).collect();
                (400, "invalid_tenant", 90002, format!("Tenant '{shown}' not found. Use a tenant id or name of this server's configuration."))
            }
            Denied::UnknownInstance => {
                (400, "invalid_instance", 50_049, "Unknown or invalid instance. Ask about a host that this server has a name for.".into())
            }
            Denied::MissingParameter(name) => {
                (400, "invalid_request", 900_144, format!("The request body must contain the following parameter: '{name}'."))
            }
            Denied::MissingSecret => {
                (401, "invalid_client", 7_000_218, "The request body must contain the following parameter: 'client_secret'.".into())
            }
            Denied::TwoSecrets => {
                (400, "invalid_request", 900_144, "Each parameter is given once, and the secret in the body or in the Authorization header, not in both.".into())
            }
            Denied::TooLarge => (413, "invalid_request", 90_014, "The request is too large.".into()),
            Denied::GrantType => {
                (400, "unsupported_grant_type", 70_003, "The app requested an unsupported grant type. This server knows 'client_credentials'.".into())
            }
            Denied::Scope => {
                (400, "invalid_scope", 1_002_012, "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier, such as https://graph.microsoft.com/.default.".into())
            }
            Denied::Resource(host) => {
                let named = host.as_ref().map_or(String::new(), |host| format!(" named https://{host}"));
                (400, "invalid_resource", 500_011, format!("The resource principal{named} was not found in the tenant. This server issues tokens for https://graph.microsoft.com alone: what others are for (chat by the Bot Framework, key vaults) is not here."))
            }
            Denied::Client => {
                (401, "invalid_client", 7_000_215, "Invalid client secret provided, or no application with this client_id in this tenant. Ensure the secret being sent is the client secret itself, not its hash.".into())
            }
            Denied::OtherSecret(app) => {
                (401, "invalid_client", 7_000_215, format!("Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'. Here that is the secret with which the app asked first; to have it forgotten: DELETE /_ringback/apps/{app}, with the operator's token."))
            }
            Denied::Assertion => {
                (401, "invalid_client", 700_027, "Client assertion failed signature validation: this server verifies secrets. Give the app its secret; or, where any identity is accepted, have that forgotten: DELETE /_ringback/apps/{client_id}, with the operator's token.".into())
            }
            Denied::BadAssertion => {
                (401, "invalid_client", 50_027, "JWT token is invalid or malformed: client_assertion is not a JWT of three parts with an exp, or client_assertion_type is not urn:ietf:params:oauth:client-assertion-type:jwt-bearer.".into())
            }
            Denied::AssertionTime => {
                (401, "invalid_client", 700_024, "Client assertion is not within its valid time range. Compare the bot's clock with the server's.".into())
            }
            Denied::BadId => {
                (400, "unauthorized_client", 700_016, "Application was not found in the directory: an app's id (client_id) is a GUID.".into())
            }
            Denied::TooManyApps(why) => (400, "unauthorized_client", 700_016, format!("Application was not found in the directory: {why}.")),
            Denied::NotKept => {
                (503, "temporarily_unavailable", 90_033, "A transient error has occurred: the app could not be recorded. Please try again.".into())
            }
            Denied::TooManyFailures { .. } => {
                (429, "temporarily_unavailable", 90_055, "There were too many failed requests from this address. Wait as long as Retry-After says.".into())
            }
            Denied::Busy => {
                (503, "temporarily_unavailable", 90_033, "A transient error has occurred: too many secrets are being checked. Please try again.".into())
            }
            Denied::Signing => (500, "server_error", 90_033, "The token could not be signed.".into()),
        }
    }
}

/// `2026-11-23 17:46:00Z`, as Azure writes it.
fn timestamp(now: u64) -> String {
    let (days, seconds) = (now / 86_400, now % 86_400);
    // Howard Hinnant's civil_from_days, for days since 1970 and years before 10000: years begin in March.
    let days = days.min(2_932_896) + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_civil() {
        for (now, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_795_456_000, "2026-11-23 17:46:40Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(timestamp(now), text);
        }
    }

    #[test]
    fn an_error_has_the_shape_that_clients_read() {
        let id = "b79b21ad-3e33-436a-ad5b-bc09c03a2573";
        let answer = TokenAnswer::denied(&Denied::Client, Some(id), 0);
        assert_eq!(answer.status, 401);
        assert_eq!(answer.body["error"], "invalid_client");
        assert_eq!(answer.body["error_codes"], json!([7_000_215]));
        assert_eq!(answer.body["correlation_id"], id);
        assert!(answer.body["error_description"].as_str().unwrap().starts_with("AADSTS7000215: Invalid client secret"));
        let hostile = TokenAnswer::denied(&Denied::UnknownTenant("a\r\nb".repeat(100)), None, 0);
        let text = hostile.body["error_description"].as_str().unwrap();
        assert!(!text.contains('\n') && text.len() < 400, "{text}");
    }
}
