//! The judge of `bench latency`, in a process of its own: a SIP user agent, a bot and RTP sockets, all on one clock.
//! One call is measured at a time, from its INVITE to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use ringback_media::{RemoteRtp, Tone};
use ringback_server::directory as development;
use ringback_signal::phone::{Phone, PhoneCall};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::bot::{self, Account, Heard, Http, INCOMING, Sink, Told, percentile};
use super::calls::{self, PATIENCE, Sound};
use super::far_ends::FarEnds;
use super::process::Orders;
use crate::Failure;

/// Samples of the measured prompt at 16,000 Hz: 200 ms, ten packets.
const PROMPT: usize = 3_200;
/// Calls before the measured ones, so that connections, caches and the prompt are warm.
const WARM_UP: usize = 5;
/// After the notification of a prompt's end: its last packets have surely been read by then.
const SETTLE: Duration = Duration::from_millis(40);
/// Between two calls, a little different each time, so that no call keeps step with another's slots.
const PAUSE: Duration = Duration::from_millis(13);

/// Speaks with the parent over stdin and stdout.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut orders = Orders::open();
    let order = orders.next().await?;
    let number = |name: &str| order[name].as_u64().ok_or(format!("no {name}"));
    let (calls, beside) = (usize::try_from(number("calls")?)?, usize::try_from(number("beside")?)?);
    let sound = Sound::noise(PROMPT);
    // The last one is the measured call's.
    let far_ends = Arc::new(FarEnds::start(beside + 1, 0, sound.encoded, true)?);
    let sink = Arc::new(Sink::start(sound.wav).await?);
    let registrar = bot::text(&order, "sip")?.parse()?;
    let (crowd, caller) = (calls::phone(registrar).await?, calls::phone(registrar).await?);
    println!("{}", json!({ "webhook": sink.url(INCOMING), "caller": caller.local_addr() }));

    let account = Account::read(&orders.next().await?)?;
    let token = account.token().await?;
    let mut judge = Judge {
        http: Http::connect(&account.authority, &token).await?,
        mirror: Http::connect(&sink.address.to_string(), "").await?,
        incoming: sink.enter(INCOMING),
        sink: Arc::clone(&sink),
        far_ends: Arc::clone(&far_ends),
        end: beside,
        caller,
        turn: 0,
    };
    println!("{}", judge.measure(calls).await?);
    let playing = calls::place(beside, &account, &token, &sink, &crowd, &far_ends).await?;
    let mut figures = judge.measure(calls).await?;
    figures["calls_ended_beside"] = playing.iter().filter(|call| call.is_over()).count().into();
    println!("{figures}");
    orders.end().await
}

/// What one call took, step by step.
#[derive(Default)]
struct Times {
    incoming: Vec<Duration>,
    answer: Vec<Duration>,
    first_packet: Vec<Duration>,
    finished: Vec<Duration>,
    tone: Vec<Duration>,
    terminated: Vec<Duration>,
    floor_answer: Vec<Duration>,
    floor_webhook: Vec<Duration>,
}

struct Judge {
    http: Http,
    /// Leads to our own webhook: what hearing costs without a server.
    mirror: Http,
    incoming: mpsc::Receiver<Heard>,
    sink: Arc<Sink>,
    far_ends: Arc<FarEnds>,
    /// The far end of the measured call.
    end: usize,
    caller: Phone,
    turn: u64,
}

/// A measured call while it lives.
struct Measured {
    id: String,
    phone: PhoneCall,
    heard: mpsc::Receiver<Heard>,
}

impl Judge {
    async fn measure(&mut self, calls: usize) -> Result<Value, Failure> {
        for _ in 0..WARM_UP {
            self.one(&mut Times::default()).await?;
        }
        let mut times = Times::default();
        for _ in 0..calls {
            self.one(&mut times).await?;
        }
        let figure = |values: &mut Vec<Duration>| json!({ "p50": percentile(values, 0.50), "p99": percentile(values, 0.99), "worst": percentile(values, 1.0) });
        Ok(json!({
            "incoming_ms": figure(&mut times.incoming),
            "answer_ms": figure(&mut times.answer),
            "first_packet_ms": figure(&mut times.first_packet),
            "finished_ms": figure(&mut times.finished),
            "tone_ms": figure(&mut times.tone),
            "terminated_ms": figure(&mut times.terminated),
            "floor_answer_ms": figure(&mut times.floor_answer),
            "floor_webhook_ms": figure(&mut times.floor_webhook),
        }))
    }

