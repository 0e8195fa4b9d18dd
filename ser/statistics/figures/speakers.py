"""Differences between two levels on each test speaker: does one speaker make the effect?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.report.figures import shorten
from ser.statistics.export.layout import read_levels
from ser.statistics.export.numbers import choose_decimals, show_fixed
from ser.statistics.figures.style import WIDTH, Palette, finish_axes, name_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS, ACROSS = 6, 3
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
    each = 0.9 + (0.165 * most if most <= NAMED else 2.6)
    figure = Figure(figsize=(WIDTH, down * each + 0.35))
    places = figure.subplots(down, across, squeeze=False, sharex=True)
    for axes in places.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, panel in zip(places.flat, panels, strict=False):
        _draw_panel(axes, panel, palette)
    score = name_score(statistics["design"]["response"])
    for axes in places.flat[max(0, len(panels) - across) : len(panels)]:
        axes.set_xlabel(f"difference in {score}")
        axes.tick_params(axis="x", labelbottom=True)
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0.09, right=0.99, top=1 - 0.55 / height, bottom=0.5 / height, hspace=0.95 / max(each - 0.9, 0.5), wspace=0.32
    )
    return figure


def find_differences(statistics: Mapping[str, Any], rows: pd.DataFrame) -> list[Difference]:
    """Differences on each speaker for the contrasts that compare two levels of one factor everywhere."""
    response = statistics["design"]["response"]
    levels = read_levels(statistics["design"])
    if "speaker" not in rows or response not in rows:
        return []
    first = (statistics.get("contrasts") or [{}])[0].get("analysis")
    contrasts = [row for row in statistics.get("contrasts") or [] if row.get("analysis") == first and not row.get("by")]
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
    """Mean difference of two levels on each speaker who met both, every condition of the other factors weighing alike."""
    others = [name for name in factors if name != factor]
    keyed = rows.astype(dict.fromkeys([*factors, "speaker"], str))
    cells = keyed.groupby([*others, "speaker", factor])[response].mean().unstack(factor)
    if one not in cells or two not in cells:
        return pd.Series(dtype=float)
    return (cells[one] - cells[two]).dropna().groupby("speaker").mean()


def find_range_without_one(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest mean [N] when one speaker is left out."""
    without = (values.sum() - values) / (len(values) - 1)
    return float(without.min()), float(without.max())


def _draw_panel(axes: Axes, panel: Difference, palette: Palette) -> None:
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
    numbers = f"mean {show_fixed(mean, decimals)}; without one {show_fixed(low, decimals)} to {show_fixed(high, decimals)}"
    above = axes.transAxes
    axes.text(0, 1.0, f"{numbers}; {int((values > 0).sum())} of {len(values)} above 0\n", transform=above, va="bottom", size=8.2, color=palette.muted, linespacing=0.5)
    axes.text(0, 1.0, f"{shorten(panel.title, 36)}\n", transform=above, va="bottom", size=10, weight="bold", linespacing=2.2)
    finish_axes(axes, "x")
    axes.tick_params(axis="y", labelsize=8.5)
