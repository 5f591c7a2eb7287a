//! Bodies of requests: what is understood, what is ignored, and how a mistake is named.

use expect_test::{Expect, expect};
use ringback_graph::path::Version::{Beta, V1};
use ringback_graph::*;

fn create(body: &str) -> Result<CreateCall<'static>, BodyError> {
    CreateCall::parse(body.as_bytes(), V1)
}

fn play(body: &str) -> Result<PlayPrompt<'static>, BodyError> {
    PlayPrompt::parse(body.as_bytes(), V1)
}

#[test]
fn a_call_as_the_documents_place_it() {
    let body = r##"{"@odata.type":"#microsoft.graph.call","callbackUri":"https://bot.contoso.com/callback",
        "targets":[{"@odata.type":"#microsoft.graph.invitationParticipantInfo","identity":{"@odata.type":"#microsoft.graph.identitySet",
        "user":{"@odata.type":"#microsoft.graph.identity","displayName":"John","id":"112f"}}}],
        "requestedModalities":["Audio"],"direction":"outgoing","id":"mine","state":"established","chat_info":null,
        "callOptions":{"@odata.type":"#microsoft.graph.outgoingCallOptions","isContentSharingNotificationEnabled":true},
        "mediaConfig":{"@odata.type":"microsoft.graph.SERVICEHOSTEDMediaConfig"},"ringingTimeoutInSeconds":30}"##;
    let call = create(body).expect("a call");
    assert_eq!(
        call,
        CreateCall {
            callback_uri: "https://bot.contoso.com/callback".into(),
            targets: vec![InvitationParticipantInfo {
                identity: IdentitySet::named(IdentityKind::User, "112f", Some("John")),
                replaces_call_id: None,
            }],
            source: None,
            subject: None,
            tenant_id: None,
            requested_modalities: vec![Modality::Audio],
            media_config: MediaConfig::service_hosted(),
            ringing_timeout_in_seconds: None,
            joins_meeting: false,
        }
    );
    let beta = CreateCall::parse(body.as_bytes(), Beta).expect("a call");
    assert_eq!(beta.ringing_timeout_in_seconds, Some(30));
}

#[test]
fn every_kind_of_target_is_understood() {
    for kind in IdentityKind::ALL {
        let kind_name = kind.as_str();
        let body = format!(
            r#"{{"callbackUri":"https://b","mediaConfig":{{}},
                "targets":[{{"identity":{{"user":null,"{kind_name}":{{"id":"x","tenantId":"t"}}}}}}]}}"#
        );
        let call = create(&body).expect(kind_name);
        let (found, identity) = call.targets[0].identity.first().expect(kind_name);
        assert_eq!((found, identity.id.as_deref(), identity.tenant_id.as_deref()), (*kind, Some("x"), Some("t")));
    }
}

