//! `phone call` and `trigger incoming`: a scripted phone of the running server calls a bot. All is done through the test
//! API (docs/TESTING.md), so it works with any server that the operator's token opens.

mod script;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Door;
use crate::door::Visitor;
use crate::show::line_of;
use crate::{Failure, limits};
use ringback_server::step::{self, Voice};
use script::{Script, Step};

/// What is said after Ctrl-C or a SIGTERM, which a supervisor sends.
const INTERRUPTED: &str = "interrupted; the phone has hung up";

/// What to do with a phone.
#[derive(Subcommand, Debug)]
pub(crate) enum Phone {
    /// Call a bot as a phone, and do what the options say: `--say hello.wav --press 12# --expect beep.wav`.
    Call(PhoneCall),
}

/// Options of `phone call`.
#[derive(clap::Args, Debug)]
pub(crate) struct PhoneCall {
    /// The number to call, or an app's id.
    number: String,
    #[command(flatten)]
    script: Script,
    /// The number to call from; a user's number calls as that user.
    #[arg(long = "as", value_name = "NUMBER")]
    caller: Option<String>,
    /// Seconds that each expectation listens.
    #[arg(long, default_value_t = 10.0, value_parser = within, value_name = "SECONDS")]
    within: f64,
    /// How alike an expected recording must be: 1 is the same up to loudness, 0 has nothing in common.
    #[arg(long, default_value_t = 0.8, value_parser = likeness, value_name = "0.1..1")]
    likeness: f64,
    /// What the phone speaks.
    #[arg(long, default_value = "PCMU", value_parser = Voice::NAMES)]
    codec: String,
    /// Where to keep what was heard, as a WAV file.
    #[arg(long, value_name = "FILE")]
    heard: Option<PathBuf>,
    #[command(flatten)]
    door: Door,
}

/// What to set off.
#[derive(Subcommand, Debug)]
pub(crate) enum Trigger {
    /// Have a phone call a bot, so that its webhook is told; says which call it is, and what the bot did.
    Incoming(Incoming),
}

/// Options of `trigger incoming`.
#[derive(clap::Args, Debug)]
pub(crate) struct Incoming {
    /// The app's id, or a number of it; without it, the only one there is, or the one heard of last.
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// The number to call from.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// Seconds that the phone stays on the line once it is answered.
    #[arg(long = "for", default_value_t = 5.0, value_parser = within, value_name = "SECONDS")]
    hold: f64,
    #[command(flatten)]
    door: Door,
}

/// A request to the phone.
struct Request {
    step: String,
    /// What it is about, for people.
    what: String,
    body: Bytes,
}

/// `phone …`
pub(crate) async fn phone(command: Phone, json: bool) -> Result<(), Failure> {
    let Phone::Call(call) = command;
    let requests = requests(&call)?;
    let visitor = Visitor::new(&call.door)?;
    let make = json!({ "number": call.caller, "codec": call.codec });
    with_phone(visitor, make, json, async |phone| {
        phone.take("call", &call.number, json!({ "to": call.number }).to_string()).await?;
        let played = play(phone, requests).await;
        match &call.heard {
            Some(file) if phone.was_up => played.and(phone.keep(file).await),
            _ => played,
        }
    })
    .await
}

/// The script, with its files read: what is wrong with it is said before anyone is called.
fn requests(call: &PhoneCall) -> Result<Vec<Request>, Failure> {
    let voice: Voice = call.codec.parse()?;
    let request = |step: &Step| -> Result<Request, Failure> {
        let bad = |error: &dyn Display| format!("--{step}: {error}");
        let read = |file: &Path| std::fs::read(file).map(Bytes::from).map_err(|error| bad(&error));
        let (name, body) = match step {
            Step::Say(file) => {
                let wav = read(file)?;
                step::said(&wav, voice).map_err(|error| bad(&error))?;
                ("say".to_owned(), wav)
            }
            Step::Press(keys) => {
                step::keys(keys).map_err(|error| bad(&error))?;
                ("press".to_owned(), json!({ "keys": keys }).to_string().into())
            }
            Step::Expect(file) => {
                let wav = read(file)?;
                step::expected(&wav, voice).map_err(|error| bad(&error))?;
                (format!("expect?within={}&likeness={}", call.within, call.likeness), wav)
            }
        };
        Ok(Request { step: name, what: step.what(), body })
    };
    if let Some(file) = &call.heard {
        // An empty parent is the current folder.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if file.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(format!("--heard {}: name a file in a folder that is there", file.display()).into());
        }
    }
    call.script.0.iter().map(request).collect()
}

/// Waits for the answer, takes the steps, hangs up.
async fn play(phone: &mut Handset, requests: Vec<Request>) -> Result<(), Failure> {
    phone
        .take("wait", "answered", json!({ "for": "answered", "within": limits::ANSWER.as_secs() }).to_string())
        .await?;
    phone.was_up = true;
    for Request { step, what, body } in requests {
        phone.take(&step, &what, body).await?;
    }
    phone.take("hang-up", "", "").await?;
    Ok(())
}

