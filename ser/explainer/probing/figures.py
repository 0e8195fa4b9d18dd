"""Figures of probes: what is encoded against controls, the curves over dimensions, encoded against used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.report.figures import shorten
from ser.statistics.figures.style import MARKERS, PRINT, Palette, finish_axes, render_files, use_palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Rows of a figure of targets, at most; the best probed of each cluster are shown.
MOST = 40
#: R2 below this is drawn at this.
FLOOR = -0.3
#: Points that are named, of the most used.
NAMED = 12


def write_figures(folder: Path, tables: Mapping[str, pd.DataFrame], emotions: Sequence[str]) -> list[Path]:
    """Write what there is data for, as PNG and SVG.

    Args:
        folder: made if need be.
        tables: of :class:`ser.explainer.probing.probing.Probing`.
        emotions: the classes.
    """
    probes = tables["probes"]
    one = probes[probes["layer"].isna()] if probes["layer"].isna().all() else pick_layer(probes)
    drawings: list[tuple[str, Callable[[], Figure | None]]] = [("encoded", lambda: draw_encoded(one, PRINT))]
    if "used_direction_z" in probes and probes["used_direction_z"].notna().any():
        own = probes[probes["used_direction_z"].notna()]
        drawings.append(("used", lambda: draw_used(own, PRINT)))
    if "curves" in tables:
        curves = keep_layer(tables["curves"], one["layer"].iloc[0])
        top = keep_layer(tables["top"], one["layer"].iloc[0])
        drawings += [
            ("curves", lambda: draw_curves(curves, ["all", *emotions], PRINT)),
            ("top", lambda: draw_top(top, emotions, PRINT)),
        ]
    if len(set(probes["layer"].dropna())) > 1:
        drawings.append(("layers", lambda: draw_layers(probes, PRINT)))
    return write_drawings(folder, drawings)


def write_drawings(folder: Path, drawings: Sequence[tuple[str, Callable[[], Figure | None]]]) -> list[Path]:
    """Draw and write figures; those that are ``None`` are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in drawings:
        with use_palette(PRINT, name):
            figure = draw()
            for suffix, content in render_files(figure).items() if figure is not None else ():
                (folder / f"{name}{suffix}").write_bytes(content)
                written.append(folder / f"{name}{suffix}")
    return written


def pick_layer(probes: pd.DataFrame) -> pd.DataFrame:
    """Rows of the layer that the head reads, else of the one that is probed best."""
    if "used_direction_z" in probes and probes["used_direction_z"].notna().any():
        number = probes.loc[probes["used_direction_z"].notna(), "layer"].iloc[0]
    else:
        number = probes.groupby("layer")["r2"].mean().idxmax()
    return probes[probes["layer"] == number]


def keep_layer(table: pd.DataFrame, number: float | None) -> pd.DataFrame:
    """Rows of a layer; of functionals, which have none."""
    return table[table["layer"].isna()] if pd.isna(number) else table[table["layer"] == number]


def draw_encoded(probes: pd.DataFrame, palette: Palette) -> Figure:
    """R2 of targets with interval beside what controls reach; targets of a group together, one of each cluster."""
    from matplotlib.figure import Figure

    rows = choose_rows(probes)
    figure = Figure(figsize=(10, 1.6 + 0.22 * len(rows)), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(rows))[::-1]
    value = rows["r2"].clip(lower=FLOOR)
    span = np.abs([value - rows["r2_low"].clip(lower=FLOOR), rows["r2_high"].clip(lower=FLOOR) - value])
    axes.errorbar(value, place, xerr=span, fmt="o", color=palette.accent, markersize=5, elinewidth=1.5, label="R²")
    axes.plot(
        rows["within_r2"].clip(lower=FLOOR),
        place,
        "D",
        color=palette.series[1],
        markersize=4,
        label="within class and speaker",
    )
    controls = {
        "r2_permuted": "permuted within both",
        "r2_untrained": "untrained network",
        "r2_logmel": "log-mel mean and SD",
    }
    for number, (name, label) in enumerate(controls.items()):
        if name in rows:
            axes.plot(
                rows[name].clip(lower=FLOOR),
                place,
                ("|", "x", "+")[number],
                color=palette.muted,
                markersize=7,
                label=label,
            )
    axes.axvline(0, color=palette.ink, linewidth=0.8)
    axes.set_yticks(place, [shorten(f"{name}", 44) for name in rows["target"]], size=8)
    for tick, group in zip(axes.get_yticklabels(), rows["group"], strict=True):
        tick.set_color(palette.series[sorted(set(rows["group"])).index(group) % len(palette.series)])
    axes.set_ylim(-1, len(rows))
    axes.set_xlabel("R² on held-out speakers, against the training mean")
    finish_axes(axes, "x")
    figure.legend(loc="outside upper center", ncols=5, frameon=False, fontsize=8.5)
    return figure


