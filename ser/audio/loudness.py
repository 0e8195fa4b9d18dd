"""Loudness after ITU-R BS.1770, measured and set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ser.audio.prepare import BadAudio, Prepared
from ser.errors import InputError

#: Gating block and the step between blocks, in s.
BLOCK, STEP = 0.4, 0.1
#: Blocks below this many LUFS, and below the mean of the others by more than this many LU, do not count.
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0
#: K-weighting, the standard's tables 1 and 2: numerator and denominator of the shelf and of the high-pass at 48 kHz.
SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))


@dataclass(frozen=True)
class Loudness:
    """Bring each clip to one loudness by one gain; nothing is compressed or clipped.

    The gain stops where the highest sample would pass ``peak``: such a clip stays below the target, and
    ``Prepared.shortfall`` says by how many dB. The level of the recording does not matter: a clip is measured with its
    highest sample at full scale.

    Args:
        target: in LUFS.
        peak: what no sample may exceed, in dBFS.
    """

    target: float = -23.0
    peak: float = -1.0

    def __post_init__(self) -> None:
        if not -70 < self.target < 0:
            raise InputError(f"audio.loudness.target={self.target}", expected="LUFS between -70 and 0, such as -23")
        if self.peak > 0:
            raise InputError(f"audio.loudness.peak={self.peak}", expected="dBFS, at most 0, such as -1")

    def apply(self, clip: Prepared) -> Prepared:
        """The clip at the target."""
        highest = float(np.abs(clip.waveform).max())
        full = clip.waveform / highest if highest > 0 else clip.waveform
        wanted = self.target - measure_loudness(full, clip.rate)
        if not np.isfinite(wanted):
            raise BadAudio(f"nothing audible that could be brought to {self.target} LUFS")
        gain = min(wanted, self.peak)
        waveform = (full * 10 ** (gain / 20)).astype(np.float32)
        return replace(clip, waveform=waveform, shortfall=float(wanted - gain))


def measure_loudness(waveform: np.ndarray, rate: int) -> float:
    """Integrated loudness of a mono waveform [T] in LUFS, -inf where nothing is above -70 LUFS.

    A waveform shorter than one gating block (0.4 s), for which the standard gives no value, is measured ungated over
    its whole length: the value that a single block of that length would have.

    Source: Recommendation ITU-R BS.1770-5, annex 1.
    """
    weighted = weight(np.asarray(waveform, dtype=np.float64), rate)
    energy = np.concatenate([[0.0], np.cumsum(weighted**2)])
    block = round(BLOCK * rate)
    if len(waveform) < block:
        return to_lufs(energy[-1] / max(len(waveform), 1))
    count = int((len(waveform) - block) / (STEP * rate)) + 1
    first = np.round(np.arange(count) * STEP * rate).astype(int)
    first = first[first + block <= len(waveform)]
    powers = (energy[first + block] - energy[first]) / block
    powers = powers[powers > to_power(ABSOLUTE_GATE)]
    if len(powers) == 0:
        return -np.inf
    return to_lufs(powers[powers > powers.mean() * 10 ** (RELATIVE_GATE / 10)].mean())


def weight(waveform: np.ndarray, rate: int) -> np.ndarray:
    """K-weighting of a waveform [T].

    The standard defines the filters by coefficients at 48 kHz. Their response is applied to the spectrum, so a signal
    reads the same at every rate; filters redesigned for a rate do not (pyloudnorm 0.2: 0.07 LU off at 16 kHz).
    """
    size = -(-(len(waveform) + round(0.5 * rate)) // 4096) * 4096  # half a second for the filters to ring out
    return np.fft.irfft(np.fft.rfft(waveform, size) * _respond(size, rate), size)[: len(waveform)]


@lru_cache(maxsize=64)
def _respond(size: int, rate: int) -> np.ndarray:
    frequency = np.minimum(np.fft.rfftfreq(size, 1 / rate), 24000)
    delay = np.exp(-2j * np.pi * frequency / 48000)
    response = np.ones_like(delay)
    for numerator, denominator in (SHELF, HIGH_PASS):
        response *= np.polyval(numerator[::-1], delay) / np.polyval(denominator[::-1], delay)
    return response


def to_lufs(power: float) -> float:
    """Loudness of a K-weighted mean square; -inf for none."""
    return -0.691 + 10 * float(np.log10(power)) if power > 0 else -np.inf


def to_power(lufs: float) -> float:
    """The K-weighted mean square of a loudness."""
    return float(10 ** ((lufs + 0.691) / 10))
