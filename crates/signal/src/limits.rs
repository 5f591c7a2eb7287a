//! Every bound of this room: its name, its number, and why that number.

use std::time::Duration;

/// Legs alive at once, those being taken down included. The default media port range carries
/// 1,000; one core carries about 1,800 duplex G.711 calls, so this is never the first bound met.
pub const MAX_LEGS: usize = 4_000;

/// SIP transactions held at once, answered ones that still absorb retransmissions (32 s)
/// included. A call needs about six in its life; at about 2 KiB each this is 40 MiB. Beyond it
/// new requests get 503.
pub const MAX_TRANSACTIONS: usize = 20_000;

/// Seconds a refused peer is asked to wait (`Retry-After`) when a bound above is met.
pub const RETRY_AFTER_SECONDS: u32 = 5;

/// Datagrams taken from the socket and not yet handled. The SIP library's queues have no bound
/// of their own; a datagram beyond this one is dropped, as a full socket buffer would do.
pub const MAX_DATAGRAMS_WAITING: u64 = 4_096;

/// How long no datagram may be handled before the count of waiting ones is taken to be wrong
/// (datagrams that do not parse are never reported as handled) and starts anew.
pub const DATAGRAM_COUNT_RESET: Duration = Duration::from_millis(100);

/// Messages read from streams and not yet handled. Beyond it nothing more is read: TCP holds the
/// far ends back, and nothing is lost.
pub const MAX_MESSAGES_WAITING: usize = 4_096;

/// Longest head of a message that comes by a stream, in bytes. Phones send about 1 KiB; proxies
/// add a header or two each.
pub const MAX_HEAD: usize = 16 * 1024;

/// Longest message that comes by a stream, in bytes: what a datagram may hold too.
pub const MAX_MESSAGE: usize = 65_535;

/// What is read from a stream at once, in bytes: a few messages.
pub const STREAM_READ: usize = 8 * 1024;

/// Connections others opened. A phone needs one; at about 30 KiB each with TLS this is 120 MiB.
pub const MAX_CONNECTIONS: usize = 4_096;

/// Connections one source (an IPv4 address or an IPv6 /64) opened: an office behind one address.
pub const MAX_CONNECTIONS_PER_SOURCE: usize = 256;

/// How long a TLS handshake may take. One needs two round trips and 1 ms of work.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How long a connection we open may take, TLS included: less than the first response may.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long somebody who connected may be silent before the first message.
pub const FIRST_MESSAGE: Duration = Duration::from_secs(30);

/// How long a message may take from its first byte to its last.
pub const MESSAGE_TIME: Duration = Duration::from_secs(15);

/// How long a connection may be silent. A registration by it is refreshed at least every two
/// minutes, and keep-alives count.
pub const STREAM_IDLE: Duration = Duration::from_secs(600);

/// How long a far end that owes us reading may take none of it.
pub const WRITE_STALL: Duration = Duration::from_secs(10);

/// What waits for a far end that is slow to read, in bytes: about a hundred messages.
pub const MAX_UNSENT: usize = 256 * 1024;

/// Keep-alives and refusals of one connection waiting to be written.
pub const MAX_ANSWERS_WAITING: usize = 16;

/// How long a connection that is given up still takes bytes, so that the last answer arrives.
pub const LINGER: Duration = Duration::from_secs(2);

/// Pause after a connection could not be accepted.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Ports tried for one that is free for datagrams and streams.
pub const PORT_TRIES: usize = 16;

/// In-dialog requests waiting for their leg. A peer has one or two in flight; a third is already
/// strange.
pub const MAX_REQUESTS_WAITING: usize = 8;

/// Messages of one INVITE transaction waiting for its leg, and phones that one INVITE reached (RFC 3261 §12.1.2: each that
/// answers makes a dialog): a user has at most half as many places to register.
pub const MAX_INVITE_EVENTS: usize = 16;

/// Longest session description read, in bytes. Phones send about 1 KiB.
pub const MAX_SDP: usize = 16 * 1024;

/// Media lines in a session description. Phones offer one to four.
pub const MAX_MEDIA_LINES: usize = 32;

/// Longest `Authorization` value read, in bytes. Phones send about 300.
pub const MAX_AUTHORIZATION: usize = 2_048;

/// How long a nonce is good. Short, because within it an eavesdropper at the same address could
/// repeat a request; phones take a fresh one without asking their user (`stale=true`).
pub const NONCE_LIFE: Duration = Duration::from_secs(60);

/// Nonces whose count is kept, those of requests that were granted. Each is forgotten after its
/// life; phones use one or two a minute. At about 150 bytes each, 15 MiB.
pub const MAX_NONCES: usize = 100_000;

