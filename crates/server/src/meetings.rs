//! The meetings that bots have named: made on first sight, found again by each of their names, and dialled by their
//! joinMeetingId, which is made for those that have none.
//!
//! In memory: what is made follows from the names alone, so that a bot which joins again after a restart finds its phones
//! at the same number. It must not know who is in a meeting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use crate::limits;

/// A meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its thread: what tells it from others.
    pub(crate) thread: String,
    /// What phones dial: digits.
    pub(crate) join_id: String,
    /// The organizer's id, where a bot named one.
    pub(crate) organizer: Option<String>,
}

/// What a bot says of the meeting that it joins; at least one name of the three.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names<'a> {
    /// The thread.
    pub(crate) thread: Option<&'a str>,
    /// The digits of a joinMeetingId.
    pub(crate) join_id: Option<&'a str>,
    /// A join token.
    pub(crate) token: Option<&'a str>,
    /// The organizer's id.
    pub(crate) organizer: Option<&'a str>,
}

/// The meetings: a handle, cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meetings {
    book: Arc<Mutex<Book>>,
}

#[derive(Debug, Default)]
struct Book {
    /// By thread, in lower case; and when each was last named, counted.
    meetings: HashMap<String, (Known, u64)>,
    /// The threads of joinMeetingIds.
    join_ids: HashMap<String, String>,
    named: u64,
}

impl Meetings {
    /// The meeting of these names, made if it is new. Names that come together are one meeting's from then on, unless one
    /// of them is another's already. It is never dialled by a number that is a bot's (`is_bots`). None without a name.
    pub(crate) fn named(&self, names: Names<'_>, is_bots: impl Fn(&str) -> bool) -> Option<Known> {
        let mut book = self.book();
        let by_id = names.join_id.and_then(|id| book.join_ids.get(id)).cloned();
        let thread = names.thread.map(str::to_owned).or(by_id).or_else(|| made_thread(&names))?;
        let key = thread.to_lowercase();
        let before = book.meetings.remove(&key).map(|(known, _)| known);
        let thread = before.as_ref().map_or(thread, |known| known.thread.clone());
        book.make_room();
        if let Some(id) = names.join_id {
            book.join_ids.entry(id.to_owned()).or_insert_with(|| key.clone());
        }
        let (join_id, organizer) = before.map_or((None, None), |known| (Some(known.join_id), known.organizer));
        // What another meeting has is not its own.
        let asked = || names.join_id.map(str::to_owned).filter(|id| book.join_ids.get(id) == Some(&key));
        let join_id = join_id.or_else(asked).filter(|id| !is_bots(id));
        let join_id = join_id.unwrap_or_else(|| book.free_join_id(&key, is_bots));
        let organizer = organizer.or_else(|| names.organizer.map(str::to_owned));
        let known = Known { thread, join_id, organizer };
        book.named += 1;
        let named = book.named;
        book.join_ids.insert(known.join_id.clone(), key.clone());
        book.meetings.insert(key, (known.clone(), named));
        Some(known)
    }

    /// The meeting that a phone dials.
    pub(crate) fn dialled(&self, digits: &str) -> Option<Known> {
        let book = self.book();
        book.meetings.get(book.join_ids.get(digits)?).map(|(known, _)| known.clone())
    }

    /// All, the last named first.
    pub(crate) fn list(&self) -> Vec<Known> {
        let mut all: Vec<(Known, u64)> = self.book().meetings.values().cloned().collect();
        all.sort_by_key(|(_, named)| std::cmp::Reverse(*named));
        all.into_iter().map(|(known, _)| known).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Changed only by whole inserts and removes, so a poisoned lock is still sound.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Forgets the meeting that was named longest ago, if there are too many.
    fn make_room(&mut self) {
        if self.meetings.len() < limits::MEETINGS {
            return;
        }
        let oldest = self.meetings.iter().min_by_key(|(_, (_, named))| *named).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.meetings.remove(&key);
            self.join_ids.retain(|_, of| *of != key);
        }
    }

    /// A joinMeetingId that no other meeting has, and no bot. It is the thread's own where that was made of one here.
    fn free_join_id(&self, key: &str, is_bots: impl Fn(&str) -> bool) -> String {
        let is_free = |id: &str| !self.join_ids.contains_key(id) && !is_bots(id);
        let own = key.strip_prefix(MADE).and_then(|rest| rest.strip_suffix(SUFFIX));
        let own = own.filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
        if let Some(own) = own.filter(|own| is_free(own)) {
            return own.to_owned();
        }
        let mut numbers = (hash(key) % NUMBERS..NUMBERS).chain(0..).map(|n| (FIRST_NUMBER + n).to_string());
        numbers.find(|number| is_free(number)).unwrap_or_default()
    }
}

/// Nine digits: short enough to be dialled, too long for the number of a bot or a phone.
const FIRST_NUMBER: u64 = 100_000_000;
const NUMBERS: u64 = 900_000_000;

