//! Answers as they are printed, member by member, and read back.

use expect_test::{Expect, expect};
use ringback_graph::time::Utc;
use ringback_graph::*;

use crate::samples::{CALL, OPERATION, call, done, ended_prompt, ended_recording, links, operation, pretty};

fn check(printed: &[u8], expected: Expect) {
    expected.assert_eq(&pretty(printed));
}

#[test]
fn a_created_call_shows_what_is_unset() {
    let printed = call().print(&links(Version::V1), CallForm::Created);
    check(
        &printed,
        expect![[r##"
        {
          "@odata.context":"https://graph.example/v1.0/$metadata#app/calls/$entity",
          "@odata.type":"#microsoft.graph.call",
          "state":"establishing",
          "direction":"outgoing",
          "callbackUri":"https://bot.contoso.com/callback",
          "callChainId":"d8217646-3110-40b1-8ae6-e9ac6c3a9a9f",
          "source":{
            "@odata.type":"#microsoft.graph.participantInfo",
            "identity":{
              "@odata.type":"#microsoft.graph.identitySet",
              "application":{
                "@odata.type":"#microsoft.graph.identity",
                "id":"2891",
                "displayName":"Calling Bot"
              }
            },
            "countryCode":null,
            "endpointType":null,
            "region":null,
            "languageId":null
          },
          "targets":[{
            "@odata.type":"#microsoft.graph.invitationParticipantInfo",
            "identity":{
              "@odata.type":"#microsoft.graph.identitySet",
              "user":{
                "@odata.type":"#microsoft.graph.identity",
                "id":"112f",
                "displayName":"John"
              }
            },
            "endpointType":null,
            "replacesCallId":null
          }],
          "requestedModalities":["audio"],
          "mediaConfig":{
            "@odata.type":"#microsoft.graph.serviceHostedMediaConfig",
            "preFetchMedia":[]
          },
          "mediaState":null,
          "myParticipantId":"499f",
          "tenantId":"aa67",
          "subject":null,
          "resultInfo":null,
          "toneInfo":null,
          "id":"2e1a0b00-2db4-4022-9570-243709c565ab",
          "chatInfo":null,
          "meetingInfo":null,
          "transcription":null,
          "incomingContext":null,
          "callRoutes":[]
        }"##]],
    );
    assert_eq!(Call::parse(&printed), Ok(call()));
}

#[test]
fn a_read_call_on_beta_has_betas_members() {
    let read = Call {
        state: Some(CallState::Established),
        media_state: Some(CallMediaState { audio: MediaState::Active }),
        active_modalities: vec![Modality::Audio],
        ringing_timeout_in_seconds: Some(60),
        ..call()
    };
    let printed = read.print(&links(Version::Beta), CallForm::Read);
    check(
        &printed,
        expect![[r##"
        {
          "@odata.context":"https://graph.example/beta/$metadata#app/calls/$entity",
          "@odata.type":"#microsoft.graph.call",
          "state":"established",
          "direction":"outgoing",
          "callbackUri":"https://bot.contoso.com/callback",
          "callChainId":"d8217646-3110-40b1-8ae6-e9ac6c3a9a9f",
          "source":{
            "@odata.type":"#microsoft.graph.participantInfo",
            "identity":{
              "@odata.type":"#microsoft.graph.identitySet",
              "application":{
                "@odata.type":"#microsoft.graph.identity",
                "id":"2891",
                "displayName":"Calling Bot"
              }
            },
            "countryCode":null,
            "endpointType":null,
            "region":null,
            "languageId":null
          },
          "targets":[{
            "@odata.type":"#microsoft.graph.invitationParticipantInfo",
            "identity":{
              "@odata.type":"#microsoft.graph.identitySet",
              "user":{
                "@odata.type":"#microsoft.graph.identity",
                "id":"112f",
                "displayName":"John"
              }
            },
            "endpointType":null,
            "replacesCallId":null
          }],
          "requestedModalities":["audio"],
          "mediaConfig":{
            "@odata.type":"#microsoft.graph.serviceHostedMediaConfig",
            "preFetchMedia":[]
          },
          "mediaState":{
            "@odata.type":"#microsoft.graph.callMediaState",
            "audio":"active"
          },
          "myParticipantId":"499f",
          "tenantId":"aa67",
          "subject":null,
          "resultInfo":null,
          "toneInfo":null,
          "id":"2e1a0b00-2db4-4022-9570-243709c565ab",
          "chatInfo":null,
          "meetingInfo":null,
          "transcription":null,
          "incomingContext":null,
          "callRoutes":[],
          "activeModalities":["audio"],
          "routingPolicies":[],
          "terminationReason":null,
          "ringingTimeoutInSeconds":60,
          "answeredBy":null,
          "meetingCapability":null
        }"##]],
    );
    assert_eq!(Call::parse(&printed), Ok(read));
}

#[test]
fn the_context_of_a_call_depends_on_form_and_version() {
    let context = |version, form| {
        let printed = Call::default().print(&links(version), form);
        let json: serde_json::Value = serde_json::from_slice(&printed).expect("JSON");
        json["@odata.context"].as_str().expect("a context").to_owned()
    };
    let base = "https://graph.example";
    assert_eq!(context(Version::V1, CallForm::Created), format!("{base}/v1.0/$metadata#app/calls/$entity"));
    assert_eq!(context(Version::V1, CallForm::Read), format!("{base}/v1.0/$metadata#communications/calls/$entity"));
    assert_eq!(context(Version::Beta, CallForm::Created), format!("{base}/beta/$metadata#app/calls/$entity"));
    assert_eq!(context(Version::Beta, CallForm::Read), format!("{base}/beta/$metadata#app/calls/$entity"));
}

#[test]
fn operations_in_answers() {
    let v1 = links(Version::V1);
    let running = operation(OperationKind::PlayPrompt, OperationStatus::Running);
    let printed = running.print(&v1, OperationForm::Action);
    check(
        &printed,
        expect![[r##"
        {
          "@odata.context":"https://graph.example/v1.0/$metadata#playPromptOperation",
          "@odata.type":"#microsoft.graph.playPromptOperation",
          "status":"running",
          "clientContext":"d45324c1-fcb5-430a-902c-f20af696537c",
          "resultInfo":null,
          "id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5"
        }"##]],
    );
    assert_eq!(CommsOperation::parse(&printed), Ok(running));

    let tones = CommsOperation {
        client_context: None,
        result_info: Some(done()),
        ..operation(OperationKind::SubscribeToTone, OperationStatus::Completed)
    };
    let printed = tones.print(&v1, OperationForm::Action);
    check(
        &printed,
        expect![[r##"
        {
          "@odata.context":"https://graph.example/v1.0/$metadata#subscribeToToneOperation",
          "@odata.type":"#microsoft.graph.subscribeToToneOperation",
          "status":"completed",
          "clientContext":null,
          "resultInfo":{
            "@odata.type":"#microsoft.graph.resultInfo",
            "code":200,
            "subcode":0,
            "message":"Action completed successfully."
          },
          "id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5"
        }"##]],
    );
    assert_eq!(CommsOperation::parse(&printed), Ok(tones));

    check(
        &ended_prompt().print(&v1, OperationForm::Read { call: CALL }),
        expect![[r##"
        {
          "@odata.context":"https://graph.example/v1.0/$metadata#communications/calls('2e1a0b00-2db4-4022-9570-243709c565ab')/operations/$entity",
          "@odata.type":"#microsoft.graph.playPromptOperation",
          "status":"completed",
          "clientContext":"d45324c1-fcb5-430a-902c-f20af696537c",
          "resultInfo":{
            "@odata.type":"#microsoft.graph.resultInfo",
            "code":200,
            "subcode":0,
            "message":"Action completed successfully."
          },
          "id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5"
        }"##]],
    );
    check(
        &ended_prompt().print(&links(Version::Beta), OperationForm::Read { call: CALL }),
        expect![[r##"
        {
          "@odata.context":"https://graph.example/beta/$metadata#communications/calls('2e1a0b00-2db4-4022-9570-243709c565ab')/operations/$entity",
          "@odata.type":"#microsoft.graph.playPromptOperation",
          "completionReason":"completedSuccessfully",
          "status":"completed",
          "clientContext":"d45324c1-fcb5-430a-902c-f20af696537c",
          "resultInfo":{
            "@odata.type":"#microsoft.graph.resultInfo",
            "code":200,
            "subcode":0,
            "message":"Action completed successfully."
          },
          "id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5"
        }"##]],
    );
}

#[test]
fn recordings_in_answers() {
    let running = operation(OperationKind::Record, OperationStatus::Running);
    let printed = running.print(&links(Version::V1), OperationForm::Action);
    check(
        &printed,
        expect![[r##"
        {
          "@odata.context":"https://graph.example/v1.0/$metadata#recordOperation",
          "@odata.type":"#microsoft.graph.recordOperation",
          "recordingLocation":null,
          "recordingAccessToken":null,
          "status":"running",
          "clientContext":"d45324c1-fcb5-430a-902c-f20af696537c",
          "resultInfo":null,
          "id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5"
        }"##]],
    );
    assert_eq!(CommsOperation::parse(&printed), Ok(running.clone()));
    check(
        &running.print(&links(Version::Beta), OperationForm::Action),
        expect![[r##"
        {
          "@odata.context":"https://graph.example/beta/$metadata#recordOperation",
          "@odata.type":"#microsoft.graph.recordOperation",
          "recordingLocation":null,
          "recordingAccessToken":null,
          "completionReason":null,
          "status":"running",
          "clientContext":"d45324c1-fcb5-430a-902c-f20af696537c",
          "resultInfo":null,
          "id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5"
        }"##]],
    );
    let printed = ended_recording().print(&links(Version::Beta), OperationForm::Read { call: CALL });
    check(
        &printed,
        expect![[r##"
        {
          "@odata.context":"https://graph.example/beta/$metadata#communications/calls('2e1a0b00-2db4-4022-9570-243709c565ab')/operations/$entity",
          "@odata.type":"#microsoft.graph.recordOperation",
          "recordingLocation":"https://graph.example/recordings/0fe0",
          "recordingAccessToken":"5ea1",
          "completionReason":"stopToneDetected",
          "status":"completed",
          "clientContext":"d45324c1-fcb5-430a-902c-f20af696537c",
          "resultInfo":{
            "@odata.type":"#microsoft.graph.resultInfo",
            "code":200,
            "subcode":8514,
            "message":"Action completed, stop tone detected."
          },
          "id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5"
        }"##]],
    );
    assert_eq!(CommsOperation::parse(&printed), Ok(ended_recording()));
}

#[test]
fn s10_no_member_of_an_operation_is_optional() {
    let v1 = links(Version::V1);
    for kind in OperationKind::ALL {
        for status in OperationStatus::ALL {
            for client_context in [None, Some("c".into())] {
                for result_info in [None, Some(done())] {
                    let operation = CommsOperation {
                        client_context: client_context.clone(),
                        result_info,
                        ..operation(*kind, *status)
                    };
                    let notified = Notification::operation_ended(CALL, operation.clone()).print();
                    let notified: serde_json::Value = serde_json::from_slice(&notified).expect("JSON");
                    let listed = print_operations(&v1, CALL, std::slice::from_ref(&operation), None);
                    let listed: serde_json::Value = serde_json::from_slice(&listed).expect("JSON");
                    let answered = operation.print(&v1, OperationForm::Action);
                    let answered: serde_json::Value = serde_json::from_slice(&answered).expect("JSON");
                    let places = [&notified["value"][0]["resourceData"], &listed["value"][0], &answered];
                    for place in places {
                        let members = ["@odata.type", "clientContext", "id", "resultInfo", "status"];
                        for name in members {
                            assert!(place.get(name).is_some(), "{name} in {place}");
                            assert_eq!(place[name], answered[name], "the same in every place (S2)");
                        }
                        assert_eq!(place["@odata.type"], format!("#microsoft.graph.{kind}"));
                        assert_eq!(place["resultInfo"].is_null(), operation.result_info.is_none());
                    }
                }
            }
        }
    }
}

#[test]
fn listings() {
    let v1 = links(Version::V1);
    check(
        &print_calls(&v1, &[], None),
        expect![[r#"
        {
          "@odata.context":"https://graph.example/v1.0/$metadata#communications/calls",
          "value":[]
        }"#]],
    );
    let next = v1.calls(&Page { top: Some(1), skip_token: Some("a b/ü".into()) });
    assert_eq!(next, "https://graph.example/v1.0/communications/calls?$top=1&$skiptoken=a%20b%2F%C3%BC");
    let printed = print_calls(&v1, &[call()], Some(&next));
    let read = Call::parse_list(&printed).expect("a list");
    assert_eq!(read, Collection { value: vec![call()], next_link: Some(next.clone().into()) });

    let target = next.strip_prefix("https://graph.example").expect("on this server");
    let page = Page { top: Some(1), skip_token: Some("a b/ü".into()) };
    assert_eq!(path::parse("GET", target).map(|r| r.resource), Ok(Resource::ListCalls { page }));

    let running = operation(OperationKind::PlayPrompt, OperationStatus::NotStarted);
    let printed = print_operations(&v1, CALL, std::slice::from_ref(&running), None);
    check(
        &printed,
        expect![[r##"
        {
          "@odata.context":"https://graph.example/v1.0/$metadata#communications/calls('2e1a0b00-2db4-4022-9570-243709c565ab')/operations",
          "value":[{
            "@odata.type":"#microsoft.graph.playPromptOperation",
            "status":"notStarted",
            "clientContext":"d45324c1-fcb5-430a-902c-f20af696537c",
            "resultInfo":null,
            "id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5"
          }]
        }"##]],
    );
    assert_eq!(CommsOperation::parse_list(&printed).expect("a list").value, [running]);
    let next = v1.operations(CALL, &Page { top: None, skip_token: Some("7".into()) });
    assert_eq!(next, format!("https://graph.example/v1.0/communications/calls/{CALL}/operations?$skiptoken=7"));
}

#[test]
fn locations() {
    let beta = Links { public_url: "http://127.0.0.1:8080", version: Version::Beta };
    assert_eq!(beta.call(CALL), format!("http://127.0.0.1:8080/beta/communications/calls/{CALL}"));
    let operation = format!("http://127.0.0.1:8080/beta/communications/calls/{CALL}/operations/{OPERATION}");
    assert_eq!(beta.operation(CALL, OPERATION), operation);
}

#[test]
fn errors() {
    let error = ErrorBody::new("8522", "Call not found.", Utc(1_620_278_800_123_456), "r-1", "c-1");
    let printed = error.print();
    check(
        &printed,
        expect![[r#"
        {
          "error":{
            "code":"8522",
            "message":"Call not found.",
            "innerError":{
              "date":"2021-05-06T05:26:40",
              "request-id":"r-1",
              "client-request-id":"c-1"
            }
          }
        }"#]],
    );
    assert_eq!(ErrorBody::parse(&printed), Ok(error));

    let others = ErrorBody::parse(br#"{"error":{"code":7503,"innererror":{"request-id":"r"}}}"#).expect("an error");
    assert_eq!(others.code, "7503");
    assert_eq!(others.request_id.as_deref(), Some("r"));
    for none in ["", "null", "<html>502</html>", "{}", r#"{"error":{}}"#, r#"{"error":"invalid_client"}"#] {
        assert!(ErrorBody::parse(none.as_bytes()).is_err(), "{none}");
    }
}

#[test]
fn a_client_reads_what_newer_services_send() {
    let call = Call::parse(
        br##"{"state":"unknownFutureValue","direction":null,"targets":null,"activeModalities":["audio","hologram"],
        "mediaConfig":{"@odata.type":"#microsoft.graph.newMediaConfig"},"mediaState":{"audio":"louder"},
        "resultInfo":{"code":"500","subCode":7700},"toneInfo":{"sequenceId":1,"tone":"tone99"}}"##,
    );
    let expected = Call {
        active_modalities: vec![Modality::Audio],
        result_info: Some(ResultInfo { code: 500, subcode: 7700, message: None }),
        ..Call::default()
    };
    assert_eq!(call, Ok(expected));
    let operation = CommsOperation::parse(
        br##"{"@odata.type":"#microsoft.graph.muteParticipantOperation","id":"x","status":"Running",
        "prompts":[{"@odata.type":"#microsoft.graph.textPrompt"}]}"##,
    )
    .expect("an operation");
    assert_eq!((operation.kind, operation.status), (OperationKind::Comms, OperationStatus::Running));
    assert!(CommsOperation::parse(b"").is_err());
}

#[test]
fn tones_tell_how_they_ended_in_both_versions() {
    let running = operation(OperationKind::SendDtmfTones, OperationStatus::Running);
    let cancelled = CommsOperation {
        result_info: Some(ResultInfo { code: 400, subcode: 8508, message: Some("cancelled".into()) }),
        completion_reason: Some(CompletionReason::MediaOperationCanceled),
        ..operation(OperationKind::SendDtmfTones, OperationStatus::Completed)
    };
    for version in [Version::V1, Version::Beta] {
        let printed = running.print(&links(version), OperationForm::Action);
        assert!(!pretty(&printed).contains("completionReason"), "not before it has ended");
        let printed = cancelled.print(&links(version), OperationForm::Read { call: CALL });
        assert_eq!(CommsOperation::parse(&printed).as_ref(), Ok(&cancelled));
    }
    check(
        &cancelled.print(&links(Version::V1), OperationForm::Action),
        expect![[r##"
        {
          "@odata.context":"https://graph.example/v1.0/$metadata#sendDtmfTonesOperation",
          "@odata.type":"#microsoft.graph.sendDtmfTonesOperation",
          "completionReason":"mediaOperationCanceled",
          "status":"completed",
          "clientContext":"d45324c1-fcb5-430a-902c-f20af696537c",
          "resultInfo":{
            "@odata.type":"#microsoft.graph.resultInfo",
            "code":400,
            "subcode":8508,
            "message":"cancelled"
          },
          "id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5"
        }"##]],
    );
}
