//! Every form of path that real clients use leads to the same route (client-facts §1); every
//! other one to an answer that says what is wrong.

use std::borrow::Cow;

use ringback_graph::path::{Action, Page, Resource, RouteError, Version, parse};

const ID: &str = "57dab8b1-894c-409a-b240-bd8beae78896";
const OP: &str = "0fe0623f-d628-42ed-b4bd-8ac290072cc5";

#[test]
fn all_forms_of_a_call_are_one() {
    let paths = [
        "/v1.0/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896",
        "/v1.0//communications/calls/57dab8b1-894c-409a-b240-bd8beae78896",
        "//v1.0/communications///calls/57dab8b1-894c-409a-b240-bd8beae78896//",
        "/v1.0/app/calls/57dab8b1-894c-409a-b240-bd8beae78896",
        "/v1.0/communications/calls('57dab8b1-894c-409a-b240-bd8beae78896')",
        "/v1.0/communications/calls(%2757dab8b1-894c-409a-b240-bd8beae78896%27)",
        "/v1.0/communications/calls/57DAB8B1-894C-409A-B240-BD8BEAE78896",
        "/v1.0/communications/calls/57DAB8B1894C409AB240BD8BEAE78896",
        "/v1.0/communications/calls/57dab8b1894c409ab240bd8beae78896",
        "/V1.0/Communications/Calls/57dab8b1%2D894c-409a-b240-bd8beae78896",
        "/v1.0/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896?$select=id&$expand=operations",
    ];
    for path in paths {
        let route = parse("GET", path).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(route.version, Version::V1, "{path}");
        assert_eq!(route.resource, Resource::GetCall { call: ID.into() }, "{path}");
        let route = parse("DELETE", path).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(route.resource, Resource::HangUp { call: ID.into() }, "{path}");
    }
}

#[test]
fn all_forms_of_an_action_are_one() {
    for version in [Version::V1, Version::Beta] {
        for root in ["communications", "app"] {
            let of_beta = |action: &Action| version == Version::V1 && *action == Action::Record;
            for action in Action::ALL.into_iter().filter(|action| !of_beta(action)) {
                let name = action.as_str();
                let upper = name.to_uppercase();
                for name in
                    [name.to_owned(), upper, format!("microsoft.graph.{name}"), format!("Microsoft.Graph.{name}")]
                {
                    for call in [format!("/{ID}"), format!("('{ID}')")] {
                        let path = format!("/{}/{root}/calls{call}/{name}", version.as_str());
                        let route = parse("POST", &path).unwrap_or_else(|e| panic!("{path}: {e}"));
                        assert_eq!(route.version, version, "{path}");
                        assert_eq!(route.resource, Resource::Act { call: ID.into(), action }, "{path}");
                    }
                }
            }
        }
    }
}

#[test]
fn listings_and_operations() {
    let table = [
        ("GET", "/v1.0/communications/calls".to_owned(), Resource::ListCalls { page: Page::default() }),
        ("POST", "/v1.0/communications/calls/".to_owned(), Resource::CreateCall),
        ("POST", "/beta/app/calls".to_owned(), Resource::CreateCall),
        (
            "GET",
            format!("/beta/communications/calls/{ID}/operations"),
            Resource::ListOperations { call: ID.into(), page: Page::default() },
        ),
        (
            "GET",
            format!("/beta/communications/calls/{ID}/operations/{OP}"),
            Resource::GetOperation { call: ID.into(), operation: OP.into() },
        ),
        (
            "GET",
            format!("/beta/communications/calls('{ID}')/Operations('{}')", OP.to_uppercase()),
            Resource::GetOperation { call: ID.into(), operation: OP.into() },
        ),
        (
            "GET",
            format!("/v1.0/communications/calls/{ID}/Participants/"),
            Resource::ListParticipants { call: ID.into() },
        ),
        (
            "GET",
            format!("/v1.0/communications/calls/{ID}/participants('{}')", OP.to_uppercase()),
            Resource::GetParticipant { call: ID.into(), participant: OP.into() },
        ),
        ("GET", "/v1.0/communications/calls/undefined".to_owned(), Resource::GetCall { call: "undefined".into() }),
        ("GET", "/v1.0/communications/calls/a%2Fb%zz%F".to_owned(), Resource::GetCall { call: "a/b%zz%f".into() }),
    ];
    for (method, path, resource) in table {
        assert_eq!(parse(method, &path).map(|r| r.resource), Ok(resource), "{method} {path}");
    }
}

