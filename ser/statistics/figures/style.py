"""How figures look: the page's own colours for drawings inside a page, fixed ones on white paper for files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ser.judge import TITLES
from ser.report.figures import ACCENT, INK, MUTED, RULE, SERIES, SETTINGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P")
RESOLUTION = 200


@dataclass(frozen=True)
class Palette:
    """Colours; the series can be told apart without colour vision (Okabe and Ito's, darkened for thin lines)."""

    ink: str
    muted: str
    rule: str
    accent: str
    series: Sequence[str]


#: Replaced by CSS variables when the drawing enters a page.
PAGE = Palette(INK, MUTED, RULE, ACCENT, SERIES)
#: Of files.
PRINT = Palette(
    ink="#1c1e21",
    muted="#5d636b",
    rule="#d5d9de",
    accent="#1f5f99",
    series=("#0072b2", "#c94f00", "#00805d", "#a8467e", "#8a6d00", "#3d4148"),
)


@contextmanager
def use_palette(palette: Palette, name: str) -> Iterator[None]:
    """Draw and save with these colours; ``name`` makes the ids in the SVG the same in every run."""
    import matplotlib as mpl

    colours = {INK: palette.ink, MUTED: palette.muted, RULE: palette.rule}
    settings: dict[Any, Any] = {
        key: colours.get(value, value) for key, value in SETTINGS.items() if key != "text.parse_math"
    }
    settings |= {"text.parse_math": False, "svg.hashsalt": name}
    if palette is PRINT:
        settings["svg.fonttype"] = "path"  # looks the same wherever the file goes
    with mpl.rc_context(settings):
        yield


def render_files(figure: Figure) -> dict[str, bytes]:
    """The figure as PNG and SVG on white, by suffix; the same bytes for the same data."""
    options: dict[str, dict[str, Any]] = {
        ".png": {"dpi": RESOLUTION, "metadata": {"Software": None}},
        ".svg": {"metadata": {"Date": None}},
    }
    files = {}
    for suffix, more in options.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix[1:], facecolor="white", **more)
        files[suffix] = buffer.getvalue()
    return files


def finish_axes(axes: Axes, grid: str = "y") -> None:
    """Two spines, a grid behind the data, no ticks."""
    axes.grid(axis=grid, alpha=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)
    axes.tick_params(length=0)


def find_response(statistics: Mapping[str, Any]) -> str:
    """Column of the rows that was analysed; "" where nothing was."""
    return str((statistics.get("design") or {}).get("response") or "")


def name_score(statistics: Mapping[str, Any]) -> str:
    """What was analysed, as an axis names it."""
    response = find_response(statistics)
    return TITLES.get(response, response)
