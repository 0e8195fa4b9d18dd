"""Reading and checking the file of ``split=file``."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from ser.errors import InputError

COLUMNS = ("clip", "fold", "part")
ALIASES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
}
EXPECTED = "columns clip, fold, part (or clip, fold: the fold in which a clip is tested)"


def read_fold_table(path: str | None) -> pd.DataFrame:
    """Columns ``clip, fold, part`` (test, where the file has none) as text, and ``line`` in the file.

    ``.jsonl`` files hold one object a line, ``.tsv`` files are separated by tabs, all others are CSV (``.csv.gz`` too).

    Raises:
        InputError: no file, no rows, no such columns, missing or unknown values, a clip twice in one fold (or, without
            ``part``, twice at all); names the file and the line.
    """
    if not path:
        raise InputError("split=file: no file is named", expected=EXPECTED, remedy="split.path=<CSV or jsonl file>")
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"split.path={path}: no such file", expected=EXPECTED, remedy="correct split.path")
    table = _read_jsonl(file) if file.suffix.lower() in (".jsonl", ".ndjson") else _read_csv(file)
    if table.empty:
        raise InputError(f"{file}: the file has no rows", expected=EXPECTED, remedy="correct split.path or the file")
    absent = [column for column in ("clip", "fold") if column not in table]
    if absent:
        found = ", ".join(map(str, table.columns.drop("line")))
        raise InputError(
            f"{file}, line 1: no column {' or '.join(absent)}",
            expected=f"{EXPECTED}; found {found}",
            remedy="rename them",
        )
    table = table[[column for column in (*COLUMNS, "line") if column in table]].copy()
    _check_values(table, file)
    return table if "part" in table else table.assign(part="test")


def _check_values(table: pd.DataFrame, file: Path) -> None:
    for column in table.columns.drop("line"):
        table[column] = table[column].str.strip()
        _refuse_rows(table, table[column] == "", file, f"{column} is missing")
    if "part" in table:
        parts = table["part"].str.lower().map(ALIASES)
        _refuse_rows(table, parts.isna(), file, "part is not one of train, validation (valid, val, dev), test")
        table["part"] = parts
        _refuse_rows(table, table.duplicated(["fold", "clip"]), file, "the clip is in this fold already")
    else:
        _refuse_rows(table, table.duplicated("clip"), file, "the clip is in a fold already; several need a column part")


def _refuse_rows(table: pd.DataFrame, wrong: pd.Series, file: Path, what: str) -> None:
    if wrong.any():
        first = table[wrong].iloc[0]
        values = ", ".join(f"{column}={first[column]!r}" for column in table.columns.drop("line"))
        raise InputError(
            f"{file}, line {first['line']}: {what} ({values}; {int(wrong.sum())} such rows)",
            expected=EXPECTED,
            remedy="correct the file",
        )


def _read_csv(file: Path) -> pd.DataFrame:
    separator = "\t" if ".tsv" in file.suffixes else ","
    try:
        table = pd.read_csv(
            file, sep=separator, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except (pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{file} is no table: {error}", expected=EXPECTED, remedy="save it as CSV in UTF-8") from error
    table.columns = table.columns.str.strip()
    table = table.fillna("")
    lines = table.index + 2
    return table.assign(line=lines)[(table != "").any(axis=1)]


def _read_jsonl(file: Path) -> pd.DataFrame:
    records = []
    for line, text in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{file}, line {line}: not JSON: {error}", expected="one object a line") from error
        if not isinstance(values, dict):
            raise InputError(f"{file}, line {line}: not a JSON object", expected='{"clip": …, "fold": …, "part": …}')
        kept = {column: _write_value(values[column]) for column in COLUMNS if column in values}
        records.append({**kept, "line": line})
    return pd.DataFrame(records).fillna("")


def _write_value(value: object) -> str:
    return "" if value is None else str(value)
