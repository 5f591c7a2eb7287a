//! The session as a value: hours of calls in virtual time, a far end and a lossy wire made of numbers.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use ringback_media::correlate::correlate;
use ringback_media::limits::{FRAME, FRAME_PCM, FRAME_TICKS, MEDIA_TIMEOUT};
use ringback_media::rtp::Packet;
use ringback_media::session::{Origin, Out, Session, Terms};
use ringback_media::telephone_event::Press;
use ringback_media::{Codec, MediaEvent, PlayId, Prompt, Repeat, Tone, resample};
use rtcp_types::{Compound, SenderReport};

use crate::signals::{Random, melody};

pub(crate) const EVENTS: u8 = 101;
pub(crate) const TERMS: Terms = Terms { codec: Codec::Pcmu, telephone_event: Some(EVENTS), send: true, receive: true };

pub(crate) fn id(number: u128) -> PlayId {
    PlayId::from_u128(number)
}

pub(crate) fn prompt(milliseconds: u32) -> Arc<Prompt> {
    Arc::new(Prompt::from_pcm16k(melody(1, 16_000, milliseconds)))
}

fn session() -> Session {
    Session::new(Origin { ssrc: 1, sequence: u16::MAX - 10, timestamp: u32::MAX - 1_000, ntp: 0 })
}

/// A session and its time.
pub(crate) struct Leg {
    pub(crate) session: Session,
    pub(crate) now: Duration,
    pub(crate) out: Out,
}

impl Leg {
    pub(crate) fn new(terms: Terms) -> Leg {
        let mut leg = Leg { session: session(), now: Duration::ZERO, out: Out::default() };
        leg.session.connect(leg.now, terms);
        leg
    }

    /// One frame: the packet's payload if one was sent, and the events.
    pub(crate) fn tick(&mut self) -> (Option<Vec<u8>>, Vec<MediaEvent>) {
        self.session.tick(self.now, &mut self.out);
        self.now += FRAME;
        let payload = Packet::parse(&self.out.rtp).ok().map(|p| p.payload.to_vec());
        (payload, self.out.events.drain(..).collect())
    }

    /// Frames until the play ends: their audio, decoded. Panics after a minute.
    fn until_finished(&mut self, play: PlayId) -> Vec<i16> {
        let mut pcm = Vec::new();
        for _ in 0..3_000 {
            let (payload, events) = self.tick();
            ringback_media::g711::decode_ulaw(&payload.expect("a packet in every frame"), &mut pcm);
            if events == [MediaEvent::Finished { play }] {
                return pcm;
            }
            assert_eq!(events, [], "nothing else is told");
        }
        panic!("it did not end");
    }
}

fn decoded(prompt: &Prompt) -> Vec<i16> {
    let (mut bytes, mut pcm) = (Vec::new(), Vec::new());
    ringback_media::g711::encode_ulaw(&resample(prompt.pcm16k(), 16_000, 8_000), &mut bytes);
    ringback_media::g711::decode_ulaw(&bytes, &mut pcm);
    pcm
}

#[test]
fn a_prompt_is_sent_sample_for_sample_and_ends_with_its_last_frame() {
    let mut leg = Leg::new(TERMS);
    let prompt = prompt(300);
    leg.session.play(id(1), vec![Arc::clone(&prompt)], Repeat::Times(1));
    assert_eq!(leg.until_finished(id(1)), decoded(&prompt));
    let (payload, events) = leg.tick();
    assert_eq!((payload, events), (Some(vec![0xFF; FRAME_TICKS]), vec![]), "then comfort silence, and no more told");
}

#[test]
fn prompts_and_rounds_follow_without_a_gap() {
    let mut leg = Leg::new(TERMS);
    // 5 ms each: neither is a whole frame.
    let (a, b) = (Arc::new(Prompt::from_pcm16k(vec![1_000; 80])), Arc::new(Prompt::from_pcm16k(vec![-1_000; 80])));
    leg.session.play(id(1), vec![Arc::clone(&a), Arc::clone(&b)], Repeat::Times(3));
    let mut expected = [decoded(&a), decoded(&b)].concat().repeat(3);
    expected.resize(2 * FRAME_TICKS, 0);
    assert_eq!(leg.until_finished(id(1)), expected);
}

