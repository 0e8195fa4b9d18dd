"""One prediction for a clip that was divided into windows: the mean of the windows' probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ser.head.data import Part, Predictions


def vote_by_source(part: Part, predictions: Predictions) -> tuple[Part, Predictions]:
    """Predictions [N] of windows as predictions [M] of the clips they were cut from.

    Args:
        part: windows, with the clip they come from in column ``source``; without that column nothing changes.
        predictions: of the windows.
    """
    if "source" not in part.frame:
        return part, predictions
    sources, first, clip = np.unique(part.frame["source"].to_numpy(dtype=str), return_index=True, return_inverse=True)
    means = np.stack([predictions.probabilities[clip == number].mean(axis=0) for number in range(len(sources))])
    whole = part.take(first)
    frame = whole.frame.assign(clip=sources)
    return replace(whole, frame=frame), Predictions(
        predictions.emotions, np.array(predictions.emotions)[means.argmax(axis=1)], means
    )
