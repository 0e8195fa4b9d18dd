"""How well each dimension is predicted: its scores, and predicted against true values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser.judge import HEADLINES, TITLES
from ser.report.blocks import Cell, Figure, Section, Table, Text, make_number, make_range, show_number
from ser.report.collect import Run, Sweep
from ser.report.scatter import Agreement, draw_agreements
from ser.report.summarise import list_corpora, rank_runs, tabulate_dimensions

SCORES = ("ccc", *HEADLINES["ccc"])
MOST_DRAWN = 6
MOST_POINTS = 500


def build_dimensions(sweep: Sweep) -> Section | None:
    """Table and scatter plots of the runs that predict dimensions; nothing where none does."""
    parts = [part for part in sweep.parts if len(tabulate_dimensions(part))]
    blocks = [block for part in parts for block in (make_table(part), *show_agreements(part))]
    return Section("dimensions", "Dimensions", blocks) if blocks else None


def make_table(part: Sweep) -> Table:
    """One row a configuration, test corpus and dimension."""
    frame = tabulate_dimensions(part)
    several = frame["tested"].any()
    columns = ["configuration", *(["tested on"] if several else []), "dimension", "n"]
    columns += [title for name in SCORES for title in (TITLES[name], "95 % CI")]
    rows = [
        [
            Cell(row["configuration"], row["configuration"]),
            *([Cell(row["tested"], row["tested"])] if several else []),
            Cell(row["dimension"], row["dimension"]),
            Cell(str(row["n"]), int(row["n"]), style="number"),
            *(cell for name in SCORES for cell in _show_score(row, name)),
        ]
        for _, row in frame.iterrows()
    ]
    caption = (
        "CCC: concordance correlation (1 is agreement, 0 none); PCC: Pearson's correlation, blind to shift and scale; "
        "MAE: mean absolute error, in the unit of the ratings. Intervals resample speakers; scores and ends of "
        "intervals are means over n runs."
    )
    return Table(columns, rows, caption)


def show_agreements(part: Sweep) -> list[Figure | Text]:
    """Scatter plots of the first run of each of the best configurations, test corpora apart."""
    firsts = [runs[0] for runs in rank_runs(part).values() if len(runs[0].predictions)]
    tables = [(run, corpus, run.predict(corpus)) for run in firsts[:MOST_DRAWN] for corpus in list_corpora(part)]
    figures = [draw_run(run, corpus, table) for run, corpus, table in tables if len(table)]
    if len(firsts) <= MOST_DRAWN:
        return [*figures]
    return [*figures, Text(f"Only the best {MOST_DRAWN} of {len(firsts)} configurations are drawn.", "note")]


def draw_run(run: Run, corpus: str, table: pd.DataFrame) -> Figure:
    """Scatter plots of one run on one test corpus."""
    chosen = np.arange(len(table))
    if len(table) > MOST_POINTS:
        chosen = np.sort(np.random.default_rng(0).choice(len(table), MOST_POINTS, replace=False))
    panels = [
        Agreement(name, _tell_scores(run, corpus, name), *_get_sides(table.iloc[chosen], name))
        for name in run.dimensions
    ]
    where = f", tested on {corpus}" if corpus else ""
    what = f"{run.configuration}{where} (run {run.job})"
    drawn = f" {len(chosen)} of {len(table):,} are drawn." if len(chosen) < len(table) else ""
    caption = f"{what}: one point a prediction; dashed: agreement; hollow: predicted beyond the frame.{drawn}"
    return Figure(draw_agreements(panels, f"Predicted against true values of {what}"), caption)


def _show_score(row: pd.Series, name: str) -> list[Cell]:
    return [make_number(row[name]), make_range(row[f"{name}_ci_low"], row[f"{name}_ci_high"])]


def _tell_scores(run: Run, corpus: str, dimension: str) -> str:
    values = {name: run.metric(f"{run.name_set(corpus)}/{name}/{dimension}") for name in SCORES}
    return " · ".join(f"{TITLES[name]} {show_number(value)}" for name, value in values.items())


def _get_sides(table: pd.DataFrame, dimension: str) -> tuple[np.ndarray, np.ndarray]:
    return table[f"true_{dimension}"].to_numpy(), table[f"pred_{dimension}"].to_numpy()
