//! An open directory: any app, any tenant, on first sight; its first secret from then on; and notifications sent to
//! where the bot listens, whatever its URLs say.

use ringback_server::{Options, Server};
use ringback_signal::phone::{Phone, PhoneConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::journal::Journal;
use crate::soon;
use crate::web::{self, Bot};
use crate::world::{HERE, answer, create, play, token, token_form, tone};

const APP: &str = "5d5d5d5d-0000-4000-8000-00000000000d";
const TENANT: &str = "9e9e9e9e-0000-4000-8000-00000000000e";
const SECRET: &str = "whatever~the.bot-has";
/// Of the published directory.
const HOME: &str = "0a0a0a0a-0000-4000-8000-000000000001";
const DEVELOPMENT: &str = "0a0a0a0a-0000-4000-8000-0000000000b0";
const LINE: &str = "0a0a0a0a-0000-4000-8000-000000009000";

struct Open {
    server: Server,
    folder: TempDir,
}

impl Open {
    async fn start() -> Open {
        Open::start_in(tempfile::tempdir().expect("a folder")).await
    }

    async fn start_in(folder: TempDir) -> Open {
        let free = Some("127.0.0.1:0".parse().expect("an address"));
        let options = Options {
            data: folder.path().join("data"),
            config: None,
            http: free,
            https: free,
            sip: free,
            sip_tls: free,
        };
        let server = soon(Server::start(options)).await.unwrap_or_else(|error| panic!("{error}"));
        Open { server, folder }
    }

    async fn restart(self) -> Open {
        soon(self.server.stop(std::time::Duration::from_secs(5))).await;
        Open::start_in(self.folder).await
    }

    /// Asks for a token; the answer's status, and its claims if it is one.
    async fn token(&self, tenant: &str, secret: &str) -> (u16, Value) {
        let answer = token(self.server.http_addr(), tenant, APP, secret).await;
        let body = answer.json();
        match body["access_token"].as_str() {
            Some(token) => (answer.status, claims(token)),
            None => (answer.status, body),
        }
    }

    async fn phone(&self) -> Phone {
        let config = PhoneConfig {
            registrar: self.server.sip_addr(),
            user: "1001".to_owned(),
            password: "ringback".to_owned(),
            bind: HERE,
        };
        let phone = soon(Phone::start(config)).await.expect("a phone");
        soon(phone.register()).await.expect("it registers");
        phone
    }

    async fn bot(&self) -> Bot {
        crate::world::bot_with(self.server.http_addr(), TENANT, APP, SECRET).await
    }

    async fn operator(&self, method: &str, path: &str, body: Option<&Value>) -> web::Answer {
        let token = std::fs::read_to_string(self.server.operator_token_file()).expect("the operator's token");
        let door = Bot { http: self.server.http_addr(), token: token.trim().to_owned() };
        door.ask(method, &format!("/_ringback/{path}"), body).await
    }
}

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).expect("three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_app_in_any_tenant_is_accepted_on_first_sight_and_by_its_first_secret_from_then_on() {
    let open = Open::start().await;
    let (status, claims) = open.token("common", SECRET).await;
    assert_eq!((status, &claims["tid"], &claims["appid"]), (200, &json!(HOME), &json!(APP)));
    assert_eq!(open.token(&TENANT.to_uppercase(), SECRET).await.1["tid"], TENANT);
    for word in ["common", "organizations", "botframework.com"] {
        assert_eq!(open.token(word, SECRET).await.1["tid"], TENANT, "{word}: the tenant that it named last");
    }
    // RFC 9562 §6.5: computed elsewhere, uuid5(NAMESPACE_DNS, "contoso.onmicrosoft.com").
    let contoso = "2b6d8627-79bd-5737-b194-7ee60e2c6ffc";
    let of_name = open.token("Contoso.onmicrosoft.com", SECRET).await.1["tid"].clone();
    assert_eq!(of_name, contoso);
    assert_eq!(open.token("nowhere", SECRET).await.1["error"], "invalid_tenant");

    let (status, refused) = open.token(TENANT, "another secret").await;
    assert_eq!((status, &refused["error_codes"]), (401, &json!([7_000_215])));
    let words = refused["error_description"].as_str().unwrap();
    assert!(words.contains("Invalid client secret provided") && words.contains("DELETE /_ringback/apps/"), "{words}");

    let open = open.restart().await;
    assert_eq!(open.token(TENANT, "another secret").await.0, 401, "a restart does not forget");
    assert_eq!(open.token(TENANT, SECRET).await.0, 200);
    open.operator("DELETE", &format!("apps/{APP}"), None).await.is(204);
    assert_eq!(open.token(TENANT, "another secret").await.0, 200);
    assert_eq!(open.token(TENANT, SECRET).await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_endpoint_and_the_documents_know_every_tenant_too() {
    let open = Open::start().await;
    let http = open.server.http_addr();
    let form = format!(
        "grant_type=client_credentials&client_id={APP}&client_secret={SECRET}&resource=https%3A%2F%2Fgraph.microsoft.com"
    );
    let head = format!(
        "POST /{TENANT}/oauth2/token HTTP/1.1\r\nHost: r\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = web::send(http, head.as_bytes()).await.is(200).json();
    assert_eq!(claims(answer["access_token"].as_str().unwrap())["tid"], TENANT);
    for (tenant, issuer) in [(TENANT, TENANT), ("common", "{tenantid}")] {
        let get = format!("GET /{tenant}/v2.0/.well-known/openid-configuration HTTP/1.1\r\nHost: r\r\n\r\n");
        let document = web::send(http, get.as_bytes()).await.is(200).json();
        assert!(document["issuer"].as_str().unwrap().ends_with(&format!("/{issuer}/v2.0")), "{document}");
        assert!(document["token_endpoint"].as_str().unwrap().contains(&format!("/{tenant}/oauth2/v2.0/")));
    }
    let wrong =
        "grant_type=client_credentials&client_id=5000&client_secret=x&scope=https://graph.microsoft.com/.default";
    let refused = token_form(http, TENANT, wrong).await.is(400).json();
    assert_eq!(refused["error_codes"], json!([700_016]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_says_where_an_app_is_told_of_things() {
    let open = Open::start().await;
    let apps = open.operator("GET", "apps", None).await.is(200).json();
    assert_eq!(apps["value"].as_array().map(Vec::len), Some(1));
    let wish = json!({"webhook": "https://x.example/calls", "local": "http://127.0.0.1:4000",
        "callbacks": [{"public": "https://y.example", "local": "http://127.0.0.1:4001"}]});
    let shown = open.operator("PUT", &format!("apps/{APP}"), Some(&wish)).await.is(200).json();
    assert_eq!((&shown["webhook"], &shown["local"]), (&wish["webhook"], &wish["local"]));
    assert_eq!((&shown["callbacks"], &shown["secretKnown"]), (&wish["callbacks"], &json!(false)));
    assert_eq!(open.operator("GET", &format!("apps/{APP}"), None).await.is(200).json(), shown);
    let template = open.operator("PUT", "apps/first-seen", Some(&json!({"tenant": TENANT}))).await.is(200).json();
    assert_eq!((&template["id"], &template["tenant"]), (&json!("first-seen"), &json!(TENANT)));
    assert_eq!(open.operator("GET", "apps/first-seen", None).await.is(200).json(), template);
    assert_eq!(open.token("common", SECRET).await.1["tid"], TENANT);

    let bad = [json!({"webhok": "http://x/"}), json!([]), json!({"local": "http://x/path"})];
    for body in bad {
        assert_eq!(open.operator("PUT", &format!("apps/{APP}"), Some(&body)).await.is(400).code(), "invalidRequest");
    }
    assert_eq!(open.operator("GET", "apps/unseen", None).await.is(404).code(), "itemNotFound");
    let refused = open.operator("POST", "apps", None).await.is(405);
    assert_eq!(refused.header("allow"), Some("GET"));

    let strict = crate::world::World::start().await;
    let token = std::fs::read_to_string(strict.server.operator_token_file()).unwrap();
    let door = Bot { http: strict.http(), token: token.trim().to_owned() };
    let refused = door.ask("PUT", &format!("/_ringback/apps/{APP}"), Some(&json!({}))).await.is(409);
    assert!(refused.message().contains("server.identities = \"any\""), "{}", refused.message());
    assert_eq!(token_of_strict(&strict, "common").await, 400);
}

async fn token_of_strict(strict: &crate::world::World, tenant: &str) -> u16 {
    token(strict.http(), tenant, APP, SECRET).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_and_prompts_on_a_public_name_go_to_where_the_bot_listens() {
    let open = Open::start().await;
    let journal = Journal::start().await;
    let local = format!("http://{}", journal.address());
    let mut timeline = open.server.timeline().follow();
    open.operator("PUT", &format!("apps/{APP}"), Some(&json!({"local": local}))).await.is(200);
    let bot = open.bot().await;
    let callback = "https://bot.x.example/calls?code=1";
    let call = bot.post("", &create(callback, LINE)).await.is(201).id();
    journal.wait(&call, "established active").await;
    assert_eq!(journal.told()[0].path, "/calls");
    assert_eq!(bot.get(&format!("/{call}")).await.is(200).json()["callbackUri"], callback);
    bot.hang_up(&call).await;
    journal.wait(&call, "terminated").await;
    let mut said = Vec::new();
    while let Ok(entry) = timeline.try_recv() {
        said.extend(Some(entry.text).filter(|text| text.contains("where the bot listens")));
    }
    assert_eq!(said, [format!("notifications for bot.x.example go to {}, where the bot listens", journal.address())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_number_rings_the_bot_that_was_seen_and_its_prompt_is_found_beside_its_webhook() {
    let open = Open::start().await;
    let journal = Journal::start().await;
    let wish = json!({"tenant": TENANT, "webhook": "https://bot.x.example/calls",
        "callbacks": [{"public": "https://bot.x.example", "local": format!("http://{}", journal.address())}]});
    open.operator("PUT", &format!("apps/{APP}"), Some(&wish)).await.is(200);
    let phone = open.phone().await;
    journal.file("/hello.wav", tone(200));
    let calling = phone.clone();
    let bot = async {
        let call = journal.incoming(&[]).await;
        let told = journal.told().into_iter().next().expect("it was told");
        let token = told.header("authorization").trim_start_matches("Bearer ").to_owned();
        assert_eq!((&claims(&token)["aud"], &claims(&token)["tid"]), (&json!(APP), &json!(TENANT)));
        assert_eq!(told.data()["source"]["identity"]["user"]["tenantId"], TENANT);
        // The first word that this bot says to the server is its secret.
        let bot = open.bot().await;
        bot.post(&format!("/{call}/answer"), &answer()).await.is(202);
        journal.wait(&call, "established active").await;
        let play = play(&["https://bot.x.example/hello.wav"], None);
        let operation = bot.post(&format!("/{call}/playPrompt"), &play).await.is(200).id();
        (bot, call.clone(), journal.ended(&call, &operation).await)
    };
    let (up, (bot, call, ended)) = tokio::join!(soon(calling.call("5000")), bot);
    let _up = up.expect("it is up");
    assert_eq!(ended["status"], "completed", "{ended}");
    bot.hang_up(&call).await;
    journal.wait(&call, "terminated").await;
}

/// What `run` says of a bot whose id it does not know, or whose tenant it does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_offered_before_its_bot_showed_who_it_is_is_that_bots() {
    for app in [DEVELOPMENT, APP] {
        let open = Open::start().await;
        let journal = Journal::start().await;
        open.operator("PUT", &format!("apps/{app}"), Some(&json!({"webhook": journal.url("/calls")}))).await.is(200);
        let phone = open.phone().await;
        let calling = phone.clone();
        let bot = async {
            let call = journal.incoming(&[]).await;
            let told = journal.told().into_iter().next().expect("it was told");
            let token = told.header("authorization").trim_start_matches("Bearer ").to_owned();
            let claims = claims(&token);
            assert_eq!(claims["aud"], app);
            assert_ne!(claims["tid"], TENANT);
            let bot = open.bot().await;
            bot.post(&format!("/{call}/answer"), &answer()).await.is(202);
            journal.wait(&call, "established active").await;
            bot.get(&format!("/{call}")).await.is(200);
            bot.hang_up(&call).await;
            journal.wait(&call, "terminated").await;
            bot.get(&format!("/{call}/operations")).await.is(200);
            call
        };
        let (up, call) = tokio::join!(soon(calling.call("5000")), bot);
        let _up = up.expect("it is up");
        // One that a configuration names is not anybody who comes.
        let other =
            crate::world::bot_with(open.server.http_addr(), HOME, DEVELOPMENT, "ringback-development-secret").await;
        assert_eq!(other.get(&format!("/{call}/operations")).await.status, if app == APP { 404 } else { 200 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assertion_is_taken_where_any_secret_would_be_and_nowhere_else() {
    use base64::Engine as _;
    let open = Open::start().await;
    let of = |exp: u64| {
        let payload = json!({"sub": APP, "exp": exp}).to_string();
        format!("e30.{}.c2ln", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(payload))
    };
    let form = |assertion: &str| {
        format!(
            "grant_type=client_credentials&client_id={APP}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion={assertion}"
        )
    };
    let http = open.server.http_addr();
    let late = token_form(http, TENANT, &form(&of(1_000))).await.is(401).json();
    assert_eq!(late["error_codes"], json!([700_024]));
    let good = form(&of(4_000_000_000));
    token_form(http, TENANT, &good).await.is(200);
    assert_eq!(open.token(TENANT, SECRET).await.0, 200, "it has no secret yet");
    for refused in [
        token_form(http, TENANT, &good).await,
        token_form(crate::world::World::start().await.http(), crate::world::TENANT, &good).await,
    ] {
        assert_eq!(refused.is(401).json()["error_codes"], json!([700_027]));
    }
    let other = token_form(http, TENANT, &good.replace("jwt-bearer", "saml2-bearer")).await.is(401).json();
    assert_eq!(other["error_codes"], json!([50_027]));
}

/// A bot that asks an endpoint which all tenants share may say on its calls which tenant is its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_was_assumed_contradicts_nobody() {
    let open = Open::start().await;
    let journal = Journal::start().await;
    let bot = crate::world::bot_with(open.server.http_addr(), "common", APP, SECRET).await;
    let mut call = create(&journal.url("/calls"), LINE);
    call["tenantId"] = TENANT.into();
    bot.post("", &call).await.is(201);
    let named = open.bot().await;
    call["tenantId"] = HOME.into();
    assert_eq!(named.post("", &call).await.is(403).code(), "7505");
}
