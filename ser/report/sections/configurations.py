"""Every configuration, its runs averaged."""

from __future__ import annotations

import pandas as pd

from ser.report.blocks import Cell, Section, Table, make_number, make_range
from ser.report.collect import Sweep
from ser.report.naming import REPEATS
from ser.report.summarise import summarise_configurations

FOLDS = {"uar_fold_mean": "UAR fold mean", "uar_fold_std": "fold SD"}


def build_configurations(sweep: Sweep) -> Section | None:
    """The table of configurations; nothing for a single run, which the table of runs shows."""
    frame = summarise_configurations(sweep)
    if sweep.single or frame.empty:
        return None
    folds = [name for name in FOLDS if frame[name].notna().any()]
    columns = ["configuration", "UAR mean", "SD", "min–max", "n", *(FOLDS[name] for name in folds), "WA", "macro-F1"]
    rows = [_make_row(row, folds) for _, row in frame.iterrows()]
    caption = (
        f"A configuration is what varied without {', '.join(REPEATS)}; n counts its runs with a score, and SD and "
        "min–max are over these. UAR pools the test clips of all folds of a run."
    )
    if folds:
        caption += " Fold mean and SD are over the folds within a run, averaged over runs."
    return Section("configurations", "Configurations", [Table(columns, rows, caption)])


def _make_row(row: pd.Series, folds: list[str]) -> list[Cell]:
    n, jobs = int(row["n"]), int(row["jobs"])
    count = Cell(str(n) if n == jobs else f"{n} of {jobs}", n, style="number" if n == jobs else "number bad")
    return [
        Cell(str(row["configuration"]), str(row["configuration"])),
        make_number(row["uar_mean"]),
        make_number(row["uar_sd"]),
        make_range(row["uar_min"], row["uar_max"]),
        count,
        *(make_number(row[name]) for name in folds),
        make_number(row["wa_mean"]),
        make_number(row["f1_macro_mean"]),
    ]
