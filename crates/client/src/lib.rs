//! The bot author's SDK for the calls API of Microsoft Graph, as Ringback serves it: typed calls
//! out ([`Graph`]), verified notifications in ([`Notifications`], [`VerifyLayer`], [`Verifier`]), and an operation
//! awaited whichever comes first, its answer or its notification ([`Calls`], [`Call`], [`OperationHandle`]).
//!
//! ```no_run
//! # async fn bot() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use ringback_client::{Calls, Config, Graph, Notifications, Webhook};
//!
//! let graph = Graph::new(Config::new("http://127.0.0.1:8480", "tenant", "app", "secret"))?;
//! let verifier = Arc::new(graph.verifier());
//! let notifications = Notifications::listen(([127, 0, 0, 1], 3978).into(), verifier, Webhook::default()).await?;
//! let calls = Calls::new(graph, notifications);
//! while let Some(call) = calls.incoming().await {
//!     call.answer("http://127.0.0.1:3978/callback").await?;
//!     call.established().await?;
//!     let op = call.play_prompt(["http://127.0.0.1:3978/welcome.wav"]).await?;
//!     op.finished().await?;
//!     call.hang_up().await?;
//! }
//! # Ok(()) }
//! ```
//!
//! What it must not know: how a platform works inside. It speaks the wire and nothing else.

mod action;
mod call;
mod calls;
mod config;
mod error;
mod follow;
mod graph;
mod http;
mod keys;
mod layer;
pub mod limits;
mod notifications;
mod operation;
mod seen;
mod token;
pub mod verify;
mod whichever;

pub use action::{Action, CancelMediaProcessing, PlayPrompt, RecordResponse, SendDtmfTones, SubscribeToTone, Verb};
pub use call::{Call, Tones};
pub use calls::{Calls, call_to};
pub use config::Config;
pub use error::{Error, GraphError};
pub use graph::Graph;
pub use keys::Keys;
pub use layer::{Verify, VerifyLayer};
pub use notifications::{Inlet, Notifications, Webhook};
pub use operation::OperationHandle;
/// The wire types that requests take and answers give.
pub use ringback_graph as wire;
pub use verify::Verifier;
