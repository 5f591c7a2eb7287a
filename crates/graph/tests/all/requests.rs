//! Bodies of requests: what is understood, what is ignored, and how a mistake is named.

use expect_test::expect;
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
            chat_info: None,
            meeting_info: None,
            join_web_url: None,
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
fn a_recording_as_the_documents_ask_for_it() {
    let body = r##"{"bargeInAllowed":true,"clientContext":"d453","prompts":[{"@odata.type":"#microsoft.graph.mediaPrompt",
        "mediaInfo":{"uri":"u","resourceId":"r"}}],"maxRecordDurationInSeconds":10,"initialSilenceTimeoutInSeconds":5,
        "maxSilenceTimeoutInSeconds":2,"playBeep":true,"streamWhileRecording":false,"stopTones":["#","1","*"]}"##;
    let read = RecordResponse::parse(body.as_bytes(), V1).expect("a recordResponse");
    let media_info = MediaInfo { uri: "u".into(), resource_id: Some("r".into()) };
    let expected = RecordResponse {
        prompts: vec![MediaPrompt { media_info, repeat: None }],
        barge_in_allowed: Some(true),
        initial_silence_timeout_in_seconds: Some(5),
        max_silence_timeout_in_seconds: Some(2),
        max_record_duration_in_seconds: Some(10),
        play_beep: Some(true),
        stop_tones: vec![Tone::Pound, Tone::Tone1, Tone::Star],
        client_context: Some("d453".into()),
    };
    assert_eq!(read, expected);
    // Every key by its character and by its word, in any case; each once.
    let keys = r##"{"stopTones":["0","9","a","D","TONE0","tone9","star","Pound","#","flash"]}"##;
    let keys = RecordResponse::parse(keys.as_bytes(), V1).expect("keys").stop_tones;
    assert_eq!(keys, [Tone::Tone0, Tone::Tone9, Tone::A, Tone::D, Tone::Star, Tone::Pound, Tone::Flash]);
    for tone in Tone::ALL {
        assert_eq!(Tone::of_key(tone.key()), Some(*tone));
    }
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

/// Every body with the words it is refused in.
fn refusals<T: std::fmt::Debug>(parse: impl Fn(&str) -> Result<T, BodyError>, bodies: &[&str]) -> String {
    let mut shown = String::new();
    for body in bodies {
        let error = parse(body).expect_err(body);
        shown += &format!("{body}\n    {error}\n");
    }
    shown
}

