//! Notifications as real ones look, and read back.

use expect_test::{Expect, expect};
use ringback_graph::*;

use crate::samples::{CALL, OPERATION, call, ended_prompt, ended_recording, pretty};

fn check(notification: Notification<'static>, expected: Expect) {
    let printed = notification.print();
    expected.assert_eq(&pretty(&printed));
    assert_eq!(Notification::parse(&printed), Ok(vec![notification]));
}

fn changed(state: CallState) -> Call<'static> {
    Call { id: Some(CALL.into()), state: Some(state), ..Call::default() }
}

#[test]
fn n0_incoming() {
    let incoming = Call {
        id: Some(CALL.into()),
        state: Some(CallState::Incoming),
        direction: Some(CallDirection::Incoming),
        source: Some(ParticipantInfo {
            identity: IdentitySet::named(IdentityKind::Phone, "+4930123", None::<&str>),
            ..ParticipantInfo::default()
        }),
        targets: vec![InvitationParticipantInfo {
            identity: IdentitySet::named(IdentityKind::Application, "8a34", Some("Test BOT")),
            replaces_call_id: None,
        }],
        media_config: None,
        callback_uri: None,
        ..call()
    };
    check(
        Notification::incoming(CALL, incoming),
        expect![[r##"
        {
          "@odata.type":"#microsoft.graph.commsNotifications",
          "value":[{
            "@odata.type":"#microsoft.graph.commsNotification",
            "changeType":"created",
            "resource":"/app/calls/2e1a0b00-2db4-4022-9570-243709c565ab",
            "resourceUrl":"/communications/calls/2e1a0b00-2db4-4022-9570-243709c565ab",
            "resourceData":{
              "@odata.type":"#microsoft.graph.call",
              "state":"incoming",
              "direction":"incoming",
              "callChainId":"d8217646-3110-40b1-8ae6-e9ac6c3a9a9f",
              "source":{
                "@odata.type":"#microsoft.graph.participantInfo",
                "identity":{
                  "@odata.type":"#microsoft.graph.identitySet",
                  "phone":{
                    "@odata.type":"#microsoft.graph.identity",
                    "id":"+4930123"
                  }
                }
              },
              "targets":[{
                "@odata.type":"#microsoft.graph.invitationParticipantInfo",
                "identity":{
                  "@odata.type":"#microsoft.graph.identitySet",
                  "application":{
                    "@odata.type":"#microsoft.graph.identity",
                    "id":"8a34",
                    "displayName":"Test BOT"
                  }
                }
              }],
              "requestedModalities":["audio"],
              "myParticipantId":"499f",
              "tenantId":"aa67",
              "id":"2e1a0b00-2db4-4022-9570-243709c565ab"
            }
          }]
        }"##]],
    );
}

#[test]
fn n1_established() {
    let established = Call {
        direction: Some(CallDirection::Outgoing),
        call_chain_id: Some("d821".into()),
        media_state: Some(CallMediaState { audio: MediaState::Active }),
        ..changed(CallState::Established)
    };
    let callback_uri = Some("https://bot.contoso.com/callback".into());
    check(
        Notification { callback_uri, ..Notification::updated(CALL, established) },
        expect![[r##"
        {
          "@odata.type":"#microsoft.graph.commsNotifications",
          "value":[{
            "@odata.type":"#microsoft.graph.commsNotification",
            "changeType":"updated",
            "resource":"/app/calls/2e1a0b00-2db4-4022-9570-243709c565ab",
            "resourceUrl":"/communications/calls/2e1a0b00-2db4-4022-9570-243709c565ab",
            "callbackUri":"https://bot.contoso.com/callback",
            "resourceData":{
              "@odata.type":"#microsoft.graph.call",
              "state":"established",
              "direction":"outgoing",
              "callChainId":"d821",
              "mediaState":{
                "@odata.type":"#microsoft.graph.callMediaState",
                "audio":"active"
              },
              "id":"2e1a0b00-2db4-4022-9570-243709c565ab"
            }
          }]
        }"##]],
    );
}

#[test]
fn n2_terminated() {
    let message = "The conversation has ended. DiagCode: 0#5002.@";
    let over = Call {
        result_info: Some(ResultInfo { code: 200, subcode: 5002, message: Some(message.into()) }),
        termination_reason: Some("CallTerminated".into()),
        ..changed(CallState::Terminated)
    };
    check(
        Notification::terminated(CALL, over),
        expect![[r##"
        {
          "@odata.type":"#microsoft.graph.commsNotifications",
          "value":[{
            "@odata.type":"#microsoft.graph.commsNotification",
            "changeType":"deleted",
            "resource":"/app/calls/2e1a0b00-2db4-4022-9570-243709c565ab",
            "resourceUrl":"/communications/calls/2e1a0b00-2db4-4022-9570-243709c565ab",
            "resourceData":{
              "@odata.type":"#microsoft.graph.call",
              "state":"terminated",
              "resultInfo":{
                "@odata.type":"#microsoft.graph.resultInfo",
                "code":200,
                "subcode":5002,
                "message":"The conversation has ended. DiagCode: 0#5002.@"
              },
              "id":"2e1a0b00-2db4-4022-9570-243709c565ab",
              "terminationReason":"CallTerminated"
            }
          }]
        }"##]],
    );
}

#[test]
fn n3_roster() {
    let participant = |kind, who, id, stream| Participant {
        id,
        info: ParticipantInfo { identity: IdentitySet::of(kind, who), ..ParticipantInfo::default() },
        media_streams: vec![MediaStream::audio(stream)],
        ..Participant::default()
    };
    let all = vec![
        participant(IdentityKind::Application, "8a34", "p-1".into(), "1"),
        participant(IdentityKind::Phone, "+4930123", "p-2".into(), "2"),
    ];
    check(
        Notification::roster(CALL, all),
        expect![[r##"
        {
          "@odata.type":"#microsoft.graph.commsNotifications",
          "value":[{
            "@odata.type":"#microsoft.graph.commsNotification",
            "changeType":"updated",
            "resource":"/app/calls/2e1a0b00-2db4-4022-9570-243709c565ab/participants",
            "resourceUrl":"/communications/calls/2e1a0b00-2db4-4022-9570-243709c565ab/participants",
            "resourceData":[{
              "@odata.type":"#microsoft.graph.participant",
              "info":{
                "@odata.type":"#microsoft.graph.participantInfo",
                "identity":{
                  "@odata.type":"#microsoft.graph.identitySet",
                  "application":{
                    "@odata.type":"#microsoft.graph.identity",
                    "id":"8a34"
                  }
                }
              },
              "mediaStreams":[{
                "@odata.type":"#microsoft.graph.mediaStream",
                "mediaType":"audio",
                "label":"main-audio",
                "sourceId":"1",
                "direction":"sendReceive",
                "serverMuted":false
              }],
              "isMuted":false,
              "isInLobby":false,
              "id":"p-1"
            },
            {
              "@odata.type":"#microsoft.graph.participant",
              "info":{
                "@odata.type":"#microsoft.graph.participantInfo",
                "identity":{
                  "@odata.type":"#microsoft.graph.identitySet",
                  "phone":{
                    "@odata.type":"#microsoft.graph.identity",
                    "id":"+4930123"
                  }
                }
              },
              "mediaStreams":[{
                "@odata.type":"#microsoft.graph.mediaStream",
                "mediaType":"audio",
                "label":"main-audio",
                "sourceId":"2",
                "direction":"sendReceive",
                "serverMuted":false
              }],
              "isMuted":false,
              "isInLobby":false,
              "id":"p-2"
            }]
          }]
        }"##]],
    );
}

#[test]
fn n4_operation_ended() {
    check(
        Notification::operation_ended(CALL, ended_prompt()),
        expect![[r##"
        {
          "@odata.type":"#microsoft.graph.commsNotifications",
          "value":[{
            "@odata.type":"#microsoft.graph.commsNotification",
            "changeType":"deleted",
            "resource":"/app/calls/2e1a0b00-2db4-4022-9570-243709c565ab/operations/0fe0623f-d628-42ed-b4bd-8ac290072cc5",
            "resourceUrl":"/communications/calls/2e1a0b00-2db4-4022-9570-243709c565ab/operations/0fe0623f-d628-42ed-b4bd-8ac290072cc5",
            "resourceData":{
              "@odata.type":"#microsoft.graph.playPromptOperation",
              "prompts":[{
                "@odata.type":"#microsoft.graph.mediaPrompt",
                "mediaInfo":{
                  "@odata.type":"#microsoft.graph.mediaInfo",
                  "uri":"https://cdn.contoso.com/beep.wav",
                  "resourceId":"1d6d"
                }
              }],
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
            }
          }]
        }"##]],
    );
}

#[test]
fn n4_a_recording_that_ended() {
    check(
        Notification::operation_ended(CALL, ended_recording()),
        expect![[r##"
        {
          "@odata.type":"#microsoft.graph.commsNotifications",
          "value":[{
            "@odata.type":"#microsoft.graph.commsNotification",
            "changeType":"deleted",
            "resource":"/app/calls/2e1a0b00-2db4-4022-9570-243709c565ab/operations/0fe0623f-d628-42ed-b4bd-8ac290072cc5",
            "resourceUrl":"/communications/calls/2e1a0b00-2db4-4022-9570-243709c565ab/operations/0fe0623f-d628-42ed-b4bd-8ac290072cc5",
            "resourceData":{
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
            }
          }]
        }"##]],
    );
}

#[test]
fn n6_tone() {
    let tone =
        Call { tone_info: Some(ToneInfo { sequence_id: 1, tone: Tone::Tone1 }), ..changed(CallState::Established) };
    check(
        Notification::updated(CALL, tone),
        expect![[r##"
        {
          "@odata.type":"#microsoft.graph.commsNotifications",
          "value":[{
            "@odata.type":"#microsoft.graph.commsNotification",
            "changeType":"updated",
            "resource":"/app/calls/2e1a0b00-2db4-4022-9570-243709c565ab",
            "resourceUrl":"/communications/calls/2e1a0b00-2db4-4022-9570-243709c565ab",
            "resourceData":{
              "@odata.type":"#microsoft.graph.call",
              "state":"established",
              "toneInfo":{
                "@odata.type":"#microsoft.graph.toneInfo",
                "sequenceId":1,
                "tone":"tone1"
              },
              "id":"2e1a0b00-2db4-4022-9570-243709c565ab"
            }
          }]
        }"##]],
    );
}

#[test]
fn tones_are_in_the_order_of_their_events() {
    assert_eq!(Tone::ALL.len(), 17);
    assert_eq!(
        (Tone::ALL[9], Tone::ALL[10], Tone::ALL[11], Tone::ALL[12]),
        (Tone::Tone9, Tone::Star, Tone::Pound, Tone::A)
    );
}

#[test]
fn foreign_notifications_are_read() {
    // The documents' own: no id, no `resource`, ids without dashes, numbers as text.
    let body = br##"{"@odata.type":"#microsoft.graph.commsNotifications","value":[
      {"changeType":"Deleted","resourceUrl":"/communications/calls/57DAB8B1894C409AB240BD8BEAE78896",
       "resourceData":{"@odata.type":"#microsoft.graph.call","@odata.etag":"W/\"5445\"","state":"Terminated",
        "resultInfo":{"code":"200","subcode":"5001","message":"The conversation has ended."}}},
      {"changeType":"updated","resource":"app/calls/x/contentsharingsessions","resourceData":[{"id":"F7D9"}]},
      {"changeType":"deleted","resourceUrl":"communications/calls('X')"}]}"##;
    let error = Notification::parse(body).expect_err("the last one has no call");
    expect!["'value[2].resourceUrl' is wrong: expected /communications/calls/ and the id of a call, found a string."]
        .assert_eq(&error.to_string());

    let body = String::from_utf8_lossy(body).replace("calls('X')", "calls/X");
    let read = Notification::parse(body.as_bytes()).expect("three notifications");
    assert_eq!(read[0].call, "57dab8b1-894c-409a-b240-bd8beae78896");
    let ResourceData::Call(call) = &read[0].data else { panic!("a call: {read:?}") };
    assert_eq!(call.state, Some(CallState::Terminated));
    assert_eq!(call.result_info.as_ref().map(|r| (r.code, r.subcode)), Some((200, 5001)));
    assert_eq!(read[1].subject, Subject::Other("contentsharingsessions".into()));
    assert_eq!(read[2].data, ResourceData::Call(Box::default()));
}

#[test]
fn what_is_no_notification_is_refused() {
    let table = [
        ("", "'value' is missing: expected a list of notifications."),
        ("[]", "'(body)' is wrong: expected a JSON object, found a list."),
        (r#"{"value":[{}]}"#, "'value[0].resource' is missing: expected /communications/calls/ and the id of a call."),
        (
            r#"{"value":[{"resource":"/app/calls/x"}]}"#,
            "'value[0].changeType' is missing: expected the type of the change.",
        ),
        (
            r#"{"value":[{"resource":"/app/calls/x","changeType":"eaten"}]}"#,
            "'value[0].changeType' is wrong: expected one of created, updated, deleted, found another word.",
        ),
        (
            r#"{"value":[{"resource":"/app/calls/x/operations/y","changeType":"deleted","resourceData":{}}]}"#,
            "'value[0].resourceData.status' is missing: expected the status of the operation.",
        ),
    ];
    for (body, message) in table {
        let error = Notification::parse(body.as_bytes()).expect_err(body);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn both_addresses_name_the_operation() {
    let printed = Notification::operation_ended(CALL, ended_prompt()).print();
    let json: serde_json::Value = serde_json::from_slice(&printed).expect("JSON");
    let one = &json["value"][0];
    assert_eq!(one["resource"], format!("/app/calls/{CALL}/operations/{OPERATION}"));
    assert_eq!(one["resourceUrl"], format!("/communications/calls/{CALL}/operations/{OPERATION}"));
}
