//! The far ends of `bench media`, in a process of their own: a bot, a phone, and sockets whose packets the kernel stamps.

use std::sync::Arc;
use std::time::Duration;

use ringback_media::{Codec, RemoteRtp};
use serde_json::{Value, json};

use super::bot::{self, Account, Sink};
use super::calls::{self, Sound};
use super::far_ends::FarEnds;
use super::process::Orders;
use super::served::{round, round2};
use crate::Failure;

/// One leg in so many has its payloads compared.
const COMPARED_OF: usize = 100;
/// Samples of the prompt at 16,000 Hz: 2 s, and not a whole number of packets, so that the seam moves.
const PROMPT: usize = 31_990;
/// Before each measured time: packets on their way, caches, the first reports.
const WARM_UP: Duration = Duration::from_secs(1);

/// Speaks with the parent over stdin and stdout.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut orders = Orders::open();
    let order = orders.next().await?;
    let legs = usize::try_from(order["legs"].as_u64().ok_or("no legs")?)?;
    let sound = Sound::noise(PROMPT);
    let talks = order["one_way"] != true;
    let far_ends = Arc::new(FarEnds::start(legs, legs.div_ceil(COMPARED_OF), sound.encoded, talks)?);
    let sink = Arc::new(Sink::start(sound.wav).await?);
    let phone = calls::phone(bot::text(&order, "sip")?.parse()?).await?;
    println!("{}", json!({ "webhook": sink.url(bot::INCOMING) }));

    let account = Account::read(&orders.next().await?)?;
    let token = account.token().await?;
    let calls = calls::place(legs, &account, &token, &sink, &phone, &far_ends).await?;
    println!("{}", json!({ "up": true }));
    let mut figures = measure(&far_ends, legs, &orders.next().await?).await?;
    let (compared, different) = far_ends.compared();
    let over = calls.iter().filter(|call| call.is_over()).count();
    figures["packets_compared"] = compared.into();
    figures["packets_different"] = different.into();
    figures["calls_ended"] = over.into();
    figures["targets"] = (0..legs).map(|end| far_ends.address(end).to_string()).collect();
    println!("{figures}");

    let order = orders.next().await?;
    let addresses = order["addresses"].as_array().ok_or("no addresses")?;
    for (end, address) in addresses.iter().enumerate() {
        let addr = address.as_str().ok_or("no address")?.parse()?;
        let to =
            RemoteRtp { addr, codec: Codec::Pcmu, telephone_event: None, send: true, receive: true, any_source: false };
        far_ends.aim(end, to)?;
    }
    println!("{}", json!({ "aimed": true }));
    println!("{}", measure(&far_ends, legs, &orders.next().await?).await?);
    orders.end().await
}

/// Records for the time that was ordered, and tells when it begins and ends.
async fn measure(far_ends: &FarEnds, legs: usize, order: &Value) -> Result<Value, Failure> {
    let time = Duration::from_secs_f64(order["seconds"].as_f64().ok_or("no seconds")?);
    tokio::time::sleep(WARM_UP).await;
    let (rtp, rtcp) = far_ends.received();
    far_ends.record(true);
    println!("{}", json!({ "began": true }));
    tokio::time::sleep(time).await;
    println!("{}", json!({ "ended": true }));
    far_ends.record(false);
    let (rtp, rtcp) = (far_ends.received().0 - rtp, far_ends.received().1 - rtcp);
    let punctual = far_ends.punctuality(legs);
    Ok(json!({
        "seconds": round(time.as_secs_f64()),
        "within_5ms_percent": (punctual.within_5ms_percent() * 1e4).round() / 1e4,
        "late_packets": punctual.late,
        "lost_packets": punctual.lost,
        "worst_ms": round2(punctual.worst_ms),
        "packets_per_s": round(rtp as f64 / time.as_secs_f64()),
        "rtcp_packets": rtcp,
    }))
}
