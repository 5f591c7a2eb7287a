//! Before the packet: SIP phones and trunks, phones in web pages (WebRTC), the session descriptions they exchange, and a
//! scripted phone. Makes *legs*: connections to one far end, whose audio the media room carries.
//! Knows no bot, no conversation and no prompt.

mod credentials;
mod dialog;
mod digest;
pub mod limits;
pub mod phone;
mod registrar;
mod sdp;
mod session_timer;
mod sip;
mod sources;
mod upkeep;
mod webrtc;

pub use credentials::Login;
pub use digest::ha1;
pub use ringback_media::LegId;
pub use session_timer::SessionBounds;
pub use sip::{
    Destination, EndCause, Flow, Incoming, LegEvent, LegSink, Peer, Place, Sip, SipConfig, SipDirectory, SipError,
    Transport, Trunk, TrunkStatus,
};
pub use webrtc::{OfferError, WebRtc, WebRtcConfig};

/// The tracing directive without which the SIP library writes whole messages, credentials and
/// numbers included, at INFO. Must be part of every filter.
pub const QUIET_SIP_LIBRARY: &str = "rsipstack=warn";
