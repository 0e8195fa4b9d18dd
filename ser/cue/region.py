"""From a relevance map to sets of frames: the region that holds most of it, and where it might have been instead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ser.cue.heard import Heard
from ser.cue.tracks import STEP, Array, Flags


def project_relevance(heard: Heard, frames: int) -> tuple[Array, Flags]:
    """Relevance that falls into each frame of the tracks, and whether a map was made there, both ``[frames]``.

    Relevance is spread evenly over its cell and collected anew, so its sum is kept whatever the two steps are. Both lie
    on the time axis of the file; zeros before the first and after the last sample of sound were put there by padding,
    and count as places without a map.
    """
    order = np.argsort(heard.times)
    edges = np.append(heard.times[order] - heard.step / 2, heard.times[order[-1]] + heard.step / 2)
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(heard.relevance[order]))])
    bounds = heard.offset + np.arange(frames + 1) * STEP
    mass = np.diff(np.interp(bounds, edges, total))
    centres = (bounds[:-1] + bounds[1:]) / 2
    sound = np.flatnonzero(heard.waveform)
    if not sound.size:
        return np.asarray(mass), np.zeros(frames, dtype=bool)
    begin, end = heard.offset + sound[0] / heard.rate, heard.offset + (sound[-1] + 1) / heard.rate
    made = (centres >= max(edges[0], begin)) & (centres <= min(edges[-1], end))
    return np.where(made, mass, 0.0), made


def find_region(mass: Array, quantile: float) -> Flags:
    """The smallest set of frames ``[F]`` that holds this share of the positive relevance; empty if there is none."""
    positive = np.maximum(mass, 0.0)
    # Frames of one cell hold the same up to rounding, which must not decide which of them come first.
    order = np.argsort(-np.round(positive / max(positive.max(initial=0.0), 1e-300), 9), kind="stable")
    held = np.cumsum(positive[order])
    region = np.zeros(len(mass), dtype=bool)
    if held.size and held[-1] > 0:
        # Rounding must not cost another frame.
        count = int(np.searchsorted(held, quantile * held[-1] * (1 - 1e-12))) + 1
        region[order[:count]] = True
    return region & (positive > 0)


def draw_lags(frames: int, shifts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Different circular shifts other than 0, as many as asked for or as there are."""
    if frames - 1 <= shifts:
        return np.arange(1, max(frames, 1))
    return np.sort(rng.choice(frames - 1, shifts, replace=False) + 1)


def shift_region(region: Flags, made: Flags, lags: NDArray[np.int64]) -> Flags:
    """The region moved around the places where a map was made ``[shifts, F]``: same shape, other place."""
    places = np.flatnonzero(made)
    moved = np.zeros((len(lags), len(region)), dtype=bool)
    moved[:, places] = region[places][(np.arange(len(places)) - lags[:, None]) % max(len(places), 1)]
    return moved


def lay_over(region: Flags, made: Flags, frames: int, places: int) -> Flags:
    """The region stretched to another clip's length and moved to evenly spaced places ``[places, frames]``."""
    own = region[made]
    stretched = own[np.minimum(((np.arange(frames) + 0.5) / frames * len(own)).astype(int), len(own) - 1)]
    lags = (np.arange(places) * frames / places).astype(int)
    return np.asarray(stretched[(np.arange(frames) - lags[:, None]) % frames])
