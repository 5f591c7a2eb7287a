//! The test API, `/_ringback/test/…` (docs/TESTING.md), for tests in any language: scripted phones, and faults of
//! notifications. Part of the operator's door.
//!
//! It must not know how a phone speaks SIP, nor how a recording is judged.

use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use ringback_core::AppId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::answer::{JSON, Reply};
use super::graph_api::call_id;
use super::refusals::Refused;
use crate::limits;
use crate::notify::{Fault, Kind, Lanes, TooMany};
use crate::scripted::{Await, Called, NewPhone, Outcome, ScriptError, ScriptedPhone, ScriptedPhones, Terms};

/// The body of a phone to be made.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Make {
    number: Option<String>,
    called: Option<WhenCalled>,
    codec: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum WhenCalled {
    Answer,
    Ring,
    Busy,
    Decline,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Call {
    to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    keys: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    #[serde(rename = "for")]
    what: Option<Reached>,
    keys: Option<String>,
    within: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Reached {
    Ringing,
    Answered,
    Ended,
}

/// The body of a fault.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MakeFault {
    fault: FaultName,
    delay_ms: Option<u64>,
    app: Option<String>,
    call: Option<String>,
    next: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum FaultName {
    Delay,
    Drop,
    Duplicate,
    Swap,
}

/// Carries out a request; `path` is what follows `/_ringback/test/`.
pub(super) async fn serve(
    phones: &ScriptedPhones,
    lanes: &Lanes,
    method: &Method,
    path: &str,
    query: &str,
    body: &Bytes,
) -> Result<Reply, Refused> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["phones"]) => {
            let phone = phones.make(read::<Make>(body)?.try_into()?).await?;
            Ok(json_reply(StatusCode::CREATED, &phone.print()))
        }
        ("GET", ["phones"]) => {
            let all: Vec<Value> = phones.all().iter().map(|phone| phone.print()).collect();
            Ok(json_reply(StatusCode::OK, &json!({ "value": all })))
        }
        ("GET", ["phones", id]) => Ok(json_reply(StatusCode::OK, &phones.get(id_of(id)?)?.print())),
        ("DELETE", ["phones", id]) => {
            phones.remove(id_of(id)?)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("GET", ["phones", id, "heard.wav"]) => match phones.get(id_of(id)?)?.heard() {
            Some(wav) => Ok(Reply::body(StatusCode::OK, "audio/wav", wav)),
            None => Err(Refused::new(StatusCode::NOT_FOUND, "itemNotFound", "The phone has had no call that was up.")),
        },
        ("POST", ["phones", id, step]) => {
            let phone = phones.get(id_of(id)?)?;
            let outcome = take(phones, &phone, step, query, body).await?;
            Ok(json_reply(StatusCode::OK, &print(&outcome, &phone)))
        }
        ("POST", ["faults"]) => {
            let fault = fault(needed(body)?)?;
            let printed = print_fault(&fault);
            lanes.faults().add(fault).map_err(|TooMany| too_many_faults())?;
            Ok(json_reply(StatusCode::CREATED, &printed))
        }
        ("GET", ["faults"]) => {
            let all: Vec<Value> = lanes.faults().all().iter().map(print_fault).collect();
            Ok(json_reply(StatusCode::OK, &json!({ "value": all })))
        }
        ("DELETE", ["faults"]) => {
            lanes.faults().clear();
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("DELETE", ["faults", id]) => {
            let removed = id.parse().is_ok_and(|id| lanes.faults().remove(id));
            if removed { Ok(Reply::empty(StatusCode::NO_CONTENT)) } else { Err(no_fault()) }
        }
        (_, ["faults", _]) => Err(Refused::only("DELETE")),
        (_, ["faults"]) => Err(Refused::only("DELETE, GET, POST")),
        (_, ["phones", rest @ ..]) => Err(Refused::only(match rest {
            [] => "GET, POST",
            [_] => "DELETE, GET",
            [_, "heard.wav"] => "GET",
            _ => "POST",
        })),
        _ => Err(Refused::new(StatusCode::NOT_FOUND, "itemNotFound", "There is nothing at this address.")),
    }
}

/// A fault, within its bounds.
fn fault(make: MakeFault) -> Result<Fault, Refused> {
    let kind = match (make.fault, make.delay_ms.map(Duration::from_millis)) {
        (FaultName::Delay, Some(delay)) if delay <= limits::FAULT_DELAY => Kind::Delay(delay),
        (FaultName::Drop, None) => Kind::Drop,
        (FaultName::Duplicate, None) => Kind::Duplicate,
        (FaultName::Swap, None) => Kind::Swap,
        _ => {
            let most = limits::FAULT_DELAY.as_millis();
            return Err(bad(&format!("`delay` needs `delayMs`, 0 to {most}; the others take none")));
        }
    };
    let next = make.next.unwrap_or(1);
    if !(1..=limits::FAULT_NOTICES).contains(&next) {
        return Err(bad(&format!("`next` is 1 to {}", limits::FAULT_NOTICES)));
    }
    let call = make.call.as_deref().map(call_id).transpose()?;
    Ok(Fault { id: Uuid::now_v7(), kind, app: make.app.as_deref().map(AppId::new), call, next })
}

fn print_fault(fault: &Fault) -> Value {
    let (kind, delay) = match fault.kind {
        Kind::Delay(delay) => ("delay", Some(delay.as_millis())),
        Kind::Drop => ("drop", None),
        Kind::Duplicate => ("duplicate", None),
        Kind::Swap => ("swap", None),
    };
    json!({
        "id": fault.id.to_string(),
        "fault": kind,
        "delayMs": delay.map(|delay| u64::try_from(delay).unwrap_or(u64::MAX)),
        "app": fault.app.as_ref().map(AppId::as_str),
        "call": fault.call.map(|call| call.to_string()),
        "next": fault.next,
    })
}

fn no_fault() -> Refused {
    let message = "No fault of this id waits; it may have met as many notifications as it was for.";
    Refused::new(StatusCode::NOT_FOUND, "itemNotFound", message)
}

fn too_many_faults() -> Refused {
    let message = format!("{} faults wait already, which is as many as may: delete them.", limits::FAULTS);
    Refused::new(StatusCode::TOO_MANY_REQUESTS, "activityLimitReached", message)
}

/// Takes one step with a phone.
async fn take(
    phones: &ScriptedPhones,
    phone: &ScriptedPhone,
    step: &str,
    query: &str,
    body: &Bytes,
) -> Result<Outcome, Refused> {
    Ok(match step {
        "call" => {
            let to = match read::<Call>(body)?.to {
                Some(to) => to,
                None => phones.only_app()?,
            };
            phone.call(&to).await?
        }
        "answer" => phone.answer().await?,
        "hang-up" => phone.hang_up().await?,
        "press" => phone.press(&needed::<Press>(body)?.keys).await?,
        "say" => phone.say(body).await?,
        "expect" => phone.expect(body, terms(query)?).await?,
        "wait" => {
            let wait: Wait = needed(body)?;
            let what = match (wait.what, wait.keys) {
                (Some(Reached::Ringing), None) => Await::Ringing,
                (Some(Reached::Answered), None) => Await::Answered,
                (Some(Reached::Ended), None) => Await::Ended,
                (None, Some(keys)) => Await::Keys(keys.to_ascii_uppercase()),
                _ => return Err(bad("say either `for` (ringing, answered or ended) or `keys`")),
            };
            phone.wait(what, seconds(wait.within)?).await?
        }
        _ => {
            let message = "There is no such step: call, answer, hang-up, press, say, expect and wait are there.";
            return Err(Refused::new(StatusCode::NOT_FOUND, "itemNotFound", message));
        }
    })
}

/// The terms of an expectation: `within`, in seconds, and `likeness`.
fn terms(query: &str) -> Result<Terms, Refused> {
    let (mut within, mut likeness) = (None, limits::SCRIPTED_LIKENESS);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let number = value.parse::<f64>().map_err(|_| bad(&format!("{name} is not a number")))?;
        match &*name {
            "within" => within = Some(number),
            "likeness" => likeness = number,
            _ => return Err(bad("only `within` and `likeness` may be asked for")),
        }
    }
    if !(0.1..=1.0).contains(&likeness) {
        return Err(bad("`likeness` is 0.1 to 1"));
    }
    Ok(Terms { within: seconds(within)?, likeness })
}

