"""The spectrum's shape and loudness, frame by frame.

Balance measures after Eyben, F. et al. (2016). The Geneva minimalistic acoustic parameter set (GeMAPS) for voice
research and affective computing. IEEE Transactions on Affective Computing 7(2), 190-202. Loudness as the sum of
compressed critical bands after Zwicker, with the equal-loudness curve of Hermansky (1990).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ser.cue.meters.frames import RATE, cut_frames
from ser.cue.tracks import Array

WIDTH = 400  # samples, 25 ms
SIZE = 512
HERTZ = np.fft.rfftfreq(SIZE, 1 / RATE)
BANDS = 26
#: Of full scale; below lies rounding, not sound.
FLOOR = 1e-12


def describe_spectrum(signal: NDArray[np.float32], voiced: np.ndarray) -> dict[str, Array]:
    """The descriptors of the spectrum ``[F]``; those of the voice are NaN in unvoiced frames.

    Args:
        signal: at :data:`ser.cue.meters.frames.RATE`.
        voiced: flags ``[F]``.
    """
    power = measure_power(signal, len(voiced))
    balance = measure_balance(power)
    tracks = {name: np.where(voiced, values, np.nan) for name, values in balance.items()}
    sonority = 10 * np.log10(_take(power, 200, 2500).sum(axis=1, dtype=np.float64) + FLOOR)
    level = measure_level(signal, len(voiced))
    return tracks | {"loudness": measure_loudness(power), "level": level, "sonority": sonority}


def measure_power(signal: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Power spectra ``[F, bins]``, scaled so that their sum is a frame's mean square."""
    window = np.hanning(WIDTH + 2)[1:-1].astype(np.float32)
    frames = cut_frames(signal, RATE, WIDTH, count) * window
    power = np.abs(fft.rfft(frames, SIZE, axis=1)) ** 2
    power[:, 1:-1] *= 2
    return np.asarray(power / (SIZE * np.sum(window**2)), dtype=np.float32)


def measure_level(signal: NDArray[np.float32], count: int) -> Array:
    """RMS of every frame in dB re full scale ``[F]``."""
    square = np.mean(cut_frames(signal, RATE, WIDTH, count).astype(np.float64) ** 2, axis=1)
    return np.asarray(10 * np.log10(np.maximum(square, FLOOR)))


def measure_balance(power: NDArray[np.float32]) -> dict[str, Array]:
    """How energy is spread over frequency, each ``[F]``."""
    low = _take(power, 50, 1000).sum(axis=1) + FLOOR
    high = _take(power, 1000, 5000).sum(axis=1) + FLOOR
    speech = _take(power, 50, 8000)
    amplitude = np.sqrt(speech)
    hertz = HERTZ[_mark(50, 8000)]
    return {
        "alpha_ratio": 10 * np.log10(high / low),
        "hammarberg": 10 * np.log10((_take(power, 0, 2000).max(axis=1) + FLOOR) / (_peak(power) + FLOOR)),
        "slope_low": _fit_slope(power, 0, 500),
        "slope_mid": _fit_slope(power, 500, 1500),
        "centroid": amplitude @ hertz / (amplitude.sum(axis=1) + FLOOR),
        "high_share": _take(power, 500, 8000).sum(axis=1) / (speech.sum(axis=1) + FLOOR),
    }


def measure_loudness(power: NDArray[np.float32]) -> Array:
    """Sum over bands of power to the 0.3 ``[F]``; a doubling is about 10 dB."""
    return np.asarray(((power @ shape_bands().T + FLOOR) ** 0.3).sum(axis=1), dtype=np.float64)


@lru_cache(maxsize=1)
def shape_bands() -> NDArray[np.float32]:
    """Triangles, equally wide on the mel scale from 20 Hz to 8 kHz, weighted by equal loudness ``[BANDS, bins]``."""
    edges = _from_mel(np.linspace(_to_mel(20.0), _to_mel(8000.0), BANDS + 2))
    rise = (HERTZ - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - HERTZ) / (edges[2:] - edges[1:-1])[:, None]
    square = (edges[1:-1] * 2 * np.pi) ** 2
    weight = (square + 56.8e6) * square**2 / ((square + 6.3e6) ** 2 * (square + 0.38e9))
    return np.asarray(np.clip(np.minimum(rise, fall), 0, None) * (weight / weight.max())[:, None], dtype=np.float32)


def _to_mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _from_mel(mel: Array) -> Array:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))


def _mark(low: float, high: float) -> NDArray[np.bool_]:
    return (low <= HERTZ) & (high > HERTZ)


def _take(power: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    return power[:, _mark(low, high)]


def _peak(power: NDArray[np.float32]) -> Array:
    return np.asarray(_take(power, 2000, 5000).max(axis=1), dtype=np.float64)


def _fit_slope(power: NDArray[np.float32], low: float, high: float) -> Array:
    """Slope of the line through the band in dB, dB/kHz ``[F]``."""
    kilohertz = HERTZ[_mark(low, high)] / 1000
    centred = kilohertz - kilohertz.mean()
    return np.asarray(10 * np.log10(_take(power, low, high) + FLOOR) @ (centred / np.sum(centred**2)), dtype=np.float64)
