//! The last message ids, to know a repeat. Bounded; the oldest are forgotten.

use std::collections::{HashSet, VecDeque};

#[derive(Default)]
pub(crate) struct Seen {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// Whether `id` is new; it is remembered then, among the last `most`.
    pub(crate) fn is_new(&mut self, id: &str, most: usize) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_known_until_it_is_the_oldest_of_too_many() {
        let mut seen = Seen::default();
        assert!(seen.is_new("a", 2));
        assert!(!seen.is_new("a", 2));
        assert!(seen.is_new("b", 2));
        assert!(!seen.is_new("a", 2));
        assert!(seen.is_new("c", 2));
        assert!(seen.is_new("a", 2), "forgotten: two newer ones came");
        assert_eq!(seen.known.len(), 2);
    }
}
