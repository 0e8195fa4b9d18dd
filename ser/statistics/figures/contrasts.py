"""Differences of means as a forest plot, with the band of differences too small to matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.report.figures import WIDTH, shorten
from ser.statistics.export.models import identify_contrast
from ser.statistics.export.numbers import choose_decimals, is_number, show_fixed, show_interval
from ser.statistics.figures.style import Palette, finish_axes, name_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Rows at most; the largest differences are kept.
MOST_ROWS = 40
ROW, HEAD, LETTER = 0.27, 1.3, 0.073  # inches of a row, rows of a heading, inches of a letter
MARKERS = "os^Dv"


@dataclass(frozen=True)
class Line:
    """One contrast: its label, what is written at the right, and its rows, that of the primary model first."""

    label: str
    numbers: str
    outcome: str
    rows: Sequence[Mapping[str, Any]]


def draw_contrasts(statistics: Mapping[str, Any], _: pd.DataFrame, palette: Palette) -> Figure | None:
    """Draw each contrast with its interval, and below it the same of other models (``sensitivity_contrasts``)."""
    from matplotlib.figure import Figure

    groups = group_contrasts(statistics)
    if not groups:
        return None
    lines = [line for own in groups.values() for line in own]
    headed = len(groups) > 1
    height = len(lines) + HEAD * headed * len(groups)
    others = list(dict.fromkeys(str(row["analysis"]) for line in lines for row in line.rows[1:]))
    top = 0.35 + 0.3 * bool(others)
    inches = ROW * height + top + 0.55
    left = 0.3 + LETTER * max(len(text) for text in (*groups, *(line.label for line in lines)))
    numbers, outcome = (max(len(getattr(line, name)) for line in lines) for name in ("numbers", "outcome"))
    right = 0.3 + LETTER * (numbers + outcome)
    figure = Figure(figsize=(WIDTH, inches))
    box = (left / WIDTH, 0.5 / inches, 1 - (left + right) / WIDTH, ROW * height / inches)
    axes = figure.add_axes(box)
    y = 0.5
    for name, own in groups.items():
        if headed:
            _write_left(axes, name, y + 0.15, weight="bold")
            y += HEAD
        for line in own:
            _draw_line(axes, line, y, (0.15 + LETTER * numbers + 0.1) / (box[2] * WIDTH), palette)
            y += 1
    _finish(axes, statistics, height, palette)
    _draw_key(figure, others, left / WIDTH, palette)
    return figure


def group_contrasts(statistics: Mapping[str, Any]) -> dict[str, list[Line]]:
    """Contrasts by the factor they are of; each with those of other models that are in its unit."""
    known = [row for row in statistics.get("contrasts") or [] if is_number(row.get("estimate"))]
    if len(known) > MOST_ROWS:
        smallest = sorted(abs(row["estimate"]) for row in known)[-MOST_ROWS]
        known = [row for row in known if abs(row["estimate"]) >= smallest][:MOST_ROWS]
    decimals = choose_decimals([row.get("se") for row in known])
    decided = {identify_contrast(row): row.get("decision") for row in statistics.get("decision") or []}
    groups: dict[str, list[Line]] = {}
    for row in known:
        interval = show_interval(row.get("ci_low"), row.get("ci_high"), decimals)
        numbers = f"{show_fixed(row['estimate'], decimals)}  {interval}"
        outcome = decided.get(identify_contrast(row)) or row.get("label") or row.get("verdict") or ""
        rows = [row, *find_others(statistics, row)]
        groups.setdefault(str(row.get("factor") or ""), []).append(Line(name_line(row), numbers, outcome, rows))
    return groups


def find_others(statistics: Mapping[str, Any], row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The same contrast in other models, where it is in the same unit; ``analysis`` names the model."""
    return [
        {**other, "analysis": name}
        for name, rows in (statistics.get("sensitivity_contrasts") or {}).items()
        for other in rows
        if identify_contrast(other) == identify_contrast(row)
        and other.get("effect_kind") == row.get("effect_kind")
        and is_number(other.get("estimate"))
    ]


