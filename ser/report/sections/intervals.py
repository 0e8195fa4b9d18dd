"""The score of every run with its interval over speakers; of every configuration where there are too many runs."""

from __future__ import annotations

import numpy as np

from ser.judge import TITLES
from ser.report.blocks import Figure, Section
from ser.report.collect import Run, Sweep
from ser.report.figures import Interval, IntervalGroup, draw_intervals
from ser.report.summarise import average_chance, average_metric, find_chance, rank_runs

MOST_RUNS = 40
LONG = {"uar": "Unweighted average recall", "ccc": "Concordance correlation, mean over dimensions,"}


def build_intervals(sweep: Sweep) -> Section | None:
    """An intervals plot for the runs that are scored alike; nothing if no run has a score."""
    parts = [part for part in sweep.parts if rank_runs(part)]
    titles = " and ".join(TITLES[part.headline] for part in parts)
    return Section("intervals", f"{titles} with intervals", [show_intervals(part) for part in parts]) if parts else None


def show_intervals(part: Sweep) -> Figure:
    """The plot, by run or by configuration."""
    groups = rank_runs(part)
    score = TITLES[part.headline]
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
            f"One row a run: the dot is the {score} {_tell_clips(part)}, line and brackets its 95 % interval when "
            "speakers are resampled. Dashed: chance."
        )
        if repeated:
            caption += " The shaded bar is the mean of a configuration with several runs."
    label = f"{LONG[part.headline]} with intervals, best configuration first"
    return Figure(draw_intervals(drawn, label, f"{score} on the test part"), caption)


def _tell_clips(part: Sweep) -> str:
    several = any(len(run.tested) > 1 for run in part.done)
    clips = "averaged over test corpora" if several else "over all test clips"
    return f"{clips}, averaged over dimensions" if part.headline == "ccc" else clips


def _list_configuration(name: str, runs: list[Run], headed: bool) -> IntervalGroup:
    rows = [Interval(run.repeat or f"run {run.job}", *_read_interval(run)) for run in runs]
    if not headed:
        return IntervalGroup("", [Interval(name, *_read_interval(runs[0]))], find_chance(runs[0]))
    mean = average_metric(runs, runs[0].headline) if len(runs) > 1 else float("nan")
    return IntervalGroup(name, rows, average_chance(runs), mean)


def _span_configuration(name: str, runs: list[Run]) -> IntervalGroup:
    values = [run.score for run in runs]
    row = Interval(name, float(np.mean(values)), min(values), max(values), values)
    return IntervalGroup("", [row], average_chance(runs))


def _read_interval(run: Run) -> tuple[float, float, float]:
    return run.score, run.metric(f"test/{run.headline}_ci_low"), run.metric(f"test/{run.headline}_ci_high")