#[test]
fn the_next_play_begins_in_the_frame_the_last_one_ends_in() {
    let mut leg = Leg::new(TERMS);
    let half = Arc::new(Prompt::from_pcm16k(vec![1_000; 160]));
    for play in 1..=2 {
        leg.session.play(id(play), vec![Arc::clone(&half)], Repeat::Times(1));
    }
    let (payload, events) = leg.tick();
    assert_eq!(events, [MediaEvent::Finished { play: id(1) }, MediaEvent::Finished { play: id(2) }]);
    assert!(payload.is_some_and(|p| p.iter().all(|&byte| byte != 0xFF)), "ten milliseconds of each");
}

#[test]
fn plays_wait_for_each_other_and_may_be_stopped_in_any_place() {
    let mut leg = Leg::new(TERMS);
    for play in 1..=4 {
        leg.session.play(id(play), vec![prompt(100)], Repeat::Times(1));
    }
    assert_eq!(leg.session.stop(id(2)), 1, "one that waits");
    assert_eq!(leg.session.stop(id(2)), 0, "once");
    assert_eq!(leg.until_finished(id(1)).len(), 800);
    leg.tick();
    assert_eq!(leg.session.stop(id(3)), 1, "one that plays");
    assert_eq!(leg.until_finished(id(4)).len(), 800, "from its beginning");
    assert!(!leg.session.playing());
}

#[test]
fn for_ever_is_until_stopped_and_nothing_is_over_at_once() {
    let mut leg = Leg::new(TERMS);
    leg.session.play(id(1), vec![prompt(100)], Repeat::Forever);
    for _ in 0..1_000 {
        assert_eq!(leg.tick().1, []);
    }
    assert_eq!(leg.session.stop(id(1)), 1);
    let nothing = || vec![Arc::new(Prompt::from_pcm16k(vec![]))];
    for (number, prompts, repeat) in
        [(2, vec![], Repeat::Forever), (3, nothing(), Repeat::Forever), (4, vec![prompt(100)], Repeat::Times(0))]
    {
        leg.session.play(id(number), prompts, repeat);
        assert_eq!(leg.tick().1, [MediaEvent::Finished { play: id(number) }]);
    }
}

#[test]
fn on_hold_nothing_is_sent_and_a_play_goes_on() {
    let mut leg = Leg::new(TERMS);
    leg.session.play(id(1), vec![prompt(100)], Repeat::Times(1));
    leg.tick();
    leg.session.connect(leg.now, Terms { send: false, ..TERMS });
    let held: Vec<_> = (0..4).map(|_| leg.tick()).collect();
    assert!(held.iter().all(|(payload, _)| payload.is_none()));
    assert_eq!(held[3].1, [MediaEvent::Finished { play: id(1) }]);
    leg.session.connect(leg.now, TERMS);
    leg.tick();
    let packet = Packet::parse(&leg.out.rtp).expect("a packet");
    assert!(packet.marker, "a new beginning");
    assert_eq!(packet.sequence, (u16::MAX - 10) + 1, "no packet is missing");
    assert_eq!(packet.timestamp, (u32::MAX - 1_000).wrapping_add(5 * 160), "but time is");
}

