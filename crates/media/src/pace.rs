//! When a leg's next frame is due. Pure: slots are numbers. Knows no leg and no clock.

use crate::limits::SLOTS;

/// One leg's place among the slots.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The slot of the next frame, counted from the shard's start.
    due: u64,
    /// Slots by which the stream runs ahead of time, because a play did not wait for its turn. Paid back by the next
    /// frame of silence, so that timestamps and time never part by a whole frame.
    lead: u64,
}

impl Pace {
    pub(crate) fn new(due: u64) -> Pace {
        Pace { due, lead: 0 }
    }

    /// Never due: somebody else gives the frames.
    pub(crate) fn never() -> Pace {
        Pace::new(u64::MAX)
    }

    /// Whether a frame is to be sent in this slot.
    pub(crate) fn is_due(&self, slot: u64) -> bool {
        self.due <= slot
    }

    /// Brings the next frame forward to `slot`, so that a play begins at once.
    pub(crate) fn hurry(&mut self, slot: u64) {
        let early = self.due.saturating_sub(slot).min(SLOTS - 1 - self.lead);
        self.due -= early;
        self.lead += early;
    }

    /// A frame was sent in `slot`; the next comes a frame later, or later still where a lead is paid back.
    pub(crate) fn sent(&mut self, slot: u64, playing: bool) {
        self.due += SLOTS;
        if !playing {
            self.due += self.lead;
            self.lead = 0;
        }
        // A shard that skipped slots does not make up for them.
        self.due = self.due.max(slot + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_play_joins_the_next_slot_and_silence_pays_it_back() {
        let mut pace = Pace::new(2);
        pace.sent(2, false);
        assert!(!pace.is_due(5));
        pace.hurry(3);
        assert!(pace.is_due(3));
        pace.sent(3, true);
        pace.sent(7, false);
        assert!(!pace.is_due(13) && pace.is_due(14), "back to every fourth slot after 2");
    }

    proptest! {
        #[test]
        fn a_stream_never_parts_from_time_by_a_frame(steps in proptest::collection::vec((0u8..8, any::<bool>()), 1..200)) {
            let mut pace = Pace::new(0);
            let mut frames = 0;
            for slot in 0u64.. {
                let Some(&(hurry, playing)) = steps.get(slot as usize) else { break };
                if hurry == 0 {
                    pace.hurry(slot);
                }
                if pace.is_due(slot) {
                    // The frame's timestamp is 4 slots times the frames before it.
                    let ahead = (frames * SLOTS).abs_diff(slot);
                    prop_assert!(ahead < SLOTS, "{ahead} slots");
                    frames += 1;
                    pace.sent(slot, playing);
                }
            }
        }
    }
}
