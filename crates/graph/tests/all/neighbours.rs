//! What stands next to calls: every path of it, filters, and the resources as they are printed.

use expect_test::{Expect, expect};
use ringback_graph::neighbours::Filter;
use ringback_graph::neighbours::resources::{
    ChatMessage, NewMessage, OnlineMeeting, Organization, Part, User, print_messages, print_online_meetings,
    print_users,
};
use ringback_graph::time::Utc;
use ringback_graph::{Neighbour, Query, Resource, RouteError, Version, path};
use serde_json::{Value, json};

use crate::samples::{links, pretty};

fn neighbour<'a>(method: &str, target: &'a str) -> Result<Neighbour<'a>, RouteError> {
    match path::parse(method, target)?.resource {
        Resource::Neighbour { neighbour, .. } => Ok(neighbour),
        other => panic!("{other:?}"),
    }
}

fn query(text: &str) -> Query<'_> {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_path_next_to_calls() {
    let user = || "ada@one.example".into();
    let chat = || "19:meeting_X@thread.v2".into();
    for (method, target, wanted) in [
        ("GET", "/v1.0/organization", Neighbour::Organizations),
        ("GET", "/beta//Organization('t')", Neighbour::Organization { id: "t".into() }),
        ("GET", "/v1.0/users?$top=1", Neighbour::Users),
        ("GET", "/v1.0//users/ada%40one.example", Neighbour::User { user: user() }),
        ("GET", "/v1.0/users('ada@one.example')", Neighbour::User { user: user() }),
        ("GET", "/v1.0/users('delta')", Neighbour::User { user: "delta".into() }),
        ("GET", "/v1.0/users/ada@one.example/onlineMeetings", Neighbour::OnlineMeetings { user: user() }),
        (
            "GET",
            "/v1.0/users/ada@one.example/onlineMeetings/MSo",
            Neighbour::OnlineMeeting { user: user(), meeting: "MSo".into() },
        ),
        ("GET", "/v1.0/chats/19%3Ameeting_X%40thread.v2/messages", Neighbour::Messages { chat: chat() }),
        ("POST", "/v1.0/chats/19:meeting_X@thread.v2/messages", Neighbour::PostMessage { chat: chat() }),
        (
            "GET",
            "/v1.0/chats('19:meeting_X@thread.v2')/messages('5')",
            Neighbour::Message { chat: chat(), message: "5".into() },
        ),
    ] {
        assert_eq!(neighbour(method, target), Ok(wanted), "{method} {target}");
    }
}

#[test]
fn anything_else_is_named_and_not_served() {
    for (method, target, path) in [
        ("GET", "/v1.0/me", "/me"),
        ("POST", "/v1.0/users", "/users"),
        ("GET", "/v1.0/users/ada/events/5?x", "/users/ada/events/5"),
        ("DELETE", "/v1.0/chats/19:x/messages/5", "/chats/19:x/messages/5"),
        ("GET", "/v1.0/chats", "/chats"),
        ("POST", "/beta/communications/getPresencesByUserId", "/communications/getPresencesByUserId"),
        ("GET", "/v1.0/communications", "/communications"),
        ("GET", "/v1.0/communications/calls('')", "/communications/calls('')"),
        ("GET", "/v1.0/app/onlineMeetings", "/app/onlineMeetings"),
        ("POST", "/v1.0/$batch", "/$batch"),
        ("GET", "/v1.0", "/"),
        ("GET", "/beta/?x", "/"),
        ("GET", "/v1.0/users/$count", "/users/$count"),
        ("GET", "/v1.0/users/delta", "/users/delta"),
        ("GET", "/v1.0/users/Delta()", "/users/Delta()"),
        ("GET", "/v1.0/users/microsoft.graph.delta()", "/users/microsoft.graph.delta()"),
        ("GET", "/v1.0/chats/19:x/messages/$count", "/chats/19:x/messages/$count"),
    ] {
        let refused = neighbour(method, target).expect_err(target);
        assert_eq!(refused, RouteError::Elsewhere { method: method.into(), path: path.into() });
        assert!(refused.to_string().starts_with(&format!("{method} {path} is not served")), "{refused}");
    }
    let long = format!("/v1.0/{}", "x/".repeat(10_000));
    let Err(RouteError::Elsewhere { path, .. }) = neighbour("GET", &long) else { panic!("it is served") };
    assert!(path.len() <= 200, "{path}");
}

