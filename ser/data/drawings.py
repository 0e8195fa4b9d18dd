"""The drawings of the page about a corpus, in the colours of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.data.prosody import Measure, list_effects
from ser.report.figures import ACCENT, INK, MUTED, RULE, SERIES, SETTINGS, WIDTH, render_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Emotions beyond the six colours of the page: these are readable on light and dark paper.
COLOURS = (*SERIES, "#d64550", "#7a9a01", "#8c6bd1", "#b0875b", "#3aa6a6", "#9a9a9a")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")


def draw_measure(clips: pd.DataFrame, normalised: np.ndarray, effects: pd.DataFrame, measure: Measure) -> str:
    """Three panels: boxes of the raw values, of the speaker-normalised ones, and effect sizes with their intervals.

    Args:
        clips: with ``emotion`` and the measure's column.
        normalised: the column, standardised within speakers [N].
        effects: rows of :func:`ser.data.prosody.measure_effects` for this measure.
        measure: which.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    emotions = sorted(clips["emotion"].unique())
    inches = 0.29 * len(emotions) + 0.95
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": f"measure {measure.column}"}):
        figure = Figure(figsize=(WIDTH, inches))
        panels = figure.subplots(1, 3, sharey=True, gridspec_kw={"width_ratios": [1.15, 1, 1]})
        unit = f" ({measure.unit})" if measure.unit else ""
        _draw_boxes(panels[0], clips[measure.column], clips["emotion"], emotions)
        _draw_boxes(panels[1], pd.Series(normalised, index=clips.index), clips["emotion"], emotions, zero=True)
        _draw_effects(panels[2], effects, emotions)
        titles = (f"{measure.title}{unit}", "within speaker (z)", f"d against {_name(effects)}")
        for axes, title in zip(panels, titles, strict=True):
            axes.set_title(title, loc="left", size=10, weight="bold")
            axes.grid(axis="x", alpha=0.6)
            axes.set_axisbelow(True)
            axes.spines[["right", "top", "left"]].set_visible(False)
            axes.tick_params(length=0)
        panels[0].set_yticks(range(len(emotions)), emotions, color=INK)
        panels[0].set_ylim(len(emotions) - 0.4, -0.6)
        figure.subplots_adjust(left=0.1, right=0.99, top=1 - 0.4 / inches, bottom=0.35 / inches, wspace=0.08)
        return render_svg(figure, f"{measure.title} by emotion: raw, within speakers, and effect sizes")


def draw_projections(
    panels: Sequence[tuple[str, np.ndarray, np.ndarray]], emotions: Sequence[str], speakers: Sequence[str]
) -> str:
    """Scatter plots side by side: colour is the emotion; the marker is the speaker, where there are twelve at most.

    Args:
        panels: title, scores [N, 2] and shares of variance [2] of each.
        emotions: of each point.
        speakers: of each point.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    levels, voices = sorted(set(emotions)), sorted(set(speakers))
    marked = len(voices) <= len(MARKERS)
    marks = dict(zip(voices, MARKERS, strict=False)) if marked else {}
    colours = {emotion: COLOURS[i % len(COLOURS)] for i, emotion in enumerate(levels)}
    rows = math.ceil(len(levels) / 8) + (math.ceil(len(voices) / 12) if marked else 0)
    inches = 4.7 + 0.26 * rows
    size = 5.0 if len(emotions) <= 700 else 3.4
    table = pd.DataFrame({"emotion": emotions, "speaker": speakers})
    groups: list[Any] = list(table.groupby(["emotion", "speaker"]).indices.items())
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": "projections"}):
        figure = Figure(figsize=(WIDTH, inches))
        for axes, (title, scores, shares) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            for (emotion, speaker), rows_of in groups:
                x, y = scores[rows_of].T
                mark = marks.get(speaker, "o")
                axes.plot(x, y, mark, color=colours[emotion], markersize=size, alpha=0.7, mew=0)
            axes.set_title(title, loc="left", size=10, weight="bold")
            axes.set_xlabel(f"component 1 ({shares[0]:.0%} of the variance)")
            axes.set_ylabel(f"component 2 ({shares[1]:.0%})")
            axes.spines[["right", "top"]].set_visible(False)
            axes.tick_params(length=0)
            axes.grid(alpha=0.5)
            axes.set_axisbelow(True)

        def make_key(colour: str, mark: str) -> Line2D:
            return Line2D([], [], linestyle="", marker=mark, color=colour, markersize=6, mew=0)

        place: dict[str, Any] = {"loc": "lower center", "frameon": False, "handletextpad": 0.1, "columnspacing": 1.1}
        keys = [make_key(colours[emotion], "o") for emotion in levels]
        bottom = 0.26 * math.ceil(len(voices) / 12) / inches if marked else 0.0
        figure.legend(keys, levels, ncols=min(8, len(levels)), bbox_to_anchor=(0.5, bottom), **place)
        if marked:
            keys = [make_key(MUTED, marks[voice]) for voice in voices]
            figure.legend(keys, voices, ncols=min(12, len(voices)), bbox_to_anchor=(0.5, 0), **place)
        figure.subplots_adjust(
            left=0.06, right=0.99, top=1 - 0.3 / inches, bottom=(0.65 + 0.26 * rows) / inches, wspace=0.16
        )
        return render_svg(figure, "principal components of the features, coloured by emotion")


def _draw_boxes(axes: Axes, values: pd.Series, emotion: pd.Series, emotions: Sequence[str], zero: bool = False) -> None:
    if zero:
        axes.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (3, 2)))
    groups = [values[(emotion == name) & values.notna()].to_numpy() for name in emotions]
    axes.boxplot(
        groups,
        positions=range(len(emotions)),
        orientation="horizontal",
        widths=0.6,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": RULE, "edgecolor": MUTED, "linewidth": 0.9},
        medianprops={"color": ACCENT, "linewidth": 2.2},
        whiskerprops={"color": MUTED, "linewidth": 0.9},
        capprops={"linewidth": 0},
        flierprops={"marker": "o", "markersize": 2.2, "markerfacecolor": MUTED, "markeredgewidth": 0, "alpha": 0.5},
    )


def _draw_effects(axes: Axes, effects: pd.DataFrame, emotions: Sequence[str]) -> None:
    axes.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (3, 2)))
    for emotion, d, low, high in list_effects(effects):
        y = emotions.index(emotion)
        axes.hlines(y, low, high, colors=ACCENT, linewidth=1.8)
        filled = math.isfinite(low)
        face, edge = (ACCENT, 0.0) if filled else ("none", 1.2)
        axes.plot([d], [y], "o", color=ACCENT, markerfacecolor=face, markersize=6, mew=edge)


def _name(effects: pd.DataFrame) -> str:
    reference = str(effects["reference"].iloc[0]) if len(effects) else "others"
    return "own other clips" if reference == "others" else f"own {reference}"
