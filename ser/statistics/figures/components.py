"""Where the variance is: shares of the random terms of each mixed model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.report.figures import WIDTH, shorten
from ser.statistics.export.models import list_fits, name_fit
from ser.statistics.export.numbers import is_number, show_significant
from ser.statistics.figures.style import Palette, finish_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, HEAD = 0.3, 0.42  # inches: a bar, room above the bars of a model
#: Residual variance of a logistic model on the scale of its link.
LOGISTIC = 3.2898681336964524
MOST_FITS = 3


def draw_components(statistics: Mapping[str, Any], _: pd.DataFrame, palette: Palette) -> Figure | None:
    """Draw a bar a random intercept; a variance at its boundary is marked, not hidden."""
    from matplotlib.figure import Figure

    fits = [fit for fit in list_fits(statistics) if list_shares(fit)][:MOST_FITS]
    if not fits:
        return None
    sizes = [len(list_shares(fit)) for fit in fits]
    headed = len(fits) > 1
    inches = ROW * sum(sizes) + HEAD * headed * len(fits) + 0.6
    figure = Figure(figsize=(WIDTH, inches))
    names = [name for fit in fits for name, *_ in list_shares(fit)]
    left = min(3.4, 0.4 + 0.08 * max(len(shorten(name, 36)) for name in names))
    top = 0.05
    for fit, size in zip(fits, sizes, strict=True):
        top += HEAD * headed
        box = (left / WIDTH, 1 - (top + ROW * size) / inches, 1 - (left + 2.2) / WIDTH, ROW * size / inches)
        axes = figure.add_axes(box)
        _draw_bars(axes, list_shares(fit), palette)
        if headed:
            axes.set_title(
                shorten(name_fit(fit), 96), loc="left", size=9.5, weight="bold", x=-left / (WIDTH - left - 2.2)
            )
        axes.tick_params(axis="x", labelbottom=fit is fits[-1])
        top += ROW * size
    axes.set_xlabel("share of the random variance, %")
    return figure


def list_shares(fit: Mapping[str, Any]) -> list[tuple[str, float, float, bool]]:
    """Name, share of the variance, standard deviation and whether it is at its boundary, of each random intercept.

    Slopes are left out: their variance depends on the scale of their variable. A logit model's residual is that of the
    logistic distribution.
    """
    random = [row for row in fit.get("random") or [] if is_number(row.get("sd")) and not _is_slope(row)]
    rows = [(str(row["group"]), float(row["sd"]), bool(row.get("boundary"))) for row in random]
    if rows and fit.get("family") == "binomial":
        rows.append(("residual (logistic)", LOGISTIC**0.5, False))
    total = sum(sd**2 for _, sd, _ in rows)
    return [(name, sd**2 / total, sd, at_zero) for name, sd, at_zero in rows] if total else []


def _draw_bars(axes: Axes, shares: Sequence[tuple[str, float, float, bool]], palette: Palette) -> None:
    for place, (name, share, sd, at_zero) in enumerate(shares):
        colour = palette.muted if name.startswith("residual") else palette.accent
        axes.barh(place, 100 * share, color=colour, height=0.62, alpha=0.85)
        text = f"{100 * share:.1f} %, SD {show_significant(sd, 3)}"
        text = "0 (at its boundary)" if at_zero else text
        axes.text(100 * share + 0.8, place, text, va="center", color=palette.ink if not at_zero else palette.muted)
        axes.text(-0.015, place, shorten(name, 36), transform=axes.get_yaxis_transform(), ha="right", va="center")
    axes.set(xlim=(0, 100 * max(share for _, share, *_ in shares) * 1.02), ylim=(len(shares) - 0.5, -0.5), yticks=[])
    finish_axes(axes, "x")


def _is_slope(row: Mapping[str, Any]) -> bool:
    return str(row.get("term") or "(Intercept)") != "(Intercept)"
