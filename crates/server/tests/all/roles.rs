//! What a bot may do by the roles of its token (`contract §2.1`, `§2.2`).

use serde_json::json;

use crate::journal::Journal;
use crate::soon;
use crate::world::{NULL_LINE, SIBLING_APP, TENANT, WEBHOOK, World, configuration, create, play, record, token};

/// A world whose second app has these roles, as TOML.
async fn world(roles: &str) -> World {
    let journal = Journal::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let app = format!("id = \"{SIBLING_APP}\"\n");
    let text = configuration(journal.address()).replace(&app, &format!("{app}roles = {roles}\n"));
    World::start_with(journal, folder, &text).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_role_a_call_is_not_created() {
    let world = world("[\"calls.accessmedia.all\"]").await;
    let bot = world.sibling().await;
    let place = create(&world.journal.url("/sibling"), NULL_LINE);
    for _ in 0..2 {
        let refused = bot.post("", &place).await.is(403);
        assert_eq!(refused.code(), "7504");
        let words = refused.message();
        assert!(words.starts_with("Insufficient enterprise tenant permissions, cannot access this API."), "{words}");
        assert!(words.contains("Calls.Initiate.All"), "{words}");
    }
    let mut group = place.clone();
    group["targets"] = json!([place["targets"][0], place["targets"][0]]);
    let refused = bot.post("", &group).await.is(403);
    assert!(refused.message().contains("Calls.InitiateGroupCall.All"), "{}", refused.message());
    assert_eq!(bot.get("").await.is(200).json()["value"], json!([]));
    world.bot.post("", &create(&world.journal.url(WEBHOOK), NULL_LINE)).await.is(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_role_media_stays_in_the_call_and_the_rest_is_as_free_as_at_microsoft() {
    let world = world("[\"Calls.Initiate.All\"]").await;
    let bot = world.sibling().await;
    let call = bot.post("", &create(&world.journal.url("/sibling"), NULL_LINE)).await.is(201).id();
    world.journal.wait(&call, "established active").await;
    let prompt = "http://127.0.0.1:9/p.wav";
    for (verb, body) in [("recordResponse", record(prompt)), ("subscribeToTone", json!({}))] {
        let refused = bot.post(&format!("/{call}/{verb}"), &body).await.is(403);
        assert_eq!(refused.code(), "7504", "{verb}");
        assert!(refused.message().contains("Calls.AccessMedia.All"), "{}", refused.message());
    }
    assert_eq!(bot.beta(&format!("/{call}/record"), &record(prompt)).await.is(403).code(), "7504");
    bot.post(&format!("/{call}/playPrompt"), &play(&[prompt], None)).await.is(200);
    bot.post(&format!("/{call}/keepAlive"), &json!({})).await.is(200);
    bot.hang_up(&call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_nothing_does_not_see_who_calls() {
    let world = world("[]").await;
    let phone = world.phone("1001").await;
    let _dialled = soon(phone.dial("5001")).await.expect("it rings");
    let call = world.journal.incoming(&[]).await;
    let source = world.journal.of(&call)[0].data()["source"]["identity"].clone();
    assert!(source["encrypted"]["id"].is_string() && source.get("user").is_none_or(|user| user.is_null()), "{source}");
    // Answering a call of two needs no role.
    let bot = world.sibling().await;
    bot.post(&format!("/{call}/answer"), &crate::world::answer()).await.is(202);
}

/// New consent shows in new tokens only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_had_with_the_next_token() {
    let world = world("[]").await;
    let before = world.sibling().await;
    let file = world.folder.path().join("ringback.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("roles = []\n", "")).unwrap();
    world.server.reload().unwrap();
    let place = create(&world.journal.url("/sibling"), NULL_LINE);
    assert_eq!(before.post("", &place).await.is(403).code(), "7504");
    world.sibling().await.post("", &place).await.is(201);
    assert_eq!(token(world.http(), TENANT, SIBLING_APP, crate::world::SECRET).await.status, 200);
}
