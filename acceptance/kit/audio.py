"""Sound: prompts drawn at random, WAV files, and how alike a recording is to what was played."""

from __future__ import annotations

import io
import random
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PROMPT_RATE = 16_000
"""Samples a second of a prompt, as the contract wants it (mono, 16 bits)."""

Sound = NDArray[np.float64]


NARROW_BAND = 3000.0
"""Hertz that every telephone carries."""

WIDE_BAND = 6500.0
"""Hertz that G.722 carries."""


def draw_tones(source: random.Random, seconds: float, highest: float = NARROW_BAND) -> Sound:
    """A sequence of tones, each of a length, strength and pitch drawn at random, none above so many hertz."""
    parts: list[Sound] = []
    left = int(seconds * PROMPT_RATE)
    while left > 0:
        length = min(left, int(source.uniform(0.08, 0.2) * PROMPT_RATE))
        left -= length
        time = np.arange(length) / PROMPT_RATE
        tone = np.sin(2 * np.pi * source.uniform(350, highest) * time)
        # A short rise and fall, so that a tone does not begin with a click that codecs blur.
        edge = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / (0.005 * PROMPT_RATE))
        parts.append(source.uniform(5000, 12000) * tone * edge)
    return np.concatenate(parts)


def hum(seconds: float, rate: int) -> Sound:
    """What a phone says that has nothing to say."""
    return 300 * np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)


def wav_bytes(sound: Sound, rate: int = PROMPT_RATE) -> bytes:
    """A WAV file: mono, 16 bits."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.clip(sound, -32768, 32767).astype("<i2").tobytes())
    return out.getvalue()


def read_wav(source: Path | io.BytesIO) -> tuple[Sound, int]:
    """The samples of a mono 16-bit WAV file, and its rate."""
    with wave.open(str(source) if isinstance(source, Path) else source, "rb") as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError(f"{source} is not mono with 16 bits")
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float64), file.getframerate()


def at_rate(sound: Sound, rate: int, wanted: int) -> Sound:
    """The same sound with another number of samples a second; what the lower rate cannot carry is cut off first."""
    if rate == wanted or not len(sound):
        return sound
    spectrum = np.fft.rfft(sound)
    length = round(len(sound) * wanted / rate)
    return np.fft.irfft(spectrum[: length // 2 + 1], length) * (length / len(sound))


def likeness(heard: Sound, played: Sound, rate: int) -> float:
    """The normalised correlation of `played` with the stretch of `heard` that fits best; both at one rate.

    1.0 is the same up to loudness; 0.0 has nothing in common. What lies before or after the recording counts as
    silence. Each piece of half a second may lie up to 0.1 s from where the whole fits best: a phone whose buffer ran
    dry goes on a packet earlier or later, which is no fault of what was sent.
    """
    around = np.zeros(len(played))
    heard = np.concatenate([around, heard, around])
    place = _best_place(heard, played)
    piece, slack = rate // 2, rate // 10
    dot = energy = 0.0
    for start in range(0, len(played), piece):
        part = played[start : start + piece]
        first = max(0, place + start - slack)
        window = heard[first : place + start + len(part) + slack]
        at = _best_place(window, part)
        stretch = window[at : at + len(part)]
        dot += float(np.dot(stretch, part))
        energy += float(np.dot(stretch, stretch))
    return dot / float(np.sqrt(energy * np.sum(played**2))) if energy else 0.0


def _best_place(heard: Sound, played: Sound) -> int:
    """Where in `heard`, which is no shorter, `played` correlates best with what is there."""
    size = 1 << (len(heard) + len(played)).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    places = len(heard) - len(played) + 1
    dot = np.fft.irfft(product, size)[:places]
    sums = np.concatenate([[0.0], np.cumsum(heard**2)])
    stretch = sums[len(played) :] - sums[:places]
    # A stretch with next to nothing in it is like anything: it counts as if it were louder.
    return int(np.argmax(dot / np.sqrt(np.maximum(stretch, 0.1 * np.max(stretch) + 1e-9))))
