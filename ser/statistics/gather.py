"""Everything that ``statistics.json`` holds, put together; ``docs/statistics.md`` has its keys."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pandas as pd

from ser.errors import InputError
from ser.statistics.analyse import Analysis, describe_settings
from ser.statistics.comparisons import find_column
from ser.statistics.components import estimate_components
from ser.statistics.conclude import conclude, describe_methods, list_caveats
from ser.statistics.decide import decide
from ser.statistics.describe import describe
from ser.statistics.groups import compare_groups
from ser.statistics.plan import make_plan
from ser.statistics.power import tabulate_plan
from ser.statistics.roles import RUNS, SPEAKERS
from ser.statistics.tallies import Tallies, tally_predictions, tally_scores

LIBRARIES = ("ser", "glmm", "statsmodels", "scipy", "numpy", "pandas")
#: Seeds that a report looks at beside those that there are.
SEEDS = (5, 10, 20)


def gather_results(analysis: Analysis) -> dict[str, Any]:
    """All results by key; what an analysis does not have is empty."""
    decisions = decide(analysis)
    empty: dict[str, Any] = {"anova": [], "mixed": None, "means": [], "contrasts": [], "checks": []}
    return {
        "design": describe(analysis.design, analysis.choice),
        "method": analysis.choice._asdict(),
        "settings": describe_settings(analysis),
        **empty,
        **analysis.results,
        "groups": measure_groups(analysis),
        "power": estimate_power(analysis),
        "decision": decisions,
        "conclusion": conclude(analysis, decisions),
        "caveats": list_caveats(analysis),
        "methods": describe_methods(analysis),
        "environment": {name: version(name) for name in LIBRARIES},
    }


def estimate_power(analysis: Analysis) -> dict[str, Any] | None:
    """What this sweep could detect, and what a next one needs; none where chance is not known.

    Where no difference is known to matter, only what is detected.
    """
    design, sesoi = analysis.design, analysis.sesoi
    # Of a table only independent rows are known to be what would be repeated.
    if design.rows == "table" and analysis.choice.method != "anova":
        return None
    try:
        components = estimate_components(design)
        speakers = [design.n_speakers] if design.n_speakers > 1 else [0]
        seeds = sorted({max(2, design.n_seeds), *SEEDS})
        if sesoi is not None:
            return make_plan(components, sesoi, speakers, seeds, alpha=analysis.settings.alpha).describe()
        table = tabulate_plan(components, speakers, seeds, alpha=analysis.settings.alpha)
    except InputError:
        return None
    return {"table": table.to_dict("records")}


def measure_groups(analysis: Analysis) -> dict[str, Any] | None:
    """Gaps between levels of a column within runs (``statistics.group``), speakers as units.

    Raises:
        InputError: the rows have no such column, or no speakers.
    """
    group, design = analysis.settings.group, analysis.design
    if not group:
        return None
    rows = design.table.runs if design.table.tidy else design.table.predictions
    remedy = (
        "pass a column of the table"
        if design.table.tidy
        else "train with metrics.by=[…], which carries columns of the manifest along"
    )
    if group not in rows:
        raise InputError(
            f"statistics.group={group}: no such column", expected=", ".join(map(str, rows.columns)), remedy=remedy
        )
    factors = list(design.factors)
    condition = rows[factors].astype(str).agg(" ".join, axis=1) if factors else pd.Series("all", index=rows.index)
    tallies = tally(analysis, rows.assign(_condition=condition), group)
    metric = "uar" if "predicted" in rows else design.response
    return compare_groups(tallies, group, metric, seed=analysis.settings.seed).describe()


def tally(analysis: Analysis, rows: pd.DataFrame, group: str) -> Tallies:
    """Hits of runs on speakers by emotion, or sums of any other score."""
    speaker = find_column(rows, SPEAKERS)
    if speaker is None:
        raise InputError(f"statistics.group={group}: no speakers are known", expected="a column speaker")
    score, run = analysis.design.response, find_column(rows, ("run_id", *RUNS)) or "_run"
    known = rows if run in rows else rows.assign(**{run: "all"})
    if {"true", "predicted"} <= set(known):
        return tally_predictions(known, group, run=run, speaker=speaker, condition="_condition")
    if score not in known:
        raise InputError(f"statistics.group={group}: {score} is no score of single answers")
    return tally_scores(known, score, group, run=run, speaker=speaker, condition="_condition")
