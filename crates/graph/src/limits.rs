//! Every bound of this room, with its reason. Limits of meaning (prompts a call may have, length
//! of a clientContext) are the machine's, not the wire's.

/// Characters of an unknown path segment repeated in an error message: enough to recognise a
/// typing mistake, too few to make the answer a mirror of a hostile request.
pub const ECHOED_CHARACTERS: usize = 64;

/// Largest `$top` a listing takes; a larger number asks for this many. Keeps one answer below
/// roughly 1 MiB (a call prints in about 2 KiB).
pub const MAX_TOP: u32 = 500;

/// Results shown for one that is not known: enough to find a mistyped one.
pub const NEAR: usize = 5;
/// Characters of a meeting's name: the longest join URLs have some 500.
pub const MEETING_NAME: usize = 2_048;

/// Characters of a path that is not served repeated in the message that says so: its author must recognise it.
pub const ECHOED_PATH: usize = 200;

/// Bytes of a `$filter`: twice a join URL of the longest kind.
pub const FILTER: usize = 4_096;

/// Words of a `$filter`: an `in` of a hundred ids.
pub const FILTER_WORDS: usize = 256;

/// Brackets within brackets of a `$filter`; people write two.
pub const FILTER_DEPTH: usize = 8;
