"""Drawings as inline SVG. Colours and fonts are those of the page (CSS variables), so they follow light and dark.

matplotlib is imported when a figure is drawn, not with this module. Output is the same for the same data.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.report.blocks import show_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours to draw with, each replaced by the page's own; the fallback is for a figure cut out of the page.
INK, MUTED, RULE, ACCENT = "#010101", "#020202", "#030303", "#040404"
SERIES = ("#050501", "#050502", "#050503", "#050504", "#050505", "#050506")
PAGE_COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted, #666)",
    RULE: "var(--rule, #ccc)",
    ACCENT: "var(--accent, #06c)",
}
PAGE_COLOURS |= {colour: f"var(--series-{i}, #06c)" for i, colour in enumerate(SERIES, 1)}
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (9, 3)), (0, (3, 1, 1, 1, 1, 1)))
WIDTH = 10.0
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
}


@dataclass(frozen=True)
class Interval:
    """One row of the intervals plot: a value, its interval (NaN if none), and single points behind it."""

    label: str
    value: float
    low: float
    high: float
    points: Sequence[float] = ()


@dataclass(frozen=True)
class IntervalGroup:
    """Rows under one heading ("" for none), with the chance level and, where it is drawn, the mean of the group."""

    name: str
    rows: Sequence[Interval]
    chance: float
    mean: float = float("nan")


def draw_intervals(groups: Sequence[IntervalGroup], label: str, score: str) -> str:
    """Draw rows of intervals under their headings, numbers at the right, chance as a dashed line.

    Args:
        groups: best first.
        label: the figure in words, for those who cannot see it.
        score: name of the axis.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    height = sum(_measure_group(group) for group in groups)
    inches = 0.26 * height + 0.75
    names = [row.label for group in groups for row in group.rows] + [group.name for group in groups]
    left = min(4.4, 0.35 + 0.082 * max(len(shorten(name)) for name in names))
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": "intervals"}):
        figure = Figure(figsize=(WIDTH, inches))
        axes = figure.add_axes((left / WIDTH, 0.5 / inches, 1 - (left + 1.75) / WIDTH, 1 - 0.75 / inches))
        y = 0.5
        for group in groups:
            _draw_group(axes, group, y)
            y += _measure_group(group)
        _finish_intervals(axes, groups, height)
        axes.set_xlabel(score)
        return render_svg(figure, label)


def draw_curves(
    curves: pd.DataFrame, panels: Sequence[tuple[str, str]], configurations: Sequence[str], label: str
) -> str:
    """Draw mean and range against the epoch, one panel a metric, one line a configuration (six at most).

    Args:
        curves: columns ``configuration, metric, epoch, mean, min, max``; all of them set the axes.
        panels: metric and title of each panel.
        configurations: those to draw.
        label: the figure in words, for those who cannot see it.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    inches = 3.3 + 0.24 * math.ceil(len(configurations) / 2)
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": f"curves {configurations[0]}"}):
        figure = Figure(figsize=(WIDTH, inches))
        places = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (metric, title) in zip(places, panels, strict=True):
            _draw_panel(axes, curves[curves["metric"] == metric], configurations, title)
        lines, names = places[0].get_legend_handles_labels()
        figure.legend(
            lines, names, loc="lower left", ncols=2, frameon=False, handlelength=3.2, bbox_to_anchor=(0.04, 0)
        )
        figure.subplots_adjust(left=0.06, right=0.99, top=1 - 0.35 / inches, bottom=1 - 2.75 / inches, wspace=0.14)
        return render_svg(figure, label)


def render_svg(figure: Figure, label: str) -> str:
    """The figure as an ``<svg>`` element for an HTML page: no header, no metadata, no fixed size, page colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans, sans-serif)", svg.replace("xlink:href", "href"))
    for colour, replacement in PAGE_COLOURS.items():
        svg = svg.replace(colour, replacement)
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    head = f'<svg role="img" aria-label="{html.escape(label)}" {box.group()}>'
    return re.sub(r"<svg[^>]*>", lambda _: head, svg, count=1)


def shorten(name: str, limit: int = 52) -> str:
    """The name, or its beginning and end: names of one sweep often differ at the end."""
    return name if len(name) <= limit else f"{name[: limit // 2 - 1]}…{name[-limit // 2 :]}"


def _measure_group(group: IntervalGroup) -> float:
    return len(group.rows) + (1.6 if group.name else 0)


def _draw_group(axes: Axes, group: IntervalGroup, top: float) -> None:
    first, bottom = top - 0.5, top + _measure_group(group) - 0.5
    beside, name = axes.get_yaxis_transform(), shorten(group.name)
    if group.name:
        axes.text(-0.015, top + 0.2, name, transform=beside, ha="right", va="center", weight="bold")
        top += 1.2
    axes.vlines(group.chance, first, bottom, colors=MUTED, linestyles=(0, (3, 2)), linewidth=1)
    if not math.isnan(group.mean):
        axes.vlines(group.mean, top - 0.5, bottom, colors=ACCENT, linewidth=6, alpha=0.22)
    for place, row in enumerate(group.rows, start=0):
        y = top + place
        colour = MUTED if group.name else INK
        axes.text(-0.015, y, shorten(row.label), transform=beside, ha="right", va="center", color=colour)
        axes.hlines(y, row.low, row.high, colors=ACCENT, linewidth=1.6)
        if row.points:
            axes.plot(row.points, [y] * len(row.points), "o", color=ACCENT, markersize=4, alpha=0.35, mew=0)
        axes.plot([row.value], [y], "o", color=ACCENT, markersize=6, mew=0)
        text = f"{show_number(row.value)}  [{show_number(row.low)}, {show_number(row.high)}]"
        axes.text(1.02, y, text, transform=beside, ha="left", va="center")


def _finish_intervals(axes: Axes, groups: Sequence[IntervalGroup], height: float) -> None:
    rows = [row for group in groups for row in group.rows]
    chances = [group.chance for group in groups if not math.isnan(group.chance)]
    seen = [x for row in rows for x in (row.low, row.value, row.high, *row.points) if not math.isnan(x)] + chances
    low, high = min(seen), max(seen)
    pad = 0.05 * (high - low) or 0.05
    axes.set_xlim(max(min(low, 0) - 0.005, low - pad), min(1.005, high + pad))
    axes.set_ylim(height, -0.25)
    axes.set_yticks([])
    axes.grid(axis="x", alpha=0.6)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(length=0)
    if chances:
        axes.text(chances[0], -0.4, "chance", ha="center", va="bottom", color=MUTED, size=9)


def _draw_panel(axes: Axes, curves: pd.DataFrame, configurations: Sequence[str], title: str) -> None:
    for colour, dashes, name in zip(SERIES, DASHES, configurations, strict=False):
        own = curves[curves["configuration"] == name]
        axes.fill_between(own["epoch"], own["min"], own["max"], color=colour, alpha=0.14, linewidth=0)
        marker = "o" if len(own) == 1 else None
        axes.plot(
            own["epoch"],
            own["mean"],
            color=colour,
            linestyle=dashes,
            linewidth=1.7,
            marker=marker,
            label=shorten(name),
        )
    low, high = curves["min"].min(), curves["max"].max()
    if math.isfinite(low):
        pad = 0.04 * (high - low) or 0.05
        axes.set_ylim(low - pad, high + pad)
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.6)
    axes.spines[["right", "top"]].set_visible(False)
    axes.tick_params(length=0)
    axes.set_title(title, loc="left", size=10, weight="bold")
    axes.set_xlabel("epoch")
