"""What a model makes of the sound of any clip with the words of any other: all that is asked of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
#: Rows of the clips that are heard [P] and of those that are read [P] to logits [P, K].
Score = Callable[[Rows, Rows], Array]
#: Pairs that are asked about at once.
AT_ONCE = 8192


def tabulate(score: Score, count: int) -> Array:
    """Logits [N, N, K] of the sound of each of N clips with the words of each.

    Args:
        score: of a model.
        count: N.
    """
    heard, read = np.divmod(np.arange(count * count, dtype=np.int64), count)
    parts = [score(heard[at : at + AT_ONCE], read[at : at + AT_ONCE]) for at in range(0, len(heard), AT_ONCE)]
    return np.concatenate(parts).astype(np.float64).reshape(count, count, -1)


def find_margins(logits: Array) -> Array:
    """Margins [..., K] of all classes: logit minus log-sum-exp of the others."""
    classes = np.arange(logits.shape[-1])
    others = [logsumexp(np.delete(logits, own, axis=-1), axis=-1) for own in classes]
    return np.asarray(logits - np.stack(others, axis=-1))


def weigh(logits: Array, worth: str) -> Array:
    """What counts of each class [..., K]: its ``margin``, or its ``probability``."""
    return find_margins(logits) if worth == "margin" else np.asarray(softmax(logits, axis=-1))
