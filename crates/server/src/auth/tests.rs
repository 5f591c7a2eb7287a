//! Tokens as clients ask for them and present them, judged with another JWT library than ours.

use super::*;
use crate::directory::{App, Directory, DirectoryParts, Reach, Role, SecretHash, Tenant, Webhook};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaEncoding, RsaKeyPair};
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::OnceLock;

const NOW: u64 = 1_795_456_000;
const URL: &str = "https://calls.example";
const OPERATOR: &str = "0123456789abcdef0123456789abcdef";
const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn pkcs8() -> &'static [u8] {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    KEY.get_or_init(new_key)
}

fn new_key() -> Vec<u8> {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    der.as_ref().to_vec()
}

/// Two tenants with an app each; the secret of `app-N` is `secret-N`.
fn parts() -> DirectoryParts {
    let tenant = |n: u8| Tenant { id: TenantId::new(&format!("tenant-{n}")), name: format!("t{n}.example") };
    let app = |n: u8| App {
        id: AppId::new(&format!("app-{n}")),
        tenant: TenantId::new(&format!("tenant-{n}")),
        name: format!("App {n}"),
        configured: true,
        secret: Some(SecretHash::make(&format!("secret-{n}"), NonZeroU32::new(10_000).unwrap()).unwrap()),
        reach: Reach::new(Webhook::parse("http://127.0.0.1:3978/").ok(), None, Vec::new()),
        roles: Role::ALL.to_vec(),
        numbers: Vec::new(),
        prefixes: Vec::new(),
        max_calls: 1,
        max_recording_mib: 1,
    };
    DirectoryParts { tenants: vec![tenant(1), tenant(2)], apps: vec![app(1), app(2)], ..DirectoryParts::default() }
}

fn auth() -> Auth {
    let directory = SharedDirectory::new(Directory::new(parts()));
    let first_seen = FirstSeen::in_memory(directory.clone());
    Auth::new(directory, first_seen, SigningKey::from_pkcs8(pkcs8()).unwrap(), OPERATOR.into(), b"the recordings' key")
        .unwrap()
}

/// The body that msal really sends (`captured-requests/python-msgraph-sdk-unchanged.json`).
fn form(client: &str, secret: &str) -> String {
    format!(
        "client_id={client}&grant_type=client_credentials&client_info=1&client_secret={secret}\
         &claims=%7B%22access_token%22%3A+%7B%22xms_cc%22%3A+%7B%22values%22%3A+%5B%22CP1%22%5D%7D%7D%7D\
         &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
    )
}

fn request<'a>(tenant: &'a str, body: &'a str) -> TokenRequest<'a> {
    TokenRequest {
        base: URL,
        tenant,
        version: TokenVersion::V2,
        authorization: None,
        body: body.as_bytes(),
        client_request_id: None,
        source: SOURCE,
    }
}

async fn token(auth: &Auth) -> String {
    let answer = auth.token(request("tenant-1", &form("app-1", "secret-1")), NOW).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body["access_token"].as_str().unwrap().to_owned()
}