    /// One call, and the judge's own floor.
    async fn one(&mut self, times: &mut Times) -> Result<(), Failure> {
        self.turn += 1;
        let mut call = self.ring(times).await?;
        self.play(&mut call, times).await?;
        self.press(&mut call, times).await?;
        self.far_ends.rest(self.end);
        let sent = Instant::now();
        call.phone.hang_up().await;
        times.terminated.push(call.wait(&Told::Terminated).await? - sent);
        self.floor(times).await?;
        tokio::time::sleep(PAUSE + Duration::from_micros(self.turn * 1_703 % 20_000)).await;
        Ok(())
    }

    /// INVITE → incoming call at the webhook; then it is answered.
    async fn ring(&mut self, times: &mut Times) -> Result<Measured, Failure> {
        let (caller, rtp) = (self.caller.clone(), self.far_ends.address(self.end));
        let sent = Instant::now();
        let dialled =
            tokio::spawn(
                async move { caller.dial_elsewhere(development::APP_NUMBERS[0], rtp).await?.answered().await },
            );
        let Heard { call: id, at, .. } = wait(&mut self.incoming, &Told::Incoming).await?;
        times.incoming.push(at - sent);
        let key = format!("measured-{}", self.turn);
        let heard = self.sink.enter(&key);
        let body = json!({
            "callbackUri": self.sink.url(&key),
            "acceptedModalities": ["audio"],
            "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        });
        let path = format!("/v1.0/communications/calls/{id}/answer");
        let (status, answer) = self.http.post(&path, body.to_string()).await?;
        if status != StatusCode::ACCEPTED {
            return Err(format!("not answered: {status} {}", String::from_utf8_lossy(&answer)).into());
        }
        let phone = timeout(PATIENCE, dialled).await???;
        let far: RemoteRtp = calls::far_end(&phone)?;
        self.far_ends.aim(self.end, far)?;
        let mut call = Measured { id, phone, heard };
        call.wait(&Told::AudioActive).await?;
        Ok(call)
    }

    /// playPrompt → its answer, → the first packet with sound; the last packet with sound → the notification.
    async fn play(&mut self, call: &mut Measured, times: &mut Times) -> Result<(), Failure> {
        let (path, body) =
            (format!("/v1.0/communications/calls/{}/playPrompt", call.id), calls::play(&self.sink, false));
        self.far_ends.listen(self.end);
        let sent = Instant::now();
        let (status, answer) = self.http.post(&path, body).await?;
        times.answer.push(sent.elapsed());
        let operation =
            bot::id_in(&answer).filter(|_| status == StatusCode::OK).ok_or(format!("not played: {status}"))?;
        let ended = call.wait(&Told::OperationEnded(operation)).await?;
        tokio::time::sleep(SETTLE).await;
        let (first, last) = self.far_ends.sound(self.end).ok_or("a prompt ended that was not heard")?;
        times.first_packet.push(first.saturating_duration_since(sent));
        times.finished.push(ended.saturating_duration_since(last));
        Ok(())
    }

    /// The packet that ends a key → the notification of its tone.
    async fn press(&mut self, call: &mut Measured, times: &mut Times) -> Result<(), Failure> {
        let path = format!("/v1.0/communications/calls/{}/subscribeToTone", call.id);
        let (status, answer) = self.http.post(&path, json!({ "clientContext": "bench" }).to_string()).await?;
        if !status.is_success() {
            return Err(format!("no tones: {status} {}", String::from_utf8_lossy(&answer)).into());
        }
        self.far_ends.press(self.end, Tone::Digit(5));
        let told = call.wait(&Told::Tone).await?;
        let released = self.far_ends.released(self.end).ok_or("a tone was told that was not sent")?;
        times.tone.push(told.saturating_duration_since(released));
        Ok(())
    }

    /// A post to our own webhook, as long as a notification: how late it is heard, and how late answered.
    async fn floor(&mut self, times: &mut Times) -> Result<(), Failure> {
        let mut heard = self.sink.enter("mirror");
        let body = "x".repeat(700);
        let sent = Instant::now();
        self.mirror.post("/mirror", body).await?;
        times.floor_answer.push(sent.elapsed());
        times.floor_webhook.push(wait(&mut heard, &Told::Else).await?.at - sent);
        Ok(())
    }
}

impl Measured {
    async fn wait(&mut self, wanted: &Told) -> Result<Instant, Failure> {
        Ok(wait(&mut self.heard, wanted).await?.at)
    }
}

async fn wait(heard: &mut mpsc::Receiver<Heard>, wanted: &Told) -> Result<Heard, Failure> {
    let waiting = async {
        loop {
            let heard = heard.recv().await.ok_or("the webhook ended")?;
            if heard.told == *wanted {
                return Ok(heard);
            }
        }
    };
    let late = |_| Failure::from(format!("the server did not tell of {wanted:?}"));
    timeout(PATIENCE, waiting).await.map_err(late)?
}
