//! The server: where the rooms meet. It turns Graph requests into inputs of conversations, and recorded events into
//! audio, signalling and notifications.
//!
//! Nothing here decides what a call may do: that is `ringback-core`.

pub mod auth;
mod chats;
pub mod clock;
pub mod data_folder;
pub mod directory;
pub mod engine;
pub mod first_seen;
mod http;
pub mod limits;
mod meetings;
mod notify;
pub mod outbound;
mod phones;
mod recordings;
mod scripted;
mod server;
pub mod tls;
pub mod trace;
mod wire;

/// The machine's own limit for durable lifecycles, printed by benchmarks beside our figure.
pub use ringback_ledger::raw_limit::lifecycles_per_second as raw_log_lifecycles_per_second;
/// Checks a script before it is begun.
pub use scripted::step;
pub use server::{ADDRESS_FILE, Options, Server, StartError};
