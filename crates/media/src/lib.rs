//! After the packet: RTP legs that play prompts and hear keys. Bytes of a WAV in, packets of 20 ms out.
//!
//! The room knows none of the others: no call, no SIP, no HTTP, no async. Inside are a pure session
//! ([`session`]), the plain threads that pace it ([`Media::start`]), and what both need; the pure parts are public, for
//! the scripted phones and the tests of others.

pub mod correlate;
pub mod detector;
pub mod g711;
pub mod g722;
pub mod jitter;
pub mod limits;
pub mod presses;
pub mod record;
pub mod rtcp;
pub mod rtp;
pub mod session;
pub mod tape;
pub mod telephone_event;
pub mod voice;
pub mod wav;

mod codec;
mod dtmf;
mod halfband;
mod hearing;
mod media;
mod mixer;
mod pace;
mod poll;
mod port;
mod prompt;
mod shard;
mod sine;
mod turn;
mod wire;

pub use codec::Codec;
pub use media::{Busy, LocalRtp, Media, MediaConfig, MediaSink, MixError, OpenError, RemoteRtp, Strays};
pub use port::Port;
pub use prompt::{Prompt, PromptError, resample};
pub use record::{RecordTerms, Recorder};
pub use session::{MediaEvent, Terms};
pub use sine::sine;
pub use tape::{TapeEnd, TapeIn, TapeOut, tape};
pub use telephone_event::Tone;

/// Names a leg; chosen by the caller.
pub type LegId = uuid::Uuid;

/// Names a play; chosen by the caller, who uses its operation's id.
pub type PlayId = uuid::Uuid;

/// How often a play's list of prompts is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// So many times; 0 is over at once.
    Times(u32),
    /// Until it is stopped.
    Forever,
}
