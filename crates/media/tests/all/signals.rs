//! Audio to play: sequences of pure tones drawn from a seed, loud and unlike each other.

/// Mono samples: every 100 ms another tone between 300 and 3,000 Hz.
pub(crate) fn melody(seed: u64, rate: u32, milliseconds: u32) -> Vec<i16> {
    let mut random = Random(seed);
    let mut phase = 0.0f64;
    let mut pcm = Vec::new();
    for _ in 0..milliseconds / 100 {
        let hertz = 300.0 + (random.below(2_700)) as f64;
        for _ in 0..rate / 10 {
            pcm.push((phase.sin() * 12_000.0) as i16);
            phase += hertz / f64::from(rate) * std::f64::consts::TAU;
        }
    }
    pcm
}

/// A small generator (xorshift), so that every run is the same.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number under `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1);
        let mut x = self.0;
        x ^= x >> 32;
        x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        x ^= x >> 32;
        x % bound
    }
}
