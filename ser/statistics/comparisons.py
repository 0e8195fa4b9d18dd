"""Comparisons without a model: the same clips, ranks over data sets, scores of folds.

Each gives its own part of the results and, so that all can be read alike, rows of contrasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import nan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.adjust import adjust_p
from ser.statistics.baseline import compare_baseline
from ser.statistics.choose import DATASET_COLUMNS, find_shared
from ser.statistics.design import Design
from ser.statistics.paired import compare_predictions
from ser.statistics.ranks import analyse_ranks
from ser.statistics.resampled import compare_resampled, find_ratio
from ser.statistics.roles import CLIPS, FOLDS, SPEAKERS
from ser.statistics.settings import Settings
from ser.statistics.tables import CORPUS

#: Name of the factor whose levels are the columns of scores of a wide table.
MODEL = "model"
#: Column that numbers the rows of a wide table without any names.
ROW = "row"
#: Columns that number the repetitions of a cross-validation.
REPETITIONS = ("repetition", "repeat", "rep", "seed", "split.seed")
#: Scores of which less is better.
ERRORS = ("mae", "rmse", "mse", "error", "loss", "eer", "wer")

Rows = list[dict[str, Any]]


class Found(NamedTuple):
    """Results by key, the same as contrasts, and notes."""

    results: dict[str, Any]
    contrasts: Rows
    notes: tuple[str, ...]


# ---- the same clips


def compare_clips(design: Design, settings: Settings) -> Found:
    """Models that were trained once each, on the clips that all of them were given.

    Raises:
        InputError: no answers (0 or 1), several factors, several trained models a level.
    """
    factor = MODEL if has_models(design) else find_factor(design, "paired")
    wide, models, speaker = spread_answers(design, factor)
    compared = compare_predictions(wide, models, speaker, settings.seed, 1 - settings.alpha)
    rows = []
    for pair, holm in zip(compared.pairs, compared.p_exact_holm, strict=True):
        test = pair.mcnemar
        se = np.sqrt(max(test.n10 + test.n01 - (test.n10 - test.n01) ** 2 / pair.n, 0)) / pair.n
        row = name_contrast(factor, test.a, test.b, test.difference, float(se), nan, test.chisq, test.p_exact, holm)
        rows.append({**row, "ci_low": test.ci[0], "ci_high": test.ci[1], "ci_adjust": "none"})
        rows[-1] |= {"effect_size": test.odds_ratio, "effect_kind": "discordant_ratio"}
    return Found({"paired": compared.describe()}, rows, compared.notes)


def spread_answers(design: Design, factor: str) -> tuple[pd.DataFrame, list[str], str | None]:
    """One row a clip, one column a model (0 or 1), names of the models, and the column of speakers if there is one."""
    table = design.table
    rows = table.runs if table.tidy else table.predictions
    score = design.response if table.tidy else "correct"
    if score not in rows or not rows[score].dropna().isin((0, 1)).all():
        raise InputError(
            f"statistics.method=paired: {score} of {table.name} is not right (1) or wrong (0)",
            expected="answers to single clips: a column of 0 and 1, or runs whose predictions of emotions are left",
        )
    rows = rows.astype({factor: str})
    speaker, clip = find_column(rows, SPEAKERS), find_column(rows, (*CLIPS, ROW))
    if clip is None:
        raise InputError(
            f"statistics.method=paired: {table.name} has no clips",
            expected=f"a column {', '.join(CLIPS[:3])} that says which answers are to the same clip",
        )
    keys = [name for name in (clip, speaker, find_column(rows, (CORPUS,))) if name]
    if rows.duplicated([*keys, factor]).any():
        raise InputError(
            f"statistics.method=paired: some {factor} has several answers to a clip, from several trained models",
            expected="one trained model a level",
            remedy="leave seeds out, or use statistics.method=mixed, which knows that training again changes scores",
        )
    wide = rows.set_index([*keys, factor])[score].unstack(factor).dropna().reset_index()  # noqa: PD010 (no sums)
    models = [level for level in design.factors.get(factor, []) if level in wide]
    return wide, models, speaker


# ---- ranks over data sets


def compare_over_datasets(design: Design, settings: Settings) -> Found:
    """Ranks of models over data sets."""
    wide, models, factor, notes = spread_models(design, settings)
    better = design.response.partition("/")[0].lower() not in ERRORS
    ranks = analyse_ranks(wide, models, better, settings.alpha)
    rows = []
    for test in ranks.wilcoxon:
        row = name_contrast(factor, test.a, test.b, test.mean_difference, nan, nan, test.V, test.p, test.p_holm)
        rows.append({**row, "effect_size": test.rank_biserial, "effect_kind": "rank_biserial"})
    return Found({"ranks": ranks.describe()}, rows, (*notes, *ranks.notes))


# ---- scores of folds


def compare_folds(design: Design, settings: Settings) -> Found:
    """Scores of folds or repeated splits, whose training data overlap."""
    wide, models, factor, notes = spread_models(design, settings)
    repetition = find_column(wide, REPETITIONS)
    repeats = wide[repetition].to_numpy() if repetition else None
    folds = len(wide) if repetition is None else int(wide.groupby(repetition).size().max())
    ratio = find_ratio(None if settings.test_share else folds, settings.test_share)
    found = [
        compare_resampled(wide[a].to_numpy(), wide[b].to_numpy(), ratio, repeats, (a, b), 1 - settings.alpha)
        for a, b in combinations(models, 2)
    ]
    adjusted = adjust_p(np.array([one.corrected.p for one in found]), "holm")
    rows = []
    for one, holm in zip(found, adjusted, strict=True):
        test = one.corrected
        row = name_contrast(factor, one.a, one.b, test.mean, test.se, test.df, test.t, test.p, float(holm))
        rows.append({**row, "ci_low": test.ci[0], "ci_high": test.ci[1], "ci_adjust": "none"})
    words = tuple(dict.fromkeys(note for one in found for note in one.notes))
    return Found({"resampled": [one.describe() for one in found]}, rows, (*notes, *words))


# ---- against a baseline


def compare_with_baseline(design: Design, baseline: str) -> Rows:
    """Mann–Whitney tests of whole runs against one level, as published tables have them, within what varies in a run.

    Raises:
        InputError: no factor has this level.
    """
    named = [factor for factor, levels in design.factors.items() if baseline in levels]
    if not named:
        known = "; ".join(f"{name}: {', '.join(levels)}" for name, levels in design.factors.items())
        raise InputError(f"statistics.baseline={baseline}: no factor has this level", expected=known)
    table = design.table
    rows, score, unit = (design.frame, design.response, design.unit)
    if not table.tidy:
        rows, score, unit = table.runs, table.response, "run_id"
    if not unit and find_shared(design):
        return []
    found: Rows = []
    for factor in named:
        inside = [name for name in design.within if name != factor]
        for key, part in rows.groupby(inside) if inside else [((), rows)]:
            means = (
                part.groupby([factor, unit])[score].mean().droplevel(unit) if unit else part.set_index(factor)[score]
            )
            samples = {str(level): values.to_numpy(float) for level, values in means.groupby(level=0)}
            if baseline not in samples or len(samples) < 2:
                continue
            report = compare_baseline(samples, baseline, "mann-whitney").describe()
            found.append({"factor": factor, "by": dict(zip(inside, map(str, key), strict=True)) or None, **report})
    return found


# ---- what they share


def spread_models(design: Design, settings: Settings) -> tuple[pd.DataFrame, list[str], str, tuple[str, ...]]:
    """One row a data set or fold and one column a model; the models, their factor, and what was left out."""
    frame = design.frame
    sets = [name for name in DATASET_COLUMNS if name in frame]
    factor = MODEL if has_models(design) else find_factor(design, settings.method, sets)
    others = [name for name in design.factors if name != factor]
    known = [find_column(frame, names) for names in (REPETITIONS, FOLDS, (ROW,))]
    keys = list(dict.fromkeys([*others, *sets, *(name for name in known if name)]))
    if not keys:
        raise InputError(
            f"{', '.join(design.factors)}: which scores belong to the same data set or fold?",
            expected=f"a column {', '.join(DATASET_COLUMNS[1:4])} or fold",
            remedy="pass factors=[…], or score=[one column a model] for a wide table",
        )
    whole = frame.astype({factor: str}).pivot_table(index=keys, columns=factor, values=design.response)
    wide = whole.dropna().reset_index()
    lost = len(whole) - len(wide)
    notes = (f"{lost} of {len(whole)} rows are left out, because some model has no score there",) if lost else ()
    return wide, design.factors[factor], factor, notes


def find_factor(design: Design, method: str, apart: Sequence[str] = ()) -> str:
    """The one factor that names models."""
    names = [name for name in design.factors if name not in apart]
    if len(names) != 1:
        raise InputError(
            f"statistics.method={method}: compares the levels of one factor",
            expected=f"one of {', '.join(names)}" if names else "a factor with two or more levels",
            remedy="pass factors=[…]",
        )
    return names[0]


def find_column(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The first column with one of these names, whatever its case."""
    known = {str(name).lower(): str(name) for name in frame}
    return next((known[name] for name in names if name in known), None)


def has_models(design: Design) -> bool:
    """Whether one factor is the models of a wide table; the others then tell its rows apart."""
    return design.table.tidy and MODEL in design.factors and design.response == "score"


def name_contrast(
    factor: str, a: str, b: str, estimate: float, se: float, df: float, stat: float, p: float, p_adjusted: float
) -> dict[str, Any]:
    """A comparison of two models as a row of contrasts; Holm over all pairs."""
    values = {"estimate": estimate, "se": se, "df": df, "stat": stat, "p": p, "p_adjusted": p_adjusted}
    place = {"factor": factor, "contrast": f"{a} - {b}", "by": None}
    effect = {"effect_size": None, "effect_kind": None, "estimable": True}
    return {**place, **values, "adjust": "holm", "ci_low": None, "ci_high": None, "ci_adjust": None, **effect}