#[test]
fn another_codec_in_mid_play_goes_on_at_the_same_place() {
    for (from, to) in Codec::ALL.iter().flat_map(|&from| Codec::ALL.iter().map(move |&to| (from, to))) {
        let (mut a, mut b) = (Leg::new(Terms { codec: from, ..TERMS }), Leg::new(Terms { codec: from, ..TERMS }));
        b.session.listen(true);
        let prompt = prompt(2_000);
        a.session.play(id(1), vec![Arc::clone(&prompt)], Repeat::Times(1));
        let mut heard = Vec::new();
        for frame in 0..110 {
            if frame == 50 {
                // A re-INVITE changes both sides at once; what was on its way is decoded by nobody.
                a.session.connect(a.now, Terms { codec: to, ..TERMS });
                b.session.connect(b.now, Terms { codec: to, ..TERMS });
            }
            a.tick();
            assert!(b.session.input(b.now, &a.out.rtp, &mut b.out));
            b.tick();
            heard.extend_from_slice(&b.out.heard);
        }
        let halves = prompt.pcm16k().split_at(16_000);
        for (half, part) in [halves.0, halves.1].into_iter().enumerate() {
            // Without the frames that the change cost, at the end of one half and the beginning of the other.
            let part = &part[1_600..14_400];
            let place = half * 16_000 + 1_600;
            let found = correlate(part, &heard, heard.len()).expect("not silent");
            assert!(found.coefficient > 0.98, "{from:?} to {to:?}, half {half}: {found:?}");
            let delay = found.lag - place as isize;
            // G.722 begins with three frames of silence.
            let begun = [Some(from), (half == 1 && to != from).then_some(to)];
            let settling = 960 * begun.iter().filter(|&&codec| codec == Some(Codec::G722)).count() as isize;
            assert!((640..=720).contains(&(delay - settling)), "{from:?} to {to:?}, half {half}: {delay} late");
        }
    }
}

#[test]
fn wide_band_is_heard_as_it_was_played() {
    let terms = Terms { codec: Codec::G722, ..TERMS };
    let (mut a, mut b) = (Leg::new(terms), Leg::new(terms));
    b.session.listen(true);
    // A sweep from 300 to 3,000 Hz, and a tone that a narrow band would not carry, fainter, as in speech.
    let wave = |turns: f64, peak: f64| ((turns * std::f64::consts::TAU).sin() * peak) as i16;
    let seconds = |n: i32| f64::from(n) / 16_000.0;
    let high: Vec<i16> = (0..16_000).map(|n| wave(6_000.0 * seconds(n), 2_000.0)).collect();
    let sweep = (0..16_000).map(|n| wave(300.0 * seconds(n) + 1_350.0 * seconds(n).powi(2), 12_000.0));
    let prompt = Arc::new(Prompt::from_pcm16k(sweep.zip(&high).map(|(low, high)| low + high).collect()));
    a.session.play(id(1), vec![Arc::clone(&prompt)], Repeat::Times(1));
    let mut heard = Vec::new();
    for _ in 0..60 {
        a.tick();
        b.session.input(b.now, &a.out.rtp, &mut b.out);
        b.tick();
        heard.extend_from_slice(&b.out.heard);
    }
    let found = correlate(prompt.pcm16k(), &heard, 2_000).expect("not silent");
    assert!(found.coefficient > 0.99, "{found:?}");
    assert_eq!(found.lag, 960 + 640 + 22, "three frames of silence, the jitter buffer, the codec");
    let share = correlate(&high, &heard, 2_000).expect("not silent").coefficient;
    let played = correlate(&high, prompt.pcm16k(), 0).expect("not silent").coefficient;
    assert!((share / played - 1.0).abs() < 0.1, "the high tone: {share} of what is heard, {played} of what was played");
}

#[test]
fn a_silent_far_end_times_out_once_unless_one_side_holds() {
    let mut leg = Leg::new(TERMS);
    let frames = (MEDIA_TIMEOUT.as_millis() / FRAME.as_millis()) as usize;
    let told = |leg: &mut Leg, frames: usize| (0..frames).flat_map(|_| leg.tick().1).collect::<Vec<_>>();
    assert_eq!(told(&mut leg, frames), []);
    assert_eq!(told(&mut leg, 3 * frames), [MediaEvent::TimedOut]);
    leg.session.connect(leg.now, Terms { receive: false, ..TERMS });
    assert_eq!(told(&mut leg, 2 * frames), []);
    leg.session.connect(leg.now, Terms { send: false, ..TERMS });
    assert_eq!(told(&mut leg, 2 * frames), []);
    leg.session.connect(leg.now, TERMS);
    assert_eq!(told(&mut leg, frames), [], "taken off hold, the time starts anew");
    assert_eq!(told(&mut leg, 1), [MediaEvent::TimedOut]);
}