def choose_rows(probes: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """Medoids of clusters, group by group, the best probed first; with more than there is room for, the best."""
    rows = probes[probes["target"] == probes["medoid"]].sort_values("r2", ascending=False).head(most)
    return rows.sort_values(["group", "r2"], ascending=[True, False])


def draw_curves(curves: pd.DataFrame, names: Sequence[str], palette: Palette) -> Figure:
    """UAR (above) and mean R2 (below) over the number of dimensions; random ones as a band."""
    from matplotlib.figure import Figure

    names = [name for name in names if name in set(curves["emotion"])]
    figure = Figure(figsize=(2.1 * max(len(names), 3) + 0.6, 5.4), layout="constrained")
    grid = figure.subplots(2, len(names), squeeze=False, sharex=True, sharey="row")
    for column, name in enumerate(names):
        own = curves[curves["emotion"] == name]
        for row, measure in enumerate(("uar", "r2")):
            draw_curve(grid[row, column], own, measure, palette)
        grid[0, column].axhline(
            1 / (len(names) - 1) if name == "all" else 0.5, color=palette.muted, linewidth=0.8, linestyle=":"
        )
        grid[1, column].axhline(0, color=palette.muted, linewidth=0.8, linestyle=":")
        grid[0, column].set_title("all classes" if name == "all" else f"{name} or not", loc="left", size=9.5)
        grid[1, column].set_xlabel("dimensions")
    grid[0, 0].set_ylabel("UAR")
    grid[1, 0].set_ylabel("mean R² of probes")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False)
    return figure


def draw_curve(axes: Axes, rows: pd.DataFrame, measure: str, palette: Palette) -> None:
    """One measure: random dimensions as a band of 95 % of the draws, the other arms with intervals over speakers."""
    band = rows[rows["arm"] == "random"].sort_values("dims")
    if len(band):
        axes.fill_between(
            band["dims"],
            band[f"{measure}_low"].clip(lower=FLOOR),
            band[f"{measure}_high"],
            color=palette.rule,
            label="random k, 95 % of draws",
            linewidth=0,
        )
    whole = rows[rows["dims"] == rows["dims"].max()]
    for number, (arm, label) in enumerate((("top", "top k"), ("bottom", "bottom k"), ("rest", "all but top k"))):
        own = rows[rows["arm"] == arm]
        own = (own if arm != "bottom" else pd.concat([own, whole])).sort_values("dims")
        value = own[measure].clip(lower=FLOOR)
        colour = palette.series[number]
        axes.plot(own["dims"], value, color=colour, marker=MARKERS[number], markersize=3.5, linewidth=1.3, label=label)
        if arm == "top":
            low, high = own[f"{measure}_low"].clip(lower=FLOOR), own[f"{measure}_high"].clip(lower=FLOOR)
            axes.vlines(own["dims"], low, high, color=colour, linewidth=0.9, alpha=0.6)
    axes.set_xscale("log", base=2)
    ticks = sorted(set(rows["dims"]))[:: 2 if rows["dims"].nunique() > 5 else 1]
    axes.set_xticks(ticks, [str(tick) for tick in ticks], size=8)
    axes.minorticks_off()
    finish_axes(axes)


