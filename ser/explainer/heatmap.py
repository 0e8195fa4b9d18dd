"""Heat maps with numbers in their cells while there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "Blues"
#: Cells of a row up to which numbers are written, and names of rows or columns up to which all are.
NUMBERED, NAMED = 9, 14
#: Letters up to which the name of a column is written level.
LEVEL = 3


def draw_map(
    axes: Axes,
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    limits: tuple[float, float] = (0.0, 1.0),
    numbers: bool | None = None,
) -> None:
    """Values [R, C] as cells; the lighter the less. NaN stays white.

    Args:
        axes: to draw on.
        values: the cells.
        rows, columns: their names.
        limits: values of the lightest and the darkest colour.
        numbers: whether cells have their value; ``None``: while there are few.
    """
    low, high = limits
    axes.imshow(values, cmap=COLOURS, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    written = max(values.shape) <= NUMBERED if numbers is None else numbers
    for row, column in np.argwhere(np.isfinite(values)) if written else ():
        value = values[row, column]
        colour = "white" if (value - low) / (high - low) > 0.6 else "#1c1e21"
        axes.text(column, row, show(value), ha="center", va="center", size=7, color=colour)
    label(axes, rows, "y")
    label(axes, columns, "x")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def show(value: float) -> str:
    """Two digits without a leading zero."""
    text = f"{value:.2f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and not text.lstrip("-").startswith("1") else text


def label(axes: Axes, names: Sequence[str], side: str) -> None:
    """Names of rows or columns, as many as there is room for."""
    places = range(0, len(names), -(-len(names) // NAMED))
    shown = [names[place] for place in places]
    if side == "y":
        axes.set_yticks(list(places), shown, size=8)
    else:
        axes.set_xticks(list(places), shown, size=8)
        for text in axes.get_xticklabels():
            text.set_rotation(90 if len(text.get_text()) > LEVEL else 0)
