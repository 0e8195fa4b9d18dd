"""Figures of the scores of a model's explainers: every metric with intervals, and what faithfulness costs.

matplotlib is imported when something is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.explainer.evaluation.metrics import BEST, HEADLINES, NULLS, Metric
from ser.statistics.figures.style import PRINT, Palette, finish_axes, render_files, use_palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Shares of the plot that a line of small text is high, and a letter wide.
LINE, LETTER = 0.032, 0.0125
#: Inches of a row and of what lies above and below the rows of a panel; panels side by side.
ROW, FRAME, COLUMNS, WIDTH = 0.2, 0.75, 4, 12.0
FAITHFULNESS, COST = "insertion_deletion", "seconds"


def write_figures(folder: Path, table: pd.DataFrame) -> list[Path]:
    """Write ``explainers.png|svg`` and ``pareto.png|svg`` into a folder; what there is nothing to draw of is left out.

    Args:
        folder: made if need be.
        table: of :func:`ser.explainer.evaluation.summary.summarise`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in (("explainers", draw_scores), ("pareto", draw_pareto)):
        with use_palette(PRINT, name):
            figure = draw(table, PRINT)
            for suffix, content in render_files(figure).items() if figure is not None else ():
                (folder / f"{name}{suffix}").write_bytes(content)
                written.append(folder / f"{name}{suffix}")
    return written


def draw_scores(table: pd.DataFrame, palette: Palette = PRINT) -> Figure | None:
    """A panel a metric, a row an explainer: mean and interval; nulls below in grey, the oracle as a line."""
    from matplotlib.figure import Figure

    rows = table[table["subset"] == "all"]
    metrics = [one for one in HEADLINES if one.name != COST and one.name in set(rows["metric"])]
    methods = order_methods(rows)
    if not metrics or not methods:
        return None
    across = min(COLUMNS, len(metrics))
    down = math.ceil(len(metrics) / across)
    height = ROW * len(methods) + FRAME
    figure = Figure(figsize=(WIDTH, height * down), layout="constrained")
    for axes, metric in zip(figure.subplots(down, across, squeeze=False).flat, metrics, strict=False):
        draw_metric(axes, rows[rows["metric"] == metric.name], metric, methods, palette)
    for axes in list(figure.axes)[len(metrics) :]:
        axes.set_visible(False)
    for place, axes in enumerate(list(figure.axes)[: len(metrics)]):
        axes.set_yticks(range(len(methods)), methods if place % across == 0 else [""] * len(methods))
    draw_key(figure, palette)
    return figure


def draw_key(figure: Figure, palette: Palette) -> None:
    """What dots and lines mean."""
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"marker": "o", "markersize": 4.5, "linewidth": 1.8}
    keys = {
        "explainer": Line2D([], [], color=palette.accent, **dot),
        "null explainer": Line2D([], [], color=palette.muted, mfc="white", **dot),
        "oracle": Line2D([], [], color=palette.series[2], linewidth=1, linestyle="--"),
        "limit of a sanity check": Line2D([], [], color=palette.series[1], linewidth=1, linestyle=":"),
        "→ more is better, ← less is better": Line2D([], [], linestyle="none"),
    }
    figure.legend(list(keys.values()), list(keys), loc="outside lower left", ncols=len(keys), frameon=False, fontsize=9)


def order_methods(rows: pd.DataFrame) -> list[str]:
    """Explainers from the most faithful to the least, then nulls; by name where faithfulness is not scored."""
    own = rows[rows["metric"] == FAITHFULNESS].set_index("method")["mean"]
    methods = sorted(set(rows["method"]) - {BEST})
    return sorted(methods, key=lambda method: (method in NULLS, -float(own.get(method, -np.inf)), method))