/// Threads made here.
const MADE: &str = "19:meeting_ringback";
const SUFFIX: &str = "@thread.v2";

/// The thread of a meeting that was named without one.
fn made_thread(names: &Names<'_>) -> Option<String> {
    match (names.join_id, names.token) {
        (Some(id), _) => Some(format!("{MADE}{id}{SUFFIX}")),
        (None, Some(token)) => Some(format!("{MADE}_{:016x}{SUFFIX}", hash(token))),
        (None, None) => None,
    }
}

fn hash(text: &str) -> u64 {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: &str = "19:meeting_X@thread.v2";

    fn thread(thread: &str) -> Names<'_> {
        Names { thread: Some(thread), ..Names::default() }
    }

    /// Where no bot has a number.
    fn named(meetings: &Meetings, names: Names<'_>) -> Option<Known> {
        meetings.named(names, |_| false)
    }

    fn join_id(join_id: &str) -> Names<'_> {
        Names { join_id: Some(join_id), ..Names::default() }
    }

    #[test]
    fn every_name_leads_to_the_same_meeting() {
        let meetings = Meetings::default();
        let made = named(&meetings, thread(THREAD)).unwrap();
        assert_eq!(made.thread, THREAD);
        assert!(made.join_id.len() == 9 && made.join_id.bytes().all(|b| b.is_ascii_digit()), "{}", made.join_id);
        assert_eq!(named(&meetings, thread(&THREAD.to_uppercase())), Some(made.clone()));
        assert_eq!(named(&meetings, join_id(&made.join_id)), Some(made.clone()));
        assert_eq!(meetings.dialled(&made.join_id), Some(made.clone()));
        // Names that come together.
        let both = Names { join_id: Some("42"), organizer: Some("o"), ..thread(THREAD) };
        let known = named(&meetings, both).unwrap();
        assert_eq!(known, Known { organizer: Some("o".to_owned()), ..made });
        assert_eq!((named(&meetings, join_id("42")), meetings.dialled("42")), (Some(known.clone()), Some(known)));
        assert_eq!(meetings.list().len(), 1);
        assert_eq!(named(&meetings, Names::default()), None);
    }

    #[test]
    fn what_is_made_is_the_same_after_a_restart() {
        let (before, after) = (Meetings::default(), Meetings::default());
        let numbered = named(&before, join_id("1234567")).unwrap();
        assert_eq!(numbered.join_id, "1234567");
        assert_eq!(named(&after, thread(&numbered.thread)), Some(numbered.clone()));
        assert_eq!(named(&after, thread(THREAD)), named(&before, thread(THREAD)));
        let token = Names { token: Some("secret"), ..Names::default() };
        let met = named(&before, token).unwrap();
        assert_eq!(named(&after, token), Some(met.clone()));
        assert!(!met.thread.contains("secret") && met != numbered);
    }

    #[test]
    fn no_two_meetings_have_one_number() {
        let meetings = Meetings::default();
        let one = named(&meetings, thread(THREAD)).unwrap();
        let taken = Names { join_id: Some(&one.join_id), ..thread("19:other@thread.v2") };
        let other = named(&meetings, taken).unwrap();
        assert_ne!(other.join_id, one.join_id);
        assert_eq!(meetings.dialled(&one.join_id), Some(one));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let meetings = Meetings::default();
        let names = |n: usize| format!("19:{n}@thread.v2");
        let first = named(&meetings, thread(&names(0))).unwrap();
        let second = named(&meetings, thread(&names(1))).unwrap();
        (2..limits::MEETINGS).for_each(|n| drop(named(&meetings, thread(&names(n)))));
        // Named again.
        named(&meetings, thread(&names(0)));
        named(&meetings, thread(&names(limits::MEETINGS)));
        assert_eq!(meetings.list().len(), limits::MEETINGS);
        assert_eq!(meetings.dialled(&first.join_id), Some(first));
        assert_eq!(meetings.dialled(&second.join_id), None);
    }

    #[test]
    fn a_number_of_a_bot_leads_to_no_meeting() {
        let is_bots = |number: &str| number == "5000";
        let meetings = Meetings::default();
        let known = meetings.named(join_id("5000"), is_bots).unwrap();
        assert_ne!(known.join_id, "5000");
        assert_eq!(meetings.dialled(&known.join_id), Some(known.clone()));
        // It is a name all the same, whatever the meeting is dialled by, and after a restart.
        assert_eq!(meetings.named(join_id("5000"), is_bots), Some(known.clone()));
        assert_eq!(Meetings::default().named(join_id("5000"), is_bots), Some(known.clone()));
        assert_eq!(Meetings::default().named(thread(&known.thread), is_bots), Some(known));
        // A bot that comes later has its number, too.
        let meetings = Meetings::default();
        assert_eq!(named(&meetings, join_id("5000")).unwrap().join_id, "5000");
        assert_ne!(meetings.named(join_id("5000"), is_bots).unwrap().join_id, "5000");
    }
}
