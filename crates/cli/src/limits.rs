//! Every bound of the program, with its reason.

use std::time::Duration;

/// Bytes of the longest answer of the server that is read whole: a page of calls has some hundred KiB, what a scripted phone
/// heard in ten minutes 10 MB.
pub(crate) const ANSWER_BYTES: usize = 64 << 20;
/// How long a bot that is called may take to answer: the 15 s that it is asked for, and what leads to them.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);

// `run`.

/// Connections that the proxy carries at once: more than a bot's HTTP clients keep open.
pub(crate) const CONNECTIONS: usize = 1_024;
/// Bytes of a request's head to the proxy: CONNECT, a host and some headers.
pub(crate) const HEAD: usize = 16 * 1024;
/// How long a client may take to send that head, and the proxy before us to answer ours.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(15);
/// How long the proxy waits for a connection to another host.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(30);
/// Pause after a connection could not be accepted: descriptors come back as others end.
pub(crate) const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// How long a server that may already run has to answer; one that is stopping does not.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(5);
/// How long another process that has the data folder has until its server answers, or is gone: on a slow machine a start
/// takes seconds.
pub(crate) const START_TIME: Duration = Duration::from_secs(15);
/// How long the server that was started for the bot takes to stop: the bot is gone, so only phones are waited for.
pub(crate) const STOP: Duration = Duration::from_secs(2);
/// Bytes of one file of certificates that a variable names: a system's bundle has some 300 KiB.
pub(crate) const CERTIFICATES: u64 = 8 << 20;
/// Files of a folder of certificates that are read: a system has some 300 of them.
pub(crate) const CERTIFICATE_FILES: usize = 2_048;
/// Bytes of a bot's own file of settings, or of its program: larger ones are something else.
pub(crate) const SETTINGS: u64 = 1 << 20;
/// Words of the bot's command lines that may name its program: more than any has but a JVM's.
pub(crate) const WORDS: usize = 1_000;
/// How long a bot may take to answer a question at one path.
pub(crate) const PROBE: Duration = Duration::from_secs(3);
/// Looks before a port that said nothing is asked again: a second, in which a bot may have become ready.
pub(crate) const SILENT: u32 = 4;
/// They double until they are as many: a bot may log each question.
pub(crate) const SILENT_AT_MOST: u32 = 64;
/// How often it is looked what the bot does.
pub(crate) const LOOK: Duration = Duration::from_millis(250);
/// How often once it was found where it listens: whether it still does, and which app it turned out to be. And how often
/// it is looked for processes that go past the hooks, which takes more than a look at what the hooks say.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// After this, a bot that does nothing that can be seen is told of: most listen or call within two seconds.
pub(crate) const QUIET: Duration = Duration::from_secs(10);
/// Different things that are said of one bot: after these, the timeline has more.
pub(crate) const SAID: usize = 100;
/// Bytes that the hooks may say.
pub(crate) const HOOKS_SAY: u64 = 1 << 20;

// `doctor`.

/// How long a single look may take: an answer on one machine or one network takes milliseconds.
pub(crate) const CHECK: Duration = Duration::from_secs(3);
/// A file of authorities larger than this is something else.
pub(crate) const BUNDLE_BYTES: u64 = 16 << 20;
