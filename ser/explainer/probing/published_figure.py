"""Figure of the published protocol: F1 over dimensions and r of probes, with its leaks and without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.statistics.figures.style import Palette, finish_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_published(
    table: pd.DataFrame, points: pd.DataFrame, rows: pd.DataFrame, emotions: Sequence[str], palette: Palette
) -> Figure:
    """A column an emotion: F1 of the top n dimensions above, r of probes of all functionals below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.9 * max(len(emotions), 3) + 0.8, 5.6), layout="constrained")
    grid = figure.subplots(2, len(emotions), squeeze=False, sharey="row")
    arms = list(dict.fromkeys(table["arm"]))
    colours = {arms[0]: palette.series[1], arms[1]: palette.series[0]}
    for column, emotion in enumerate(emotions):
        own, scores = points[points["emotion"] == emotion], table[table["emotion"] == emotion].set_index("arm")
        for arm, colour in colours.items():
            draw_curve(grid[0, column], own[own["arm"] == arm], scores.loc[arm], arm, colour)
        grid[0, column].axhline(0.5, color=palette.muted, linewidth=0.8, linestyle=":")
        grid[0, column].set_title(f"{emotion} or not", loc="left", size=9.5)
        grid[0, column].set_xlabel("top n dimensions")
        draw_probes(grid[1, column], rows[rows["emotion"] == emotion], list(colours.values()), palette)
    grid[0, 0].set_ylabel("F1 on held-out clips")
    grid[1, 0].set_ylabel("r of probes, 88 functionals" if rows["functional"].nunique() == 88 else "r of probes")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure


def draw_curve(axes: Axes, points: pd.DataFrame, scores: pd.Series, arm: str, colour: str) -> None:
    """F1 over n of one arm, that of all dimensions as a line, that of n* as a cross with its interval."""
    top = points[points["dimensions"] == "top"].sort_values("n")
    axes.plot(top["n"], top["f1"], marker="o", markersize=3.5, linewidth=1.4, color=colour, label=arm)
    axes.axhline(scores["f1_all"], color=colour, linewidth=1, linestyle="--", label=f"{arm}, all dimensions")
    axes.plot(scores["n"], scores["f1_top"], "x", color=colour, markersize=9, mew=2)
    axes.vlines(scores["n"], scores["f1_top_low"], scores["f1_top_high"], color=colour, linewidth=1.2, alpha=0.6)
    axes.set_xscale("log")
    ticks = list(top["n"])[:: 2 if len(top) > 4 else 1]
    axes.set_xticks(ticks, [str(tick) for tick in ticks], size=8)
    axes.minorticks_off()
    finish_axes(axes)


def draw_probes(axes: Axes, rows: pd.DataFrame, colours: Sequence[str], palette: Palette) -> None:
    """Every functional as a dot, medians as lines: r of top and of all dimensions."""
    names = ["leaky_r_top", "r_top", "leaky_r_all", "r_all"]
    for place, name in enumerate(names):
        values = np.sort(rows[name].to_numpy())
        beside = np.linspace(-0.3, 0.3, len(values))[np.argsort(np.arange(len(values)) * 37 % len(values))]
        axes.plot(place + beside, values, "o", color=colours[place % 2], markersize=2.5, alpha=0.5, mew=0)
        axes.hlines(np.median(values), place - 0.35, place + 0.35, color=palette.ink, linewidth=1.6)
    axes.axhline(0, color=palette.muted, linewidth=0.8, linestyle=":")
    axes.set_xticks([0.5, 2.5], ["top n*", "all"])
    finish_axes(axes)
