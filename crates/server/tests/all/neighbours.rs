//! What bots touch next to calls, over HTTP: the organization, users, their online meetings, messages of chats, `$metadata`;
//! and what is not served, counted.

use serde_json::{Value, json};

use crate::journal::Journal;
use crate::soon;
use crate::web::{self, Answer, Bot};
use crate::world::{APP, FOREIGN_LINE, NULL_LINE, OTHER_TENANT, TENANT, USERS, World, configuration, create, options};

/// The world, where any identity is accepted.
async fn open() -> World {
    let journal = Journal::start().await;
    let text = configuration(journal.address()).replacen("[server]\n", "[server]\nidentities = \"any\"\n", 1);
    World::start_with(journal, tempfile::tempdir().expect("a folder"), &text).await
}

async fn get(bot: &Bot, path: &str) -> Answer {
    bot.ask("GET", &format!("/v1.0{}", path.replace(' ', "%20")), None).await
}

fn names(list: &Value) -> Vec<&str> {
    list["value"].as_array().expect("a list").iter().filter_map(|user| user["displayName"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_sees_its_own_organization_and_users() {
    let world = World::start().await;
    let organization = get(&world.bot, "/organization").await.is(200).json();
    assert_eq!(organization["value"][0]["id"], TENANT);
    assert_eq!(organization["value"][0]["displayName"], "one.example");
    assert_eq!(get(&world.bot, &format!("/organization/{TENANT}")).await.is(200).json()["id"], TENANT);
    let refused = get(&world.bot, &format!("/organization/{OTHER_TENANT}")).await.is(404);
    assert_eq!(refused.code(), "Request_ResourceNotFound");

    let users = get(&world.bot, "/users").await.is(200).json();
    assert_eq!(names(&users), ["Phone 1001", "Phone 1002", "Test line"], "{users}");
    let base = format!("{}/v1.0/$metadata", world.server.public_url());
    assert_eq!(users["@odata.context"], format!("{base}#users"));
    // By id, in any case, and by name; whole or in part.
    let (id, login) = USERS[0];
    for key in [id.to_owned(), id.to_uppercase(), format!("{login}@one.example"), format!("{login}%40ONE.example")] {
        let user = get(&world.bot, &format!("/users/{key}")).await.is(200).json();
        assert_eq!((&user["id"], &user["userPrincipalName"]), (&json!(id), &json!("1001@one.example")), "{key}");
        assert_eq!(user["@odata.context"], format!("{base}#users/$entity"));
    }
    let part = get(&world.bot, &format!("/users/{id}?$select=displayName")).await.is(200).json();
    assert_eq!(part, json!({"@odata.context": format!("{base}#users/$entity"), "displayName": "Phone 1001"}));
    // A user found so can be called.
    let call = world.bot.post("", &create(&world.journal.url("/calls"), NULL_LINE)).await.is(201).id();
    world.bot.hang_up(&call).await;

    for (filter, found) in [
        ("userPrincipalName eq '1002@one.example'", vec!["Phone 1002"]),
        ("mail eq '1002@ONE.example'", vec!["Phone 1002"]),
        (&format!("id eq '{id}'"), vec!["Phone 1001"]),
        ("startswith(displayName,'phone')", vec!["Phone 1001", "Phone 1002"]),
        ("displayName eq 'nobody'", vec![]),
    ] {
        let users = get(&world.bot, &format!("/users?$filter={filter}")).await.is(200).json();
        assert_eq!(names(&users), found, "{filter}");
    }
    for (filter, code) in [
        ("displayName ne 'x'", "BadRequest"),
        ("displayName eq 'x", "BadRequest"),
        ("department eq 'x'", "Request_UnsupportedQuery"),
    ] {
        assert_eq!(get(&world.bot, &format!("/users?$filter={filter}")).await.is(400).code(), code, "{filter}");
    }
    // Refused where it is not followed: a wider answer than asked for is a wrong one.
    for path in ["/organization?$filter=id eq 'x'", "/chats/19:x@thread.v2/messages?$filter=id eq 'x'"] {
        assert_eq!(get(&world.bot, path).await.is(400).code(), "Request_UnsupportedQuery", "{path}");
    }
    get(&world.bot, "/users?$search=\"displayName:x\"").await.is(400);
    // Nobody else's.
    for key in [FOREIGN_LINE, "9100@two.example", "nobody@one.example", "c1c1c1c1-0000-4000-8000-00000000ffff", "1001"]
    {
        let refused = get(&world.bot, &format!("/users/{key}")).await.is(404);
        assert_eq!(refused.code(), "Request_ResourceNotFound", "{key}");
        assert!(refused.message().starts_with(&format!("Resource '{key}' does not exist")), "{}", refused.message());
    }
    let foreign = world.foreign().await;
    assert_eq!(names(&get(&foreign, "/users").await.is(200).json()), ["Test line"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_come_in_pages() {
    let world = World::start().await;
    let mut path = "/users?$top=1&$count=true&$select=displayName&$filter=startswith(displayName,'P')".to_owned();
    for wanted in ["Phone 1001", "Phone 1002"] {
        let page = get(&world.bot, &path).await.is(200).json();
        assert_eq!(names(&page), [wanted], "{page}");
        assert_eq!(page["@odata.count"], 2, "of all pages: {page}");
        let next = page["@odata.nextLink"].as_str().map(|next| next.split("/v1.0").nth(1).expect("a path").to_owned());
        assert_eq!(next.is_some(), wanted == "Phone 1001", "{page}");
        path = next.unwrap_or_default();
    }
    get(&world.bot, "/users?$top=x").await.is(400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_anyone_is_accepted_a_user_that_nobody_listed_is_there() {
    let world = open().await;
    let id = "d9d9d9d9-0000-4000-8000-000000000001";
    let user = get(&world.bot, &format!("/users/{}", id.to_uppercase())).await.is(200).json();
    assert_eq!(user["id"], id, "{user}");
    // Its principal leads back to it.
    let principal = user["userPrincipalName"].as_str().expect("a principal");
    for principal in [principal.to_owned(), principal.to_uppercase()] {
        let again = get(&world.bot, &format!("/users/{principal}")).await.is(200).json();
        assert_eq!((&again["id"], &again["userPrincipalName"]), (&user["id"], &user["userPrincipalName"]));
    }
    let ada = get(&world.bot, "/users/ada@contoso.example").await.is(200).json();
    assert_eq!(ada["displayName"], "ada");
    assert_eq!(ada["userPrincipalName"], "ada@contoso.example");
    // The same whenever it is asked for.
    assert_eq!(get(&world.bot, "/users/ADA@contoso.example").await.is(200).json()["id"], ada["id"]);
    // Other tenants' users are as unseen as ever, listed ones are themselves, and what is no user's key is none.
    get(&world.bot, &format!("/users/{FOREIGN_LINE}")).await.is(404);
    get(&world.bot, "/users/nobody").await.is(404);
    assert_eq!(get(&world.bot, "/users/1001@one.example").await.is(200).json()["id"], USERS[0].0);
    assert_eq!(
        get(&world.bot, "/users?$filter=mail eq 'ada@contoso.example'").await.is(200).json()["value"],
        json!([])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_online_meeting_is_found_by_its_url_and_joined() {
    let world = open().await;
    let (organizer, _) = USERS[0];
    let thread = "19:meeting_ZGF5@thread.v2";
    let context = format!("%7b%22Tid%22%3a%22{TENANT}%22%2c%22Oid%22%3a%22{organizer}%22%7d");
    let url = format!("https://teams.microsoft.com/l/meetup-join/19%3ameeting_ZGF5%40thread.v2/0?context={context}");
    let encoded: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    let path = format!("/users/{organizer}/onlineMeetings");
    let found = get(&world.bot, &format!("{path}?$filter=JoinWebUrl%20eq%20'{encoded}'")).await.is(200).json();
    let meeting = &found["value"][0];
    assert_eq!((&meeting["joinWebUrl"], &meeting["chatInfo"]["threadId"]), (&json!(url), &json!(thread)), "{found}");
    assert_eq!(meeting["participants"]["organizer"]["identity"]["user"]["id"], organizer, "{found}");
    // By its number and by its id it is the same one.
    let number = meeting["joinMeetingIdSettings"]["joinMeetingId"].as_str().expect("a number");
    let filter = format!("$filter=joinMeetingIdSettings/joinMeetingId eq '{number}'");
    let by_number = get(&world.bot, &format!("{path}?{filter}")).await.is(200).json();
    assert_eq!(by_number["value"][0]["chatInfo"]["threadId"], thread, "{by_number}");
    let id = meeting["id"].as_str().expect("an id");
    assert_eq!(get(&world.bot, &format!("{path}/{id}")).await.is(200).json()["chatInfo"]["threadId"], thread);
    // A URL of a kind that nobody knows is a meeting too, and always the same.
    let strange = async || {
        let filter = "$filter=JoinWebUrl eq 'https://meet.example/daily'";
        let found = get(&world.bot, &format!("{path}?{filter}")).await.is(200).json();
        found["value"][0]["chatInfo"]["threadId"].as_str().expect("a thread").to_owned()
    };
    assert_eq!(strange().await, strange().await);
    // The bot joins it, as it does at Teams: with what it found.
    let mut join = create(&world.journal.url("/calls"), "");
    join["targets"] = json!([]);
    join["chatInfo"] = meeting["chatInfo"].clone();
    join["meetingInfo"] = json!({
        "@odata.type": "#microsoft.graph.organizerMeetingInfo", "organizer": meeting["participants"]["organizer"]["identity"],
    });
    let call = world.bot.post("", &join).await.is(201).id();
    assert_eq!(world.bot.get(&format!("/{call}")).await.is(200).json()["chatInfo"]["threadId"], thread);

    for filter in ["", "?$filter=subject eq 'x'", "?$filter=JoinWebUrl eq 'a' or JoinWebUrl eq 'b'"] {
        assert_eq!(get(&world.bot, &format!("{path}{filter}")).await.is(400).code(), "BadRequest", "{filter}");
    }
    get(&world.bot, &format!("{path}/nonsense")).await.is(404);
    // Where identities are listed there are no meetings to be found.
    let strict = World::start().await;
    let found = get(&strict.bot, &format!("{path}?$filter=JoinWebUrl%20eq%20'{encoded}'")).await.is(200).json();
    assert_eq!(found["value"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_kept_and_shown() {
    let world = World::start().await;
    let path = "/v1.0/chats/19:meeting_X@thread.v2/messages";
    let body = |text: &str| json!({"body": {"contentType": "html", "content": text}});
    let mut entries = world.server.timeline().follow();
    let posted = world.bot.ask("POST", path, Some(&body("<p>one</p>"))).await.is(201).json();
    assert_eq!(posted["body"], json!({"contentType": "html", "content": "<p>one</p>"}));
    assert_eq!(posted["from"]["application"]["id"], APP, "{posted}");
    assert_eq!(posted["chatId"], "19:meeting_X@thread.v2");
    let shown = loop {
        let entry = soon(entries.recv()).await.expect("an entry");
        if entry.kind == "chat" {
            break entry.text;
        }
    };
    // What it says may be anybody's business.
    assert!(shown.contains(posted["id"].as_str().unwrap()) && !shown.contains("one"), "{shown}");
    for text in ["two", "three"] {
        world.bot.ask("POST", path, Some(&body(text))).await.is(201);
    }
    let listed = world.bot.ask("GET", &format!("{path}?$top=2"), None).await.is(200).json();
    let texts = |list: &Value| -> Vec<String> {
        let text = |message: &Value| message["body"]["content"].as_str().expect("text").to_owned();
        list["value"].as_array().expect("a list").iter().map(text).collect()
    };
    assert_eq!(texts(&listed), ["three", "two"]);
    let next = listed["@odata.nextLink"].as_str().expect("more").split("/v1.0").nth(1).expect("a path");
    let rest = get(&world.bot, next).await.is(200).json();
    assert_eq!((texts(&rest), rest.get("@odata.nextLink")), (vec!["<p>one</p>".to_owned()], None));
    let one = world.bot.ask("GET", &format!("{path}/{}", posted["id"].as_str().unwrap()), None).await.is(200).json();
    assert_eq!(one["body"], posted["body"]);
    assert_eq!(world.bot.ask("GET", &format!("{path}/5"), None).await.is(404).code(), "Request_ResourceNotFound");
    // Of this tenant only.
    assert_eq!(world.foreign().await.ask("GET", path, None).await.is(200).json()["value"], json!([]));
    let door = world.operator("chats").await.is(200).json();
    assert_eq!(door["value"][0]["content"], "three", "{door}");

    let refused = world.bot.ask("POST", path, Some(&json!({"body": {}}))).await.is(400);
    assert!(refused.message().contains("body.content"), "{}", refused.message());
    let long = "x".repeat(ringback_server::limits::CHAT_MESSAGE);
    assert_eq!(world.bot.ask("POST", path, Some(&body(&long))).await.is(413).code(), "invalidRequest");
    let no_chat = format!("/v1.0/chats/{}/messages", "x".repeat(600));
    world.bot.ask("POST", &no_chat, Some(&body("x"))).await.is(400);

    // A restart forgets none.
    let World { server, journal, folder, .. } = world;
    server.stop(std::time::Duration::from_secs(10)).await;
    let server = soon(ringback_server::Server::start(options(folder.path()))).await.expect("it starts again");
    let bot = crate::world::bot(server.http_addr(), TENANT, APP).await;
    let kept = bot.ask("GET", path, None).await.is(200).json();
    assert_eq!(texts(&kept), ["three", "two", "<p>one</p>"]);
    drop(journal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_served_is_named_and_counted_without_anybodys_name() {
    let world = World::start().await;
    let call = world.null_call().await;
    for (method, path, named) in [
        ("GET", "/v1.0/users/ada@one.example/events", "GET /users/ada@one.example/events is not served"),
        ("GET", "/v1.0/users/grace@one.example/events", "GET /users/grace@one.example/events is not served"),
        (
            "POST",
            "/beta/communications/getPresencesByUserId",
            "POST /communications/getPresencesByUserId is not served",
        ),
        ("GET", "/v1.0/ada", "GET /ada is not served"),
        ("POST", &format!("/v1.0/communications/calls/{call}/mute"), "'mute' is not offered"),
    ] {
        let refused = world.bot.ask(method, path, Some(&json!({}))).await.is(501);
        assert_eq!(refused.code(), "notSupported");
        assert!(refused.message().starts_with(named), "{}", refused.message());
    }
    let counted = world.operator("unserved").await.is(200).json();
    let rows: Vec<(String, u64)> = counted["value"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            let text = |member: &str| row[member].as_str().expect("text").to_owned();
            (format!("{} {}", text("method"), text("path")), row["count"].as_u64().expect("a count"))
        })
        .collect();
    let rows: Vec<(&str, u64)> = rows.iter().map(|(row, count)| (row.as_str(), *count)).collect();
    assert_eq!(
        rows,
        [
            ("GET /v1.0/users/…/events", 2),
            ("GET /v1.0/…", 1),
            ("POST /beta/communications/getPresencesByUserId", 1),
            ("POST /v1.0/communications/calls/…/mute", 1),
        ]
    );
    world.operator("unserved/x").await.is(405);
    world.bot.ask("GET", "/_ringback/unserved", None).await.is(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_served_is_said_to_anyone() {
    let world = World::start().await;
    for (path, status) in [("/v1.0/$metadata", 200), ("/beta/%24metadata", 200), ("/v2.0/$metadata", 401)] {
        let answer =
            web::send(world.http(), format!("GET {path} HTTP/1.1\r\nHost: r\r\n\r\n").as_bytes()).await.is(status);
        if status == 200 {
            assert_eq!(answer.header("content-type"), Some("application/xml"));
            assert!(answer.text().contains("<EntitySet Name=\"users\""));
        }
    }
    web::send(world.http(), b"POST /v1.0/$metadata HTTP/1.1\r\nHost: r\r\nContent-Length: 0\r\n\r\n").await.is(405);
}
