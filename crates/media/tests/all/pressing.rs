//! Keys that we press: as RTP events where the far end knows them, as tones in the audio where not, in turn with
//! prompts; and keys that we hear, told once however they came.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ringback_media::limits::{FRAME, FRAME_TICKS};
use ringback_media::rtp::Packet;
use ringback_media::session::Terms;
use ringback_media::telephone_event::{Payload, Press};
use ringback_media::{Codec, MediaEvent, Prompt, Repeat, Tone, g711, g722};

use crate::sessions::{EVENTS, Leg, TERMS, id, prompt};

const WITHOUT_EVENTS: Terms = Terms { telephone_event: None, ..TERMS };

fn tones(keys: &str) -> Vec<Tone> {
    keys.chars().map(|key| Tone::of_key(key).expect("a key")).collect()
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A packet that was sent.
#[derive(Debug)]
struct Sent {
    payload_type: u8,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    payload: Vec<u8>,
}

/// The next frames: each one's packet, and whether a play was told to have ended in it.
fn frames(leg: &mut Leg, count: usize) -> Vec<(Sent, bool)> {
    let frame = |leg: &mut Leg| {
        let (_, events) = leg.tick();
        let p = Packet::parse(&leg.out.rtp).expect("a packet in every frame");
        let Packet { payload_type, marker, sequence, timestamp, payload, .. } = p;
        (Sent { payload_type, marker, sequence, timestamp, payload: payload.to_vec() }, !events.is_empty())
    };
    (0..count).map(|_| frame(leg)).collect()
}

#[test]
fn a_key_is_the_packets_of_the_rfc_in_the_place_of_audio() {
    let mut leg = Leg::new(TERMS);
    frames(&mut leg, 1);
    leg.session.press(id(1), tones("5#"), ms(200));
    let sent = frames(&mut leg, 25);
    let (first, second) = (0, 5 + 10);
    let start = sent[0].0.timestamp;
    for (frame, (packet, finished)) in sent.iter().enumerate() {
        let now = start.wrapping_add((frame * FRAME_TICKS) as u32);
        assert_eq!(packet.sequence, sent[0].0.sequence.wrapping_add(frame as u16), "no packet is left out");
        assert_eq!(*finished, frame == second + 7, "told with the last packet, in frame {frame}");
        let pressed = [(first, 5), (second, 11)].into_iter().find(|(begin, _)| (*begin..begin + 8).contains(&frame));
        let Some((begin, event)) = pressed else {
            assert_eq!((packet.payload_type, packet.timestamp), (0, now), "audio in frame {frame}");
            assert_eq!(packet.payload, [0xFF; FRAME_TICKS], "silence in frame {frame}");
            continue;
        };
        let at = frame - begin;
        assert_eq!((packet.payload_type, packet.marker), (EVENTS, at == 0), "frame {frame}");
        assert_eq!(packet.timestamp, start.wrapping_add((begin * FRAME_TICKS) as u32), "its beginning");
        let payload = Payload::parse(&packet.payload).expect("four bytes");
        let duration = (at.min(4) + 1) * FRAME_TICKS;
        assert_eq!(payload, Payload { event, end: at >= 5, volume: 10, duration: duration as u16 });
    }
}

#[test]
fn keys_wait_for_plays_and_plays_for_keys() {
    let mut leg = Leg::new(TERMS);
    // 5 ms: keys begin with the next whole frame.
    leg.session.play(id(1), vec![Arc::new(Prompt::from_pcm16k(vec![1_000; 80]))], Repeat::Times(1));
    leg.session.press(id(2), tones("1"), ms(0));
    leg.session.play(id(3), vec![prompt(100)], Repeat::Times(1));
    let sent = frames(&mut leg, 20);
    let kinds: Vec<_> = sent.iter().map(|(p, _)| p.payload_type).collect();
    assert_eq!(kinds[..1], [0; 1]);
    assert_eq!(kinds[1..9], [EVENTS; 8]);
    assert_eq!(kinds[9..], [0; 11]);
    let ends: Vec<_> = sent.iter().enumerate().filter(|(_, s)| s.1).map(|(frame, _)| frame).collect();
    assert_eq!(ends, [0, 8, 13]);
    assert!(!leg.session.playing());
}

#[test]
fn a_stop_lets_the_key_go_and_tells_nothing() {
    for (before, packets, duration) in [(0, 0, 0), (2, 5, 2), (6, 8, 5), (8, 8, 5), (12, 8, 5)] {
        let mut leg = Leg::new(TERMS);
        leg.session.press(id(1), tones("12"), ms(300));
        let mut sent = frames(&mut leg, before);
        assert_eq!((leg.session.stop(id(1)), leg.session.stop(id(1))), (1, 0));
        leg.session.play(id(2), vec![prompt(100)], Repeat::Times(1));
        sent.extend(frames(&mut leg, 20));
        let events: Vec<_> = sent
            .iter()
            .filter(|(p, _)| p.payload_type == EVENTS)
            .filter_map(|(p, _)| Payload::parse(&p.payload))
            .collect();
        assert_eq!(events.len(), packets, "stopped after {before} frames");
        assert_eq!(events.iter().filter(|p| p.end).count(), packets.min(3), "its end, three times");
        assert!(events.last().is_none_or(|p| p.duration == duration * 160 && p.event == 1));
        assert_eq!(sent.iter().filter(|(_, told)| *told).count(), 1, "only the play is told");
    }
}

#[test]
fn on_hold_keys_go_on_unheard_and_no_keys_are_over_at_once() {
    let mut leg = Leg::new(Terms { send: false, ..TERMS });
    leg.session.press(id(1), tones("1"), ms(0));
    let told: Vec<_> = (0..10).flat_map(|_| leg.tick().1).collect();
    assert_eq!(told, [MediaEvent::Finished { play: id(1) }]);
    leg.session.press(id(2), vec![], ms(0));
    assert_eq!(leg.tick().1, [MediaEvent::Finished { play: id(2) }]);
}

/// What another implementation hears in the audio that a leg sends, until its play ends.
fn heard_in_audio(leg: &mut Leg, codec: Codec) -> String {
    let mut heard = String::new();
    let mut g722 = g722::Decoder::default();
    let rate = if codec == Codec::G722 { 16_000 } else { 8_000 };
    let mut decoder = dtmf::decoder::Decoder::new(rate, |tone, state| {
        if state == dtmf::enums::State::On {
            heard.push(tone.as_char());
        }
    });
    let mut left = 10;
    while left > 0 {
        let payload = leg.tick().0.expect("a packet");
        let mut pcm = Vec::new();
        match codec {
            Codec::Pcmu => g711::decode_ulaw(&payload, &mut pcm),
            Codec::Pcma => g711::decode_alaw(&payload, &mut pcm),
            Codec::G722 => {
                pcm.resize(2 * payload.len(), 0);
                g722.decode(&payload, &mut pcm);
            }
        }
        decoder.process(&pcm.iter().map(|&s| f32::from(s) / 32_768.0).collect::<Vec<_>>());
        left -= usize::from(!leg.session.playing());
    }
    heard
}

#[test]
fn without_events_another_implementation_hears_every_key_in_the_audio() {
    for &codec in Codec::ALL {
        let mut leg = Leg::new(Terms { codec, ..WITHOUT_EVENTS });
        leg.session.press(id(1), tones("1234567890*#ABCD"), ms(80));
        assert_eq!(heard_in_audio(&mut leg, codec), "1234567890*#ABCD", "{codec:?}");
        leg.session.press(id(1), tones("!"), ms(0));
        assert_eq!(heard_in_audio(&mut leg, codec), "", "a flash has no sound");
    }
}

/// What one leg presses as tones, another hears, told once.
fn heard_by_another(codec: Codec, keys: &str, lost: impl Fn(u64) -> bool, signalled: bool) -> Vec<Tone> {
    let terms = Terms { codec, ..WITHOUT_EVENTS };
    let (mut a, mut b) = (Leg::new(terms), Leg::new(terms));
    a.session.press(id(1), tones(keys), ms(80));
    let mut heard = Vec::new();
    for frame in 0..60 + 10 * keys.len() as u64 {
        a.tick();
        if !lost(frame) {
            assert!(b.session.input(b.now, &a.out.rtp, &mut b.out));
        }
        let told = b.tick().1;
        assert_eq!(b.out.heard, [], "nobody listens");
        for event in told {
            let MediaEvent::Tone { tone } = event else { panic!("{event:?}") };
            heard.push(tone);
            // The same press by SIP INFO, a little later.
            if signalled {
                b.session.signalled(b.now, tone, &mut b.out);
                assert_eq!(b.out.events, []);
            }
        }
    }
    heard
}

#[test]
fn keys_in_the_audio_are_heard_where_events_were_not_negotiated() {
    let keys = "1234567890*#ABCD5551";
    for &codec in Codec::ALL {
        assert_eq!(heard_by_another(codec, keys, |_| false, false), tones(keys), "{codec:?}");
        assert_eq!(heard_by_another(codec, keys, |_| false, true), tones(keys), "{codec:?}, and by INFO");
    }
    // One packet in 25 is lost, each in another place of a key.
    let heard = heard_by_another(Codec::Pcmu, keys, |frame| frame % 25 == 7, false);
    assert_eq!(heard, tones(keys), "a lost packet neither hides a key nor doubles it");
}

#[test]
fn keys_in_the_audio_are_not_looked_for_where_events_were_negotiated() {
    let mut leg = Leg::new(WITHOUT_EVENTS);
    let mut far = Leg::new(TERMS);
    leg.session.press(id(1), tones("5"), ms(0));
    for _ in 0..40 {
        leg.tick();
        far.session.input(far.now, &leg.out.rtp, &mut far.out);
        assert_eq!(far.tick().1, []);
    }
}

#[test]
fn events_taken_away_in_the_middle_are_followed_by_tones() {
    let mut leg = Leg::new(TERMS);
    leg.session.press(id(1), tones("12345"), ms(80));
    frames(&mut leg, 2);
    leg.session.connect(leg.now, WITHOUT_EVENTS);
    assert_eq!(heard_in_audio(&mut leg, Codec::Pcmu), "2345");
}

#[test]
fn a_key_told_by_events_and_by_the_signalling_is_one() {
    let mut leg = Leg::new(TERMS);
    let mut sequence = 0;
    let mut told = Vec::new();
    for round in 0..3u32 {
        for (at, p) in Press::new(Tone::Star, ms(60)).enumerate() {
            let mut bytes = Vec::new();
            let timestamp = round * 8_000;
            Packet { payload_type: EVENTS, marker: p.marker, sequence, timestamp, ssrc: 9, payload: &p.payload }
                .write(&mut bytes);
            sequence += 1;
            assert!(leg.session.input(leg.now, &bytes, &mut leg.out));
            // The INFO comes before, amid and after the events.
            if at == round as usize * 2 {
                leg.session.signalled(leg.now, Tone::Star, &mut leg.out);
            }
            told.extend(leg.tick().1);
        }
    }
    leg.session.signalled(leg.now, Tone::Pound, &mut leg.out);
    told.extend(leg.tick().1);
    let star = MediaEvent::Tone { tone: Tone::Star };
    assert_eq!(told, [star, star, star, MediaEvent::Tone { tone: Tone::Pound }]);
}

/// However long it is held: told when it goes down by the signalling, and when it is let go by RTP events or in the audio.
#[test]
fn a_key_that_is_held_for_seconds_is_one() {
    let star = MediaEvent::Tone { tone: Tone::Star };
    let mut leg = Leg::new(TERMS);
    leg.session.signalled(leg.now, Tone::Star, &mut leg.out);
    let mut told = leg.out.events.split_off(0);
    for (p, sequence) in Press::new(Tone::Star, ms(4_000)).zip(0..) {
        let mut bytes = Vec::new();
        Packet { payload_type: EVENTS, marker: p.marker, sequence, timestamp: 8_000, ssrc: 9, payload: &p.payload }
            .write(&mut bytes);
        assert!(leg.session.input(leg.now, &bytes, &mut leg.out));
        told.extend(leg.tick().1);
    }
    assert_eq!(told, [star], "by events");

    let mut leg = Leg::new(WITHOUT_EVENTS);
    leg.session.signalled(leg.now, Tone::Star, &mut leg.out);
    let mut told = leg.out.events.split_off(0);
    let tone = |n: usize, hertz: f64| (n as f64 * hertz * std::f64::consts::TAU / 8_000.0).sin() * 8_000.0;
    for frame in 0..250usize {
        let held = frame < 200;
        let samples = frame * FRAME_TICKS..(frame + 1) * FRAME_TICKS;
        let pcm: Vec<i16> =
            samples.map(|n| if held { (tone(n, 941.0) + tone(n, 1_209.0)) as i16 } else { 0 }).collect();
        let (mut payload, mut bytes) = (Vec::new(), Vec::new());
        g711::encode_ulaw(&pcm, &mut payload);
        let timestamp = (frame * FRAME_TICKS) as u32;
        Packet { payload_type: 0, marker: false, sequence: frame as u16, timestamp, ssrc: 9, payload: &payload }
            .write(&mut bytes);
        assert!(leg.session.input(leg.now, &bytes, &mut leg.out));
        told.extend(leg.tick().1);
    }
    assert_eq!(told, [star], "in the audio");
}

proptest! {
    /// What one session presses another hears, whatever plays around it and whenever it is stopped.
    #[test]
    fn what_is_pressed_is_heard(
        keys in proptest::collection::vec(0u8..17, 1..8), pause in 0u64..400, before in 0u32..3, lost in 0u64..64,
    ) {
        let (mut a, mut b) = (Leg::new(TERMS), Leg::new(TERMS));
        let keys: Vec<Tone> = keys.into_iter().filter_map(Tone::of_event).collect();
        for play in 0..before {
            a.session.play(id(100 + u128::from(play)), vec![prompt(100)], Repeat::Times(1));
        }
        a.session.press(id(1), keys.clone(), ms(pause));
        let mut heard = Vec::new();
        for frame in 0..400u64 {
            a.tick();
            // Every eighth packet may be lost: an end is sent three times.
            if frame % 8 != 3 || lost >> (frame / 8 % 64) & 1 == 0 {
                b.session.input(b.now, &a.out.rtp, &mut b.out);
            }
            heard.extend(b.tick().1);
        }
        prop_assert!(!a.session.playing() && a.now == 400 * FRAME);
        let expected: Vec<_> = keys.into_iter().map(|tone| MediaEvent::Tone { tone }).collect();
        prop_assert_eq!(heard, expected);
    }
}
