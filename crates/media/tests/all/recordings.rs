//! Recordings: when somebody is taken to speak, what ends a recording and when, what is on the tape, and legs over loopback
//! sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use ringback_media::correlate::correlate;
use ringback_media::limits::{FRAME_PCM, TAPE_SAMPLES};
use ringback_media::voice::Voice;
use ringback_media::{
    LegId, MediaEvent, PlayId, Prompt, RecordTerms, Recorder, Repeat, TapeEnd, TapeOut, Tone, g711, resample, tape,
};

use crate::phone::{PATIENCE, Phone, media};
use crate::signals::{add_noise, melody, speech};

const LEG: LegId = LegId::from_u128(1);
const RECORDING: PlayId = PlayId::from_u128(21);
const PORTS: std::ops::RangeInclusive<u16> = 20_000..=29_999;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// 5 s to the first word, 2 s of pause, a minute at most, `#` and `*`.
fn terms() -> RecordTerms {
    RecordTerms {
        initial_silence: seconds(5),
        max_silence: seconds(2),
        max_duration: seconds(60),
        stop_tones: vec![Tone::Pound, Tone::Star],
    }
}

/// What a recorder makes of samples, after half a second of a prompt in which the line is as `before` has it: the end, if it
/// came, and what is on the tape.
fn record(terms: RecordTerms, before: &[i16], pcm: &[i16]) -> (Option<TapeEnd>, Vec<i16>) {
    let (put, mut out) = tape(|| {});
    let mut recorder = Recorder::new(terms, put);
    before.chunks_exact(FRAME_PCM).for_each(|frame| recorder.frame(frame));
    recorder.begin();
    let mut taken = Vec::new();
    for frame in pcm.chunks_exact(FRAME_PCM) {
        recorder.frame(frame);
        if let Some(end) = out.take(&mut taken) {
            assert!(recorder.is_over());
            return (Some(end), taken);
        }
    }
    (None, taken)
}

fn length(pcm: &[i16]) -> f64 {
    pcm.len() as f64 / 16_000.0
}

fn silence(milliseconds: usize) -> Vec<i16> {
    vec![0; milliseconds * 16]
}

/// A line that is silent while the prompt plays, and then these pieces, with noise of a level all over it.
fn noisy(noise: Option<f64>, pieces: &[&[i16]]) -> (Vec<i16>, Vec<i16>) {
    let (mut before, mut pcm) = (silence(500), pieces.concat());
    if let Some(below) = noise {
        add_noise(7, below, &mut before);
        add_noise(8, below, &mut pcm);
    }
    (before, pcm)
}

/// Measured: for speech at −20 and −30 dB on a silent line and in noise at −70, −50 and −42 dB, the end comes between 60 ms
/// before (the last syllable was fading) and 40 ms after the nominal 5.4 s.
#[test]
fn a_pause_ends_it_in_any_noise_that_speech_is_heard_in() {
    for noise in [None, Some(70.0), Some(50.0), Some(42.0)] {
        for loudness in [20.0, 30.0] {
            for seed in 1..=5 {
                let said = speech(seed, loudness, 3_000);
                let (before, pcm) = noisy(noise, &[&silence(400), &said, &silence(10_000)]);
                let (end, kept) = record(terms(), &before, &pcm);
                let what = format!("speech at -{loudness} dB, seed {seed}, noise {noise:?}");
                assert_eq!(end, Some(TapeEnd::MaxSilence), "{what}");
                // 400 ms, 3 s of speech whose last syllable may be fading, 2 s of pause.
                assert!((5.3..=5.5).contains(&length(&kept)), "{what}: {} s", length(&kept));
                assert_eq!(kept, pcm[..kept.len()], "{what}");
            }
        }
    }
}

#[test]
fn nobody_speaks_in_silence_or_noise() {
    for noise in [None, Some(70.0), Some(55.0), Some(50.0), Some(40.0), Some(30.0), Some(20.0)] {
        let (before, pcm) = noisy(noise, &[&silence(10_000)]);
        let (end, kept) = record(terms(), &before, &pcm);
        assert_eq!((end, length(&kept)), (Some(TapeEnd::InitialSilence), 5.0), "noise {noise:?}");
        // Nor where nothing was played before, and the jitter buffer began with nothing.
        let late = [silence(60), pcm].concat();
        let (end, kept) = record(terms(), &[], &late);
        assert_eq!((end, length(&kept)), (Some(TapeEnd::InitialSilence), 5.0), "noise {noise:?}, no prompt");
    }
}

