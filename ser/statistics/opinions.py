"""Second opinions: the same comparisons by other models of the same data.

A conclusion that they do not share is called sensitive. None of them replaces the primary analysis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from ser.errors import InputError
from ser.statistics.anova import transform_logit
from ser.statistics.bootstrap import bootstrap_two_way
from ser.statistics.choose import choose_method
from ser.statistics.design import Design, describe_design
from ser.statistics.families import Family, Rows, list_contrasts
from ser.statistics.fitting import fit_model, fit_shares, summarise_fit, tabulate_anova
from ser.statistics.linear import LinearFit
from ser.statistics.ols import OlsFit
from ser.statistics.settings import Settings
from ser.statistics.tables import CORPUS, fill_failures

#: Resamples of speakers and runs.
DRAWS = 5000
#: Shares above this are near their ceiling: they are looked at as log odds as well.
CEILING = 0.9
LOG_ODDS = "log odds"


@dataclass
class Opinions:
    """Models, contrasts and notes; the first two by name."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    contrasts: dict[str, Rows] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def gather_opinions(
    design: Design, method: str, fit: LinearFit, families: list[Family], settings: Settings, sesoi: float | None
) -> Opinions:
    """Other models of the same data, with the contrasts of the same families.

    Args:
        design: what was analysed; method: how; fit: the primary model.
        families: what it compared within what.
        settings: the user's; sesoi: the smallest difference of interest.
    """
    found = Opinions()
    own = replace(settings, contrasts={}, formula=None)
    models: dict[str, Callable[[], LinearFit]] = {}
    if method == "anova" and isinstance(fit, OlsFit):
        models = list_run_opinions(design, fit)
    elif method == "mixed" and not settings.formula:
        models = list_cell_opinions(design, own) if design.rows == "cells" else {}
        models |= {"shares": partial(fit_shares, design, own)} if fit.link == "logit" else {}
    for name, make in models.items():
        try:
            other = make()
            rows = list_contrasts(other, families, own, None if name == LOG_ODDS else sesoi)
            found.contrasts[name] = [{**row, "effect_kind": LOG_ODDS} for row in rows] if name == LOG_ODDS else rows
            found.models[name] = summarise_fit(other, settings.anova_type or 2)
        except InputError as error:
            found.notes.append(f"no second opinion from {name}: {str(error).partition(chr(10))[0]}")
    if method == "mixed" and design.rows == "cells":
        rows = resample(design, families, settings)
        found.contrasts |= {"bootstrap": rows} if rows else {}
    return found


# ---- of runs


def list_run_opinions(design: Design, fit: OlsFit) -> dict[str, Callable[[], LinearFit]]:
    """HC3 covariances; log odds of shares whose numbers of clips are known."""
    models: dict[str, Callable[[], LinearFit]] = {"HC3": lambda: make_robust(fit)}
    scores = design.frame[design.response]
    if "n_clips" in design.frame and scores.between(0, 1).all() and (scores > CEILING).any():
        models[LOG_ODDS] = lambda: fit_log_odds(design, fit)
    return models


def make_robust(fit: OlsFit) -> LinearFit:
    """The same fit with the HC3 covariance, which allows each row a variance of its own.

    Raises:
        InputError: a row alone determines a coefficient.
    """
    if (fit.leverage > 1 - 1e-9).any():
        raise InputError("HC3 covariances need two rows or more in every condition")
    inverse = fit.vcov / (fit.sum_sq_resid / fit.df_resid)
    weighted = fit.design @ inverse * (fit.residuals / (1 - fit.leverage))[:, None]
    return replace(fit, vcov=weighted.T @ weighted)


def fit_log_odds(design: Design, fit: OlsFit) -> LinearFit:
    """The same model of log odds, which have no ceiling; its differences are no odds ratios of single clips."""
    from ser.statistics.ols import fit_ols

    clips = design.frame["n_clips"].to_numpy(float)
    odds = transform_logit(design.frame[design.response].to_numpy(float) * clips, clips)
    terms = [term for term in fit.terms if not set(term) & set(fit.blocks)]
    frame = design.frame.assign(**{design.response: odds})
    return fit_ols(frame, design.response, list(fit.factors), blocks=fit.blocks, terms=terms)


# ---- of cells


