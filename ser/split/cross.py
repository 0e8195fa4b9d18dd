"""Crossing folds with partitions of a second column, so that a test clip's sentence never occurs in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.split.deal import Dealer
from ser.split.fold import Fold, Split, make_fold, mark_levels
from ser.split.strata import name_values, refuse_missing


def cross_folds(
    frame: pd.DataFrame, folds: Sequence[Fold], column: str, parts: int, stratify: Sequence[str], seed: int
) -> Split:
    """Make the test part of every fold disjoint from its other parts in a column.

    The levels are dealt to ``parts`` balanced partitions, the same for all folds. A fold that shares levels becomes one
    fold for each partition: its test clips inside the partition, its training and validation clips outside. Every test
    clip is thus still tested once. A fold that shares none is kept as it is.

    Raises:
        InputError: missing values in the column, or fewer levels than partitions.
    """
    refuse_missing(frame, column, "split.disjoint")
    values = name_values(frame[column])
    codes, levels = pd.factorize(values, sort=True)
    if len(levels) < parts:
        fewer = f"split.disjoint_folds={len(levels)}" if len(levels) > 1 else f"leave {column} out of split.disjoint"
        raise InputError(
            f"split.disjoint=[{column}]: the manifest has {len(levels)} of them, too few for {parts} partitions",
            expected=f"at least split.disjoint_folds={parts} different values",
            remedy=fewer,
        )
    partition = np.empty(len(frame), dtype=np.int64)
    for part, rows in enumerate(Dealer(frame, values, stratify).deal(np.arange(len(frame)), [1.0] * parts, seed)):
        partition[rows] = part
    crossed: list[Fold] = []
    notes: list[str] = []
    for fold in folds:
        if not _shares_levels(fold, codes, len(levels)):
            crossed.append(make_fold(len(crossed), fold.name, fold.train, fold.test, fold.validation))
            continue
        for part in range(parts):
            name = f"{fold.name}/{column}s-{part}"
            test = fold.test[partition[fold.test] == part]
            if not len(test):
                notes.append(f"fold {name}: no clip to test, left out")
                continue
            train, validation = (rows[partition[rows] != part] for rows in (fold.train, fold.validation))
            crossed.append(make_fold(len(crossed), name, train, test, validation))
    return Split(crossed, notes)


def _shares_levels(fold: Fold, codes: np.ndarray, levels: int) -> bool:
    rest = np.concatenate([fold.train, fold.validation])
    return bool((mark_levels(codes, fold.test, levels) & mark_levels(codes, rest, levels)).any())
