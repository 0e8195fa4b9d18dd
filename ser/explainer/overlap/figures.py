"""Figures of overlap: its course over layers, maps of class by class, clips on principal components in 2-D and 3-D."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.explainer.heatmap import draw_map
from ser.explainer.overlap.measures import AXES, GAUSSIAN, INTERVAL, NEIGHBOURS, PURITY
from ser.explainer.overlap.places import Place, Points, rank_layer
from ser.explainer.overlap.space import Space
from ser.explainer.probing.figures import write_drawings
from ser.statistics.figures.style import MARKERS, PRINT, Palette, finish_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {
    INTERVAL: "intervals on three components",
    GAUSSIAN: "Bhattacharyya coefficient",
    NEIGHBOURS: "share of nearest neighbours",
    PURITY: "purity of neighbours",
}
#: Panels side by side.
COLUMNS = 5


@dataclass(frozen=True, eq=False)
class Cloud:
    """Held-out clips of the first division on three principal components of other speakers' clips.

    Attributes:
        layer: by name.
        scores: [N, 3]; fewer columns where a layer has fewer dimensions.
        classes: names [N].
        shares: of the variance [3].
        among: which clips they are, in words.
    """

    layer: str
    scores: np.ndarray
    classes: np.ndarray
    shares: np.ndarray
    among: str

    @classmethod
    def look(cls, points: Points, place: Place) -> Cloud:
        """At one layer."""
        one, vectors = points.divisions[0], place.vectors[0]
        space = Space.fit(vectors[one.fit], AXES)
        names = np.array(points.emotions)[points.classes[one.held]]
        among = f"fold {one.name}" if points.by_fold else "half of the speakers"
        return cls(place.name, space.turn(vectors[one.held]) * space.widths, names, space.shares, among)


def write_figures(
    folder: Path, cells: pd.DataFrame, course: pd.DataFrame, runs: pd.DataFrame, clouds: Sequence[Cloud]
) -> list[Path]:
    """Write all figures, as PNG and SVG.

    Args:
        folder: made if need be.
        cells: every pair of classes, of one run.
        course: means by layer, of all runs.
        runs: their means over runs.
        clouds: of every layer.
    """
    drawings: list[tuple[str, Callable[[], Figure | None]]] = [("course", lambda: draw_course(course, runs, PRINT))]
    for measure in (INTERVAL, GAUSSIAN, NEIGHBOURS):
        drawings.append((measure, lambda measure=measure: draw_cells(cells, measure)))  # type: ignore[misc]
    drawings += [
        ("pca_2d", lambda: draw_clouds(clouds, PRINT, deep=False)),
        ("pca_3d", lambda: draw_clouds(clouds, PRINT, deep=True)),
    ]
    return write_drawings(folder, drawings)


def draw_course(course: pd.DataFrame, runs: pd.DataFrame, palette: Palette) -> Figure:
    """Mean overlap over layers by model, a panel a measure; with several runs of a model, their mean and interval."""
    from matplotlib.figure import Figure

    shown = (INTERVAL, GAUSSIAN, PURITY)
    layers = sorted(set(course["layer"]), key=rank_layer)
    figure = Figure(figsize=(3.4 * len(shown), 3.4), layout="constrained")
    for axes, measure in zip(figure.subplots(1, len(shown), sharex=True), shown, strict=True):
        for number, (model, own) in enumerate(course[course["measure"] == measure].groupby("model", sort=False)):
            single = len(set(own["run"])) == 1
            rows = own if single else runs[(runs["model"] == model) & (runs["measure"] == measure)]
            colour = palette.series[number % len(palette.series)]
            for _, each in own.groupby("run") if not single else ():
                axes.plot(place_layers(each, layers), each["value"], color=colour, linewidth=0.7, alpha=0.5)
            rows = rows.sort_values("layer", key=lambda names: names.map(layers.index))
            draw_line(axes, rows, layers, colour, MARKERS[number % len(MARKERS)], str(model))
            draw_chance(axes, rows, layers, colour, "" if number else "labels permuted")
        axes.set_title(TITLES[measure], loc="left", size=9.5)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xticks(range(len(layers)), [shorten_layer(name) for name in layers], size=8)
        for text in axes.get_xticklabels():
            text.set_rotation(90 if len(text.get_text()) > 3 else 0)
        finish_axes(axes)
    figure.axes[0].set_ylabel("mean over pairs of classes")
    figure.axes[2].set_ylabel("mean over classes")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=8.5)
    return figure


def draw_line(axes: Axes, rows: pd.DataFrame, layers: Sequence[str], colour: str, marker: str, label: str) -> None:
    """Values with intervals."""
    place = place_layers(rows, layers)
    span = np.abs([rows["value"] - rows["low"], rows["high"] - rows["value"]])
    options: dict[str, Any] = {"marker": marker, "markersize": 4.5, "linewidth": 1.4, "elinewidth": 0.9}
    axes.errorbar(place, rows["value"], yerr=span, color=colour, label=label, **options)


def draw_chance(axes: Axes, rows: pd.DataFrame, layers: Sequence[str], colour: str, label: str) -> None:
    """What permuted labels give, as a dotted line; of a lone layer as a dash."""
    marker = "_" if len(rows) == 1 else ""
    place = place_layers(rows, layers)
    axes.plot(place, rows["chance"], color=colour, linewidth=1, linestyle=":", marker=marker, markersize=9, label=label)


def place_layers(rows: pd.DataFrame, layers: Sequence[str]) -> list[int]:
    """Place of each row's layer on the axis."""
    return [layers.index(name) for name in rows["layer"]]