#[test]
fn comfort_noise_that_comes_and_goes_is_silence() {
    let mut comfort = silence(10_000);
    for (second, piece) in comfort.chunks_mut(16_000).enumerate() {
        if second % 2 == 1 {
            add_noise(second as u64, 52.0, piece);
        }
    }
    let (end, _) = record(terms(), &silence(500), &comfort);
    assert_eq!(end, Some(TapeEnd::InitialSilence));
    let said = [speech(1, 24.0, 1_500), comfort].concat();
    let (end, kept) = record(terms(), &silence(500), &said);
    assert_eq!(end, Some(TapeEnd::MaxSilence));
    assert!((3.2..=3.6).contains(&length(&kept)), "{} s", length(&kept));
}

#[test]
fn a_click_is_no_word_and_an_offset_is_no_sound() {
    let mut line = vec![500; 10_000 * 16];
    for second in 1..9 {
        line[second * 16_000..][..300].fill(20_000);
    }
    let (end, kept) = record(terms(), &[500; 8_000], &line);
    assert_eq!((end, length(&kept)), (Some(TapeEnd::InitialSilence), 5.0));
}

#[test]
fn pauses_between_words_are_part_of_it() {
    let words = |seed| speech(seed, 24.0, 800);
    let said = [words(1), silence(1_500), words(2), silence(1_700), words(3), silence(9_000)].concat();
    let (end, kept) = record(terms(), &silence(500), &said);
    assert_eq!(end, Some(TapeEnd::MaxSilence));
    assert!((7.3..=7.8).contains(&length(&kept)), "{} s", length(&kept));
}

#[test]
fn it_becomes_as_long_as_it_may() {
    let terms = RecordTerms { max_duration: seconds(3), ..terms() };
    let (end, kept) = record(terms.clone(), &silence(500), &speech(1, 24.0, 10_000));
    assert_eq!((end, kept.len()), (Some(TapeEnd::MaxDuration), 48_000));
    // Somebody who speaks on does so for two minutes, too.
    let terms = RecordTerms { max_duration: seconds(120), ..terms };
    let (end, kept) = record(terms, &silence(500), &speech(2, 24.0, 130_000));
    assert_eq!((end, kept.len()), (Some(TapeEnd::MaxDuration), 120 * 16_000));
}

#[test]
fn a_stop_tone_ends_it_once_it_has_begun() {
    let (put, mut out) = tape(|| {});
    let mut recorder = Recorder::new(terms(), put);
    recorder.frame(&[0; FRAME_PCM]);
    recorder.tone(Tone::Pound);
    assert!(!recorder.is_over(), "the prompt plays");
    recorder.begin();
    recorder.frame(&[3; FRAME_PCM]);
    recorder.tone(Tone::Digit(1));
    assert!(!recorder.is_over(), "no stop tone");
    recorder.frame(&[4; FRAME_PCM]);
    recorder.tone(Tone::Star);
    assert!(recorder.is_over());
    recorder.frame(&[5; FRAME_PCM]);
    recorder.discard();
    let mut taken = Vec::new();
    assert_eq!(out.take(&mut taken), Some(TapeEnd::StopTone), "the first end counts");
    assert_eq!(taken, [[3; FRAME_PCM], [4; FRAME_PCM]].concat());
}

#[test]
fn a_tape_that_nobody_takes_from_ends_whole() {
    let woken = Arc::new(AtomicUsize::new(0));
    let wakes = Arc::clone(&woken);
    let (put, mut out) = tape(move || {
        wakes.fetch_add(1, Ordering::Relaxed);
    });
    let mut recorder = Recorder::new(terms(), put);
    recorder.begin();
    let said = speech(3, 24.0, 6_000);
    said.chunks_exact(FRAME_PCM).for_each(|frame| recorder.frame(frame));
    let mut taken = Vec::new();
    assert_eq!(out.take(&mut taken), Some(TapeEnd::Overflow));
    assert_eq!(taken.len(), TAPE_SAMPLES / FRAME_PCM * FRAME_PCM);
    assert_eq!(taken, said[..taken.len()]);
    drop(recorder);
    assert_eq!(woken.load(Ordering::Relaxed), 1, "once");
}

