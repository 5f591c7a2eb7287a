//! Graph's calls API as bots use it: every form of a path, exact statuses, headers, lists.

use serde_json::{Value, json};

use crate::web::{self, Bot};
use crate::world::{APP, NULL_LINE, TENANT, USERS, World, answer, create, play, play_for_ever};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_created_read_and_hung_up() {
    let world = World::start().await;
    let callback = world.journal.url("/calls");
    let mut body = create(&callback, NULL_LINE);
    body["subject"] = "a subject".into();
    // What a bot makes up, and what is not its to say, means nothing.
    body["chat_info"] = Value::Null;
    body["joinUrl"] = "x".into();
    body["state"] = "terminated".into();
    body["direction"] = "incoming".into();
    let created = world.bot.post("", &body).await.is(201);
    let call = created.id();
    let base = world.server.public_url();
    assert_eq!(created.header("location"), Some(format!("{base}/v1.0/communications/calls/{call}").as_str()));
    let json = created.json();
    for (member, value) in [
        ("@odata.type", json!("#microsoft.graph.call")),
        ("@odata.context", json!(format!("{base}/v1.0/$metadata#app/calls/$entity"))),
        ("state", json!("establishing")),
        ("direction", json!("outgoing")),
        ("callbackUri", json!(callback)),
        ("subject", json!("a subject")),
        ("tenantId", json!(TENANT)),
        ("requestedModalities", json!(["audio"])),
        ("resultInfo", Value::Null),
        ("mediaState", Value::Null),
        ("callRoutes", json!([])),
    ] {
        assert_eq!(json[member], value, "{member}");
    }
    assert_eq!(json["source"]["identity"]["application"]["id"], APP);
    assert_eq!(json["targets"][0]["identity"]["user"]["id"], NULL_LINE);
    assert!(json["callChainId"].is_string() && json["myParticipantId"].is_string());

    world.journal.wait(&call, "established active").await;
    let read = world.bot.get(&format!("/{call}")).await.is(200).json();
    assert_eq!(read["state"], "established");
    assert_eq!(read["mediaState"]["audio"], "active");
    assert_eq!(read["@odata.context"], format!("{base}/v1.0/$metadata#communications/calls/$entity"));
    for same in ["id", "callChainId", "myParticipantId", "source", "targets", "callbackUri", "subject"] {
        assert_eq!(read[same], json[same], "{same}");
    }
    let operation = world.bot.post(&format!("/{call}/playPrompt"), &play(&["http://h/p.wav"], None)).await.is(200).id();
    world.bot.hang_up(&call).await;
    let end = world.journal.wait(&call, "terminated").await.data();
    assert_eq!((&end["resultInfo"]["code"], &end["resultInfo"]["subcode"]), (&json!(200), &json!(7000)));

    // An ended call is not found; its operations are.
    for refused in [world.bot.get(&format!("/{call}")).await, world.bot.delete(&format!("/{call}")).await] {
        assert_eq!(refused.is(404).code(), "8522");
    }
    assert_eq!(world.bot.operation(&call, &operation).await["status"], "completed");
    assert_eq!(world.bot.get(&format!("/{call}/operations")).await.is(200).json()["value"][0]["id"], operation);
}

