//! RTCP reports (RFC 3550 §6): what a stream's receiver counts, a compound packet built from it, and the little
//! that is read from the far end's. Pure: time is an argument. Knows no socket.

use std::time::Duration;

use rtcp_types::{
    Bye, Compound, CompoundBuilder, Packet, ReceiverReport, ReportBlock, ReportBlockBuilder, RtcpPacketWriterExt, Sdes,
    SdesChunk, SdesItem, SenderReport,
};

use crate::limits::{PACKET_BYTES, RTP_CLOCK};

/// A jump in sequence numbers that starts the count anew (RFC 3550 appendix A.1, MAX_DROPOUT).
const MAX_DROPOUT: i16 = 3_000;

/// What is counted of one received stream (RFC 3550 appendices A.1, A.3, A.8).
#[derive(Clone, Debug)]
pub struct Received {
    ssrc: u32,
    first: u32,
    highest: u32,
    packets: u32,
    expected_before: u32,
    packets_before: u32,
    transit: Option<u32>,
    /// Jitter times 16, in timestamp units.
    jitter16: u32,
    sender_report: Option<(u32, Duration)>,
}

impl Received {
    /// A stream that begins with the packet of this sequence number, which is still to be counted.
    pub fn new(ssrc: u32, sequence: u16) -> Received {
        let first = u32::from(sequence);
        Received {
            ssrc,
            first,
            highest: first,
            packets: 0,
            expected_before: 0,
            packets_before: 0,
            transit: None,
            jitter16: 0,
            sender_report: None,
        }
    }

    /// The stream's name.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Counts a packet. `timestamp` is given for audio only: an event's packets share one, which says nothing of jitter.
    pub fn packet(&mut self, now: Duration, sequence: u16, timestamp: Option<u32>) {
        let step = sequence.wrapping_sub(self.highest as u16) as i16;
        if step.unsigned_abs() > MAX_DROPOUT.unsigned_abs() {
            let kept = self.sender_report;
            *self = Received { sender_report: kept, ..Received::new(self.ssrc, sequence) };
        } else if step > 0 {
            self.highest = self.highest.wrapping_add(u32::from(step.unsigned_abs()));
        }
        self.packets = self.packets.wrapping_add(1);
        if let Some(timestamp) = timestamp {
            self.count_jitter(now, timestamp);
        }
    }

    fn count_jitter(&mut self, now: Duration, timestamp: u32) {
        let arrival = (now.as_micros() * u128::from(RTP_CLOCK) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            // A stream that starts its timestamps anew is no jitter.
            if difference < RTP_CLOCK {
                self.jitter16 = self.jitter16 + difference - ((self.jitter16 + 8) >> 4);
            }
        }
    }

    /// Packets missing so far; duplicates may make it negative.
    pub fn lost(&self) -> i64 {
        i64::from(self.expected()) - i64::from(self.packets)
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.first).wrapping_add(1)
    }

    fn report(&mut self, now: Duration) -> ReportBlockBuilder {
        let expected = self.expected().wrapping_sub(self.expected_before);
        let packets = self.packets.wrapping_sub(self.packets_before);
        let missing = expected.saturating_sub(packets);
        let fraction = (u64::from(missing) * 256).checked_div(u64::from(expected)).unwrap_or(0).min(255);
        self.expected_before = self.expected();
        self.packets_before = self.packets;
        let (last, delay) = match self.sender_report {
            Some((middle, at)) => (middle, ((now.saturating_sub(at).as_micros() << 16) / 1_000_000) as u32),
            None => (0, 0),
        };
        ReportBlock::builder(self.ssrc)
            .fraction_lost(fraction as u8)
            .cumulative_lost(self.lost().clamp(0, 0x7F_FFFF) as u32)
            .extended_sequence_number(self.highest)
            .interarrival_jitter(self.jitter16 >> 4)
            .last_sender_report_timestamp(last)
            .delay_since_last_sender_report_timestamp(delay)
    }
}

/// What a sender says of itself in a sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Wall time, NTP 32.32.
    pub ntp: u64,
    /// The stream's timestamp at that time.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Bytes of payload sent.
    pub octets: u32,
}

/// Writes a compound packet over what `bytes` holds: a sender report if there is something `sent` to tell of, else a
/// receiver report; the name; and a farewell if this is the `last`.
pub fn write(
    bytes: &mut Vec<u8>,
    now: Duration,
    ssrc: u32,
    cname: &str,
    sent: Option<Sent>,
    received: Option<&mut Received>,
    last: bool,
) {
    let block = received.map(|r| r.report(now));
    let mut compound = CompoundBuilder::default();
    compound = match sent {
        Some(sent) => {
            let report = SenderReport::builder(ssrc)
                .ntp_timestamp(sent.ntp)
                .rtp_timestamp(sent.timestamp)
                .packet_count(sent.packets)
                .octet_count(sent.octets);
            compound.add_packet(match block {
                Some(block) => report.add_report_block(block),
                None => report,
            })
        }
        None => {
            let report = ReceiverReport::builder(ssrc);
            compound.add_packet(match block {
                Some(block) => report.add_report_block(block),
                None => report,
            })
        }
    };
    compound = compound.add_packet(
        Sdes::builder().add_chunk(SdesChunk::builder(ssrc).add_item(SdesItem::builder(SdesItem::CNAME, cname))),
    );
    if last {
        compound = compound.add_packet(Bye::builder().add_source(ssrc));
    }
    bytes.resize(PACKET_BYTES, 0);
    let written = compound.write_into(bytes).expect("one report, one name and one farewell fit");
    bytes.truncate(written);
}

/// Reads a compound packet. Returns whether it is one; remembers the last sender report of `received`'s stream, so
/// that the far end can measure the round trip from our next report.
pub fn read(bytes: &[u8], now: Duration, received: Option<&mut Received>) -> bool {
    let Ok(compound) = Compound::parse(bytes) else {
        return false;
    };
    let mut middle = None;
    for packet in compound {
        match packet {
            Ok(Packet::Sr(report)) => middle = Some((report.ssrc(), (report.ntp_timestamp() >> 16) as u32)),
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    if let (Some((ssrc, middle)), Some(received)) = (middle, received)
        && ssrc == received.ssrc
    {
        received.sender_report = Some((middle, now));
    }
    true
}
