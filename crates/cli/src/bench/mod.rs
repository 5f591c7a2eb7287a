//! `bench`: measures, and prints the machine's own limit beside each figure. It judges nothing.

mod lifecycle;
mod load;
mod process;

use crate::Failure;
use crate::args::Bench;

/// Runs a benchmark.
pub(crate) async fn run(bench: Bench, json: bool) -> Result<(), Failure> {
    match bench {
        Bench::Lifecycle(options) => lifecycle::run(options, json).await,
        Bench::LifecycleLoad => load::run().await,
    }
}
