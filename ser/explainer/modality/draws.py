"""Which other clips stand for a sound or for words that are not known: draws from the clips that there are.

Silence or an empty text would be unlike anything that the model has met, and what it makes of them says little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser.explainer.modality.table import Rows


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws for N clips.

    Attributes:
        rows: of the clips drawn [N, M].
        wide: too few were like the clip, so that the nearest were taken [N].
    """

    rows: Rows
    wide: NDArray[np.bool_]


def draw_others(
    lengths: NDArray[Any],
    groups: NDArray[np.int64],
    count: int,
    band: float,
    rng: np.random.Generator,
) -> Draws:
    """Other clips of the same group and about the same length, for each clip.

    Where fewer than ``count`` are, the nearest in length of the group make up for it; where the group has none, those
    of all groups do. Where there are fewer clips than draws, they come round again.

    Args:
        lengths: of the clips [N], above 0.
        groups: of the clips [N]: speakers; all the same where any clip will do.
        count: draws M.
        band: largest ratio of two lengths that are about the same.
        rng: of the draws.
    """
    rows, wide = np.empty((len(lengths), count), dtype=np.int64), np.zeros(len(lengths), dtype=bool)
    ratios = np.abs(np.log(lengths[:, None] / lengths))
    for clip in range(len(lengths)):
        others = np.flatnonzero((groups == groups[clip]) & (np.arange(len(lengths)) != clip))
        lone = not len(others)
        if lone:
            others = np.flatnonzero(np.arange(len(lengths)) != clip)
        shuffled = rng.permutation(others)
        like = ratios[clip, shuffled] <= np.log(band) + 1e-12
        wide[clip] = lone or like.sum() < min(count, len(others))
        rest = shuffled[~like]
        chosen = np.concatenate([shuffled[like], rest[np.argsort(ratios[clip, rest], kind="stable")]])
        rows[clip] = np.resize(chosen[: max(1, min(count, len(chosen)))], count)
    return Draws(rows, wide)