/// A wait, within its bounds.
fn seconds(within: Option<f64>) -> Result<Duration, Refused> {
    let Some(within) = within else { return Ok(limits::SCRIPTED_WAIT_UNSAID) };
    let most = limits::SCRIPTED_WAIT.as_secs();
    let is_fine = (0.0..=limits::SCRIPTED_WAIT.as_secs_f64()).contains(&within);
    if is_fine { Ok(Duration::from_secs_f64(within)) } else { Err(bad(&format!("`within` is 0 to {most} seconds"))) }
}

/// A body that may be left out.
fn read<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T, Refused> {
    if body.is_empty() { Ok(T::default()) } else { needed(body) }
}

fn needed<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| bad(&format!("the body is not the JSON that is wanted: {error}")))
}

fn bad(why: &str) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, "invalidRequest", format!("Nothing was done: {why}."))
}

fn id_of(id: &str) -> Result<Uuid, Refused> {
    id.parse().map_err(|_| ScriptError::NoPhone.into())
}

/// A step's answer: whether it was good, why not, and the phone as it is now.
fn print(outcome: &Outcome, phone: &ScriptedPhone) -> Value {
    let mut answer = json!({ "ok": outcome.why.is_none(), "why": outcome.why, "phone": phone.print() });
    if let Some((likeness, at)) = outcome.likeness {
        answer["likeness"] = json!((likeness * 1_000.0).round() / 1_000.0);
        answer["atSeconds"] = json!((at * 1_000.0).round() / 1_000.0);
    }
    answer
}