/// `trigger …`
pub(crate) async fn trigger(command: Trigger, json: bool) -> Result<(), Failure> {
    let Trigger::Incoming(incoming) = command;
    let visitor = Visitor::new(&incoming.door)?;
    with_phone(visitor, json!({ "number": incoming.from }), json, async |phone| {
        let to = incoming.app.as_deref();
        phone.take("call", to.unwrap_or("the only app"), json!({ "to": to }).to_string()).await?;
        let rung =
            phone.ask("wait", json!({ "for": "ringing", "within": limits::ANSWER.as_secs() }).to_string()).await?;
        if let Some(call) = rung["phone"]["call"].as_str() {
            phone.say(json!({ "call": call }), &format!("call {call}"));
        }
        let answered =
            phone.ask("wait", json!({ "for": "answered", "within": limits::ANSWER.as_secs() }).to_string()).await?;
        let status = answered["phone"]["ended"]["status"].as_u64();
        let why = answered["why"].as_str().unwrap_or("it rings on").to_owned();
        match (answered["ok"].as_bool(), status) {
            (Some(true), _) => phone.say(json!({ "bot": "answered" }), "the bot answered"),
            // A rejection is an answer too: busy, forbidden, none.
            (_, Some(486 | 403 | 603)) => {
                phone.say(json!({ "bot": "rejected", "status": status }), &why);
                return Ok(());
            }
            _ => return Err(why.into()),
        }
        let hold = json!({ "for": "ended", "within": incoming.hold }).to_string();
        if phone.ask("wait", hold).await?["ok"] == true {
            phone.say(json!({ "ended": "bot" }), "the bot hung up");
        } else {
            phone.take("hang-up", "", "").await?;
        }
        Ok(())
    })
    .await
}

/// Makes a phone, does something with it, and takes it away whatever came of that.
async fn with_phone(
    visitor: Visitor,
    make: Value,
    json: bool,
    what: impl AsyncFnOnce(&mut Handset) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let make = strip(make).to_string();
    let made = visitor.send(Method::POST, "test/phones", make).await?.unwrap_or_default();
    let id = made["id"].as_str().ok_or("the server made no phone")?.to_owned();
    let mut phone = Handset { visitor, path: format!("test/phones/{id}"), json, shown: None, was_up: false };
    let done = tokio::select! {
        done = what(&mut phone) => done,
        _ = tokio::signal::ctrl_c() => Err(INTERRUPTED.into()),
        _ = terminate.recv() => Err(INTERRUPTED.into()),
    };
    // A failure of the call says more than one of its end.
    let gone = phone.visitor.ask(Method::DELETE, &phone.path).await.map(drop);
    done.and(gone)
}

/// Without what was not said.
fn strip(mut body: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    body
}

/// The phone, from outside.
struct Handset {
    visitor: Visitor,
    path: String,
    json: bool,
    /// The last entry of its timeline that was shown.
    shown: Option<Value>,
    /// The call was answered, so something may have been heard.
    was_up: bool,
}

impl Handset {
    /// Takes a step and says what came of it; an error if it was in vain.
    async fn take(&mut self, step: &str, what: &str, body: impl Into<Bytes>) -> Result<Value, Failure> {
        let taken = self.ask(step, body).await?;
        let step = step.split('?').next().unwrap_or(step);
        let why = taken["why"].as_str();
        let likeness = taken["likeness"].as_f64();
        self.say(
            strip(json!({
                "step": step, "what": what, "ok": why.is_none(), "why": why,
                "likeness": likeness, "atSeconds": taken["atSeconds"], "call": taken["phone"]["call"],
            })),
            &match (why, likeness) {
                (Some(why), _) => format!("FAIL  {step} {what}: {why}"),
                (None, Some(likeness)) => format!("ok    {step} {what}: likeness {likeness:.2}"),
                (None, None) => format!("ok    {step} {what}").trim_end().to_owned(),
            },
        );
        match why {
            None => Ok(taken),
            Some(why) => {
                let call = taken["phone"]["call"].as_str();
                let more = call.map(|call| format!(" (more by `ringback explain --call {call}`)")).unwrap_or_default();
                Err(format!("{step} {what}: {why}{more}").into())
            }
        }
    }

    /// Takes a step, and shows what happened in the call meanwhile.
    async fn ask(&mut self, step: &str, body: impl Into<Bytes>) -> Result<Value, Failure> {
        let path = format!("{}/{step}", self.path);
        let taken = self.visitor.send(Method::POST, &path, body).await?.unwrap_or_default();
        self.show(&taken["phone"]["timeline"]);
        Ok(taken)
    }

    fn show(&mut self, timeline: &Value) {
        let entries = timeline.as_array().map(Vec::as_slice).unwrap_or_default();
        let known = entries.iter().rposition(|entry| Some(entry) == self.shown.as_ref()).map_or(0, |last| last + 1);
        for entry in &entries[known..] {
            self.say(entry.clone(), &format!("      {}", line_of(entry)));
        }
        self.shown = entries.last().cloned().or(self.shown.take());
    }

    fn say(&self, value: Value, text: &str) {
        if self.json {
            println!("{value}");
        } else {
            println!("{text}");
        }
    }

    /// Keeps what was heard.
    async fn keep(&self, file: &Path) -> Result<(), Failure> {
        let wav = self.visitor.fetch(&format!("{}/heard.wav", self.path)).await?;
        std::fs::write(file, wav).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(())
    }
}

fn likeness(text: &str) -> Result<f64, String> {
    let likeness = text.parse().ok().filter(|likeness| (0.1..=1.0).contains(likeness));
    likeness.ok_or_else(|| "a number from 0.1 to 1".to_owned())
}

fn within(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    if (0.0..=120.0).contains(&seconds) { Ok(seconds) } else { Err("0 to 120 seconds".to_owned()) }
}
