//! Every bound of the program that is not one command's own, with its reason.

use std::time::Duration;

/// Bytes of the longest answer of the server that is read whole: a page of calls has some hundred KiB, what a scripted phone
/// heard in ten minutes 10 MB.
pub(crate) const ANSWER_BYTES: usize = 64 << 20;
/// How long a bot that is called may take to answer: the 15 s that it is asked for, and what leads to them.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);
