"""What of a fold's training part is used, and how often: data fractions and oversampling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.split.fold import Split
from ser.split.strata import refuse_missing


def take_fraction(frame: pd.DataFrame, split: Split, fraction: float, seed: int) -> Split:
    """The split with a share of each speaker's clips of each emotion in training; validation and test stay whole.

    A smaller fraction is part of a larger one with the same seed, so that a learning curve adds clips. Every emotion a
    speaker shows keeps at least one clip.

    Raises:
        InputError: not a share.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"data.fraction={fraction}", expected="more than 0, at most 1")
    if fraction == 1:
        return split
    speakers, emotions = (frame[column].to_numpy(dtype=str) for column in ("speaker", "emotion"))
    order = np.random.default_rng(seed).permutation(len(frame))

    def thin(rows: np.ndarray) -> np.ndarray:
        cells = pd.Series(order[rows]).groupby([speakers[rows], emotions[rows]])
        kept = cells.rank(method="first") <= np.maximum(1, np.round(fraction * cells.transform("size")))
        return rows[kept.to_numpy()]

    folds = [replace(fold, train=thin(fold.train)) for fold in split.folds]
    return Split(folds, [*split.notes, f"data.fraction={fraction}: that share of the training clips trains"])


def repeat_rare(frame: pd.DataFrame, rows: np.ndarray, by: str, seed: int) -> np.ndarray:
    """Training rows with clips of rarer emotions repeated until all emotions are even.

    The repetitions go round the speakers of the emotion, so that no one's few clips are heard over and over while
    others are left out.

    Args:
        frame: the manifest.
        rows: training rows.
        by: ``none`` or ``emotion``.
        seed: of the order of clips.

    Raises:
        InputError: another ``by``, or clips without an emotion.
    """
    if by == "none":
        return rows
    if by != "emotion":
        raise InputError(f"data.oversample={by}", expected="none or emotion")
    refuse_missing(frame, "emotion", f"data.oversample={by}")
    draw = np.random.default_rng(seed)
    emotions = frame["emotion"].to_numpy(dtype=str)[rows]
    most = np.unique(emotions, return_counts=True)[1].max()
    extra = [
        go_round(frame["speaker"].to_numpy(dtype=str), draw.permutation(rows[emotions == emotion]), most)
        for emotion in np.unique(emotions)
    ]
    return np.sort(np.concatenate([rows, *extra]))


def go_round(speakers: np.ndarray, rows: np.ndarray, wanted: int) -> np.ndarray:
    """Rows to add so that there are ``wanted``, one speaker after the other, each one's clips in turn."""
    turn = pd.Series(rows).groupby(speakers[rows]).cumcount().to_numpy()
    queue = rows[np.lexsort((np.arange(len(rows)), turn))]
    return np.resize(queue, wanted - len(rows))
