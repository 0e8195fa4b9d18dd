"""Critical-difference diagram (Demšar 2006): mean ranks, and bars over models that the tests cannot tell apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.report.figures import WIDTH, shorten
from ser.statistics.figures.style import Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.3  # inches


def draw_ranks(statistics: Mapping[str, Any], _: pd.DataFrame, palette: Palette) -> Figure | None:
    """Draw the best rank at the left; a bar joins a group, and its dots mark the members (it may span others)."""
    from matplotlib.figure import Figure

    ranks = statistics.get("ranks") or {}
    mean = dict(sorted((ranks.get("mean_rank") or {}).items(), key=lambda item: item[1]))
    if len(mean) < 2:
        return None
    groups = ranks.get("groups") or []
    half = math.ceil(len(mean) / 2)
    bars = 0.22 * len(groups)
    inches = 0.95 + bars + ROW * half + 0.25
    figure = Figure(figsize=(WIDTH, inches))
    axes = figure.add_axes((0.24, 0.02, 0.52, 0.96))
    axes.set(xlim=(1, len(mean)), ylim=(inches, 0))
    axes.axis("off")
    top = 0.75
    _draw_scale(axes, len(mean), top, palette)
    _draw_distance(axes, ranks.get("cd_05"), palette)
    for place, group in enumerate(groups):
        y = top + 0.22 * (place + 1)
        own = [mean[model] for model in group if model in mean]
        axes.plot([min(own), max(own)], [y, y], color=palette.accent, linewidth=3, solid_capstyle="round")
        axes.plot(own, [y] * len(own), "o", color=palette.accent, markersize=5.5)
    for place, (model, rank) in enumerate(mean.items()):
        left = place < half
        y = top + bars + 0.2 + ROW * (place if left else len(mean) - 1 - place) + 0.15
        _draw_model(axes, shorten(model, 24), rank, top, y, left, len(mean), palette)
    return figure


def _draw_scale(axes: Axes, count: int, y: float, palette: Palette) -> None:
    axes.plot([1, count], [y, y], color=palette.ink, linewidth=1.2)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [y - 0.07, y], color=palette.ink, linewidth=1.2, clip_on=False)
        axes.text(rank, y - 0.11, str(rank), ha="center", va="bottom", color=palette.muted)
    axes.text(1, y - 0.37, "mean rank (1 is best)", ha="left", va="bottom", color=palette.muted, size=9)


def _draw_distance(axes: Axes, distance: float | None, palette: Palette) -> None:
    """Nemenyi's critical difference as a ruler at the right, where it fits."""
    low, high = axes.get_xlim()
    if not distance or distance > 0.6 * (high - low):
        return
    y = 0.2
    axes.plot(
        [high - distance, high], [y, y], color=palette.muted, linewidth=1.2, marker="|", markersize=7, clip_on=False
    )
    text = f"critical difference {distance:.2f} (Nemenyi)"
    axes.text(high, y + 0.1, text, ha="right", va="top", color=palette.muted, size=9)


def _draw_model(
    axes: Axes, name: str, rank: float, top: float, y: float, left: bool, count: int, palette: Palette
) -> None:
    """A line from the scale down to the height of the name, and out to it."""
    beside = 0.03 * (count - 1)
    edge = 1 - beside if left else count + beside
    axes.plot([rank, rank, edge], [top, y, y], color=palette.muted, linewidth=0.9, clip_on=False)
    axes.plot([rank], [top], "o", color=palette.ink, markersize=4.5, clip_on=False, zorder=3)
    text = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
    axes.text(edge - beside / 3 if left else edge + beside / 3, y, text, ha="right" if left else "left", va="center")