def draw_used(probes: pd.DataFrame, palette: Palette) -> Figure:
    """Encoded (within class and speaker) against used, by direction and by erasure; planted cues are named."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    groups = sorted(set(probes["group"]))
    planted = probes["target"].str.startswith("cue_")
    named = (
        probes[planted]
        if planted.any()
        else probes[(probes["target"] == probes["medoid"]) & probes["used"]].nlargest(5, "within_r2")
    )
    sides = (
        ("used_direction_z", "used: margins along the direction, z"),
        ("used_erasure_z", "used: margin lost by erasure, z"),
    )
    for axes, (name, label) in zip(figure.subplots(1, 2), sides, strict=True):
        for number, group in enumerate(groups):
            own = probes[probes["group"] == group]
            axes.plot(
                own["within_r2"].clip(lower=FLOOR),
                own[name],
                MARKERS[number % len(MARKERS)],
                color=palette.series[number % len(palette.series)],
                markersize=4.5,
                alpha=0.75,
                label=group,
            )
        for _, row in named.nlargest(NAMED, name).iterrows():
            right = row["within_r2"] > 0.6 * probes["within_r2"].max()
            axes.annotate(
                shorten(row["target"].removeprefix("cue_").split("_sma3")[0], 24),
                (max(row["within_r2"], FLOOR), row[name]),
                xytext=(-5 if right else 5, 0),
                ha="right" if right else "left",
                va="center",
                textcoords="offset points",
                size=7.5,
            )
        axes.axhline(0, color=palette.muted, linewidth=0.8)
        axes.axvline(0, color=palette.muted, linewidth=0.8)
        axes.set_xlabel("encoded: R² within class and speaker")
        axes.set_ylabel(label)
        finish_axes(axes, "both")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)
    return figure


def draw_top(top: pd.DataFrame, emotions: Sequence[str], palette: Palette) -> Figure:
    """R2 of the dimensions that matter to a class against as many random ones, target by target."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.4 * max(len(emotions), 3) + 0.4, 3.2), layout="constrained")
    groups = sorted(set(top["group"]))
    for axes, name in zip(
        figure.subplots(1, len(emotions), sharex=True, sharey=True, squeeze=False)[0], emotions, strict=True
    ):
        own = top[top["emotion"] == name]
        for number, group in enumerate(groups):
            rows = own[own["group"] == group]
            axes.plot(
                rows["r2_random"].clip(lower=FLOOR),
                rows["r2_top"].clip(lower=FLOOR),
                MARKERS[number % len(MARKERS)],
                color=palette.series[number % len(palette.series)],
                markersize=4,
                alpha=0.75,
                label=group,
            )
        axes.axline((0, 0), slope=1, color=palette.muted, linewidth=0.8)
        axes.set_title(f"{name}, {own['dims'].iloc[0]:.0f} dimensions", loc="left", size=9.5)
        axes.set_xlabel("R², random dimensions")
        finish_axes(axes, "both")
    figure.axes[0].set_ylabel("R², top dimensions")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)
    return figure


def draw_layers(probes: pd.DataFrame, palette: Palette) -> Figure:
    """Mean R2 by layer for each group: of the network, within class and speaker, and of an untrained one."""
    from matplotlib.figure import Figure

    groups = sorted(set(probes["group"]))
    figure = Figure(figsize=(2.4 * max(len(groups), 3) + 0.4, 3.2), layout="constrained")
    kinds = {"r2": "R²", "within_r2": "within class and speaker", "r2_untrained": "untrained", "r2_logmel": "log-mel"}
    for axes, group in zip(figure.subplots(1, len(groups), sharey=True, squeeze=False)[0], groups, strict=True):
        means = probes[probes["group"] == group].groupby("layer").mean(numeric_only=True)
        for number, (name, label) in enumerate(kinds.items()):
            if name in means:
                axes.plot(
                    means.index,
                    means[name].clip(lower=FLOOR),
                    marker=MARKERS[number],
                    color=palette.series[number],
                    markersize=4,
                    linewidth=1.3,
                    label=label,
                )
        axes.axhline(0, color=palette.muted, linewidth=0.8)
        axes.set_title(group, loc="left", size=9.5)
        axes.set_xticks(list(means.index)[:: max(1, len(means) // 7)])
        axes.set_xlabel("layer")
        finish_axes(axes)
    figure.axes[0].set_ylabel("mean R²")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure
