//! Mixers over loopback sockets, as the other rooms use them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringback_media::correlate::correlate;
use ringback_media::limits::MIXED_LEGS;
use ringback_media::{
    LegId, Media, MediaConfig, MediaEvent, MediaSink, MixError, OpenError, PlayId, Prompt, RecordTerms, Repeat,
    TapeEnd, Tone, g711, resample, tape,
};

use crate::phone::{LOOPBACK, PATIENCE, Phone, media};
use crate::signals::melody;

const PORTS: std::ops::RangeInclusive<u16> = 20_000..=29_999;
const SEAT: LegId = LegId::from_u128(9);
const ONE: LegId = LegId::from_u128(1);
const TWO: LegId = LegId::from_u128(2);
const PLAY: PlayId = PlayId::from_u128(11);
const RECORDING: PlayId = PlayId::from_u128(12);

fn likeness(reference: &[i16], heard: &[i16]) -> f64 {
    correlate(reference, heard, heard.len()).map_or(0.0, |found| found.coefficient)
}

/// Says a melody in real time until the other phone has heard it; both phones' packets keep each other's pace.
fn is_heard(says: &mut Phone, to: ringback_media::LocalRtp, hears: &Phone, said: &[i16]) -> bool {
    let start = Instant::now();
    let narrow = resample(said, 16_000, 8_000);
    let mut heard = Vec::new();
    while start.elapsed() < PATIENCE {
        says.catch_up();
        hears.catch_up();
        for frame in narrow.chunks_exact(160) {
            let mut payload = Vec::new();
            g711::encode_ulaw(frame, &mut payload);
            let timestamp = says.step();
            says.send(to, 0, false, timestamp, &payload);
            says.hear();
            heard.extend(hears.hear().2);
        }
        if likeness(said, &resample(&heard, 8_000, 16_000)) > 0.9 {
            return true;
        }
    }
    false
}

#[test]
fn legs_in_a_mixer_hear_each_other_and_what_its_seat_plays() {
    let (media, events) = media(PORTS);
    let (mut one, mut two) = (Phone::new(), Phone::new());
    media.open_mixer(SEAT).expect("open");
    assert!(matches!(media.open_mixer(SEAT), Err(OpenError::AlreadyOpen)));
    let [first, second] = [(ONE, &one), (TWO, &two)].map(|(leg, phone)| {
        let local = media.open_rtp(leg).expect("open");
        media.mix(leg, SEAT).expect("room");
        media.connect(leg, phone.remote());
        local
    });
    assert!(is_heard(&mut one, first, &two, &melody(1, 16_000, 500)));
    assert!(is_heard(&mut two, second, &one, &melody(2, 16_000, 500)));
    // Both hear what plays; its end is told of the seat.
    let prompt = melody(3, 16_000, 500);
    media.play(SEAT, PLAY, vec![Arc::new(Prompt::from_pcm16k(prompt.clone()))], Repeat::Times(1)).expect("not busy");
    let (from_one, from_two) = (one.record(60), two.record(60));
    for heard in [from_one, from_two] {
        assert!(likeness(&prompt, &resample(&heard, 8_000, 16_000)) > 0.9);
    }
    assert_eq!(events.next(), (SEAT, MediaEvent::Finished { play: PLAY }));
    // Keys are told of the leg they were pressed on.
    two.press(second, '7');
    assert_eq!(events.next(), (TWO, MediaEvent::Tone { tone: Tone::Digit(7) }));
    // On their own again, they go on.
    media.close(SEAT);
    assert_eq!(media.mix(ONE, SEAT), Err(MixError::NoMixer));
    media.play(ONE, PLAY, vec![Arc::new(Prompt::from_pcm16k(prompt))], Repeat::Times(1)).expect("not busy");
    assert_eq!(events.next(), (ONE, MediaEvent::Finished { play: PLAY }));
}

#[test]
fn a_mixer_keeps_time_alone_and_a_key_of_any_leg_ends_its_recording() {
    let (media, events) = media(PORTS);
    let mut phone = Phone::new();
    media.open_mixer(SEAT).expect("open");
    let prompt = || Arc::new(Prompt::from_pcm16k(melody(3, 16_000, 100)));
    media.play(SEAT, PLAY, vec![prompt()], Repeat::Times(2)).expect("not busy");
    assert_eq!(events.next(), (SEAT, MediaEvent::Finished { play: PLAY }));
    let local = media.open_rtp(ONE).expect("open");
    media.mix(ONE, SEAT).expect("room");
    media.connect(ONE, phone.remote());
    let (put, mut out) = tape(|| {});
    let long = Duration::from_secs(60);
    let terms =
        RecordTerms { initial_silence: long, max_silence: long, max_duration: long, stop_tones: vec![Tone::Pound] };
    media.record(SEAT, RECORDING, vec![prompt()], false, terms, put).expect("not busy");
    // It is recorded once a sample is on the tape.
    let (start, mut kept) = (Instant::now(), Vec::new());
    while kept.is_empty() {
        assert!(start.elapsed() < PATIENCE && out.take(&mut kept).is_none());
        phone.hear();
    }
    phone.press(local, '#');
    assert_eq!(events.next(), (ONE, MediaEvent::Tone { tone: Tone::Pound }));
    let end = loop {
        assert!(start.elapsed() < PATIENCE);
        if let Some(end) = out.take(&mut kept) {
            break end;
        }
        phone.hear();
    };
    assert_eq!(end, TapeEnd::StopTone);
}

struct Nobody;

impl MediaSink for Nobody {
    fn media(&self, _: LegId, _: MediaEvent) {}
}

#[test]
fn who_cannot_be_mixed_is_told_so() {
    let config = MediaConfig { bind: LOOPBACK, ports: PORTS, shards: 2 };
    let media = Media::start(config, Arc::new(Nobody)).expect("media");
    assert_eq!(media.mix(ONE, SEAT), Err(MixError::NoMixer));
    media.open_mixer(SEAT).expect("open");
    assert_eq!(media.mix(ONE, SEAT), Ok(()), "it is closed already");
    // Shards take legs in turn, and a mixer is on one of them.
    for n in 1..=2 * MIXED_LEGS as u128 {
        let leg = LegId::from_u128(100 + n);
        media.open_rtp(leg).expect("open");
        let mixed = if n % 2 == 1 { Err(MixError::Elsewhere) } else { Ok(()) };
        assert_eq!(media.mix(leg, SEAT), mixed);
    }
    media.open_rtp(ONE).expect("open");
    assert_eq!(media.mix(ONE, SEAT), Err(MixError::Full));
}
