"""Tempo without pitch and pitch without tempo: both by overlapping frames of the waveform itself (WSOLA)."""

from __future__ import annotations

import numpy as np
import soxr
import torch
from torch import Tensor

from ser.augmentation.base import Transform, draw
from ser.errors import InputError

#: Half a frame, in s: frames of 30 ms hold two periods of low voices.
HOP = 0.015
#: How far, in s, a frame is moved to fit the one before it: half a period of a voice of 50 Hz.
SEARCH = 0.01


class Tempo(Transform):
    """Faster or slower speech at the same pitch. The one transform that changes the length.

    Args:
        min_factor: 0.9 makes the clip 1/0.9 as long (0.9 and 1.1: Ko et al., 2015, Audio augmentation for speech
            recognition).
        max_factor: above 1 is faster.
        p: probability that a clip is transformed.

    Raises:
        InputError: a factor that is not above 0.
    """

    def __init__(self, min_factor: float = 0.9, max_factor: float = 1.1, p: float = 1.0) -> None:
        self.min_factor = min_factor
        self.max_factor = max_factor
        super().__init__(p)
        if min_factor <= 0:
            raise InputError(f"augmentation Tempo: min_factor={min_factor}", expected="a factor above 0")

    def transform(self, clip: Tensor, rate: int, generator: torch.Generator) -> Tensor:
        """Stretch."""
        return torch.from_numpy(stretch(clip.numpy(), draw(generator, self.min_factor, self.max_factor), rate))


class PitchShift(Transform):
    """Higher or lower at the same length: stretched, then resampled. Formants move along with the pitch.

    Own code, for torch-audiomentations' PitchShift knows few ratios: at 16 kHz, asked for up to 3 semitones, it shifts
    by 0.41 semitones up or down and by nothing else; at 8 kHz it raises an error.

    Args:
        min_semitones: below 0 is lower.
        max_semitones: drawn uniformly between the two.
        p: probability that a clip is transformed.
    """

    def __init__(self, min_semitones: float = -3.0, max_semitones: float = 3.0, p: float = 1.0) -> None:
        self.min_semitones = min_semitones
        self.max_semitones = max_semitones
        super().__init__(p)

    def transform(self, clip: Tensor, rate: int, generator: torch.Generator) -> Tensor:
        """Shift."""
        ratio = 2 ** (draw(generator, self.min_semitones, self.max_semitones) / 12)
        stretched = stretch(clip.numpy(), 1 / ratio, rate)
        return torch.from_numpy(fit(soxr.resample(stretched, rate * ratio, rate, quality="HQ"), len(clip)))


def stretch(samples: np.ndarray, factor: float, rate: int) -> np.ndarray:
    """Samples [n] at a rate in Hz played ``factor`` times as fast at the same pitch: [n / factor].

    WSOLA (Verhelst and Roelands, 1993): frames are taken ``factor`` hops apart and laid one hop apart, each moved a
    little so that it continues the one before it. Periods are copied whole, so pitch and voice quality stay.
    """
    hop, search = max(1, round(HOP * rate)), round(SEARCH * rate)
    length = max(1, round(len(samples) / factor))
    count = -(-length // hop) + 1
    # Frame k covers a hop before and after time k hops; zeros stand where it, or the search for it, leaves the clip.
    first = search
    behind = int(count * hop * max(factor, 1)) + 3 * hop + 2 * search
    padded = np.pad(samples.astype(np.float64), (first + hop, behind))
    window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * hop) / hop)  # two of them, a hop apart, sum to 1
    output = np.zeros((count + 1) * hop)
    place = first
    for k in range(count):
        if k:
            place = find_fit(padded, place + hop, first + round(k * hop * factor), 2 * hop, search)
        output[k * hop : (k + 2) * hop] += window * padded[place : place + 2 * hop]
    return output[hop : hop + length].astype(np.float32)


def find_fit(samples: np.ndarray, natural: int, nominal: int, size: int, search: int) -> int:
    """Where, within ``search`` of ``nominal``, ``size`` samples are most like those at ``natural`` (correlation)."""
    wanted = samples[natural : natural + size]
    region = samples[nominal - search : nominal + search + size]
    energy = np.concatenate([[0.0], np.cumsum(region**2)])
    power = np.maximum(energy[size:] - energy[:-size], 1e-12 + 1e-9 * energy[-1])
    likeness = np.correlate(region, wanted) / np.sqrt(power)
    best = int(likeness.argmax())
    # Silence is like anything: no reason to move.
    return nominal - search + best if likeness[best] > 0 else nominal


def fit(samples: np.ndarray, length: int) -> np.ndarray:
    """Samples [length]: cut, or continued with zeros."""
    return np.pad(samples[:length], (0, max(0, length - len(samples)))).astype(np.float32)
