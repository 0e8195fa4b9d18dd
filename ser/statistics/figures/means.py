"""Marginal means with their intervals, single speakers or runs behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.report.figures import WIDTH, shorten
from ser.statistics.figures.style import MARKERS, Palette, find_response, finish_axes, name_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Levels side by side, lines of one panel, panels, and factors of one plot, at most.
MOST_LEVELS, MOST_LINES, MOST_PANELS, MOST_FACTORS = 16, 6, 6, 3
#: More dots are a cloud that says nothing, and a large file.
MOST_POINTS = 3000
#: Inches that a letter of a level's name takes.
LETTER = 0.085


@dataclass(frozen=True)
class Plan:
    """Which factor goes where: along the axis, as lines ("" for none), as panels ("" for none)."""

    along: str
    lines: str
    panels: str

    @property
    def factors(self) -> list[str]:
        """Those that are drawn."""
        return [name for name in (self.along, self.lines, self.panels) if name]


def draw_means(statistics: Mapping[str, Any], rows: pd.DataFrame, palette: Palette) -> Figure | None:
    """Draw the means of the highest interaction of at most three factors; of single factors where there is none.

    Returns:
        None without means, or where there are more levels than a figure can hold.
    """
    from matplotlib.figure import Figure

    means = tabulate_means(statistics.get("means") or [])
    panels = plan_panels(means)
    if not panels:
        return None
    points = find_points(statistics, rows)
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    shared = len({plan for plan, _, _ in panels}) == 1 and bool(panels[0][0].lines)
    slanted = any(needs_slant(own[plan.along], across) for plan, own, _ in panels)
    each, foot, head = 2.9 + 0.5 * slanted, 0.35, 0.35 if shared else 0.05
    figure = Figure(figsize=(WIDTH, down * each + foot + head))
    places = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes in places.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (plan, own, title) in zip(places.flat, panels, strict=False):
        draw_panel(axes, plan, own, find_panel_points(points, plan, own), palette)
        axes.set_title(title, loc="left", size=10, weight="bold")
        axes.set_xlabel(plan.along)
        if plan.lines and not shared:
            axes.legend(title=plan.lines, frameon=False, fontsize=8.5)
        if slanted:
            axes.tick_params(axis="x", rotation=20)
    for row in places:
        row[0].set_ylabel(name_score(statistics))
    if shared:
        _draw_legend(figure, places[0][0], panels[0][0].lines)
    height = figure.get_figheight()
    bottom = (foot + 0.25 + 0.5 * slanted) / height
    figure.subplots_adjust(
        left=0.075, right=0.99, top=1 - (head + 0.3) / height, bottom=bottom, wspace=0.08, hspace=0.45
    )
    return figure


def tabulate_means(means: Sequence[Mapping[str, Any]]) -> list[pd.DataFrame]:
    """Means by set of factors, most factors first: a column a factor, and ``mean, low, high`` (probabilities of logit
    models)."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in means:
        levels = {**(row.get("by") or {}), **row["levels"]}
        keys = ("response", "response_low", "response_high") if "response" in row else ("mean", "ci_low", "ci_high")
        values = {name: _to_float(row.get(key)) for name, key in zip(("mean", "low", "high"), keys, strict=True)}
        found.setdefault(tuple(sorted(levels)), []).append({**levels, **values})
    tables = [pd.DataFrame(rows).drop_duplicates() for _, rows in sorted(found.items(), key=lambda item: -len(item[0]))]
    return [table for table in tables if table["mean"].notna().any()]


def plan_panels(tables: Sequence[pd.DataFrame]) -> list[tuple[Plan, pd.DataFrame, str]]:
    """Panels with the rows and the title of each."""
    sizes = {len(table.columns) - 3 for table in tables}
    order = max((size for size in sizes if size <= MOST_FACTORS), default=0)
    panels = []
    for table in (table for table in tables if len(table.columns) - 3 == order):
        plan = assign_factors(table)
        if table[plan.along].nunique() > MOST_LEVELS or (plan.lines and table[plan.lines].nunique() > MOST_LINES):
            continue
        parts = table.groupby(plan.panels, sort=False) if plan.panels else [("", table)]
        panels += [(plan, part, name_panel(plan, title)) for title, part in parts]
    return panels[:MOST_PANELS]


def needs_slant(levels: pd.Series, across: int) -> bool:
    """Whether names of levels, side by side in one of so many panels, would touch."""
    names = [shorten(str(level), 22) for level in levels.unique()]
    return len(names) * (LETTER * max(map(len, names)) + 0.1) > (WIDTH - 1) / across


