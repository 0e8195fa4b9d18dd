"""What a section is made of. The template has one macro for each kind of block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

MISSING = "–"


@dataclass(frozen=True)
class Section:
    """A part of the page; ``name`` is its anchor. The one without a title opens the page."""

    name: str
    title: str
    blocks: Sequence[Any]


@dataclass(frozen=True)
class Text:
    """A paragraph; ``style`` is "", "lead" or "note"."""

    text: str
    style: str = ""
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Facts:
    """Terms, each with what there is to say about it."""

    items: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Items:
    """A bulleted list; the second of a pair is said in a quieter voice."""

    items: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "items"


@dataclass(frozen=True)
class Figure:
    """An SVG drawing by ``ser.report.figures`` (trusted markup) with its caption."""

    svg: str
    caption: str
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and optionally what it sorts by, where it leads, and a class (``number``, ``bad``)."""

    text: str
    sort: float | str | None = None
    href: str = ""
    style: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns; readers sort it by clicking a name. The first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Matrix:
    """Shares in [0, 1] and counts, rows by columns; a NaN share is an empty class."""

    title: str
    note: str
    names: Sequence[str]
    shares: Sequence[Sequence[float]]
    counts: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Matrices:
    """Confusion matrices side by side under a heading ("" for none); those in ``more`` are folded away."""

    shown: Sequence[Matrix]
    more: Sequence[Matrix] = field(default_factory=tuple)
    title: str = ""
    kind: ClassVar[str] = "matrices"

    @property
    def classes(self) -> int:
        """The most classes that a matrix has; it sets how many fit side by side."""
        return max((len(matrix.names) for matrix in (*self.shown, *self.more)), default=0)


@dataclass(frozen=True)
class Code:
    """Commands or listings; folded away under ``summary`` if there is one."""

    text: str
    summary: str = ""
    kind: ClassVar[str] = "code"


def show_number(value: float, digits: int = 3) -> str:
    """A number with fixed decimals, a dash if it is missing."""
    return MISSING if not math.isfinite(value) else f"{value:.{digits}f}"


def show_range(low: float, high: float, digits: int = 3) -> str:
    """``low–high``, ``-low to high``; one number if they agree as shown, a dash if either is missing."""
    first, last = show_number(low, digits), show_number(high, digits)
    if MISSING in (first, last):
        return MISSING
    between = " to " if first.startswith("-") else "–"
    return first if first == last else f"{first}{between}{last}"


def make_number(value: float, digits: int = 3) -> Cell:
    """A cell that shows and sorts by a number."""
    return Cell(show_number(value, digits), value if math.isfinite(value) else None, style="number")


def make_count(value: int) -> Cell:
    """A cell that shows and sorts by a whole number."""
    return Cell(f"{value:,}", value, style="number")


def make_range(low: float, high: float) -> Cell:
    """A cell that shows a range and sorts by its lower end."""
    return Cell(show_range(low, high), low if math.isfinite(low) else None, style="number")


def count_things(number: int, thing: str) -> str:
    """``1 run``, ``3 runs``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def join_distinct(values: Sequence[Any], limit: int = 6) -> str:
    """The distinct values in order of appearance, comma-separated, the rest counted."""
    known = [
        str(value) for value in values if value is not None and not (isinstance(value, float) and math.isnan(value))
    ]
    distinct = list(pd.unique(pd.Series(known, dtype=object))) if known else []
    shown = ", ".join(distinct[:limit])
    return shown if len(distinct) <= limit else f"{shown} and {len(distinct) - limit} more"


def join_words(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
