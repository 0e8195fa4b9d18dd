"""Reading any tidy table: one row per observation, one column per variable."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ser.errors import InputError
from ser.statistics.tables import Table

#: Spellings of a missing number; in a column of names they may be names (``augmentation=none``).
MISSING = ("", "na", "n/a", "nan", "null", "none", ".", "-")


def read_tidy(
    path: str | Path, response: str, factors: Sequence[str] = (), random: Sequence[str] = (), within: Sequence[str] = ()
) -> Table:
    """A CSV or Parquet file as a :class:`Table`.

    Args:
        path: the file; ``.csv``, ``.tsv`` (or ``.txt``) and ``.parquet``.
        response: column with the score; rows without a number there are left out and counted.
        factors, random, within: columns with names; read as text, so that speaker ``03`` stays ``03``.

    Raises:
        InputError: no such file or column, a response that is no number, a factor without a value.
    """
    named = list(dict.fromkeys([*factors, *within, *(part for name in random for part in name.split(":"))]))
    frame = read_frame(Path(path), named)
    check_columns(frame, (response, *named), path)
    if response in named:
        raise InputError(
            f"{path}: {response} is the response and cannot be a factor or a group as well",
            expected="another column in factors, within and random",
            remedy=f"leave {response} out of them",
        )
    frame[response] = read_numbers(frame[response], f"{path}: response={response}")
    empty = [name for name in named if frame.loc[frame[response].notna(), name].isna().any()]
    if empty:
        raise InputError(
            f"{path}: some rows have no {empty[0]}", remedy="give these rows a value, or leave them out of the table"
        )
    known = frame.dropna(subset=[response]).reset_index(drop=True)
    if known.empty:
        raise InputError(
            f"{path}: none of {len(frame)} rows has a number in {response}",
            expected="a column of scores",
            remedy="pass another column as response=…",
        )
    notes = [f"{len(frame) - len(known)} of {len(frame)} rows have no {response} and are left out"]
    repeated = known.duplicated()
    nothing = pd.DataFrame(columns=["job", "state", "reason"])
    return Table(
        name=str(path),
        response=response,
        factors=tuple(dict.fromkeys([*factors, *within])),
        replicates=(),
        runs=known,
        failures=nothing,
        duplicates=known[repeated],
        notes=tuple(notes) if len(known) < len(frame) else (),
        tidy=True,
    )


def read_wide(path: str | Path, score: Sequence[str], index: Sequence[str] = ()) -> Table:
    """A file with a column of scores for each model, one row per data set or fold, as a long :class:`Table`.

    Args:
        path: the file.
        score: the columns of scores; their names become the levels of ``model``, their values ``score``.
        index: columns that are compared as well (``dataset``); by default a column of text that tells all rows apart.
    """
    frame = read_frame(Path(path), index)
    check_columns(frame, (*score, *index), path)
    rest = [str(name) for name in frame if name not in score]
    own = [name for name in rest if not pd.api.types.is_numeric_dtype(frame[name]) and frame[name].is_unique]
    for name in score:
        frame[name] = read_numbers(frame[name], f"{path}: score={name}")
    long = frame.melt(id_vars=rest, value_vars=list(score), var_name="model", value_name="score").dropna(subset="score")
    return Table(
        name=str(path),
        response="score",
        factors=("model", *(index or own[:1])),
        replicates=(),
        runs=long.reset_index(drop=True),
        failures=pd.DataFrame(columns=["job", "state", "reason"]),
        duplicates=long.iloc[:0],
        tidy=True,
    )


def read_frame(path: Path, named: Sequence[str] = ()) -> pd.DataFrame:
    """A table of a file: columns of ``named`` as text, others as numbers where all their values are numbers."""
    if not path.is_file():
        raise InputError(f"table={path}: no such file", expected="a .csv or .parquet file")
    if not path.stat().st_size:
        raise InputError(f"table={path}: the file is empty", expected="names of columns, then one row an observation")
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, sep=None, engine="python", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, csv.Error, pd.errors.ParserError) as error:
        raise InputError(f"table={path}: cannot be read ({error})", expected="a .csv or .parquet file") from error
    if frame.empty:
        raise InputError(f"table={path}: it has no rows", expected="names of columns, then one row an observation")
    for name in frame:
        if name in named:
            frame[name] = frame[name].map(_show, na_action="ignore").replace("", None)
        elif frame[name].dtype == object or pd.api.types.is_string_dtype(frame[name]):
            frame[name] = _guess(frame[name])
    return frame


def check_columns(frame: pd.DataFrame, names: Sequence[str], path: str | Path) -> None:
    """Refuse names that no column has.

    Raises:
        InputError: such a name.
    """
    lacking = [name for name in names if name not in frame]
    if lacking:
        raise InputError(
            f"{path}: no column {', '.join(map(repr, lacking))}",
            expected=", ".join(map(str, frame.columns)),
            remedy="pass names as the first line of the file has them",
        )


def read_numbers(column: pd.Series, what: str) -> pd.Series:
    """A column as numbers, NaN where it says nothing.

    Raises:
        InputError: a value that is neither.
    """
    values = pd.to_numeric(column, errors="coerce")
    strange = column[values.isna() & column.notna() & ~column.astype(str).str.lower().isin(MISSING)]
    if len(strange):
        row = list(column.index).index(strange.index[0]) + 1
        raise InputError(
            f"{what}: {strange.iloc[0]!r} in row {row} is no number",
            expected="a column of numbers",
            remedy="pass another column, or leave the value empty where nothing is known",
        )
    return values.astype(float)


def _guess(column: pd.Series) -> pd.Series:
    """Text as numbers if all of it is, but for codes such as ``03``."""
    text = column.astype(str).str.strip()
    numbers = pd.to_numeric(text, errors="coerce")
    silent = text.str.lower().isin(MISSING)
    coded = text.str.match(r"0\d")
    return numbers if (numbers.notna() | silent).all() and numbers.notna().any() and not coded.any() else column


def _show(value: object) -> str:
    return str(value).strip()
