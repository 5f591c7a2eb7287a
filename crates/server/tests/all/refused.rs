//! Bad input: a clear refusal in Graph's shape, no effect, no panic.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::soon;
use crate::web::{self, Bot};
use crate::world::{
    APP, FOREIGN_APP, NULL_LINE, SECRET, TENANT, WEBHOOK, World, answer, create, play, token, token_form,
};

/// The server's own key, with which a test signs what the server itself would not.
fn sign(world: &World, claims: &Value) -> String {
    let key = std::fs::read(world.data().join("keys/signing.pk8")).expect("the key");
    let key = KeyPair::from_pkcs8(&key).expect("a key");
    // The kid is the one of the tokens that the server makes.
    let header = world.bot.token.split('.').next().expect("a header");
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("signs");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_valid_token_of_our_own_is_let_in() {
    let world = World::start().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let payload = world.bot.token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    for member in ["tid", "roles", "aud", "appid"] {
        assert!(!claims[member].is_null(), "{member}");
    }
    let changed = |member: &str, value: Value| {
        let mut claims = claims.clone();
        claims[member] = value;
        sign(&world, &claims)
    };
    let enter = async |token: &str| {
        let bot = Bot { http: world.http(), token: token.to_owned() };
        bot.get("").await
    };
    // The signing itself is right: unchanged claims are let in.
    enter(&sign(&world, &claims)).await.is(200);
    let notification = {
        let call = world.null_call().await;
        let told = world.journal.wait(&call, "establishing").await;
        told.header("authorization").strip_prefix("Bearer ").unwrap().to_owned()
    };
    let parts: Vec<&str> = world.bot.token.split('.').collect();
    let mut unsigned = claims.clone();
    unsigned["appid"] = FOREIGN_APP.into();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let cases = [
        ("expired", changed("exp", json!(now - 1))),
        ("not valid yet", changed("nbf", json!(now + 3600))),
        ("for something else", changed("aud", json!("https://management.azure.com"))),
        ("a notification's own bearer", notification),
        (
            "changed after signing",
            format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(unsigned.to_string()), parts[2]),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("alg none", format!("{none}.{}.", parts[1])),
        ("cut off", world.bot.token[..world.bot.token.len() - 10].to_owned()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("garbage", "nonsense".to_owned()),
        ("long", "x".repeat(10_000)),
    ];
    for (name, token) in cases {
        let refused = enter(&token).await;
        assert_eq!(refused.status, 401, "{name}");
        assert_eq!(refused.code(), "InvalidAuthenticationToken", "{name}");
        assert!(refused.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")), "{name}");
    }
    // Good tokens, of whom the calls service does not know, in Microsoft's words (contract §4.5).
    for (claim, value, code, message) in [
        ("appid", "ffffffff-0000-4000-8000-000000000000", "7503", "Application is not registered in our store."),
        ("tid", crate::world::OTHER_TENANT, "7505", "Request authorization tenant mismatch."),
    ] {
        let refused = enter(&changed(claim, json!(value))).await.is(403);
        assert_eq!((refused.code().as_str(), refused.message().as_str()), (code, message));
    }
    for head in ["", "Authorization: Bearer\r\n", "Authorization: Basic eDp5\r\n", "Authorization: \r\n"] {
        for path in ["/v1.0/communications/calls", "/v1.0/nonsense", "/nonsense"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: ringback\r\n{head}\r\n");
            // Strangers learn nothing of the paths.
            let refused = web::send(world.http(), request.as_bytes()).await.is(401);
            assert_eq!(refused.code(), "InvalidAuthenticationToken");
        }
    }
    // Nor does a bot's token open the operator's door, or the operator's the API.
    let door = world.bot.ask("GET", "/_ringback/status", None).await.is(401);
    assert_eq!(door.code(), "InvalidAuthenticationToken");
    let operator = std::fs::read_to_string(world.server.operator_token_file()).unwrap();
    enter(operator.trim()).await.is(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_endpoint_says_what_is_wrong() {
    let world = World::start().await;
    let http = world.http();
    let form = |grant: &str, scope: &str| format!("grant_type={grant}&client_id={APP}&client_secret=x&scope={scope}");
    let good = "https%3A%2F%2Fgraph.microsoft.com%2F.default";
    let wrong = [
        (token(http, TENANT, APP, "not the secret").await, 401, "invalid_client"),
        (token(http, TENANT, FOREIGN_APP, SECRET).await, 401, "invalid_client"),
        (token(http, TENANT, "unknown", SECRET).await, 401, "invalid_client"),
        (token(http, "unknown", APP, SECRET).await, 400, "invalid_tenant"),
        (token_form(http, TENANT, &form("password", good)).await, 400, "unsupported_grant_type"),
        (token_form(http, TENANT, &form("client_credentials", "openid")).await, 400, "invalid_scope"),
        (token_form(http, TENANT, "").await, 400, "invalid_request"),
        (token_form(http, TENANT, "grant_type=client_credentials").await, 400, "invalid_request"),
    ];
    for (answer, status, error) in wrong {
        let json = answer.is(status).json();
        assert_eq!(json["error"], error, "{json}");
        assert!(json["error_description"].as_str().unwrap().starts_with("AADSTS"), "{json}");
        assert!(json["correlation_id"].is_string() && json["error_codes"].is_array(), "{json}");
    }
    let answer = token(http, "ONE.example", APP, SECRET).await.is(200);
    let json = answer.json();
    assert_eq!((&json["token_type"], json["expires_in"].as_u64()), (&json!("Bearer"), Some(3600)));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let refused = web::send(http, format!("GET {path} HTTP/1.1\r\nHost: r\r\n\r\n").as_bytes()).await.is(405);
    assert_eq!(refused.header("allow"), Some("POST"));
    for (path, status) in [(TENANT, 200), ("one.example", 200), ("unknown", 400)] {
        let path = format!("/{path}/v2.0/.well-known/openid-configuration");
        let answer = web::send(http, format!("GET {path} HTTP/1.1\r\nHost: r\r\n\r\n").as_bytes()).await.is(status);
        if status == 200 {
            let endpoint = format!("{}/{TENANT}/oauth2/v2.0/token", world.server.public_url());
            assert_eq!(answer.json()["token_endpoint"], endpoint);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_paths_methods_and_what_is_not_served() {
    let world = World::start().await;
    let call = world.null_call().await;
    let root = format!("/v1.0/communications/calls/{call}");
    for (path, segment) in [
        ("/v2.0/communications/calls".to_owned(), "v2.0"),
        (format!("{root}/nonsense"), "nonsense"),
        (format!("{root}/playPrompt/more"), "more"),
        (format!("{root}/operations/x/more"), "more"),
    ] {
        for method in ["GET", "POST"] {
            let refused = world.bot.ask(method, &path, None).await.is(400);
            assert_eq!(refused.code(), "BadRequest", "{path}");
            assert_eq!(refused.message(), format!("Resource not found for the segment '{segment}'."), "{path}");
        }
    }
    assert_eq!(world.bot.ask("GET", "/v1.0", None).await.is(501).code(), "notSupported");
    for (method, path, allow) in [
        ("PATCH", root.clone(), "GET, DELETE"),
        ("PUT", root.clone(), "GET, DELETE"),
        ("POST", root.clone(), "GET, DELETE"),
        ("DELETE", "/v1.0/communications/calls".to_owned(), "GET, POST"),
        ("GET", format!("{root}/playPrompt"), "POST"),
        ("DELETE", format!("{root}/operations"), "GET"),
        ("POST", format!("{root}/operations"), "GET"),
        ("GET", format!("{root}/redirect"), "POST"),
    ] {
        let refused = world.bot.ask(method, &path, None).await.is(405);
        assert_eq!(refused.header("allow"), Some(allow), "{method} {path}");
        assert_eq!(refused.code(), "notAllowed");
    }
    for (method, version, path) in [
        ("POST", "v1.0", "/redirect"),
        ("POST", "v1.0", "/transfer"),
        ("POST", "v1.0", "/mute"),
        ("POST", "beta", "/microsoft.graph.StartRecording"),
        ("POST", "v1.0", "/participants/invite"),
        ("GET", "v1.0", "/audioRoutingGroups"),
    ] {
        let path = format!("/{version}/communications/calls/{call}{path}");
        let refused = world.bot.ask(method, &path, Some(&json!({}))).await.is(501);
        assert_eq!(refused.code(), "notSupported", "{path}");
    }
    // In beta alone: v1.0 does not know it.
    world.bot.ask("POST", &format!("{root}/startRecording"), None).await.is(400);
    // A call's id that is missing is said to be missing.
    let refused = world.bot.ask("POST", "/v1.0/communications/calls//playPrompt", Some(&json!({}))).await.is(400);
    assert!(refused.message().contains("id of the call is missing"), "{}", refused.message());
    // None of it did anything.
    assert_eq!(world.bot.get(&format!("/{call}")).await.is(200).json()["state"], "established");
    assert_eq!(world.bot.get(&format!("/{call}/operations")).await.is(200).json()["value"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_body_is_refused_in_words_that_name_the_member() {
    let world = World::start().await;
    let call = world.null_call().await;
    let playing = format!("/v1.0/communications/calls/{call}/playPrompt");
    for body in ["", "{", "{\"prompts\":", "[]", "null garbage", "\"text\"", "\u{0}", "{\"prompts\":[}"] {
        let refused = world.bot.ask_raw("POST", &playing, "", Some(body.as_bytes())).await.is(400);
        assert_eq!(refused.code(), "invalidRequest", "{body:?}");
    }
    world.bot.ask_raw("POST", &playing, "", Some(&[0xff, 0xfe, 0x00])).await.is(400);
    // Half a character is no text.
    let half = br#"{"clientContext":"\ud83d","prompts":[{"mediaInfo":{"uri":"http://h/p.wav"}}]}"#;
    world.bot.ask_raw("POST", &playing, "", Some(half)).await.is(400);
    let deep = "[".repeat(100_000);
    world.bot.ask_raw("POST", &playing, "", Some(deep.as_bytes())).await.is(400);
    let wrong = [
        (json!({"prompts": "x"}), "prompts"),
        (json!({"prompts": [1]}), "prompts[0]"),
        (json!({"prompts": [{}]}), "prompts[0].mediaInfo"),
        (json!({"prompts": [{"mediaInfo": {"uri": 7}}]}), "prompts[0].mediaInfo.uri"),
        (json!({"prompts": []}), "prompts"),
        (play(&["ftp://h/p.wav"], None), "prompts[0].mediaInfo.uri"),
        (play(&["http://h/p.wav", "nonsense"], None), "prompts[1].mediaInfo.uri"),
        (play(&["http://h/p.wav"; 21], None), "prompts"),
        (json!({"prompts": [{"mediaInfo": {"uri": "http://h"}}], "clientContext": 5}), "clientContext"),
    ];
    for (body, member) in wrong {
        let refused = world.bot.ask("POST", &playing, Some(&body)).await.is(400);
        assert_eq!(refused.code(), "invalidRequest");
        assert!(refused.message().contains(member), "{member}: {}", refused.message());
    }
    world.bot.ask("POST", &playing, Some(&play(&["http://h/p.wav"; 20], None))).await.is(200);
    let looped = json!({"loop": "yes", "prompts": [{"mediaInfo": {"uri": "http://h"}}]});
    let refused = world.bot.beta(&format!("/{call}/playPrompt"), &looped).await.is(400);
    assert!(refused.message().contains("loop"), "{}", refused.message());

    let good = create(&world.journal.url("/calls"), NULL_LINE);
    let changed = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body
    };
    let target = |identity: Value| json!([{"identity": identity}]);
    for (body, member) in [
        (changed("callbackUri", Value::Null), "callbackUri"),
        (changed("callbackUri", json!("nonsense")), "callbackUri"),
        (changed("callbackUri", json!(5)), "callbackUri"),
        (changed("mediaConfig", Value::Null), "mediaConfig"),
        (changed("mediaConfig", json!("x")), "mediaConfig"),
        (changed("targets", json!([])), "targets"),
        (changed("targets", target(json!({}))), "targets[0].identity"),
        (changed("targets", target(json!({"user": {"id": "unknown"}}))), "targets[0]"),
        (changed("targets", target(json!({"phone": {"id": "+15550199"}}))), "targets[0]"),
        (changed("targets", target(json!({"application": {"id": APP}}))), "targets[0]"),
        (changed("targets", target(json!({"user": {"id": "sip:x@192.0.2.1"}}))), "targets[0]"),
        (changed("requestedModalities", json!(["smell"])), "requestedModalities[0]"),
    ] {
        let refused = world.bot.post("", &body).await.is(400);
        assert_eq!(refused.code(), "invalidRequest");
        assert!(refused.message().contains(member), "{member}: {}", refused.message());
    }
    let app_hosted = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "x"});
    for body in
        [changed("mediaConfig", app_hosted), changed("targets", json!([good["targets"][0], good["targets"][0]]))]
    {
        assert_eq!(world.bot.post("", &body).await.is(501).code(), "notSupported");
    }
    // None of it began a call.
    assert_eq!(world.bot.get("").await.is(200).json()["value"].as_array().unwrap().len(), 1);
    let bad_answer = json!({"acceptedModalities": ["audio"]});
    let refused = world.bot.post(&format!("/{call}/answer"), &bad_answer).await.is(400);
    assert!(refused.message().contains("mediaConfig"), "{}", refused.message());
    let mut elsewhere = answer();
    elsewhere["callbackUri"] = "nonsense".into();
    world.bot.post(&format!("/{call}/answer"), &elsewhere).await.is(409);
}

/// A body over the limit is refused whether or not its length was announced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_over_the_limit_is_refused() {
    let world = World::start().await;
    let call = world.null_call().await;
    let limit = ringback_server::limits::BODY;
    let path = format!("/v1.0/communications/calls/{call}/subscribeToTone");
    let fits = format!("{{}}{}", " ".repeat(limit - 2));
    world.bot.ask_raw("POST", &path, "", Some(fits.as_bytes())).await.is(200);
    let head = |more: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {}\r\n{more}\r\n", world.bot.token)
    };
    // Announced: refused before it is sent.
    let announced = head(&format!("Content-Length: {}\r\n", limit + 1));
    let refused = web::send(world.http(), announced.as_bytes()).await.is(413);
    assert_eq!(refused.code(), "invalidRequest");
    // Not announced: refused when it has become too much. The last chunk never comes.
    let mut stream = soon(TcpStream::connect(world.http())).await.unwrap();
    stream.write_all(head("Transfer-Encoding: chunked\r\n").as_bytes()).await.unwrap();
    for _ in 0..limit / 1024 {
        stream.write_all(format!("400\r\n{}\r\n", " ".repeat(1024)).as_bytes()).await.unwrap();
    }
    stream.write_all(b"1\r\n \r\n").await.unwrap();
    assert_eq!(web::read(&mut stream).await.is(413).code(), "invalidRequest");
    // The token endpoint has a smaller one of its own, and says so in its own words.
    let announced =
        format!("POST /{TENANT}/oauth2/v2.0/token HTTP/1.1\r\nHost: r\r\nContent-Length: {}\r\n\r\n", limit + 1);
    web::send(world.http(), announced.as_bytes()).await.is(413);
    assert_eq!(token_form(world.http(), TENANT, &"x".repeat(20_000)).await.is(413).json()["error"], "invalid_request");
    assert_eq!(
        world.bot.get(&format!("/{call}/operations")).await.is(200).json()["value"].as_array().unwrap().len(),
        1
    );
}

/// Calls carry audio; whoever wants video too gets the call, and can read that it is of audio.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn video_beside_audio_is_not_carried_and_video_alone_is_refused() {
    let world = World::start().await;
    let mut place = create(&world.journal.url(WEBHOOK), NULL_LINE);
    for alone in [json!(["video"]), json!(["videoBasedScreenSharing", "data"])] {
        place["requestedModalities"] = alone;
        let refused = world.bot.post("", &place).await.is(400);
        assert_eq!(refused.code(), "invalidRequest");
        assert!(refused.message().contains("requestedModalities must hold audio"), "{}", refused.message());
    }
    place["requestedModalities"] = json!(["audio", "video"]);
    let placed = world.bot.post("", &place).await.is(201);
    assert_eq!(placed.json()["requestedModalities"], json!(["audio"]));
}