fn found(filter: &str) -> Vec<&'static str> {
    let users = [
        ("1", "Ada Lovelace", "ada@one.example"),
        ("2", "Ada's sister", "annabella@one.example"),
        ("3", "Grace", "grace@one.example"),
    ];
    let filter = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let holds = |(id, name, principal): &(&'static str, &'static str, &'static str)| {
        filter.holds(&|member| match member {
            "id" => id,
            "displayname" => name,
            _ => principal,
        })
    };
    users.iter().filter(|user| holds(user)).map(|user| user.0).collect()
}

#[test]
fn filters_find_what_they_say() {
    for (filter, wanted) in [
        ("userPrincipalName eq 'Ada@ONE.example'", vec!["1"]),
        ("mail eq 'nobody'", vec![]),
        ("id eq 3", vec!["3"]),
        ("startswith(displayName,'ada')", vec!["1", "2"]),
        ("startsWith( displayName , 'Ada''s' )", vec!["2"]),
        ("id in ('1', '3')", vec!["1", "3"]),
        ("startswith(displayName,'Ada') and mail eq 'ada@one.example'", vec!["1"]),
        ("id eq '1' or id eq '2' and displayName eq 'Grace'", vec!["1"]),
        ("(id eq '1' or id eq '3') and startswith(displayName,'G')", vec!["3"]),
    ] {
        assert_eq!(found(filter), wanted, "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_refused_in_words() {
    let deep = format!("{}id eq '1'{}", "(".repeat(100_000), ")".repeat(100_000));
    for filter in [
        "id",
        "id eq",
        "eq 'x'",
        "id ne 'x'",
        "id eq 'x",
        "endswith(mail,'x')",
        "id eq 'x' and",
        "not (id eq 'x')",
        "id in ()",
        "(id eq 'x'",
        "id eq 'x')",
        "startswith(id)",
        "id eq 'x' 'y'",
        ",",
        "''",
        &deep,
        &"id eq '1' or ".repeat(200),
        "((((((((((id eq '1'))))))))))",
    ] {
        let refused = Filter::parse(filter).expect_err(filter).to_string();
        assert!(refused.starts_with("Invalid filter clause: "), "{refused}");
    }
    // What is filtered by is not repeated: it may be a name.
    let refused = Filter::parse("id eq 'x' 'Ada'").unwrap_err().to_string();
    assert!(!refused.contains("Ada"), "{refused}");
}

#[test]
fn options_are_read_as_forms_and_urls_write_them() {
    let read =
        query("$select=id,%20displayName&%24filter=displayName+eq+%27A+B%2BC%27&$top=5&$skiptoken=x&$count=true");
    assert_eq!(read.filter.as_ref().and_then(Filter::only), Some(("displayname", "A B+C")));
    assert!(read.wants("ID", false) && read.wants("displayName", true) && !read.wants("mail", true));
    assert_eq!((read.page.top, read.page.skip_token.as_deref()), (Some(5), Some("x")));
    assert_eq!(read.kept, "$select=id,%20displayName&%24filter=displayName+eq+%27A+B%2BC%27&$count=true");
    assert!(read.count && !query("$count=false").count);
    assert_eq!(Query::parse("$search=\"displayName:x\""), Err(RouteError::UnservedOption("$search")));
    assert_eq!(query("$filter=&$select="), Query { kept: "$filter=&$select=".into(), ..Query::default() });
    assert_eq!(Query::parse("$top=x"), Err(RouteError::BadOption("$top")));
}

pub(crate) fn user() -> User<'static> {
    User {
        id: "7".into(),
        display_name: "Ada".into(),
        principal: "1001@one.example".into(),
        number: Some("1001".into()),
    }
}

pub(crate) fn meeting() -> OnlineMeeting<'static> {
    OnlineMeeting {
        id: "MSo".into(),
        join_web_url: "https://teams.microsoft.com/l/meetup-join/x/0".into(),
        thread: "19:meeting_X@thread.v2".into(),
        join_meeting_id: "123456789".into(),
        organizer: user(),
        tenant: "t".into(),
    }
}

