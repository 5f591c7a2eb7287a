//! Prompts come from strangers: what is right is played right, everything else is refused with its reason.

use std::io::Cursor;
use std::time::Duration;

use proptest::prelude::*;
use ringback_media::correlate::correlate;
use ringback_media::wav::{self, WavError};
use ringback_media::{Prompt, PromptError, limits};

use crate::signals::melody;

#[test]
fn a_prompt_at_16_khz_is_kept_as_it_is() {
    let pcm = melody(1, 16_000, 500);
    let prompt = Prompt::decode(&wav::encode(16_000, &pcm)).expect("a good prompt");
    assert_eq!(prompt.pcm16k(), pcm);
    assert_eq!(prompt.duration(), Duration::from_millis(500));
}

#[test]
fn other_rates_are_resampled_without_shift_or_stretch() {
    let reference = melody(1, 16_000, 2_000);
    for rate in [8_000, 22_050, 24_000, 32_000, 44_100, 48_000] {
        let prompt = Prompt::decode(&wav::encode(rate, &melody(1, rate, 2_000))).expect("a good prompt");
        assert_eq!(prompt.duration(), Duration::from_secs(2), "{rate} Hz");
        let found = correlate(&reference, prompt.pcm16k(), 50).expect("not silent");
        assert!(found.lag.abs() <= 1 && found.coefficient > 0.99, "{rate} Hz: {found:?}");
    }
}

#[test]
fn odd_rates_are_taken_too() {
    for rate in [8_001, 11_025, 47_999] {
        let prompt = Prompt::decode(&wav::encode(rate, &vec![100; rate as usize])).expect("a good prompt");
        assert_eq!(prompt.duration(), Duration::from_secs(1), "{rate} Hz");
    }
    for samples in 1..50 {
        let prompt = Prompt::decode(&wav::encode(44_100, &vec![100; samples])).expect("a good prompt");
        assert_eq!(prompt.pcm16k().len(), (samples * 160).div_ceil(441), "{samples} samples");
    }
}

#[test]
fn what_hound_writes_we_read_and_the_other_way_round() {
    let pcm = melody(3, 8_000, 300);
    let bytes = wav::encode(8_000, &pcm);
    assert_eq!(wav::decode(&bytes), Ok(wav::Wav { rate: 8_000, pcm: pcm.clone() }));
    let mut reader = hound::WavReader::new(Cursor::new(bytes)).expect("hound reads it");
    assert_eq!(reader.samples::<i16>().map(|s| s.expect("a sample")).collect::<Vec<_>>(), pcm);
}

#[test]
fn chunks_before_the_audio_are_skipped_with_their_padding() {
    let plain = wav::encode(16_000, &[1, 2, 3]);
    let (riff, rest) = plain.split_at(12);
    let mut bytes = riff.to_vec();
    bytes.extend(b"LIST\x03\x00\x00\x00abc\x00");
    bytes.extend(rest);
    assert_eq!(wav::decode(&bytes).map(|w| w.pcm), Ok(vec![1, 2, 3]));
}

fn written(channels: u16, bits: u16, format: hound::SampleFormat) -> Vec<u8> {
    let spec = hound::WavSpec { channels, sample_rate: 16_000, bits_per_sample: bits, sample_format: format };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("a header");
    for _ in 0..channels * 16 {
        match format {
            hound::SampleFormat::Int => writer.write_sample(1i8).expect("a sample"),
            hound::SampleFormat::Float => writer.write_sample(0.1f32).expect("a sample"),
        }
    }
    writer.finalize().expect("a file");
    bytes.into_inner()
}

#[test]
fn other_encodings_are_named_in_the_error() {
    use hound::SampleFormat::{Float, Int};
    for (bytes, channels, bits, format) in [
        (written(2, 16, Int), 2, 16, 1),
        (written(1, 8, Int), 1, 8, 1),
        (written(1, 24, Int), 1, 24, 1),
        (written(1, 32, Float), 1, 32, 3),
    ] {
        assert_eq!(Prompt::decode(&bytes).unwrap_err(), PromptError::Encoding { format, bits, channels });
    }
}

#[test]
fn what_cannot_be_played_is_refused_with_its_reason() {
    let error = |bytes: &[u8]| Prompt::decode(bytes).unwrap_err();
    assert_eq!(error(b""), PromptError::NotWav);
    assert_eq!(error(b"ID3\x03 an mp3, say, of some length"), PromptError::NotWav);
    assert_eq!(error(&wav::encode(16_000, &[])), PromptError::Empty);
    assert_eq!(error(&wav::encode(4_000, &[0; 100])), PromptError::Rate { rate: 4_000 });
    assert_eq!(error(&wav::encode(96_000, &[0; 100])), PromptError::Rate { rate: 96_000 });
    let large = vec![0; limits::PROMPT_BYTES + 1];
    assert_eq!(error(&large), PromptError::TooLarge { bytes: limits::PROMPT_BYTES + 1 });
    let mut cut = wav::encode(16_000, &[7; 100]);
    cut.truncate(cut.len() - 30);
    assert_eq!(error(&cut), PromptError::Truncated { declared: 200, present: 170 });
    let mut piped = wav::encode(16_000, &[7; 100]);
    piped[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(error(&piped), PromptError::Truncated { declared: u32::MAX, present: 200 });
}

#[test]
fn every_prefix_of_a_good_file_is_refused() {
    let whole = wav::encode(16_000, &melody(1, 16_000, 100));
    for end in 0..whole.len() {
        assert!(wav::decode(&whole[..end]).is_err(), "{end} bytes");
    }
}

#[test]
fn a_file_is_written_whole_under_its_name_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heard.wav");
    wav::write(&path, 8_000, &[1, -1]).expect("written");
    wav::write(&path, 8_000, &[2, -2]).expect("replaced");
    assert_eq!(wav::read(&path).expect("read").pcm, [2, -2]);
    assert_eq!(folder.path().read_dir().expect("listed").count(), 1, "nothing is left beside it");
    std::fs::write(&path, b"RIFF").expect("spoilt");
    let error = wav::read(&path).unwrap_err();
    let reason = error.get_ref().and_then(|e| e.downcast_ref::<WavError>());
    assert_eq!(reason, Some(&WavError::NotWav));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Prompt::decode(&bytes);
    }

    #[test]
    fn no_change_to_a_good_file_panics(at in 0usize..60, byte: u8, length in 0usize..300, more in 0usize..60) {
        let mut bytes = wav::encode(8_000, &melody(1, 8_000, 100)[..length]);
        let last = bytes.len() - 1;
        bytes[at.min(last)] = byte;
        bytes[more.min(last)] ^= 0xFF;
        let _ = Prompt::decode(&bytes);
    }
}

