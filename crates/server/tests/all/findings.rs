//! What is found of bots and their set-up: each thing once it is wrong, and nothing while all is well.

use std::time::{Duration, SystemTime};

use ringback_server::directory::APP_ID;
use ringback_server::{Options, Server};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::https;
use crate::journal::{Journal, Reply};
use crate::soon;
use crate::web::{self, Bot};
use crate::world::{APP, NULL_LINE, NUMBER, SIBLING_APP, WEBHOOK, World, create, play};

impl World {
    async fn findings(&self) -> Vec<Value> {
        self.operator("findings").await.is(200).json()["value"].as_array().expect("a list").clone()
    }

    /// The rules of all findings, in the order of the list.
    async fn rules(&self) -> Vec<String> {
        self.findings().await.iter().map(|found| found["rule"].as_str().expect("a rule").to_owned()).collect()
    }

    /// Waits for this finding: what a webhook does is looked at beside the lane.
    async fn finding(&self, rule: &str) -> Value {
        let looking = async {
            loop {
                if let Some(found) = self.findings().await.into_iter().find(|found| found["rule"] == rule) {
                    return found;
                }
            }
        };
        match tokio::time::timeout(crate::PATIENCE, looking).await {
            Ok(found) => found,
            Err(_) => panic!("{rule} was not found: {:#?}", self.findings().await),
        }
    }

