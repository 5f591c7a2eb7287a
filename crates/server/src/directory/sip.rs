//! What the directory tells the SIP side: digests of passwords, trunks by address, who is behind NAT.

use md5::{Digest as _, Md5};
use std::fmt::Write as _;

/// The realm of SIP passwords: a configured `ha1` is `md5(login:ringback:password)`.
pub const SIP_REALM: &str = "ringback";

/// The digest of a SIP password in our realm, lower-case hexadecimal (RFC 7616 §3.4.2, algorithm MD5).
pub(super) fn ha1(user: &str, password: &str) -> String {
    let digest = Md5::digest(format!("{user}:{SIP_REALM}:{password}"));
    digest
        .iter()
        .fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
