//! Every bound of this room, with its reason.

use core::ops::RangeInclusive;
use core::time::Duration;

/// Prompts in one playPrompt (`contract §2.6`).
pub const PROMPTS: usize = 20;
/// How often one prompt may be played in a row (beta's `mediaPrompt.loop`, which no page bounds); an hour of a file of half
/// a minute. For ever is playPrompt's own `loop`.
pub const PROMPT_TIMES: RangeInclusive<i32> = 0..=120;
/// Whole seconds of each of recordResponse's three times (`contract §2.10`).
pub const RECORD_SECONDS: RangeInclusive<i32> = 1..=120;
/// Each of them, where a bot names none (`contract §2.10`).
pub const RECORD_SECONDS_DEFAULT: u8 = 5;
/// How long a call that ended while something was recorded waits for the file: far longer than a healthy disk takes, and
/// what a bot can bear to wait for the end of a call.
pub const RECORDING_KEPT: Duration = Duration::from_secs(10);
/// Tones in one sendDtmfTones: five times the longest card number; a list without end would hold the call's queue.
pub const TONES: usize = 100;
/// Milliseconds between two tones of a sendDtmfTones, at most: 10 s is the longest that menus wait for a key.
pub const TONE_DELAY: u32 = 10_000;
/// Media operations open in one call; more is a bot in a loop, and each waits for those before it.
pub const OPEN_OPERATIONS: usize = 100;
/// Ended operations kept in memory per call; older ones are read from the log.
pub const ENDED_OPERATIONS: usize = 100;
/// UTF-16 code units of a clientContext (`S5`).
pub const CLIENT_CONTEXT_UNITS: usize = 256;
/// Characters of a prompt's or callback's URL; longer ones do not pass common proxies.
pub const URL_CHARS: usize = 2048;
/// Characters of a resultInfo's message: it is for a person to read.
pub const RESULT_MESSAGE_CHARS: usize = 400;
/// Phones in one meeting: mixed and encoded for each in one slot of 5 ms, they take half of it on a slow core.
pub const MEETING_PHONES: usize = 50;
/// Events of one conversation. A fold of this many takes well under a second.
pub const EVENTS: u64 = 200_000;
/// Room kept below [`EVENTS`] so that a full conversation can still end.
pub const EVENTS_HEADROOM: u64 = 1_000;
/// A bot must answer, reject or redirect within this time (`contract §2.3`).
pub const ASK: Duration = Duration::from_secs(15);
/// How often an incoming call's webhook may send it elsewhere; more is a loop.
pub const ASK_REDIRECTS: u32 = 5;
/// A call not kept alive for this long is ended (`contract §2.5`).
pub const KEEP_ALIVE: Duration = Duration::from_secs(45 * 60);
/// How long an outgoing call rings unless the bot says less (beta's maximum is 115 s, `contract §1.1`).
pub const RINGING: Duration = Duration::from_secs(60);
/// The longest ringing a bot may ask for (`contract §1.1`).
pub const RINGING_MAX: Duration = Duration::from_secs(115);
/// How long a caller may take to acknowledge our answer: 64·T1 (RFC 3261 §13.3.1.4).
pub const ACCEPTING: Duration = Duration::from_secs(32);
