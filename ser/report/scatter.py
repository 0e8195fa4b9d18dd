"""Predicted dimensions against true ones, as a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ser.report.figures import ACCENT, INK, MUTED, SETTINGS, WIDTH, render_svg, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS = 3


@dataclass(frozen=True)
class Agreement:
    """One panel: true and predicted values of a dimension [N], and what to say of them."""

    dimension: str
    scores: str
    true: np.ndarray
    predicted: np.ndarray


def draw_agreements(panels: Sequence[Agreement], label: str) -> str:
    """Draw a square panel a dimension, the diagonal dashed; values beyond the frame are drawn on it, hollow.

    Args:
        panels: at least one.
        label: the figure in words, for those who cannot see it.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    lines = -(-len(panels) // ACROSS)
    side, left, head, foot = 2.55, 0.55, 0.55, 0.45
    inches = lines * (side + head + foot)
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": f"agreements {label}"}):
        figure = Figure(figsize=(WIDTH, inches))
        for place, panel in enumerate(panels):
            x = left + (place % ACROSS) * WIDTH / ACROSS
            y = inches - (place // ACROSS + 1) * (side + head + foot) + foot
            _draw_panel(figure.add_axes((x / WIDTH, y / inches, side / WIDTH, side / inches)), panel)
        return render_svg(figure, label)


def find_limits(true: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Both axes: all true values, and predictions up to a fifth of the true range beyond them."""
    low, high = float(true.min()), float(true.max())
    room = 0.2 * (high - low) or 0.5
    low, high = min(low, max(float(predicted.min()), low - room)), max(high, min(float(predicted.max()), high + room))
    pad = 0.04 * (high - low) or 0.5
    return low - pad, high + pad


def _draw_panel(axes: Axes, panel: Agreement) -> None:
    low, high = find_limits(panel.true, panel.predicted)
    beyond = (panel.predicted < low) | (panel.predicted > high)
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle=(0, (3, 2)))
    axes.plot(panel.true[~beyond], panel.predicted[~beyond], "o", color=ACCENT, markersize=3.6, alpha=0.4, mew=0)
    edge = np.clip(panel.predicted[beyond], low, high)
    axes.plot(panel.true[beyond], edge, "o", color=ACCENT, markersize=4.2, fillstyle="none", mew=0.9, clip_on=False)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="true", ylabel="predicted")
    axes.locator_params(nbins=5)
    axes.grid(alpha=0.6)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)
    axes.tick_params(length=0)
    axes.text(0, 1.1, shorten(panel.dimension), transform=axes.transAxes, weight="bold", color=INK, va="bottom")
    axes.text(0, 1.03, panel.scores, transform=axes.transAxes, color=MUTED, size=9, va="bottom")
