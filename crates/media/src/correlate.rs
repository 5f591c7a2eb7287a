//! How alike two recordings are: normalised cross-correlation at the lag that fits best. Knows no codec and no call.

use realfft::RealFftPlanner;

/// Where a signal was found in another, and how alike they are there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Sample of `heard` at which `reference` begins; negative if its beginning is missing.
    pub lag: isize,
    /// 1 is the same up to loudness, 0 has nothing in common, −1 is the same upside down.
    pub coefficient: f64,
}

/// Finds `reference` in `heard`, both mono and of one sample rate, at a lag of at most `max_lag` samples either way.
///
/// The coefficient is taken over the whole reference: parts of it that were not heard count as silence, so a lost
/// segment lowers it by its share of the energy. What was heard before and after does not count. `None` if either is
/// empty or silent.
pub fn correlate(reference: &[i16], heard: &[i16], max_lag: usize) -> Option<Match> {
    let reference = centred(reference)?;
    let heard = centred(heard)?;
    let products = products(&reference, &heard);
    let energy = reference.iter().map(|s| s * s).sum::<f64>();
    let mut energy_before = Vec::with_capacity(heard.len() + 1);
    energy_before.push(0.0);
    energy_before.extend(heard.iter().scan(0.0, |sum, s| {
        *sum += s * s;
        Some(*sum)
    }));
    let within = |at: isize| energy_before[at.clamp(0, heard.len() as isize) as usize];
    // A window with next to no energy would divide noise by noise.
    let floor = energy * 1e-6;
    let earliest = (max_lag.min(reference.len() - 1) as isize).wrapping_neg();
    let latest = max_lag.min(heard.len() - 1) as isize;
    (earliest..=latest)
        .map(|lag| {
            let window = within(lag + reference.len() as isize) - within(lag);
            let product = products[lag.rem_euclid(products.len() as isize) as usize];
            let coefficient = if window > floor { product / (energy * window).sqrt() } else { 0.0 };
            Match { lag, coefficient }
        })
        .max_by(|a, b| a.coefficient.total_cmp(&b.coefficient))
}

/// Without its mean; `None` if nothing is left.
fn centred(pcm: &[i16]) -> Option<Vec<f64>> {
    let mean = pcm.iter().map(|&s| f64::from(s)).sum::<f64>() / pcm.len().max(1) as f64;
    let centred: Vec<f64> = pcm.iter().map(|&s| f64::from(s) - mean).collect();
    centred.iter().any(|s| s.abs() > f64::EPSILON).then_some(centred)
}

/// The sum of `reference[i] * heard[i + lag]` for every lag; a negative lag counts from the end. By the Fourier
/// transform, so that ten seconds take milliseconds.
fn products(reference: &[f64], heard: &[f64]) -> Vec<f64> {
    let length = (reference.len() + heard.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let forward = planner.plan_fft_forward(length);
    let spectrum = |signal: &[f64]| {
        let mut padded = signal.to_vec();
        padded.resize(length, 0.0);
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut padded, &mut spectrum).expect("lengths of the plan");
        spectrum
    };
    let mut cross = spectrum(heard);
    for (heard, reference) in cross.iter_mut().zip(spectrum(reference)) {
        *heard *= reference.conj();
    }
    let inverse = planner.plan_fft_inverse(length);
    let mut products = inverse.make_output_vec();
    inverse.process(&mut cross, &mut products).expect("lengths of the plan, real ends");
    let scale = 1.0 / length as f64;
    products.iter_mut().for_each(|p| *p *= scale);
    products
}
