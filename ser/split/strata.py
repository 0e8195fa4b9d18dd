"""What the parts of a split are balanced by: levels of manifest columns, counted for each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser.errors import InputError

MISSING = "missing"
#: A numeric column with more values than this is binned as age is.
MOST_LEVELS = 10


@dataclass(frozen=True)
class Strata:
    """Groups to deal out whole: sorted names ``[G]``, clips of each level ``[G, C]``, weight of each level ``[C]``."""

    groups: np.ndarray
    counts: np.ndarray
    weights: np.ndarray


def check_columns(frame: pd.DataFrame, columns: Sequence[str], key: str) -> None:
    """Refuse columns that the manifest does not have.

    Raises:
        InputError: names the configuration key and lists the columns there are.
    """
    for column in columns:
        if column not in frame:
            raise InputError(
                f"{key}: the manifest has no column {column!r}",
                expected="some of " + ", ".join(sorted(map(str, frame.columns))),
                remedy="correct the name, or choose a corpus that has it",
            )


def refuse_missing(frame: pd.DataFrame, column: str, key: str) -> None:
    """Refuse a column that is not filled for every clip.

    Raises:
        InputError: names the configuration key, the column, and the first clips without a value.
    """
    clips = frame.loc[frame[column].isna(), "clip"]
    if len(clips):
        shown = ", ".join(clips.head(5)) + (" …" if len(clips) > 5 else "")
        raise InputError(
            f"{key}: column {column!r} is missing for {len(clips)} of {len(frame)} clips: {shown}",
            expected=f"a {column} for every clip",
            remedy="fill the column in the dataset, or choose another one",
        )


def label_levels(frame: pd.DataFrame, column: str) -> pd.Series:
    """The level of each clip as text ``[n]``: ages in terciles over speakers, missing values a level of their own."""
    values = frame[column]
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numeric and (column == "age" or values.nunique() > MOST_LEVELS):
        return _label_terciles(frame["speaker"], values)
    return name_values(values).fillna(MISSING)


def name_values(values: pd.Series) -> pd.Series:
    """Values as text, whole numbers without a decimal point; missing values stay missing."""
    if pd.api.types.is_float_dtype(values):
        return values.map(lambda value: f"{value:g}", na_action="ignore").astype(object)
    return values.map(str, na_action="ignore").astype(object)


def _label_terciles(speakers: pd.Series, values: pd.Series) -> pd.Series:
    per_speaker = values.groupby(speakers).median().dropna()
    if per_speaker.empty:
        return pd.Series(MISSING, index=values.index)
    edges = np.quantile(per_speaker, [1 / 3, 2 / 3])
    bins = pd.Series(np.searchsorted(edges, values), index=values.index).where(values.notna(), -1)
    names = {level: f"{rows.min():g}-{rows.max():g}" for level, rows in values.groupby(bins) if level != -1}
    return bins.map(names).fillna(MISSING)


def count_strata(frame: pd.DataFrame, groups: pd.Series, columns: Sequence[str]) -> Strata:
    """Clips of each group by the levels of some columns, and the number of groups itself.

    Args:
        frame: clips ``[n]``.
        groups: the group of each clip ``[n]``, none missing.
        columns: manifest columns. Each has the same weight, shared by its levels, so that seven emotions do not drown
            two genders.
    """
    codes, names = pd.factorize(groups, sort=True)
    # Parts should also hold their share of the groups themselves, whatever the sizes of these are.
    tables, weights = [np.ones((len(names), 1))], [np.ones(1)]
    if not columns:
        tables.append(np.bincount(codes, minlength=len(names))[:, None].astype(float))
        weights.append(np.ones(1))
    for column in columns:
        levels, labels = pd.factorize(label_levels(frame, column), sort=True)
        table = np.bincount(codes * len(labels) + levels, minlength=len(names) * len(labels))
        tables.append(table.reshape(len(names), len(labels)).astype(float))
        weights.append(np.full(len(labels), 1 / len(labels)))
    return Strata(np.asarray(names), np.hstack(tables), np.concatenate(weights))
