"""What raters heard: columns ``rated_<emotion>`` of a manifest, the share or the number of a clip's raters for each.

A label says what most raters heard, their votes also how sure it is (soft labels: Fayek, Lech and Cavedon, IJCNN 2016).
As with labels, merged emotions count as one, and those that a model does not know do not count.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ser.errors import InputError

log = logging.getLogger(__name__)
RATED = "rated_"
#: Votes on what the raters' list had no name for.
OTHER = "other"


def merge_votes(frame: pd.DataFrame, merge: Mapping[str, str]) -> pd.DataFrame:
    """Votes on emotions that count as others added to those; without any, nothing changes.

    Args:
        frame: rows of a manifest.
        merge: emotion → what it counts as.

    Raises:
        InputError: a vote that is no number, or negative.
    """
    names = {RATED + source: RATED + target for source, target in merge.items()}
    columns = [column for column in frame if column in {*names, *names.values()}]
    if not columns:
        return frame
    votes = pd.DataFrame({column: to_votes(frame[column]) for column in columns})
    sums = votes.T.groupby(lambda column: names.get(column, column)).sum(min_count=1).T
    return frame.drop(columns=columns).join(sums)


def find_shares(frame: pd.DataFrame, emotions: Sequence[str]) -> np.ndarray:
    """Share of each clip's votes that each of a model's emotions got [N, K]; rows sum to 1.

    A clip without a vote on any of them has its label instead.

    Args:
        frame: rows of a manifest; every clip's own emotion is one of the model's.
        emotions: the model's.

    Raises:
        InputError: see :func:`read_votes`.
    """
    votes = read_votes(frame, emotions)
    labels = frame["emotion"].to_numpy(dtype=str)[:, None] == np.asarray(emotions)
    counted = np.where(votes.any(axis=1, keepdims=True), votes, labels)
    return (counted / counted.sum(axis=1, keepdims=True)).astype(np.float32)


def check_votes(frame: pd.DataFrame, emotions: Sequence[str]) -> None:
    """Refuse training clips of which none has votes; log how many have none.

    Raises:
        InputError: see :func:`read_votes`.
    """
    silent = int((~read_votes(frame, emotions).any(axis=1)).sum())
    if silent == len(frame):
        raise InputError(
            f"none of the {len(frame)} training clips has a vote of raters on {', '.join(emotions)}",
            expected=f"the share or the number of raters for each emotion in columns {RATED}<emotion>",
            remedy="choose a corpus with votes of raters, or pass loss=cross_entropy",
        )
    if silent:
        log.warning(
            "%d of %d training clips have no vote of raters on %s: their labels train",
            silent,
            len(frame),
            ", ".join(emotions),
        )


def read_votes(frame: pd.DataFrame, emotions: Sequence[str]) -> np.ndarray:
    """Votes on each emotion [N, K] as the manifest has them, 0 where it has none.

    Raises:
        InputError: no column of votes on an emotion, or a vote that is no number or negative.
    """
    missing = [RATED + emotion for emotion in emotions if RATED + emotion not in frame]
    if missing:
        found = [str(column) for column in frame if str(column).startswith(RATED)]
        raise InputError(
            f"the corpus has no votes of raters on some emotions: no column {', '.join(missing)}",
            expected=f"the share or the number of raters for each emotion; found {', '.join(found) or 'none'}",
            remedy="choose a corpus with votes (iemocap, msp_improv, emozionalmente), map your table's columns with "
            f"dataset.columns.{missing[0]}=<column>, or pass loss=cross_entropy",
        )
    return np.column_stack([to_votes(frame[RATED + emotion]).fillna(0) for emotion in emotions])


def to_votes(column: pd.Series) -> pd.Series:
    """A column of votes as numbers; missing ones stay missing.

    Raises:
        InputError: one that is no number, or negative.
    """
    votes = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = column[column.notna() & ~(np.isfinite(votes) & (votes >= 0))]
    if len(wrong):
        raise InputError(
            f"{column.name} is no share or number of raters in {len(wrong)} rows, e.g. {wrong.iloc[0]!r}",
            expected="0 or more; nothing where nobody rated the clip",
            remedy="mend the table",
        )
    return votes
