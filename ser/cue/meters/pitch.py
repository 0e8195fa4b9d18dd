"""F0, voicing and harmonicity by autocorrelation.

Boersma, P. (1993). Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound. IFA Proceedings 17, 97-110: the autocorrelation of a windowed frame over that of the window, candidates
at its maxima with a small cost for each octave of lag, and the cheapest path through the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ser.cue.meters.frames import cut_frames, find_stretches
from ser.cue.tracks import Array, Flags

Single = NDArray[np.float32]

CANDIDATES = 8
#: Points between two samples of the autocorrelation, by zeros behind its spectrum.
FINER = 2
PERIODS = 3  # of the lowest F0 in a window
MOST_HNR = 40.0  # dB, beyond which the interpolation decides


@dataclass(frozen=True)
class PitchSettings:
    """Costs of the path, in the unit of the autocorrelation (Praat's names and values; Boersma, 1993).

    Args:
        floor, ceiling: Hz, the range of F0.
        silence: frames below this share of the largest amplitude are likely silent.
        voicing: strength that a candidate needs.
        octave: favour of higher candidates, an octave.
        jump: cost of a change of F0, an octave.
        switch: cost of a change between voiced and unvoiced.
        shortest: frames; shorter voiced stretches are noise.
    """

    floor: float = 60.0
    ceiling: float = 650.0
    silence: float = 0.03
    voicing: float = 0.45
    octave: float = 0.01
    jump: float = 0.35
    switch: float = 0.14
    shortest: int = 3


def track_pitch(signal: Single, rate: int, settings: PitchSettings) -> tuple[Array, Array]:
    """F0 in Hz and HNR in dB ``[F]``, NaN where unvoiced."""
    width = round(PERIODS / settings.floor * rate)
    frames = cut_frames(signal, rate, width)
    frames -= frames.mean(axis=1, keepdims=True)
    period = rate // int(settings.floor)
    middle = frames[:, width // 2 - period // 2 : width // 2 + period // 2]
    peaks = np.abs(middle).max(axis=1)
    correlation = autocorrelate(frames, int(rate / settings.floor) + 2)
    lags, heights = find_candidates(correlation, rate, settings)
    strengths = np.where(heights > 0, heights - settings.octave * np.log2(settings.floor * lags), -np.inf)
    loudest = max(float(np.abs(signal).max(initial=0.0)), 1e-9)
    quiet = 2 - (peaks / loudest) / (settings.silence / (1 + settings.voicing))
    unvoiced = settings.voicing + np.maximum(0.0, quiet)
    path = find_path(strengths, np.log2(1 / lags), unvoiced, settings)
    return read_path(path, lags, heights, settings.shortest)


def autocorrelate(frames: Single, most: int) -> Single:
    """Autocorrelation of every frame ``[F, most * FINER]``, 1 at lag 0, free of the window's own decay."""
    width = frames.shape[1]
    window = np.hanning(width + 2)[1:-1].astype(np.float32)
    size = fft.next_fast_len(width + most, real=True)
    power = np.abs(fft.rfft(frames * window, size, axis=1)) ** 2
    shape = fft.irfft(np.abs(fft.rfft(window, size)) ** 2, size * FINER)[: most * FINER]
    found = fft.irfft(power, size * FINER, axis=1)[:, : most * FINER]
    return np.asarray(found / np.maximum(found[:, :1], 1e-12) * (shape[0] / shape), dtype=np.float32)


def find_candidates(correlation: Single, rate: int, settings: PitchSettings) -> tuple[Array, Array]:
    """Lags in s and heights of the best maxima ``[F, CANDIDATES]``; height 0 where there are fewer."""
    first = int(rate * FINER / settings.ceiling)
    middle, left, right = correlation[:, first:-1], correlation[:, first - 1 : -2], correlation[:, first + 1 :]
    is_peak = (middle >= left) & (middle > right) & (middle > settings.voicing / 2)
    rows, columns = np.nonzero(is_peak)
    here, before, after = middle[is_peak], left[is_peak], right[is_peak]
    curve = before - 2 * here + after
    shift = np.where(curve < -1e-9, 0.5 * (before - after) / np.where(curve < -1e-9, curve, -1.0), 0.0)
    shift = np.clip(shift, -0.5, 0.5)
    peak_lags = (columns + first + shift) / (rate * FINER)
    peak_heights = np.minimum(here - 0.25 * (before - after) * shift, 1.0)
    # The best of each frame by strength, where higher candidates are favoured.
    order = np.lexsort((-(peak_heights - settings.octave * np.log2(settings.floor * peak_lags)), rows))
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = place < CANDIDATES
    lags, heights = np.ones((2, len(correlation), CANDIDATES))
    lags[rows[kept], place[kept]] = peak_lags[order][kept]
    heights[:] = 0.0
    heights[rows[kept], place[kept]] = peak_heights[order][kept]
    return lags, heights


def find_path(strengths: Array, octaves: Array, unvoiced: Array, settings: PitchSettings) -> NDArray[np.int64]:
    """The candidate of every frame on the best path ``[F]``; -1 is unvoiced (Viterbi)."""
    count, ways = strengths.shape
    gains = np.concatenate([strengths, unvoiced[:, None]], axis=1)
    costs = np.full((count, ways + 1, ways + 1), settings.switch)
    costs[1:, :-1, :-1] = settings.jump * np.abs(octaves[:-1, :, None] - octaves[1:, None, :])
    costs[:, -1, -1] = 0.0
    best = gains[0]
    origin = np.zeros((count, ways + 1), dtype=np.int64)
    for at in range(1, count):
        reached = best[:, None] - costs[at]
        origin[at] = reached.argmax(axis=0)
        best = reached[origin[at], np.arange(ways + 1)] + gains[at]
    path = np.empty(count, dtype=np.int64)
    path[-1] = int(best.argmax())
    for at in range(count - 1, 0, -1):
        path[at - 1] = origin[at, path[at]]
    return np.where(path == ways, -1, path)


def read_path(path: NDArray[np.int64], lags: Array, heights: Array, shortest: int) -> tuple[Array, Array]:
    """F0 in Hz and HNR in dB along the path ``[F]``."""
    voiced: Flags = path >= 0
    for first, end in find_stretches(voiced):
        if end - first < shortest:
            voiced[first:end] = False
    rows = np.arange(len(path))
    periodic = np.clip(heights[rows, path], 1e-4, 1 - 10 ** (-MOST_HNR / 10))
    f0 = np.where(voiced, 1 / lags[rows, path], np.nan)
    return f0, np.where(voiced, 10 * np.log10(periodic / (1 - periodic)), np.nan)
