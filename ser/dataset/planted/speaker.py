"""Synthetic speakers: what stays the same whatever is felt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser.dataset.planted.streams import Stream, open_stream


@dataclass(frozen=True)
class Speaker:
    """One voice.

    Args:
        name: id.
        gender: female or male.
        age: years.
        f0: Hz, the mean in neutral speech.
        tract: factor on all formants (1 is a vocal tract of 17.5 cm).
        rd: of the glottal pulses in neutral speech (0.3 pressed to 2.7 lax).
        jitter: local jitter (0.005 is 0.5 %).
        shimmer: local shimmer, dB.
        rate: factor on 4.5 syllables/s.
        spectrum: dB, amplitudes of cosines over log frequency that colour the long-term spectrum.
    """

    name: str
    gender: str
    age: int
    f0: float
    tract: float
    rd: float
    jitter: float
    shimmer: float
    rate: float
    spectrum: tuple[float, ...]


def draw_speaker(name: str, gender: str, key: Sequence[int]) -> Speaker:
    """Draw a speaker of a gender; ranges after Hillenbrand et al. (1995) and Traunmueller & Eriksson (1995)."""
    rng = open_stream(Stream.SPEAKER, key)
    female = gender == "female"
    height = float(np.clip(rng.standard_normal(), -2, 2))
    age = int(rng.integers(20, 71))
    return Speaker(
        name=name,
        gender=gender,
        age=age,
        # Larger bodies speak lower and have longer tracts, loosely.
        f0=(205.0 if female else 115.0) * 2 ** ((-0.8 * height + 1.2 * _draw_bounded(rng)) / 12),
        tract=(1.15 if female else 1.0) * (1 - 0.025 * height + 0.015 * _draw_bounded(rng)),
        rd=1.1 + (0.08 if female else 0.0) + 0.1 * _draw_bounded(rng),
        jitter=0.005 * 2 ** (0.25 * _draw_bounded(rng) + (age - 45) / 150),
        shimmer=0.25 * 2 ** (0.25 * _draw_bounded(rng) + (age - 45) / 150),
        rate=2 ** (0.06 * _draw_bounded(rng)),
        spectrum=tuple(1.2 * _draw_bounded(rng) for _ in range(3)),
    )


def _draw_bounded(rng: np.random.Generator) -> float:
    return float(np.clip(rng.standard_normal(), -2, 2))