/// A WAV file of these chunks, whatever their headers claim.
fn riff(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
    let mut bytes = b"RIFF\xFF\xFF\xFF\xFFWAVE".to_vec();
    for (name, claimed, body) in chunks {
        bytes.extend(*name);
        bytes.extend(claimed.to_le_bytes());
        bytes.extend(*body);
    }
    bytes
}

/// A format chunk's body: tag, channels, rate, bytes a second and alignment as they should be, bits.
fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(channels.to_le_bytes());
    body.extend(rate.to_le_bytes());
    body.extend((rate.wrapping_mul(2)).to_le_bytes());
    body.extend(2u16.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body
}

#[test]
fn files_that_lie_about_themselves_are_refused_with_the_lie() {
    let error = |bytes: Vec<u8>| Prompt::decode(&bytes).map(|prompt| prompt.pcm16k().len());
    let right = format(1, 1, 16_000, 16);
    let audio: &[u8] = &[1; 8];
    assert_eq!(
        error(riff(&[(b"fmt ", 16, &right), (b"data", 8, audio)])),
        Ok(4),
        "the size of the whole is not needed"
    );
    assert_eq!(
        error(riff(&[(b"data", 8, audio), (b"fmt ", 16, &right)])),
        Err(PromptError::NotWav),
        "audio of no format"
    );
    assert_eq!(error(riff(&[(b"fmt ", 16, &right)])), Err(PromptError::Empty));
    assert_eq!(error(riff(&[(b"fmt ", 16, &right), (b"data", 1, &[1])])), Err(PromptError::Empty), "half a sample");
    for claimed in [9, 1 << 31, u32::MAX - 1, u32::MAX] {
        let bytes = riff(&[(b"fmt ", 16, &right), (b"data", claimed, audio)]);
        assert_eq!(error(bytes), Err(PromptError::Truncated { declared: claimed, present: 8 }));
        let bytes = riff(&[(b"fmt ", 16, &right), (b"LIST", claimed, audio)]);
        assert_eq!(error(bytes), Err(PromptError::Empty), "a chunk of {claimed} bytes hides the rest");
        assert_eq!(error(riff(&[(b"fmt ", claimed, &right)])), Err(PromptError::NotWav));
    }
    for length in [0, 1, 15] {
        assert_eq!(error(riff(&[(b"fmt ", length, &right[..length as usize])])), Err(PromptError::NotWav));
    }
    for rate in [0, 1, 7_999, 48_001, u32::MAX] {
        let bytes = riff(&[(b"fmt ", 16, &format(1, 1, rate, 16)), (b"data", 8, audio)]);
        assert_eq!(error(bytes), Err(PromptError::Rate { rate }));
    }
    for (tag, channels, bits) in [(1, 0, 16), (1, 65_535, 16), (1, 1, 0), (1, 1, 65_535), (0, 1, 16), (85, 1, 16)] {
        let bytes = riff(&[(b"fmt ", 16, &format(tag, channels, 16_000, bits)), (b"data", 8, audio)]);
        assert_eq!(error(bytes), Err(PromptError::Encoding { format: tag, bits, channels }));
    }
    // The extensible form names the real format in bytes 24 and 25; too short, it names none.
    let extensible = |real: u16, length: usize| {
        let mut body = format(0xFFFE, 1, 16_000, 16);
        body.extend([22, 0, 16, 0, 4, 0, 0, 0]);
        body.extend(real.to_le_bytes());
        body.extend([0; 14]);
        body.truncate(length);
        riff(&[(b"fmt ", body.len() as u32, &body), (b"data", 8, audio)])
    };
    assert_eq!(error(extensible(1, 40)), Ok(4));
    assert_eq!(error(extensible(3, 40)), Err(PromptError::Encoding { format: 3, bits: 16, channels: 1 }));
    assert_eq!(error(extensible(1, 24)), Err(PromptError::Encoding { format: 0xFFFE, bits: 16, channels: 1 }));
    // A million empty chunks are passed over one by one.
    let many = vec![(b"junk", 0u32, &[][..]); 1_000_000];
    assert_eq!(error(riff(&many)), Err(PromptError::NotWav));
}
