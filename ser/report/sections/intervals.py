"""UAR of every run with its interval over speakers; of every configuration where there are too many runs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser.report.blocks import Figure, Section
from ser.report.collect import Run, Sweep
from ser.report.figures import Interval, IntervalGroup, draw_intervals
from ser.report.summarise import average_metric, find_chance, rank_runs

MOST_RUNS = 40


def build_intervals(sweep: Sweep) -> Section | None:
    """The intervals plot; nothing if no run has a score."""
    groups = rank_runs(sweep)
    if not groups:
        return None
    number = sum(len(runs) for runs in groups.values())
    repeated = number > len(groups)
    if number > MOST_RUNS:
        drawn = [_span_configuration(name, runs) for name, runs in groups.items()]
        caption = (
            "One row a configuration: the large dot is the mean over its runs, the small dots are the runs, and line "
            "and brackets reach from the lowest to the highest run. Dashed: chance. The intervals of single runs are "
            "in the table of runs."
        )
    else:
        drawn = [_list_configuration(name, runs, repeated) for name, runs in groups.items()]
        caption = (
            "One row a run: the dot is the UAR over all test clips, line and brackets its 95 % interval when speakers "
            "are resampled. Dashed: chance."
        )
        if repeated:
            caption += " The shaded bar is the mean of a configuration with several runs."
    svg = draw_intervals(drawn, "Unweighted average recall with intervals, best configuration first")
    return Section("intervals", "UAR with intervals", [Figure(svg, caption)])


def _list_configuration(name: str, runs: list[Run], headed: bool) -> IntervalGroup:
    rows = [Interval(run.repeat or f"run {run.job}", *_read_interval(run)) for run in runs]
    if not headed:
        return IntervalGroup("", [Interval(name, *_read_interval(runs[0]))], find_chance(runs[0]))
    mean = average_metric(runs, "test/uar") if len(runs) > 1 else float("nan")
    return IntervalGroup(name, rows, _average_chance(runs), mean)


def _span_configuration(name: str, runs: list[Run]) -> IntervalGroup:
    values = [run.metric("test/uar") for run in runs]
    row = Interval(name, float(np.mean(values)), min(values), max(values), values)
    return IntervalGroup("", [row], _average_chance(runs))


def _read_interval(run: Run) -> tuple[float, float, float]:
    return run.metric("test/uar"), run.metric("test/uar_ci_low"), run.metric("test/uar_ci_high")


def _average_chance(runs: list[Run]) -> float:
    return float(pd.Series([find_chance(run) for run in runs]).mean())
