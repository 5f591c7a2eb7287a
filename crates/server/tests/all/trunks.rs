//! Calls through a trunk, both ways: who may, whose number is told, how many at once.

use ringback_signal::phone::{CallEnd, Phone, PhoneConfig};
use serde_json::json;

use crate::soon;
use crate::world::{APP, HERE, NUMBER, SIBLING_APP, World, answer, configuration, create};

/// The resource account of the first bot, which a call to the telephone network comes from.
const INSTANCE: &str = "d1d1d1d1-0000-4000-8000-0000000000d1";

/// A carrier, and a world that has a trunk to it.
async fn with_carrier(more: &str) -> (World, Phone) {
    let world = World::start().await;
    let config = PhoneConfig {
        registrar: world.server.sip_addr(),
        user: "+15550199".to_owned(),
        password: String::new(),
        bind: HERE,
    };
    let carrier = soon(Phone::start(config)).await.expect("a carrier");
    let mut text = configuration(world.journal.address()).replacen(
        &format!("numbers = [\"{NUMBER}\"]\n"),
        &format!("numbers = [\"{NUMBER}\"]\nprefixes = [\"+1555\"]\n"),
        1,
    );
    text += &format!(
        "[[trunks]]\nname = \"carrier\"\naddress = \"{}\"\nprefixes = [\"+1\"]\n{more}\n",
        carrier.local_addr()
    );
    std::fs::write(world.folder.path().join("ringback.toml"), text).expect("a file");
    world.server.reload().expect("it is a configuration");
    (world, carrier)
}

fn to_number(world: &World, number: &str) -> serde_json::Value {
    let mut body = create(&world.journal.url("/calls"), "");
    body["targets"][0]["identity"] = json!({"phone": {"id": number}});
    body["source"] = json!({"identity": {"applicationInstance": {"id": INSTANCE}}});
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_calls_the_telephone_network_and_is_called_from_it() {
    let (world, carrier) = with_carrier("max_calls = 1\ncaller_id = \"+15550100\"").await;
    world.bot.post("", &to_number(&world, "+4930123")).await.is(400);
    let call = world.bot.post("", &to_number(&world, "+15550123")).await.is(201).id();
    let ringing = soon(carrier.ringing()).await.expect("it rings");
    assert_eq!(ringing.from, "+15550100");
    let up = soon(ringing.answer()).await.expect("it is up");
    world.journal.wait(&call, "established active").await;
    // It carries no second call, either way.
    let second = world.bot.post("", &to_number(&world, "+15550124")).await.is(201).id();
    world.over(&second).await;
    let refused = soon(carrier.call(NUMBER)).await.err().expect("refused").to_string();
    assert_eq!(refused, "the far end refused with status 503");
    world.bot.hang_up(&call).await;
    assert_eq!(soon(up.ended()).await, CallEnd::FarHungUp);
    world.over(&call).await;

    let dialling = carrier.clone();
    let dialled = tokio::spawn(async move { dialling.call(NUMBER).await });
    let call = world.journal.incoming(&[]).await;
    let told = world.journal.of(&call)[0].data();
    assert_eq!(told["source"]["identity"]["phone"]["id"], "+15550199", "{told}");
    world.bot.post(&format!("/{call}/answer"), &answer()).await.is(202).without_body();
    let up = soon(dialled).await.expect("a task").expect("it is up");
    world.journal.wait(&call, "established active").await;
    soon(up.hang_up()).await;
    world.over(&call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_sees_how_a_trunk_is() {
    let (world, _carrier) = with_carrier("keep_alive = 5\nlogin = \"us\"\npassword = \"x\"\nregister = true").await;
    let seen = async {
        loop {
            let status = world.operator("status").await.is(200).json();
            let trunk = &status["trunks"][0];
            // The carrier answers OPTIONS, and knows no REGISTER.
            if trunk["answers"] == true && trunk["problem"] == "registration: the trunk answers 405" {
                assert_eq!((&trunk["name"], &trunk["registered"]), (&json!("carrier"), &json!(false)));
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(seen).await;
}

/// 7507, in Microsoft's words: not where any identity is accepted, but said there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_telephone_network_is_called_in_a_resource_accounts_name() {
    let (world, carrier) = with_carrier("").await;
    let from = |source: serde_json::Value| {
        let mut body = to_number(&world, "+15550123");
        body["source"] = source;
        body
    };
    let nobody = from(json!(null));
    for body in [
        &nobody,
        &from(json!({"identity": {"application": {"id": APP}}})),
        &from(json!({"identity": {"applicationInstance": {"id": ""}}})),
        &from(json!({"identity": {"applicationInstance": {"id": "the bot"}}})),
        &from(json!({"identity": {"applicationInstance": {"id": INSTANCE}, "application": {"id": SIBLING_APP}}})),
    ] {
        let refused = world.bot.post("", body).await.is(403);
        assert_eq!((refused.code(), refused.message()), ("7507".into(), "Call source identity invalid.".into()));
    }
    assert_eq!(world.operator("findings").await.is(200).json()["value"], json!([]));

    let file = world.folder.path().join("ringback.toml");
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, text.replacen("[server]\n", "[server]\nidentities = \"any\"\n", 1)).expect("a file");
    world.server.reload().expect("it is a configuration");
    let call = world.bot.post("", &nobody).await.is(201).id();
    soon(carrier.ringing()).await.expect("it rings").decline(486);
    world.over(&call).await;
    let found = world.operator("findings").await.is(200).json();
    assert_eq!(found["value"][0]["rule"], "sourceIdentity", "{found}");
    assert!(found["value"][0]["advice"].as_str().expect("advice").contains("7507"), "{found}");
}
