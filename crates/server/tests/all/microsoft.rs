//! What Microsoft's calls service refuses is refused here with its status, code and words (`contract §4.5`), whether identities
//! are listed or any is accepted. 7503 and 7505 of tokens are in `refused`, 7507 in `trunks`.

use serde_json::{Value, json};

use crate::journal::Journal;
use crate::world::{NULL_LINE, OTHER_TENANT, TENANT, WEBHOOK, World, configuration, create};

/// The same world, where any identity is accepted.
async fn open() -> World {
    let journal = Journal::start().await;
    let text = configuration(journal.address()).replacen("[server]\n", "[server]\nidentities = \"any\"\n", 1);
    World::start_with(journal, tempfile::tempdir().expect("a folder"), &text).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_another_tenant_than_the_tokens_is_refused() {
    for world in [World::start().await, open().await] {
        let of = |tenant: Value| {
            let mut body = create(&world.journal.url(WEBHOOK), NULL_LINE);
            body["tenantId"] = tenant;
            body
        };
        let refused = world.bot.post("", &of(json!(OTHER_TENANT))).await.is(403);
        assert_eq!(refused.code(), "7505");
        assert_eq!(refused.message(), "Mismatch between request authorization tenant and call tenant.");
        for own in [json!(TENANT), json!(TENANT.to_uppercase()), json!(null), json!("")] {
            let call = world.bot.post("", &of(own)).await.is(201).id();
            world.bot.hang_up(&call).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_not_there_and_a_recording_without_its_one_prompt() {
    for world in [World::start().await, open().await] {
        let call = world.null_call().await;
        let prompt = json!({"mediaInfo": {"uri": "http://h/p.wav"}});
        for prompts in [json!([]), json!(null), json!([prompt, prompt])] {
            let body = json!({ "prompts": prompts });
            let refused = world.bot.post(&format!("/{call}/recordResponse"), &body).await.is(400);
            assert_eq!(refused.code(), "8523", "{body}");
            assert!(refused.message().starts_with("prompts must hold exactly one prompt"), "{}", refused.message());
        }
        assert_eq!(world.bot.get(&format!("/{call}/operations")).await.is(200).json()["value"], json!([]));
        world.bot.hang_up(&call).await;
        world.over(&call).await;
        let never = "0197f1a2-0000-7000-8000-000000000000";
        for (method, path) in [
            ("GET", format!("/{call}")),
            ("DELETE", format!("/{call}")),
            ("POST", format!("/{call}/playPrompt")),
            ("POST", format!("/{never}/keepAlive")),
            ("GET", format!("/{never}/operations")),
        ] {
            let body = json!({"prompts": [prompt]});
            let path = format!("/v1.0/communications/calls{path}");
            let refused = world.bot.ask(method, &path, Some(&body)).await.is(404);
            assert_eq!(
                (refused.code(), refused.message()),
                ("8522".into(), "Call not found.".into()),
                "{method} {path}"
            );
        }
    }
}