#[test]
fn mistakes_in_a_new_call_are_named_where_they_are() {
    let whole =
        ["", "[]", r#"{"callbackUri":"https://b","#, r#"{"callbackUri":""}"#, r#"{"callbackUri":["https://b"]}"#];
    let media = [
        r#"{"callbackUri":"https://b"}"#,
        r#"{"callbackUri":"https://b","mediaConfig":"serviceHostedMediaConfig"}"#,
        r#"{"callbackUri":"https://b","mediaConfig":{"@odata.type":"mediaConfig"}}"#,
    ];
    expect![[r#"

            'callbackUri' is missing: expected the https address for notifications of this call.
        []
            '(body)' is wrong: expected a JSON object, found a list.
        {"callbackUri":"https://b",
            The body is not valid JSON: EOF while parsing a value at line 1 column 27.
        {"callbackUri":""}
            'callbackUri' is missing: expected the https address for notifications of this call.
        {"callbackUri":["https://b"]}
            'callbackUri' is wrong: expected a string, found a list.
        {"callbackUri":"https://b"}
            'mediaConfig' is missing: expected an object of type #microsoft.graph.serviceHostedMediaConfig or #microsoft.graph.appHostedMediaConfig.
        {"callbackUri":"https://b","mediaConfig":"serviceHostedMediaConfig"}
            'mediaConfig' is wrong: expected an object, found a string.
        {"callbackUri":"https://b","mediaConfig":{"@odata.type":"mediaConfig"}}
            'mediaConfig' is wrong: expected an object of type #microsoft.graph.serviceHostedMediaConfig or #microsoft.graph.appHostedMediaConfig, found another type.
    "#]].assert_eq(&refusals(create, &[&whole[..], &media[..]].concat()));
    let with = |member: &str| create(&format!(r#"{{"callbackUri":"https://b","mediaConfig":{{}},{member}}}"#));
    let members = [
        r#""targets":{}"#,
        r#""targets":[null]"#,
        r#""targets":[{"identity":{"user":{"displayName":"x"}}}]"#,
        r#""targets":[{"identity":{"phone":{"id":491234}}}]"#,
        r#""requestedModalities":["audio","smell"]"#,
        r#""requestedModalities":"audio""#,
    ];
    expect![[r#"
        "targets":{}
            'targets' is wrong: expected a list, found an object.
        "targets":[null]
            'targets[0]' is missing: expected an object with an identity.
        "targets":[{"identity":{"user":{"displayName":"x"}}}]
            'targets[0].identity' is missing: expected an identity such as user or phone, with an id.
        "targets":[{"identity":{"phone":{"id":491234}}}]
            'targets[0].identity.phone.id' is wrong: expected a string, found a number.
        "requestedModalities":["audio","smell"]
            'requestedModalities[1]' is wrong: expected one of unknown, audio, video, videoBasedScreenSharing, data, found another word.
        "requestedModalities":"audio"
            'requestedModalities' is wrong: expected a list, found a string.
    "#]].assert_eq(&refusals(with, &members));
}

#[test]
fn mistakes_in_a_prompt_are_named_where_they_are() {
    let bodies = [
        "{}",
        r#"{"prompts":[{"mediaInfo":{"uri":"u"}},{"mediaInfo":{"uri":5}}]}"#,
        r#"{"prompts":[{"mediaInfo":{}}]}"#,
        r#"{"prompts":[{}]}"#,
        r#"{"prompts":[{"@odata.type":"textPrompt"}]}"#,
        r#"{"prompts":["https://x/y.wav"]}"#,
        r#"{"prompts":[],"clientContext":5}"#,
        r#"{"prompts":[],"loop":"yes"}"#,
        r#"{"prompts":[{"mediaInfo":{"uri":"u"},"loop":1.5}]}"#,
        r#"{"prompts":[{"mediaInfo":{"uri":"u"},"loop":3000000000}]}"#,
    ];
    expect![[r#"
        {}
            'prompts' is missing: expected a list of prompts.
        {"prompts":[{"mediaInfo":{"uri":"u"}},{"mediaInfo":{"uri":5}}]}
            'prompts[1].mediaInfo.uri' is wrong: expected a string, found a number.
        {"prompts":[{"mediaInfo":{}}]}
            'prompts[0].mediaInfo.uri' is missing: expected the address of a .wav file.
        {"prompts":[{}]}
            'prompts[0].mediaInfo' is missing: expected an object with a uri.
        {"prompts":[{"@odata.type":"textPrompt"}]}
            'prompts[0]' is wrong: expected an object of type #microsoft.graph.mediaPrompt, found another type.
        {"prompts":["https://x/y.wav"]}
            'prompts[0]' is wrong: expected an object, found a string.
        {"prompts":[],"clientContext":5}
            'clientContext' is wrong: expected a string, found a number.
        {"prompts":[],"loop":"yes"}
            'loop' is wrong: expected true or false, found a string.
        {"prompts":[{"mediaInfo":{"uri":"u"},"loop":1.5}]}
            'prompts[0].loop' is wrong: expected a whole number of 32 bits, found a fraction.
        {"prompts":[{"mediaInfo":{"uri":"u"},"loop":3000000000}]}
            'prompts[0].loop' is wrong: expected a whole number of 32 bits, found a number.
    "#]]
    .assert_eq(&refusals(|body| PlayPrompt::parse(body.as_bytes(), Beta), &bodies));
}

#[test]
fn mistakes_in_a_recording_are_named_where_they_are() {
    let bodies = [
        r#"{"prompts":"https://x/y.wav"}"#,
        r##"{"stopTones":"#"}"##,
        r##"{"stopTones":["#","12"]}"##,
        r#"{"stopTones":[""]}"#,
        r#"{"stopTones":[1]}"#,
        r#"{"playBeep":"maybe"}"#,
        r#"{"maxRecordDurationInSeconds":"ten"}"#,
        r#"{"maxSilenceTimeoutInSeconds":1.5}"#,
    ];
    expect![[r##"
        {"prompts":"https://x/y.wav"}
            'prompts' is wrong: expected a list, found a string.
        {"stopTones":"#"}
            'stopTones' is wrong: expected a list, found a string.
        {"stopTones":["#","12"]}
            'stopTones[1]' is wrong: expected one key as text: 0 to 9, *, #, or A to D, found a string.
        {"stopTones":[""]}
            'stopTones[0]' is wrong: expected one key as text: 0 to 9, *, #, or A to D, found a string.
        {"stopTones":[1]}
            'stopTones[0]' is wrong: expected a string, found a number.
        {"playBeep":"maybe"}
            'playBeep' is wrong: expected true or false, found a string.
        {"maxRecordDurationInSeconds":"ten"}
            'maxRecordDurationInSeconds' is wrong: expected a whole number of 32 bits, found a string.
        {"maxSilenceTimeoutInSeconds":1.5}
            'maxSilenceTimeoutInSeconds' is wrong: expected a whole number of 32 bits, found a fraction.
    "##]]
    .assert_eq(&refusals(|body| RecordResponse::parse(body.as_bytes(), Beta), &bodies));
}

#[test]
fn mistakes_in_other_bodies_are_named_where_they_are() {
    let answer = |body: &str| Answer::parse(body.as_bytes());
    let bodies = ["{}", r#"{"mediaConfig":{},"participantCapacity":{}}"#];
    expect![[r#"
        {}
            'mediaConfig' is missing: expected an object of type #microsoft.graph.serviceHostedMediaConfig or #microsoft.graph.appHostedMediaConfig.
        {"mediaConfig":{},"participantCapacity":{}}
            'participantCapacity' is wrong: expected a whole number of 32 bits, found an object.
    "#]].assert_eq(&refusals(answer, &bodies));
    let reject = |body: &str| Reject::parse(body.as_bytes());
    expect![[r#"
        {"reason":"tired"}
            'reason' is wrong: expected one of none, busy, forbidden, found another word.
        {"reason":7}
            'reason' is wrong: expected one of none, busy, forbidden, found a number.
    "#]]
    .assert_eq(&refusals(reject, &[r#"{"reason":"tired"}"#, r#"{"reason":7}"#]));
    let context = |body: &str| ContextOnly::parse(body.as_bytes());
    expect![[r#"
        {"clientContext":"\uD83D"}
            The body is not valid JSON: unexpected end of hex escape at line 1 column 25.
        5
            '(body)' is wrong: expected a JSON object, found a number.
        {]
            The body is not valid JSON: key must be a string at line 1 column 2.
    "#]]
    .assert_eq(&refusals(context, &[r#"{"clientContext":"\uD83D"}"#, "5", "{]"]));
    assert!(ContextOnly::parse(b"{\"clientContext\":\"\xFF\"}").is_err(), "not UTF-8");
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
        chat_info: None,
        meeting_info: None,
        join_web_url: None,
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

    let record = RecordResponse {
        prompts: vec![MediaPrompt::of("u")],
        play_beep: Some(false),
        max_record_duration_in_seconds: Some(10),
        stop_tones: vec![Tone::Pound, Tone::Flash],
        ..RecordResponse::default()
    };
    expect![[r##"{"prompts":[{"@odata.type":"#microsoft.graph.mediaPrompt","mediaInfo":{"@odata.type":"#microsoft.graph.mediaInfo","uri":"u"}}],"maxRecordDurationInSeconds":10,"playBeep":false,"stopTones":["#","flash"]}"##]].assert_eq(std::str::from_utf8(&record.print()).expect("text"));
    assert_eq!(RecordResponse::parse(&record.print(), V1), Ok(record));

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

#[test]
fn tones_are_words_or_tone_infos() {
    let send = |body: &str| SendDtmfTones::parse(body.as_bytes());
    let read = send(
        r##"{"tones":["tone1","STAR",{"@odata.type":"#microsoft.graph.toneInfo","sequenceId":1,"tone":"pound"}],
        "delayBetweenTonesMs":1000,"clientContext":"c","status":"failed"}"##,
    );
    let expected = SendDtmfTones {
        tones: vec![Tone::Tone1, Tone::Star, Tone::Pound],
        delay_between_tones_ms: Some(1_000),
        client_context: Some("c".into()),
    };
    assert_eq!(read.as_ref(), Ok(&expected));
    expect![[r#"{"clientContext":"c","tones":["tone1","star","pound"],"delayBetweenTonesMs":1000}"#]]
        .assert_eq(std::str::from_utf8(&expected.print()).expect("text"));
    assert_eq!(SendDtmfTones::parse(&expected.print()), Ok(expected));
    assert_eq!(send(r#"{"tones":[]}"#), Ok(SendDtmfTones::default()), "the machine counts");
    let bodies = [
        "{}",
        r#"{"tones":null}"#,
        r#"{"tones":"tone1"}"#,
        r#"{"tones":["tone1","11"]}"#,
        r#"{"tones":[null]}"#,
        r#"{"tones":[5]}"#,
        r#"{"tones":[{"tone":"loud"}]}"#,
        r#"{"tones":["a"],"delayBetweenTonesMs":"soon"}"#,
        r#"{"tones":["a"],"delayBetweenTonesMs":3000000000}"#,
    ];
    expect![[r#"
        {}
            'tones' is missing: expected a list of tones, such as tone1 or pound.
        {"tones":null}
            'tones' is missing: expected a list of tones, such as tone1 or pound.
        {"tones":"tone1"}
            'tones' is wrong: expected a list, found a string.
        {"tones":["tone1","11"]}
            'tones[1]' is wrong: expected one of tone0, tone1, tone2, tone3, tone4, tone5, tone6, tone7, tone8, tone9, star, pound, a, b, c, d, flash, found another word.
        {"tones":[null]}
            'tones[0]' is missing: expected a tone, such as tone1 or pound.
        {"tones":[5]}
            'tones[0]' is wrong: expected one of tone0, tone1, tone2, tone3, tone4, tone5, tone6, tone7, tone8, tone9, star, pound, a, b, c, d, flash, found a number.
        {"tones":[{"tone":"loud"}]}
            'tones[0].tone' is wrong: expected one of tone0, tone1, tone2, tone3, tone4, tone5, tone6, tone7, tone8, tone9, star, pound, a, b, c, d, flash, found another word.
        {"tones":["a"],"delayBetweenTonesMs":"soon"}
            'delayBetweenTonesMs' is wrong: expected a whole number of 32 bits, found a string.
        {"tones":["a"],"delayBetweenTonesMs":3000000000}
            'delayBetweenTonesMs' is wrong: expected a whole number of 32 bits, found a number.
    "#]].assert_eq(&refusals(send, &bodies));
}
