//! The documents by which others find our keys and our token endpoint.

use super::bearers::NOTIFICATION_ISSUER;
use serde_json::{Value, json};

/// Where bots look for the keys of notifications: at `https://api.aps.skype.com` in the original, with this case.
pub const NOTIFICATION_DOCUMENT_PATH: &str = "/v1/.well-known/OpenIdConfiguration";
/// The keys themselves (JWKS).
pub const KEYS_PATH: &str = "/v1/keys";
/// Where msal asks whether a host is known to issue tokens.
pub const INSTANCES_PATH: &str = "/common/discovery/instance";

/// What bots read to verify notifications. `base`: scheme and host under which we are asked, without trailing slash.
pub(super) fn notification_document(base: &str) -> Value {
    json!({
        "issuer": NOTIFICATION_ISSUER,
        "authorization_endpoint": "https://invalid.botframework.com",
        "jwks_uri": format!("{base}{KEYS_PATH}"),
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
    })
}

/// What azure-identity and msal read before they ask for a token.
pub(super) fn tenant_document(base: &str, tenant: &str, issued_in: &str) -> Value {
    let host = base.split_once("://").map_or(base, |(_, host)| host);
    json!({
        "issuer": issuer(base, issued_in),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["https://graph.microsoft.com/.default"],
        "claims_supported": ["aud", "iss", "iat", "nbf", "exp", "appid", "tid", "roles", "sub"],
        "tenant_region_scope": null,
        "cloud_instance_name": host,
        "msgraph_host": host,
    })
}

/// What instance discovery answers (`/common/discovery/instance`): where the tenant's document is, and that this host
/// goes by no other name.
pub(super) fn instance_document(base: &str, tenant: &str) -> Value {
    let host = base.split_once("://").map_or(base, |(_, host)| host);
    json!({
        "tenant_discovery_endpoint": format!("{base}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    })
}

/// Who issues access tokens for a tenant.
pub(super) fn issuer(base: &str, tenant: &str) -> String {
    format!("{base}/{tenant}/v2.0")
}