def list_cell_opinions(design: Design, settings: Settings) -> dict[str, Callable[[], LinearFit]]:
    """Whole runs; counts of clips in a logit model; failed runs as if they had done no better than chance."""
    models: dict[str, Callable[[], LinearFit]] = {}
    if design.n_seeds > 1:
        models["runs"] = partial(fit_runs, design, settings)
    if {"n", "n_correct"} <= set(design.frame) and not settings.binomial:
        models["counts"] = partial(fit_counts, design, settings)
    filled = fill_failures(design.frame, design.table, design.response)
    if len(filled) > len(design.frame):
        models["failures at chance"] = partial(fit_model, replace(design, frame=filled), settings)
    return models


def fit_runs(design: Design, settings: Settings) -> LinearFit:
    """The model of whole runs: analysis of variance, or a mixed model where a factor varies within runs."""
    runs = describe_design(design.table, design.table.response, list(design.factors), rows="runs")
    plain = replace(settings, family="gaussian", rows="runs", draws=0)
    choice = choose_method(runs)
    if choice.method == "mixed":
        return fit_model(runs, plain)
    if choice.method != "anova":
        raise InputError(choice.reason)
    return tabulate_anova(runs, plain)[0].fit


def fit_counts(design: Design, settings: Settings) -> LinearFit:
    """The same random terms in a logit model of the clips that each model recognised of each speaker."""
    fit = fit_model(design, replace(settings, family="binomial", rows="cells"))
    if fit.separated or not fit.converged:
        raise InputError("the logit model has no finite estimate" if fit.separated else "it did not converge")
    return fit


def resample(design: Design, families: list[Family], settings: Settings) -> Rows:
    """Differences of two levels with resampled speakers and runs, where all speakers meet both levels.

    Runs are resampled within combinations of the other factors. Where there are several test corpora only differences
    within one of them are made, for speakers of both would weigh alike and not their corpora.
    """
    frame, rows = design.frame, []
    several = CORPUS in design.factors
    for factor, by in families:
        if factor == CORPUS or (several and CORPUS not in by):
            continue
        for key, part in frame.groupby(list(by)) if by else [((), frame)]:
            place = dict(zip(by, map(str, key), strict=True))
            for pair in list_pairs(design.factors[factor], settings.baseline):
                rows += resample_pair(design, part[part[factor].isin(pair)], factor, pair, place, settings)
    return rows


def list_pairs(levels: list[str], baseline: str | None) -> list[tuple[str, str]]:
    """All pairs of levels, or all others with the baseline."""
    if baseline is not None and str(baseline) in levels:
        return [(level, str(baseline)) for level in levels if level != str(baseline)]
    return list(combinations(levels, 2))


def resample_pair(
    design: Design, frame: Any, factor: str, pair: tuple[str, str], by: dict[str, str], settings: Settings
) -> Rows:
    """One such difference as a row of contrasts; none where it cannot be made."""
    others = [name for name in design.factors if name != factor and name not in by]
    scores = frame.pivot_table(index=[factor, "run_id"], columns="speaker", values=design.response)
    if scores.isna().any(axis=None) or {*scores.index.get_level_values(0)} != {*pair}:
        return []
    blocks = frame.groupby("run_id")[others].first().astype(str).agg(" ".join, axis=1) if others else None
    sides = [scores.loc[level] for level in pair]
    names = [None if blocks is None else blocks.loc[side.index].to_numpy() for side in sides]
    try:
        made = bootstrap_two_way(
            sides[0].to_numpy(), sides[1].to_numpy(), blocks_a=names[0], blocks_b=names[1],
            draws=DRAWS, seed=settings.seed, level=1 - settings.alpha,
        )  # fmt: skip
    except InputError:
        return []
    row: dict[str, Any] = {"factor": factor, "contrast": f"{pair[0]} - {pair[1]}", "by": by or None}
    row |= {"estimate": made.estimate, "se": made.sd, "df": None, "stat": None, "p": made.p, "p_adjusted": None}
    row |= {"adjust": "none", "ci_low": made.ci[0], "ci_high": made.ci[1], "ci_adjust": "none"}
    return [{**row, "effect_size": None, "effect_kind": "d", "estimable": bool(np.isfinite(made.estimate))}]
