//! What an operator sees: the live timeline of requests, events and notifications. It carries ids,
//! statuses and times; never secrets, tokens, numbers or names (contract of design promise 8).
//!
//! This room must not know: any other room. They hand it what to show.

mod timeline;

pub use timeline::{Entry, Timeline};
