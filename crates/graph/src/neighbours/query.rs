//! Query options of neighbours: `$filter`, `$select`, `$count` and the page. `$search` is refused, as it would find less;
//! others (`$orderby`, `$expand`) are ignored.

use std::borrow::Cow;

use super::filter::Filter;
use crate::path::{Page, RouteError};
use crate::segments::decode_form;

/// What a client wants of a collection or a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query<'a> {
    /// Which ones.
    pub filter: Option<Filter>,
    /// Which members; none: those it has by default.
    pub select: Option<Vec<Cow<'a, str>>>,
    /// Whether the list says how many there are on all its pages.
    pub count: bool,
    /// Which part of the list.
    pub page: Page<'a>,
    /// The options that the next page has too, as the client wrote them.
    pub kept: String,
}

impl<'a> Query<'a> {
    /// Reads the query of a target; `+` is a space, as forms have it.
    pub fn parse(query: &'a str) -> Result<Self, RouteError> {
        let mut read = Query { page: Page::parse(query)?, ..Query::default() };
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_form(name), decode_form(value));
            if !pair.is_empty() && !["$top", "$skiptoken"].iter().any(|paging| name.eq_ignore_ascii_case(paging)) {
                let sign = if read.kept.is_empty() { "" } else { "&" };
                read.kept.extend([sign, pair]);
            }
            if name.eq_ignore_ascii_case("$filter") && !value.trim().is_empty() {
                read.filter = Some(Filter::parse(&value)?);
            } else if name.eq_ignore_ascii_case("$select") && !value.trim().is_empty() {
                read.select = Some(value.split(',').map(|name| name.trim().to_owned().into()).collect());
            } else if name.eq_ignore_ascii_case("$count") {
                read.count = value.eq_ignore_ascii_case("true");
            } else if name.eq_ignore_ascii_case("$search") {
                return Err(RouteError::UnservedOption("$search"));
            }
        }
        Ok(read)
    }

    /// Whether a member is wanted; `by_default`: without `$select`.
    pub fn wants(&self, member: &str, by_default: bool) -> bool {
        match &self.select {
            None => by_default,
            Some(names) => names.iter().any(|name| name.eq_ignore_ascii_case(member)),
        }
    }
}
