"""One prediction for a clip that was divided into windows: the mean of what is said of the windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ser.head.data import Part, Predictions, Values


def vote_by_source(part: Part, predictions: Predictions | Values) -> tuple[Part, Predictions | Values]:
    """Predictions [N] of windows as predictions [M] of the clips they were cut from.

    Args:
        part: windows, with the clip they come from in column ``source``; without that column nothing changes.
        predictions: of the windows.
    """
    if "source" not in part.frame:
        return part, predictions
    sources, first, clip = np.unique(part.frame["source"].to_numpy(dtype=str), return_index=True, return_inverse=True)
    said = predictions.predicted if isinstance(predictions, Values) else predictions.probabilities
    means = np.stack([said[clip == number].mean(axis=0) for number in range(len(sources))])
    whole = part.take(first)
    whole = replace(whole, frame=whole.frame.assign(clip=sources))
    if isinstance(predictions, Values):
        return whole, Values(predictions.dimensions, means)
    return whole, Predictions(predictions.emotions, np.array(predictions.emotions)[means.argmax(axis=1)], means)
