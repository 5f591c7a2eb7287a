//! `bench`: measures, and prints the machine's own limit beside each figure. It judges nothing.

mod bare_sender;
mod bot;
mod calls;
mod far_ends;
mod latency;
mod latency_load;
mod lifecycle;
mod load;
mod media;
mod media_load;
mod process;
mod served;

use crate::Failure;
use crate::args::Bench;

/// Runs a benchmark.
pub(crate) async fn run(bench: Bench, json: bool) -> Result<(), Failure> {
    match bench {
        Bench::Lifecycle(options) => lifecycle::run(options, json).await,
        Bench::LifecycleLoad => load::run().await,
        Bench::Media(options) => media::run(options, json).await,
        Bench::MediaLoad => media_load::run().await,
        Bench::Latency(options) => latency::run(options, json).await,
        Bench::LatencyLoad => latency_load::run().await,
        Bench::BareSender => bare_sender::run().await,
    }
}
