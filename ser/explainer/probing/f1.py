"""F1 of repeated divisions of the clips, mean over them, with an interval over speakers.

A speaker may be tested in several divisions. Resampling draws whole speakers, the same in all divisions; the models
stay as they are, so that the interval says what other speakers would have changed, and nothing of other training clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser.metrics import NO_INTERVAL, find_interval, resample_groups


def count_answers(labels: np.ndarray, predicted: np.ndarray, groups: np.ndarray, size: int) -> np.ndarray:
    """Hits, false alarms, misses and clips of each speaker [S, 4] in one division.

    Args:
        labels: 1 or 0 of the tested clips [M].
        predicted: the same, as the model says [M].
        groups: number of their speakers [M].
        size: number of speakers S.
    """
    counts = np.zeros((size, 4), dtype=np.int64)
    hit, alarm, miss = labels & predicted, ~labels & predicted, labels & ~predicted
    for column, kind in enumerate((hit, alarm, miss, np.ones(len(labels), dtype=bool))):
        np.add.at(counts[:, column], groups, kind)
    return counts


def find_f1(counts: np.ndarray) -> np.ndarray:
    """F1 [...] from counts [..., D, 4], mean over the divisions that have clips; 0 in one where nothing is hit."""
    hits, alarms, misses, clips = np.moveaxis(counts, -1, 0)
    named = 2 * hits + alarms + misses
    scores = np.divide(2.0 * hits, named, out=np.zeros(hits.shape), where=named > 0)
    divisions = (clips > 0).sum(-1)
    return np.divide(scores.sum(-1), divisions, out=np.full(divisions.shape, np.nan), where=divisions > 0)


def score_f1(counts: np.ndarray) -> tuple[float, float, float]:
    """F1 and the ends of its interval, from counts [S, D, 4]; NaN ends where fewer than two speakers are tested."""
    return float(find_f1(counts.sum(0))), *find_limits([counts])


def score_gain(counts: np.ndarray, less: np.ndarray) -> tuple[float, float, float]:
    """Difference of F1 of two models of the same clips and the ends of its interval, speakers resampled in pairs."""
    return float(find_f1(counts.sum(0)) - find_f1(less.sum(0))), *find_limits([counts, less])


def find_limits(terms: Sequence[np.ndarray]) -> tuple[float, float]:
    """Interval of the F1 of counts [S, D, 4], less those that follow, over the speakers who are tested."""
    tested = terms[0][..., 3].sum(1) > 0
    if tested.sum() < 2:
        return NO_INTERVAL
    first, *others = (find_f1(resample_groups(counts[tested])) for counts in terms)
    values = first - sum(others)
    return find_interval(values)
