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


def draw_tones(source: random.Random, seconds: float) -> Sound:
    """A sequence of tones, each of a length, pitch and strength drawn at random; all within a telephone's band."""
    parts: list[Sound] = []
    left = int(seconds * PROMPT_RATE)
    while left > 0:
        length = min(left, int(source.uniform(0.08, 0.2) * PROMPT_RATE))
        left -= length
        time = np.arange(length) / PROMPT_RATE
        tone = np.sin(2 * np.pi * source.uniform(350, 3000) * time)
        # A short rise and fall, so that a tone does not begin with a click that codecs blur.
        edge = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / (0.005 * PROMPT_RATE))
        parts.append(source.uniform(5000, 12000) * tone * edge)
    return np.concatenate(parts)


def wav_bytes(sound: Sound, rate: int = PROMPT_RATE) -> bytes:
    """A WAV file: mono, 16 bits."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.clip(sound, -32768, 32767).astype("<i2").tobytes())
    return out.getvalue()


def read_wav(path: Path) -> tuple[Sound, int]:
    """The samples of a mono 16-bit WAV file, and its rate."""
    with wave.open(str(path), "rb") as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError(f"{path.name} is not mono with 16 bits")
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float64), file.getframerate()


def at_rate(sound: Sound, rate: int, wanted: int) -> Sound:
    """The same sound with another number of samples a second; what the lower rate cannot carry is cut off first."""
    if rate == wanted or not len(sound):
        return sound
    spectrum = np.fft.rfft(sound)
    length = round(len(sound) * wanted / rate)
    return np.fft.irfft(spectrum[: length // 2 + 1], length) * (length / len(sound))


def likeness(heard: Sound, played: Sound) -> float:
    """The normalised correlation of `played` with the stretch of `heard` that fits best; both at one rate.

    1.0 is the same up to loudness; 0.0 has nothing in common. Nothing but one shift in time is forgiven: what lies
    before or after the recording counts as silence.
    """
    around = np.zeros(len(played))
    heard = np.concatenate([around, heard, around])
    size = 1 << (len(heard) + len(played)).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    places = len(heard) - len(played) + 1
    dot = np.fft.irfft(product, size)[:places]
    energy = np.concatenate([[0.0], np.cumsum(heard**2)])
    stretch = energy[len(played) :] - energy[:places]
    # A stretch with next to nothing in it is like anything; it does not count.
    loud = stretch > 0.1 * np.max(stretch)
    if not np.any(loud):
        return 0.0
    return float(np.max(np.abs(dot[loud]) / np.sqrt(stretch[loud] * np.sum(played**2))))
