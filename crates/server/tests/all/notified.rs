//! What a notification looks like, and how its bearer is verified (client-facts §3, `contract §5.2`, `§5.3`).

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Value, json};

use crate::journal::Told;
use crate::web::{self, Answer};
use crate::world::{APP, FOREIGN_APP, FOREIGN_LINE, OTHER_TENANT, TENANT, USERS, World, create, play, tone};

const TENANT_CLAIM: &str = "http://schemas.microsoft.com/identity/claims/tenantid";

async fn document(world: &World, path: &str) -> Answer {
    web::send(world.http(), format!("GET {path} HTTP/1.1\r\nHost: ringback\r\n\r\n").as_bytes()).await
}

/// Verifies a bearer as a strict bot does, from the OpenID document on; gives its claims.
async fn verified(world: &World, told: &Told, app: &str) -> Value {
    let openid = document(world, "/v1/.well-known/OpenIdConfiguration").await.is(200).json();
    let keys = openid["jwks_uri"].as_str().expect("a jwks_uri").to_owned();
    let path = keys.strip_prefix(world.server.public_url()).expect("our own keys");
    let keys: JwkSet = serde_json::from_slice(&document(world, path).await.is(200).body).expect("keys");
    let token = told.header("authorization").strip_prefix("Bearer ").expect("a bearer");
    let header = decode_header(token).expect("a header");
    assert_eq!(header.alg, Algorithm::RS256);
    assert_eq!(openid["id_token_signing_alg_values_supported"], json!(["RS256"]));
    let key = keys.find(&header.kid.expect("a kid")).expect("the key is published");
    let mut wanted = Validation::new(Algorithm::RS256);
    wanted.set_audience(&[app]);
    wanted.set_issuer(&["https://api.botframework.com"]);
    wanted.set_required_spec_claims(&["exp", "nbf", "aud", "iss"]);
    wanted.validate_nbf = true;
    decode::<Value>(token, &DecodingKey::from_jwk(key).expect("a key"), &wanted).expect("it verifies").claims
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bearer_verifies_names_the_tenant_twice_and_is_reused() {
    let world = World::start().await;
    let first = world.null_call().await;
    let second = world.null_call().await;
    for call in [&first, &second] {
        world.bot.hang_up(call).await;
        world.over(call).await;
    }
    let told = [world.journal.of(&first), world.journal.of(&second)].concat();
    let claims = verified(&world, &told[0], APP).await;
    assert_eq!((&claims["tid"], &claims[TENANT_CLAIM]), (&json!(TENANT), &json!(TENANT)));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3900);
    assert!(told.iter().all(|one| one.header("authorization") == told[0].header("authorization")), "it is reused");

    // Another tenant's bot has a bearer of its own.
    let foreign = world.foreign().await;
    let call = foreign.post("", &create(&world.journal.url("/foreign"), FOREIGN_LINE)).await.is(201).id();
    let other = world.journal.wait(&call, "establishing").await;
    let claims = verified(&world, &other, FOREIGN_APP).await;
    assert_eq!((&claims["tid"], &claims[TENANT_CLAIM]), (&json!(OTHER_TENANT), &json!(OTHER_TENANT)));
}

/// Envelope and headers, of every kind of notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_notification_has_the_envelope_real_ones_have() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let file = world.journal.file("/short.wav", tone(100));
    let (call, up) = world.call_from(&phone).await;
    world.bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200);
    up.press("1").await;
    world.journal.wait(&call, "tone tone1").await;
    let operation = world.bot.post(&format!("/{call}/playPrompt"), &play(&[&file], Some("ctx"))).await.is(200).id();
    world.journal.ended(&call, &operation).await;
    let read = world.bot.get(&format!("/{call}")).await.is(200).json();
    up.hang_up().await;
    world.over(&call).await;
    let told = world.journal.of(&call);
    for one in &told {
        check_envelope(one, &call, read["callChainId"].as_str().expect("a chain"));
    }
    let of = |gist: &str| told.iter().find(|told| told.gist() == gist).unwrap_or_else(|| panic!("no {gist}")).item();
    let changes = [
        ("incoming", "created"),
        ("establishing", "updated"),
        ("established active", "updated"),
        ("roster", "updated"),
        ("tone tone1", "updated"),
        ("operation completed", "deleted"),
        ("terminated", "deleted"),
    ];
    for (gist, change) in changes {
        assert_eq!(of(gist)["changeType"], change, "{gist}");
    }

    let incoming = of("incoming")["resourceData"].take();
    assert_eq!(incoming["direction"], "incoming");
    assert_eq!(incoming["tenantId"], TENANT);
    assert_eq!(incoming["source"]["identity"]["user"]["id"], USERS[0].0);
    assert_eq!(incoming["targets"][0]["identity"]["application"]["id"], APP);
    assert_eq!(incoming["requestedModalities"], json!(["audio"]));
    assert_eq!(incoming["myParticipantId"], read["myParticipantId"]);
    assert_eq!(of("establishing")["callbackUri"], world.journal.url("/calls"));
    let established = of("established")["resourceData"].take();
    assert_eq!((&established["direction"], &established["mediaState"]), (&json!("incoming"), &Value::Null));
    // The roster is an array, whole: the bot and the caller.
    let roster = of("roster")["resourceData"].take();
    let ids: Vec<&Value> = roster.as_array().expect("an array").iter().map(|participant| &participant["id"]).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&&read["myParticipantId"]), "{roster}");
    for participant in roster.as_array().unwrap() {
        assert_eq!(participant["mediaStreams"][0]["label"], "main-audio");
        assert_eq!((&participant["isMuted"], &participant["isInLobby"]), (&json!(false), &json!(false)));
    }
    assert_eq!(of("tone tone1")["resourceData"]["toneInfo"]["sequenceId"], 1);
    let ended = of("operation completed")["resourceData"].take();
    assert_eq!(ended["prompts"][0]["mediaInfo"]["uri"], file);
    assert_eq!(ended["completionReason"], "completedSuccessfully");
    assert_eq!(ended["resultInfo"]["message"], "Action completed successfully.");
    let end = of("terminated")["resourceData"]["resultInfo"].take();
    assert_eq!((&end["code"], &end["subcode"]), (&json!(200), &json!(5002)));
}

fn check_envelope(told: &Told, call: &str, chain: &str) {
    let body: Value = serde_json::from_slice(&told.body).expect("JSON");
    assert_eq!(body["@odata.type"], "#microsoft.graph.commsNotifications");
    let item = told.item();
    assert_eq!(item["@odata.type"], "#microsoft.graph.commsNotification");
    let url = item["resourceUrl"].as_str().expect("a resourceUrl");
    let tail = url.strip_prefix("/communications/calls/").expect("the path of a call");
    assert!(tail.starts_with(call), "{url}");
    assert_eq!(item["resource"], format!("/app/calls/{tail}"));
    let data = &item["resourceData"];
    if data.is_object() {
        let id = url.rsplit('/').next().expect("an id");
        assert_eq!(data["id"], id, "{data}");
    }
    assert_eq!(told.header("content-type").split(';').next(), Some("application/json"));
    assert_eq!(told.header("accept"), "application/json");
    assert!(told.header("user-agent").contains("Calling/1.0"));
    assert_eq!((told.header("scenario-id"), told.header("x-microsoft-skype-chain-id")), (chain, chain));
    assert_eq!(told.message_id().len(), 36);
}
