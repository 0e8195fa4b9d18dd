"""What a sweep's statistics say: conclusion and caveats, the evidence, checks, and everything needed to repeat them.

``build_statistics`` is the section of a sweep's page, short, with a way to the rest; ``list_sections`` are those of the
page that ``ser stats`` writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser.report.blocks import Cell, Code, Facts, Figure, Items, Section, Table, Text, count_things
from ser.report.collect import Sweep
from ser.statistics.export import FOLDER, lay_out, read_statistics
from ser.statistics.export.layout import read_levels
from ser.statistics.export.models import list_fits, name_fit
from ser.statistics.export.sheets import Sheet
from ser.statistics.records import to_json

PAGE = "report.html"
#: Tables that the section of a sweep's page shows.
SHORT = ("anova", "anova_type2", "mixed_tests", "contrasts", "paired", "ranks", "resampled")
UNITS = {"run_id": "run", "model": "trained model"}
SOURCES = {
    "cells": "scores of trained models on single speakers",
    "runs": "scores of runs on test corpora",
    "table": "rows of a table",
}


def build_statistics(sweep: Sweep) -> Section | None:
    """The section of a sweep's page; nothing where no statistics were made."""
    statistics, rows = read_statistics(sweep.folder / FOLDER)
    if not statistics:
        return None
    figures = draw(statistics, rows)
    sheets = [sheet for sheet in lay_out(statistics) if sheet.name in SHORT]
    blocks = [
        *tell_conclusion(statistics),
        *show_figures(figures, ("contrasts", "means", "ranks")),
        *(show_sheet(sheet) for sheet in sheets),
    ]
    page = Path(FOLDER) / PAGE
    if (sweep.folder / page).is_file():
        link = [Cell("the whole analysis, with its checks and methods", href=page.as_posix())]
        blocks.append(Table(["More"], [link]))
    return Section("statistics", "Statistics", blocks)


def list_sections(statistics: Mapping[str, Any], rows: pd.DataFrame | None = None) -> list[Section]:
    """Sections of the page of its own, for :func:`ser.report.page.render`.

    Args:
        statistics: see ``docs/statistics.md`` for its keys.
        rows: those that were analysed, with ``fitted`` and ``residual`` where there are.
    """
    known = to_json(dict(statistics))
    rows = pd.DataFrame() if rows is None else rows
    figures = draw(known, rows)
    parts: dict[str, list[Sheet]] = {}
    for sheet in lay_out(known):
        parts.setdefault(sheet.part, []).append(sheet)
    sections = [
        Section("conclusion", "", tell_conclusion(known)),
        Section("design", "Design", [*tell_design(known), *map(show_sheet, parts.get("design", []))]),
        Section("evidence", "Evidence", show_evidence(figures, parts.get("evidence", []))),
        Section("checks", "Checks", show_checks(known, figures, parts.get("checks", []))),
        Section("appendix", "Appendix", show_appendix(known, parts.get("appendix", []))),
    ]
    return [section for section in sections if section.blocks]


def name_page(statistics: Mapping[str, Any]) -> str:
    """What the page is about: the score and the factors."""
    design = statistics.get("design") or {}
    factors = list(read_levels(design))
    score = name_score(design)
    return f"{score} by {', '.join(factors)}" if factors else f"Statistics of {score}"


def name_score(design: Mapping[str, Any]) -> str:
    """The response as the page's other parts name it."""
    from ser.judge import TITLES

    response = str(design.get("response") or "the score")
    return TITLES.get(response, response)


# ---- opening


def tell_conclusion(statistics: Mapping[str, Any]) -> list[Any]:
    """The sentences a reader can quote, and what limits them."""
    sentences = [str(sentence) for sentence in statistics.get("conclusion") or []]
    caveats = [str(caveat) for caveat in statistics.get("caveats") or []]
    blocks: list[Any] = [Text(sentences[0], "lead")] if sentences else []
    blocks += [Items([(sentence, "") for sentence in sentences[1:]])] if len(sentences) > 1 else []
    blocks += [Facts([("Caveat", caveat) for caveat in caveats])] if caveats else []
    return blocks