def shorten_layer(name: str) -> str:
    """A hidden state's number alone."""
    return name.removeprefix("layer ")


def draw_cells(cells: pd.DataFrame, measure: str) -> Figure:
    """Class by class, a panel a layer."""
    from matplotlib.figure import Figure

    own = cells[cells["measure"] == measure]
    layers = sorted(set(own["layer"]), key=rank_layer)
    emotions = list(dict.fromkeys(own["emotion"]))
    columns, lines = min(COLUMNS, len(layers)), -(-len(layers) // COLUMNS)
    side = max(1.9, 0.36 * len(emotions) + 0.7)
    figure = Figure(figsize=(side * columns + 0.8, (side + 0.3) * lines + 0.6), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False)
    for number, axes in enumerate(panels.flat):
        if number >= len(layers):
            axes.set_visible(False)
            continue
        rows = own[own["layer"] == layers[number]]  # class by class, in order
        draw_map(axes, rows["value"].to_numpy().reshape(len(emotions), -1), emotions, emotions)
        axes.set_title(layers[number], loc="left", size=9.5)
        if number % columns:
            axes.set_yticks([])
        if number + columns < len(layers):
            axes.set_xticks([])
    figure.suptitle(TITLES[measure], size=10)
    return figure


def draw_clouds(clouds: Sequence[Cloud], palette: Palette, deep: bool) -> Figure | None:
    """Clips on two or three principal components, a panel a layer, classes by colour and marker."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    shown = [cloud for cloud in clouds if cloud.scores.shape[1] >= (AXES if deep else 2)]
    if not shown:
        return None
    columns, lines = min(COLUMNS, len(shown)), -(-len(shown) // COLUMNS)
    side = 2.7 if deep else 2.3
    figure = Figure(figsize=(side * columns + 0.4, side * lines + 0.7), layout=ConstrainedLayoutEngine(w_pad=0.08))
    kind: Any = {"projection": "3d"} if deep else {}
    panels = figure.subplots(lines, columns, squeeze=False, subplot_kw=kind)
    for number, axes in enumerate(panels.flat):
        if number >= len(shown):
            axes.set_visible(False)
            continue
        draw_cloud(axes, shown[number], sorted(set(clouds[0].classes)), palette, deep)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=8, frameon=False, markerscale=1.6)
    figure.supxlabel(f"held-out clips ({shown[0].among}) on principal components of other speakers' clips", size=8.5)
    return figure


def draw_cloud(axes: Any, cloud: Cloud, emotions: Sequence[str], palette: Palette, deep: bool) -> None:
    """One layer."""
    for number, emotion in enumerate(emotions):
        own = cloud.scores[cloud.classes == emotion][:, : AXES if deep else 2]
        turn, place = divmod(number, len(palette.series))  # a colour that comes again has another marker
        style = {"marker": MARKERS[(place + turn) % len(MARKERS)], "color": palette.series[place]}
        axes.scatter(*own.T, s=9, alpha=0.75, linewidths=0, label=emotion, **style)
    axes.set_title(cloud.layer, loc="left", size=9.5)
    names = [f"PC {place + 1} ({share:.0%})" for place, share in enumerate(cloud.shares)]
    axes.set_xlabel(names[0], size=8, labelpad=-8 if deep else 2)
    axes.set_ylabel(names[1], size=8, labelpad=-8 if deep else 2)
    axes.set_xticks([])
    axes.set_yticks([])
    if deep:
        axes.set_zlabel(names[2], size=8, labelpad=-8)
        axes.set_zticks([])
        axes.set_box_aspect(None, zoom=0.82)  # else the third label lies outside the panel
    else:
        finish_axes(axes, "both")
