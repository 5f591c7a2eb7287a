//! Audio to play and to be recorded: sequences of pure tones, something like speech, and noise, drawn from a seed.

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

/// Something with the rhythm of speech, 16 kHz, active level about −`below` dB: syllables of 120 to 220 ms that swell and fade,
/// with harmonics of a voice, and gaps of 20 to 80 ms between them.
pub(crate) fn speech(seed: u64, below: f64, milliseconds: usize) -> Vec<i16> {
    let mut random = Random(seed);
    let loudness = 32_768.0 * 10f64.powf(-below / 20.0) * 2.0;
    let mut pcm = Vec::new();
    while pcm.len() < milliseconds * 16 {
        let (syllable, gap) = (16 * (120 + random.below(100) as usize), 16 * (20 + random.below(60) as usize));
        let pitch = 100.0 + random.below(80) as f64;
        for n in 0..syllable {
            let swell = (n as f64 / syllable as f64 * std::f64::consts::PI).sin();
            let phase = n as f64 * pitch / 16_000.0 * std::f64::consts::TAU;
            let voice: f64 = (1..=8).map(|harmonic| (phase * f64::from(harmonic)).sin() / f64::from(harmonic)).sum();
            pcm.push((voice * swell * loudness).clamp(-32_000.0, 32_000.0) as i16);
        }
        pcm.resize(pcm.len() + gap, 0);
    }
    pcm.truncate(milliseconds * 16);
    pcm
}

/// White noise of this level, 16 kHz, added to the samples.
pub(crate) fn add_noise(seed: u64, below: f64, pcm: &mut [i16]) {
    let mut random = Random(seed);
    // Uniform noise of peak p has a level of p/√3.
    let peak = 32_768.0 * 10f64.powf(-below / 20.0) * 3f64.sqrt();
    for sample in pcm {
        let noise = (random.below(2_000_001) as f64 / 1_000_000.0 - 1.0) * peak;
        *sample = (f64::from(*sample) + noise).clamp(-32_768.0, 32_767.0) as i16;
    }
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
