"""Trained here, tested there: the score by training and test corpora."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ser.judge import TITLES
from ser.report.blocks import Cell, Figure, Section, Table, make_number
from ser.report.collect import Sweep
from ser.report.heatmap import HeatMap, draw_heatmaps
from ser.report.summarise import tabulate_corpora

MOST_DRAWN = 12


def build_corpora(sweep: Sweep) -> Section | None:
    """The matrix as drawing and table; nothing where there is but one pair of corpora."""
    blocks = [block for part in sweep.parts for block in show_corpora(part)]
    return Section("corpora", "Training and test corpora", blocks) if blocks else None


def show_corpora(part: Sweep) -> list[Any]:
    """One heat map for each setting of what else varied, best first, and all of them as one table."""
    cells = tabulate_corpora(part)
    if len(cells[["trained", "tested"]].drop_duplicates()) < 2:
        return []
    score = TITLES[part.headline]
    means = cells.groupby("setting", sort=False)["score"].mean().sort_values(ascending=False, kind="stable")
    maps = [HeatMap(setting, cells[cells["setting"] == setting]) for setting in means.index[:MOST_DRAWN]]
    label = f"{score} by training corpora (rows) and test corpora (columns)"
    caption = (
        f"Rows: what was trained on; columns: what was tested on; cells: {score} and its 95 % interval over speakers, "
        "means over runs; the stronger the shade, the higher. Framed: the corpus is on both sides and was divided by "
        "speakers, so the score is that of its held-out speakers; a corpus that was only tested was scored whole."
    )
    if len(means) > MOST_DRAWN:
        caption += f" The best {MOST_DRAWN} of {len(means)} settings."
    return [Figure(draw_heatmaps(maps, label), caption), _make_table(cells, score)]


def _make_table(cells: pd.DataFrame, score: str) -> Table:
    tested = sorted(cells["tested"].unique())
    matrix = cells.pivot_table(index=["setting", "trained"], columns="tested", values="score")
    matrix = matrix.assign(mean=matrix.mean(axis=1)).sort_values("mean", ascending=False, kind="stable")
    settings = len(cells["setting"].unique()) > 1
    rows = [
        [
            *([Cell(row["setting"], row["setting"])] if settings else []),
            Cell(row["trained"], row["trained"]),
            *(make_number(row[name]) for name in (*tested, "mean")),
        ]
        for _, row in matrix.reset_index().iterrows()
    ]
    columns = [*(["setting"] if settings else []), "trained on", *tested, "mean"]
    return Table(columns, rows, f"The same as numbers: {score}; the last column is the unweighted mean.")
