//! Which notifications are taken for genuine.

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use ringback_client::verify::{Expected, MESSAGE_ID, Refusal, read};
use ringback_client::{Graph, Keys};
use serde_json::{Value, json};

use crate::platform::{APP, Platform, TENANT};
use crate::sign::{self, KEY_ID, TENANT_CLAIM};

fn keys() -> Keys {
    Keys::from_jwks(sign::key_set().to_string().as_bytes()).expect("a key set")
}

fn expected() -> Expected {
    Expected { app_id: APP.into(), tenant: Some(TENANT.into()) }
}

fn bearing(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    headers.insert(MESSAGE_ID, "m-1".parse().expect("a header"));
    headers
}

fn body() -> Bytes {
    crate::webhook::incoming("c1").to_string().into()
}

fn verdict(token: &str) -> Result<(), Refusal> {
    read(&bearing(token), &body(), &keys(), &expected()).map(drop)
}

/// Good claims with one changed; null takes it away.
fn with(name: &str, value: Value) -> Value {
    let mut claims = sign::claims();
    match value {
        Value::Null => drop(claims.as_object_mut().expect("claims").remove(name)),
        value => claims[name] = value,
    }
    claims
}

#[test]
fn a_genuine_notification_is_read() {
    let delivery = read(&bearing(&sign::by_platform(&sign::claims())), &body(), &keys(), &expected()).expect("genuine");
    assert_eq!(delivery.message_id.as_deref(), Some("m-1"));
    assert_eq!(delivery.tenant, TENANT);
    assert_eq!(delivery.notifications.len(), 1);
}

#[test]
fn both_issuers_and_either_tenant_claim_will_do() {
    for claims in [
        with("iss", json!("https://graph.microsoft.com")),
        with("tid", Value::Null),
        with(TENANT_CLAIM, Value::Null),
        with("tid", json!(TENANT.to_uppercase())),
        with("nbf", Value::Null),
        with("aud", json!([APP, "another"])),
    ] {
        assert_eq!(verdict(&sign::by_platform(&claims)), Ok(()), "{claims}");
    }
}

#[test]
fn a_token_that_is_not_for_us_is_refused() {
    let cases = [
        ("iss", json!("https://login.microsoftonline.com"), Refusal::Issuer),
        ("iss", Value::Null, Refusal::NotGenuine),
        ("aud", json!("another app"), Refusal::Audience),
        ("aud", Value::Null, Refusal::NotGenuine),
        ("exp", json!(sign::now() - 3600), Refusal::OutOfTime),
        ("exp", Value::Null, Refusal::NotGenuine),
        ("exp", json!("tomorrow"), Refusal::NotGenuine),
        ("nbf", json!(sign::now() + 3600), Refusal::OutOfTime),
        ("tid", json!("another tenant"), Refusal::Tenant),
        (TENANT_CLAIM, json!("another tenant"), Refusal::Tenant),
    ];
    for (name, value, refusal) in cases {
        let claims = with(name, value);
        assert_eq!(verdict(&sign::by_platform(&claims)), Err(refusal), "{claims}");
    }
    let mut foreign = with("tid", json!("another tenant"));
    foreign[TENANT_CLAIM] = json!("another tenant");
    assert_eq!(verdict(&sign::by_platform(&foreign)), Err(Refusal::Tenant));
    let mut nowhere = with("tid", Value::Null);
    nowhere.as_object_mut().expect("claims").remove(TENANT_CLAIM);
    assert_eq!(verdict(&sign::by_platform(&nowhere)), Err(Refusal::Tenant));
}

#[test]
fn a_token_of_another_hand_is_refused() {
    let claims = sign::claims();
    let good = sign::by_platform(&claims);
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let other_claims = sign::by_platform(&with("sub", json!("x")));
    let (other_signed, _) = other_claims.rsplit_once('.').expect("three parts");
    let header = |algorithm: &str, key_id: Value| json!({"alg": algorithm, "typ": "JWT", "kid": key_id});
    for forged in [
        sign::by_forger(&claims, KEY_ID),
        sign::by_forger(&claims, "key-2"),
        format!("{other_signed}.{signature}"),
        format!("{signed}."),
        format!("{signed}.AAAA"),
        sign::with_header(&header("none", json!(KEY_ID)), &claims),
        sign::with_header(&header("HS256", json!(KEY_ID)), &claims),
        sign::with_header(&header("RS512", json!(KEY_ID)), &claims),
        sign::with_header(&header("RS256", Value::Null), &claims),
        sign::with_header(&json!([]), &claims),
        "a.b.c".into(),
        "junk".into(),
        String::new(),
    ] {
        assert_eq!(verdict(&forged), Err(Refusal::NotGenuine), "{forged}");
    }
    assert_eq!(Refusal::NotGenuine.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(Refusal::Audience.status(), StatusCode::FORBIDDEN);
}

#[test]
fn no_token_is_refused() {
    let mut headers = HeaderMap::new();
    assert_eq!(read(&headers, &body(), &keys(), &expected()).unwrap_err(), Refusal::NoToken);
    headers.insert("authorization", "Basic YTpi".parse().expect("a header"));
    assert_eq!(read(&headers, &body(), &keys(), &expected()).unwrap_err(), Refusal::NoToken);
}

#[test]
fn a_body_that_is_no_notification_is_refused() {
    let headers = bearing(&sign::by_platform(&sign::claims()));
    for junk in ["", "{", "[]", "null", "7", r#"{"value": 3}"#] {
        let refused = read(&headers, junk.as_bytes(), &keys(), &expected()).map(|delivery| delivery.notifications);
        assert_eq!(refused.unwrap_err(), Refusal::Body, "{junk}");
    }
}

#[tokio::test]
async fn keys_are_read_once_and_again_for_an_unknown_one_within_bounds() {
    let platform = Platform::silent().await;
    let verifier = Graph::new(platform.config()).expect("settings").verifier();
    let good = bearing(&sign::by_platform(&sign::claims()));
    for _ in 0..10 {
        verifier.read(&good, &body()).await.expect("genuine");
    }
    assert_eq!(platform.asked("/keys").len(), 1);

    let reads = ringback_client::limits::KEY_READS as usize;
    for nth in 0..20 {
        let forged = bearing(&sign::by_forger(&sign::claims(), &format!("unknown-{nth}")));
        let refused = verifier.admit(&forged).await.expect_err("forged");
        // Once the reads are used up it may be a new key: the platform shall repeat.
        assert_eq!(refused, if nth + 1 < reads { Refusal::NotGenuine } else { Refusal::NoKeys });
    }
    assert_eq!(platform.asked("/keys").len(), reads);
    verifier.read(&good, &body()).await.expect("still genuine");
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_no_verdict_on_the_token() {
    let platform = Platform::silent().await;
    let mut config = platform.config();
    config.openid_url = Some(format!("{}/nothing/here", platform.url()));
    let verifier = Graph::new(config).expect("settings").verifier();
    let good = bearing(&sign::by_platform(&sign::claims()));
    assert_eq!(verifier.admit(&good).await, Err(Refusal::NoKeys));
    assert_eq!(Refusal::NoKeys.status(), StatusCode::SERVICE_UNAVAILABLE);
}