#[test]
fn rtcp_alone_keeps_a_leg_alive() {
    let mut leg = Leg::new(TERMS);
    let mut far = session();
    far.connect(Duration::ZERO, Terms { send: false, ..TERMS });
    let mut out = Out::default();
    for _ in 0..60 * 50 * 5 {
        far.tick(leg.now, &mut out);
        assert!(out.rtp.is_empty());
        leg.session.input_rtcp(leg.now, &out.rtcp);
        assert_eq!(leg.tick().1, []);
    }
}

#[test]
fn a_packet_of_another_kind_is_none_of_ours() {
    let mut leg = Leg::new(TERMS);
    for (payload_type, ours) in [(0, true), (EVENTS, true), (8, false), (13, false), (96, false)] {
        let mut bytes = Vec::new();
        Packet { payload_type, marker: false, sequence: 1, timestamp: 1, ssrc: 1, payload: &[0; 160] }
            .write(&mut bytes);
        assert_eq!(leg.session.input(leg.now, &bytes, &mut leg.out), ours, "payload type {payload_type}");
    }
    assert!(!leg.session.input(leg.now, &[0x80; 5], &mut leg.out));
    assert!(!session().input(leg.now, &[0x80; 172], &mut leg.out), "none before it is connected");
}

/// The far end of an hour: speaks in every frame, or presses a key for some.
struct Far {
    sequence: u16,
    timestamp: u32,
    press: Option<(Press, u32)>,
}