fn header(token: &str) -> String {
    format!("Bearer {token}")
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// The claims, if another library finds the signature good with the keys that we publish.
fn verified_elsewhere(auth: &Auth, token: &str, audience: &str) -> Value {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
    let (kid, keys) = (decode_header(token).unwrap().kid.unwrap(), auth.keys());
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid.as_str()).unwrap();
    assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!("RSA"), &json!("RS256"), &json!("sig")));
    let key = DecodingKey::from_rsa_components(key["n"].as_str().unwrap(), key["e"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_audience(&[audience]);
    decode::<Value>(token, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn an_app_gets_a_token_and_is_known_by_it() {
    let auth = auth();
    let token = token(&auth).await;
    let claims = verified_elsewhere(&auth, &token, "https://graph.microsoft.com");
    for (name, value) in [
        ("tid", json!("tenant-1")),
        ("appid", json!("app-1")),
        ("roles", json!(Role::ALL.map(Role::as_str))),
        ("iss", json!("https://calls.example/tenant-1/v2.0")),
        ("iat", json!(NOW)),
        ("nbf", json!(NOW)),
        ("exp", json!(NOW + 3600)),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let caller = auth.verify(Some(&format!("{scheme} {token}")), NOW).unwrap();
        assert_eq!((caller.app.as_str(), caller.tenant.as_str()), ("app-1", "tenant-1"));
        assert_eq!(caller.roles, Role::ALL.map(Role::as_str));
    }
    assert_eq!(auth.tokens.count(), 1);
}

#[tokio::test]
async fn the_answer_is_what_azure_says() {
    let auth = auth();
    let answer = auth.token(request("T1.Example", &form("APP-1", "secret-1")), NOW).await;
    assert_eq!((answer.status, answer.retry_after), (200, None));
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!((&answer.body["expires_in"], &answer.body["ext_expires_in"]), (&json!(3600), &json!(3600)));
    assert_eq!(claims(answer.body["access_token"].as_str().unwrap())["tid"], "tenant-1", "the id, not the name");
}

#[tokio::test]
async fn a_token_is_good_from_its_beginning_to_its_end() {
    let auth = auth();
    let header = header(&token(&auth).await);
    for cached in [false, true] {
        let fresh = self::auth();
        let auth = if cached { &auth } else { &fresh };
        assert!(auth.verify(Some(&header), NOW + 3599).is_ok());
        assert_eq!(auth.verify(Some(&header), NOW + 3600), Err(TokenError::Expired), "cached: {cached}");
        assert!(auth.verify(Some(&header), NOW - 300).is_ok());
        assert_eq!(auth.verify(Some(&header), NOW - 301), Err(TokenError::Expired), "cached: {cached}");
    }
    assert_eq!(auth.tokens.count(), 0, "what has expired is forgotten");
}

/// A token with these claims, signed with some key of the given kind.
fn forged(pkcs8: &[u8], alg: &str, encoding: &'static dyn RsaEncoding, claims: &Value) -> String {
    let pair = RsaKeyPair::from_pkcs8(pkcs8).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": alg, "typ": "JWT"})), part(claims));
    let mut signature = vec![0; 256];
    pair.sign(encoding, &aws_lc_rs::rand::SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn only_our_own_whole_tokens_are_taken() {
    let auth = auth();
    let good = token(&auth).await;
    let parts: Vec<&str> = good.split('.').collect();
    let mut admin = claims(&good);
    admin["appid"] = json!("app-2");
    admin["tid"] = json!("tenant-2");
    let swapped = URL_SAFE_NO_PAD.encode(admin.to_string());
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let mut bent = good.clone().into_bytes();
    let last = bent.len() - 10;
    bent[last] = if bent[last] == b'A' { b'B' } else { b'A' };
    let bent = String::from_utf8(bent).unwrap();
    let keyed_with_public = {
        // The classic confusion: our public key as the secret of HS256.
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let signed = format!("{head}.{swapped}");
        let n = auth.keys()["keys"][0]["n"].as_str().unwrap().to_owned();
        let key = hmac::Key::new(hmac::HMAC_SHA256, n.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
    };
    let mut padded = admin.clone();
    padded["roles"] = json!(["x".repeat(limits::TOKEN_BYTES)]);
    for (token, expected) in [
        (forged(pkcs8(), "RS256", &RSA_PKCS1_SHA256, &padded), TokenError::Malformed),
        (forged(pkcs8(), "none", &RSA_PKCS1_SHA256, &admin), TokenError::BadSignature),
        (String::new(), TokenError::Missing),
        ("x".into(), TokenError::Malformed),
        ("a.b".into(), TokenError::Malformed),
        ("....".into(), TokenError::Malformed),
        (format!("{good}."), TokenError::Malformed),
        (format!("{good}="), TokenError::Malformed),
        ("x".repeat(limits::TOKEN_BYTES + 1), TokenError::Malformed),
        (good.repeat(20), TokenError::Malformed),
        (format!("{}.{}.", parts[0], parts[1]), TokenError::BadSignature),
        (format!("{}.{swapped}.{}", parts[0], parts[2]), TokenError::BadSignature),
        (format!("{unsigned}.{swapped}."), TokenError::BadSignature),
        (format!("{unsigned}.{swapped}.{}", parts[2]), TokenError::BadSignature),
        (bent, TokenError::BadSignature),
        (keyed_with_public, TokenError::BadSignature),
        (forged(&new_key(), "RS256", &RSA_PKCS1_SHA256, &admin), TokenError::BadSignature),
        (forged(pkcs8(), "RS384", &RSA_PKCS1_SHA384, &admin), TokenError::BadSignature),
        (forged(pkcs8(), "RS256", &RSA_PKCS1_SHA256, &json!([1])), TokenError::Malformed),
        (
            forged(pkcs8(), "RS256", &RSA_PKCS1_SHA256, &json!({"aud": "https://graph.microsoft.com"})),
            TokenError::Expired,
        ),
    ] {
        assert_eq!(auth.verify(Some(&header(&token)), NOW), Err(expected), "{token:.60}");
    }
    for authorization in [None, Some(""), Some("Bearer"), Some("Basic YTpi"), Some(good.as_str())] {
        assert_eq!(auth.verify(authorization, NOW), Err(TokenError::Missing));
    }
    assert_eq!(auth.tokens.count(), 0, "nothing refused is remembered");
    assert!(auth.verify(Some(&header(&good)), NOW).is_ok());
    assert!(
        auth.verify(Some(&header(&forged(pkcs8(), "RS256", &RSA_PKCS1_SHA256, &admin))), NOW).is_ok(),
        "the forger works"
    );
}

#[tokio::test]
async fn a_notifications_token_opens_nothing() {
    let auth = auth();
    let bearer = auth.notification_bearer(&AppId::new("app-1"), &TenantId::new("tenant-1"), NOW).unwrap();
    assert_eq!(auth.verify(Some(bearer.to_str().unwrap()), NOW), Err(TokenError::WrongAudience));
}

#[tokio::test]
async fn an_app_that_is_gone_is_refused_at_once() {
    let auth = auth();
    let header = header(&token(&auth).await);
    auth.verify(Some(&header), NOW).unwrap();
    let mut moved = parts();
    moved.apps[0].tenant = TenantId::new("tenant-2");
    auth.directory.replace(Directory::new(moved));
    assert_eq!(auth.verify(Some(&header), NOW), Err(TokenError::OtherTenant), "another tenant's now");
    auth.directory.replace(Directory::new(DirectoryParts { apps: Vec::new(), ..parts() }));
    assert_eq!(auth.verify(Some(&header), NOW), Err(TokenError::UnknownApp));
    auth.directory.replace(Directory::new(parts()));
    assert!(auth.verify(Some(&header), NOW).is_ok());
}

#[tokio::test]
async fn the_cache_of_tokens_is_bounded() {
    let auth = auth();
    let bound = limits::TOKEN_SHARDS * limits::TOKENS_PER_SHARD;
    let caller = Arc::new(Caller { app: AppId::new("app-1"), tenant: TenantId::new("tenant-1"), roles: Vec::new() });
    for n in 0..2 * bound as u64 {
        auth.tokens.pretend_known(&format!("token {n}"), &caller, NOW + 10 + n % 2, NOW);
    }
    assert!(auth.tokens.count() <= bound && auth.tokens.count() > bound / 4, "{}", auth.tokens.count());
    let header = header(&token(&auth).await);
    assert!(auth.verify(Some(&header), NOW).is_ok());
}

#[tokio::test]
async fn refusals_have_azures_numbers() {
    let auth = auth();
    let good = form("app-1", "secret-1");
    let long = format!("{good}&x={}", "y".repeat(limits::TOKEN_REQUEST_BYTES));
    for (tenant, body, status, error, code) in [
        ("nobody", good.clone(), 400, "invalid_tenant", 90002),
        ("common", good.clone(), 400, "invalid_tenant", 90002),
        (
            "tenant-1",
            good.replace("grant_type=client_credentials", "grant_type=password"),
            400,
            "unsupported_grant_type",
            70003,
        ),
        ("tenant-1", good.replace("grant_type", "grant"), 400, "invalid_request", 900_144),
        ("tenant-1", good.replace("client_id", "client"), 400, "invalid_request", 900_144),
        ("tenant-1", good.replace("client_secret", "secret"), 401, "invalid_client", 7_000_218),
        ("tenant-1", good.replace("=secret-1", "="), 401, "invalid_client", 7_000_218),
        ("tenant-1", good.replace("&scope", "&scop"), 400, "invalid_request", 900_144),
        ("tenant-1", good.replace("%2F.default", "%2FCalls.All"), 400, "invalid_scope", 1_002_012),
        ("tenant-1", good.replace("graph.microsoft.com", "vault.example"), 400, "invalid_resource", 500_011),
        ("tenant-1", format!("{good}&client_id=app-2"), 400, "invalid_request", 900_144),
        ("tenant-1", long, 413, "invalid_request", 90_014),
        ("tenant-1", String::new(), 400, "invalid_request", 900_144),
        ("tenant-1", good.replace("secret-1", "secret-2"), 401, "invalid_client", 7_000_215),
        ("tenant-1", form("app-2", "secret-2"), 401, "invalid_client", 7_000_215),
        ("tenant-2", good.clone(), 401, "invalid_client", 7_000_215),
        ("tenant-1", form("app-9", "secret-1"), 401, "invalid_client", 7_000_215),
    ] {
        let answer = auth.token(request(tenant, &body), NOW).await;
        let (found, codes) = (&answer.body["error"], &answer.body["error_codes"]);
        assert_eq!((answer.status, found, codes), (status, &json!(error), &json!([code])), "{tenant} {body:.80}");
        assert!(answer.body.get("access_token").is_none());
        let told = answer.refused.unwrap();
        assert!(told.starts_with(&format!("AADSTS{code}: ")) && !told.contains("secret-"), "{told}");
        assert!(!told.contains("nobody") && (code != 500_011 || told.contains("https://vault.example ")), "{told}");
        let description = answer.body["error_description"].as_str().unwrap();
        assert!(
            description.starts_with(&format!("AADSTS{code}: ")) && !description.contains("secret-"),
            "{description}"
        );
    }
}

#[tokio::test]
async fn known_and_unknown_apps_are_answered_alike() {
    let auth = auth();
    let answer = async |body: String| {
        let mut body = auth.token(request("tenant-1", &body), NOW).await.body;
        let (trace, correlation) = (body["trace_id"].take(), body["correlation_id"].take());
        let text = body["error_description"].as_str().unwrap();
        body["error_description"] =
            json!(text.replace(trace.as_str().unwrap(), "").replace(correlation.as_str().unwrap(), ""));
        body
    };
    assert_eq!(answer(form("app-1", "wrong")).await, answer(form("app-9", "wrong")).await);
    assert_eq!(auth.verified.lock().unwrap().len(), 0, "a wrong secret is not remembered");
}

#[tokio::test]
async fn scopes_name_graph_in_every_form() {
    let auth = auth();
    for scope in [
        "https://graph.microsoft.com/.default",
        "https://graph.microsoft.com//.default",
        "https://Graph.Microsoft.com/.default",
        "00000003-0000-0000-c000-000000000000/.default",
        "https://calls.example/.default",
    ] {
        let body = format!("grant_type=client_credentials&client_id=app-1&client_secret=secret-1&scope={scope}");
        assert_eq!(auth.token(request("tenant-1", &body), NOW).await.status, 200, "{scope}");
    }
}

#[tokio::test]
async fn basic_credentials_are_taken_too() {
    let auth = auth();
    let body = "grant_type=client_credentials&scope=https://graph.microsoft.com/.default";
    let ask = async |scheme: &str, credentials: &str, body: &str| {
        let authorization = format!("{scheme} {}", STANDARD.encode(credentials));
        let request = TokenRequest { authorization: Some(&authorization), ..request("tenant-1", body) };
        auth.token(request, NOW).await
    };
    assert_eq!(ask("Basic", "app-1:secret-1", body).await.status, 200);
    assert_eq!(ask("basic", "app%2D1:secret%2D1", body).await.status, 200, "encoded as in a form");
    assert_eq!(ask("Basic", "app-1:secret-1", &format!("{body}&client_id=app-1")).await.status, 200);
    assert_eq!(ask("Basic", "app-1:secret-2", body).await.status, 401);
    assert_eq!(ask("Basic", "app-1", body).await.body["error_codes"], json!([900_144]));
    assert_eq!(ask("Bearer", "app-1:secret-1", body).await.body["error_codes"], json!([900_144]));
    assert_eq!(ask("Basic", "app-1:secret-1", &form("app-1", "secret-1")).await.status, 400, "one way, not two");
    assert_eq!(ask("Basic", "app-1:secret-1", &format!("{body}&client_id=app-2")).await.status, 400);
}

#[tokio::test]
async fn a_right_secret_is_hashed_once() {
    let auth = auth();
    token(&auth).await;
    let all = auth.hashing.try_acquire_many(u32::try_from(limits::HASHES_AT_ONCE).unwrap()).unwrap();
    for _ in 0..3 {
        // Would wait for ever if it had to hash.
        token(&auth).await;
    }
    drop(all);
    let mut changed = parts();
    changed.apps[0].secret = SecretHash::make("new secret", NonZeroU32::new(10_000).unwrap()).ok();
    auth.directory.replace(Directory::new(changed));
    let answer = auth.token(request("tenant-1", &form("app-1", "secret-1")), NOW).await;
    assert_eq!(answer.status, 401, "a changed secret ends what was remembered");
}

#[tokio::test]
async fn more_than_may_wait_for_a_hash_are_sent_away() {
    let auth = auth();
    let all = auth.waiting.try_acquire_many(u32::try_from(limits::HASHES_WAITING).unwrap()).unwrap();
    let answer = auth.token(request("tenant-1", &form("app-1", "secret-1")), NOW).await;
    assert_eq!((answer.status, answer.retry_after), (503, Some(1)));
    drop(all);
    token(&auth).await;
}

#[tokio::test]
async fn a_source_that_is_often_wrong_has_to_wait() {
    let auth = auth();
    token(&auth).await;
    for _ in 0..limits::FAILURES_OPEN - 1 {
        auth.sources.lock().unwrap().charge(SOURCE, NOW).unwrap();
    }
    let (good, wrong) = (form("app-1", "secret-1"), form("app-1", "wrong"));
    assert_eq!(auth.token(request("tenant-1", &good), NOW).await.status, 200, "a success costs nothing");
    assert_eq!(auth.token(request("tenant-1", &wrong), NOW).await.status, 401, "a failure costs the last one");
    for body in [&good, &wrong] {
        let answer = auth.token(request("tenant-1", body), NOW).await;
        assert_eq!((answer.status, answer.retry_after), (429, Some(2)), "and then right and wrong look alike");
        assert_eq!(answer.body["error"], "temporarily_unavailable");
    }
    let elsewhere = TokenRequest { source: [192, 0, 2, 1].into(), ..request("tenant-1", &good) };
    assert_eq!(auth.token(elsewhere, NOW).await.status, 200);
    assert_eq!(auth.token(request("tenant-1", &good), NOW + 2).await.status, 200);
}

#[test]
fn a_notification_bears_what_strict_bots_check() {
    let auth = auth();
    let (app, tenant) = (AppId::new("app-1"), TenantId::new("tenant-1"));
    let header = auth.notification_bearer(&app, &tenant, NOW).unwrap();
    assert!(header.is_sensitive());
    let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    let claims = verified_elsewhere(&auth, &token, "app-1");
    assert_eq!(
        claims,
        json!({
            "iss": "https://api.botframework.com", "aud": "app-1", "tid": "tenant-1",
            "http://schemas.microsoft.com/identity/claims/tenantid": "tenant-1",
            "iat": NOW, "nbf": NOW, "exp": NOW + 3900,
        })
    );
}

#[test]
fn a_bearer_is_made_once_and_replaced_before_it_expires() {
    let auth = auth();
    let (app, tenant) = (AppId::new("app-1"), TenantId::new("tenant-1"));
    let first = auth.notification_bearer(&app, &tenant, NOW).unwrap();
    assert_eq!(auth.notification_bearer(&app, &tenant, NOW + 3599).unwrap(), first);
    let second = auth.notification_bearer(&app, &tenant, NOW + 3600).unwrap();
    assert_ne!(second, first);
    assert_eq!(claims(second.to_str().unwrap())["iat"], NOW + 3600);
    let (other_app, other_tenant) = (AppId::new("app-2"), TenantId::new("tenant-2"));
    let theirs = auth.notification_bearer(&app, &other_tenant, NOW + 3600).unwrap();
    assert_eq!(claims(theirs.to_str().unwrap())["tid"], "tenant-2");
    let theirs = auth.notification_bearer(&other_app, &tenant, NOW + 3600).unwrap();
    assert_eq!(claims(theirs.to_str().unwrap())["aud"], "app-2");
    let back = auth.notification_bearer(&app, &tenant, NOW).unwrap();
    assert_eq!(claims(back.to_str().unwrap())["nbf"], NOW, "a clock set back makes a new one");
}

#[test]
fn the_operators_token_is_compared_whole() {
    let auth = auth();
    assert!(auth.is_operator(Some(&header(OPERATOR))));
    for wrong in ["", "x", &OPERATOR[1..], &format!("{OPERATOR}0"), &OPERATOR.to_uppercase()] {
        assert!(!auth.is_operator(Some(&header(wrong))), "{wrong}");
    }
    assert!(!auth.is_operator(None) && !auth.is_operator(Some(OPERATOR)));
}

#[tokio::test]
async fn documents_lead_to_the_keys_and_the_endpoint() {
    let auth = auth();
    let document = auth.notification_document(URL);
    assert_eq!(document["issuer"], "https://api.botframework.com");
    assert_eq!(document["jwks_uri"], "https://calls.example/v1/keys");
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256"]));
    let elsewhere = auth.notification_document("https://api.aps.skype.com");
    assert_eq!(elsewhere["jwks_uri"], "https://api.aps.skype.com/v1/keys");
    let document = auth.tenant_document(URL, "T1.example", NOW).unwrap();
    assert_eq!(document["token_endpoint"], "https://calls.example/tenant-1/oauth2/v2.0/token");
    assert_eq!(document["jwks_uri"], "https://calls.example/tenant-1/discovery/v2.0/keys");
    assert_eq!(document["issuer"], claims(&token(&auth).await)["iss"]);
    let unknown = auth.tenant_document(URL, "nobody", NOW).unwrap_err();
    assert_eq!((unknown.status, &unknown.body["error"]), (400, &json!("invalid_tenant")));
}

#[test]
fn a_key_keeps_its_name_and_a_bad_one_is_refused() {
    let kid = |der: &[u8]| SigningKey::from_pkcs8(der).unwrap().jwk()["kid"].as_str().unwrap().to_owned();
    assert_eq!(kid(pkcs8()), kid(pkcs8()));
    assert_ne!(kid(pkcs8()), kid(&new_key()));
    assert!(SigningKey::from_pkcs8(b"").is_err() && SigningKey::from_pkcs8(&pkcs8()[1..]).is_err());
}

#[test]
fn a_recording_is_opened_by_its_own_token_alone() {
    let auth = auth();
    let recording = |n| ringback_core::OperationId(uuid::Uuid::from_u128(n));
    let token = auth.recording_token(recording(1));
    assert_eq!(token, auth.recording_token(recording(1)), "the same whenever it is told");
    let opens = |text: &str| auth.opens_recording(Some(text), recording(1));
    assert!(opens(&format!("Bearer {token}")) && opens(&format!("bearer {token}")));
    assert!(!auth.opens_recording(Some(&format!("Bearer {token}")), recording(2)));
    assert!(!auth.opens_recording(None, recording(1)));
    for wrong in [
        token.clone(),
        format!("Basic {token}"),
        "Bearer ".into(),
        format!("Bearer {}", &token[1..]),
        format!("Bearer {token}A"),
    ] {
        assert!(!opens(&wrong), "{wrong}");
    }
    let key = SigningKey::from_pkcs8(pkcs8()).unwrap();
    let directory = SharedDirectory::new(Directory::new(parts()));
    let other =
        Auth::new(directory.clone(), FirstSeen::in_memory(directory), key, OPERATOR.into(), b"another key").unwrap();
    assert!(!other.opens_recording(Some(&format!("Bearer {token}")), recording(1)));
}
