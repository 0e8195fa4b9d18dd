"""What the parts of a split are balanced by: the levels of manifest columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser.errors import InputError

MISSING = "missing"
#: A numeric column with more values than this is binned as age is.
MOST_LEVELS = 10


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
        return values.map(lambda value: str(value).removesuffix(".0"), na_action="ignore").astype(object)
    return values.map(str, na_action="ignore").astype(object)


def _label_terciles(speakers: pd.Series, values: pd.Series) -> pd.Series:
    per_speaker = values.groupby(speakers).median().dropna()
    if per_speaker.empty:
        return pd.Series(MISSING, index=values.index)
    edges = np.quantile(per_speaker, [1 / 3, 2 / 3])
    bins = pd.Series(np.searchsorted(edges, values), index=values.index).where(values.notna(), -1)
    names = {level: f"{rows.min():g}-{rows.max():g}" for level, rows in values.groupby(bins) if level != -1}
    return bins.map(names).fillna(MISSING)
