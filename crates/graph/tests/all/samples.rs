//! Resources as the server would fill them, shared by the tests.

use ringback_graph::*;

pub(crate) const CALL: &str = "2e1a0b00-2db4-4022-9570-243709c565ab";
pub(crate) const OPERATION: &str = "0fe0623f-d628-42ed-b4bd-8ac290072cc5";

pub(crate) fn links(version: Version) -> Links<'static> {
    Links { public_url: "https://graph.example/", version }
}

pub(crate) fn call() -> Call<'static> {
    Call {
        id: Some(CALL.into()),
        state: Some(CallState::Establishing),
        direction: Some(CallDirection::Outgoing),
        callback_uri: Some("https://bot.contoso.com/callback".into()),
        call_chain_id: Some("d8217646-3110-40b1-8ae6-e9ac6c3a9a9f".into()),
        source: Some(ParticipantInfo {
            identity: IdentitySet::named(IdentityKind::Application, "2891", Some("Calling Bot")),
            ..ParticipantInfo::default()
        }),
        targets: vec![InvitationParticipantInfo {
            identity: IdentitySet::named(IdentityKind::User, "112f", Some("John")),
            replaces_call_id: None,
        }],
        requested_modalities: vec![Modality::Audio],
        media_config: Some(MediaConfig::service_hosted()),
        my_participant_id: Some("499f".into()),
        tenant_id: Some("aa67".into()),
        ..Call::default()
    }
}

pub(crate) fn done() -> ResultInfo<'static> {
    ResultInfo { code: 200, subcode: 0, message: Some("Action completed successfully.".into()) }
}

pub(crate) fn operation(kind: OperationKind, status: OperationStatus) -> CommsOperation<'static> {
    CommsOperation {
        id: OPERATION.into(),
        kind,
        status,
        client_context: Some("d45324c1-fcb5-430a-902c-f20af696537c".into()),
        result_info: None,
        completion_reason: None,
        prompts: Vec::new(),
        recording_location: None,
        recording_access_token: None,
    }
}

pub(crate) fn ended_recording() -> CommsOperation<'static> {
    CommsOperation {
        result_info: Some(ResultInfo {
            code: 200,
            subcode: 8514,
            message: Some("Action completed, stop tone detected.".into()),
        }),
        completion_reason: Some(CompletionReason::StopToneDetected),
        recording_location: Some("https://graph.example/recordings/0fe0".into()),
        recording_access_token: Some("5ea1".into()),
        ..operation(OperationKind::Record, OperationStatus::Completed)
    }
}

pub(crate) fn ended_prompt() -> CommsOperation<'static> {
    CommsOperation {
        result_info: Some(done()),
        completion_reason: Some(CompletionReason::CompletedSuccessfully),
        prompts: vec![MediaPrompt {
            media_info: MediaInfo { uri: "https://cdn.contoso.com/beep.wav".into(), resource_id: Some("1d6d".into()) },
            repeat: None,
        }],
        ..operation(OperationKind::PlayPrompt, OperationStatus::Completed)
    }
}

/// The JSON with its members on lines of their own, in the order printed.
pub(crate) fn pretty(json: &[u8]) -> String {
    // serde_json's `Value` would sort the members, so the text itself is broken into lines.
    let text = std::str::from_utf8(json).expect("UTF-8");
    let (mut shown, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    let line = |shown: &mut String, depth: usize| {
        shown.push('\n');
        shown.push_str(&"  ".repeat(depth));
    };
    for c in text.chars() {
        match c {
            '{' if !quoted => {
                depth += 1;
                shown.push(c);
                line(&mut shown, depth);
            }
            '}' if !quoted => {
                depth -= 1;
                line(&mut shown, depth);
                shown.push(c);
            }
            ',' if !quoted => {
                shown.push(c);
                line(&mut shown, depth);
            }
            _ => shown.push(c),
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    shown
}