#[test]
fn meetings_are_recognised_by_presence() {
    for member in [r#""meetingInfo":{"token":"t"}"#, r#""chatInfo":{}"#] {
        let body = format!(r#"{{"callbackUri":"https://b","mediaConfig":{{}},{member}}}"#);
        assert!(create(&body).expect(member).joins_meeting, "{member}");
    }
    let body = r#"{"callbackUri":"https://b","mediaConfig":{},"meetingInfo":null,"chatInfo":null}"#;
    assert!(!create(body).expect("a call").joins_meeting);
}

#[test]
fn media_without_a_type_is_told_by_its_members() {
    let table = [
        ("{}", MediaConfig::service_hosted()),
        (r##"{"@odata.type":"#microsoft.graph.serviceHostedMediaConfig","blob":"x"}"##, MediaConfig::service_hosted()),
        (r#"{"blob":"x"}"#, MediaConfig::AppHosted { blob: Some("x".into()) }),
        (r##"{"@odata.type":"#microsoft.graph.appHostedMediaConfig"}"##, MediaConfig::AppHosted { blob: None }),
        (
            r#"{"preFetchMedia":[{"uri":"u","resourceId":"r"}]}"#,
            MediaConfig::ServiceHosted {
                pre_fetch_media: vec![MediaInfo { uri: "u".into(), resource_id: Some("r".into()) }],
            },
        ),
    ];
    for (text, config) in table {
        let body = format!(r#"{{"mediaConfig":{text}}}"#);
        assert_eq!(Answer::parse(body.as_bytes()).expect(text).media_config, config, "{text}");
    }
}

#[test]
fn prompts_and_loops() {
    let body = r##"{"clientContext":"c","loop":true,"operationContext":7,"status":"failed","id":4,
        "prompts":[{"@odata.type":"#microsoft.graph.mediaPrompt","loop":3,"mediaInfo":{"uri":"u","resourceId":"r"}},
                   {"mediaInfo":{"uri":"v"}}]}"##;
    let first =
        |repeat| MediaPrompt { media_info: MediaInfo { uri: "u".into(), resource_id: Some("r".into()) }, repeat };
    let on_beta = PlayPrompt {
        prompts: vec![first(Some(3)), MediaPrompt::of("v")],
        repeat_forever: true,
        client_context: Some("c".into()),
    };
    let on_v1 =
        PlayPrompt { prompts: vec![first(None), MediaPrompt::of("v")], repeat_forever: false, ..on_beta.clone() };
    assert_eq!(PlayPrompt::parse(body.as_bytes(), Beta), Ok(on_beta));
    assert_eq!(play(body), Ok(on_v1));
    assert_eq!(play(r#"{"prompts":[],"loop":"v1.0 has none"}"#), Ok(PlayPrompt::default()));
}

#[test]
fn a_context_keeps_every_character() {
    for text in ["", " a\u{0}\t\"\\/ ", "\u{1F600}".repeat(129).as_str(), "e\u{301}\u{FEFF}\u{FFFF}", &"x".repeat(5000)]
    {
        let context = ContextOnly { client_context: Some(text.into()) };
        assert_eq!(ContextOnly::parse(&context.print()), Ok(context));
        let play = PlayPrompt { client_context: Some(text.into()), ..PlayPrompt::default() };
        assert_eq!(PlayPrompt::parse(&play.print(), V1), Ok(play));
    }
    let escaped = r#"{"clientContext":"\u00e4\uD83D\uDE00"}"#;
    let read = ContextOnly::parse(escaped.as_bytes()).expect("a context");
    assert_eq!(read.client_context.as_deref(), Some("ä\u{1F600}"));
}

#[test]
fn where_a_body_is_optional_there_need_not_be_one() {
    for body in ["", " \r\n", "{}", "null", "\u{FEFF}{}", r#"{"clientContext":null,"reason":null}"#] {
        assert_eq!(ContextOnly::parse(body.as_bytes()), Ok(ContextOnly::default()), "{body:?}");
        assert_eq!(Reject::parse(body.as_bytes()), Ok(Reject::default()), "{body:?}");
    }
    let reject = Reject::parse(br#"{"reason":"BUSY","callbackUri":"https://b"}"#).expect("a reject");
    assert_eq!(reject, Reject { reason: Some(RejectReason::Busy), callback_uri: Some("https://b".into()) });
}

fn check_error<T: std::fmt::Debug>(result: Result<T, BodyError>, message: Expect) {
    message.assert_eq(&result.expect_err("refused").to_string());
}

#[test]
fn mistakes_are_named_where_they_are() {
    check_error(
        create(""),
        expect!["'callbackUri' is missing: expected the https address for notifications of this call."],
    );
    check_error(create("[]"), expect!["'(body)' is wrong: expected a JSON object, found a list."]);
    check_error(
        create("{\"callbackUri\":\"https://b\","),
        expect!["The body is not valid JSON: EOF while parsing a value at line 1 column 27."],
    );
    check_error(
        create(r#"{"callbackUri":""}"#),
        expect!["'callbackUri' is missing: expected the https address for notifications of this call."],
    );
    check_error(
        create(r#"{"callbackUri":["https://b"]}"#),
        expect!["'callbackUri' is wrong: expected a string, found a list."],
    );
    check_error(
        create(r#"{"callbackUri":"https://b"}"#),
        expect![
            "'mediaConfig' is missing: expected an object of type #microsoft.graph.serviceHostedMediaConfig or #microsoft.graph.appHostedMediaConfig."
        ],
    );
    check_error(
        create(r#"{"callbackUri":"https://b","mediaConfig":{"@odata.type":"mediaConfig"}}"#),
        expect![
            "'mediaConfig' is wrong: expected an object of type #microsoft.graph.serviceHostedMediaConfig or #microsoft.graph.appHostedMediaConfig, found an object."
        ],
    );
    let with = |member: &str| create(&format!(r#"{{"callbackUri":"https://b","mediaConfig":{{}},{member}}}"#));
    check_error(with(r#""targets":{}"#), expect!["'targets' is wrong: expected a list, found an object."]);
    check_error(with(r#""targets":[null]"#), expect!["'targets[0]' is missing: expected an object with an identity."]);
    check_error(
        with(r#""targets":[{"identity":{"user":{"displayName":"x"}}}]"#),
        expect!["'targets[0].identity' is missing: expected an identity such as user or phone, with an id."],
    );
    check_error(
        with(r#""targets":[{"identity":{"phone":{"id":491234}}}]"#),
        expect!["'targets[0].identity.phone.id' is wrong: expected a string, found a number."],
    );
    check_error(
        with(r#""requestedModalities":["audio","smell"]"#),
        expect![
            "'requestedModalities[1]' is wrong: expected one of unknown, audio, video, videoBasedScreenSharing, data, found another word."
        ],
    );
    check_error(
        with(r#""requestedModalities":"audio""#),
        expect!["'requestedModalities' is wrong: expected a list, found a string."],
    );
    check_error(play("{}"), expect!["'prompts' is missing: expected a list of prompts."]);
    check_error(
        play(r#"{"prompts":[{"mediaInfo":{"uri":"u"}},{"mediaInfo":{"uri":5}}]}"#),
        expect!["'prompts[1].mediaInfo.uri' is wrong: expected a string, found a number."],
    );
    check_error(
        play(r#"{"prompts":[{"mediaInfo":{}}]}"#),
        expect!["'prompts[0].mediaInfo.uri' is missing: expected the address of a .wav file."],
    );
    check_error(
        play(r#"{"prompts":[{}]}"#),
        expect!["'prompts[0].mediaInfo' is missing: expected an object with a uri."],
    );
    check_error(
        play(r#"{"prompts":[{"@odata.type":"textPrompt"}]}"#),
        expect!["'prompts[0]' is wrong: expected an object of type #microsoft.graph.mediaPrompt, found an object."],
    );
    check_error(
        play(r#"{"prompts":["https://x/y.wav"]}"#),
        expect!["'prompts[0]' is wrong: expected an object, found a string."],
    );
    check_error(
        play(r#"{"prompts":[],"clientContext":5}"#),
        expect!["'clientContext' is wrong: expected a string, found a number."],
    );
    check_error(
        PlayPrompt::parse(br#"{"prompts":[],"loop":"yes"}"#, Beta),
        expect!["'loop' is wrong: expected true or false, found a string."],
    );
    check_error(
        PlayPrompt::parse(br#"{"prompts":[{"mediaInfo":{"uri":"u"},"loop":1.5}]}"#, Beta),
        expect!["'prompts[0].loop' is wrong: expected a whole number of 32 bits, found a fraction."],
    );
    check_error(
        PlayPrompt::parse(br#"{"prompts":[{"mediaInfo":{"uri":"u"},"loop":3000000000}]}"#, Beta),
        expect!["'prompts[0].loop' is wrong: expected a whole number of 32 bits, found a number."],
    );
    check_error(
        Answer::parse(b"{}"),
        expect![
            "'mediaConfig' is missing: expected an object of type #microsoft.graph.serviceHostedMediaConfig or #microsoft.graph.appHostedMediaConfig."
        ],
    );
    check_error(
        Answer::parse(br#"{"mediaConfig":{},"participantCapacity":{}}"#),
        expect!["'participantCapacity' is wrong: expected a whole number of 32 bits, found an object."],
    );
    check_error(
        Reject::parse(br#"{"reason":"tired"}"#),
        expect!["'reason' is wrong: expected one of none, busy, forbidden, found another word."],
    );
    check_error(
        ContextOnly::parse(br#"{"clientContext":"\uD83D"}"#),
        expect!["The body is not valid JSON: unexpected end of hex escape at line 1 column 25."],
    );
    check_error(
        ContextOnly::parse(b"{\"clientContext\":\"\xFF\"}"),
        expect!["The body is not valid JSON: invalid unicode code point at line 1 column 19."],
    );
}

#[test]
fn what_a_client_prints_the_server_reads() {
    let call = CreateCall {
        callback_uri: "https://bot.example/cb".into(),
        targets: vec![InvitationParticipantInfo {
            identity: IdentitySet::of(IdentityKind::Phone, "+4930123"),
            replaces_call_id: None,
        }],
        source: Some(ParticipantInfo {
            identity: IdentitySet::of(IdentityKind::ApplicationInstance, "a-1"),
            ..ParticipantInfo::default()
        }),
        subject: Some("subject".into()),
        tenant_id: Some("t-1".into()),
        requested_modalities: vec![Modality::Audio],
        media_config: MediaConfig::service_hosted(),
        ringing_timeout_in_seconds: Some(60),
        joins_meeting: false,
    };
    expect![[r##"{"@odata.type":"#microsoft.graph.call","callbackUri":"https://bot.example/cb","targets":[{"@odata.type":"#microsoft.graph.invitationParticipantInfo","identity":{"@odata.type":"#microsoft.graph.identitySet","phone":{"@odata.type":"#microsoft.graph.identity","id":"+4930123"}}}],"source":{"@odata.type":"#microsoft.graph.participantInfo","identity":{"@odata.type":"#microsoft.graph.identitySet","applicationInstance":{"@odata.type":"#microsoft.graph.identity","id":"a-1"}}},"subject":"subject","tenantId":"t-1","requestedModalities":["audio"],"mediaConfig":{"@odata.type":"#microsoft.graph.serviceHostedMediaConfig"},"ringingTimeoutInSeconds":60}"##]].assert_eq(std::str::from_utf8(&call.print()).expect("text"));
    assert_eq!(CreateCall::parse(&call.print(), Beta), Ok(call));

    let play = PlayPrompt {
        prompts: vec![MediaPrompt::of("https://cdn.contoso.com/beep.wav")],
        repeat_forever: true,
        client_context: Some("d453".into()),
    };
    expect![[r##"{"clientContext":"d453","prompts":[{"@odata.type":"#microsoft.graph.mediaPrompt","mediaInfo":{"@odata.type":"#microsoft.graph.mediaInfo","uri":"https://cdn.contoso.com/beep.wav"}}],"loop":true}"##]].assert_eq(std::str::from_utf8(&play.print()).expect("text"));
    assert_eq!(PlayPrompt::parse(&play.print(), Beta), Ok(play));

    let answer = Answer {
        callback_uri: Some("https://bot.example/cb".into()),
        accepted_modalities: vec![Modality::Audio],
        media_config: MediaConfig::service_hosted(),
        participant_capacity: None,
    };
    expect![[r##"{"callbackUri":"https://bot.example/cb","acceptedModalities":["audio"],"mediaConfig":{"@odata.type":"#microsoft.graph.serviceHostedMediaConfig"}}"##]].assert_eq(std::str::from_utf8(&answer.print()).expect("text"));
    assert_eq!(Answer::parse(&answer.print()), Ok(answer));

    let reject = Reject { reason: Some(RejectReason::Forbidden), callback_uri: None };
    expect![[r#"{"reason":"forbidden"}"#]].assert_eq(std::str::from_utf8(&reject.print()).expect("text"));
    assert_eq!(Reject::parse(&reject.print()), Ok(reject));
}
