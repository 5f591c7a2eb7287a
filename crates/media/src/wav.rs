//! WAV files: mono, 16-bit PCM. Reads bytes that nobody vouches for; writes a file whole or not at all.
//! Knows no call. Reading is ours because the bytes come from strangers: every lie of a header has its own error.

use std::fs::{self, File};
use std::io::{self, BufWriter, Cursor, Seek, Write};
use std::path::Path;

/// What a WAV file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wav {
    /// Samples a second.
    pub rate: u32,
    /// Mono samples.
    pub pcm: Vec<i16>,
}

/// Why bytes are not a WAV file that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// No RIFF/WAVE header, or no format before the audio.
    #[error("this is not a WAV file")]
    NotWav,
    /// Another encoding than mono, 16-bit, linear PCM.
    #[error(
        "the WAV file has format {format}, {bits} bits and {channels} channel(s); it must be PCM (format 1), 16 bits, mono"
    )]
    Encoding {
        /// Format tag: 1 is linear PCM.
        format: u16,
        /// Bits a sample.
        bits: u16,
        /// Channels.
        channels: u16,
    },
    /// The header promises more than there is.
    #[error(
        "the WAV file says it holds {declared} bytes of audio and ends after {present}; it is cut off, or was written to a pipe"
    )]
    Truncated {
        /// Bytes of audio by the header.
        declared: u32,
        /// Bytes there are.
        present: usize,
    },
    /// No audio in it.
    #[error("the WAV file holds no audio")]
    Empty,
}

const PCM: u16 = 1;
const EXTENSIBLE: u16 = 0xFFFE;

/// Reads the bytes of a WAV file.
pub fn decode(bytes: &[u8]) -> Result<Wav, WavError> {
    let (riff, mut rest) = bytes.split_at_checked(12).ok_or(WavError::NotWav)?;
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return Err(WavError::NotWav);
    }
    let mut rate = None;
    // Each turn consumes at least the eight bytes of a chunk's header.
    loop {
        let (header, after) =
            rest.split_at_checked(8).ok_or(if rate.is_some() { WavError::Empty } else { WavError::NotWav })?;
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let body = after.get(..length as usize);
        match &header[..4] {
            b"fmt " => rate = Some(format(body.ok_or(WavError::NotWav)?)?),
            b"data" => {
                let rate = rate.ok_or(WavError::NotWav)?;
                let body = body.ok_or(WavError::Truncated { declared: length, present: after.len() })?;
                return samples(rate, body);
            }
            _ => {}
        }
        // Chunks are padded to an even length; the pad byte is not counted.
        rest = after.get(length as usize + (length & 1) as usize..).unwrap_or_default();
    }
}

/// The sample rate, if the format is one we take.
fn format(body: &[u8]) -> Result<u32, WavError> {
    let head: &[u8; 16] = body.first_chunk().ok_or(WavError::NotWav)?;
    let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let (mut format, channels, bits) = (word(0), word(2), word(14));
    // The extensible form says the real format in the first two bytes of a GUID.
    if format == EXTENSIBLE
        && let Some(&[low, high]) = body.get(24..26).and_then(|s| s.first_chunk())
    {
        format = u16::from_le_bytes([low, high]);
    }
    if format != PCM || bits != 16 || channels != 1 {
        return Err(WavError::Encoding { format, bits, channels });
    }
    Ok(u32::from_le_bytes([head[4], head[5], head[6], head[7]]))
}

fn samples(rate: u32, body: &[u8]) -> Result<Wav, WavError> {
    let (pairs, _odd) = body.as_chunks::<2>();
    if pairs.is_empty() {
        return Err(WavError::Empty);
    }
    Ok(Wav { rate, pcm: pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect() })
}

/// The bytes of a WAV file.
pub fn encode(rate: u32, pcm: &[i16]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::with_capacity(44 + 2 * pcm.len()));
    write_to(&mut bytes, rate, pcm).expect("writing to memory");
    bytes.into_inner()
}

/// Bytes of a [`header`].
pub const HEADER_BYTES: u64 = 44;

/// The head of a WAV file of so many bytes of audio: what comes before the samples of [`encode`].
pub fn header(rate: u32, audio: u32) -> [u8; HEADER_BYTES as usize] {
    let mut head = [0; HEADER_BYTES as usize];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        head[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(b"RIFF");
    put(&(HEADER_BYTES as u32 - 8).saturating_add(audio).to_le_bytes());
    put(b"WAVEfmt ");
    put(&16u32.to_le_bytes());
    put(&PCM.to_le_bytes());
    put(&1u16.to_le_bytes());
    put(&rate.to_le_bytes());
    put(&(2 * rate).to_le_bytes());
    put(&2u16.to_le_bytes());
    put(&16u16.to_le_bytes());
    put(b"data");
    put(&audio.to_le_bytes());
    head
}

/// Reads a WAV file. The error is the operating system's, or [`io::ErrorKind::InvalidData`] around a [`WavError`].
pub fn read(path: &Path) -> io::Result<Wav> {
    decode(&fs::read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes a WAV file: first beside it under the name with `.part` added, then renamed, so that nobody ever
/// reads half a file. An older file of that name is replaced.
pub fn write(path: &Path, rate: u32, pcm: &[i16]) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let mut file = BufWriter::new(File::create(&part)?);
    write_to(&mut file, rate, pcm)?;
    file.into_inner()?.sync_all()?;
    fs::rename(&part, path)
}

fn write_to(out: &mut (impl Write + Seek), rate: u32, pcm: &[i16]) -> io::Result<()> {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::new(out, spec).map_err(io::Error::other)?;
    for &sample in pcm {
        writer.write_sample(sample).map_err(io::Error::other)?;
    }
    writer.finalize().map_err(io::Error::other)
}
