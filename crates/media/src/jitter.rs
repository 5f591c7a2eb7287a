//! The jitter buffer: packets' bytes in, in whatever order the network brings them; a steady frame of 20 ms out.
//! Pure: the clock is the caller, who pulls once every 20 ms. Knows neither RTP headers nor what the bytes mean.
//!
//! It holds code, not samples: a codec that remembers what came before must decode in order, and what is dropped
//! here was never decoded. All codecs here are of 64 kbit/s at an RTP clock of 8 kHz, so one byte is one tick of the
//! timestamp.
//!
//! Bytes lie in a ring by their RTP timestamp, so order, duplicates, pauses and any packet length need no rule
//! of their own. Delay adapts in two ways: an empty buffer waits (a longer delay from then on), and a buffer that
//! stays too full for [`limits::JITTER_CALM`] frames skips one frame (a shorter delay).

use crate::limits::{FRAME_TICKS, JITTER_CALM, JITTER_CAPACITY, JITTER_HIGH, JITTER_START};

/// One stream's jitter buffer. Its memory is fixed.
#[derive(Clone, Debug)]
pub struct Jitter {
    /// Byte `t` of the stream lies at `t % JITTER_CAPACITY`, if it lies in `play..end`.
    ring: Vec<Option<u8>>,
    /// Extended timestamp of the next byte to play and of the first not yet seen; `None` before the first packet.
    window: Option<Window>,
    full_for: u32,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    play: u64,
    end: u64,
}

/// A frame of bytes; `None` where one was not received in time.
pub type CodeFrame = [Option<u8>; FRAME_TICKS];

impl Default for Jitter {
    fn default() -> Jitter {
        Jitter { ring: vec![None; JITTER_CAPACITY], window: None, full_for: 0 }
    }
}

impl Jitter {
    /// Takes the bytes of a packet with its RTP timestamp. What was already played is dropped; a packet so far
    /// from the others that it cannot be played with them starts the stream anew.
    pub fn insert(&mut self, timestamp: u32, code: &[u8]) {
        if code.is_empty() || code.len() > JITTER_CAPACITY - JITTER_START {
            return;
        }
        let mut window = self.window.unwrap_or_else(|| Window::starting_at(timestamp));
        let mut from = window.extend(timestamp);
        if from + code.len() as u64 > window.play + JITTER_CAPACITY as u64
            || from + (JITTER_CAPACITY as u64) < window.play
        {
            self.ring.fill(None);
            window = Window::starting_at(timestamp);
            from = window.extend(timestamp);
        }
        for (at, &byte) in (from..).zip(code) {
            if at >= window.play {
                self.ring[at as usize % JITTER_CAPACITY] = Some(byte);
            }
        }
        window.end = window.end.max(from + code.len() as u64);
        self.window = Some(window);
    }

    /// The next 20 ms; `None` while there is not a whole frame to play.
    pub fn pull(&mut self) -> Option<CodeFrame> {
        self.shrink_if_calm();
        let window = self.window.filter(|w| w.end >= w.play + FRAME_TICKS as u64)?;
        let mut frame = [None; FRAME_TICKS];
        for (at, slot) in (window.play..).zip(&mut frame) {
            *slot = self.ring[at as usize % JITTER_CAPACITY].take();
        }
        self.window = Some(Window { play: window.play + FRAME_TICKS as u64, ..window });
        Some(frame)
    }

    /// Bytes received ahead of the play position, gaps included.
    pub fn depth(&self) -> usize {
        self.window.map_or(0, |w| (w.end - w.play.min(w.end)) as usize)
    }

    fn shrink_if_calm(&mut self) {
        self.full_for = if self.depth() > JITTER_HIGH { self.full_for + 1 } else { 0 };
        if self.full_for < JITTER_CALM {
            return;
        }
        self.full_for = 0;
        if let Some(window) = &mut self.window {
            for at in window.play..window.play + FRAME_TICKS as u64 {
                self.ring[at as usize % JITTER_CAPACITY] = None;
            }
            window.play += FRAME_TICKS as u64;
        }
    }
}

impl Window {
    /// A fresh stream is played after a delay of [`JITTER_START`]. Extended timestamps start one turn up, so that
    /// what comes before the first packet has a number too.
    fn starting_at(timestamp: u32) -> Window {
        let first = (1 << 32) + u64::from(timestamp);
        Window { play: first - JITTER_START as u64, end: first }
    }

    /// The extended timestamp nearest to the newest one seen.
    fn extend(&self, timestamp: u32) -> u64 {
        let ahead = timestamp.wrapping_sub(self.end as u32) as i32;
        self.end.saturating_add_signed(i64::from(ahead))
    }
}
