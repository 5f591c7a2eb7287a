//! A tone for people: the beep, a test line's voice, a melody. Those of keys are made in `dtmf`.

use std::f64::consts::TAU;

/// Well below full scale, so that nothing clips.
const PEAK: f64 = 8_000.0;

/// So many samples of a sine. It fades in and out for ten milliseconds, so that it does not click.
pub fn sine(rate: u32, hertz: f64, samples: u32) -> impl Iterator<Item = i16> {
    (0..samples).map(move |n| {
        let fade = f64::from(n.min(samples - n)) / f64::from(rate / 100);
        ((TAU * hertz * f64::from(n) / f64::from(rate)).sin() * fade.min(1.0) * PEAK) as i16
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_has_its_pitch_and_neither_end_clicks() {
        let sound: Vec<i16> = sine(16_000, 1_000.0, 16_000).collect();
        let crossings = sound.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        assert!((998..=1_000).contains(&crossings), "{crossings} periods in a second");
        assert!(sound.iter().take(16).chain(sound.iter().rev().take(16)).all(|sample| sample.abs() < 1_000));
        assert_eq!(sound.iter().max(), Some(&8_000));
    }
}
