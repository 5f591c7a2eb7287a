//! Keys in the words of the engine and of the media room.

use ringback_core as core;

/// The media room's word for a key.
pub(super) fn pressed(tone: core::Tone) -> ringback_media::Tone {
    use core::Tone as From;
    use ringback_media::Tone as To;
    match tone {
        From::Tone0 => To::Digit(0),
        From::Tone1 => To::Digit(1),
        From::Tone2 => To::Digit(2),
        From::Tone3 => To::Digit(3),
        From::Tone4 => To::Digit(4),
        From::Tone5 => To::Digit(5),
        From::Tone6 => To::Digit(6),
        From::Tone7 => To::Digit(7),
        From::Tone8 => To::Digit(8),
        From::Tone9 => To::Digit(9),
        From::Star => To::Star,
        From::Pound => To::Pound,
        From::A => To::A,
        From::B => To::B,
        From::C => To::C,
        From::D => To::D,
        From::Flash => To::Flash,
    }
}

/// The engine's word for a key.
pub(super) fn heard(tone: ringback_media::Tone) -> core::Tone {
    use core::Tone as To;
    use ringback_media::Tone as From;
    const DIGITS: [To; 10] =
        [To::Tone0, To::Tone1, To::Tone2, To::Tone3, To::Tone4, To::Tone5, To::Tone6, To::Tone7, To::Tone8, To::Tone9];
    match tone {
        From::Digit(digit) => DIGITS[usize::from(digit % 10)],
        From::Star => To::Star,
        From::Pound => To::Pound,
        From::A => To::A,
        From::B => To::B,
        From::C => To::C,
        From::D => To::D,
        From::Flash => To::Flash,
    }
}
