"""What every run got right on every speaker, as sums that can be put together for any choice of speakers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import pandas as pd

from ser.errors import InputError


@dataclass(frozen=True)
class Tallies:
    """Hits and counts of R runs on S speakers in E parts (emotions; one part for accuracy and for other scores).

    A group's score is the mean over parts of the sum of its speakers' hits over the sum of their counts.

    ``hits`` and ``counts`` are [R, S, E]; ``runs`` and ``conditions`` have R entries, ``speakers`` and ``groups`` S;
    ``n_dropped`` rows had no group or no score.
    """

    hits: np.ndarray
    counts: np.ndarray
    runs: list[str]
    conditions: np.ndarray
    speakers: list[str]
    groups: np.ndarray
    n_dropped: int = 0


def tally_predictions(
    table: pd.DataFrame,
    group: str,
    metric: str = "uar",
    run: str = "run_id",
    speaker: str | Sequence[str] = "speaker",
    condition: str | None = None,
    true: str = "true",
    predicted: str = "predicted",
) -> Tallies:
    """Tally a prediction table for :func:`compare_groups`.

    Args:
        table: one row per run and utterance.
        group: column with the group of the speaker, e.g. gender; rows without it are left out and counted.
        metric: ``uar`` (recall averaged over the emotions that both groups have) or ``accuracy``.
        run, speaker, condition: columns; several for the speaker where corpora share speaker names.
        true, predicted: columns of the labels.
    """
    if metric not in ("uar", "accuracy"):
        raise InputError(f"unknown metric {metric}", expected="uar or accuracy")
    labels = table[true].astype(str)
    correct = (labels == table[predicted].astype(str)).astype(float).where(table[true].notna())
    return _tally(
        table, correct, labels if metric == "uar" else pd.Series("", index=table.index), group, run, speaker, condition
    )


def tally_scores(
    table: pd.DataFrame,
    score: str,
    group: str,
    run: str = "run_id",
    speaker: str | Sequence[str] = "speaker",
    condition: str | None = None,
) -> Tallies:
    """Tally any numeric outcome (correctness, faithfulness, …): a group's score is the mean over its rows."""
    return _tally(table, table[score].astype(float), pd.Series("", index=table.index), group, run, speaker, condition)


def restrict_tallies(tallies: Tallies, conditions: Iterable[str], groups: Sequence[str]) -> Tallies:
    """The runs of these conditions and the speakers of these groups who are scored in them."""
    runs = np.isin(tallies.conditions, list(conditions))
    speakers = np.isin(tallies.groups, groups) & (tallies.counts[runs].sum((0, 2)) > 0)
    return Tallies(
        hits=tallies.hits[runs][:, speakers],
        counts=tallies.counts[runs][:, speakers],
        runs=[name for name, kept in zip(tallies.runs, runs, strict=True) if kept],
        conditions=tallies.conditions[runs],
        speakers=[name for name, kept in zip(tallies.speakers, speakers, strict=True) if kept],
        groups=tallies.groups[speakers],
    )


def _tally(
    table: pd.DataFrame,
    values: pd.Series,
    parts: pd.Series,
    group: str,
    run: str,
    speaker: str | Sequence[str],
    condition: str | None,
) -> Tallies:
    """Sum values and rows by run, speaker and part; rows without a group or a value are left out."""
    keys = [speaker] if isinstance(speaker, str) else list(speaker)
    for column in (group, run, *keys, *([condition] if condition else [])):
        if column not in table:
            raise InputError(f"the table has no column {column}", expected=f"one of {', '.join(map(str, table))}")
    label = table[keys].astype(str).agg("/".join, axis=1) if len(keys) > 1 else table[keys[0]].astype(str)
    known = table[group].notna() & values.notna()
    if not known.any():
        raise InputError(f"no row has a value of {group} and a score")
    rows = pd.DataFrame(
        {
            "run": table[run].astype(str),
            "condition": table[condition].astype(str) if condition else "all runs",
            "speaker": label,
            "group": table[group].astype(str),
            "part": parts.astype(str),
            "value": values,
        }
    )[known]
    groups = rows.groupby("speaker")["group"].unique()
    twice = [str(name) for name, found in groups.items() if len(found) > 1]
    if twice:
        raise InputError(f"speaker {twice[0]} is in several groups of {group}", expected="one group per speaker")
    # A run scored under several conditions (test corpora) counts as a run of each.
    run_places, runs = pd.MultiIndex.from_frame(rows[["condition", "run"]]).factorize(sort=True)
    speaker_places, speakers = pd.factorize(rows["speaker"], sort=True)
    part_places, names = pd.factorize(rows["part"], sort=True)
    shape = len(runs), len(speakers), len(names)
    flat = np.ravel_multi_index((run_places, speaker_places, part_places), shape)
    return Tallies(
        hits=np.bincount(flat, rows["value"], prod(shape)).reshape(shape),
        counts=np.bincount(flat, minlength=prod(shape)).reshape(shape).astype(float),
        runs=[str(name) for _, name in runs],
        conditions=np.array([str(name) for name, _ in runs]),
        speakers=[str(name) for name in speakers],
        groups=np.array([groups[name][0] for name in speakers]),
        n_dropped=int((~known).sum()),
    )
