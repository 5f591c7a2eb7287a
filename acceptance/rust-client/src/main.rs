//! graph-rs-sdk as a program: it is told verbs, one JSON object a line, and replies to each with one.
//!
//! The first line it is told is the setting; its own first line says who it is. A reply is `{value}`, or `{refusal}`
//! for an answer that the SDK read as an error of Graph's, or `{broken}` for anything else.

use graph_rs_sdk::http::{ResponseBlockingExt, Url};
use graph_rs_sdk::{GraphClient, GraphClientConfiguration, ODataQuery};
use serde_json::{Value, json};
use std::error::Error;
use std::io;

/// What a program can do with this SDK. It has no sendDtmfTones.
const VERBS: &[&str] = &[
    "createCall",
    "listCalls",
    "getCall",
    "updateCall",
    "hangUp",
    "listOperations",
    "pageOperations",
    "getOperation",
    "deleteOperation",
    "answer",
    "reject",
    "keepAlive",
    "playPrompt",
    "recordResponse",
    "subscribeToTone",
    "cancelMediaProcessing",
    "redirect",
    "transfer",
    "mute",
    "unmute",
    "changeScreenSharingRole",
    "updateRecordingStatus",
    "addLargeGalleryView",
    "listParticipants",
    "getParticipant",
    "deleteParticipant",
    "invite",
    "muteParticipant",
    "startHoldMusic",
    "stopHoldMusic",
    "listAudioRoutingGroups",
    "createAudioRoutingGroup",
    "listContentSharingSessions",
    "logTeleconferenceDeviceQuality",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut lines = io::stdin().lines();
    let setting: Value = serde_json::from_str(&lines.next().ok_or("no setting")??)?;
    let client = client(&setting)?;
    println!("{}", json!({ "name": "graph-rs-sdk", "version": "v1.0", "verbs": VERBS }));
    for line in lines {
        let told: Value = serde_json::from_str(&line?)?;
        let reply = ask(&client, &told).unwrap_or_else(|error| json!({ "broken": error.to_string() }));
        println!("{reply}");
    }
    Ok(())
}

/// The SDK's client with a token. Its rustls trusts public authorities alone, so it is led to the plain listener, which
/// it allows with its feature `test-util`.
fn client(setting: &Value) -> Result<GraphClient, Box<dyn Error>> {
    let word = |name: &str| setting[name].as_str().ok_or_else(|| format!("the setting has no {name}"));
    let configuration = GraphClientConfiguration::new().access_token(word("token")?).https_only(false);
    let mut client = GraphClient::from(configuration);
    client.use_test_endpoint(&Url::parse(&format!("{}/v1.0", word("http")?))?);
    Ok(client)
}

fn ask(client: &GraphClient, told: &Value) -> Result<Value, Box<dyn Error>> {
    let verb = told["verb"].as_str().unwrap_or_default();
    let member = told["member"].as_str().unwrap_or_default();
    let body = &told["body"];
    let calls = client.communications().calls();
    let call = client.communications().call(told["call"].as_str().unwrap_or_default());
    if verb == "pageOperations" {
        let pages = call.list_operations().top("1").into_blocking().paging().json::<Value>()?;
        let pages = pages.iter().filter_map(|page| page.body().as_ref().ok()?["value"].as_array());
        let ids: Vec<&Value> = pages.flatten().map(|operation| &operation["id"]).collect();
        return Ok(json!({ "value": ids }));
    }
    let request = match verb {
        "createCall" => calls.create_calls(body),
        "listCalls" => calls.list_calls(),
        "logTeleconferenceDeviceQuality" => calls.log_teleconference_device_quality(body),
        "getCall" => call.get_calls(),
        "updateCall" => call.update_calls(body),
        "hangUp" => call.delete_calls(),
        "listOperations" => call.list_operations(),
        "getOperation" => call.get_operations(member),
        "deleteOperation" => call.delete_operations(member),
        "answer" => call.answer(body),
        "reject" => call.reject(body),
        "keepAlive" => call.keep_alive(),
        "playPrompt" => call.play_prompt(body),
        "recordResponse" => call.record_response(body),
        "subscribeToTone" => call.subscribe_to_tone(body),
        "cancelMediaProcessing" => call.cancel_media_processing(body),
        "redirect" => call.redirect(body),
        "transfer" => call.transfer(body),
        "mute" => call.mute(body),
        "unmute" => call.unmute(body),
        "changeScreenSharingRole" => call.change_screen_sharing_role(body),
        "updateRecordingStatus" => call.update_recording_status(body),
        "addLargeGalleryView" => call.add_large_gallery_view(body),
        "listParticipants" => call.list_participants(),
        "getParticipant" => call.get_participants(member),
        "deleteParticipant" => call.delete_participants(member),
        "invite" => call.invite(body),
        "muteParticipant" => call.mute_participants(member, body),
        "startHoldMusic" => call.start_hold_music(member, body),
        "stopHoldMusic" => call.stop_hold_music(member, body),
        "listAudioRoutingGroups" => call.list_audio_routing_groups(),
        "createAudioRoutingGroup" => call.create_audio_routing_groups(body),
        "listContentSharingSessions" => call.list_content_sharing_sessions(),
        _ => return Err(format!("the SDK has no {verb}").into()),
    };
    let response = request.into_blocking().send()?;
    let status = response.status();
    if !status.is_success() {
        let error = response.into_graph_error_message()?;
        let refusal = json!({ "status": status.as_u16(), "code": error.code_property(), "message": error.message() });
        return Ok(json!({ "refusal": refusal }));
    }
    let text = response.text()?;
    let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
    Ok(json!({ "value": value }))
}
