//! Every bound of this crate: a name, a number, its reason. Nothing else lives here.

use std::time::Duration;

/// A Graph answer of this surface is a call, an operation or a short list of them; 4 MiB holds a
/// list of a few thousand calls.
pub const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Pages of one listing that are read; the platform puts up to 500 things on each.
pub const PAGES: usize = 100;

/// A notification's body: a full roster of 1,000 participants at about 800 bytes each fits.
pub const NOTIFICATION_BYTES: usize = 1024 * 1024;

/// One request, connection included. The platform itself gives a webhook 5 s and an incoming
/// call 15 s; a bot that waits longer than this for an answer has lost the call anyway.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Making a TCP connection, part of [`REQUEST_TIME`].
pub const CONNECT_TIME: Duration = Duration::from_secs(5);

/// An idle pooled connection is dropped after this long, before usual servers and proxies (60 s)
/// drop it from their side.
pub const IDLE_TIME: Duration = Duration::from_secs(30);

/// How often a request answered 429 or 503 with `Retry-After` is sent again, as Microsoft's own
/// clients do (client-facts §1).
pub const RETRIES: u32 = 3;

/// The longest `Retry-After` that is waited for; a longer one is handed to the caller.
pub const RETRY_AFTER: Duration = Duration::from_secs(30);

/// A token is renewed this long before it ends, so that none ends on its way.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(300);

/// The longest lifetime believed of a token: a day, as Microsoft's longest-lived ones.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Notifications received and not yet taken. Full means 503 to the platform, which holds that
/// call's lane and repeats.
pub const NOTIFICATIONS: usize = 1024;

/// How long a notification waits for room in the channel before the platform is told 503; well
/// under the 5 s after which it would step over.
pub const ROOM_TIME: Duration = Duration::from_secs(2);

/// Message ids remembered to drop repeats: at 100 bytes each under 1 MiB, and minutes of traffic.
pub const SEEN_MESSAGES: usize = 8192;

/// A message id longer than this is not one (they are GUIDs of 36 characters).
pub const MESSAGE_ID_BYTES: usize = 128;

/// Webhook connections served at once; the next ones wait in the kernel's queue.
pub const CONNECTIONS: usize = 512;

/// A webhook request must be read whole within this long.
pub const BODY_TIME: Duration = Duration::from_secs(10);

/// A request's head must be read within this long, idle keep-alive included.
pub const HEAD_TIME: Duration = Duration::from_secs(90);

/// Pause after a failed accept (usually: no file descriptors left), so as not to spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Signing keys taken from one key document; issuers publish two or three.
pub const KEYS: usize = 64;

/// Keys older than this are read again (the Graph sample's two hours, contract §5.3).
pub const KEY_AGE: Duration = Duration::from_secs(2 * 3600);

/// Key documents are read at most this often ...
pub const KEY_READS: u32 = 5;

/// ... in a window of this length, however many unknown key ids forged tokens name.
pub const KEY_WINDOW: Duration = Duration::from_secs(60);

/// Difference of clocks forgiven when a token's times are checked, in seconds.
pub const CLOCK_SKEW_SECONDS: u64 = 60;

/// Incoming calls not yet taken by the bot. At 15 s to answer, more could not be answered in time
/// by a bot that is this far behind; further ones are left to ring out.
pub const INCOMING_CALLS: usize = 1024;

/// Calls followed at once (the contract allows an app 100 concurrent ones, §5.5; tests more).
pub const CALLS: usize = 20_000;

/// Ended calls still known, for a `create_call` whose answer is processed after the call ended.
pub const ENDED_CALLS: usize = 1024;

/// Operations of one call that ended before anyone asked for them. Only those whose action's
/// answer is still being read belong here; the oldest go first.
pub const EARLY_OPERATIONS: usize = 64;

/// Key presses of one call not yet taken; further ones are dropped with a trace line.
pub const TONES: usize = 256;

/// How long an end is waited for before it is read: twice the 5 s after which the platform repeats a notification that
/// was not taken.
pub const READ_AFTER: Duration = Duration::from_secs(10);

/// The longest pause between two readings, each twice the one before. What has no end of its own (an endless prompt, a
/// call) is thus asked for once a minute.
pub const READ_PAUSE: Duration = Duration::from_secs(60);

/// How long a call of which no notification ever came is waited for. A call is told of at once when it is made; a
/// platform that is down for longer has ended its calls.
pub const UNHEARD: Duration = Duration::from_secs(60);
