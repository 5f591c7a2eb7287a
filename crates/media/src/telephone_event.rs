//! Keys as RTP events (RFC 4733): the payload, a sender's press as a list of packets, and the receiver that
//! makes one [`Tone`] of each press however often its packets are repeated, lost or late.
//! Knows neither sockets nor sessions; time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits;

/// A key of a telephone, or a hook flash (RFC 4733 §3.2, events 0 to 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// 0 to 9.
    Digit(u8),
    /// `*`
    Star,
    /// `#`
    Pound,
    /// `A`
    A,
    /// `B`
    B,
    /// `C`
    C,
    /// `D`
    D,
    /// Hook flash.
    Flash,
}

impl Tone {
    /// The event code, 0 to 16 (RFC 4733 table 3).
    pub fn event(self) -> u8 {
        match self {
            Tone::Digit(digit) => digit,
            Tone::Star => 10,
            Tone::Pound => 11,
            Tone::A => 12,
            Tone::B => 13,
            Tone::C => 14,
            Tone::D => 15,
            Tone::Flash => 16,
        }
    }

    /// The tone of an event code; `None` over 16.
    pub fn of_event(event: u8) -> Option<Tone> {
        Some(match event {
            0..=9 => Tone::Digit(event),
            10 => Tone::Star,
            11 => Tone::Pound,
            12 => Tone::A,
            13 => Tone::B,
            14 => Tone::C,
            15 => Tone::D,
            16 => Tone::Flash,
            _ => return None,
        })
    }

    /// The tone of a character of a key pad: `0` to `9`, `*`, `#`, `A` to `D` in either case, `!` for a flash.
    pub fn of_key(key: char) -> Option<Tone> {
        Some(match key.to_ascii_uppercase() {
            digit @ '0'..='9' => Tone::Digit(digit as u8 - b'0'),
            '*' => Tone::Star,
            '#' => Tone::Pound,
            'A' => Tone::A,
            'B' => Tone::B,
            'C' => Tone::C,
            'D' => Tone::D,
            '!' => Tone::Flash,
            _ => return None,
        })
    }

    /// The character of its key: the inverse of [`Tone::of_key`].
    pub fn key(self) -> char {
        match self {
            Tone::Digit(digit) => char::from(b'0' + digit % 10),
            Tone::Star => '*',
            Tone::Pound => '#',
            Tone::A => 'A',
            Tone::B => 'B',
            Tone::C => 'C',
            Tone::D => 'D',
            Tone::Flash => '!',
        }
    }
}

/// The payload of one event packet (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The event code, 0 to 255.
    pub event: u8,
    /// The press is over.
    pub end: bool,
    /// Power of the tone in −dBm0, 0 to 63.
    pub volume: u8,
    /// How long the press has lasted, in timestamp units of the stream.
    pub duration: u16,
}

impl Payload {
    /// Reads a payload; `None` if it is shorter than four bytes. Events stacked behind the first are not read
    /// (RFC 4733 §2.3.1 leaves them to redundancy formats, which are not negotiated).
    pub fn parse(bytes: &[u8]) -> Option<Payload> {
        let [event, flags, high, low] = *bytes.first_chunk()?;
        Some(Payload { event, end: flags & 0x80 != 0, volume: flags & 0x3F, duration: u16::from_be_bytes([high, low]) })
    }

    /// The four bytes of the payload.
    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3F, high, low]
    }
}

/// One packet of a [`Press`], to be sent 20 ms after the one before. All of them carry the timestamp of the
/// press's beginning; the caller's sequence numbers and timestamps go on as with audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PressPacket {
    /// Marker bit: the first packet only.
    pub marker: bool,
    /// The payload.
    pub payload: [u8; 4],
}

/// The packets of one key press: an update every 20 ms, then the end three times (RFC 4733 §2.5.1.4).
#[derive(Clone, Debug)]
pub struct Press {
    tone: Tone,
    frames: u16,
    sent: u16,
}

