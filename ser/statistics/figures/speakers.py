"""Differences between two levels on each test speaker: does one speaker make the effect?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.report.figures import WIDTH, shorten
from ser.statistics.export.layout import read_levels
from ser.statistics.export.numbers import choose_decimals, show_fixed
from ser.statistics.figures.style import Palette, find_response, finish_axes, name_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS, ACROSS = 6, 3
HEAD, FOOT = 0.55, 0.5  # inches above and below a panel
#: With more speakers their names are left out.
NAMED = 30


@dataclass(frozen=True)
class Difference:
    """One panel: a contrast and its difference on each speaker, smallest first."""

    title: str
    speakers: pd.Series


def draw_speakers(statistics: Mapping[str, Any], rows: pd.DataFrame, palette: Palette) -> Figure | None:
    """Draw a panel for each contrast of two levels of one factor, smallest p first, six at most."""
    from matplotlib.figure import Figure

    panels = find_differences(statistics, rows)
    if not panels:
        return None
    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    most = max(len(panel.speakers) for panel in panels)
    inner = 0.165 * most if most <= NAMED else 2.6
    inches = down * (inner + HEAD + FOOT)
    figure = Figure(figsize=(WIDTH, inches))
    score = name_score(statistics)
    shared: Axes | None = None
    for place, panel in enumerate(panels):
        x, y = place % across * WIDTH / across + 0.85, inches - (place // across + 1) * (inner + HEAD + FOOT) + FOOT
        box = (x / WIDTH, y / inches, (WIDTH / across - 1.0) / WIDTH, inner / inches)
        axes = figure.add_axes(box, sharex=shared)
        shared = shared or axes
        _draw_panel(axes, panel, inner, palette)
        axes.set_xlabel(f"difference in {score}")
    return figure


def find_differences(statistics: Mapping[str, Any], rows: pd.DataFrame) -> list[Difference]:
    """Differences on each speaker for the contrasts that compare two levels of one factor everywhere."""
    response = find_response(statistics)
    levels = read_levels(statistics.get("design") or {})
    if "speaker" not in rows or response not in rows:
        return []
    contrasts = [row for row in statistics.get("contrasts") or [] if not row.get("by")]
    contrasts.sort(key=lambda row: 2.0 if row.get("p") is None else row["p"])
    panels = []
    for contrast in contrasts:
        pair = find_pair(contrast, levels)
        if pair is None or pair[0] not in rows:
            continue
        speakers = subtract_levels(rows, response, [name for name in levels if name in rows], *pair)
        if len(speakers) > 1:
            panels.append(Difference(str(contrast["contrast"]), speakers.sort_values(kind="stable")))
    return panels[:MOST_PANELS]


def find_pair(contrast: Mapping[str, Any], levels: Mapping[str, Sequence[str]]) -> tuple[str, str, str] | None:
    """Factor and both levels of a contrast named ``level - level``; None for any other contrast."""
    factors = [contrast["factor"]] if contrast.get("factor") in levels else list(levels)
    for factor in factors:
        for one, two in permutations(levels[factor], 2):
            if contrast.get("contrast") == f"{one} - {two}":
                return factor, one, two
    return None


def subtract_levels(
    rows: pd.DataFrame, response: str, factors: Sequence[str], factor: str, one: str, two: str
) -> pd.Series:
    """Mean difference of two levels on each speaker who met both; conditions of the other factors weigh alike."""
    others = [name for name in factors if name != factor]
    keyed = rows.astype(dict.fromkeys([*factors, "speaker"], str))
    cells = keyed.pivot_table(index=[*others, "speaker"], columns=factor, values=response)
    if one not in cells or two not in cells:
        return pd.Series(dtype=float)
    return (cells[one] - cells[two]).dropna().groupby("speaker").mean()


def find_range_without_one(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest mean [N] when one speaker is left out."""
    without = (values.sum() - values) / (len(values) - 1)
    return float(without.min()), float(without.max())


def _draw_panel(axes: Axes, panel: Difference, height: float, palette: Palette) -> None:
    """One panel, ``height`` inches high."""
    values = panel.speakers.to_numpy(float)
    mean = float(values.mean())
    low, high = find_range_without_one(values)
    places = np.arange(len(values))
    axes.axvspan(low, high, color=palette.series[1], alpha=0.25, linewidth=0)
    axes.axvline(mean, color=palette.series[1], linewidth=1.4)
    axes.axvline(0, color=palette.muted, linewidth=1)
    axes.hlines(places, 0, values, colors=palette.accent, linewidth=1, alpha=0.5)
    axes.plot(values, places, "o", color=palette.accent, markersize=4.5, mew=0)
    named = len(values) <= NAMED
    axes.set_yticks(places if named else [], [shorten(str(name), 14) for name in panel.speakers.index] if named else [])
    axes.set_ylim(-0.7, len(values) - 0.3)
    decimals = choose_decimals([float(values.std(ddof=1))])
    mean_shown, *rest = (show_fixed(value, decimals) for value in (mean, low, high))
    beside: dict[str, Any] = {"transform": axes.transAxes, "va": "bottom"}
    axes.text(0, 1.0 + 0.25 / height, shorten(panel.title, 36), weight="bold", **beside)
    numbers = f"mean {mean_shown} ({' to '.join(rest)} without one)"
    axes.text(0, 1.0 + 0.05 / height, numbers, size=8.5, color=palette.muted, **beside)
    finish_axes(axes, "x")
    axes.tick_params(axis="y", labelsize=8.5)
