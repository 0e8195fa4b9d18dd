"""Glottal cycles, and how much neighbouring ones differ: jitter and shimmer.

Cycles are followed from the steadiest place of a voiced stretch to both ends, by the best cross-correlation of one
period with the next, as Praat's "periodic, cc" point process does. A gliding voice changes its periods without being
rough: local linear trends of period and level are taken out before neighbours are compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ser.cue.meters.frames import find_stretches
from ser.cue.tracks import STEP, Array, Cycles

Single = NDArray[np.float32]

#: A period and the next differ by less than this factor, or one of them was missed.
MOST_CHANGE = 1.25
#: Correlation below which a period is none.
LEAST_ALIKE = 0.4
#: Cycles on each side that tell the local trend.
REACH = 3


def mark_cycles(signal: Single, rate: int, f0: Array, hnr: Array) -> Cycles:
    """The cycles of every voiced stretch.

    Args:
        signal: waveform ``[T]``.
        rate: in Hz.
        f0: Hz ``[F]``, NaN where unvoiced.
        hnr: dB ``[F]``; the best frame of a stretch is where following begins.
    """
    energy = _integrate(signal)
    found = []
    for first, end in find_stretches(~np.isnan(f0)):
        best = int(hnr[first:end].argmax())
        found.append(_follow(signal, energy, rate, int(first), rate / f0[first:end], best))
    return gather_cycles(signal, rate, found)


def gather_cycles(signal: Single, rate: int, found: Sequence[Array]) -> Cycles:
    """Cycles between marks, in samples ``[marks]`` for each voiced stretch; stretches of one cycle are left out."""
    energy = _integrate(signal)
    starts, periods, levels, runs = [], [], [], []
    for number, marks in enumerate(found):
        if len(marks) < 3:
            continue
        starts.append(marks[:-1] / rate)
        periods.append(np.diff(marks) / rate)
        levels.append(_measure_levels(energy, marks))
        runs.append(np.full(len(marks) - 1, number, dtype=np.int64))
    if not starts:
        empty = np.empty(0)
        return Cycles(empty, empty, empty, np.empty(0, dtype=np.int64))
    joined = [np.concatenate(parts) for parts in (starts, periods, levels)]
    return Cycles(joined[0], joined[1], joined[2], np.concatenate(runs))


def measure_perturbation(cycles: Cycles, count: int) -> tuple[Array, Array]:
    """Jitter and shimmer in dB of every frame ``[F]``: means over the cycles whose middle lies within 20 ms of it."""
    jitter, shimmer = np.full(len(cycles.start), np.nan), np.full(len(cycles.start), np.nan)
    for run in np.unique(cycles.run):
        own = np.flatnonzero(cycles.run == run)
        jitter[own] = _compare_neighbours(cycles.period[own] / cycles.period[own].mean())
        shimmer[own] = _compare_neighbours(cycles.level[own])
    middle = cycles.start + cycles.period / 2
    return _spread(jitter, middle, count), _spread(shimmer, middle, count)


def _follow(signal: Single, energy: Array, rate: int, first: int, track: Array, best: int) -> Array:
    """Places of the cycles in samples, in order, from where the voice is steadiest to both ends."""
    begin, end = first * STEP * rate, (first + len(track)) * STEP * rate
    centre, period = int((first + best + 0.5) * STEP * rate), int(track[best])
    low = max(centre - period // 2, 0)
    origin = float(low + np.abs(signal[low : low + period]).argmax())
    right: list[float] = [origin]
    left: list[float] = []
    for sign, marks in ((1, right), (-1, left)):
        here = origin
        while True:
            frame = min(max(int(here / rate / STEP) - first, 0), len(track) - 1)
            step = _step(signal, energy, here, sign, float(track[frame]))
            if step is None or not begin <= here + step <= end:
                break
            here += step
            marks.append(here)
    return np.array(left[::-1] + right)


def _step(signal: Single, energy: Array, here: float, sign: int, period: float) -> float | None:
    """The way to the next cycle in samples, or ``None`` where nothing alike follows."""
    width = round(period)
    at = round(here) - width // 2
    near, far = int(period / MOST_CHANGE), int(period * MOST_CHANGE) + 1
    low = at + near if sign > 0 else at - far
    high = low + far - near
    if at < 0 or low < 1 or high + 1 + width > signal.size:
        return None
    template = signal[at : at + width]
    places = np.arange(low - 1, high + 2)
    products = np.correlate(signal[low - 1 : high + 1 + width], template, "valid")
    norms = np.sqrt((energy[places + width] - energy[places]) * (energy[at + width] - energy[at]))
    alike = products / (norms + 1e-9)
    peak = int(alike[1:-1].argmax()) + 1
    if alike[peak] < LEAST_ALIKE:
        return None
    before, top, after = (float(value) for value in alike[peak - 1 : peak + 2])
    curve = before - 2 * top + after
    shift = 0.5 * (before - after) / curve if curve < -1e-12 else 0.0
    return float(places[peak] + np.clip(shift, -0.5, 0.5) - at)


def _integrate(signal: Single) -> Array:
    """Energy up to each sample ``[T + 1]``."""
    return np.concatenate([[0.0], np.cumsum(signal.astype(np.float64) ** 2)])


def _measure_levels(energy: Array, marks: Array) -> Array:
    """Mean square of each cycle in dB, from mark to mark, parts of samples included."""
    integral = np.interp(marks, np.arange(energy.size), energy)
    return np.asarray(10 * np.log10(np.maximum(np.diff(integral) / np.diff(marks), 1e-12)))


def _compare_neighbours(values: Array) -> Array:
    """Absolute differences of neighbours ``[n]``, the local trend taken out; NaN at the ends and at leaps."""
    steps = np.diff(values)
    # The mean of steps i - REACH to i + REACH is a difference of two values: the slope around i.
    last = len(values) - 1
    low, high = np.arange(last) - REACH, np.arange(last) + REACH + 1
    low, high = np.maximum(low, 0), np.minimum(high, last)
    rough = np.abs(steps - (values[high] - values[low]) / (high - low))
    return np.concatenate([[np.nan], rough])


def _spread(values: Array, middle: Array, count: int, reach: float = 0.02) -> Array:
    """Means over the cycles around each frame ``[F]``."""
    known = ~np.isnan(values)
    sums = np.concatenate([[0.0], np.cumsum(values[known])])
    moments = middle[known]
    centres = (np.arange(count) + 0.5) * STEP
    low, high = np.searchsorted(moments, centres - reach), np.searchsorted(moments, centres + reach, side="right")
    with np.errstate(invalid="ignore"):
        return np.asarray((sums[high] - sums[low]) / np.where(high > low, high - low, np.nan))
