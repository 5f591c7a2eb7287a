//! The operator asks what happened to a call or an operation, and what its result means.

use serde_json::Value;

use crate::journal::Reply;
use crate::world::{APP, NULL_LINE, WEBHOOK, World, create, play, play_for_ever};

/// The steps of a story, in words.
fn steps(story: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let step = |step: &Value| match step["notice"].as_str() {
        None => text(&step["event"]),
        Some(notice) => format!("{notice}: {}", text(&step["delivery"])),
    };
    story["steps"].as_array().expect("steps").iter().map(step).collect()
}

/// Asks until nothing waits any more: lanes note what was acknowledged a moment later.
async fn told(world: &World, path: &str) -> Value {
    let look = async {
        loop {
            let story = world.operator(path).await.is(200).json();
            if !steps(&story).iter().any(|step| step.ends_with(": waiting")) {
                return story;
            }
            tokio::task::yield_now().await;
        }
    };
    crate::soon(look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_is_explained_by_its_id_alone() {
    let world = World::start().await;
    world.null_call().await;
    let call = world.null_call().await;
    let played = world.bot.post(&format!("/{call}/playPrompt"), &play(&["http://h/p.wav"], Some("mine"))).await.id();
    world.journal.ended(&call, &played).await;
    let endless = world.bot.beta(&format!("/{call}/playPrompt"), &play_for_ever(None)).await.is(200).id();
    world.bot.hang_up(&call).await;
    world.over(&call).await;

    let story = told(&world, &format!("explain/operations/{played}")).await;
    assert_eq!((&story["call"], &story["app"]), (&call.as_str().into(), &APP.into()), "{story}");
    let operation = &story["operation"];
    assert_eq!((&operation["id"], &operation["status"]), (&played.as_str().into(), &"completed".into()), "{story}");
    assert_eq!((&operation["kind"], &operation["clientContext"]), (&"playPrompt".into(), &"mine".into()), "{story}");
    let result = &operation["result"];
    assert_eq!((&result["code"], &result["subcode"]), (&200.into(), &0.into()), "{story}");
    assert!(result["evidence"].as_str().unwrap().starts_with("D:") && !result["meaning"].is_null(), "{story}");
    assert_eq!(
        steps(&story),
        ["playPrompt running", "playPrompt completed 200/0", "playPrompt ended: acknowledged"],
        "{story}"
    );

    // With its call's id too, and of one that was cancelled by the end of its call.
    let story = told(&world, &format!("explain/calls/{call}/operations/{endless}")).await;
    let result = &story["operation"]["result"];
    assert_eq!((&result["code"], &result["subcode"]), (&400.into(), &8508.into()), "{story}");
    assert_eq!((&story["ended"]["code"], &story["ended"]["subcode"]), (&200.into(), &7000.into()), "{story}");

    // The whole call.
    let story = told(&world, &format!("explain/calls/{call}")).await;
    let steps = steps(&story);
    assert_eq!(steps.first().map(String::as_str), Some("call placed by its bot"), "{story}");
    for step in ["call established", "established, audio active: acknowledged", "terminated: acknowledged"] {
        assert!(steps.iter().any(|known| known == step), "{step}: {story}");
    }
    assert!(story["operation"].is_null() && story["leftOut"] == 0, "{story}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_bot_was_not_told_is_shown_with_the_reason() {
    let world = World::start().await;
    world.journal.always(WEBHOOK, Reply::status(404));
    let call = world.bot.post("", &create(&world.journal.url(WEBHOOK), NULL_LINE)).await.is(201).id();
    let story = told(&world, &format!("explain/calls/{call}")).await;
    let step = story["steps"].as_array().unwrap().iter().find(|step| step["notice"] == "establishing").unwrap();
    assert_eq!(step["delivery"], "undelivered", "{story}");
    assert!(step["why"].as_str().unwrap().contains("404"), "{story}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_not_explained() {
    let world = World::start().await;
    let call = world.null_call().await;
    let other = "0197f1a2-0000-7000-8000-000000000000";
    for path in ["calls/nonsense".to_owned(), format!("calls/{other}")] {
        assert_eq!(world.operator(&format!("explain/{path}")).await.is(404).code(), "8522", "{path}");
    }
    for path in
        ["operations/nonsense".to_owned(), format!("operations/{other}"), format!("calls/{call}/operations/{other}")]
    {
        assert_eq!(world.operator(&format!("explain/{path}")).await.is(404).code(), "itemNotFound", "{path}");
    }
    world.operator("explain").await.is(404);
    world.bot.ask("GET", &format!("/_ringback/explain/calls/{call}"), None).await.is(401);
}