impl Far {
    fn packet(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let now = self.timestamp;
        let pressed = self.press.as_mut().and_then(|(press, start)| Some((press.next()?, *start)));
        let audio = [0x12; FRAME_TICKS];
        let common = Packet {
            payload_type: 0,
            marker: false,
            sequence: self.sequence,
            timestamp: now,
            ssrc: 99,
            payload: &audio,
        };
        match &pressed {
            Some((p, start)) => {
                Packet { payload_type: EVENTS, marker: p.marker, timestamp: *start, payload: &p.payload, ..common }
                    .write(&mut bytes);
            }
            None => common.write(&mut bytes),
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = now.wrapping_add(FRAME_TICKS as u32);
        bytes
    }
}

#[test]
fn an_hour_over_a_lossy_wire_loses_no_key_and_no_play() {
    let mut leg = Leg::new(TERMS);
    let mut far = Far { sequence: 60_000, timestamp: u32::MAX - 50_000, press: None };
    let mut random = Random(5);
    let mut wire: Vec<(u64, Vec<u8>)> = Vec::new();
    let three_seconds = prompt(3_000);
    let (mut told, mut expected, mut reports) = (Vec::new(), Vec::new(), 0);
    for frame in 0..3_600 * 50u64 {
        if frame % 500 == 0 {
            let number = u128::from(frame / 500);
            leg.session.play(id(number), vec![Arc::clone(&three_seconds)], Repeat::Times(1));
            expected.push(MediaEvent::Finished { play: id(number) });
        }
        if frame % 500 == 250 {
            let tone = Tone::of_event((frame / 500 % 16) as u8).expect("a key");
            far.press = Some((Press::new(tone, Duration::from_millis(100)), far.timestamp));
            expected.push(MediaEvent::Tone { tone });
        }
        let packet = far.packet();
        // 2 % lost, 1 % doubled, the rest late by up to 40 ms.
        let fate = random.below(100);
        if fate >= 2 {
            wire.push((frame + random.below(3), packet.clone()));
        }
        if fate == 2 {
            wire.push((frame + random.below(3), packet));
        }
        for (_, packet) in wire.extract_if(.., |(due, _)| *due <= frame) {
            assert!(leg.session.input(leg.now, &packet, &mut leg.out));
        }
        told.extend(leg.tick().1);
        if let Some(report) = (!leg.out.rtcp.is_empty()).then(|| sender_report(&leg.out.rtcp)) {
            reports += 1;
            assert_eq!(u64::from(report.packets), frame + 1);
            // A doubled packet makes up for a lost one (RFC 3550 appendix A.3), which leaves 1 %.
            let share = f64::from(report.lost) / (frame + 1) as f64;
            assert!(frame < 50_000 || (0.005..0.015).contains(&share), "{share} lost at {frame}");
        }
    }
    assert_eq!(told, expected);
    assert!((720..1_100).contains(&reports), "{reports} reports in an hour");
}

struct Report {
    packets: u32,
    lost: u32,
}

/// Reads a report as another implementation would.
fn sender_report(bytes: &[u8]) -> Report {
    let packets: Vec<_> = Compound::parse(bytes).expect("a compound").map(|p| p.expect("a packet")).collect();
    assert_eq!(packets.len(), 2, "a report and a name");
    let report: SenderReport<'_> = packets[0].try_as().expect("a sender report");
    assert_eq!(report.ssrc(), 1);
    let block = report.report_blocks().next().expect("a block");
    assert_eq!(block.ssrc(), 99);
    Report { packets: report.packet_count(), lost: block.cumulative_lost() }
}

#[test]
fn one_session_hears_what_another_plays() {
    let (mut a, mut b) = (Leg::new(TERMS), Leg::new(TERMS));
    b.session.listen(true);
    let prompt = prompt(1_000);
    a.session.play(id(1), vec![Arc::clone(&prompt)], Repeat::Times(1));
    let mut heard = Vec::new();
    for _ in 0..60 {
        a.tick();
        assert!(b.session.input(b.now, &a.out.rtp, &mut b.out));
        b.tick();
        heard.extend_from_slice(&b.out.heard);
    }
    let found = correlate(prompt.pcm16k(), &heard, 2_000).expect("not silent");
    assert_eq!(found.lag, 640 + 24, "the delay of the jitter buffer, and that of the filter");
    assert!(found.coefficient > 0.99, "{found:?}");
}

#[test]
fn listening_is_turned_on_and_off_and_nothing_else_notices() {
    let (mut a, mut b) = (Leg::new(TERMS), Leg::new(TERMS));
    a.session.play(id(1), vec![prompt(100)], Repeat::Forever);
    let mut exchange = |listens: bool, frames: usize| -> Vec<i16> {
        b.session.listen(listens);
        let frames = (0..frames).flat_map(|_| {
            a.tick();
            assert!(b.session.input(b.now, &a.out.rtp, &mut b.out));
            assert_eq!(b.tick().1, []);
            b.out.heard.clone()
        });
        frames.collect()
    };
    let loud = |pcm: &[i16]| pcm.iter().any(|&s| s.abs() > 5_000);
    assert_eq!(exchange(false, 10), []);
    for _ in 0..3 {
        let heard = exchange(true, 10);
        assert_eq!(heard.len(), 10 * FRAME_PCM);
        assert!(!loud(&heard[..2 * FRAME_PCM]) && loud(&heard[3 * FRAME_PCM..]), "after the first delay");
        assert!(loud(&exchange(true, 1)), "on again changes nothing");
        assert_eq!(exchange(false, 10), []);
    }
}

#[test]
fn the_far_end_can_measure_the_round_trip() {
    let (mut a, mut b) = (Leg::new(TERMS), Leg::new(TERMS));
    let mut sent_at = None;
    for _ in 0..1_500 {
        a.tick();
        b.session.input(b.now, &a.out.rtp, &mut b.out);
        if !a.out.rtcp.is_empty() {
            b.session.input_rtcp(b.now, &a.out.rtcp);
            sent_at = Some(a.now - FRAME);
        }
        b.tick();
        if let (false, Some(sent_at)) = (b.out.rtcp.is_empty(), sent_at) {
            let packets: Vec<_> =
                Compound::parse(&b.out.rtcp).expect("a compound").map(|p| p.expect("a packet")).collect();
            let report: SenderReport<'_> = packets[0].try_as().expect("a sender report");
            let block = report.report_blocks().next().expect("a block");
            let middle = (sent_at.as_secs_f64() * 65_536.0) as u32;
            assert!(block.last_sender_report_timestamp().abs_diff(middle) <= 1);
            let delay = (b.now - FRAME - sent_at).as_secs_f64() * 65_536.0;
            assert!((f64::from(block.delay_since_last_sender_report_timestamp()) - delay).abs() < 2_000.0);
            return;
        }
    }
    panic!("no report after a sender report");
}

#[test]
fn the_farewell_is_a_report_a_name_and_a_bye() {
    let mut leg = Leg::new(TERMS);
    leg.tick();
    leg.session.close(leg.now, &mut leg.out);
    let packets: Vec<_> = Compound::parse(&leg.out.rtcp).expect("a compound").map(|p| p.expect("a packet")).collect();
    assert!(matches!(packets[2], rtcp_types::Packet::Bye(_)));
    assert!(leg.out.rtp.is_empty());
    session().close(Duration::ZERO, &mut leg.out);
    assert!(leg.out.rtcp.is_empty(), "nothing from a leg that never was");
}

proptest! {
    #[test]
    fn no_bytes_harm_a_session(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..40)) {
        static PROMPT: LazyLock<Arc<Prompt>> = LazyLock::new(|| prompt(500));
        let mut leg = Leg::new(TERMS);
        leg.session.listen(true);
        leg.session.play(id(1), vec![Arc::clone(&PROMPT)], Repeat::Times(1));
        for mut packet in packets {
            leg.session.input(leg.now, &packet, &mut leg.out);
            leg.session.input_rtcp(leg.now, &packet);
            // Again as something that passes for RTP, and for RTCP.
            if packet.len() > 2 {
                packet[0] = 0x80 | packet[0] & 0x3F;
                packet[1] = if packet[1] & 1 == 0 { 0 } else { EVENTS };
                leg.session.input(leg.now, &packet, &mut leg.out);
                packet[1] = 200 + packet[2] % 5;
                leg.session.input_rtcp(leg.now, &packet);
            }
            let (payload, _) = leg.tick();
            prop_assert!(payload.is_some_and(|p| p.len() == FRAME_TICKS));
        }
    }
}