# ---- design


def tell_design(statistics: Mapping[str, Any]) -> list[Any]:
    """What was compared, on how much, and how it was analysed."""
    design = statistics.get("design") or {}
    facts = [
        ("Response", name_score(design)),
        *tell_factors(design),
        ("Rows", tell_rows(design)),
        ("Speakers", tell_counts(design.get("speakers") or design.get("n_speakers"))),
        ("Alike because they share", ", ".join(map(tell_group, design.get("random") or []))),
        ("Balanced", {True: "yes", False: "no"}.get(bool(design["balanced"]), "") if "balanced" in design else ""),
        ("Empty cells", "; ".join(map(tell_levels, design.get("empty_cells") or []))),
        ("Failed jobs", tell_counts(len(design.get("failures") or []))),
        ("Repeated jobs", tell_counts(design.get("n_duplicates"))),
        ("Method", " – ".join(filter(None, tell_method(statistics)))),
    ]
    return [Facts([(term, text) for term, text in facts if text])]


def tell_factors(design: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A fact a factor: its levels, and whether it varies within a unit."""
    within = {str(row["name"]) for row in design.get("factors") or [] if _is_within(row)} | set(
        design.get("within") or []
    )
    unit = UNITS.get(str(design.get("unit")), str(design.get("unit") or "row"))
    return [
        (f"Factor {name}", f"{', '.join(levels)} ({'within' if name in within else 'between'} {unit})")
        for name, levels in read_levels(design).items()
    ]


def tell_rows(design: Mapping[str, Any]) -> str:
    """How many rows of what."""
    number, kind = design.get("n_rows"), design.get("rows")
    if number is None:
        return tell_counts(kind)
    unit = UNITS.get(str(design.get("unit")), str(design.get("unit") or ""))
    units = f", from {count_things(design['n_units'], unit)}" if unit and design.get("n_units") else ""
    return f"{number:,} {SOURCES.get(str(kind), 'rows')}{units}"


def tell_method(statistics: Mapping[str, Any]) -> tuple[str, str]:
    """Name of the method, and the reason for it."""
    method, design = statistics.get("method"), statistics.get("design") or {}
    if isinstance(method, Mapping):
        return str(method.get("name") or method.get("method") or ""), str(method.get("reason") or "")
    return str(method or design.get("method") or ""), str(design.get("reason") or "")


def tell_counts(value: Any) -> str:
    """A count, counts by name, or nothing for none."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {number}" for name, number in value.items())
    return f"{value:,}" if isinstance(value, int) and value else str(value or "")


def tell_group(group: Any) -> str:
    """``speaker:arch`` from its parts or as it is."""
    return group if isinstance(group, str) else ":".join(map(str, group))


def tell_levels(cell: Any) -> str:
    """``arch=cnn, pft=none``."""
    return ", ".join(f"{name}={level}" for name, level in cell.items()) if isinstance(cell, Mapping) else str(cell)


# ---- evidence, checks, appendix


def draw(statistics: Mapping[str, Any], rows: pd.DataFrame) -> dict[str, str]:
    """The figures; imported here, because they use the figures of this package, which imports its sections first."""
    from ser.statistics.figures import draw_figures

    return draw_figures(statistics, rows)


CAPTIONS = {
    "means": "Estimated marginal means with 95 % intervals, averaged over what is not named. Small dots: single "
    "speakers (means over their models), or single runs where speakers are not known.",
    "contrasts": "Differences of marginal means with their intervals, adjusted as the table says where the method "
    "allows. Shaded: differences too small to matter. Hollow: the same difference in another model of the same data.",
    "speakers": "One row a test speaker: the difference between two levels on that speaker, conditions of other "
    "factors weighing alike. Line: the mean; the band reaches as far as it moves when any one speaker is left out.",
    "components": "Where the variance is: share of each random term of the mixed model, residual in grey. A variance "
    "at its boundary was estimated at 0 and stays in the model.",
    "ranks": "Mean ranks over data sets. A bar joins models that no test tells apart (Wilcoxon with Holm); dots on it "
    "are its members.",
    "residuals": "Residuals of the primary model, the predicted effects of speakers and runs taken out. Left: dots on "
    "the dashed line are normally distributed. Right: the lines are one standard deviation, along the fitted values.",
}


