"""Differences of means as a forest plot, with the band of differences too small to matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.report.figures import shorten
from ser.statistics.export.numbers import choose_decimals, is_number, show_fixed, show_interval
from ser.statistics.figures.style import WIDTH, Palette, finish_axes, name_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Rows at most; the largest differences are kept.
MOST_ROWS = 40
ROW = 0.27  # inches


def draw_contrasts(statistics: Mapping[str, Any], _: pd.DataFrame, palette: Palette) -> Figure | None:
    """Draw each contrast with its interval, and below it the same of other models (``sensitivity_contrasts``)."""
    from matplotlib.figure import Figure

    groups = group_contrasts(statistics)
    if not groups:
        return None
    height = sum(len(rows) + 1.4 * bool(name) for name, rows in groups.items())
    key = 0.3 if list_analyses(groups) else 0.0
    inches = ROW * height + 0.95 + key
    labels = [*groups, *(str(rows[0]["contrast"]) for own in groups.values() for rows in own)]
    left = min(4.3, 0.35 + 0.078 * max(len(shorten(label)) for label in labels))
    figure = Figure(figsize=(WIDTH, inches))
    axes = figure.add_axes((left / WIDTH, 0.55 / inches, 1 - (left + 3.3) / WIDTH, 1 - (0.8 + key) / inches))
    decimals = choose_decimals([rows[0].get("se") for own in groups.values() for rows in own])
    y = 0.5
    for name, own in groups.items():
        if name:
            axes.text(
                -0.02,
                y + 0.1,
                shorten(name),
                transform=axes.get_yaxis_transform(),
                ha="right",
                va="center",
                weight="bold",
            )
            y += 1.2
        for rows in own:
            _draw_row(axes, rows, y, decimals, palette)
            y += 1
        y += 0.2 * bool(name)
    _finish(axes, statistics, height, palette)
    _draw_key(figure, list_analyses(groups), palette, left / WIDTH)
    return figure


def group_contrasts(statistics: Mapping[str, Any]) -> dict[str, list[list[Mapping[str, Any]]]]:
    """Contrasts under the heading of their factor and place; each is followed by those of other models in its unit."""
    known = [row for row in statistics.get("contrasts") or [] if is_number(row.get("estimate"))]
    if len(known) > MOST_ROWS:
        kept = sorted(known, key=lambda row: -abs(row["estimate"]))[:MOST_ROWS]
        known = [row for row in known if row in kept]
    headed = len({name_family(row) for row in known}) > 1 or any(row.get("by") for row in known)
    groups: dict[str, list[list[Mapping[str, Any]]]] = {}
    for row in known:
        beside = [
            other | {"analysis": name}
            for name, others in (statistics.get("sensitivity_contrasts") or {}).items()
            for other in others
            if _is_same(row, other) and is_number(other.get("estimate"))
        ]
        groups.setdefault(name_family(row) if headed else "", []).append([row, *beside])
    return groups


def name_family(row: Mapping[str, Any]) -> str:
    """What a contrast is about: its factor, and where it holds."""
    place = ", ".join(f"{name}={level}" for name, level in (row.get("by") or {}).items())
    factor = str(row.get("factor") or "")
    return " · ".join(filter(None, (factor, place))) or "all conditions"


def list_analyses(groups: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]) -> list[str]:
    """Names of the models that are drawn, the primary one first; none where there is only one."""
    names = [str(row.get("analysis") or "primary") for own in groups.values() for rows in own for row in rows]
    distinct = list(dict.fromkeys(names))
    return distinct if len(distinct) > 1 else []


def _draw_row(axes: Axes, rows: Sequence[Mapping[str, Any]], y: float, decimals: int, palette: Palette) -> None:
    beside = axes.get_yaxis_transform()
    primary = rows[0]
    axes.text(-0.02, y, shorten(str(primary["contrast"])), transform=beside, ha="right", va="center")
    for place, row in enumerate(rows):
        low, high = row.get("ci_low"), row.get("ci_high")
        colour = palette.accent if place == 0 else palette.series[1]
        height = y + 0.26 * place - 0.13 * (len(rows) - 1)
        if low is not None and high is not None:
            axes.hlines(height, low, high, colors=colour, linewidth=2 if place == 0 else 1.1)
        fill = colour if place == 0 else "none"
        axes.plot(
            [row["estimate"]], [height], "os^Dv"[place % 5], color=colour, mfc=fill, markersize=6 - 2 * bool(place)
        )
    interval = show_interval(primary.get("ci_low"), primary.get("ci_high"), decimals)
    axes.text(1.03, y, f"{show_fixed(primary['estimate'], decimals)}  {interval}", transform=beside, va="center")
    verdict = primary.get("label") or primary.get("verdict") or ""
    where = 1.03 + 1.85 / (axes.get_position().width * WIDTH)
    axes.text(where, y, verdict, transform=beside, va="center", color=palette.muted)


def _finish(axes: Axes, statistics: Mapping[str, Any], height: float, palette: Palette) -> None:
    sesoi = find_sesoi(statistics)
    logit = any(row.get("effect_kind") == "odds_ratio" for row in statistics["contrasts"])
    axes.axvline(0, color=palette.muted, linewidth=1, zorder=0)
    low, high = axes.get_xlim()
    if sesoi and not logit:
        axes.axvspan(-sesoi, sesoi, color=palette.muted, alpha=0.16, linewidth=0, zorder=0)
        low, high = min(low, -1.3 * sesoi), max(high, 1.3 * sesoi)
    axes.set_xlim(low, high)
    axes.set_ylim(height + 0.1, -0.1)
    axes.set_yticks([])
    finish_axes(axes, "x")
    axes.spines["left"].set_visible(False)
    score = name_score(statistics["design"]["response"])
    axes.set_xlabel(f"difference in {'log odds of ' if logit else ''}{score}")
    if sesoi and not logit:
        words = f"too small to matter: ±{sesoi:g}"
        above = axes.get_xaxis_transform()
        axes.text(0, 1.01, words, transform=above, ha="center", va="bottom", color=palette.muted, size=8.5)


def find_sesoi(statistics: Mapping[str, Any]) -> float | None:
    """The smallest difference that matters: ``sesoi`` at the top, of the settings, or of the method."""
    places = [statistics, statistics.get("settings") or {}, statistics.get("method") or {}]
    places = [place for place in places if isinstance(place, Mapping)]
    return next((float(place["sesoi"]) for place in places if is_number(place.get("sesoi"))), None)


def _draw_key(figure: Figure, analyses: Sequence[str], palette: Palette, left: float) -> None:
    from matplotlib.lines import Line2D

    if not analyses:
        return
    keys = [
        Line2D(
            [],
            [],
            color=palette.accent if place == 0 else palette.series[1],
            marker="os^Dv"[place % 5],
            mfc=None if place == 0 else "none",
        )
        for place in range(len(analyses))
    ]
    figure.legend(keys, analyses, loc="upper left", bbox_to_anchor=(left, 1), ncols=4, frameon=False, borderpad=0)


def _is_same(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(row.get(key) == other.get(key) for key in ("factor", "contrast", "by", "effect_kind"))
