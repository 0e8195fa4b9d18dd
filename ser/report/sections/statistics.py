"""What a sweep's statistics say: conclusion and caveats, the evidence, checks, and everything needed to repeat them.

``build_statistics`` is the section of a sweep's page, short, with a way to the rest; ``list_sections`` are those of the
page that ``ser stats`` writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser.report.blocks import Cell, Code, Facts, Figure, Items, Section, Table, Text
from ser.report.collect import Sweep
from ser.report.sections.statistics_words import (
    flatten_environment,
    name_score,
    tell_design,
    tell_fit,
    tell_needs,
)
from ser.statistics.export import FOLDER, lay_out, read_statistics
from ser.statistics.export.layout import read_levels
from ser.statistics.export.models import list_fits, name_fit
from ser.statistics.export.sheets import Sheet
from ser.statistics.records import to_json

PAGE = "report.html"
#: Tables that the section of a sweep's page shows.
SHORT = ("anova", "anova_type2", "mixed_tests", "contrasts", "paired", "paired_speakers", "ranks", "resampled")


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


def write_page(
    folder: Path, statistics: Mapping[str, Any], rows: pd.DataFrame | None = None, subtitle: str = "ser stats"
) -> Path:
    """Write ``report.html`` into the folder of the statistics; the same results give the same page, byte for byte."""
    from ser.report.page import render  # which imports the sections first

    page = Path(folder) / PAGE
    page.write_text(render(name_page(statistics), subtitle, list_sections(statistics, rows)), encoding="utf-8")
    return page


def name_page(statistics: Mapping[str, Any]) -> str:
    """What the page is about: the score and the factors."""
    design = statistics.get("design") or {}
    factors = list(read_levels(design))
    score = name_score(design)
    return f"{score} by {', '.join(factors)}" if factors else f"Statistics of {score}"


# ---- opening


def tell_conclusion(statistics: Mapping[str, Any]) -> list[Any]:
    """The sentences a reader can quote, and what limits them."""
    sentences = [str(sentence) for sentence in statistics.get("conclusion") or []]
    caveats = [str(caveat) for caveat in statistics.get("caveats") or []]
    blocks: list[Any] = [Text(sentences[0], "lead")] if sentences else []
    blocks += [Items([(sentence, "") for sentence in sentences[1:]])] if len(sentences) > 1 else []
    blocks += [Facts([("Caveat", caveat) for caveat in caveats])] if caveats else []
    return blocks


# ---- evidence, checks, appendix


def draw(statistics: Mapping[str, Any], rows: pd.DataFrame) -> dict[str, str]:
    """The figures; imported here, because they use the figures of this package, which imports its sections first."""
    from ser.statistics.figures import draw_figures

    return draw_figures(statistics, rows)


CAPTIONS = {
    "means": "Estimated marginal means with 95 % intervals, averaged over what is not named. Small dots: single "
    "speakers (means over their models), or single runs where speakers are not known. Means of a logit model are those "
    "of a typical speaker and run.",
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
    needs = [(words, "") for words in tell_needs(statistics.get("power") or {})]
    return [
        *([Items(fits)] if fits else []),
        *show_figures(figures, ["residuals"]),
        *map(show_sheet, sheets),
        *([Items(needs)] if needs else []),
    ]


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


def show_sheet(sheet: Sheet) -> Table:
    """A sheet as a table that readers can sort."""
    rows = [[Cell(cell.text, cell.value, style="number" if cell.number else "") for cell in row] for row in sheet.rows]
    return Table(sheet.columns, rows, sheet.caption)
