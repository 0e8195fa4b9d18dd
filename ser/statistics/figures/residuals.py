"""Residuals of the primary model: against normal quantiles and against fitted values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from ser.report.figures import WIDTH
from ser.statistics.figures.style import Palette, finish_axes, name_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Points of a panel at most: more make a file large and a plot black.
MOST_POINTS = 2000


def draw_residuals(statistics: Mapping[str, Any], rows: pd.DataFrame, palette: Palette) -> Figure | None:
    """Draw both panels from the columns ``fitted`` and ``residual`` of the rows; none without them."""
    from matplotlib.figure import Figure

    if not {"fitted", "residual"} <= set(rows):
        return None
    known = rows[["fitted", "residual"]].astype(float).dropna()
    if len(known) < 3 or np.ptp(known["residual"].to_numpy()) == 0:
        return None
    figure = Figure(figsize=(WIDTH, 3.4))
    left, right = figure.subplots(1, 2)
    _draw_quantiles(left, known["residual"].to_numpy(), palette)
    _draw_fitted(right, known, palette)
    right.set_xlabel(f"fitted {name_score(statistics)}")
    figure.subplots_adjust(left=0.08, right=0.98, top=0.9, bottom=0.16, wspace=0.2)
    return figure


def thin_places(size: int) -> np.ndarray:
    """Places of points to draw, evenly spaced, the first and last among them."""
    return np.unique(np.linspace(0, size - 1, min(size, MOST_POINTS)).round().astype(int))


def _draw_quantiles(axes: Axes, residuals: np.ndarray, palette: Palette) -> None:
    size = len(residuals)
    places = thin_places(size)
    quantiles = stats.norm.ppf((np.arange(1, size + 1) - 0.375) / (size + 0.25))[places]
    ordered = (np.sort(residuals) / residuals.std(ddof=1))[places]
    reach = [min(quantiles[0], ordered[0]), max(quantiles[-1], ordered[-1])]
    axes.plot(reach, reach, color=palette.muted, linewidth=1, linestyle=(0, (3, 2)))
    axes.plot(quantiles, ordered, "o", color=palette.accent, markersize=3.4, alpha=0.6, mew=0)
    axes.set_xlabel("normal quantile")
    axes.set_ylabel("residual, in standard deviations")
    axes.set_title("Normal quantiles", loc="left", size=10, weight="bold")
    finish_axes(axes, "both")


def _draw_fitted(axes: Axes, known: pd.DataFrame, palette: Palette) -> None:
    known = known.sort_values("fitted", kind="stable").reset_index(drop=True)
    shown = known.iloc[thin_places(len(known))]
    axes.axhline(0, color=palette.muted, linewidth=1)
    axes.plot(shown["fitted"], shown["residual"], "o", color=palette.accent, markersize=3.4, alpha=0.6, mew=0)
    parts = np.array_split(known.to_numpy(), min(8, max(2, len(known) // 12)))
    middle = [(float(part[:, 0].mean()), float(part[:, 1].std(ddof=1))) for part in parts if len(part) > 2]
    for sign in (-1, 1):
        x, spread = zip(*middle, strict=True) if middle else ((), ())
        axes.plot(x, [sign * value for value in spread], color=palette.series[1], linewidth=1.3)
    axes.set_ylabel("residual")
    axes.set_title("Against fitted values, with their spread", loc="left", size=10, weight="bold")
    finish_axes(axes, "both")
