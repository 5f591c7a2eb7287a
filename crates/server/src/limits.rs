//! Every bound of the server that is not one room's own, with its reason.

use std::time::Duration;

/// Verbs waiting in one conversation's mailbox; more is a bot that does not wait for its answers.
pub const MAILBOX: usize = 64;
/// Happenings waiting in one conversation's mailbox. Those that must not be lost are few: one per
/// open operation (100) and a handful per leg.
pub const HAPPENINGS: usize = 1024;
/// Places of [`HAPPENINGS`] that keys may not take, so that what must not be lost has room.
pub const HAPPENINGS_KEPT: usize = 512;
/// Conversations at once; each costs about 20 KiB with its lane.
pub const CONVERSATIONS: usize = 50_000;
/// Times a happening's record is tried again while the ledger is busy or the disk is full; with
/// [`RECORD_AGAIN`] this is an hour, after which the conversation is given up.
pub const RECORD_TRIES: u32 = 36_000;
/// Pause between such tries.
pub const RECORD_AGAIN: Duration = Duration::from_millis(100);
/// Records read from the ledger at a time when a log is folded.
pub const READ_PAGE: usize = 1_000;
/// Conversations adopted at a time after a start.
pub const ADOPT_PAGE: usize = 500;
/// How long an ended call's operations stay readable: a day, so that who asks tomorrow still finds them.
pub const READABLE: Duration = Duration::from_secs(24 * 3600);
/// Conversations purged at a time, once they are no longer readable.
pub const PURGE_PAGE: usize = 1_000;
/// How long a list waits for one call's state.
pub const VIEW: Duration = Duration::from_secs(2);
/// Recordings being written at once: more than there are calls to be recorded on one machine's media ports. Each holds a tape
/// of 128 KiB.
pub const RECORDINGS: usize = 2_048;
/// How often the writer takes what is on the tapes, which hold 4 s.
pub const WRITE_EVERY: Duration = Duration::from_millis(200);
/// What the smallest recording counts for among an app's recording bytes: a block of a disk.
pub const RECORDING_LEAST: u64 = 4_096;
/// How long a take-over waits for a recording to be whole: as long as a call that ends (`core::limits::RECORDING_KEPT`).
pub const RECOVER: Duration = Duration::from_secs(10);
/// Recordings read at once; each read holds a buffer of [`RECORDING_CHUNK`] and asks the disk for it.
pub const RECORDING_READS: usize = 64;
/// Bytes of a recording read at a time.
pub const RECORDING_CHUNK: usize = 64 * 1024;
/// How long a client may take to receive one such chunk.
pub const RECORDING_STALL: Duration = Duration::from_secs(15);
/// How often purging looks.
pub const PURGE_EVERY: Duration = Duration::from_secs(600);
/// Notices a lane keeps in memory; beyond that it reads them from the log.
pub const LANE: usize = 256;
/// Answers a lane can be held for at once; each is an action whose answer is still being written.
pub const HOLDS: usize = 64;
/// How long an answer may hold its call's lane (design §5, step 5).
pub const HOLD: Duration = Duration::from_secs(2);
/// First pause after a webhook that refused the connection or answered 5xx or 429; doubles.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// The longest such pause.
pub const BACKOFF_LAST: Duration = Duration::from_secs(30);
/// A lane that has failed for this long stops waiting: each notice gets one more attempt, then is
/// recorded as undelivered.
pub const LANE_GIVES_UP: Duration = Duration::from_secs(600);
/// Bytes of a request's body: twenty prompts with the longest URLs fit many times over.
pub const BODY: usize = 256 * 1024;
/// How long a client may take to send a request's head.
pub const HEAD_TIME: Duration = Duration::from_secs(15);
/// How long a client may take to send a request's body.
pub const BODY_TIME: Duration = Duration::from_secs(15);
/// HTTP connections at once.
pub const CONNECTIONS: usize = 10_000;
/// Of these, how many one source may have (an IPv4 address or an IPv6 /64): a proxy or a load generator needs thousands, and
/// half stay for others.
pub const CONNECTIONS_OF_ONE: usize = 5_000;
/// Pause after a connection could not be accepted: descriptors come back as others end, and asking at once only spins.
pub const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// Bytes of a request's head, and of what is read ahead: tokens and long URLs take a few KiB.
pub const HEAD: usize = 64 * 1024;
/// Calls or operations in one page of a list; the rest follows by `@odata.nextLink`.
pub const LIST_PAGE: usize = 1_000;
/// Events written to a follower and not yet read: a burst of a call. More wait in front, where they are bounded, too.
pub const STREAM_CHUNKS: usize = 64;
/// How often a follower is written to at least, so that one which is gone is noticed, and proxies keep the stream open.
pub const STREAM_PULSE: Duration = Duration::from_secs(15);
/// Entries of the live timeline a slow reader may be behind before it misses some (and is told so).
pub const TIMELINE: usize = 4_096;
/// Findings kept: each kind for each app, of a hundred apps or so.
pub const FINDINGS: usize = 1_024;
/// A call that had audio for this long and was used for nothing was not merely short.
pub const REACTS: Duration = Duration::from_secs(5);
/// Findings of calls that are over, so that each is said once: a few of each call whose bot went away.
pub const LINTED_CALLS: usize = 1_024;
/// Characters of a finding's detail: a sentence.
pub const FINDING_CHARS: usize = 256;
/// Clocks further apart than this refuse one another's tokens: what verifiers commonly forgive.
pub const CLOCKS_APART: Duration = Duration::from_secs(300);
/// Conversations without an owner that are counted one by one: there should be none.
pub const ORPHANS: u64 = 1_000;
/// How long such a count is good for: it reads the list of open conversations.
pub const ORPHANS_GOOD: Duration = Duration::from_secs(5);
/// Spans that wait to be exported: a few seconds of a busy server. More are dropped and counted.
pub const SPANS: usize = 8_192;
/// Spans in one body to the collector.
pub const SPANS_IN_BODY: usize = 512;
/// How long a span waits for others to go with it.
pub const SPANS_GATHERED: Duration = Duration::from_secs(1);
/// Times a body is offered to a collector that is down or busy; then it is dropped.
pub const SPANS_TRIES: u32 = 4;
/// Pause before it is offered again; doubles.
pub const SPANS_AGAIN: Duration = Duration::from_secs(1);
/// Apps that an open directory remembers besides the configured ones: a document of 1 KiB each, read at every start.
pub const APPS_FIRST_SEEN: usize = 1_000;
/// Origins that lead elsewhere, of one app: a bot has one or two.
pub const CALLBACKS: usize = 16;
/// Bytes of a URL that the operator says of an app: as long as a callback may be.
pub const WISH_URL_BYTES: usize = 2_048;
/// The longest a call through a trunk lasts (design §8).
pub const TRUNK_CALL: Duration = Duration::from_secs(4 * 3600);
/// Shards of the media room. One carries at least 1,000 calls; a second would not be used on two cores.
pub const MEDIA_SHARDS: usize = 1;
/// A certificate of our authority lives this long: a stolen one is soon worth nothing.
pub const CERTIFICATE_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// A certificate of this age is renewed, with days to spare if that fails.
pub const CERTIFICATE_RENEWED: Duration = Duration::from_secs(2 * 86_400);
/// How often its age is looked at: a machine may have slept.
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(600);
/// Certificates begin this long before they are made, for clients whose clocks are behind.
pub const CERTIFICATE_BACKDATED: Duration = Duration::from_secs(86_400);
/// Names in a certificate: it is sent at every handshake.
pub const CERTIFICATE_NAMES: usize = 100;
/// The authority's own certificate: replacing it means a visit to every client.
pub const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// An authority that ends within this time is replaced at a start, while its operator looks on.
pub const AUTHORITY_SPARE: Duration = Duration::from_secs(60 * 86_400);
/// How long a client may take for a TLS handshake.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// TLS handshakes at once: those who never finish theirs keep out new ones, not those who are in.
pub const HANDSHAKES: usize = 1_000;
/// What is read and thrown away of a client that speaks plain HTTP where TLS is spoken, so that it sees our answer.
pub const PLAIN_DRAINED: usize = 64 * 1024;
/// Bytes of decoded and encoded prompts kept: an hour of audio at 16 kHz is 190 MiB.
pub const PROMPT_BYTES_KEPT: usize = 256 << 20;
/// Prompts that one app may have kept by its `resourceId`: more than a menu has sentences.
pub const PROMPT_KEYS_PER_APP: usize = 1_024;
/// How long a `resourceId` stands for what was fetched: a bot that changes a prompt and not its id is heard within it.
pub const PROMPT_KEY_LIFE: Duration = Duration::from_secs(3600);
/// Prompts that one app may fetch at once, of those that all may
/// ([`FETCHES_AT_ONCE`](crate::outbound::limits::FETCHES_AT_ONCE)); more wait, within their own time.
pub const PROMPT_FETCHES_PER_APP: usize = 64;
/// Events and notices in the story of a call or operation that an operator asks for; earlier ones are counted. More is not
/// read by anyone.
pub const STORY: usize = 200;
/// An app's latest calls that are looked through for an operation of which only the id is known: a busy day's.
pub const STORY_CALLS: usize = 100_000;
/// How far the clocks of ids and of records may be apart: one follows the wall, the other does not.
pub const STORY_CLOCKS: Duration = Duration::from_secs(60);
/// Notices that an operator may have told again by one request, each with one attempt.
pub const RESENT_AT_ONCE: usize = 100;
/// Faults of notifications that wait for their notices: a test asks for a few.
pub const FAULTS: usize = 64;
/// Notices that one such fault meets.
pub const FAULT_NOTICES: u32 = 1_000;
/// The longest that a fault makes a notice wait: longer than bots wait for one.
pub const FAULT_DELAY: Duration = Duration::from_secs(60);
/// Scripted phones at once: each has two sockets and keeps what it hears (9.6 MB at most).
pub const SCRIPTED_PHONES: usize = 64;
/// A scripted phone that nobody asked for so long makes room: its test is over, or broke off.
pub const SCRIPTED_DISUSED: Duration = Duration::from_secs(900);
/// The longest call of a scripted phone: a test that broke off leaves no call for ever.
pub const SCRIPTED_CALL: Duration = Duration::from_secs(3600);
/// Steps of one scripted phone under way and waiting: a test waits for the answer of each.
pub const SCRIPTED_STEPS: usize = 16;
/// How long one step may wait for something: the longest prompt, and the 15 s that a bot has to answer, many times over.
pub const SCRIPTED_WAIT: Duration = Duration::from_secs(120);
/// How long an expectation or a wait is, unless said: longer than a bot's first prompt, shorter than a test's patience.
pub const SCRIPTED_WAIT_UNSAID: Duration = Duration::from_secs(10);
/// How long a hang-up or an answer may take: as long as SIP repeats a request (64 × T1, RFC 3261 §17.1), and a second.
pub const SCRIPTED_HANG_UP: Duration = Duration::from_secs(33);
/// Keys pressed in one step: longer than any number, 10 s long.
pub const SCRIPTED_KEYS: usize = 64;
/// The longest audio said or expected in one step.
pub const SCRIPTED_SOUND: Duration = Duration::from_secs(120);
/// Bytes of a WAV file sent for a step: [`SCRIPTED_SOUND`] at 48,000 samples a second, with room for a header.
pub const SCRIPTED_WAV: usize = 12 << 20;
/// The peak below which a sample is silence: −48 dBFS, what idle lines have.
pub const SCRIPTED_SOUND_LEAST: u16 = 128;
/// How alike an expected recording must be, unless said: what a codec does to speech leaves 0.95, another sentence is below 0.3.
pub const SCRIPTED_LIKENESS: f64 = 0.8;
/// Entries of the timeline kept for one scripted phone's call.
pub const SCRIPTED_STORY: usize = 200;
/// Meetings that are known by their names; the one named longest ago is then forgotten, and made anew when it is named again.
pub const MEETINGS: usize = 10_000;
/// Pages signed in with a phone, in all: each holds a place for its events.
pub const PAGE_SESSIONS: usize = 1_024;
/// Pages signed in as one user: tabs and machines of one person.
pub const PAGE_SESSIONS_PER_USER: usize = 16;
/// A page that nobody has open is signed out after this long: a working day, so that a laptop may sleep meanwhile.
pub const PAGE_SESSION_IDLE: Duration = Duration::from_secs(12 * 3600);
/// What a page may be told and not yet have read; one that is slower is cut off, and comes again.
pub const PAGE_EVENTS: usize = 64;
/// Legs of one page that live, and of those that are over whose timeline it may still read.
pub const PAGE_LEGS: usize = 8;
/// How long a page hears the timeline of a call on after its leg: its last notification is told about then.
pub const PAGE_TIMELINE_AFTER: Duration = Duration::from_secs(30);
/// Chat messages kept, of all chats together: those of some days of a busy bot, and one page of the ledger.
pub const CHAT_MESSAGES: usize = 1_000;
/// Bytes of a chat message as it is kept, with its cards; Graph takes 28 KB of text.
pub const CHAT_MESSAGE: usize = 64 * 1024;
/// Bytes of a chat's id: threads have some 70.
pub const CHAT_ID: usize = 512;
/// Messages in a page without `$top`, as Graph has it.
pub const MESSAGES_PAGE: usize = 20;
/// Users in a page without `$top`, as Graph has it.
pub const USERS_PAGE: usize = 100;
/// Bytes of what a user may be asked for by: the longest address (RFC 5321 §4.5.3.1.3).
pub const USER_KEY: usize = 254;
/// Characters of a key repeated in an error message: enough to recognise it.
pub const ECHOED_KEY: usize = 128;
/// Shapes of paths that are counted because they are not served; a bot has a handful.
pub const UNSERVED: usize = 256;
