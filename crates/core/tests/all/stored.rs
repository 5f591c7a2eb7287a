//! The stored form: each event as it is written, and read back. A change seen here is a change of
//! [`Record::V`].

use expect_test::expect;
use ringback_core::{
    EndCause, Event, Input, PlayOutcome, Record, RecordOutcome, RecordResponse, RejectReason, Tone, operations_of,
};

use crate::world::*;

/// Every event once, from six lives: talked, redirected and rejected, placed and adopted, recorded, keys sent, met.
fn records() -> Vec<Record> {
    let talked = established().then([
        keep_alive(),
        subscribe(1),
        tone(Tone::Tone5),
        Input::PlayPrompt(ringback_core::PlayPrompt { client_context: Some("📞".to_owned()), ..prompts(2) }).into(),
        play(3),
        finished(2, PlayOutcome::Unavailable("404".to_owned())),
        hang_up(),
        leg_ended(EndCause::LocalHangUp),
    ]);
    let rejected = incoming().then([
        ask_redirected("https://other/calls"),
        Input::Reject { call: CALL, reason: RejectReason::Busy, callback: Some("https://third/calls".to_owned()) }
            .into(),
        leg_ended(EndCause::Declined(486)),
    ]);
    let adopted = placing().then([adopt(2)]);
    let recorded = established().then([
        Input::RecordResponse(RecordResponse {
            stop_tones: vec![Tone::Pound, Tone::Tone1],
            max_duration: Some(10),
            ..recording(1)
        })
        .into(),
        Input::RecordResponse(RecordResponse { prompts: vec![], prompt_optional: true, beep: false, ..recording(2) })
            .into(),
        recorded(1, RecordOutcome::StopTone),
        leg_ended(EndCause::FarHangUp),
        recorded(2, RecordOutcome::CutShort("the call ended".to_owned())),
    ]);
    let sent = established().then([send(1), finished(1, PlayOutcome::Played), send(2), hang_up()]);
    let met = met().then([phone_ended(0, EndCause::FarHangUp), hang_up()]);
    [talked, rejected, adopted, recorded, sent, met].iter().flat_map(Given::records).collect()
}

