"""Figure of importance: the first functionals of each emotion with intervals, and how well an embedding has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.report.figures import shorten
from ser.statistics.figures.style import Palette, finish_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Functionals shown of each emotion.
SHOWN = 8


def draw_importance(table: pd.DataFrame, emotions: Sequence[str], palette: Palette) -> Figure:
    """A row of panels an emotion: coefficient, loss of UAR by permutation, r of all and of top dimensions."""
    from matplotlib.figure import Figure

    probed = "r_all" in table
    figure = Figure(figsize=(10, 0.9 + 1.75 * len(emotions)), layout="constrained")
    grid = figure.subplots(len(emotions), 2 + probed, squeeze=False, sharex="col")
    for row, emotion in zip(grid, emotions, strict=True):
        own = table[table["emotion"] == emotion].nsmallest(SHOWN, "rank").iloc[::-1]
        place = np.arange(len(own))
        for axes, name in zip(row, ("coefficient", "permutation"), strict=False):
            span = [own[name] - own[f"{name}_low"], own[f"{name}_high"] - own[name]]
            axes.errorbar(
                own[name], place, xerr=np.abs(span), fmt="o", color=palette.accent, markersize=4, elinewidth=1.3
            )
            axes.axvline(0, color=palette.muted, linewidth=0.8)
        row[0].set_yticks(place, [shorten(name, 34) for name in own["functional"]], size=7.5)
        row[0].set_title(emotion, loc="left", size=10, weight="bold")
        if probed:
            row[2].plot(own["r_all"], place, "s", color=palette.series[0], markersize=4.5, label="all dimensions")
            row[2].plot(
                own["r_top"],
                place,
                "^",
                color=palette.series[1],
                markersize=4.5,
                label="those that matter to the emotion",
            )
            row[2].axvline(0, color=palette.muted, linewidth=0.8)
        for axes in row:
            axes.set_ylim(-0.6, len(own) - 0.4)
            finish_axes(axes, "x")
        for axes in row[1:]:
            axes.set_yticks([])
    grid[-1][0].set_xlabel("standardised coefficient")
    grid[-1][1].set_xlabel("UAR lost by permutation")
    if probed:
        grid[-1][2].set_xlabel("r of the embedding's probe")
        handles, labels = grid[0][2].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
    return figure
