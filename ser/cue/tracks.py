"""What meters yield: low-level descriptors over a whole utterance, and its segments and glottal cycles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Seconds from frame to frame; frame k covers ``[k * STEP, (k + 1) * STEP]`` and its time is the middle.
STEP = 0.01
#: Every descriptor with its unit. Those of the voice are defined in voiced frames only.
DESCRIPTORS = {
    "f0": "semitones above 27.5 Hz",
    "hnr": "dB",
    "jitter": "mean difference of neighbouring periods over the period, melody taken out",
    "shimmer": "dB, mean difference of neighbouring cycles' levels, slow changes taken out",
    "f1": "Hz",
    "f1_bandwidth": "Hz",
    "alpha_ratio": "dB, energy in 1-5 kHz over that in 50-1000 Hz",
    "hammarberg": "dB, strongest peak below 2 kHz over that in 2-5 kHz",
    "slope_low": "dB/kHz, 0-500 Hz",
    "slope_mid": "dB/kHz, 500-1500 Hz",
    "centroid": "Hz",
    "high_share": "share of the energy that lies above 500 Hz",
    "loudness": "sone-like, sum over critical bands of power ** 0.3",
    "level": "dB re full scale, RMS",
    "sonority": "dB re full scale, RMS of 200-2500 Hz, where vowels are strong and fricatives weak",
}


@dataclass(frozen=True, eq=False)
class Segments:
    """Stretches of an utterance, each ``[n, 2]``: start and end in s from the first sample.

    Args:
        voiced: stretches with a pitch.
        pauses: silences between the first and the last speech.
        syllables: from one syllable nucleus to the next, pauses in between included.
        silence: of each syllable's stretch, s of pause in it ``[syllables]``.
        level: of each syllable, dB, mean power of its voiced frames ``[syllables]``.
        attack: of each syllable, the steepest rise of the level before its nucleus in dB/s ``[syllables]``.
    """

    voiced: Array
    pauses: Array
    syllables: Array
    silence: Array
    level: Array
    attack: Array


@dataclass(frozen=True, eq=False)
class Cycles:
    """Glottal cycles, each ``[cycles]``: start and period in s, level in dB, number of the voiced stretch."""

    start: Array
    period: Array
    level: Array
    run: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tracks:
    """Descriptors of one utterance.

    Args:
        times: centres of the frames, s from the first sample ``[F]``.
        voiced: frames with a pitch ``[F]``.
        speech: frames that are not silent ``[F]``.
        values: of each descriptor ``[F]``, NaN where it is not defined, so that no mean takes a missing value for 0.
        segments: voiced stretches, pauses, syllables.
        cycles: glottal cycles; none where the meter does not mark them.
    """

    times: Array
    voiced: Flags
    speech: Flags
    values: Mapping[str, Array]
    segments: Segments
    cycles: Cycles | None = None


class Meter(Protocol):
    """Measures a whole utterance once."""

    @property
    def reliability(self) -> Mapping[str, float | None]:
        """Of each measured cue, 0 to 1 as found on planted ladders; ``None`` where no ladder tests it."""

    def measure(self, waveform: np.ndarray, rate: int) -> Tracks:
        """Tracks of a mono waveform ``[T]`` at a rate in Hz."""


def count_frames(samples: int, rate: int) -> int:
    """How many whole frames a waveform has, at least one."""
    return max(1, int(samples / rate / STEP + 1e-6))


def place_frames(count: int) -> Array:
    """Centres of the frames in s ``[F]``."""
    return np.asarray((np.arange(count) + 0.5) * STEP, dtype=np.float64)
