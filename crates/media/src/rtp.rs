//! One RTP packet, read and written (RFC 3550 §5.1). Knows no stream: order, loss and time are others' work.

use rtp_types::{RtpPacket, RtpPacketBuilder};

/// Bytes of the fixed header.
pub const HEADER: usize = 12;

/// An RTP packet: what its header says, and its payload without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// 0 to 127.
    pub payload_type: u8,
    /// The first packet after a pause, or of a telephone event.
    pub marker: bool,
    /// Counts packets, wraps at 65,536.
    pub sequence: u16,
    /// Counts samples of the payload's clock, wraps.
    pub timestamp: u32,
    /// Names the stream.
    pub ssrc: u32,
    /// May be empty.
    pub payload: &'a [u8],
}

/// The bytes are no RTP packet of version 2, or claim more than they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RTP packet")]
pub struct Malformed;

impl<'a> Packet<'a> {
    /// Reads a packet; contributing sources and header extensions are skipped.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let packet = RtpPacket::parse(bytes).map_err(|_| Malformed)?;
        let start = packet.payload_offset();
        let end = start + packet.payload_len();
        Ok(Packet {
            payload_type: packet.payload_type(),
            marker: packet.marker_bit(),
            sequence: packet.sequence_number(),
            timestamp: packet.timestamp(),
            ssrc: packet.ssrc(),
            payload: bytes.get(start..end).ok_or(Malformed)?,
        })
    }

    /// Writes the packet over what `bytes` holds.
    ///
    /// # Panics
    /// If the payload type is over 127: it comes from our own negotiation.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        RtpPacketBuilder::<&[u8], &[u8]>::new()
            .payload_type(self.payload_type)
            .marker_bit(self.marker)
            .sequence_number(self.sequence)
            .timestamp(self.timestamp)
            .ssrc(self.ssrc)
            .payload(self.payload)
            .write_into_vec(bytes)
            .expect("a payload type of seven bits");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_the_bytes_of_the_rfc() {
        let mut bytes = Vec::new();
        Packet {
            payload_type: 101,
            marker: true,
            sequence: 0x0102,
            timestamp: 0x0304_0506,
            ssrc: 0x0708_090A,
            payload: &[1, 2],
        }
        .write(&mut bytes);
        assert_eq!(bytes, [0x80, 0x80 | 101, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2]);
    }

    #[test]
    fn sources_extension_and_padding_are_not_payload() {
        let mut bytes = vec![0x80 | 0x20 | 0x10 | 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([9; 4]); // one contributing source
        bytes.extend([0xBE, 0xDE, 0, 1, 7, 7, 7, 7]); // an extension of one word
        bytes.extend([0x55, 0x55, 0, 2]); // two bytes of payload, two of padding
        assert_eq!(Packet::parse(&bytes).map(|p| p.payload), Ok(&[0x55, 0x55][..]));
        bytes.truncate(14);
        assert_eq!(Packet::parse(&bytes), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Packet::parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read(
            payload_type in 0u8..128, marker: bool, sequence: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(any::<u8>(), 0..320),
        ) {
            let packet = Packet { payload_type, marker, sequence, timestamp, ssrc, payload: &payload };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
        }
    }
}