/// Every form of a path that real clients use leads to the same call (client-facts §1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_a_path_leads_to_the_same() {
    let world = World::start().await;
    let body = create(&world.journal.url("/calls"), NULL_LINE);
    for path in [
        "/v1.0/communications/calls",
        "/v1.0//communications/calls",
        "/beta/communications/calls",
        "/beta/app/calls",
        "/v1.0/communications/calls/",
        "/V1.0/Communications/Calls",
    ] {
        let call = world.bot.ask("POST", path, Some(&body)).await.is(201).id();
        world.journal.wait(&call, "established active").await;
        world.bot.hang_up(&call).await;
    }
    let call = world.null_call().await;
    let upper = call.to_uppercase();
    let bare = call.replace('-', "");
    for path in [
        format!("/v1.0/communications/calls/{call}"),
        format!("/v1.0/communications/calls('{call}')"),
        format!("/beta/app/calls/{call}"),
        format!("/v1.0/app/calls/{upper}"),
        format!("/v1.0//communications//calls//{bare}"),
        format!("/v1.0/communications/calls/{call}?$select=id"),
        format!("/v1.0/communications/calls%28%27{call}%27%29"),
    ] {
        assert_eq!(world.bot.ask("GET", &path, None).await.is(200).id(), call, "{path}");
    }
    let prompt = play(&["http://h/p.wav"], None);
    for action in ["playPrompt", "PlayPrompt", "playprompt", "microsoft.graph.playPrompt", "Microsoft.Graph.PlayPrompt"]
    {
        for root in [format!("/v1.0/communications/calls/{call}"), format!("/beta/app/calls('{call}')")] {
            let answered = world.bot.ask("POST", &format!("{root}/{action}"), Some(&prompt)).await.is(200);
            let operation = answered.id();
            // The Location is one path, and it leads there.
            let location = answered.header("location").expect("a Location").to_owned();
            let path = location.strip_prefix(world.server.public_url()).expect("an absolute address");
            assert_eq!(world.bot.ask("GET", path, None).await.is(200).id(), operation);
            for path in [format!("{root}/operations/{operation}"), format!("{root}/operations('{operation}')")] {
                assert_eq!(world.bot.ask("GET", &path, None).await.is(200).id(), operation, "{path}");
            }
        }
    }
    // One Node bot posts to /beta and the notification's resource.
    let phone = world.phone("1001").await;
    let ringing = crate::soon(phone.dial(crate::world::NUMBER)).await.expect("it rings");
    let incoming = world.journal.incoming(&[]).await;
    let resource = world.journal.wait(&incoming, "incoming").await.item()["resource"].as_str().unwrap().to_owned();
    world.bot.ask("POST", &format!("/beta{resource}/answer"), Some(&answer())).await.is(202).without_body();
    crate::soon(ringing.answered()).await.expect("it is up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_carries_the_ids_of_its_request() {
    let world = World::start().await;
    let call = world.null_call().await;
    let path = format!("/v1.0/communications/calls/{call}");
    let given = "client-request-id: mine-1\r\nScenario-Id: scene-1\r\n";
    for (method, path, status) in [
        ("GET", path.clone(), 200),
        ("POST", format!("{path}/keepAlive"), 200),
        ("GET", format!("{path}0"), 404),
        ("PATCH", path.clone(), 405),
        ("DELETE", path.clone(), 204),
    ] {
        let answer = world.bot.ask_raw(method, &path, given, None).await.is(status);
        assert_eq!(answer.header("client-request-id"), Some("mine-1"));
        assert_eq!(answer.header("scenario-id"), Some("scene-1"));
        assert_eq!(answer.header("request-id").map(str::len), Some(36));
        assert_eq!(answer.header("odata-version"), Some("4.0"));
        if answer.body.is_empty() {
            answer.without_body();
        } else {
            let json = "application/json; odata.metadata=minimal";
            assert_eq!(answer.header("content-type"), Some(json));
        }
    }
    // None given: one is made, another one each time.
    let made = [world.bot.get("").await, world.bot.get("").await];
    assert_ne!(made[0].header("request-id"), made[1].header("request-id"));
    assert!(made.iter().all(|answer| answer.header("client-request-id") == answer.header("request-id")));
    assert!(made.iter().all(|answer| answer.header("scenario-id").is_none()));
}

/// keepAlive comes without a body, and from some clients without a length.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keep_alive_needs_neither_body_nor_length() {
    let world = World::start().await;
    let call = world.null_call().await;
    let path = format!("/v1.0/communications/calls/{call}/keepAlive");
    world.bot.ask_raw("POST", &path, "", None).await.is(200).without_body();
    world.bot.ask_raw("POST", &path, "", Some(b"")).await.is(200).without_body();
    world.bot.ask_raw("POST", &path, "Transfer-Encoding: chunked\r\n\r\n0\r\n", None).await.is(200).without_body();
    world.bot.ask("POST", &path, Some(&json!({}))).await.is(200).without_body();
    // The same is true of the other actions whose members are all optional.
    for verb in ["subscribeToTone", "cancelMediaProcessing"] {
        let path = format!("/v1.0/communications/calls/{call}/{verb}");
        world.bot.ask_raw("POST", &path, "", None).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages_and_lead_on() {
    let world = World::start().await;
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(world.null_call().await);
    }
    assert_eq!(pages(&world, &world.bot, "/v1.0/communications/calls?$top=2").await, [2, 2, 1]);
    assert_eq!(pages(&world, &world.bot, "/beta/app/calls?$top=500").await, [5]);
    let call = &calls[0];
    for _ in 0..4 {
        world.bot.post(&format!("/{call}/subscribeToTone"), &json!({})).await.is(200);
    }
    let list = format!("/v1.0/communications/calls/{call}/operations?$top=2");
    assert_eq!(pages(&world, &world.bot, &list).await, [2, 2]);
    for top in ["0", "-1", "x", ""] {
        let refused = world.bot.get(&format!("?$top={top}")).await.is(400);
        assert_eq!(refused.code(), "invalidRequest", "$top={top}");
    }
    for token in ["nonsense", "00000000-0000-0000-0000-000000000000"] {
        let refused = world.bot.get(&format!("/{call}/operations?$skiptoken={token}")).await.is(400);
        assert_eq!(refused.code(), "invalidRequest", "$skiptoken={token}");
    }
}

/// Follows a list to its end; the sizes of its pages. Everything is listed once.
async fn pages(world: &World, bot: &Bot, first: &str) -> Vec<usize> {
    let (mut path, mut sizes, mut seen) = (first.to_owned(), Vec::new(), Vec::new());
    loop {
        let page = bot.ask("GET", &path, None).await.is(200).json();
        assert!(page["@odata.context"].is_string());
        let items = page["value"].as_array().expect("a list");
        sizes.push(items.len());
        for item in items {
            let id = item["id"].as_str().expect("an id").to_owned();
            assert!(!seen.contains(&id), "{id} is listed twice");
            seen.push(id);
        }
        match page["@odata.nextLink"].as_str() {
            Some(next) => {
                path = next.strip_prefix(world.server.public_url()).expect("an absolute address").to_owned();
            }
            None => return sizes,
        }
    }
}

