//! What bots asked for and this server does not serve, counted by the shape of the path: a bot's author wants to know what
//! his bot would need. A shape has words of Graph's and no id, name or number.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ringback_core::Now;
use serde::Serialize;

use crate::limits;

/// Requests of one shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// The method.
    pub method: String,
    /// The path's words; `…` for anything else.
    pub path: String,
    /// How often.
    pub count: u64,
    /// The last time, in microseconds since the Unix epoch.
    pub last: i64,
}

/// What was missed so far.
#[derive(Debug, Default)]
pub(super) struct Unserved {
    kept: Mutex<BTreeMap<(String, String), Missed>>,
}

impl Unserved {
    /// Counts a request; a shape that finds no room is left out.
    pub(super) fn add(&self, method: &str, path: String, at: Now) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (method.to_owned(), path);
        if !kept.contains_key(&key) && kept.len() >= limits::UNSERVED {
            return;
        }
        let (method, path) = key.clone();
        let missed = kept.entry(key).or_insert(Missed { method, path, count: 0, last: 0 });
        missed.count += 1;
        missed.last = at.0;
    }

    /// All of it, by method and path.
    pub(super) fn list(&self) -> Vec<Missed> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_counted_and_bounded() {
        let unserved = Unserved::default();
        for n in 0..limits::UNSERVED + 5 {
            unserved.add("GET", format!("/v1.0/{n}"), Now(1));
        }
        unserved.add("GET", "/v1.0/0".to_owned(), Now(2));
        let list = unserved.list();
        assert_eq!(list.len(), limits::UNSERVED);
        let first = Missed { method: "GET".into(), path: "/v1.0/0".into(), count: 2, last: 2 };
        assert!(list.contains(&first), "{list:?}");
    }
}
