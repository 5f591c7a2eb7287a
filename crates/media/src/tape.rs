//! A tape: what a leg records on its way from the shard to whoever writes it down. Bounded, and neither side ever waits for
//! the other: the shard's tick must not, and the writer waits for a disk. Knows no file.

use std::sync::Arc;
use std::sync::atomic::{AtomicI16, AtomicU8, AtomicUsize, Ordering};

use crate::limits::TAPE_SAMPLES;

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapeEnd {
    /// A stop tone.
    StopTone,
    /// As long as it may become.
    MaxDuration,
    /// A pause.
    MaxSilence,
    /// Nobody said anything.
    InitialSilence,
    /// The leg was closed, or the recording ended on purpose; what is on the tape counts.
    Closed,
    /// Stopped: what is on the tape is not wanted.
    Discarded,
    /// The writer did not keep up. What was recorded before is on the tape, whole.
    Overflow,
}

const ENDS: [TapeEnd; 7] = [
    TapeEnd::StopTone,
    TapeEnd::MaxDuration,
    TapeEnd::MaxSilence,
    TapeEnd::InitialSilence,
    TapeEnd::Closed,
    TapeEnd::Discarded,
    TapeEnd::Overflow,
];

struct Shared {
    /// Sample `n` of the recording lies at `n % TAPE_SAMPLES`, if it lies in `taken..put`.
    ring: Box<[AtomicI16]>,
    put: AtomicUsize,
    taken: AtomicUsize,
    /// 0 while it goes on; then one more than the place in [`ENDS`].
    end: AtomicU8,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// The recording end. Dropped, it ends the tape as [`TapeEnd::Closed`].
pub struct TapeIn(Arc<Shared>);

/// The writing end.
pub struct TapeOut(Arc<Shared>);

/// A blank tape of mono samples at 16 kHz. `wake` is called once, on a media thread, when the tape ends; it must not block.
pub fn tape(wake: impl Fn() + Send + Sync + 'static) -> (TapeIn, TapeOut) {
    let ring = (0..TAPE_SAMPLES).map(|_| AtomicI16::new(0)).collect();
    let shared = Shared {
        ring,
        put: AtomicUsize::new(0),
        taken: AtomicUsize::new(0),
        end: AtomicU8::new(0),
        wake: Box::new(wake),
    };
    let shared = Arc::new(shared);
    (TapeIn(Arc::clone(&shared)), TapeOut(shared))
}

impl TapeIn {
    /// Records samples; false if there is no room for all of them, and then none is recorded.
    pub fn put(&mut self, pcm: &[i16]) -> bool {
        let Shared { ring, put, taken, .. } = &*self.0;
        let from = put.load(Ordering::Relaxed);
        let to = from.wrapping_add(pcm.len());
        if to.wrapping_sub(taken.load(Ordering::Acquire)) > TAPE_SAMPLES {
            return false;
        }
        for (offset, &sample) in pcm.iter().enumerate() {
            ring[from.wrapping_add(offset) % TAPE_SAMPLES].store(sample, Ordering::Relaxed);
        }
        put.store(to, Ordering::Release);
        true
    }

    /// Ends the tape; the first end counts.
    pub fn end(self, end: TapeEnd) {
        self.finish(end);
    }

    fn finish(&self, end: TapeEnd) {
        let code = ENDS.iter().position(|known| *known == end).map_or(1, |place| place as u8 + 1);
        if self.0.end.compare_exchange(0, code, Ordering::Release, Ordering::Relaxed).is_ok() {
            (self.0.wake)();
        }
    }
}

impl Drop for TapeIn {
    fn drop(&mut self) {
        self.finish(TapeEnd::Closed);
    }
}

impl TapeOut {
    /// Appends all that was recorded since, and says how the tape ended, if nothing more will come.
    pub fn take(&mut self, pcm: &mut Vec<i16>) -> Option<TapeEnd> {
        let Shared { ring, put, taken, end, .. } = &*self.0;
        // First the end, then the samples: those before the end are then seen, too.
        let ended = end.load(Ordering::Acquire).checked_sub(1).and_then(|place| ENDS.get(usize::from(place)).copied());
        let (from, to) = (taken.load(Ordering::Relaxed), put.load(Ordering::Acquire));
        let count = to.wrapping_sub(from);
        pcm.extend((0..count).map(|offset| ring[from.wrapping_add(offset) % TAPE_SAMPLES].load(Ordering::Relaxed)));
        taken.store(to, Ordering::Release);
        ended
    }
}

impl std::fmt::Debug for TapeIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TapeIn")
    }
}

impl std::fmt::Debug for TapeOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TapeOut")
    }
}
