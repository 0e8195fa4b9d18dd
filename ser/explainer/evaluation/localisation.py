"""Where the relevance of clips lies whose manifest says where the cue is: planted ones, or words with known times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ser.explainer.attribution import Attribution
from ser.explainer.clip import Clip
from ser.explainer.evaluation.planted import mark_span, score_map


def score_localisation(clip: Clip, attribution: Attribution) -> Iterator[tuple[str, float]]:
    """Scores of a map over time; none where no span is known, or where the cue speaks for another class.

    A cue in the clip speaks for the emotion of the clip, so maps of other classes have no business there.
    """
    span = find_span(clip, "span")
    if np.isfinite(span).all() and attribution.target == clip.true:
        yield from score_map(attribution.over_time(), attribution.times, span, find_span(clip, "decoy")).items()


def score_truth(clip: Clip, attribution: Attribution) -> Iterator[tuple[str, float]]:
    """Scores of a map that is 1 inside the span and 0 elsewhere, on the cells of another map."""
    span = find_span(clip, "span")
    if np.isfinite(span).all() and attribution.target == clip.true:
        truth = mark_span(attribution.times, *span).astype(float)
        # Without smoothing: the truth has sharp edges.
        yield from score_map(truth, attribution.times, span, find_span(clip, "decoy"), smoothing=0.0).items()


def find_span(clip: Clip, name: str) -> tuple[float, float]:
    """Start and end in s on the time axis of the file; NaN where there is none."""
    start, end = (clip.row.get(f"{name}_{edge}") for edge in ("start", "end"))
    return tuple(float("nan") if edge is None else float(edge) for edge in (start, end))  # type: ignore[return-value]