    async fn try_tokens(&self, app: &str) -> web::Answer {
        let token = std::fs::read_to_string(self.server.operator_token_file()).expect("the operator's token");
        let operator = Bot { http: self.http(), token: token.trim().to_owned() };
        operator.ask("POST", &format!("/_ringback/trials/tokens/{app}"), None).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_does_all_right_has_no_findings() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let (call, _up) = world.call_from(&phone).await;
    let prompt = world.journal.file("/p.wav", crate::world::tone(100));
    let played = world.bot.post(&format!("/{call}/playPrompt"), &play(&[&prompt], Some("p"))).await.is(200).id();
    world.journal.ended(&call, &played).await;
    world.bot.hang_up(&call).await;
    world.over(&call).await;
    assert_eq!(world.rules().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bot_does_by_luck_is_said_once_for_each_call() {
    let world = World::start().await;
    // Its webhook takes no notice, so it cannot know of audio when it plays.
    world.journal.always("/deaf", Reply::status(503));
    let call = world.bot.post("", &create(&world.journal.url("/deaf"), NULL_LINE)).await.is(201).id();
    let prompt = world.journal.url("/p.wav");
    let early = async || world.bot.post(&format!("/{call}/playPrompt"), &play(&[&prompt], None)).await;
    while early().await.status != 200 {}
    early().await.is(200);
    let early = world.finding("playedBeforeAudio").await;
    assert_eq!((&early["app"], &early["call"], &early["count"]), (&json!(APP), &json!(call), &json!(1)));
    assert_eq!(early["concern"], "bot");
    assert_eq!(world.finding("noClientContext").await["count"], 1);
    world.journal.mend("/deaf");
    world.bot.hang_up(&call).await;
    world.over(&call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_reads_of_its_audio_need_not_be_told() {
    let world = World::start().await;
    // Its webhook takes no notice.
    world.journal.always("/deaf", Reply::status(503));
    let prompt = world.journal.file("/p.wav", crate::world::tone(100));
    for in_list in [false, true] {
        let call = world.bot.post("", &create(&world.journal.url("/deaf"), NULL_LINE)).await.is(201).id();
        let is_active = async || {
            let path = if in_list { String::new() } else { format!("/{call}") };
            let read = world.bot.get(&path).await.is(200).json();
            let read = if in_list { &read["value"][0] } else { &read };
            read["mediaState"]["audio"] == "active"
        };
        while !is_active().await {}
        world.bot.post(&format!("/{call}/playPrompt"), &play(&[&prompt], Some("p"))).await.is(200);
        world.bot.hang_up(&call).await;
        while world.bot.get("").await.is(200).json()["value"] != json!([]) {}
    }
    assert_eq!(world.rules().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_of_the_apps_own_is_refused_and_explained() {
    let world = World::start().await;
    let mut body = create(&world.journal.url(WEBHOOK), NULL_LINE);
    body["mediaConfig"] = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "<mediaPlatform/>"});
    assert_eq!(world.bot.post("", &body).await.is(501).code(), "notSupported");
    let found = world.finding("appHostedMedia").await;
    assert!(found["advice"].as_str().expect("advice").contains("serviceHostedMediaConfig"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_takes_an_incoming_call_and_lets_it_ring_is_named() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    let dialled = soon(phone.dial(NUMBER)).await.expect("it rings");
    let call = world.journal.incoming(&[]).await;
    // The ask runs for 15 s (design §6).
    assert!(soon(dialled.answered()).await.is_err());
    world.over(&call).await;
    let found = world.finding("neverReacted").await;
    assert_eq!((&found["call"], &found["count"]), (&json!(call), &json!(1)));
    assert!(found["advice"].as_str().expect("advice").contains("value[]"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_are_slow_unfinished_away_or_late_by_the_clock_are_named() {
    let world = World::start().await;
    let hour_ago = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(3_600));
    world.journal.script("/slow", [Reply::Never]);
    world.journal.script("/open", [Reply::EndlessBody]);
    world.journal.script("/late", [Reply::with(202, "date", hour_ago)]);
    let nobody = "http://127.0.0.1:1/calls".to_owned();
    let urls = ["/slow", "/open", "/late"].map(|path| world.journal.url(path));
    for url in urls.iter().chain([&nobody]) {
        world.bot.post("", &create(url, NULL_LINE)).await.is(201);
    }
    for (rule, concern, words) in [
        ("webhookSlow", "bot", "establishing"),
        ("webhookUnfinished", "bot", "establishing"),
        ("clockOff", "setUp", "clock"),
        ("webhookUnreachable", "setUp", "refused"),
    ] {
        let found = world.finding(rule).await;
        assert_eq!(found["concern"], concern, "{found}");
        assert!(found["detail"].as_str().expect("a detail").contains(words), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_distrust_or_bring_a_token_for_others_are_named() {
    let world = World::start().await;
    let stranger = World::start().await;
    https::distrust(&world.server, &stranger.server).await;
    assert_eq!(world.finding("certificateNotTrusted").await["concern"], "setUp");
    // A notification's own token is ours, and for somebody else.
    let call = world.null_call().await;
    let bearer = world.journal.of(&call)[0].header("authorization").to_owned();
    let bot = Bot { http: world.http(), token: bearer.trim_start_matches("Bearer ").to_owned() };
    bot.get("").await.is(401);
    assert_eq!(world.finding("wrongAudience").await["count"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_tried_only_when_asked_and_a_bot_that_takes_any_is_named() {
    let world = World::start().await;
    let before = world.journal.told().len();
    let tried = world.try_tokens(APP).await.is(200).json();
    let words: Vec<&str> =
        tried["value"].as_array().expect("a list").iter().map(|one| one["token"].as_str().expect("a word")).collect();
    assert_eq!(words, ["right", "missing", "unsigned", "forged", "for another audience", "expired"]);
    assert!(tried["value"].as_array().expect("a list").iter().all(|one| one["accepted"] == true), "{tried}");
    let found = world.finding("tokenUnchecked").await;
    assert_eq!((&found["app"], &found["count"]), (&json!(APP), &json!(1)));
    assert_eq!(found["detail"], "missing, unsigned, forged, for another audience, expired");
    // Nothing was in them that a bot could act on.
    for told in &world.journal.told()[before..] {
        let body: Value = serde_json::from_slice(&told.body).expect("JSON");
        assert_eq!(body["value"], json!([]));
    }
    world.try_tokens("0a0a0a0a-0000-4000-8000-00000000dead").await.is(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_checks_tokens_is_not_named_and_one_that_refuses_all_is() {
    let world = World::start().await;
    world.journal.script(WEBHOOK, std::iter::once(202).chain([401; 5]).map(Reply::status));
    world.try_tokens(APP).await.is(200);
    assert_eq!(world.rules().await, Vec::<String>::new());
    world.journal.always(WEBHOOK, Reply::status(401));
    world.try_tokens(APP).await.is(200);
    assert_eq!(world.rules().await, ["tokenRefused"]);
    // Mended: the next trial says so.
    world.journal.script(WEBHOOK, std::iter::once(202).chain([401; 5]).map(Reply::status));
    world.try_tokens(APP).await.is(200);
    assert_eq!(world.rules().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_asks_whether_webhooks_can_be_reached_and_forgets_findings() {
    let world = World::start().await;
    let token = std::fs::read_to_string(world.server.operator_token_file()).expect("the operator's token");
    let door = Bot { http: world.http(), token: token.trim().to_owned() };
    let reached = async || {
        let tried = door.ask("POST", "/_ringback/trials/webhooks", None).await.is(200).json();
        let apps = tried["value"].as_array().expect("a list").clone();
        apps.iter().map(|app| app["reached"].as_bool().expect("yes or no")).collect::<Vec<_>>()
    };
    assert_eq!(reached().await, [true; 3]);
    assert!(TcpStream::connect(world.journal.address()).await.is_ok());
    world.journal.always(WEBHOOK, Reply::status(401));
    world.try_tokens(APP).await.is(200);
    assert_eq!(world.rules().await, ["tokenRefused"]);
    door.ask("DELETE", "/_ringback/findings", None).await.is(204);
    assert_eq!(world.rules().await, Vec::<String>::new());
    assert_eq!(door.ask("GET", "/_ringback/trials/webhooks", None).await.is(405).code(), "notAllowed");
}

/// A server that accepts any app, and its operator's door.
async fn open_server() -> (TempDir, Server, Bot) {
    let folder = tempfile::tempdir().expect("a folder");
    let free = Some("127.0.0.1:0".parse().expect("an address"));
    let options = Options {
        data: folder.path().join("data"),
        http: free,
        https: free,
        sip: free,
        sip_tls: free,
        ..Options::default()
    };
    let server = soon(Server::start(options)).await.unwrap_or_else(|error| panic!("{error}"));
    let token = std::fs::read_to_string(server.operator_token_file()).expect("the operator's token");
    let door = Bot { http: server.http_addr(), token: token.trim().to_owned() };
    (folder, server, door)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_of_an_app_is_forgotten_with_it() {
    let (_folder, _server, door) = open_server().await;
    let app = format!("/_ringback/apps/{APP}");
    door.ask("PUT", &app, Some(&json!({}))).await.is(200);
    for whose in [String::new(), format!("/{APP}"), format!("/{SIBLING_APP}")] {
        door.ask("POST", &format!("/_ringback/findings/proxyIgnored{whose}"), None).await.is(204);
    }
    door.ask("DELETE", &app, None).await.is(204);
    let left = door.ask("GET", "/_ringback/findings", None).await.is(200).json();
    let left: Vec<_> = left["value"].as_array().expect("a list").iter().map(|found| found["app"].clone()).collect();
    assert_eq!(left, [Value::Null, json!(SIBLING_APP)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_bot_is_looked_for_until_another_one_has_its_numbers() {
    let (_folder, _server, door) = open_server().await;
    let looked_for = async || {
        let tried = door.ask("POST", "/_ringback/trials/webhooks", None).await.is(200).json();
        let apps = tried["value"].as_array().expect("a list").clone();
        apps.iter().map(|app| app["app"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(looked_for().await, [APP_ID]);
    let journal = Journal::start().await;
    door.ask("PUT", &format!("/_ringback/apps/{APP}"), Some(&json!({ "webhook": journal.url(WEBHOOK) }))).await.is(200);
    assert_eq!(looked_for().await, [APP]);
    // The bot of yesterday is nobody's fault today.
    let body = json!({ "webhook": journal.url(WEBHOOK) });
    door.ask("PUT", &format!("/_ringback/apps/{SIBLING_APP}"), Some(&body)).await.is(200);
    assert_eq!(looked_for().await, [SIBLING_APP]);
}
