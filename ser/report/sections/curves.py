"""How training went, for what was trained by epochs."""

from __future__ import annotations

from ser.report.blocks import Figure, Section
from ser.report.collect import Sweep
from ser.report.figures import SERIES, draw_curves
from ser.report.summarise import average_curves, group_runs, rank_runs

TITLES = {"train/loss": "training loss", "val/uar": "validation UAR"}


def build_curves(sweep: Sweep) -> Section | None:
    """Mean and range of training loss and validation UAR; nothing if no run was trained by epochs."""
    curves = average_curves(sweep)
    if curves.empty:
        return None
    trained = set(curves["configuration"])
    ranked = [name for name in (*rank_runs(sweep), *group_runs(sweep)) if name in trained]
    names = list(dict.fromkeys(ranked))
    panels = [(metric, title) for metric, title in TITLES.items() if metric in set(curves["metric"])]
    caption = (
        "Line: mean over the runs and folds still training at that epoch; band: their lowest to highest. Late epochs "
        "are means of the few that stopped late."
    )
    figures = []
    for start in range(0, len(names), len(SERIES)):
        part = names[start : start + len(SERIES)]
        figures.append(Figure(draw_curves(curves, panels, part, f"Training curves of {', '.join(part)}"), caption))
        caption = "The same for further configurations, on the same axes."
    return Section("curves", "Training curves", figures)
