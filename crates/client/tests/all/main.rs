//! The SDK against a scripted platform on loopback.

mod calls;
mod layer;
mod platform;
mod requests;
mod sign;
mod verification;
mod webhook;

/// Waits for what must come; a test of something lost fails instead of waiting for ever. The time
/// is far beyond any that is needed and decides nothing else.
async fn soon<F: IntoFuture>(what: F) -> F::Output {
    tokio::time::timeout(std::time::Duration::from_secs(20), what).await.expect("it never came")
}