def show_figures(figures: Mapping[str, str], names: Sequence[str]) -> list[Figure]:
    """Those of these names that were drawn."""
    return [Figure(figures[name], CAPTIONS[name]) for name in names if name in figures]


def show_evidence(figures: Mapping[str, str], sheets: Sequence[Sheet]) -> list[Any]:
    """Each figure before the table of its numbers, tables without a figure in between."""
    before = {"means": "means", "contrasts": "contrasts", "mixed_random": "components", "ranks": "ranks"}
    order = ("anova", "mixed_tests", "mixed_ratio_tests", "contrasts", "means")
    ranked = sorted(
        sheets, key=lambda sheet: next((i for i, name in enumerate(order) if sheet.name.startswith(name)), 9)
    )
    blocks: list[Any] = []
    for sheet in ranked:
        blocks += show_figures(figures, [before[sheet.name]] if sheet.name in before else [])
        blocks.append(show_sheet(sheet))
        if sheet.name == "contrasts":
            blocks += show_figures(figures, ["speakers"])
    return blocks


def show_checks(statistics: Mapping[str, Any], figures: Mapping[str, str], sheets: Sequence[Sheet]) -> list[Any]:
    """How each fit ended, residuals, second opinions, what the sweep could have found."""
    fits = [(name_fit(fit), tell_fit(fit)) for fit in list_fits(statistics)]
    return [
        *([Items(fits)] if fits else []),
        *show_figures(figures, ["residuals"]),
        *map(show_sheet, sheets),
    ]


def tell_fit(fit: Mapping[str, Any]) -> str:
    """Flags of a mixed model in words."""
    words = [
        "converged" if fit.get("converged") else "did not converge",
        "singular" if fit.get("singular") else "",
        "separated" if fit.get("separated") else "",
        f"log-likelihood {fit['loglik']:.2f}" if isinstance(fit.get("loglik"), float) else "",
        ", ".join(f"{number:,} of {group}" for group, number in (fit.get("groups") or {}).items()),
        f"left out: {', '.join(fit['dropped'])}" if fit.get("dropped") else "",
    ]
    return "; ".join(word for word in [*words, *(fit.get("notes") or [])] if word)


def show_appendix(statistics: Mapping[str, Any], sheets: Sequence[Sheet]) -> list[Any]:
    """Methods to quote, exact formulas, software, the remaining tables."""
    formulas = [str(table["formula"]) for table in statistics.get("anova") or [] if table.get("formula")]
    formulas += [str(fit["formula"]) for fit in list_fits(statistics) if fit.get("formula")]
    formulas += [str(own["formula"]) for own in (statistics.get("sensitivity") or {}).values() if own.get("formula")]
    environment = flatten_environment(statistics.get("environment") or {})
    methods = statistics.get("methods")
    return [
        *([Text(str(methods))] if methods else []),
        *([Code("\n".join(dict.fromkeys(formulas)))] if formulas else []),
        *map(show_sheet, sheets),
        *([Facts(environment)] if environment else []),
    ]


def flatten_environment(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Software and settings, those below a name on one line."""
    return [
        (
            str(name),
            ", ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, Mapping) else str(value),
        )
        for name, value in environment.items()
        if value not in (None, "", {}, [])
    ]


def show_sheet(sheet: Sheet) -> Table:
    """A sheet as a table that readers can sort."""
    rows = [[Cell(cell.text, cell.value, style="number" if cell.number else "") for cell in row] for row in sheet.rows]
    return Table(sheet.columns, rows, sheet.caption)


def _is_within(row: Any) -> bool:
    return isinstance(row, Mapping) and row.get("kind") == "within"
