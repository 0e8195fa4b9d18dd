"""Published numbers and ours side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ser.published.obtain import Obtained
from ser.published.read import Number
from ser.report.figures import ACCENT, INK, MUTED, SERIES, SETTINGS, WIDTH, render_svg, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Row:
    """A number, published and obtained."""

    number: Number
    obtained: Obtained


def draw_rows(rows: Sequence[Row], label: str) -> str:
    """Rows of one unit: published as an open diamond with its SD or range, ours as a dot with its interval.

    Args:
        rows: with a published number, or one of ours, each.
        label: the figure in words, for those who cannot see it.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    inches = 0.3 * len(rows) + 0.95
    left = min(5.2, 0.35 + 0.082 * max(len(shorten(row.number.quantity, 64)) for row in rows))
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": label}):
        figure = Figure(figsize=(WIDTH, inches))
        axes = figure.add_axes((left / WIDTH, 0.5 / inches, 1 - (left + 0.3) / WIDTH, 1 - 0.85 / inches))
        for place, row in enumerate(rows):
            draw_row(axes, row, float(place))
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks([])
        axes.grid(axis="x", alpha=0.6)
        axes.set_axisbelow(True)
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.tick_params(length=0)
        draw_key(axes)
        return render_svg(figure, label)


def draw_row(axes: Axes, row: Row, y: float) -> None:
    """One row."""
    number, ours = row.number, row.obtained
    name = shorten(number.quantity, 64)
    axes.text(-0.015, y, name, transform=axes.get_yaxis_transform(), ha="right", va="center", color=INK)
    ends = find_spread(number)
    if ends is not None:
        axes.hlines(y - 0.14, *ends, colors=SERIES[1], linewidth=1, alpha=0.7)
    if number.value is not None:
        axes.plot([number.value], [y - 0.14], "D", color=SERIES[1], markersize=5.5, fillstyle="none", mew=1.4)
    if ours.known:
        if ours.bounded:
            axes.hlines(y + 0.14, ours.low, ours.high, colors=ACCENT, linewidth=1.6)
        axes.plot([ours.value], [y + 0.14], "o", color=ACCENT, markersize=5.5, mew=0)


def find_spread(number: Number) -> tuple[float, float] | None:
    """Ends of what was published beside a number: its range, or a SD either way."""
    if number.low is not None and number.high is not None:
        return number.low, number.high
    if number.sd is not None and number.value is not None:
        return number.value - number.sd, number.value + number.sd
    return None


def draw_key(axes: Axes) -> None:
    """What the marks are."""
    marks = (("D", SERIES[1], "published", "none"), ("o", ACCENT, "obtained, 95 % interval", "full"))
    for marker, colour, name, fill in marks:
        axes.plot([], [], marker, color=colour, label=name, fillstyle=fill, mew=1.4 if fill == "none" else 0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9, labelcolor=MUTED)


def is_drawn(row: Row) -> bool:
    """Whether there is anything to draw."""
    return row.obtained.known or row.number.value is not None or find_spread(row.number) is not None
