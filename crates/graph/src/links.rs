//! Addresses that answers carry: `Location`, `@odata.context`, `@odata.nextLink`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::path::{Page, Version};
use crate::read::{self, BodyError, Node};

/// Where this server is reached, as an answer writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links<'a> {
    /// Scheme and authority, and a path prefix if there is one: `https://graph.example.org`. A
    /// slash at its end is dropped.
    pub public_url: &'a str,
    /// The API the request spoke.
    pub version: Version,
}

impl Links<'_> {
    /// `{base}/communications/calls/{call}`
    pub fn call(&self, call: &str) -> String {
        format!("{self}/communications/calls/{call}")
    }

    /// `{base}/communications/calls/{call}/operations/{operation}`
    pub fn operation(&self, call: &str, operation: &str) -> String {
        format!("{self}/communications/calls/{call}/operations/{operation}")
    }

    /// The listing of calls from `page` on; for `@odata.nextLink`.
    pub fn calls(&self, page: &Page<'_>) -> String {
        with_page(format!("{self}/communications/calls"), page)
    }

    /// The listing at a path below the version, such as `/users`, from `page` on; for `@odata.nextLink`. `rest` are the
    /// options that every page has, percent-encoded.
    pub fn listing(&self, path: &str, page: &Page<'_>, rest: &str) -> String {
        let url = with_page(format!("{self}{path}"), page);
        let sign = if url.contains('?') { '&' } else { '?' };
        if rest.is_empty() { url } else { format!("{url}{sign}{rest}") }
    }

    /// The listing of a call's operations from `page` on; for `@odata.nextLink`.
    pub fn operations(&self, call: &str, page: &Page<'_>) -> String {
        with_page(format!("{self}/communications/calls/{call}/operations"), page)
    }
}

impl fmt::Display for Links<'_> {
    /// The base of all addresses, as in `https://graph.example.org/v1.0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.public_url.trim_end_matches('/'), self.version.as_str())
    }
}

fn with_page(mut url: String, page: &Page<'_>) -> String {
    let mut sign = '?';
    if let Some(top) = page.top {
        write!(url, "{sign}$top={top}").expect("text takes text");
        sign = '&';
    }
    if let Some(token) = &page.skip_token {
        write!(url, "{sign}$skiptoken=").expect("text takes text");
        for byte in token.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    url.push(byte.into());
                }
                _ => write!(url, "%{byte:02X}").expect("text takes text"),
            }
        }
    }
    url
}

/// One page of a listing, as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection<T> {
    /// What is on this page.
    pub value: Vec<T>,
    /// Where the next page is.
    pub next_link: Option<Cow<'static, str>>,
}

impl<T> Collection<T> {
    pub(crate) fn read(body: &[u8], item: impl FnMut(&Node<'_>) -> Result<T, BodyError>) -> Result<Self, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        Ok(Collection { value: body.member("value").list(item)?, next_link: body.member("@odata.nextLink").text()? })
    }
}
