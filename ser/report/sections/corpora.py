"""Trained here, tested there: UAR by training and test corpora."""

from __future__ import annotations

import re

from ser.report.blocks import Cell, Section, Table, make_number
from ser.report.collect import Run, Sweep
from ser.report.summarise import average_metric, rank_runs

TESTED = re.compile(r"test/([^/]+)/uar")


def build_corpora(sweep: Sweep) -> Section | None:
    """Mean UAR of each configuration on each test corpus; nothing where one corpus is tested."""
    tested = sorted({match[1] for run in sweep.done for name in run.metrics if (match := TESTED.fullmatch(name))})
    if len(tested) < 2:
        return None
    rows = [
        [
            Cell(name, name),
            Cell(describe_training(runs[0])),
            *(make_number(average_metric(runs, f"test/{corpus}/uar")) for corpus in tested),
            make_number(average_metric(runs, "test/uar")),
        ]
        for name, runs in rank_runs(sweep).items()
    ]
    caption = (
        "Rows: what was trained on; columns: what was tested on; cells: UAR, mean over runs. A corpus on both sides "
        "was divided by speakers, one that was only tested was scored whole. The last column is the unweighted mean."
    )
    return Section(
        "corpora", "Training and test corpora", [Table(["configuration", "trained on", *tested, "mean"], rows, caption)]
    )


def describe_training(run: Run) -> str:
    """The corpora a run was trained on."""
    return ", ".join((run.config.get("data") or {}).get("train") or [])
