"""What is said of recordings: by several at once, or by one to a user of Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ser.audio.prepare import BadAudio
from ser.prediction.places import Place


@dataclass(frozen=True)
class Said:
    """What is said of N places.

    Attributes:
        names: emotions, or dimensions.
        emotional: which of them.
        scores: probabilities, or numbers in the unit of the ratings [N, K]; NaN where nothing could be said.
        problems: why, by place.
        seconds: of sound that was judged.
    """

    names: tuple[str, ...]
    emotional: bool
    scores: np.ndarray
    problems: Mapping[int, BadAudio] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Prediction:
    """What is said of one recording.

    Attributes:
        emotion: the likeliest; ``None`` where numbers are predicted.
        probabilities: of each emotion; none where numbers are predicted.
        values: of each dimension, in the unit of its ratings.
        start: of a window, in s; ``None`` of a whole recording.
        end: likewise.
        windows: of a long recording, whose own probabilities and values are their means.
    """

    emotion: str | None
    probabilities: dict[str, float]
    values: dict[str, float] = field(default_factory=dict)
    start: float | None = None
    end: float | None = None
    windows: tuple[Prediction, ...] = ()


def make_prediction(said: Said, scores: np.ndarray, place: Place | None = None) -> Prediction:
    """Scores [K] as a user gets them, with the times of a window."""
    told = dict(zip(said.names, map(float, scores), strict=True))
    edges = (None, None) if place is None else (place.start, place.end)
    if said.emotional:
        return Prediction(said.names[int(scores.argmax())], told, {}, *edges)
    return Prediction(None, {}, told, *edges)