/// Requests without good credentials that one source may send at once. A call or registration
/// that then authenticates gives its share back.
pub const SOURCE_BURST: u32 = 200;

/// How many such requests a source regains each second: enough for phones behind one address,
/// too few to guess passwords.
pub const SOURCE_REFILL_PER_SECOND: u32 = 20;

/// Sources remembered. Those beyond share one allowance until others have refilled (10 s).
pub const MAX_SOURCES: usize = 10_000;

/// Longest registration granted, so that a restart, which forgets bindings, heals in two minutes.
pub const MAX_EXPIRES_SECONDS: u32 = 120;

/// Shortest registration granted; below it the answer is 423 (RFC 3261 §10.3).
pub const MIN_EXPIRES_SECONDS: u32 = 10;

/// Places one user may be registered at.
pub const MAX_BINDINGS_PER_USER: usize = 8;

/// Users with bindings. Only users of the directory get this far.
pub const MAX_REGISTERED_USERS: usize = 100_000;

/// Bindings of all users together: two each. At about 300 bytes, 60 MiB.
pub const MAX_BINDINGS: usize = 200_000;

/// Longest contact address kept, in bytes.
pub const MAX_CONTACT: usize = 512;

/// How often it is looked whether something is due at a trunk.
pub const UPKEEP_TICK: Duration = Duration::from_secs(1);

/// How long after a failed registration at a trunk the next is tried; doubled each time (RFC 5626
/// §4.5).
pub const UPKEEP_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// The longest such wait, and the wait after a login was refused.
pub const UPKEEP_LONGEST_WAIT: Duration = Duration::from_secs(600);

/// How long a registration at a trunk is asked to last.
pub const TRUNK_EXPIRES_SECONDS: u32 = 600;

/// How long a stop waits until the trunks have taken us off: a request that is lost is sent again after 0.5, 1.5 and 3.5 s
/// (RFC 3261 §17.1.2.2), and who does not answer then forgets us within [`TRUNK_EXPIRES_SECONDS`].
pub const UNREGISTER: Duration = Duration::from_secs(4);

/// How long a placed call waits for any response. The INVITE was then sent five times; a phone
/// that is there answers the first within 200 ms (RFC 3261 §17.2.1).
pub const FIRST_RESPONSE: Duration = Duration::from_secs(10);

/// How long a call may ring, either way, before it is given up. Below the 180 s of Timer C, at
/// which proxies give up by themselves (RFC 3261 §16.6).
pub const RING_LIMIT: Duration = Duration::from_secs(170);

/// How long signalling that is no longer waited for (a CANCEL, a BYE) may take: 64 × T1, after
/// which its transaction is over (RFC 3261 §17.1).
pub const AFTERMATH: Duration = Duration::from_secs(33);

/// How long a host name of a called address may take to resolve.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(5);

/// What a BYE sent after a restart adds to the recorded sequence number: more than a call ever
/// counts, since requests sent after the recording are unknown.
pub const RESTART_CSEQ_STEP: u32 = 1_000;

/// Dialogs taken down after a restart at once; the others wait for their turn.
pub const MAX_RESTART_BYES: usize = 64;

/// What a scripted phone keeps of what it hears (9.6 MB): ten minutes at 8,000 samples a second, five at 16,000.
pub const PHONE_HEARD_SAMPLES: usize = 8_000 * 600;

/// Keys of the far end that a scripted phone keeps.
pub const PHONE_HEARD_KEYS: usize = 1_000;

/// What a scripted phone may have queued to say or press: the packets of ten minutes.
pub const PHONE_QUEUE_PACKETS: usize = 50 * 600;

/// Calls ringing at a scripted phone and not yet taken by its script; beyond, it is busy.
pub const PHONE_RINGING: usize = 4;

/// WebRTC legs at once. str0m takes 15 µs for each 20 ms both ways, so their one thread could carry 1,300 if it did nothing
/// else; less than half of that is enough for phones in pages, and leaves it time to be punctual.
pub const MAX_WEB_LEGS: usize = 500;

/// WebRTC legs that wait for the thread to make them: each costs it about a millisecond.
pub const MAX_OFFERS_WAITING: usize = 64;

/// How long a page may take from our answer to a connection by ICE and DTLS: a few round trips, repeated when lost.
pub const WEB_CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// Addresses that are remembered for WebRTC legs: four for each, since a browser may change its network in mid-call.
pub const MAX_WEB_SOURCES: usize = 4 * MAX_WEB_LEGS;

/// Datagrams of pages that are read before anything else has its turn: 20 ms of 64 legs.
pub const WEB_DATAGRAMS_AT_ONCE: usize = 64;

/// Bytes of the largest datagram of a page that is read: a DTLS flight fits Ethernet's 1,500.
pub const WEB_DATAGRAM_BYTES: usize = 2_048;
