"""Scores of one model's explainers put together: a table, comparisons, figures."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser.explainer.evaluation import compare, summarise, tabulate_explainers
from ser.explainer.evaluation.metrics import BEST, HEADLINES, NULLS
from ser.explainer.evaluation.summary import tabulate_planted

#: What is told of a mean: suffix of the metric and column of the table.
ENDS = (("", "mean"), ("_ci_low", "ci_low"), ("_ci_high", "ci_high"), ("_skill", "skill"))
TABLE, LONG, COMPARISONS, FIGURES = "evaluation.csv", "summary.csv", "comparisons.csv", "figures"
PLANTED_TABLE = "planted.csv"
#: Columns of the table on a screen.
SHOWN = (
    "insertion_deletion",
    "sensitivity_n",
    "robustness",
    "random_weights",
    "random_class",
    "random_labels",
    "loc_auroc",
    "decoy",
    "causal_rho",
    "cue_rank",
    "cue_sign",
    "shortcut_hit",
    "reliance",
)


def write_summary(
    folder: Path, scores: pd.DataFrame, draws: int = 2000, whole: Mapping[str, Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """Write the table, the comparisons and the figures of scores into a folder; returns the table.

    Args:
        folder: made if need be.
        scores: of explainers, nulls and the oracle, a row a clip, method and metric; of several models of the same
            clips their mean counts.
        draws: resamples of speakers.
        whole: further scores that a method has for all clips together: a number, or a list of a number and the ends of
            its interval.
    """
    from ser.explainer.evaluation.figures import write_figures  # matplotlib, when it is needed

    folder.mkdir(parents=True, exist_ok=True)
    table = summarise(scores, draws=draws)
    further = [
        {"method": method, "metric": metric, "subset": "all", **name_estimate(value)}
        for method, own in (whole or {}).items()
        for metric, value in own.items()
    ]
    table = pd.concat([table, pd.DataFrame(further)], ignore_index=True) if further else table
    table.to_csv(folder / LONG, index=False)
    tabulate_explainers(table).to_csv(folder / TABLE)
    planted = tabulate_planted(table)
    if len(planted):
        planted.to_csv(folder / PLANTED_TABLE, index=False)
    compare(scores).to_csv(folder / COMPARISONS, index=False)
    write_figures(folder / FIGURES, table)
    return table


def name_estimate(value: Any) -> dict[str, float]:
    """A number, or one with its interval, as columns of the table."""
    return dict(zip(("mean", "ci_low", "ci_high"), value if isinstance(value, list) else [value], strict=False))


def read_metrics(table: pd.DataFrame, method: str) -> dict[str, float]:
    """Scores of a method as metrics of its run: ``scores/insertion_deletion``, with ends of intervals and skill."""
    rows = table[(table["method"] == method) & (table["subset"] == "all")]
    found: dict[str, float] = {}
    for row in rows.to_dict("records"):
        found |= {f"scores/{row['metric']}{end}": float(row[name]) for end, name in ENDS}
    return {name: value for name, value in found.items() if value == value}


def print_summary(table: pd.DataFrame, title: str) -> None:
    """The table on a screen: explainers from the most faithful on, then nulls and the oracle."""
    from rich.console import Console
    from rich.table import Table

    from ser.explainer.evaluation.figures import order_methods

    rows = table[table["subset"] == "all"]
    titles = {metric.name: metric.title for metric in HEADLINES}
    shown = [name for name in SHOWN if name in set(rows["metric"])]
    screen = Table(title=title, box=None, pad_edge=False, title_justify="left")
    for name in ("explainer", *(titles[name] for name in shown), "s per clip"):
        screen.add_column(name)
    cells = {(row["method"], row["metric"]): row for row in rows.to_dict("records")}
    for method in [*order_methods(rows), *([BEST] if BEST in set(rows["method"]) else [])]:
        name = f"({method})" if method in (*NULLS, BEST) else method
        screen.add_row(name, *(format_cell(cells.get((method, metric))) for metric in (*shown, "seconds")))
    Console(width=None if sys.stdout.isatty() else 200).print(screen)


def format_cell(row: Mapping[Hashable, Any] | None) -> str:
    """A mean with its interval."""
    if row is None:
        return ""
    interval = f" [{row['ci_low']:.2f}, {row['ci_high']:.2f}]" if row["ci_low"] == row["ci_low"] else ""
    return f"{row['mean']:.2f}{interval if row['metric'] != 'seconds' else ''}"


def join_scores(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Scores of several explanations of the same models; nulls, which each brings along, once."""
    joined = pd.concat(tables, ignore_index=True)
    keys = [name for name in ("run", "dataset", "clip", "method", "metric") if name in joined]
    return joined.drop_duplicates(keys, ignore_index=True)
