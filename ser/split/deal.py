"""Dealing the clips of whole groups to parts, balanced by manifest columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser.split.allocate import allocate_groups
from ser.split.strata import label_levels


class Dealer:
    """Deals groups of clips (speakers, sentences) whole; levels are those of all clips, whichever are dealt.

    Every column has the same weight, shared by its levels, so that seven emotions do not drown two genders. The groups
    themselves count as one more column, because parts should hold their share of speakers whatever the sizes of these.

    Args:
        frame: clips ``[n]``.
        groups: the group of each clip ``[n]``, none missing.
        columns: manifest columns to balance by; with none, the number of clips.
    """

    def __init__(self, frame: pd.DataFrame, groups: pd.Series, columns: Sequence[str]) -> None:
        self.groups = pd.factorize(groups, sort=True)[0]
        labels = [label_levels(frame, column) for column in columns] or [pd.Series("clips", index=frame.index)]
        self.levels = [pd.factorize(values, sort=True)[0] for values in labels]

    def deal(self, rows: np.ndarray, shares: Sequence[float], seed: int | Sequence[int]) -> list[np.ndarray]:
        """The rows of each part ``[P]`` of given shares, out of some row positions."""
        present, groups = np.unique(self.groups[rows], return_inverse=True)
        tables = [np.ones((len(present), 1))]
        for levels in self.levels:
            number = int(levels.max()) + 1
            cells = np.bincount(groups * number + levels[rows], minlength=len(present) * number)
            tables.append(cells.reshape(len(present), number).astype(float))
        weights = np.concatenate([np.full(table.shape[1], 1 / table.shape[1]) for table in tables])
        parts = allocate_groups(np.hstack(tables), shares, seed, weights)[groups]
        return [rows[parts == part] for part in range(len(shares))]
