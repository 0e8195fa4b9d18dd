"""Every run: what varied, its scores, its state and its folder; and why some have no result."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from ser.judge import HEADLINES, TITLES
from ser.report.blocks import Cell, Section, Table, Text, make_number, make_range
from ser.report.collect import Run, Sweep


def build_runs(sweep: Sweep) -> Section:
    """The table of runs, and the reasons of those that did not finish."""
    headlines = list(dict.fromkeys(part.headline for part in sweep.parts))
    scores = [title for name in headlines for title in (TITLES[name], "95 % CI", TITLES[HEADLINES[name][0]])]
    columns = ["run", *sweep.varied, *scores, "state", "seconds"]
    rows = [_make_row(sweep, run, headlines) for run in sweep.runs]
    table = Table(columns, rows, "The number of a run leads to its folder.")
    lost = [run for run in sweep.runs if not run.done]
    if not lost:
        return Section("runs", "Runs", [table])
    reasons = Table(["run", "what varied", "state", "reason"], [_explain_loss(sweep, run) for run in lost])
    return Section("runs", "Runs", [table, Text("Runs without a result:"), reasons])


def link_folder(sweep: Path, run: Path | None) -> str:
    """Relative link from the page to a run's folder, "" if there is none."""
    return "" if run is None else quote(Path(os.path.relpath(run, sweep)).as_posix()) + "/"


def _make_row(sweep: Sweep, run: Run, headlines: list[str]) -> list[Cell]:
    values = [run.overrides.get(factor, "default") for factor in sweep.varied]
    return [
        _name_run(sweep, run),
        *(Cell(value, _read_sortable(value)) for value in values),
        *(cell for name in headlines for cell in _show_score(run, name)),
        _show_state(run),
        make_number(run.seconds, 1),
    ]


def _show_score(run: Run, name: str) -> list[Cell]:
    interval = make_range(run.metric(f"test/{name}_ci_low"), run.metric(f"test/{name}_ci_high"))
    return [make_number(run.metric(f"test/{name}")), interval, make_number(run.metric(f"test/{HEADLINES[name][0]}"))]


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
