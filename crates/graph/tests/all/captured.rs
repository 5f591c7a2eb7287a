//! What unmodified client libraries really send, recorded by a listener: msgraph-sdk 1.65.0 and
//! msgraph-beta-sdk 1.66.0 (PyPI), @microsoft/microsoft-graph-client 3.0.7 and
//! @microsoft/teams.graph 2.0.16 (npm), graph-rs-sdk 3.0.1 (crates.io). `captured/` holds the
//! requests as they came; every one must lead where its author wanted to go.

use expect_test::expect_file;
use ringback_graph::path::{Action, Resource, Version, parse};
use ringback_graph::{Answer, BodyError, ContextOnly, CreateCall, PlayPrompt, RecordResponse, Reject, SendDtmfTones};
use serde_json::Value;

const FILES: [(&str, &str); 5] = [
    ("node-clients", include_str!("captured/node-clients.json")),
    ("python-msgraph-beta-sdk", include_str!("captured/python-msgraph-beta-sdk.json")),
    ("python-msgraph-sdk-unchanged", include_str!("captured/python-msgraph-sdk-unchanged.json")),
    ("python-msgraph-sdk", include_str!("captured/python-msgraph-sdk.json")),
    ("rust-graph-rs-sdk", include_str!("captured/rust-graph-rs-sdk.json")),
];

/// Reads the body a request of this resource has; the text shows what was understood.
fn body(resource: &Resource<'_>, version: Version, body: &[u8]) -> Result<String, BodyError> {
    let shown = match resource {
        Resource::CreateCall => {
            let create = CreateCall::parse(body, version)?;
            let target = create.targets.first().and_then(|t| t.identity.first());
            format!("target {:?}, joins {}", target.map(|(kind, _)| kind), create.joins_meeting())
        }
        Resource::Act { action: Action::Answer, .. } => format!("{:?}", Answer::parse(body)?.media_config),
        Resource::Act { action: Action::Reject, .. } => format!("{:?}", Reject::parse(body)?.reason),
        Resource::Act { action: Action::PlayPrompt, .. } => {
            let play = PlayPrompt::parse(body, version)?;
            format!("{} prompts, {:?}", play.prompts.len(), play.client_context)
        }
        Resource::Act { action: Action::SendDtmfTones, .. } => format!("{:?}", SendDtmfTones::parse(body)?),
        Resource::Act { action: Action::RecordResponse | Action::Record, .. } => {
            format!("{:?}", RecordResponse::parse(body, version)?)
        }
        Resource::Act { .. } => format!("{:?}", ContextOnly::parse(body)?.client_context),
        _ => "-".to_owned(),
    };
    Ok(shown)
}

#[test]
fn captured_requests_arrive() {
    let mut seen = Vec::new();
    for (file, text) in FILES {
        let requests: Vec<Value> = serde_json::from_str(text).expect(file);
        for request in requests {
            let text = |name: &str| request[name].as_str().unwrap_or_default();
            let (method, target) = (text("method"), text("target"));
            let sent = match &request["body"] {
                Value::String(text) => text.clone(),
                json => json.to_string(),
            };
            let line = match parse(method, target) {
                Ok(route) => {
                    let body = body(&route.resource, route.version, sent.as_bytes());
                    let body = body.unwrap_or_else(|e| format!("REFUSED {e}"));
                    format!("{method} {target}\n    {:?}\n    {body}", route.resource)
                }
                Err(error) => format!("{method} {target}\n    {error}"),
            };
            if !seen.contains(&line) {
                seen.push(line);
            }
        }
    }
    expect_file!["captured/understood.txt"].assert_eq(&(seen.join("\n") + "\n"));
}