/// What a broken or hostile far end may send in the place of audio: each is one packet, counted or not, and what is
/// played, heard and told goes on.
#[test]
fn absurd_packets_change_nothing_for_those_behind_them() {
    for &codec in Codec::ALL {
        let mut leg = Leg::new(Terms { codec, ..TERMS });
        leg.session.listen(true);
        let audio = codec.payload_type();
        let send = |leg: &mut Leg, payload_type: u8, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]| {
            let mut bytes = Vec::new();
            Packet { payload_type, marker: false, sequence, timestamp, ssrc, payload }.write(&mut bytes);
            leg.session.input(leg.now, &bytes, &mut leg.out)
        };
        let mut random = Random(11);
        for round in 0..500u32 {
            let (ssrc, sequence, timestamp) =
                (random.below(5) as u32, random.below(65_536) as u16, random.below(1 << 32) as u32);
            let length = [0, 1, 159, 161, 1_400, 2_036][round as usize % 6];
            assert!(send(&mut leg, audio, ssrc, sequence, timestamp, &vec![0xA5; length]));
            assert!(send(&mut leg, EVENTS, ssrc, sequence, timestamp, &[0xFF; 3]));
            assert!(!send(&mut leg, 77, ssrc, sequence, timestamp, &[0; 160]), "a payload type of nobody");
            // A farewell and a report in the name of a stranger.
            leg.session.input_rtcp(leg.now, &[0x81, 203, 0, 1, 0, 0, 0, 9]);
            leg.session.input_rtcp(leg.now, &[0x80, 201, 0, 1, 0xDE, 0xAD, 0xBE, 0xEF]);
            let (payload, _) = leg.tick();
            assert_eq!(payload.map(|p| p.len()), Some(FRAME_TICKS));
            assert_eq!(leg.out.heard.len(), FRAME_PCM);
        }
        // The far end itself again: heard after the usual delay, and its key is told.
        let mut told = Vec::new();
        for (number, packet) in (0..40u32).zip(0u16..) {
            send(&mut leg, audio, 7, packet, 1_000 + number * 160, &[0x20; FRAME_TICKS]);
            told.extend(leg.tick().1);
        }
        assert!(leg.out.heard.iter().any(|&s| s.unsigned_abs() > 100), "{codec:?} is heard again");
        for (number, p) in (40u16..).zip(Press::new(Tone::Digit(5), Duration::from_millis(60))) {
            send(&mut leg, EVENTS, 7, number, 9_000, &p.payload);
            told.extend(leg.tick().1);
        }
        assert_eq!(told.last(), Some(&MediaEvent::Tone { tone: Tone::Digit(5) }));
    }
}