def draw_metric(axes: Axes, rows: pd.DataFrame, metric: Metric, methods: Sequence[str], palette: Palette) -> None:
    """One panel."""
    by_method = rows.set_index("method")
    for place, method in enumerate(methods):
        if method not in by_method.index:
            continue
        row: Any = by_method.loc[method]
        colour = palette.muted if method in NULLS else palette.accent
        axes.hlines(place, row["ci_low"], row["ci_high"], colors=colour, linewidth=1.8)
        axes.plot([row["mean"]], [place], "o", color=colour, markersize=4.5, mfc="white" if method in NULLS else colour)
    if BEST in by_method.index:
        axes.axvline(float(by_method.loc[BEST, "mean"]), color=palette.series[2], linewidth=1, linestyle="--")  # type: ignore[arg-type]
    if metric.limit is not None:
        axes.axvline(metric.limit, color=palette.series[1], linewidth=1, linestyle=":")
    arrow = {1: "  →", -1: "  ←", 0: ""}[metric.better]
    axes.set_title(metric.title + arrow, fontsize=9.5, loc="left")
    axes.set_ylim(len(methods) - 0.4, -0.6)
    low, high = axes.get_xlim()
    if high - low < 0.2 and np.ptp(rows["mean"].to_numpy()) == 0:
        axes.set_xlim(low - 0.5, high + 0.5)
    axes.locator_params(axis="x", nbins=5)
    finish_axes(axes, "x")


def draw_pareto(table: pd.DataFrame, palette: Palette = PRINT) -> Figure | None:
    """Faithfulness against seconds per clip; a line joins those that none is both cheaper and better than."""
    from matplotlib.figure import Figure

    rows = table[table["subset"] == "all"].pivot_table(index="method", columns="metric", values="mean")
    if not {FAITHFULNESS, COST} <= set(rows.columns):
        return None
    points = rows.loc[[name for name in rows.index if name != BEST], [COST, FAITHFULNESS]].dropna()
    ends = table[(table["subset"] == "all") & (table["metric"] == FAITHFULNESS)].set_index("method")
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    for method, (cost, score) in zip(points.index, points.to_numpy(), strict=True):
        null = method in NULLS
        colour = palette.muted if null else palette.accent
        row: Any = ends.loc[method]
        axes.vlines(cost, row["ci_low"], row["ci_high"], colors=colour, linewidth=1, alpha=0.6)
        axes.plot([cost], [score], "o", color=colour, mfc="white" if null else colour, markersize=6)
    front = points.iloc[find_front(points[COST].to_numpy(), points[FAITHFULNESS].to_numpy())]
    axes.step(front[COST], front[FAITHFULNESS], where="post", color=palette.series[1], linewidth=1, zorder=0)
    if BEST in ends.index:
        axes.axhline(float(ends.loc[BEST, "mean"]), color=palette.series[2], linewidth=1, linestyle="--")  # type: ignore[arg-type]
    axes.set(xscale="log", xlabel="s per clip", ylabel="insertion − deletion")
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    name_points(axes, points, palette)
    finish_axes(axes)
    return figure


def name_points(axes: Axes, points: pd.DataFrame, palette: Palette) -> None:
    """Write names beside points, above or below, whichever is farther from the names before."""
    height = np.ptp(axes.get_ylim()) * LINE
    width = np.ptp(np.log10(axes.get_xlim())) * LETTER
    taken: list[tuple[float, float, float]] = []
    for method, (cost, score) in zip(points.index, points.to_numpy(), strict=True):
        left, right = np.log10(cost), np.log10(cost) + width * (len(str(method)) + 2)
        places = [score + height, score - height, score + 2 * height, score - 2 * height]
        near = [other for low, high, other in taken if left < high and low < right]
        place = next((one for one in places if all(abs(one - other) >= height for other in near)), places[0])
        taken.append((left, right, place))
        colour = palette.muted if method in NULLS else palette.accent
        axes.text(10 ** (left + width), place, str(method), fontsize=8.5, color=colour, va="center")


def find_front(costs: np.ndarray, scores: np.ndarray) -> list[int]:
    """Places of points that no other is at once cheaper, or as cheap, and better than; the cheapest first."""
    front: list[int] = []
    for place in np.lexsort((-scores, costs)):
        if not front or scores[place] > scores[front[-1]]:
            front.append(int(place))
    return front
