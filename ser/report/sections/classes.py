"""Which emotions and which genders are recognised well."""

from __future__ import annotations

import re

from ser.judge import TITLES
from ser.report.blocks import Cell, Section, Table, make_number
from ser.report.collect import Sweep
from ser.report.summarise import average_metric, list_corpora, rank_runs


def build_classes(sweep: Sweep) -> Section | None:
    """Recall of each emotion and the headline score of each gender by configuration, averaged over runs."""
    tables = [table for part in sweep.parts if (table := tabulate_levels(part))]
    if not tables:
        return None
    title = "Emotions and genders" if any(part.headline == "uar" for part in sweep.parts) else "Genders"
    return Section("classes", title, tables)


def tabulate_levels(part: Sweep) -> Table | None:
    """One row a configuration and test corpus; nothing where no level was scored."""
    score = TITLES[part.headline]
    emotions = _list_levels(part, "recall/([^/]+)")
    genders = _list_levels(part, f"gender/([^/]+)/{part.headline}")
    if not emotions and not genders:
        return None
    metrics = [f"recall/{emotion}" for emotion in emotions]
    metrics += [f"gender/{gender}/{part.headline}" for gender in genders]
    corpora = list_corpora(part)
    rows = [
        [
            Cell(name, name),
            *([Cell(corpus, corpus)] if corpus else []),
            *(make_number(average_metric(runs, metric, corpus), 2) for metric in metrics),
        ]
        for name, runs in rank_runs(part).items()
        for corpus in corpora
    ]
    heads = ["configuration", *(["tested on"] if corpora != [""] else []), *emotions]
    what = ["Recall of each emotion"] * bool(emotions) + [f"{score} of each gender"] * bool(genders)
    caption = f"{' and '.join(what)}, averaged over runs."
    return Table([*heads, *(f"{score} {gender}" for gender in genders)], rows, caption)


def _list_levels(part: Sweep, pattern: str) -> list[str]:
    matches = (re.fullmatch(f"test/(?:[^/]+/)?{pattern}", name) for run in part.done for name in run.metrics)
    return sorted({match.group(1) for match in matches if match})
