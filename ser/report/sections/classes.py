"""Which emotions and which genders are recognised well."""

from __future__ import annotations

import re

from ser.report.blocks import Cell, Section, Table, make_number
from ser.report.collect import Sweep
from ser.report.summarise import average_metric, rank_runs

RECALL = re.compile(r"test/recall/(.+)")
GENDER = re.compile(r"test/gender/(.+)/uar")


def build_classes(sweep: Sweep) -> Section | None:
    """Recall of each emotion and UAR of each gender by configuration, averaged over runs."""
    emotions, genders = _list_levels(sweep, RECALL), _list_levels(sweep, GENDER)
    groups = rank_runs(sweep)
    if not groups or not (emotions or genders):
        return None
    metrics = [f"test/recall/{emotion}" for emotion in emotions] + [f"test/gender/{gender}/uar" for gender in genders]
    rows = [
        [Cell(name, name), *(make_number(average_metric(runs, metric), 2) for metric in metrics)]
        for name, runs in groups.items()
    ]
    heads = [*emotions, *(f"UAR {gender}" for gender in genders)]
    caption = "Recall of each emotion" + (" and UAR of each gender" if genders else "") + ", averaged over runs."
    return Section("classes", "Emotions and genders", [Table(["configuration", *heads], rows, caption)])


def _list_levels(sweep: Sweep, pattern: re.Pattern[str]) -> list[str]:
    matches = (pattern.fullmatch(name) for run in sweep.done for name in run.metrics)
    return sorted({match.group(1) for match in matches if match})