#[test]
fn the_stored_form() {
    let stored: Vec<String> = records().iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    expect![[r#"
        {"v":1,"at":1767225601000000,"events":[{"event":"callOffered","call":"00000000-0000-0000-0000-00000000ca11","leg":"00000000-0000-0000-0000-0000000001e6","app":"app","tenant":"tenant","callback":"https://bot/calls","source":{"kind":"user","id":"1001"},"target":{"kind":"application","id":"app"},"me":"00000000-0000-0000-0000-000000000b07","them":"00000000-0000-0000-0000-00000000face","until":1767225615000000}]}
        {"v":1,"at":1767225602000000,"events":[{"event":"callAnswered","call":"00000000-0000-0000-0000-00000000ca11","callback":"https://bot/calls","until":1767225634000000}]}
        {"v":1,"at":1767225603000000,"events":[{"event":"legAnswered","leg":"00000000-0000-0000-0000-0000000001e6","dialog":"dialog"},{"event":"callEstablished","call":"00000000-0000-0000-0000-00000000ca11"},{"event":"audioChanged","call":"00000000-0000-0000-0000-00000000ca11","active":true}]}
        {"v":1,"at":1767225604000000,"events":[{"event":"callKeptAlive","call":"00000000-0000-0000-0000-00000000ca11"}]}
        {"v":1,"at":1767225605000000,"events":[{"event":"operationStarted","call":"00000000-0000-0000-0000-00000000ca11","operation":{"id":"00000000-0000-0000-0000-0f0000000001","status":"completed","result":{"code":200,"subcode":0,"message":"Action completed successfully."},"kind":"subscribeToTone"}}]}
        {"v":1,"at":1767225606000000,"events":[{"event":"toneHeard","call":"00000000-0000-0000-0000-00000000ca11","sequence":1,"tone":"tone5"}]}
        {"v":1,"at":1767225607000000,"events":[{"event":"operationStarted","call":"00000000-0000-0000-0000-00000000ca11","operation":{"id":"00000000-0000-0000-0000-0f0000000002","clientContext":"📞","status":"running","kind":"playPrompt","prompts":[{"uri":"https://bot/2.wav"}],"repeat":"once"}}]}
        {"v":1,"at":1767225608000000,"events":[{"event":"operationStarted","call":"00000000-0000-0000-0000-00000000ca11","operation":{"id":"00000000-0000-0000-0000-0f0000000003","status":"notStarted","kind":"playPrompt","prompts":[{"uri":"https://bot/3.wav"}],"repeat":"once"}}]}
        {"v":1,"at":1767225609000000,"events":[{"event":"operationEnded","call":"00000000-0000-0000-0000-00000000ca11","operation":"00000000-0000-0000-0000-0f0000000002","status":"failed","result":{"code":400,"subcode":8536,"message":"Action failed, the audio file could not be downloaded: 404"}},{"event":"operationBegan","call":"00000000-0000-0000-0000-00000000ca11","operation":"00000000-0000-0000-0000-0f0000000003"}]}
        {"v":1,"at":1767225610000000,"events":[{"event":"callTerminating","call":"00000000-0000-0000-0000-00000000ca11"},{"event":"operationEnded","call":"00000000-0000-0000-0000-00000000ca11","operation":"00000000-0000-0000-0000-0f0000000003","status":"failed","result":{"code":400,"subcode":8508,"message":"Action failed, the operation was cancelled."}},{"event":"callTerminated","call":"00000000-0000-0000-0000-00000000ca11","result":{"code":200,"subcode":7000,"message":"The call was ended by the bot. DiagCode: 200#7000.@"}},{"event":"legReleased","leg":"00000000-0000-0000-0000-0000000001e6"}]}
        {"v":1,"at":1767225611000000,"events":[{"event":"legEnded","leg":"00000000-0000-0000-0000-0000000001e6","cause":"localHangUp"}]}
        {"v":1,"at":1767225601000000,"events":[{"event":"callOffered","call":"00000000-0000-0000-0000-00000000ca11","leg":"00000000-0000-0000-0000-0000000001e6","app":"app","tenant":"tenant","callback":"https://bot/calls","source":{"kind":"user","id":"1001"},"target":{"kind":"application","id":"app"},"me":"00000000-0000-0000-0000-000000000b07","them":"00000000-0000-0000-0000-00000000face","until":1767225615000000}]}
        {"v":1,"at":1767225602000000,"events":[{"event":"askRedirected","call":"00000000-0000-0000-0000-00000000ca11","callback":"https://other/calls"}]}
        {"v":1,"at":1767225603000000,"events":[{"event":"callbackChanged","call":"00000000-0000-0000-0000-00000000ca11","callback":"https://third/calls"},{"event":"callTerminated","call":"00000000-0000-0000-0000-00000000ca11","result":{"code":403,"subcode":0,"message":"The call was rejected by the bot. DiagCode: 403#0.@"}},{"event":"legReleased","leg":"00000000-0000-0000-0000-0000000001e6","decline":486}]}
        {"v":1,"at":1767225604000000,"events":[{"event":"legEnded","leg":"00000000-0000-0000-0000-0000000001e6","cause":{"declined":486}}]}
        {"v":1,"at":1767225601000000,"events":[{"event":"callPlaced","call":"00000000-0000-0000-0000-00000000ca11","leg":"00000000-0000-0000-0000-0000000001e6","app":"app","tenant":"tenant","callback":"https://bot/calls","source":{"kind":"application","id":"app"},"target":{"kind":"user","id":"1001"},"me":"00000000-0000-0000-0000-000000000b07","them":"00000000-0000-0000-0000-00000000face","until":1767225660000000}]}
        {"v":1,"at":1767225602000000,"events":[{"event":"adopted","epoch":2},{"event":"callTerminated","call":"00000000-0000-0000-0000-00000000ca11","result":{"code":500,"subcode":1005,"message":"The server was restarted during the call. DiagCode: 500#1005.@"}},{"event":"legEnded","leg":"00000000-0000-0000-0000-0000000001e6","cause":{"failed":"restart"}}]}
        {"v":1,"at":1767225601000000,"events":[{"event":"callOffered","call":"00000000-0000-0000-0000-00000000ca11","leg":"00000000-0000-0000-0000-0000000001e6","app":"app","tenant":"tenant","callback":"https://bot/calls","source":{"kind":"user","id":"1001"},"target":{"kind":"application","id":"app"},"me":"00000000-0000-0000-0000-000000000b07","them":"00000000-0000-0000-0000-00000000face","until":1767225615000000}]}
        {"v":1,"at":1767225602000000,"events":[{"event":"callAnswered","call":"00000000-0000-0000-0000-00000000ca11","callback":"https://bot/calls","until":1767225634000000}]}
        {"v":1,"at":1767225603000000,"events":[{"event":"legAnswered","leg":"00000000-0000-0000-0000-0000000001e6","dialog":"dialog"},{"event":"callEstablished","call":"00000000-0000-0000-0000-00000000ca11"},{"event":"audioChanged","call":"00000000-0000-0000-0000-00000000ca11","active":true}]}
        {"v":1,"at":1767225604000000,"events":[{"event":"operationStarted","call":"00000000-0000-0000-0000-00000000ca11","operation":{"id":"00000000-0000-0000-0000-0f0000000001","status":"running","kind":"recordResponse","prompt":{"uri":"https://bot/1.wav"},"beep":true,"initialSilence":5,"maxSilence":5,"maxDuration":10,"stopTones":["pound","tone1"],"location":"https://ringback/recordings/1"}}]}
        {"v":1,"at":1767225605000000,"events":[{"event":"operationStarted","call":"00000000-0000-0000-0000-00000000ca11","operation":{"id":"00000000-0000-0000-0000-0f0000000002","status":"notStarted","kind":"recordResponse","beep":false,"initialSilence":5,"maxSilence":5,"maxDuration":5,"location":"https://ringback/recordings/2"}}]}
        {"v":1,"at":1767225606000000,"events":[{"event":"operationEnded","call":"00000000-0000-0000-0000-00000000ca11","operation":"00000000-0000-0000-0000-0f0000000001","status":"completed","result":{"code":200,"subcode":8514,"message":"Action completed, stop tone detected."}},{"event":"operationBegan","call":"00000000-0000-0000-0000-00000000ca11","operation":"00000000-0000-0000-0000-0f0000000002"}]}
        {"v":1,"at":1767225607000000,"events":[{"event":"legEnded","leg":"00000000-0000-0000-0000-0000000001e6","cause":"farHangUp"},{"event":"callEnding","call":"00000000-0000-0000-0000-00000000ca11","result":{"code":200,"subcode":5002,"message":"The conversation has ended. DiagCode: 0#5002.@"},"until":1767225617000000}]}
        {"v":1,"at":1767225608000000,"events":[{"event":"operationEnded","call":"00000000-0000-0000-0000-00000000ca11","operation":"00000000-0000-0000-0000-0f0000000002","status":"completed","result":{"code":200,"subcode":8517,"message":"Action completed, what was recorded is kept: the call ended."}},{"event":"callTerminated","call":"00000000-0000-0000-0000-00000000ca11","result":{"code":200,"subcode":5002,"message":"The conversation has ended. DiagCode: 0#5002.@"}}]}
        {"v":1,"at":1767225601000000,"events":[{"event":"callOffered","call":"00000000-0000-0000-0000-00000000ca11","leg":"00000000-0000-0000-0000-0000000001e6","app":"app","tenant":"tenant","callback":"https://bot/calls","source":{"kind":"user","id":"1001"},"target":{"kind":"application","id":"app"},"me":"00000000-0000-0000-0000-000000000b07","them":"00000000-0000-0000-0000-00000000face","until":1767225615000000}]}
        {"v":1,"at":1767225602000000,"events":[{"event":"callAnswered","call":"00000000-0000-0000-0000-00000000ca11","callback":"https://bot/calls","until":1767225634000000}]}
        {"v":1,"at":1767225603000000,"events":[{"event":"legAnswered","leg":"00000000-0000-0000-0000-0000000001e6","dialog":"dialog"},{"event":"callEstablished","call":"00000000-0000-0000-0000-00000000ca11"},{"event":"audioChanged","call":"00000000-0000-0000-0000-00000000ca11","active":true}]}
        {"v":1,"at":1767225604000000,"events":[{"event":"operationStarted","call":"00000000-0000-0000-0000-00000000ca11","operation":{"id":"00000000-0000-0000-0000-0f0000000001","status":"running","kind":"sendDtmfTones","tones":["tone1","pound"],"delay":200}}]}
        {"v":1,"at":1767225605000000,"events":[{"event":"operationEnded","call":"00000000-0000-0000-0000-00000000ca11","operation":"00000000-0000-0000-0000-0f0000000001","status":"completed","result":{"code":200,"subcode":0,"message":"Action completed successfully."}}]}
        {"v":1,"at":1767225606000000,"events":[{"event":"operationStarted","call":"00000000-0000-0000-0000-00000000ca11","operation":{"id":"00000000-0000-0000-0000-0f0000000002","status":"running","kind":"sendDtmfTones","tones":["tone1","pound"],"delay":200}}]}
        {"v":1,"at":1767225607000000,"events":[{"event":"callTerminating","call":"00000000-0000-0000-0000-00000000ca11"},{"event":"operationEnded","call":"00000000-0000-0000-0000-00000000ca11","operation":"00000000-0000-0000-0000-0f0000000002","status":"completed","result":{"code":400,"subcode":8508,"message":"Action failed, the operation was cancelled."}},{"event":"callTerminated","call":"00000000-0000-0000-0000-00000000ca11","result":{"code":200,"subcode":7000,"message":"The call was ended by the bot. DiagCode: 200#7000.@"}},{"event":"legReleased","leg":"00000000-0000-0000-0000-0000000001e6"}]}
        {"v":1,"at":1767225601000000,"events":[{"event":"callPlaced","call":"00000000-0000-0000-0000-00000000ca11","leg":"00000000-0000-0000-0000-0000000001e6","app":"app","tenant":"tenant","callback":"https://bot/calls","source":{"kind":"application","id":"app"},"me":"00000000-0000-0000-0000-000000000b07","meeting":{"thread":"19:meeting@thread.v2","message":"0","info":{"joinMeetingId":{"id":"123 456","passcode":"psw"}}},"until":1767225660000000}]}
        {"v":1,"at":1767225602000000,"events":[{"event":"legAnswered","leg":"00000000-0000-0000-0000-0000000001e6","dialog":"dialog"},{"event":"callEstablished","call":"00000000-0000-0000-0000-00000000ca11"},{"event":"audioChanged","call":"00000000-0000-0000-0000-00000000ca11","active":true}]}
        {"v":1,"at":1767225603000000,"events":[{"event":"legAdmitted","leg":"00000000-0000-0000-0000-0000000001e7","call":"00000000-0000-0000-0000-00000000ca11","participant":"00000000-0000-0000-0000-0000face0000","identity":{"kind":"user","id":"1001"}}]}
        {"v":1,"at":1767225604000000,"events":[{"event":"legAnswered","leg":"00000000-0000-0000-0000-0000000001e7","dialog":"dialog1"},{"event":"rosterChanged","call":"00000000-0000-0000-0000-00000000ca11"}]}
        {"v":1,"at":1767225605000000,"events":[{"event":"legAdmitted","leg":"00000000-0000-0000-0000-0000000001e8","call":"00000000-0000-0000-0000-00000000ca11","participant":"00000000-0000-0000-0000-0000face0001","identity":{"kind":"user","id":"1002"}}]}
        {"v":1,"at":1767225606000000,"events":[{"event":"legAnswered","leg":"00000000-0000-0000-0000-0000000001e8","dialog":"dialog2"},{"event":"rosterChanged","call":"00000000-0000-0000-0000-00000000ca11"}]}
        {"v":1,"at":1767225607000000,"events":[{"event":"legEnded","leg":"00000000-0000-0000-0000-0000000001e7","cause":"farHangUp"},{"event":"rosterChanged","call":"00000000-0000-0000-0000-00000000ca11"}]}
        {"v":1,"at":1767225608000000,"events":[{"event":"callTerminating","call":"00000000-0000-0000-0000-00000000ca11"},{"event":"callTerminated","call":"00000000-0000-0000-0000-00000000ca11","result":{"code":200,"subcode":7000,"message":"The call was ended by the bot. DiagCode: 200#7000.@"}},{"event":"legReleased","leg":"00000000-0000-0000-0000-0000000001e6"},{"event":"legReleased","leg":"00000000-0000-0000-0000-0000000001e8"}]}"#]].assert_eq(&stored.join("\n"));
}

#[test]
fn what_is_stored_is_read_back() {
    for record in records() {
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }
}

#[test]
fn each_cause_and_each_key_is_read_back() {
    let causes = [
        EndCause::FarHangUp,
        EndCause::Cancelled,
        EndCause::Busy,
        EndCause::NoAnswer,
        EndCause::Unreachable,
        EndCause::Declined(488),
        EndCause::LocalHangUp,
        EndCause::MediaTimeout,
        EndCause::Failed("no \"port\" is free\n📞".to_owned()),
    ];
    let causes = causes.map(|cause| Event::LegEnded { leg: LEG, cause });
    let keys = [Tone::Tone0, Tone::Tone9, Tone::Star, Tone::Pound, Tone::A, Tone::D, Tone::Flash];
    let keys = keys.map(|tone| Event::ToneHeard { call: CALL, sequence: i64::MAX, tone });
    for event in causes.into_iter().chain(keys) {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

#[test]
fn operations_forgotten_by_the_state_are_read_from_the_log() {
    let records = established().then((1..=250).map(subscribe)).then([play(251)]).records();
    let operations = operations_of(CALL, records.iter().flat_map(|record| &record.events));
    let ids: Vec<_> = operations.iter().map(|operation| operation.id).collect();
    assert_eq!(ids, (1..=251).map(operation).collect::<Vec<_>>());
    assert_eq!(operations_of(STRANGER, records.iter().flat_map(|record| &record.events)), vec![]);
}
