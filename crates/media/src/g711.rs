//! G.711 (ITU-T G.711, 11/88): linear 16-bit samples to µ-law and A-law bytes and back, by tables that are
//! made at compile time. Knows no packet. The tests compare every value with an independent implementation.

/// µ-law byte of a sample of 0.
pub const ULAW_SILENCE: u8 = 0xFF;

/// A-law byte of a sample of 0.
pub const ALAW_SILENCE: u8 = 0xD5;

/// µ-law adds this to a magnitude of 14 bits, so that every segment starts at a power of two.
const ULAW_BIAS: u16 = 33;

/// Largest biased magnitude µ-law can say (13 bits).
const ULAW_CLIP: u16 = 0x1FFF;

static ULAW_TO_LINEAR: [i16; 256] = ulaw_to_linear();
static ALAW_TO_LINEAR: [i16; 256] = alaw_to_linear();
/// Indexed by the upper 14 bits of a sample: µ-law drops the two lowest.
static LINEAR_TO_ULAW: [u8; 1 << 14] = linear_to_ulaw();
/// Indexed by the upper 13 bits of a sample: A-law drops the three lowest.
static LINEAR_TO_ALAW: [u8; 1 << 13] = linear_to_alaw();

/// Appends one µ-law byte for each sample.
pub fn encode_ulaw(pcm: &[i16], ulaw: &mut Vec<u8>) {
    ulaw.extend(pcm.iter().map(|&s| LINEAR_TO_ULAW[usize::from(s as u16 >> 2)]));
}

/// Appends one sample for each µ-law byte. A sample has 14 significant bits and is at most 32,124.
pub fn decode_ulaw(ulaw: &[u8], pcm: &mut Vec<i16>) {
    pcm.extend(ulaw.iter().map(|&b| sample_of_ulaw(b)));
}

/// The sample of one µ-law byte.
pub(crate) fn sample_of_ulaw(byte: u8) -> i16 {
    ULAW_TO_LINEAR[usize::from(byte)]
}

/// Appends one A-law byte for each sample.
pub fn encode_alaw(pcm: &[i16], alaw: &mut Vec<u8>) {
    alaw.extend(pcm.iter().map(|&s| LINEAR_TO_ALAW[usize::from(s as u16 >> 3)]));
}

/// Appends one sample for each A-law byte. A sample has 13 significant bits and is at most 32,256.
pub fn decode_alaw(alaw: &[u8], pcm: &mut Vec<i16>) {
    pcm.extend(alaw.iter().map(|&b| sample_of_alaw(b)));
}

/// The sample of one A-law byte.
pub(crate) fn sample_of_alaw(byte: u8) -> i16 {
    ALAW_TO_LINEAR[usize::from(byte)]
}

const fn linear_to_ulaw() -> [u8; 1 << 14] {
    let mut table = [0; 1 << 14];
    let mut index: u16 = 0;
    while index < 1 << 14 {
        let negative = index & 0x2000 != 0;
        // Negative values fold by complement, as the reference tools of ITU-T G.191 do.
        let magnitude = if negative { !index & 0x1FFF } else { index };
        let biased = if magnitude > ULAW_CLIP - ULAW_BIAS { ULAW_CLIP } else { magnitude + ULAW_BIAS };
        // The segment is where the highest bit stands: bit 5 is segment 0, bit 12 is segment 7.
        let segment = 10 - biased.leading_zeros() as u16;
        let step = biased >> (segment + 1) & 0x0F;
        let sign = if negative { 0x80 } else { 0 };
        table[index as usize] = !(sign | segment << 4 | step) as u8;
        index += 1;
    }
    table
}

const fn ulaw_to_linear() -> [i16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let code = !(index as u8);
        let segment = code >> 4 & 7;
        let step = (code & 0x0F) as i16;
        // The middle of the step, on the 16-bit scale: the bias of 33 becomes 132.
        let magnitude = (((step << 3) + 132) << segment) - 132;
        table[index] = if code & 0x80 != 0 { -magnitude } else { magnitude };
        index += 1;
    }
    table
}

const fn linear_to_alaw() -> [u8; 1 << 13] {
    let mut table = [0; 1 << 13];
    let mut index: u16 = 0;
    while index < 1 << 13 {
        let negative = index & 0x1000 != 0;
        let magnitude = if negative { !index & 0x0FFF } else { index };
        // Segments 0 and 1 share one step size; above, each doubles it.
        let segment = if magnitude < 32 { 0 } else { 11 - magnitude.leading_zeros() as u16 };
        let step = magnitude >> (if segment < 2 { 1 } else { segment }) & 0x0F;
        let sign = if negative { 0 } else { 0x80 };
        // Every second bit is inverted on the wire (G.711 table 1a, note 2).
        table[index as usize] = (sign | segment << 4 | step) as u8 ^ 0x55;
        index += 1;
    }
    table
}

const fn alaw_to_linear() -> [i16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let code = index as u8 ^ 0x55;
        let segment = code >> 4 & 7;
        let step = (code & 0x0F) as i16;
        let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 264) << (segment - 1) };
        table[index] = if code & 0x80 != 0 { magnitude } else { -magnitude };
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_encodes_as_the_oracle_says() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let (mut ulaw, mut alaw) = (Vec::new(), Vec::new());
        encode_ulaw(&all, &mut ulaw);
        encode_alaw(&all, &mut alaw);
        for ((sample, ulaw), alaw) in all.into_iter().zip(ulaw).zip(alaw) {
            assert_eq!(ulaw, audio_codec_algorithms::encode_ulaw(sample), "µ-law of {sample}");
            assert_eq!(alaw, audio_codec_algorithms::encode_alaw(sample), "A-law of {sample}");
        }
    }

    #[test]
    fn every_byte_decodes_as_the_oracle_says() {
        let all: Vec<u8> = (0..=255).collect();
        let (mut ulaw, mut alaw) = (Vec::new(), Vec::new());
        decode_ulaw(&all, &mut ulaw);
        decode_alaw(&all, &mut alaw);
        for ((byte, ulaw), alaw) in all.into_iter().zip(ulaw).zip(alaw) {
            assert_eq!(ulaw, audio_codec_algorithms::decode_ulaw(byte), "µ-law {byte:#x}");
            assert_eq!(alaw, audio_codec_algorithms::decode_alaw(byte), "A-law {byte:#x}");
        }
    }

    #[test]
    fn silence_is_the_code_of_zero() {
        let (mut ulaw, mut alaw) = (Vec::new(), Vec::new());
        encode_ulaw(&[0], &mut ulaw);
        encode_alaw(&[0], &mut alaw);
        assert_eq!((ulaw, alaw), (vec![ULAW_SILENCE], vec![ALAW_SILENCE]));
    }
}
