"""Every run: what varied, its scores, its state and its folder; and why some have no result."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from ser.report.blocks import Cell, Section, Table, Text, make_number, make_range
from ser.report.collect import Run, Sweep


def build_runs(sweep: Sweep) -> Section:
    """The table of runs, and the reasons of those that did not finish."""
    columns = ["run", *sweep.varied, "UAR", "95 % CI", "WA", "state", "seconds"]
    table = Table(columns, [_make_row(sweep, run) for run in sweep.runs], "The number of a run leads to its folder.")
    lost = [run for run in sweep.runs if not run.done]
    if not lost:
        return Section("runs", "Runs", [table])
    reasons = Table(["run", "what varied", "state", "reason"], [_explain_loss(sweep, run) for run in lost])
    return Section("runs", "Runs", [table, Text("Runs without a result:"), reasons])


def link_folder(sweep: Path, run: Path | None) -> str:
    """Relative link from the page to a run's folder, "" if there is none."""
    return "" if run is None else quote(Path(os.path.relpath(run, sweep)).as_posix()) + "/"


def _make_row(sweep: Sweep, run: Run) -> list[Cell]:
    values = [run.overrides.get(factor, "default") for factor in sweep.varied]
    return [
        _name_run(sweep, run),
        *(Cell(value, _read_sortable(value)) for value in values),
        make_number(run.metric("test/uar")),
        make_range(run.metric("test/uar_ci_low"), run.metric("test/uar_ci_high")),
        make_number(run.metric("test/wa")),
        _show_state(run),
        make_number(run.seconds, 1),
    ]


def _explain_loss(sweep: Sweep, run: Run) -> list[Cell]:
    what = " · ".join(filter(None, [run.configuration, run.repeat]))
    return [
        _name_run(sweep, run),
        Cell(what, what),
        _show_state(run),
        Cell(run.reason or "no reason recorded", style="reason"),
    ]


def _name_run(sweep: Sweep, run: Run) -> Cell:
    return Cell(str(run.job), run.job, href=link_folder(sweep.folder, run.folder))


def _show_state(run: Run) -> Cell:
    text = "finished earlier" if run.state == "skipped" else run.state
    return Cell(text, text, style="" if run.done else "bad")


def _read_sortable(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value
