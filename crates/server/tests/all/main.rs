//! The whole server over its real sockets: bots over HTTP, phones over SIP and RTP, all on loopback.
//! Each test has a server, a data folder and a bot of its own.

mod browser;
mod console;
mod explained;
mod facts;
mod findings;
mod handed_over;
mod https;
mod identity;
mod journal;
mod lanes;
mod meetings;
mod metrics;
mod microsoft;
mod neighbours;
mod notified;
mod operator;
mod page_phone;
mod phones;
mod recordings;
mod recovery;
mod refused;
mod resent;
mod roles;
mod scripted;
mod slow;
mod spans;
mod starts;
mod traces;
mod trunks;
mod verbs;
mod web;
mod world;

use std::time::Duration;

/// No wait of a test is longer. The time is far beyond any that is needed and decides nothing else.
const PATIENCE: Duration = Duration::from_secs(40);

/// Waits for what must come; a test of something lost fails instead of waiting for ever.
async fn soon<F: IntoFuture>(what: F) -> F::Output {
    tokio::time::timeout(PATIENCE, what).await.expect("it never came")
}
