//! The jitter buffer: packets' samples in, in whatever order the network brings them; a steady frame of 20 ms out.
//! Pure: the clock is the caller, who pulls once every 20 ms. Knows neither RTP headers nor codecs.
//!
//! Samples lie in a ring by their RTP timestamp, so order, duplicates, pauses and any packet length need no rule
//! of their own. Delay adapts in two ways: an empty buffer waits (a longer delay from then on), and a buffer that
//! stays too full for [`limits::JITTER_CALM`] frames skips one frame (a shorter delay). A gap is concealed by the
//! last frame heard, fading to silence.

use crate::limits::{CONCEAL_FRAMES, FRAME_SAMPLES, JITTER_CALM, JITTER_CAPACITY, JITTER_HIGH, JITTER_START};

/// One stream's jitter buffer, at 8 kHz. Its memory is fixed.
#[derive(Clone, Debug)]
pub struct Jitter {
    /// Sample `t` of the stream lies at `t % JITTER_CAPACITY`, if it lies in `play..end`.
    ring: Vec<Option<i16>>,
    /// Extended timestamp of the next sample to play and of the first not yet seen; `None` before the first packet.
    window: Option<Window>,
    full_for: u32,
    last_frame: [i16; FRAME_SAMPLES],
    concealed: u32,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    play: u64,
    end: u64,
}

/// What a pulled frame is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Samples that were received, all of them.
    Heard,
    /// At least one sample was missing and is concealed.
    Concealed,
    /// Nothing is there to play: silence, or the fading end of what was.
    Nothing,
}

impl Default for Jitter {
    fn default() -> Jitter {
        Jitter {
            ring: vec![None; JITTER_CAPACITY],
            window: None,
            full_for: 0,
            last_frame: [0; FRAME_SAMPLES],
            concealed: CONCEAL_FRAMES,
        }
    }
}

impl Jitter {
    /// Takes the samples of a packet with its RTP timestamp. What was already played is dropped; a packet so far
    /// from the others that it cannot be played with them starts the stream anew.
    pub fn insert(&mut self, timestamp: u32, pcm: &[i16]) {
        if pcm.is_empty() || pcm.len() > JITTER_CAPACITY - JITTER_START {
            return;
        }
        let mut window = self.window.unwrap_or_else(|| Window::starting_at(timestamp));
        let mut from = window.extend(timestamp);
        if from + pcm.len() as u64 > window.play + JITTER_CAPACITY as u64
            || from + (JITTER_CAPACITY as u64) < window.play
        {
            self.ring.fill(None);
            window = Window::starting_at(timestamp);
            from = window.extend(timestamp);
        }
        for (at, &sample) in (from..).zip(pcm) {
            if at >= window.play {
                self.ring[at as usize % JITTER_CAPACITY] = Some(sample);
            }
        }
        window.end = window.end.max(from + pcm.len() as u64);
        self.window = Some(window);
    }

    /// Fills the next 20 ms.
    pub fn pull(&mut self, frame: &mut [i16; FRAME_SAMPLES]) -> Pulled {
        self.shrink_if_calm();
        let ready = self.window.filter(|w| w.end >= w.play + FRAME_SAMPLES as u64);
        let Some(window) = ready else {
            self.conceal(frame, |_| None);
            self.concealed = self.concealed.saturating_add(1);
            return Pulled::Nothing;
        };
        let mut taken = [None; FRAME_SAMPLES];
        for (at, slot) in (window.play..).zip(&mut taken) {
            *slot = self.ring[at as usize % JITTER_CAPACITY].take();
        }
        self.window = Some(Window { play: window.play + FRAME_SAMPLES as u64, ..window });
        if taken.iter().all(Option::is_some) {
            self.conceal(frame, |i| taken[i]);
            self.last_frame = *frame;
            self.concealed = 0;
            Pulled::Heard
        } else {
            self.conceal(frame, |i| taken[i]);
            self.concealed = self.concealed.saturating_add(1);
            Pulled::Concealed
        }
    }

    /// Samples received ahead of the play position, gaps included.
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
            for at in window.play..window.play + FRAME_SAMPLES as u64 {
                self.ring[at as usize % JITTER_CAPACITY] = None;
            }
            window.play += FRAME_SAMPLES as u64;
        }
    }

    /// Each sample that `sample` lacks is that of the last whole frame, quieter with each frame concealed.
    fn conceal(&self, frame: &mut [i16; FRAME_SAMPLES], sample: impl Fn(usize) -> Option<i16>) {
        let left = CONCEAL_FRAMES.saturating_sub(self.concealed) as i32;
        let whole = CONCEAL_FRAMES as i32;
        for (i, out) in frame.iter_mut().enumerate() {
            *out = sample(i).unwrap_or_else(|| (i32::from(self.last_frame[i]) * left / (whole + 1)) as i16);
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
