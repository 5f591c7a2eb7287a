//! Every bound of who may come in: name, number and reason.

/// Lifetime of an access token, seconds: what Azure gives without token lifetime policies, at the least.
pub const ACCESS_TOKEN_SECONDS: u64 = 3600;
/// Lifetime of a notification's bearer, seconds (`contract §5.3`).
pub const BEARER_SECONDS: u64 = 3900;
/// A bearer is replaced this long before it expires, seconds, so that a held notice still bears a good one.
pub const BEARER_SPARE_SECONDS: u64 = 300;
/// A token from a clock that is ahead of ours by no more than this is taken, seconds.
pub const CLOCK_SKEW_SECONDS: u64 = 300;
/// Bearers kept: one an app and tenant. Beyond it those that are due go, then all.
pub const BEARERS: usize = 4096;
/// A longer token is none of ours (about 1 KiB); it is refused before anything is computed.
pub const TOKEN_BYTES: usize = 8 * 1024;
/// Parts of the cache of verified tokens: so many requests look up at the same instant without waiting.
pub const TOKEN_SHARDS: usize = 16;
/// Verified tokens kept in one part: in all 8,192, about 2 MB.
pub const TOKENS_PER_SHARD: usize = 512;
/// Verified client secrets kept: one an app.
pub const VERIFIED_SECRETS: usize = 4096;
/// The body of a token request; real ones are under 1 KiB.
pub const TOKEN_REQUEST_BYTES: usize = 16 * 1024;
/// Characters of a host that a token is asked for, in words about it: as long as names are (RFC 1035 §2.3.4).
pub const RESOURCE_HOST: usize = 253;
/// Secrets hashed at once: each takes a core for about 0.1 s.
pub const HASHES_AT_ONCE: usize = 2;
/// Token requests that wait for a hash: the last one waits about 10 s. More are answered 503.
pub const HASHES_WAITING: usize = 128;
/// Failures that a source may have open before it is refused: above [`HASHES_WAITING`], since a request counts as a
/// failure until its secret was found right.
pub const FAILURES_OPEN: u32 = 160;
/// One failure of a source is forgotten every so many seconds: 43,200 guesses a day.
pub const FAILURE_SECONDS: u64 = 2;
/// Sources with open failures that are told apart. All further ones share one account.
pub const SOURCES: usize = 4096;
