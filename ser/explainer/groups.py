"""Intervals over speakers by a jackknife: groups of speakers are left out one at a time, and everything is done again.

For statistics that a bootstrap would distort: clips drawn twice are most similar to themselves.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

#: Groups of speakers, at most; with as many speakers or fewer, each is a group.
GROUPS = 10


def group_speakers(speakers: np.ndarray, most: int = GROUPS) -> dict[object, int]:
    """Number of the group of each speaker; groups have about as many clips each.

    Args:
        speakers: of the clips [N].
        most: groups.
    """
    names, counts = np.unique(speakers, return_counts=True)
    totals, found = np.zeros(min(most, len(names))), {}
    for place in np.argsort(-counts, kind="stable"):
        found[names[place].item()] = int(totals.argmin())
        totals[totals.argmin()] += counts[place]
    return found


def find_reach(left: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Half the width [...] of the interval of a statistic, from its values [G, ...] without each group.

    Student's t times the jackknife's standard error (Efron & Tibshirani, 1993, 11.2); NaN with one group, or where the
    statistic is not known without one of them.
    """
    count = len(left)
    if count < 2:
        return np.full(left.shape[1:], np.nan)
    error = np.sqrt((count - 1) / count * ((left - left.mean(0)) ** 2).sum(0))
    return stats.t.ppf((1 + level) / 2, count - 1) * error
