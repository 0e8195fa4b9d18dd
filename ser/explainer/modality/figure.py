"""Figure of modalities: shares of each emotion with intervals, and what is lost without a modality or interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.explainer.modality.tables import ALL
from ser.statistics.figures.style import MARKERS, Palette, finish_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARES = {"text": "text", "audio": "audio", "together": "only both together"}
LOSSES = {"perceptual_text": "text", "perceptual_audio": "audio", "emap_gap": "only both together"}
#: Shares beyond this are drawn at this.
MOST = 2.5
#: Rows between two series of an emotion.
STEP = 0.24


def draw_shares(shares: pd.DataFrame, scores: pd.DataFrame, truth: pd.DataFrame, palette: Palette) -> Figure:
    """Two panels with a row an emotion.

    Args:
        shares: of :func:`ser.explainer.modality.tables.tabulate_shares`.
        scores: of :func:`ser.explainer.modality.tables.tabulate_scores`.
        truth: planted shares by emotion (rows) and part (columns); empty for real speech.
        palette: colours.
    """
    from matplotlib.figure import Figure

    emotions = sorted((set(shares["emotion"]) | set(scores["emotion"])) - {ALL})
    rows = [*emotions, ALL]
    figure = Figure(figsize=(10, 1.7 + 0.62 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for number, (part, label) in enumerate(SHARES.items()):
        own = shares[shares["part"] == part].set_index("emotion").reindex(columns=["share", "share_low", "share_high"])
        draw_series(left, own.reindex(rows), number, palette, label)
        if part in truth:
            places = [len(rows) - 1 - rows.index(emotion) + (1 - number) * STEP for emotion in truth.index]
            left.plot(
                truth[part].clip(-MOST, MOST),
                places,
                "|",
                color=palette.ink,
                markersize=13,
                markeredgewidth=1.6,
                zorder=4,
                label="planted" if not number else None,
            )
    for number, score in enumerate(LOSSES):
        own = scores[scores["score"] == score].set_index("emotion")[["value", "value_low", "value_high"]]
        draw_series(right, own.reindex(rows), number, palette)
    for axes in (left, right):
        axes.axvline(0, color=palette.ink, linewidth=0.8)
        finish_axes(axes, "x")
    left.set_ylim(-0.6, len(rows) - 0.4)
    left.set_yticks(np.arange(len(rows))[::-1], rows)
    left.set_xlabel("share: Shapley values, and the interaction in them")
    right.set_xlabel("accuracy lost without it")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return figure


def draw_series(axes: Axes, own: pd.DataFrame, number: int, palette: Palette, label: str | None = None) -> None:
    """Values with intervals [rows, 3], a marker a row from the top; nothing where there is no value."""
    value, low, high = own.clip(-MOST, MOST).to_numpy(float).T
    places = np.arange(len(own))[::-1] + (1 - number) * STEP
    span = np.nan_to_num(np.abs([value - low, high - value]))
    axes.errorbar(
        value,
        places,
        xerr=span,
        fmt=MARKERS[number],
        color=palette.series[number],
        markersize=5.5,
        elinewidth=1.4,
        label=label,
    )