proptest! {
    /// Across threads, whatever the steps: nothing is lost, doubled or out of order, and the end comes last.
    #[test]
    fn what_is_put_on_a_tape_is_taken_from_it(frames in 1usize..400, step in 1usize..700) {
        let (mut put, mut out) = tape(|| {});
        let writing = std::thread::spawn(move || {
            let mut next = 0i16;
            for _ in 0..frames {
                let frame: Vec<i16> = (0..step).map(|n| next.wrapping_add(n as i16)).collect();
                while !put.put(&frame) {
                    std::thread::yield_now();
                }
                next = next.wrapping_add(step as i16);
            }
            put.end(TapeEnd::Closed);
        });
        let mut taken = Vec::new();
        while out.take(&mut taken).is_none() {
            std::thread::yield_now();
        }
        writing.join().expect("no panic");
        prop_assert_eq!(taken.len(), frames * step);
        prop_assert!(taken.iter().enumerate().all(|(n, &sample)| sample == n as i16));
    }

    #[test]
    fn any_audio_is_judged(frames in prop::collection::vec(prop::collection::vec(any::<i16>(), 0..400), 0..600)) {
        let mut voice = Voice::default();
        for frame in frames {
            voice.frame(&frame);
        }
    }
}

/// Takes from a tape until it ends.
fn until_the_end(out: &mut TapeOut) -> (TapeEnd, Vec<i16>) {
    let start = Instant::now();
    let mut taken = Vec::new();
    loop {
        if let Some(end) = out.take(&mut taken) {
            return (end, taken);
        }
        assert!(start.elapsed() < PATIENCE, "the tape never ended");
        std::thread::yield_now();
    }
}

#[test]
fn a_leg_is_recorded_after_its_prompt_and_beep() {
    let (media, events) = media(PORTS);
    let mut phone = Phone::new();
    let local = media.open_rtp(LEG).expect("open");
    media.connect(LEG, phone.remote());
    let (put, mut out) = tape(|| {});
    let prompt = Arc::new(Prompt::from_pcm16k(melody(1, 16_000, 300)));
    media.record(LEG, RECORDING, vec![Arc::clone(&prompt)], true, terms(), put).expect("not busy");
    // The prompt, the beep, and silence behind.
    let heard = phone.record(40);
    let reference = resample(prompt.pcm16k(), 16_000, 8_000);
    let found = correlate(&reference, &heard, heard.len()).expect("sound");
    assert!(found.coefficient > 0.95, "{}", found.coefficient);
    let beep = &heard[found.lag as usize + reference.len()..];
    let sound = beep.iter().filter(|sample| sample.unsigned_abs() > 1_000).count();
    assert!((1_200..=2_000).contains(&sound), "250 ms of beep: {sound} samples");
    // What the phone says from now on, a frame each time it hears one; again until it is on the tape as it is, for a busy
    // machine's jitter may cut it anywhere.
    let said = melody(5, 8_000, 1_000);
    let wanted = resample(&said, 8_000, 16_000);
    let is_on = |taken: &[i16]| correlate(&wanted, taken, taken.len()).is_some_and(|found| found.coefficient > 0.9);
    let (start, mut taken) = (Instant::now(), Vec::new());
    while !is_on(&taken) {
        assert!(start.elapsed() < PATIENCE, "it was never on the tape");
        phone.catch_up();
        for frame in said.chunks_exact(160) {
            let mut payload = Vec::new();
            g711::encode_ulaw(frame, &mut payload);
            let timestamp = phone.step();
            phone.send(local, 0, false, timestamp, &payload);
            phone.hear();
        }
        assert_eq!(out.take(&mut taken), None);
    }
    phone.press(local, '#');
    assert_eq!(events.next(), (LEG, MediaEvent::Tone { tone: Tone::Pound }), "it is told as a tone, too, and first");
    assert_eq!(until_the_end(&mut out).0, TapeEnd::StopTone);
    // The lead-in is told by the tape alone: the next thing told is the next play's end.
    media.play(LEG, PlayId::from_u128(9), vec![prompt], Repeat::Times(1)).expect("not busy");
    assert_eq!(events.next(), (LEG, MediaEvent::Finished { play: PlayId::from_u128(9) }));
}

#[test]
fn a_recording_ends_with_its_leg_by_word_or_unheard() {
    let (media, _events) = media(PORTS);
    let record = |leg| {
        let (put, out) = tape(|| {});
        media.record(leg, RECORDING, vec![], true, terms(), put).expect("not busy");
        out
    };
    // A leg that is not there.
    assert_eq!(until_the_end(&mut record(LEG)), (TapeEnd::Closed, vec![]));
    let phone = Phone::new();
    media.open_rtp(LEG).expect("open");
    media.connect(LEG, phone.remote());
    let mut stopped = record(LEG);
    media.stop(LEG, RECORDING);
    assert_eq!(until_the_end(&mut stopped).0, TapeEnd::Discarded);
    let mut kept = record(LEG);
    media.keep(LEG, RECORDING);
    assert_eq!(until_the_end(&mut kept).0, TapeEnd::Closed);
    let mut closed = record(LEG);
    media.close(LEG);
    assert_eq!(until_the_end(&mut closed).0, TapeEnd::Closed);
}
