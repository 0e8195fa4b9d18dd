"""Cutting a waveform into frames that are centred where the tracks say."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ser.cue.tracks import count_frames, place_frames

#: Hz; every measure is made at this rate, so that none depends on that of the file.
RATE = 16000


def resample(waveform: np.ndarray, rate: int, wanted: int = RATE) -> NDArray[np.float32]:
    """A mono waveform at another rate, float32; what is not finite becomes 0."""
    signal = np.nan_to_num(np.asarray(waveform, dtype=np.float32).reshape(-1))
    if rate == wanted or not signal.size:
        return signal
    import soxr

    return np.asarray(soxr.resample(signal, rate, wanted, quality="HQ"), dtype=np.float32)


def cut_frames(signal: NDArray[np.float32], rate: int, width: int, count: int | None = None) -> NDArray[np.float32]:
    """Frames of ``width`` samples around every frame's centre ``[F, width]``; zeros beyond the ends."""
    count = count_frames(signal.size, rate) if count is None else count
    centres = np.round(place_frames(count) * rate).astype(int)
    padded = np.pad(signal, (width // 2, width))
    return np.asarray(sliding_window_view(padded, width)[centres])


def find_stretches(flags: np.ndarray) -> NDArray[np.int64]:
    """First and end frame of every stretch of true flags ``[n, 2]``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, dtype=np.int8), [0]])))
    return edges.reshape(-1, 2).astype(np.int64)