impl Press {
    /// A press of `duration`, rounded up to whole frames, at least one and at most 8 s
    /// (the duration field ends at 8.19 s).
    pub fn new(tone: Tone, duration: Duration) -> Press {
        let frames = duration.as_millis().div_ceil(limits::FRAME.as_millis()).clamp(1, 400);
        Press { tone, frames: frames as u16, sent: 0 }
    }

    /// Lets the key go now: what is still to come is its end.
    pub fn release(&mut self) {
        self.frames = self.frames.min(self.sent.max(1));
    }

    /// Packets still to come.
    pub fn left(&self) -> u32 {
        u32::from(self.frames + Self::ENDS - self.sent)
    }

    /// How often the end is sent (RFC 4733 §2.5.1.4).
    const ENDS: u16 = 3;
}

impl Iterator for Press {
    type Item = PressPacket;

    fn next(&mut self) -> Option<PressPacket> {
        if self.left() == 0 {
            return None;
        }
        let marker = self.sent == 0;
        let end = self.sent >= self.frames;
        self.sent += 1;
        let duration = self.sent.min(self.frames) * limits::FRAME_TICKS as u16;
        let payload = Payload { event: self.tone.event(), end, volume: 10, duration }.to_bytes();
        Some(PressPacket { marker, payload })
    }
}

/// Makes tones of event packets: one for each press, at its end.
///
/// A press is known by its stream and the timestamp all its packets share. It ends with the first end packet,
/// with the first packet of another press, or, if all that was lost, after [`limits::TONE_LOST_END`].
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    pressed: Option<Pressed>,
    ended: VecDeque<(u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Pressed {
    ssrc: u32,
    timestamp: u32,
    tone: Tone,
    heard: Duration,
}

impl Receiver {
    /// Takes an event packet of the stream `ssrc`, with the packet's marker and timestamp. Returns the tones that
    /// ended by it: usually none or one, two when it ends a press and shows that the one before ended unheard.
    pub fn packet(
        &mut self,
        now: Duration,
        ssrc: u32,
        marker: bool,
        timestamp: u32,
        payload: Payload,
    ) -> [Option<Tone>; 2] {
        let Some(tone) = Tone::of_event(payload.event) else {
            return [None, None];
        };
        if self.ended.contains(&(ssrc, timestamp)) {
            return [None, None];
        }
        let mut before = None;
        match &mut self.pressed {
            Some(pressed) if pressed.ssrc == ssrc && pressed.tone == tone && pressed.goes_on(marker, timestamp) => {
                pressed.timestamp = timestamp;
                pressed.heard = now;
            }
            _ => {
                before = self.end();
                self.pressed = Some(Pressed { ssrc, timestamp, tone, heard: now });
            }
        }
        let this = if payload.end { self.end() } else { None };
        [before, this]
    }

    /// The key that is down.
    pub fn down(&self) -> Option<Tone> {
        self.pressed.map(|pressed| pressed.tone)
    }

    /// Ends a press whose end packets were lost, once it has been quiet for [`limits::TONE_LOST_END`].
    pub fn tick(&mut self, now: Duration) -> Option<Tone> {
        let pressed = self.pressed.as_ref()?;
        if now < pressed.heard + limits::TONE_LOST_END {
            return None;
        }
        self.end()
    }

    fn end(&mut self) -> Option<Tone> {
        let pressed = self.pressed.take()?;
        if self.ended.len() == limits::TONES_REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back((pressed.ssrc, pressed.timestamp));
        Some(pressed.tone)
    }
}

impl Pressed {
    /// Whether a packet of the same key belongs to this press: same timestamp, or the next segment of a press
    /// longer than the duration field can say (RFC 4733 §2.5.1.3: no marker, starts where the last one is full).
    fn goes_on(&self, marker: bool, timestamp: u32) -> bool {
        timestamp == self.timestamp || (!marker && timestamp == self.timestamp.wrapping_add(0xFFFF))
    }
}
