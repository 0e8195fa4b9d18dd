"""How training went, for what was trained by epochs."""

from __future__ import annotations

from ser.judge import TITLES
from ser.report.blocks import Figure, Section
from ser.report.collect import Sweep
from ser.report.figures import SERIES, draw_curves
from ser.report.summarise import average_curves, group_runs, rank_runs


def build_curves(sweep: Sweep) -> Section | None:
    """Mean and range of training loss and validation score; nothing if no run was trained by epochs."""
    figures = [figure for part in sweep.parts for figure in show_curves(part)]
    return Section("curves", "Training curves", figures) if figures else None


def show_curves(part: Sweep) -> list[Figure]:
    """As many figures as it takes to tell the lines of each apart."""
    score = f"val/{part.headline}"
    titles = {"train/loss": "training loss", score: f"validation {TITLES[part.headline]}"}
    curves = average_curves(part, list(titles))
    trained = set(curves["configuration"])
    ranked = [name for name in (*rank_runs(part), *group_runs(part)) if name in trained]
    names = list(dict.fromkeys(ranked))
    panels = [(metric, title) for metric, title in titles.items() if metric in set(curves["metric"])]
    caption = (
        "Line: mean over the runs and folds still training at that epoch; band: their lowest to highest. Late epochs "
        "are means of the few that stopped late."
    )
    figures = []
    for start in range(0, len(names), len(SERIES)):
        some = names[start : start + len(SERIES)]
        figures.append(Figure(draw_curves(curves, panels, some, f"Training curves of {', '.join(some)}"), caption))
        caption = "The same for further configurations, on the same axes."
    return figures
