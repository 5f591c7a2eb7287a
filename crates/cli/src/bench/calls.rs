//! Calls that play: the bot places them to one phone, whose RTP the far ends carry, and lets a prompt play on each
//! without end, all by the API. And the prompt itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use ringback_media::{Codec, RemoteRtp, g711, resample, wav};
use ringback_server::directory as development;
use ringback_signal::phone::{Phone, PhoneCall, PhoneConfig};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::bot::{Account, Http, Sink, Told};
use super::far_ends::FarEnds;
use crate::Failure;

/// What the legs speak: what every phone has, and what the judge can compare.
pub(super) const CODECS: &[Codec] = &[Codec::Pcmu];
/// How long one step of a call's beginning may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Calls placed at the same time: fewer than a phone lets ring.
const AT_ONCE: usize = 3;

/// A prompt and its bytes on the wire.
pub(super) struct Sound {
    pub(super) wav: Bytes,
    /// µ-law at 8,000 Hz.
    pub(super) encoded: Vec<u8>,
}

impl Sound {
    /// Noise, loud from its first sample to its last, the same in every run, of so many samples at 16,000 Hz.
    pub(super) fn noise(samples: usize) -> Sound {
        let mut seed = 0x2545_F491_4F6C_DD1Du64;
        let mut sample = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 48) as i16 / 3
        };
        let pcm: Vec<i16> = (0..samples).map(|_| sample()).collect();
        let mut encoded = Vec::new();
        g711::encode_ulaw(&resample(&pcm, 16_000, 8_000), &mut encoded);
        Sound { wav: wav::encode(16_000, &pcm).into(), encoded }
    }
}

/// A phone of the benchmark, which speaks to the server at this address.
pub(super) async fn phone(registrar: std::net::SocketAddr) -> Result<Phone, Failure> {
    let (_, login) = development::PHONES[0];
    let config = PhoneConfig {
        registrar,
        user: login.to_owned(),
        password: development::PHONE_PASSWORD.to_owned(),
        bind: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    let phone = Phone::start(config).await?;
    phone.speak(CODECS);
    Ok(phone)
}

/// Where the far end of a call is.
pub(super) fn far_end(call: &PhoneCall) -> Result<RemoteRtp, Failure> {
    Ok(call.far_end().ok_or("a call without audio")?)
}

/// The bot's request to play the prompt, once or without end (beta).
pub(super) fn play(sink: &Sink, for_ever: bool) -> String {
    let media = json!({ "uri": sink.url("prompt.wav"), "resourceId": "1d6de2d4-cd51-4309-8daa-70768651088e" });
    let mut body = json!({
        "clientContext": "bench",
        "prompts": [{ "@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": media }],
    });
    if for_ever {
        body["loop"] = true.into();
    }
    body.to_string()
}

/// Places calls on the first `count` far ends and has all of them play. The phone calls live as long as what is
/// returned.
pub(super) async fn place(
    count: usize,
    account: &Account,
    token: &str,
    sink: &Arc<Sink>,
    phone: &Phone,
    far_ends: &Arc<FarEnds>,
) -> Result<Vec<PhoneCall>, Failure> {
    phone.register().await?;
    let (up, mut all) = mpsc::channel(count.max(1));
    let (ringing, ends) = (phone.clone(), Arc::clone(far_ends));
    let picking_up = tokio::spawn(async move {
        for end in 0..count {
            let Ok(call) = ringing.ringing().await else { return };
            let (up, ends) = (up.clone(), Arc::clone(&ends));
            tokio::spawn(async move {
                let call = call.answer_elsewhere(ends.address(end)).await.map_err(Failure::from);
                let aimed = call.and_then(|call| {
                    ends.aim(end, far_end(&call)?)?;
                    Ok(call)
                });
                let _ = up.send(aimed).await;
            });
        }
    });
    let mut bots = Vec::new();
    for number in 0..AT_ONCE {
        let mine = count / AT_ONCE + usize::from(number < count % AT_ONCE);
        let bot = Bot { http: Http::connect(&account.authority, token).await?, sink: Arc::clone(sink), number };
        bots.push(tokio::spawn(bot.place(mine)));
    }
    for bot in bots {
        bot.await??;
    }
    let mut calls = Vec::new();
    for _ in 0..count {
        calls.push(timeout(PATIENCE, all.recv()).await?.ok_or("the phone stopped")??);
    }
    picking_up.await?;
    Ok(calls)
}

struct Bot {
    http: Http,
    sink: Arc<Sink>,
    number: usize,
}

impl Bot {
    async fn place(mut self, count: usize) -> Result<(), Failure> {
        for turn in 0..count {
            let key = format!("placed-{}-{turn}", self.number);
            let mut heard = self.sink.enter(&key);
            let body = json!({
                "callbackUri": self.sink.url(&key),
                "targets": [{ "identity": { "user": { "id": development::PHONES[0].0 } } }],
                "requestedModalities": ["audio"],
                "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
            });
            let (status, answer) = self.http.post("/v1.0/communications/calls", body.to_string()).await?;
            let answer: Value = serde_json::from_slice(&answer)?;
            let call = answer["id"].as_str().ok_or_else(|| format!("no call: {status} {answer}"))?.to_owned();
            loop {
                match timeout(PATIENCE, heard.recv()).await?.ok_or("the webhook ended")?.told {
                    Told::AudioActive => break,
                    Told::Terminated => return Err("a call ended before it played".into()),
                    _ => {}
                }
            }
            let path = format!("/beta/communications/calls/{call}/playPrompt");
            let (status, answer) = self.http.post(&path, play(&self.sink, true)).await?;
            if status != StatusCode::OK {
                return Err(format!("not played: {status} {}", String::from_utf8_lossy(&answer)).into());
            }
        }
        Ok(())
    }
}