def name_panel(plan: Plan, level: object) -> str:
    """``aug: noise``; nothing for a plot without panels."""
    return shorten(f"{plan.panels}: {level}", 36) if plan.panels else ""


def assign_factors(table: pd.DataFrame) -> Plan:
    """The factor with most levels along the axis, that with fewest as panels; test corpora always as panels."""
    names = [str(name) for name in table.columns[:-3]]
    names.sort(key=lambda name: (name == "test_corpus", -table[name].nunique()))
    return Plan(names[0], names[1] if len(names) > 1 else "", names[2] if len(names) > 2 else "")


def find_points(statistics: Mapping[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    """What is drawn behind the means: of cells the speakers (mean over their models), else the rows; ``score``."""
    response = find_response(statistics)
    if response not in rows:
        return pd.DataFrame()
    points = rows.rename(columns={response: "score"})
    if "speaker" not in points:
        return points if len(points) <= MOST_POINTS else pd.DataFrame()
    factors = sorted({name for row in statistics.get("means") or [] for name in row["levels"]} & set(points))
    return points.groupby([*factors, "speaker"])["score"].mean().reset_index()


def find_panel_points(points: pd.DataFrame, plan: Plan, own: pd.DataFrame) -> pd.DataFrame:
    """Points of one panel; one per speaker and place where speakers are known."""
    if any(name not in points for name in plan.factors):
        return pd.DataFrame()
    if plan.panels:
        points = points[points[plan.panels].astype(str) == str(own[plan.panels].iloc[0])]
    if "speaker" in points:
        points = points.groupby([*plan.factors, "speaker"])["score"].mean().reset_index()
    return points


def draw_panel(axes: Axes, plan: Plan, means: pd.DataFrame, points: pd.DataFrame, palette: Palette) -> None:
    """One panel: a line for each level of ``plan.lines``, levels of ``plan.along`` side by side."""
    levels = list(dict.fromkeys(means[plan.along]))
    lines = list(dict.fromkeys(means[plan.lines])) if plan.lines else [""]
    room = 0.6 / len(lines)
    for place, line in enumerate(lines):
        own = means[means[plan.lines] == line] if plan.lines else means
        shift = (place - (len(lines) - 1) / 2) * room
        x = np.array([levels.index(level) for level in own[plan.along]]) + shift
        colour, marker = palette.series[place % len(palette.series)], MARKERS[place % len(MARKERS)]
        if len(points):
            mine = points[points[plan.lines].astype(str) == str(line)] if plan.lines else points
            spread = _spread_points(mine, plan.along, levels, shift, 0.32 * room)
            axes.plot(*spread, "o", color=colour, markersize=3.2, alpha=0.42, mew=0, zorder=1)
        if plan.lines:
            axes.plot(x, own["mean"], color=colour, linewidth=1, alpha=0.55, zorder=2)
        half = [own["mean"] - own["low"], own["high"] - own["mean"]]
        style: dict[str, Any] = {"color": colour, "markersize": 6.5, "elinewidth": 1.8, "capsize": 0, "zorder": 3}
        axes.errorbar(x, own["mean"], yerr=np.abs(half), fmt=marker, label=shorten(str(line), 30), **style)
    axes.set_xticks(range(len(levels)), [shorten(str(level), 22) for level in levels])
    axes.set_xlim(-0.55, len(levels) - 0.45)
    finish_axes(axes)
    axes.tick_params(axis="x", colors=palette.ink)


def _spread_points(
    points: pd.DataFrame, along: str, levels: Sequence[Any], shift: float, half: float
) -> tuple[np.ndarray, np.ndarray]:
    """Places of points [N], those of one level side by side in the order they come (no chance, same figure again)."""
    places = points[along].astype(str).map({str(level): place for place, level in enumerate(levels)})
    points, places = points[places.notna()], places[places.notna()]
    number = points.groupby(places).cumcount()
    size = points.groupby(places)[along].transform("size")
    beside = np.where(size > 1, 2 * number / np.maximum(size - 1, 1) - 1, 0) * half
    return (places + shift + beside).to_numpy(float), points["score"].to_numpy(float)


def _draw_legend(figure: Figure, axes: Axes, title: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        [f"{title}: {label}" if place == 0 else label for place, label in enumerate(labels)],
        loc="upper left",
        bbox_to_anchor=(0.06, 1),
        ncols=MOST_LINES,
        frameon=False,
        borderpad=0.2,
    )


def _to_float(value: Any) -> float:
    return float("nan") if value is None else float(value)