def name_line(row: Mapping[str, Any]) -> str:
    """A contrast, and where it holds."""
    place = ", ".join(f"{name}={level}" for name, level in (row.get("by") or {}).items())
    return shorten(f"{row['contrast']} in {place}" if place else str(row["contrast"]))


def find_sesoi(statistics: Mapping[str, Any]) -> float | None:
    """The smallest difference that matters: ``sesoi`` at the top, of the settings, or of the method."""
    places = [statistics, statistics.get("settings") or {}, statistics.get("method") or {}]
    places = [place for place in places if isinstance(place, Mapping)]
    return next((float(place["sesoi"]) for place in places if is_number(place.get("sesoi"))), None)


def _draw_line(axes: Axes, line: Line, y: float, outcome: float, palette: Palette) -> None:
    """Marks and words of one contrast; ``outcome`` is how far right of the axes its last word stands."""
    beside = axes.get_yaxis_transform()
    _write_left(axes, line.label, y)
    gap = 0.5 / max(len(line.rows), 2)
    for place, row in enumerate(line.rows):
        height = y + gap * (place - (len(line.rows) - 1) / 2)
        colour = palette.accent if place == 0 else palette.series[1]
        low, high = row.get("ci_low"), row.get("ci_high")
        if low is not None and high is not None:
            axes.hlines(height, low, high, colors=colour, linewidth=2 if place == 0 else 1.1)
        size, fill = (6, colour) if place == 0 else (4.5, "none")
        axes.plot([row["estimate"]], [height], MARKERS[place % 5], color=colour, mfc=fill, markersize=size)
    start = 0.15 / (axes.get_position().width * WIDTH)
    axes.text(1 + start, y, line.numbers, transform=beside, va="center")
    axes.text(1 + outcome, y, line.outcome, transform=beside, va="center", color=palette.muted)


def _write_left(axes: Axes, text: str, y: float, **style: Any) -> None:
    axes.text(-0.02, y, text, transform=axes.get_yaxis_transform(), ha="right", va="center", **style)


def _finish(axes: Axes, statistics: Mapping[str, Any], height: float, palette: Palette) -> None:
    sesoi = find_sesoi(statistics)
    logit = any(row.get("effect_kind") == "odds_ratio" for row in statistics["contrasts"])
    axes.axvline(0, color=palette.muted, linewidth=1, zorder=0)
    low, high = axes.get_xlim()
    if sesoi and not logit:
        axes.axvspan(-sesoi, sesoi, color=palette.muted, alpha=0.16, linewidth=0, zorder=0)
        low, high = min(low, -1.3 * sesoi), max(high, 1.3 * sesoi)
        words: dict[str, Any] = {"size": 8.5, "color": palette.muted, "transform": axes.get_xaxis_transform()}
        axes.text(0, 1 + 0.05 / height, f"too small to matter: ±{sesoi:g}", ha="center", va="bottom", **words)
    axes.set(xlim=(low, high), ylim=(height, 0), yticks=[])
    axes.locator_params(axis="x", nbins=6)
    finish_axes(axes, "x")
    axes.spines["left"].set_visible(False)
    score = name_score(statistics)
    axes.set_xlabel(f"difference in {'log odds of ' if logit else ''}{score}")


def _draw_key(figure: Figure, others: Sequence[str], left: float, palette: Palette) -> None:
    from matplotlib.lines import Line2D

    if not others:
        return
    keys = [Line2D([], [], color=palette.accent, marker=MARKERS[0])]
    keys += [
        Line2D([], [], color=palette.series[1], marker=MARKERS[place % 5], mfc="none")
        for place in range(1, len(others) + 1)
    ]
    names = ["primary model", *(f"model of {name}" for name in others)]
    figure.legend(keys, names, loc="upper left", bbox_to_anchor=(left, 1), ncols=4, frameon=False, borderpad=0.2)
