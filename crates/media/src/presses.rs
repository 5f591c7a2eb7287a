//! One key press is told once, however many ways it is heard: as RTP events, as a tone in the audio, as a SIP INFO.
//! Pure: time is an argument. Knows no packet.
//!
//! A report is a repetition if another way told the same key within [`SAME_PRESS`] and this way has not repeated it
//! yet. So two presses of one key, each heard both ways, are two, in whatever order the four reports come; and a key
//! pressed twice, heard one way only, is two, as long as it is not faster than [`PRESSES_REMEMBERED`] allows.
//! A key may be told at the beginning of its press by one way and at its end by another: the time between counts from
//! when it was [held](Presses::held) last.

use std::time::Duration;

use crate::Tone;
use crate::limits::{PRESSES_REMEMBERED, SAME_PRESS};

/// How a press was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// RTP events (RFC 4733).
    Events,
    /// A tone in the audio.
    Audio,
    /// The signalling: SIP INFO (RFC 6086).
    Signalling,
}

/// The presses of the last while.
#[derive(Clone, Debug, Default)]
pub struct Presses {
    told: Vec<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    tone: Tone,
    at: Duration,
    /// Ways that reported it, a bit each.
    ways: u8,
}

impl Presses {
    /// Takes a report; returns whether it is of a press not told yet.
    pub fn is_new(&mut self, now: Duration, tone: Tone, way: Way) -> bool {
        let bit = 1 << way as u8;
        self.told.retain(|told| now.saturating_sub(told.at) < SAME_PRESS);
        let same = self.told.iter_mut().find(|told| told.tone == tone && told.ways & bit == 0);
        if let Some(told) = same {
            told.ways |= bit;
            return false;
        }
        // No finger is as fast: what a far end makes up beyond it costs nobody anything.
        if self.told.len() == PRESSES_REMEMBERED {
            return false;
        }
        self.told.push(Told { tone, at: now, ways: bit });
        true
    }

    /// A key is down, by a way that tells it at its end: what was told of it already does not grow old meanwhile.
    pub fn held(&mut self, now: Duration, tone: Tone, way: Way) {
        let recent = |told: &&mut Told| now.saturating_sub(told.at) < SAME_PRESS;
        let same =
            self.told.iter_mut().filter(recent).find(|told| told.tone == tone && told.ways & 1 << way as u8 == 0);
        if let Some(told) = same {
            told.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIVE: Tone = Tone::Digit(5);

    fn told(reports: &[(u64, Tone, Way)]) -> Vec<bool> {
        let mut presses = Presses::default();
        reports.iter().map(|&(ms, tone, way)| presses.is_new(Duration::from_millis(ms), tone, way)).collect()
    }

    #[test]
    fn a_press_heard_three_ways_is_one() {
        use Way::{Audio, Events, Signalling};
        assert_eq!(told(&[(0, FIVE, Signalling), (90, FIVE, Audio), (120, FIVE, Events)]), [true, false, false]);
        assert_eq!(told(&[(0, FIVE, Events), (0, Tone::Star, Signalling)]), [true, true], "another key is another");
        let late = SAME_PRESS.as_millis() as u64;
        assert_eq!(told(&[(0, FIVE, Events), (late - 1, FIVE, Signalling)]), [true, false]);
        assert_eq!(told(&[(0, FIVE, Events), (late, FIVE, Signalling)]), [true, true], "too late to be the same");
    }

    #[test]
    fn a_key_that_is_held_is_one_press_however_long() {
        use Way::{Events, Signalling};
        let mut presses = Presses::default();
        let ms = Duration::from_millis;
        for press in [0, 60_000] {
            assert!(presses.is_new(ms(press), FIVE, Signalling));
            (press..press + 5_000).step_by(20).for_each(|at| presses.held(ms(at), FIVE, Events));
            assert!(!presses.is_new(ms(press + 5_000), FIVE, Events), "its end");
            // The next one, told by its beginning while this one's end is still remembered.
            assert!(presses.is_new(ms(press + 5_100), FIVE, Signalling));
            presses.held(ms(press + 5_120), Tone::Star, Events);
            assert!(presses.is_new(ms(press + 6_100), FIVE, Events), "another key was held");
        }
        // What was told too long before is another press.
        assert!(presses.is_new(ms(200_000), FIVE, Signalling));
        presses.held(ms(201_000), FIVE, Events);
        assert!(presses.is_new(ms(201_100), FIVE, Events));
    }

    #[test]
    fn a_key_pressed_twice_is_two_in_any_order_of_its_reports() {
        use Way::{Events, Signalling};
        let (e, s) = (Events, Signalling);
        for ways in [[e, s, e, s], [e, e, s, s], [s, e, e, s], [s, s, e, e]] {
            let reports: Vec<_> = ways.iter().enumerate().map(|(i, &way)| (i as u64 * 50, FIVE, way)).collect();
            assert_eq!(told(&reports).into_iter().filter(|new| *new).count(), 2, "{ways:?}");
        }
        assert_eq!(told(&[(0, FIVE, e), (60, FIVE, e)]), [true, true], "one way alone is believed");
    }

    #[test]
    fn no_more_keys_are_told_than_a_finger_presses() {
        let mut presses = Presses::default();
        let mut told_at = |ms| presses.is_new(Duration::from_millis(ms), FIVE, Way::Events);
        assert_eq!((0..900).filter(|&ms| told_at(ms)).count(), PRESSES_REMEMBERED);
        assert!(told_at(SAME_PRESS.as_millis() as u64), "and later again");
    }

    proptest! {
        /// Each press is heard by a set of ways, in any order, all within half the window.
        #[test]
        fn as_many_as_were_pressed(presses in proptest::collection::vec((0u8..16, 1u8..8, 0usize..6), 1..30)) {
            const WAYS: [Way; 3] = [Way::Events, Way::Audio, Way::Signalling];
            const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
            let mut reports = Vec::new();
            for (number, (event, ways, order)) in presses.iter().enumerate() {
                let heard = ORDERS[*order].into_iter().filter(|way| ways >> way & 1 == 1);
                let tone = Tone::of_event(*event).expect("a key");
                // A press a second: ways that missed one do not make up for it in the next.
                let start = number as u64 * 1_500;
                reports.extend(heard.zip(0..).map(|(way, n)| (start + n * 200, tone, WAYS[way])));
            }
            prop_assert_eq!(told(&reports).into_iter().filter(|new| *new).count(), presses.len());
        }

        #[test]
        fn reports_without_end_are_bounded(reports in proptest::collection::vec((0u64..10, 0u8..16, 0usize..3), 0..500)) {
            let mut presses = Presses::default();
            for (now, event, way) in reports {
                let tone = Tone::of_event(event).expect("a key");
                presses.is_new(Duration::from_millis(now), tone, [Way::Events, Way::Audio, Way::Signalling][way]);
                prop_assert!(presses.told.len() <= PRESSES_REMEMBERED);
            }
        }
    }
}