/// Another app's call looks as one that never was, in the same tenant and in another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_others_are_not_there() {
    let world = World::start().await;
    let call = world.null_call().await;
    let operation = world.bot.beta(&format!("/{call}/playPrompt"), &play_for_ever(None)).await.is(200).id();
    let unknown = "0a0a0a0a-1111-4111-8111-0a0a0a0a0a0a";
    for other in [world.sibling().await, world.foreign().await] {
        for (method, path, body) in [
            ("GET", "", None),
            ("DELETE", "", None),
            ("POST", "/keepAlive", None),
            ("POST", "/playPrompt", Some(play(&["http://h/p.wav"], None))),
            ("POST", "/subscribeToTone", Some(json!({}))),
            ("POST", "/cancelMediaProcessing", Some(json!({}))),
            ("POST", "/answer", Some(answer())),
            ("POST", "/reject", Some(json!({}))),
            ("GET", "/operations", None),
            ("GET", &*format!("/operations/{operation}"), None),
        ] {
            let ask = async |id: &str| {
                let path = format!("/v1.0/communications/calls/{id}{path}");
                let mut error = other.ask(method, &path, body.as_ref()).await.is(404).json();
                error["error"]["innerError"].take();
                error
            };
            let refused = ask(&call).await;
            assert_eq!(refused["error"]["code"], "8522", "{method} {path}");
            assert_eq!(refused, ask(unknown).await, "{method} {path}");
        }
        assert_eq!(other.get("").await.is(200).json()["value"], json!([]));
        // Nor can it call the first tenant's users, unless it is of that tenant.
    }
    let foreign = world.foreign().await;
    let refused = foreign.post("", &create(&world.journal.url("/foreign"), USERS[0].0)).await.is(400);
    assert_eq!(refused.code(), "invalidRequest");
    assert_eq!(world.bot.operation(&call, &operation).await["status"], "running");
    // What is no id at all is no call either, and an operation of another call is none of this one.
    assert_eq!(world.bot.get("/nonsense").await.is(404).code(), "8522");
    let second = world.null_call().await;
    for path in [format!("/{second}/operations/{operation}"), format!("/{second}/operations/nonsense")] {
        assert_eq!(world.bot.get(&path).await.is(404).code(), "itemNotFound");
    }
}

/// A client that sends slowly, or never finishes, is alone with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_holds_up_no_other() {
    use tokio::io::AsyncWriteExt;
    let world = World::start().await;
    let call = world.null_call().await;
    let mut slow = Vec::new();
    let head = format!(
        "POST /v1.0/communications/calls/{call}/playPrompt HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 100\r\n\r\n{{",
        world.bot.token
    );
    for part in ["", "GET /v1.0/comm", &head] {
        for _ in 0..20 {
            let mut stream = crate::soon(tokio::net::TcpStream::connect(world.http())).await.unwrap();
            stream.write_all(part.as_bytes()).await.unwrap();
            slow.push(stream);
        }
    }
    world.bot.get(&format!("/{call}")).await.is(200);
    world.bot.post(&format!("/{call}/playPrompt"), &play(&["http://h/p.wav"], None)).await.is(200);
    world.bot.hang_up(&call).await;
    world.over(&call).await;
    // The slow one finishes at last, and is answered.
    let last = slow.last_mut().expect("a stream");
    last.write_all(&[b' '; 98]).await.unwrap();
    last.write_all(b"}").await.unwrap();
    assert_eq!(web::read(last).await.is(400).code(), "invalidRequest");
}

/// Requests on one connection, sent without waiting, are answered in their order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_on_one_connection_are_answered_in_order() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::start().await;
    let call = world.null_call().await;
    let request = |method: &str, path: &str, body: &str| {
        format!(
            "{method} /v1.0/communications/calls/{call}{path} HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            world.bot.token,
            body.len()
        )
    };
    let mut all = String::new();
    for n in 0..10 {
        all += &request("POST", "/subscribeToTone", &format!("{{\"clientContext\":\"{n}\"}}"));
    }
    all += &request("DELETE", "", "");
    all += &request("GET", "", "").replace("Host: r", "Host: r\r\nConnection: close");
    let mut stream = crate::soon(tokio::net::TcpStream::connect(world.http())).await.unwrap();
    stream.write_all(all.as_bytes()).await.unwrap();
    let mut text = String::new();
    crate::soon(stream.read_to_string(&mut text)).await.unwrap();
    let statuses: Vec<&str> = text.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, [&["200"; 10][..], &["204", "404"]].concat());
    let contexts: Vec<usize> =
        (0..10).map(|n| text.find(&format!("\"clientContext\":\"{n}\"")).expect("it comes back")).collect();
    assert!(contexts.is_sorted());
    world.over(&call).await;
}