#[test]
fn pages() {
    let list = |query: &str| {
        let path = format!("/v1.0/communications/calls?{query}");
        match parse("GET", &path)?.resource {
            Resource::ListCalls { page } => Ok((page.top, page.skip_token.map(Cow::into_owned))),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(list("$top=5&$skiptoken=abc"), Ok((Some(5), Some("abc".into()))));
    assert_eq!(list("%24top=5&%24skipToken=a%26b%3D"), Ok((Some(5), Some("a&b=".into()))));
    assert_eq!(list("$top=4000000000"), Ok((Some(500), None)));
    assert_eq!(list("$filter=state eq 'x'&$skiptoken=&&="), Ok((None, None)));
    for bad in ["$top=0", "$top=-1", "$top=ten", "$top", "$top=99999999999"] {
        assert_eq!(list(bad), Err(RouteError::BadOption("$top")), "{bad}");
    }
}

#[test]
fn a_plain_path_is_borrowed() {
    let path = format!("/v1.0/communications/calls/{ID}/operations/{OP}");
    match parse("GET", &path).expect("a route").resource {
        Resource::GetOperation { call: Cow::Borrowed(_), operation: Cow::Borrowed(_) } => {}
        other => panic!("copied: {other:?}"),
    }
}

#[test]
fn unknown_segments_are_named_in_graphs_words() {
    let table = [
        ("GET", "", ""),
        ("GET", "/", ""),
        ("GET", "/v2.0/communications/calls", "v2.0"),
        ("GET", "/v1.0/communications/calls/x/nothing", "nothing"),
        ("GET", "/v1.0/communications/calls/x/%3Cb%3E", "<b>"),
        ("POST", "/v1.0/communications/calls/x/playPrompt/more", "more"),
        ("POST", "/v1.0/communications/calls/x/playPrompt('y')", "playPrompt"),
        ("GET", "/v1.0/communications/calls/x/operations/y/z", "z"),
        ("POST", "/v1.0/communications/calls/x/StartRecording", "StartRecording"),
        ("POST", "/v1.0/communications/calls/x/participants/muteAll/y", "y"),
        ("GET", "/v1.0/communications/calls/x/participants/y/z", "z"),
        ("POST", "/v1.0/communications/calls/x/participants/y/mute/z", "z"),
    ];
    for (method, path, segment) in table {
        let error = parse(method, path).expect_err(path);
        assert_eq!(error.to_string(), format!("Resource not found for the segment '{segment}'."), "{path}");
    }
    let long = format!("/v1.0/communications/calls/x/{}", "ü".repeat(10_000));
    assert_eq!(parse("GET", &long), Err(RouteError::UnknownSegment("ü".repeat(64))));
}

#[test]
fn methods_that_are_not_allowed() {
    let table = [
        ("PATCH", "calls/x", "GET, DELETE"),
        ("PUT", "calls/x", "GET, DELETE"),
        ("POST", "calls/x", "GET, DELETE"),
        ("DELETE", "calls", "GET, POST"),
        ("HEAD", "calls", "GET, POST"),
        ("GET", "calls/x/answer", "POST"),
        ("get", "calls/x", "GET, DELETE"),
        ("POST", "calls/x/operations", "GET"),
        ("PATCH", "calls/x/operations/y", "GET"),
        ("DELETE", "calls/x/operations/y", "GET"),
        ("GET", "calls/x/mute", "POST"),
        ("POST", "calls/x/participants", "GET"),
        ("PATCH", "calls/x/participants/y", "GET, DELETE"),
        ("GET", "calls/x/participants/y/mute", "POST"),
        ("PATCH", "calls/logTeleconferenceDeviceQuality", "POST"),
        ("PUT", "calls/x/audioRoutingGroups", "GET, POST"),
    ];
    for (method, path, allow) in table {
        let path = format!("/v1.0/communications/{path}");
        assert_eq!(parse(method, &path), Err(RouteError::MethodNotAllowed { allow }), "{method} {path}");
    }
}

#[test]
fn what_is_in_the_contract_but_not_served() {
    let both = [
        ("POST", "calls/x/mute", "mute"),
        ("POST", "calls/x/microsoft.graph.UNMUTE", "unmute"),
        ("POST", "calls/x/transfer", "transfer"),
        ("POST", "calls('x')/redirect", "redirect"),
        ("DELETE", "calls/x/participants/y", "participants"),
        ("POST", "calls/x/participants/invite", "invite"),
        ("POST", "calls/x/participants/microsoft.graph.invite", "invite"),
        ("POST", "calls/x/participants/y/mute", "mute"),
        ("POST", "calls/x/audioRoutingGroups", "audioRoutingGroups"),
        ("PATCH", "calls/x/audioRoutingGroups/y", "audioRoutingGroups"),
        ("GET", "calls/x/contentsharingsessions", "contentSharingSessions"),
        ("POST", "calls/logTeleconferenceDeviceQuality", "logTeleconferenceDeviceQuality"),
    ];
    let beta = [
        ("POST", "calls/x/microsoft.graph.StartRecording", "startRecording"),
        ("POST", "calls/x/participants/muteAll", "muteAll"),
        ("POST", "calls/x/participants/y/admitFromLobby", "admitFromLobby"),
    ];
    for (method, path, what) in both.iter().chain(&beta) {
        let path = format!("/beta/communications/{path}");
        assert_eq!(parse(method, &path), Err(RouteError::NotServed { what }), "{method} {path}");
    }
    for (method, path, what) in both {
        let path = format!("/v1.0/communications/{path}");
        assert_eq!(parse(method, &path), Err(RouteError::NotServed { what }), "{method} {path}");
    }
    // What is served on beta only.
    let record = Resource::Act { call: "x".into(), action: Action::Record };
    assert_eq!(parse("POST", "/beta/communications/calls/x/record").map(|route| route.resource), Ok(record));
    let unknown = RouteError::UnknownSegment("record".to_owned());
    assert_eq!(parse("POST", "/v1.0/communications/calls/x/record"), Err(unknown));
    for (method, path, _) in beta {
        let path = format!("/v1.0/communications/{path}");
        assert!(!matches!(parse(method, &path), Err(RouteError::NotServed { .. })), "{method} {path}");
    }
}

#[test]
fn an_action_without_the_id_of_its_call_says_so() {
    let table = [
        ("/v1.0/communications/calls//playPrompt", "playPrompt"),
        ("/beta/app/calls//microsoft.graph.answer", "answer"),
        ("/v1.0/communications/calls//mute", "mute"),
    ];
    for (path, action) in table {
        assert_eq!(parse("POST", path), Err(RouteError::MissingId(action)), "{path}");
    }
}
