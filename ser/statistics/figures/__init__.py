"""Figures of the statistics: drawings for a page, and PNG and SVG files for a paper.

Every module draws one figure from the results (``statistics.json``) and the rows they come from, or none where they do
not have it. matplotlib is imported when something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.report.figures import render_svg
from ser.statistics.figures.components import draw_components
from ser.statistics.figures.contrasts import draw_contrasts
from ser.statistics.figures.means import draw_means
from ser.statistics.figures.ranks import draw_ranks
from ser.statistics.figures.residuals import draw_residuals
from ser.statistics.figures.speakers import draw_speakers
from ser.statistics.figures.style import PAGE, PRINT, Palette, render_files, use_palette
from ser.statistics.records import to_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_figures", "write_figures"]

#: Each with its file name and what it shows, for those who cannot see it.
DRAWN: tuple[tuple[str, str, Callable[[Mapping[str, Any], pd.DataFrame, Palette], Figure | None]], ...] = (
    ("means", "Estimated marginal means with intervals", draw_means),
    ("contrasts", "Differences of means with intervals", draw_contrasts),
    ("speakers", "Differences on each test speaker", draw_speakers),
    ("components", "Shares of the random variance", draw_components),
    ("ranks", "Mean ranks of models over data sets", draw_ranks),
    ("residuals", "Residuals of the primary model", draw_residuals),
)


def draw_figures(statistics: Mapping[str, Any], rows: pd.DataFrame | None = None) -> dict[str, str]:
    """Inline SVG of every figure there is, by name, in the colours of the page (light and dark)."""
    return {name: render_svg(figure, label) for name, label, figure in _draw_each(statistics, rows, PAGE)}


def write_figures(folder: Path, statistics: Mapping[str, Any], rows: pd.DataFrame | None = None) -> list[Path]:
    """Write ``figures/<name>.png`` (200 dpi) and ``.svg`` into a folder; those of an earlier analysis go."""
    place = Path(folder) / "figures"
    place.mkdir(parents=True, exist_ok=True)
    for old in (place / f"{name}{suffix}" for name, _, _ in DRAWN for suffix in (".png", ".svg")):
        old.unlink(missing_ok=True)
    written = []
    for name, _, figure in _draw_each(statistics, rows, PRINT):
        for suffix, content in render_files(figure).items():
            (place / f"{name}{suffix}").write_bytes(content)
            written.append(place / f"{name}{suffix}")
    return written


def _draw_each(
    statistics: Mapping[str, Any], rows: pd.DataFrame | None, palette: Palette
) -> Iterator[tuple[str, str, Figure]]:
    """Figures one by one, each to be saved before the next is asked for."""
    known, rows = to_json(dict(statistics)), pd.DataFrame() if rows is None else rows
    for name, label, draw in DRAWN:
        with use_palette(palette, name):
            figure = draw(known, rows, palette)
            if figure is not None:
                yield name, label, figure
