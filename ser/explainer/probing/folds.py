"""Outer folds of probes, which are those of the run, and inner ones that divide the training speakers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.explainer.probing.ridge import Division
from ser.finished import FinishedRun

#: Folds in which the penalty of a probe is chosen.
INNER = 3


def divide(finished: FinishedRun, frame: pd.DataFrame, inner: int = INNER) -> list[Division]:
    """The folds of a run as row numbers of a frame with all its clips.

    What a fold neither tests nor validates on trains its probes, so that a probe sees what the head saw.

    Raises:
        InputError: fewer than two speakers to train on.
    """
    validated = finished.validated
    places = pd.Series(np.arange(len(frame)), index=frame["clip"])
    divisions = []
    for name in finished.folds:
        tested = finished.tested.loc[finished.tested["fold"] == name, "clip"]
        held = set(tested) | set(validated.loc[validated["fold"] == name, "clip"] if len(validated) else ())
        train = np.flatnonzero(~frame["clip"].isin(held).to_numpy())
        divisions.append(make_division(name, frame["speaker"], train, places.loc[list(tested)].to_numpy(), inner))
    return divisions


def make_division(name: str, speakers: pd.Series, train: np.ndarray, test: np.ndarray, inner: int) -> Division:
    """An outer fold; speakers who are tested do not train, whatever the split.

    Raises:
        InputError: fewer than two speakers to train on.
    """
    names = speakers.to_numpy(dtype=str)
    train = train[~np.isin(names[train], names[test])]
    if len(np.unique(names[train])) < 2:
        raise InputError(
            f"fold {name}: probes need two training speakers or more who are not tested",
            remedy="explain a run with a speaker-disjoint split, such as split=loso or split=kfold",
        )
    return Division(name, train, test, list(divide_speakers(names, train, inner)))


def divide_speakers(speakers: np.ndarray, rows: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of fitting and choosing rows; speakers go, the largest first, to the fold with fewest clips.

    As ``sklearn.model_selection.GroupKFold`` does, so that a grid search over it makes the same choices.
    """
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(min(count, len(np.unique(speakers[rows]))))
    for fit, check in folds.split(rows, groups=speakers[rows]):
        yield rows[fit], rows[check]


def make_groups(names: np.ndarray) -> np.ndarray:
    """Number of each name [N], from 0, names sorted."""
    return np.unique(np.asarray(names, dtype=str), return_inverse=True)[1]
