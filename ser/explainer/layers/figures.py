"""Figures of layers: curves over layers, maps of layer by layer, layer by checkpoint and checkpoint by checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.explainer.heatmap import draw_map
from ser.explainer.layers.accumulate import MEASURES
from ser.explainer.layers.compare import Compared
from ser.explainer.layers.networks import PRETRAINED
from ser.explainer.layers.tables import (
    REFERENCE,
    find_reference,
    find_state,
    follow,
    has_reference,
    list_checkpoints,
    list_layers,
)
from ser.explainer.probing.figures import write_drawings
from ser.statistics.figures.style import MARKERS, PRINT, Palette, finish_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Layers of which there is a map of checkpoints by checkpoints, at most.
SHOWN = 6
#: How far the intervals of two lines are drawn apart, in layers.
APART = 0.06
#: What functionals are called in figures.
FUNCTIONALS = "eGeMAPS"


@dataclass(frozen=True)
class Line:
    """How a checkpoint of a run is drawn."""

    run: str
    checkpoint: str
    label: str
    colour: Any
    marker: str


def write_figures(folder: Path, found: Compared, probes: pd.DataFrame) -> list[Path]:
    """Write what there is data for, as PNG and SVG.

    Args:
        folder: made if need be.
        found: what was compared.
        probes: of :func:`ser.explainer.layers.probe.probe_run`, of all runs.
    """
    runs = list(dict.fromkeys(found.states["run"]))
    drawings: list[tuple[str, Callable[[], Figure | None]]] = [
        ("probes", lambda: draw_probes(probes, found, PRINT)),
        ("layers", lambda: draw_layers(found, runs)),
    ]
    if has_reference(found):
        drawings.append(("reference", lambda: draw_reference(found, PRINT)))
    checkpoints = list_checkpoints(found.states, runs[0])
    if len(checkpoints) > 1:
        drawings += [
            ("checkpoints", lambda: draw_checkpoints(found, probes, runs[0])),
            ("course", lambda: draw_course(found, runs[0])),
        ]
    return write_drawings(folder, drawings)


def list_lines(found: Compared, palette: Palette) -> Iterator[Line]:
    """Runs have colours of their own; the checkpoints of one that was fine-tuned go from grey to its colour."""
    from matplotlib.colors import LinearSegmentedColormap

    runs = list(dict.fromkeys(found.states["run"]))
    for place, run in enumerate(runs):
        colour, marker = palette.series[place % len(palette.series)], MARKERS[place % len(MARKERS)]
        fade = LinearSegmentedColormap.from_list("course", [palette.rule, colour])
        names = list_checkpoints(found.states, run)
        for number, name in enumerate(names):
            shade = colour if len(names) == 1 else fade(0.25 + 0.75 * number / (len(names) - 1))
            label = name if len(runs) == 1 else run if len(names) == 1 else f"{run}, {name}"
            yield Line(run, name, label, shade, marker)


def draw_probes(probes: pd.DataFrame, found: Compared, palette: Palette) -> Figure:
    """UAR over layers with intervals, functionals as a dashed line with a band, chance dotted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axes = figure.subplots()
    lines = list(list_lines(found, palette))
    for number, line in enumerate(lines):
        rows = probes[(probes["run"] == line.run) & (probes["checkpoint"] == line.checkpoint)].sort_values("layer")
        span = np.abs([rows["uar"] - rows["low"], rows["high"] - rows["uar"]])
        options: dict[str, Any] = {"marker": line.marker, "markersize": 4.5, "linewidth": 1.4, "elinewidth": 0.9}
        aside = APART * (number - (len(lines) - 1) / 2)
        axes.errorbar(rows["layer"] + aside, rows["uar"], yerr=span, color=line.colour, label=line.label, **options)
    base = probes[probes["checkpoint"] == REFERENCE].head(1)
    for row in base.to_dict("records"):
        axes.axhspan(row["low"], row["high"], color=palette.rule, alpha=0.4, linewidth=0)
        axes.axhline(row["uar"], color=palette.ink, linewidth=1, linestyle="--", label=FUNCTIONALS)
    axes.axhline(probes["chance"].iloc[0], color=palette.muted, linewidth=1, linestyle=":", label="chance")
    axes.set_xlabel("layer")
    axes.set_ylabel("UAR of a linear probe, held-out speakers")
    mark_layers(axes, probes["layer"].dropna())
    finish_axes(axes)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8.5)
    return figure


