//! The measure that says whether the right prompt was heard must itself be right.

use ringback_media::correlate::correlate;
use ringback_media::{g711, resample};

use crate::signals::{Random, melody};

#[test]
fn finds_a_signal_where_it_lies_whatever_its_loudness() {
    let reference = melody(1, 8_000, 2_000);
    for lag in [0usize, 1, 777, 7_999] {
        let mut heard = vec![0i16; lag];
        heard.extend(reference.iter().map(|s| s / 3));
        heard.extend([0; 5_000]);
        let found = correlate(&reference, &heard, 8_000).expect("not silent");
        assert_eq!(found.lag, lag as isize);
        assert!(found.coefficient > 0.999, "{found:?}");
    }
}

#[test]
fn a_missing_beginning_is_a_negative_lag_and_costs_its_share() {
    let reference = melody(1, 8_000, 2_000);
    let found = correlate(&reference, &reference[1_600..], 8_000).expect("not silent");
    assert_eq!(found.lag, -1_600);
    // A tenth of the energy is gone: √0.9.
    assert!((found.coefficient - 0.9f64.sqrt()).abs() < 0.01, "{found:?}");
}

#[test]
fn a_lag_over_the_bound_is_not_looked_at() {
    let reference = melody(1, 8_000, 1_000);
    let mut heard = vec![0; 500];
    heard.extend(&reference);
    assert!(correlate(&reference, &heard, 499).expect("not silent").coefficient < 0.9);
    assert!(correlate(&reference, &heard, 500).expect("not silent").coefficient > 0.99);
}

#[test]
fn another_melody_is_not_taken_for_it() {
    let heard = melody(2, 8_000, 10_000);
    for seed in 3..8 {
        let found = correlate(&melody(seed, 8_000, 3_000), &heard, 80_000).expect("not silent");
        assert!(found.coefficient < 0.3, "melody {seed}: {found:?}");
    }
}

#[test]
fn quantising_and_short_losses_leave_it_above_nine_tenths() {
    let reference = melody(9, 16_000, 10_000);
    let mut bytes = Vec::new();
    g711::encode_ulaw(&resample(&reference, 16_000, 8_000), &mut bytes);
    let mut heard = vec![0; 1_234];
    g711::decode_ulaw(&bytes, &mut heard);
    // Every twentieth packet is lost.
    for packet in heard.chunks_mut(160).step_by(20) {
        packet.fill(0);
    }
    let found = correlate(&resample(&reference, 16_000, 8_000), &heard, 16_000).expect("not silent");
    assert_eq!(found.lag, 1_234);
    assert!(found.coefficient > 0.95, "{found:?}");
    let at_16k = correlate(&reference, &resample(&heard, 8_000, 16_000), 16_000).expect("not silent");
    assert!(at_16k.coefficient > 0.9, "{at_16k:?}");
}

#[test]
fn silence_and_nothing_are_like_nothing() {
    let reference = melody(1, 8_000, 100);
    assert_eq!(correlate(&reference, &[], 100), None);
    assert_eq!(correlate(&[], &reference, 100), None);
    assert_eq!(correlate(&reference, &[0; 800], 100), None);
    assert_eq!(correlate(&reference, &[5; 800], 100), None, "a constant is silence");
}

#[test]
fn noise_is_not_a_melody() {
    let mut random = Random(4);
    let noise: Vec<i16> = (0..40_000).map(|_| random.below(20_000) as i16 - 10_000).collect();
    let found = correlate(&melody(1, 8_000, 2_000), &noise, 40_000).expect("not silent");
    assert!(found.coefficient < 0.3, "{found:?}");
}