fn json_reply(status: StatusCode, value: &Value) -> Reply {
    Reply::body(status, JSON, value.to_string())
}

impl TryFrom<Make> for NewPhone {
    type Error = ScriptError;

    fn try_from(make: Make) -> Result<NewPhone, ScriptError> {
        Ok(NewPhone {
            number: make.number,
            called: match make.called {
                None | Some(WhenCalled::Answer) => Called::Answer,
                Some(WhenCalled::Ring) => Called::Ring,
                Some(WhenCalled::Busy) => Called::Busy,
                Some(WhenCalled::Decline) => Called::Decline,
            },
            voice: make.codec.as_deref().map(str::parse).transpose()?.unwrap_or_default(),
        })
    }
}

impl From<ScriptError> for Refused {
    fn from(error: ScriptError) -> Refused {
        let (status, code) = match &error {
            ScriptError::NoPhone => (StatusCode::NOT_FOUND, "itemNotFound"),
            ScriptError::Full | ScriptError::Busy => (StatusCode::TOO_MANY_REQUESTS, "activityLimitReached"),
            ScriptError::Taken | ScriptError::IsApp | ScriptError::HasCall => (StatusCode::CONFLICT, "notAllowed"),
            ScriptError::BadNumber
            | ScriptError::ToWhom
            | ScriptError::BadCodec
            | ScriptError::BadKeys
            | ScriptError::BadWav(_)
            | ScriptError::TooLong
            | ScriptError::Silent => (StatusCode::BAD_REQUEST, "invalidRequest"),
            ScriptError::Start(_) | ScriptError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable"),
        };
        Refused::new(status, code, error.to_string())
    }
}
