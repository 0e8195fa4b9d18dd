"""Every configuration, its runs averaged."""

from __future__ import annotations

import pandas as pd

from ser.judge import HEADLINES, TITLES
from ser.report.blocks import Cell, Section, Table, make_number, make_range
from ser.report.collect import Sweep
from ser.report.naming import REPEATS
from ser.report.summarise import summarise_configurations


def build_configurations(sweep: Sweep) -> Section | None:
    """A table for the runs that are scored alike; nothing for a single run, which the table of runs shows."""
    if sweep.single or not sweep.runs:
        return None
    return Section("configurations", "Configurations", [tabulate_configurations(part) for part in sweep.parts])


def tabulate_configurations(part: Sweep) -> Table:
    """One row a configuration, best first."""
    frame, head = summarise_configurations(part), part.headline
    score, beside = TITLES[head], HEADLINES[head]
    folds = {f"{head}_fold_mean": f"{score} fold mean", f"{head}_fold_std": "fold SD"}
    folds = {name: title for name, title in folds.items() if frame[name].notna().any()}
    columns = ["configuration", f"{score} mean", "SD", "min–max", "n", *folds.values()]
    rows = [_make_row(row, head, list(folds)) for _, row in frame.iterrows()]
    caption = (
        f"A configuration is what varied without {', '.join(REPEATS)}; n counts its runs with a score, and SD and "
        f"min–max are over these. {score} pools the test clips of all folds of a run."
    )
    if any(len(run.tested) > 1 for run in part.done):
        caption += " Of several test corpora it is the unweighted mean."
    if head == "ccc":
        caption += " CCC, PCC and MAE are means over dimensions."
    if folds:
        caption += " Fold mean and SD are over the folds within a run, averaged over runs."
    return Table([*columns, *(TITLES[name] for name in beside)], rows, caption)


def _make_row(row: pd.Series, head: str, folds: list[str]) -> list[Cell]:
    n, jobs = int(row["n"]), int(row["jobs"])
    count = Cell(str(n) if n == jobs else f"{n} of {jobs}", n, style="number" if n == jobs else "number bad")
    return [
        Cell(str(row["configuration"]), str(row["configuration"])),
        make_number(row[f"{head}_mean"]),
        make_number(row[f"{head}_sd"]),
        make_range(row[f"{head}_min"], row[f"{head}_max"]),
        count,
        *(make_number(row[name]) for name in folds),
        *(make_number(row[f"{name}_mean"]) for name in HEADLINES[head]),
    ]
