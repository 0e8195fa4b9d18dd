"""What explainers found in runs of the sweep, and how far they can be believed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from ser.report.blocks import (
    Cell,
    Figure,
    Items,
    Section,
    Table,
    Text,
    count_things,
    make_count,
    make_number,
    make_range,
)
from ser.report.collect import Run, Sweep
from ser.report.drawings import embed_svg
from ser.report.explanations import Explanation
from ser.report.summarise import group_runs, rank_runs

MOST_ROWS = 15
MOST_COLUMNS = 8


def build_explanations(sweep: Sweep) -> Section | None:
    """A part for each explainer; nothing where no run was explained."""
    ranked = [run for part in sweep.parts for runs in rank_runs(part).values() for run in runs]
    methods: dict[str, list[Run]] = {}
    for run in ranked:
        if run.explanation is not None:
            methods.setdefault(run.explanation.method, []).append(run)
    blocks = [block for name, runs in methods.items() for block in show_method(sweep, name, runs)]
    return Section("explanations", "Explanations", blocks) if blocks else None


def show_method(sweep: Sweep, method: str, runs: Sequence[Run]) -> list[Any]:
    """Scores of an explainer, what it found in the first of its runs, and where the rest is."""
    first = runs[0]
    assert first.explanation is not None
    of = " · ".join(filter(None, [first.configuration, first.repeat]))
    name = f"{of} (run {first.job})" if len(runs) > 1 else of
    sentences = first.explanation.read_sentences()
    return [
        Text(method, "heading"),
        Text(f"{method} explained {count_things(len(runs), 'run')}. What it found in {name}:"),
        *([Items([(sentence, "") for sentence in sentences])] if sentences else []),
        *show_figure(first.explanation, method, of),
        *show_table(first.explanation),
        *show_scores(sweep, runs),
        link_explanations(sweep.folder, runs),
    ]


def show_figure(explanation: Explanation, method: str, of: str) -> list[Figure]:
    """The main figure, if there is one."""
    figures = explanation.figures[:1]
    caption = f"{method} of {of}: {{}}, as {explanation.folder.name}/figures has it."
    return [Figure(embed_svg(path, f"{method} of {of}"), caption.format(path.stem)) for path in figures]


def show_table(explanation: Explanation) -> list[Table]:
    """The first rows and columns of the main table, if there is one."""
    for path in explanation.tables[:1]:
        table = pd.read_csv(path)
        columns = list(table.columns[:MOST_COLUMNS])
        rows = [[make_cell(value) for value in row] for row in table[columns].head(MOST_ROWS).itertuples(index=False)]
        if rows:
            size = f"{len(rows)} of {len(table)} rows and {len(columns)} of {len(table.columns)} columns"
            return [Table(columns, rows, f"{size} of {path.relative_to(explanation.folder.parent).as_posix()}.")]
    return []


def show_scores(sweep: Sweep, runs: Sequence[Run]) -> list[Table]:
    """A row for each configuration and score, averaged over its runs."""
    titles = list_titles()
    rows = []
    for name, own in group_runs(sweep).items():
        explained = [run.explanation for run in own if run in runs and run.explanation is not None]
        scores = [each.scores for each in explained]
        for metric in dict.fromkeys(metric for each in scores for metric in each):
            short = metric.removeprefix("scores/")
            if short != metric and short not in titles:
                continue  # parts of the scores that stand here
            found = pd.DataFrame([each[metric] for each in scores if metric in each]).mean()
            rows.append(
                [
                    Cell(name, name),
                    Cell(titles.get(short, metric), metric),
                    show_value(float(found[0])),
                    make_range(found[1], found[2]),
                    make_count(len(scores)),
                ]
            )
    caption = "Scores of the explanations: means over n runs, as are the ends of intervals."
    return [Table(["configuration", "score", "value", "95 % CI", "n"], rows, caption)] if rows else []


def list_titles() -> dict[str, str]:
    """How scores of attributions are called; imported here, since explainers draw with the figures of this package."""
    from ser.explainer.evaluation.metrics import HEADLINES

    return {metric.name: metric.title for metric in HEADLINES}


def link_explanations(folder: Path, runs: Sequence[Run]) -> Table:
    """Where the explanation of each run is: its page with the clips, its folder."""
    rows = []
    for run in runs:
        assert run.explanation is not None
        page = run.explanation.page
        what = "clips to hear and see" if page else "tables and figures"
        target = link(page, folder) if page else f"{link(run.explanation.folder, folder)}/"
        name = " · ".join(filter(None, [run.configuration, run.repeat]))
        rows.append([Cell(str(run.job), run.job), Cell(name, name), Cell(what, href=target)])
    return Table(["run", "explained", "page"], rows)


def link(path: Path, folder: Path) -> str:
    """A path as a link from a page in a folder."""
    return quote(Path(os.path.relpath(path, folder)).as_posix())


def show_value(value: float) -> Cell:
    """A score, or a number of things."""
    return make_count(int(value)) if value.is_integer() and value > 1 else make_number(value)


def make_cell(value: Any) -> Cell:
    """A cell of a table of any kind."""
    if isinstance(value, float):
        return make_number(value)
    return make_count(value) if isinstance(value, int) else Cell(str(value), str(value))
