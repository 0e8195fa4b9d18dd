"""The tables of ``statistics.json``: which there are, in the order a reader meets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ser.statistics.export.comparisons import lay_out_baseline, lay_out_paired, lay_out_ranks, lay_out_resampled
from ser.statistics.export.models import (
    lay_out_anova,
    lay_out_contrasts,
    lay_out_descriptives,
    lay_out_means,
    lay_out_mixed,
    lay_out_sensitivity,
    list_fits,
    name_level,
)
from ser.statistics.export.sheets import Row, Sheet, guess_columns, make_column, make_sheet, name_sheet
from ser.statistics.records import to_json

#: Keys with tables of their own; any other list of rows is laid out as it stands.
KNOWN = ("design", "method", "descriptives", "anova", "mixed", "means", "contrasts", "paired", "ranks", "checks")
OWN = (*KNOWN, "sensitivity", "sensitivity_contrasts", "baseline", "resampled", "power", "decision")

CHECKS = {
    "shapiro_residuals": "residuals are normal (Shapiro–Wilk)",
    "brown_forsythe_cells": "conditions spread alike (Brown–Forsythe)",
    "levene_mean_cells": "conditions spread alike (Levene)",
    "bartlett_cells": "conditions spread alike (Bartlett)",
    "breusch_pagan_fitted": "spread does not follow fitted values (Breusch–Pagan)",
    "max_abs_studentized": "largest studentised residual (p Bonferroni)",
    "max_cooks": "largest Cook's distance",
}


def lay_out(statistics: Mapping[str, Any]) -> list[Sheet]:
    """All tables that have rows, in the order a reader meets them."""
    known = to_json(dict(statistics))
    sheets = [
        *lay_out_descriptives(known.get("descriptives") or []),
        *lay_out_anova(known.get("anova") or []),
        *lay_out_mixed(list_fits(known)),
        *lay_out_means(known.get("means") or []),
        *lay_out_contrasts(known),
        *lay_out_paired(known.get("paired") or {}, name_level(known)),
        *lay_out_ranks(known.get("ranks") or {}),
        *lay_out_resampled(known.get("resampled") or [], name_level(known)),
        *lay_out_baseline(known.get("baseline") or []),
        *lay_out_others({key: value for key, value in known.items() if key not in OWN}),
        *lay_out_sensitivity(known.get("sensitivity") or {}),
        *lay_out_power(known.get("power") or {}),
        *lay_out_checks(known.get("checks") or []),
        *lay_out_decision(known.get("decision") or []),
    ]
    return [sheet for sheet in sheets if sheet.rows and sheet.columns]


def read_levels(design: Mapping[str, Any]) -> dict[str, list[str]]:
    """Levels of each factor, from ``{name: levels}`` or rows of ``name, levels``."""
    factors = design.get("factors") or {}
    if isinstance(factors, Mapping):
        return {str(name): [str(level) for level in levels] for name, levels in factors.items()}
    return {str(row["name"]): [str(level) for level in row["levels"]] for row in factors}


def lay_out_checks(rows: Sequence[Row]) -> Iterator[Sheet]:
    """Checks of assumptions."""
    columns = [
        make_column("check", "text", "name", "check"),
        make_column("statistic", "size", "stat", "statistic"),
        make_column("df", "df"),
        make_column("error df", "df", "df_resid"),
        make_column("p", "p"),
        make_column("row", "count"),
        make_column("verdict", "text", "verdict", "words"),
    ]
    named = [{**row, "name": CHECKS.get(row.get("check", ""), row.get("name"))} for row in rows]
    yield make_sheet("checks", "Checks of the model's assumptions", columns, named, "checks")


def lay_out_power(power: Mapping[str, Any] | Sequence[Row]) -> Iterator[Sheet]:
    """What sweeps of other sizes would detect."""
    rows = list((power.get("table") or power.get("mde") or []) if isinstance(power, Mapping) else power)
    rows = [{**row, "speakers": row.get("speakers") or "as tested"} for row in rows]
    columns = [
        make_column("speakers", "count"),
        make_column("seeds", "count"),
        make_column("SE", "estimate", "se"),
        make_column("df", "df"),
        make_column("smallest detectable difference", "estimate", "mde"),
        make_column("power", "share"),
        make_column("enough", "text"),
    ]
    yield make_sheet("power", "What a sweep of so many speakers and seeds detects", columns, rows, "checks")


def lay_out_decision(rows: Sequence[Row]) -> Iterator[Sheet]:
    """Which rules were applied, and what they gave."""
    yield make_sheet("decision", "How the conclusion was reached", guess_columns(rows), rows, "appendix")


def lay_out_others(others: Mapping[str, Any]) -> Iterator[Sheet]:
    """Any other rows, at the top or one key below, with columns guessed from their values."""
    for key, value in others.items():
        inside = value.items() if isinstance(value, Mapping) else [("", value)]
        for part, rows in inside:
            if isinstance(rows, list) and rows and all(isinstance(row, Mapping) for row in rows):
                title = f"{key} {part}".strip().replace("_", " ")
                yield make_sheet(name_sheet(key, part), title.capitalize(), guess_columns(rows), rows, "evidence")
