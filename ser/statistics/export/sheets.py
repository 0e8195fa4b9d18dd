"""Tables of results as rows of text and raw values, whatever they are written as (CSV, Markdown, LaTeX, HTML)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ser.statistics.export.numbers import (
    MISSING,
    choose_decimals,
    is_number,
    show_df,
    show_fixed,
    show_interval,
    show_p,
    show_significant,
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column: its title, how its values are shown, and their name in a row (the first of ``names`` that is there).

    ``kind`` is ``text``, ``count``, ``df``, ``stat`` (two decimals), ``p``, ``share`` (three decimals), ``size``
    (significant digits), ``estimate`` (as many decimals as the table's standard errors ask for), or ``interval`` and
    ``share_interval``, whose limits are named ``<name>_low`` and ``<name>_high``.
    """

    title: str
    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """A cell: its text, what it sorts by, and whether it is a number."""

    text: str
    value: float | str | None
    number: bool


@dataclass(frozen=True)
class Sheet:
    """A table: rows as shown, and ``raw`` with every value of the same rows, by name.

    ``part`` says where it belongs: ``design``, ``evidence``, ``checks`` or ``appendix``.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: list[list[Shown]]
    raw: list[dict[str, Any]]
    part: str


def make_column(title: str, kind: str, *names: str) -> Column:
    """A column; its name in a row is its title unless given."""
    return Column(title, kind, names or (title,))


def make_sheet(name: str, caption: str, columns: Sequence[Column], rows: Sequence[Row], part: str) -> Sheet:
    """Lay rows out under those columns for which any of them has a value."""
    flat = [flatten_row(row) for row in rows]
    kept = [column for column in columns if any(_has_value(row, column) for row in flat)]
    decimals = choose_decimals([row.get(key) for row in flat for key in ("se", "sd")])
    shown = [[show_cell(row, column, decimals) for column in kept] for row in flat]
    return Sheet(name, caption, tuple(column.title for column in kept), shown, flat, part)


def flatten_row(row: Row) -> dict[str, Any]:
    """A row without nesting: levels become columns, intervals two columns, other groups and lists text."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key == "levels" and isinstance(value, Mapping):
            flat |= value
        elif isinstance(value, Mapping):
            flat[key] = ", ".join(f"{name}={part}" for name, part in value.items())
        elif _is_interval(value):
            flat[f"{key}_low"], flat[f"{key}_high"] = value
        elif isinstance(value, list):
            flat[key] = ", ".join(str(part) for part in value)
        else:
            flat[key] = value
    return flat


def show_cell(row: Row, column: Column, decimals: int) -> Shown:
    """One value as its column wants it."""
    if column.kind in ("interval", "share_interval"):
        low, high = _find_limits(row, column)
        digits = decimals if column.kind == "interval" else 3
        return Shown(show_interval(low, high, digits), low if is_number(low) else None, True)
    value = next((row[name] for name in column.names if row.get(name) is not None), None)
    if column.kind == "text" or isinstance(value, str):
        return Shown(show_text(value), None if value is None else show_text(value), False)
    shown = {
        "count": lambda: f"{value:,}" if is_number(value) else MISSING,
        "df": lambda: show_df(value),
        "stat": lambda: show_fixed(value, 2),
        "p": lambda: show_p(value),
        "share": lambda: show_fixed(value, 3),
        "size": lambda: show_significant(value),
        "estimate": lambda: show_fixed(value, decimals),
    }[column.kind]()
    return Shown(shown, value if is_number(value) else None, True)


def show_text(value: Any) -> str:
    """Words; truth values as yes and no, a dash for nothing."""
    if value is None or value == "":
        return MISSING
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def guess_columns(rows: Sequence[Row]) -> list[Column]:
    """Columns for rows that nothing is known of: p values, counts and other numbers by their values.

    Limits become intervals; lists and mappings are left to the CSV.
    """
    nested = {name for row in rows for name, value in row.items() if isinstance(value, Mapping | list)}
    nested -= {"by", "levels", *(name for name in nested if all(_is_interval(row.get(name)) for row in rows))}
    flat = [flatten_row({name: value for name, value in row.items() if name not in nested}) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    limits = {name[:-4] for name in names if name.endswith("_low") and f"{name[:-4]}_high" in names}
    columns = []
    for name in names:
        stem = name.removesuffix("_low")
        if stem in limits and stem != name:
            columns.append(Column("interval" if stem == "ci" else f"interval of {_name(stem)}", "interval", (stem,)))
        elif name.removesuffix("_high") not in limits or not name.endswith("_high"):
            columns.append(Column(_name(name), _guess_kind(name, [row.get(name) for row in flat]), (name,)))
    return columns


def name_sheet(*parts: Any) -> str:
    """A file name's stem: lower-case words joined by underscores."""
    return "_".join(filter(None, (re.sub(r"[^a-z0-9]+", "_", str(part).lower()).strip("_") for part in parts)))


def _name(key: str) -> str:
    return key.replace("_", " ")


def _is_interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(part is None or is_number(part) for part in value)


def _guess_kind(name: str, values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if not all(is_number(value) for value in known):
        return "text"
    if name == "p" or name.startswith("p_"):
        return "p"
    return "count" if all(isinstance(value, int) for value in known) else "size"


def _has_value(row: Row, column: Column) -> bool:
    if column.kind in ("interval", "share_interval"):
        return any(is_number(limit) for limit in _find_limits(row, column))
    return any(row.get(name) not in (None, "") for name in column.names)


def _find_limits(row: Row, column: Column) -> tuple[Any, Any]:
    stem = next((name for name in column.names if f"{name}_low" in row), column.names[0])
    return row.get(f"{stem}_low"), row.get(f"{stem}_high")
