"""What was said as a table: for programs as CSV, JSON lines or Parquet, for people on the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.prediction.places import Place
from ser.prediction.said import Said

FORMATS = {"csv": (".csv",), "jsonl": (".jsonl", ".ndjson", ".json"), "parquet": (".parquet",)}
#: Rows that a terminal gets; the file has them all.
SHOWN = 20


def tabulate(places: Sequence[Place], said: Said) -> pd.DataFrame:
    """A row a place of which something could be said.

    Returns:
        ``file``, ``start`` and ``end`` (s; missing where the whole file was judged), then ``predicted`` and
        ``p_<emotion>``, or ``pred_<dimension>``, as in ``predictions.parquet``.
    """
    kept = [at for at in range(len(places)) if at not in said.problems]
    frame = pd.DataFrame(
        {
            "file": pd.Series([places[at].file for at in kept], dtype=str),
            "start": pd.Series([places[at].start for at in kept], dtype=float),
            "end": pd.Series([places[at].end for at in kept], dtype=float),
        }
    )
    scores = said.scores[kept]
    if said.emotional:
        frame["predicted"] = np.array(said.names)[scores.argmax(axis=1)] if kept else pd.Series(dtype=str)
    mark = "p_" if said.emotional else "pred_"
    for name, column in zip(said.names, scores.T, strict=True):
        frame[f"{mark}{name}"] = column
    return frame


def find_format(out: Path, given: str | None) -> str:
    """How a table is written.

    Raises:
        InputError: a format that there is not.
    """
    if given is None:
        return next((name for name, ends in FORMATS.items() if out.suffix.lower() in ends), "csv")
    if given not in FORMATS:
        raise InputError(f"format={given}", expected=", ".join(FORMATS))
    return given


def write_table(table: pd.DataFrame, out: Path, style: str) -> None:
    """Write a table, its folder too; JSON has null where CSV has nothing."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if style == "parquet":
        table.to_parquet(out, index=False)
    elif style == "jsonl":
        records = table.astype(object).where(table.notna(), None).to_dict("records")
        out.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), encoding="utf-8")
    else:
        table.to_csv(out, index=False)


def print_table(table: pd.DataFrame) -> None:
    """The first rows, as wide as the terminal."""
    import sys

    from rich.console import Console
    from rich.table import Table

    windowed = table["start"].notna().any()
    columns = [name for name in table.columns if windowed or name not in ("start", "end")]
    view = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        number = name not in ("file", "predicted", "cues")
        view.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in table[columns].head(SHOWN).itertuples(index=False):
        view.add_row(*(show(name, value) for name, value in zip(columns, row, strict=True)))
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    console.print(view)
    if len(table) > SHOWN:
        console.print(f"… and {len(table) - SHOWN} more rows")


def show(name: str, value: object) -> str:
    """One cell."""
    if not isinstance(value, float):
        return str(value)
    if np.isnan(value):
        return ""
    return f"{value:.2f}" if name in ("start", "end") else f"{value:.3f}"