pub(crate) fn message() -> ChatMessage<'static> {
    let body =
        br#"{"body":{"contentType":"HTML","content":"<p>hello</p>"},"importance":"High","attachments":[{"id":"1"}]}"#;
    let new = NewMessage::parse(body).unwrap();
    ChatMessage {
        id: "5000".into(),
        chat: "19:x@thread.v2".into(),
        at: Utc(5_000_000),
        app: "a".into(),
        app_name: "Bot".into(),
        message: std::borrow::Cow::Owned(new),
    }
}

fn check(printed: &[u8], expected: Expect) {
    expected.assert_eq(&pretty(printed));
}

fn json_of(printed: &[u8]) -> Value {
    serde_json::from_slice(printed).unwrap()
}

#[test]
fn resources_are_printed_as_graph_prints_them() {
    let links = links(Version::V1);
    check(
        &user().print(&links, &query("$select=id,userPrincipalName,accountEnabled")),
        expect![[r##"
        {
          "@odata.context":"https://graph.example/v1.0/$metadata#users/$entity",
          "accountEnabled":true,
          "id":"7",
          "userPrincipalName":"1001@one.example"
        }"##]],
    );
    let list = json_of(&print_users(
        &links,
        &Query::default(),
        &[user(), user()],
        &Part { of: 2, next: Some("https://next".into()) },
    ));
    assert_eq!((list["value"].as_array().map(Vec::len), &list["@odata.nextLink"]), (Some(2), &json!("https://next")));
    assert_eq!(list["value"][0]["businessPhones"], json!(["1001"]));
    assert!(list["value"][0]["jobTitle"].is_null() && list["value"][0].get("accountEnabled").is_none(), "{list}");
    let organization = Organization { id: "t".into(), name: "one.example".into() };
    let list = json_of(&organization.print_list(&links, &Query::default()));
    assert_eq!(list["value"][0]["verifiedDomains"][0]["name"], "one.example");
    assert_eq!(list["@odata.context"], "https://graph.example/v1.0/$metadata#organization");
    let list = json_of(&print_online_meetings(&links, &Query::default(), "7", &[meeting()]));
    assert_eq!(list["@odata.context"], "https://graph.example/v1.0/$metadata#users('7')/onlineMeetings");
    assert_eq!(list["value"][0]["chatInfo"]["threadId"], "19:meeting_X@thread.v2");
    assert_eq!(list["value"][0]["participants"]["organizer"]["identity"]["user"]["id"], "7");
    let list = json_of(&print_messages(&links, &Query::default(), "19:x@thread.v2", &[message()], &Part::default()));
    let message = &list["value"][0];
    assert_eq!(message["body"], json!({"contentType": "html", "content": "<p>hello</p>"}));
    assert_eq!((&message["importance"], &message["attachments"][0]["id"]), (&json!("high"), &json!("1")));
    assert_eq!(message["createdDateTime"], "1970-01-01T00:00:05.000000Z");
    assert!(list.get("@odata.nextLink").is_none() && list.get("@odata.count").is_none());
    let list = json_of(&organization.print_list(&links, &query("$count=true")));
    assert_eq!(list["@odata.count"], 1);
}

#[test]
fn a_message_without_words_is_refused() {
    for (body, member) in [
        (json!({}), "'body'"),
        (json!({"body": "x"}), "'body'"),
        (json!({"body": {}}), "'body.content'"),
        (json!({"body": {"content": 5}}), "'body.content'"),
        (json!({"body": {"content": "x"}, "attachments": {}}), "'attachments'"),
        (json!({"body": {"content": "x"}, "attachments": [5]}), "'attachments[0]'"),
    ] {
        let refused = NewMessage::parse(body.to_string().as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(member), "{body}: {refused}");
    }
    let plain = NewMessage::parse(br#"{"body":{"content":"x"}}"#).unwrap();
    assert_eq!((plain.html, plain.importance, plain.attachments), (false, "normal", json!([])));
}