def draw_reference(found: Compared, palette: Palette) -> Figure:
    """Every measure against functionals over layers, a panel each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.3 * len(MEASURES) + 0.4, 3.2), layout="constrained")
    panels = figure.subplots(1, len(MEASURES), sharey=True)
    for axes, (measure, title) in zip(panels, MEASURES.items(), strict=True):
        for line in list_lines(found, palette):
            numbers, values, limits = follow(found, line.run, line.checkpoint, measure, REFERENCE)
            axes.plot(
                numbers, values, color=line.colour, marker=line.marker, markersize=4, linewidth=1.3, label=line.label
            )
            axes.vlines(numbers, *limits, color=line.colour, linewidth=0.9, alpha=0.7)
        axes.axhline(0, color=palette.muted, linewidth=0.8)
        axes.set_title(title, loc="left", size=9.5)
        axes.set_xlabel("layer")
        mark_layers(axes, found.states["layer"].dropna())
        finish_axes(axes)
    panels[0].set_ylabel(f"similarity to {FUNCTIONALS}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)
    return figure


def draw_layers(found: Compared, runs: Sequence[str]) -> Figure:
    """Layer by layer, the last checkpoint of each run and functionals, a panel a measure."""
    from matplotlib.figure import Figure

    places, names = [], []
    for run in runs:
        last = list_checkpoints(found.states, run)[-1]
        for layer in list_layers(found.states, run):
            places.append(find_state(found.states, run, last, layer))
            names.append(f"{layer:.0f}" if len(runs) == 1 else f"{run} {layer:.0f}")
    if has_reference(found):
        places.append(find_reference(found.states))
        names.append(FUNCTIONALS)
    side = max(2.6, min(5.0, 0.42 * len(places)))
    figure = Figure(figsize=(3 * side, 2 * side), layout="constrained")
    grid = figure.subplots(2, 3).flat
    for axes, (measure, title) in zip(grid, MEASURES.items(), strict=False):
        draw_map(axes, found.matrices[measure][np.ix_(places, places)], names, names)
        axes.set_title(title, loc="left", size=9.5)
    for axes in list(figure.axes)[len(MEASURES) :]:
        axes.set_visible(False)
    return figure


def draw_checkpoints(found: Compared, probes: pd.DataFrame, run: str) -> Figure:
    """Layer by checkpoint: UAR, and similarities to functionals and to the pretrained network's same layer."""
    from matplotlib.figure import Figure

    names, layers = list_checkpoints(found.states, run), list_layers(found.states, run)
    own = probes[(probes["run"] == run) & (probes["checkpoint"] != REFERENCE)]
    by_layer = own.set_index(["checkpoint", "layer"])["uar"]
    known = np.array([[by_layer[name, layer] for name in names] for layer in layers[::-1]])
    panels = [("UAR of a linear probe", known, (float(probes["chance"].iloc[0]), 1.0))]
    others = [(PRETRAINED, "to the same layer before training")] if names[0] == PRETRAINED else []
    others += [(REFERENCE, f"to {FUNCTIONALS}")] if has_reference(found) else []
    for other, title in others:
        for measure in ("cka_debiased", "rsa"):
            values = np.column_stack([follow(found, run, name, measure, other)[1] for name in names])[::-1]
            panels.append((f"{MEASURES[measure]}\n{title}", values, (0.0, 1.0)))
    width = max(2.4, 0.45 * len(names))
    figure = Figure(figsize=(width * len(panels), max(2.6, 0.3 * len(layers) + 1.2)), layout="constrained")
    for axes, (title, values, limits) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw_map(axes, values, [f"{layer:.0f}" for layer in layers[::-1]], names, limits)
        axes.set_title(title, loc="left", size=9)
    figure.axes[0].set_ylabel("layer")
    return figure


def draw_course(found: Compared, run: str) -> Figure:
    """Checkpoint by checkpoint, a panel a layer: debiased CKA of the layer with itself at other times."""
    from matplotlib.figure import Figure

    names, layers = list_checkpoints(found.states, run), list_layers(found.states, run)
    chosen = [layers[place] for place in np.unique(np.linspace(0, len(layers) - 1, SHOWN).round().astype(int))]
    side = max(2.4, 0.45 * len(names))
    figure = Figure(figsize=(side * len(chosen), side + 0.6), layout="constrained")
    for axes, layer in zip(figure.subplots(1, len(chosen), squeeze=False)[0], chosen, strict=True):
        places = [find_state(found.states, run, name, layer) for name in names]
        draw_map(axes, found.matrices["cka_debiased"][np.ix_(places, places)], names, names)
        axes.set_title(f"layer {layer:.0f}", loc="left", size=9.5)
        if axes is not figure.axes[0]:
            axes.set_yticks([])
    return figure


def mark_layers(axes: Axes, numbers: pd.Series) -> None:
    """Whole numbers on the axis."""
    known = sorted(set(numbers))
    axes.set_xticks(known[:: max(1, len(known) // 13)])
