//! Legs whose packets somebody else carries: what is played comes out of the port, keys go in.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use ringback_media::correlate::correlate;
use ringback_media::limits::{PORT_PACKET_BYTES, PORT_PACKETS};
use ringback_media::rtp::Packet;
use ringback_media::telephone_event::Press;
use ringback_media::{Codec, LegId, MediaEvent, OpenError, PlayId, Prompt, Repeat, Terms, Tone, g711, resample};

use crate::phone::{PATIENCE, media};
use crate::signals::melody;

const LEG: LegId = LegId::from_u128(1);
const PLAY: PlayId = PlayId::from_u128(11);
const TERMS: Terms = Terms { codec: Codec::Pcmu, telephone_event: Some(101), send: true, receive: true };

#[test]
fn a_prompt_comes_out_and_keys_go_in() {
    let (media, events) = media(20_000..=20_001);
    let (wake, woken) = channel();
    let port = media.open_port(LEG, move || _ = wake.send(())).expect("a port");
    assert!(matches!(media.open_port(LEG, || {}), Err(OpenError::AlreadyOpen)));
    media.connect_port(LEG, TERMS);
    let prompt = Arc::new(Prompt::from_pcm16k(melody(1, 16_000, 600)));
    media.play(LEG, PLAY, vec![Arc::clone(&prompt)], Repeat::Times(1)).expect("not busy");
    let (mut heard, mut buffer, mut last) = (Vec::new(), [0; PORT_PACKET_BYTES], None);
    while heard.len() < 8_000 {
        woken.recv_timeout(PATIENCE).expect("packets come");
        while let Some(length) = port.take(&mut buffer) {
            let packet = Packet::parse(&buffer[..length]).expect("RTP");
            assert_eq!(packet.payload_type, 0);
            let next = last.map_or(packet.sequence, |last: u16| last.wrapping_add(1));
            // A machine that is busy may lose some; none comes twice or late.
            assert!(packet.sequence.wrapping_sub(next) < 1_000);
            last = Some(packet.sequence);
            g711::decode_ulaw(packet.payload, &mut heard);
        }
    }
    assert_eq!(events.next(), (LEG, MediaEvent::Finished { play: PLAY }));
    let reference = resample(&prompt.pcm16k()[..6_400], 16_000, 8_000);
    let likeness = correlate(&reference, &heard, heard.len()).map_or(0.0, |found| found.coefficient);
    assert!(likeness > 0.9, "{likeness}");

    let mut bytes = Vec::new();
    for (sequence, press) in (7..).zip(Press::new(Tone::Digit(5), Duration::from_millis(60))) {
        let marker = press.marker;
        Packet { payload_type: 101, marker, sequence, timestamp: 800, ssrc: 9, payload: &press.payload }
            .write(&mut bytes);
        assert!(port.put(&bytes));
    }
    assert_eq!(events.next(), (LEG, MediaEvent::Tone { tone: Tone::Digit(5) }));

    // Closed, it takes nothing any more, whatever had room before; its name is free.
    media.close(LEG);
    while woken.recv_timeout(PATIENCE).is_ok() {}
    assert!(!port.put(&bytes));
    media.open_port(LEG, || {}).expect("free");
}

#[test]
fn nobody_waits_where_nobody_takes() {
    let (media, events) = media(20_000..=20_001);
    let port = media.open_port(LEG, || {}).expect("a port");
    media.connect_port(LEG, TERMS);
    let prompt = Arc::new(Prompt::from_pcm16k(melody(1, 16_000, 20 * (PORT_PACKETS as u32 + 10))));
    media.play(LEG, PLAY, vec![prompt], Repeat::Times(1)).expect("not busy");
    assert_eq!(events.next(), (LEG, MediaEvent::Finished { play: PLAY }), "it is played to its end all the same");
    let mut buffer = [0; PORT_PACKET_BYTES];
    let waiting = std::iter::from_fn(|| port.take(&mut buffer)).take(2 * PORT_PACKETS).count();
    assert!(
        (PORT_PACKETS..=PORT_PACKETS + 1).contains(&waiting),
        "{waiting}: the oldest, and no more than there is room for"
    );
    assert!(!port.put(&[0; PORT_PACKET_BYTES + 1]));
}
