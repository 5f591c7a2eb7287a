//! Every bound of what goes out: name, number and reason.

use std::time::Duration;

/// Looking a name up, connecting and the TLS handshake together. Longer than one lost SYN (1 s) and a second one (2 s).
pub const CONNECT_TIME: Duration = Duration::from_secs(5);
/// One address of several: leaves time for the next one.
pub const ADDRESS_TIME: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried. Every one is checked, however many there are.
pub const ADDRESSES_TRIED: usize = 4;
/// Writing a request and awaiting its answer (design §6, promise 6).
pub const ANSWER_TIME: Duration = Duration::from_secs(5);
/// What a webhook answers beside its head is read only to keep the connection, up to this size...
pub const ANSWER_BODY_BYTES: usize = 64 * 1024;
/// ... and for this long, off the lane: one public bot never finishes its answers.
pub const ANSWER_BODY_TIME: Duration = Duration::from_secs(2);
/// Head and read buffer of an answer; real ones are under 2 KiB.
pub const HEAD_BYTES: usize = 32 * 1024;
/// Fetching a prompt, redirects included: a caller waits in silence meanwhile.
pub const PROMPT_TIME: Duration = Duration::from_secs(10);
/// Redirects of a prompt: storage services need one or two.
pub const REDIRECTS: usize = 3;
/// Idle connections to one origin: as many as a busy bot has calls at the same instant.
pub const IDLE_PER_ORIGIN: usize = 128;
/// Idle connections in all: a quarter of the usual limit of 4096 open files.
pub const IDLE_TOTAL: usize = 1024;
/// An idle connection is closed after this time: below the 60 s of common proxies.
pub const IDLE_TIME: Duration = Duration::from_secs(50);
/// How often idle connections are looked through.
pub const SWEEP_TIME: Duration = Duration::from_secs(10);
/// A URL longer than this is refused (what browsers and servers commonly take).
pub const URL_BYTES: usize = 8 * 1024;
/// Answers read to their end off the lane, at once; beyond it their connections are closed instead.
pub const UNFINISHED_ANSWERS: usize = 256;
/// Prompts fetched at once; more wait, within their own time. A prompt is rarely above 1 MiB.
pub const FETCHES_AT_ONCE: usize = 256;
