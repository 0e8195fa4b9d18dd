"""The matrix of training and test corpora as a drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.report.blocks import MISSING, show_number, show_range
from ser.report.figures import ACCENT, INK, MUTED, RULE, SETTINGS, WIDTH, render_svg, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL, ROW, HEAD = 1.3, 0.56, 0.75  # inches: width and height of a cell, room above the cells
LETTER, LONGEST = 0.088, 30  # inches of a letter; letters of a row's name
DARKEST = 0.5  # opacity of the best cell: ink stays readable on it, on light and on dark paper


@dataclass(frozen=True)
class HeatMap:
    """One matrix: columns ``trained, tested, within, score, low, high, chance`` of ``summarise.tabulate_corpora``."""

    title: str
    cells: pd.DataFrame


def draw_heatmaps(maps: Sequence[HeatMap], label: str) -> str:
    """Draw matrices of the same rows and columns side by side, shaded on one scale from chance to the best cell.

    Args:
        maps: at least one.
        label: the figure in words, for those who cannot see it.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    cells = pd.concat([each.cells for each in maps])
    rows, columns = order_corpora(cells["trained"]), order_corpora(cells["tested"])
    left = max(1.4, 0.3 + LETTER * max(len(shorten(name, LONGEST)) for name in rows))
    width = min(CELL, (WIDTH - left - 0.1) / len(columns))
    across = max(1, min(len(maps), int(WIDTH / (left + width * len(columns) + 0.1))))
    tall = HEAD + ROW * len(rows)
    inches = tall * math.ceil(len(maps) / across) + 0.4
    low, high = cells["chance"].min(), cells["score"].max()
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": f"heatmaps {maps[0].title}"}):
        figure = Figure(figsize=(WIDTH, inches))
        for place, each in enumerate(maps):
            x = left + (place % across) * WIDTH / across
            y = inches - HEAD - ROW * len(rows) - tall * (place // across)
            box = (x / WIDTH, y / inches, width * len(columns) / WIDTH, ROW * len(rows) / inches)
            axes = figure.add_axes(box)
            _draw_matrix(axes, each.cells, rows, columns, (low, high))
            axes.text(0, -0.62, shorten(each.title, int((WIDTH / across - left) / LETTER)), weight="bold", va="bottom")
            axes.set_xticklabels([shorten(name, int(width / LETTER)) for name in columns], color=INK)
        if cells["within"].any():
            key = [Patch(fill=False, edgecolor=INK, linewidth=1.6)]
            corner: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (left / WIDTH, 0), "borderpad": 0}
            figure.legend(key, ["trained on too: held-out speakers"], frameon=False, handlelength=1.5, **corner)
        return render_svg(figure, label)


def order_corpora(names: pd.Series) -> list[str]:
    """Single corpora by name, then those of two, and so on: what is on both sides meets on the diagonal."""
    return sorted(names.unique(), key=lambda name: (name.count(","), name))


def _draw_matrix(
    axes: Axes, cells: pd.DataFrame, rows: Sequence[str], columns: Sequence[str], scale: tuple[float, float]
) -> None:
    for cell in cells.itertuples():
        _draw_cell(axes, cell, columns.index(cell.tested), rows.index(cell.trained), scale)
    known = set(zip(cells["tested"], cells["trained"], strict=True))
    for x, y in ((x, y) for x, a in enumerate(columns) for y, b in enumerate(rows) if (a, b) not in known):
        axes.text(x + 0.5, y + 0.5, MISSING, ha="center", va="center", color=MUTED)
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    axes.set_xticks([x + 0.5 for x in range(len(columns))])
    axes.set_yticks([y + 0.5 for y in range(len(rows))], [shorten(name, LONGEST) for name in rows], color=INK)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.text(-0.03, -0.1, "trained ↓  tested →", size=8, color=MUTED, ha="right", va="bottom")


def _draw_cell(axes: Axes, cell: Any, x: int, y: int, scale: tuple[float, float]) -> None:
    from matplotlib.patches import Rectangle

    low, high = scale
    share = min(max((cell.score - low) / (high - low), 0), 1) if high > low else 1.0
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=ACCENT, alpha=0.03 + (DARKEST - 0.03) * share, linewidth=0))
    axes.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor=RULE, linewidth=0.6))
    if cell.within:
        inner = Rectangle((x + 0.025, y + 0.05), 0.95, 0.9, fill=False, edgecolor=INK, linewidth=1.6, zorder=3)
        axes.add_patch(inner)
    weight = "bold" if cell.within else "normal"
    axes.text(x + 0.5, y + 0.4, show_number(cell.score), ha="center", va="center", size=11, weight=weight)
    axes.text(x + 0.5, y + 0.75, show_range(cell.low, cell.high, 2), ha="center", va="center", size=8)
