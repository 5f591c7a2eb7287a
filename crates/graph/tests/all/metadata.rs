//! `$metadata` says what is served: every action, every path's first word, every member that is printed.

use std::collections::HashSet;

use ringback_graph::metadata::{asked, print};
use ringback_graph::neighbours::resources::Organization;
use ringback_graph::{Action, CallForm, OperationForm, OperationKind, OperationStatus, Query, Version};
use serde_json::Value;

use crate::neighbours::{meeting, message, user};
use crate::samples::{call, ended_prompt, ended_recording, links, operation};

/// The members of a type, with those of its bases.
fn members(document: &str, name: &str) -> HashSet<String> {
    let at = document.find(&format!("Type Name=\"{name}\"")).unwrap_or_else(|| panic!("no type {name}"));
    let of = &document[at..];
    let of = &of[..of.find("Type>").expect("an end")];
    let (head, rest) = of.split_once('>').expect("a head");
    let mut members: HashSet<String> =
        rest.split("Property Name=\"").skip(1).filter_map(|part| Some(part.split_once('"')?.0.to_owned())).collect();
    if let Some(base) = head.split("BaseType=\"microsoft.graph.").nth(1).and_then(|rest| rest.split('"').next()) {
        members.extend(self::members(document, base));
    }
    members
}

/// The type of a member.
fn type_of<'d>(document: &'d str, name: &str, member: &str) -> Option<&'d str> {
    let at = document.find(&format!("Type Name=\"{name}\""))?;
    let of = &document[at..];
    let of = &of[..of.find("Type>")?];
    let found = of.split(&format!("Property Name=\"{member}\" Type=\"")).nth(1)?.split('"').next()?;
    Some(found.trim_start_matches("Collection(").trim_start_matches("microsoft.graph.").trim_end_matches(')'))
}

/// Every member of `value` stands in its type, and so on inside.
fn holds(document: &str, name: &str, value: &Value) {
    let name = value["@odata.type"].as_str().map_or(name, |of| of.trim_start_matches("#microsoft.graph."));
    let Some(object) = value.as_object() else { return };
    let known = members(document, name);
    for (member, inner) in object.iter().filter(|(member, _)| !member.starts_with("@odata")) {
        // The contract shows them where CSDL has them on an open type.
        if ["phone", "callRoutes", "routingPolicies", "transcription", "incomingContext"].contains(&member.as_str()) {
            continue;
        }
        if !known.contains(member) {
            // Null and empty members are shown for clients; a type need not have them.
            assert!(inner.is_null() || inner == &serde_json::json!([]), "{name} has no {member}");
            continue;
        }
        let Some(of) = type_of(document, name, member).filter(|of| !of.starts_with("Edm.")) else { continue };
        match inner {
            Value::Array(items) => items.iter().for_each(|item| holds(document, of, item)),
            inner => holds(document, of, inner),
        }
    }
}

#[test]
fn every_printed_member_is_in_the_document() {
    for version in [Version::V1, Version::Beta] {
        let (document, links) = (print(version), links(version));
        let all = Query::default();
        let kinds =
            [OperationKind::SendDtmfTones, OperationKind::SubscribeToTone, OperationKind::CancelMediaProcessing];
        let read = OperationForm::Read { call: "c" };
        let mut printed = vec![
            ("call", call().print(&links, CallForm::Read)),
            ("user", user().print(&links, &all)),
            ("onlineMeeting", meeting().print(&links, &all)),
            ("organization", Organization { id: "t".into(), name: "n".into() }.print(&links, &all)),
            ("playPromptOperation", ended_prompt().print(&links, read)),
            ("recordOperation", ended_recording().print(&links, read)),
        ];
        printed.extend(
            kinds.map(|kind| ("commsOperation", operation(kind, OperationStatus::Completed).print(&links, read))),
        );
        for (name, json) in printed {
            holds(&document, name, &serde_json::from_slice(&json).expect("JSON"));
        }
        let mut message: Value = serde_json::from_slice(&message().print(&links, &all)).expect("JSON");
        // A card is whatever the bot made it.
        message["attachments"] = serde_json::json!([]);
        holds(&document, "chatMessage", &message);
    }
}

#[test]
fn every_action_and_every_root_is_in_the_document() {
    let (v1, beta) = (print(Version::V1), print(Version::Beta));
    for action in Action::ALL {
        let found = format!("<Action Name=\"{}\" ", action.as_str());
        assert!(beta.contains(&found), "{found}");
        assert_eq!(v1.contains(&found), action != Action::Record, "{found}");
    }
    for root in ["users", "organization", "chats", "communications"] {
        assert!(v1.contains(&format!(" Name=\"{root}\" ")), "{root}");
    }
    assert!(beta.contains("<Parameter Name=\"loop\"") && !v1.contains("<Parameter Name=\"loop\""));
    assert!(v1.contains("<Property Name=\"id\" Type=\"Edm.String\" Nullable=\"false\"/>"), "a key is never null");
    // Well-formed, as far as a look can tell: each element that is opened is closed, each type that is named is there.
    for document in [&v1, &beta] {
        for element in ["EntityType", "ComplexType", "Action", "Schema", "EntityContainer"] {
            let opened = document.matches(&format!("<{element} ")).count();
            assert_eq!(opened, document.matches(&format!("</{element}>")).count(), "{element}");
        }
        for named in document.split("microsoft.graph.").skip(1) {
            let name = named.split(['"', ')']).next().unwrap_or_default();
            assert!(document.contains(&format!("Type Name=\"{name}\"")), "{name}");
        }
    }
}

#[test]
fn it_is_asked_for_by_its_path() {
    assert_eq!(asked("/v1.0/$metadata"), Some(Version::V1));
    assert_eq!(asked("//Beta/%24Metadata/"), Some(Version::Beta));
    for path in ["/v1.0", "/$metadata", "/v1.0/$metadata/x", "/v2.0/$metadata", "/"] {
        assert_eq!(asked(path), None, "{path}");
    }
}
