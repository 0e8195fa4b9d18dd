"""The models of a design, fitted and described as ``statistics.json`` has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.adjust import adjust_p
from ser.statistics.anova import AnovaTable, analyse_variance, test_all
from ser.statistics.design import Design
from ser.statistics.formula import read_formula
from ser.statistics.likelihood import tabulate_ratio_tests
from ser.statistics.linear import LinearFit, tabulate_terms
from ser.statistics.mixed import MixedFit, fit_formula, fit_mixed
from ser.statistics.observations import Observations, choose_observations, find_order, list_terms
from ser.statistics.settings import Settings

#: Rows up to which likelihood-ratio tests refit a mixed model.
MOST_REFITS = 5000

Rows = list[dict[str, Any]]


class FitFailed(InputError):
    """The engine found no fit at all."""


# ---- analysis of variance


def tabulate_anova(design: Design, settings: Settings, blocks: Sequence[str] = ()) -> list[AnovaTable]:
    """ANOVA tables of a design; of a balanced one both types, which agree.

    Args:
        design: with rows that are independent but for the blocks.
        settings: the user's.
        blocks: columns that take variance out, beside those of the design.
    """
    if settings.binomial:
        raise InputError(
            "statistics.family=binomial: a logit model of independent rows is not offered",
            expected="rows that share something, as answers share speakers",
            remedy="name it: random=[speaker], or leave the family out for an analysis of variance",
        )
    formula = read_formula(settings.formula) if settings.formula else None
    factors, taken = list(design.factors), list(dict.fromkeys([*design.blocks, *blocks]))
    if formula:
        taken = [name for name in formula.columns if name not in factors]
        _refuse_numbers(design.frame, taken)
        factors = [name for name in factors if name in formula.columns]
    tables = analyse_variance(
        design.frame,
        formula.response if formula else design.response,
        factors,
        interactions=find_order(design, settings),
        blocks=[name for name in taken if name in design.frame],
        terms=formula.terms if formula else None,
        kind=settings.anova_type,
        draws=settings.draws,
        seed=settings.seed,
        alpha=settings.alpha,
    )
    alone = settings.anova_type is None and len(tables) == 1 and tables[0].fit.completeness.complete
    return [tables[0], repeat_as_type3(tables[0], settings.alpha)] if alone else tables


def repeat_as_type3(table: AnovaTable, alpha: float) -> AnovaTable:
    """Type III of a design where it agrees with Type II: HC3 tests are of its own, permutations are the same."""
    terms = test_all(table.fit, 3, 0, alpha=alpha)
    for row, same in zip(terms, table.terms, strict=True):
        row["p_permutation"] = same["p_permutation"]
        row["sensitive"] |= same["sensitive"]
    return replace(table, type=3, terms=terms)


def describe_anova(table: AnovaTable) -> dict[str, Any]:
    """As plain values."""
    return {
        "type": table.type,
        "formula": table.formula,
        "scope": table.scope,
        "df_resid": table.fit.df_resid,
        "sum_sq_resid": table.fit.sum_sq_resid,
        "terms": table.terms,
        "notes": table.notes,
    }


def _refuse_numbers(frame: pd.DataFrame, names: Sequence[str]) -> None:
    numbers = [name for name in names if name in frame and pd.api.types.is_numeric_dtype(frame[name])]
    if numbers:
        raise InputError(
            f"statistics.formula: {numbers[0]} holds numbers, and an analysis of variance has no slopes",
            remedy=f"factors=[…,{numbers[0]}] compares its values; a random term makes it a mixed model with a slope",
        )


# ---- mixed models


def fit_model(design: Design, settings: Settings) -> MixedFit:
    """The mixed model that the design implies, or the user's formula.

    Raises:
        FitFailed: the engine found none, as in logit models of conditions without any error.
        InputError: no groups of rows are known, or a model that the rows do not bear.
    """
    try:
        return fit_observations(design, settings, choose_observations(design, settings))
    except (ValueError, ArithmeticError) as error:
        words = name_separated(design, settings) or f"the engine stopped ({error})"
        raise FitFailed(f"no model could be fitted: {words}", remedy="fewer random terms or interactions") from error


def name_separated(design: Design, settings: Settings) -> str:
    """Conditions in which all answers are alike, so that a logit model has no finite estimate; "" for none."""
    own = choose_observations(design, settings)
    if not settings.binomial or not design.factors:
        return ""
    trials = 1.0 if own.trials is None else own.frame[own.trials]
    shares = (own.frame[own.response] / trials).groupby([own.frame[name].astype(str) for name in design.factors]).mean()
    alike = [key if isinstance(key, tuple) else (key,) for key, share in shares.items() if share in (0.0, 1.0)]
    return f"all answers are alike in {', '.join(' '.join(key) for key in alike)} (separation)" if alike else ""


def fit_shares(design: Design, settings: Settings) -> MixedFit:
    """The linear model of shares that stands beside a logit model of answers or counts, and in for it where it fails.

    Raises:
        InputError: the user's own formula, which names counts.
    """
    own = choose_observations(design, settings)
    if settings.formula:
        raise InputError("the formula is of a logit model")
    if own.trials:
        shares = own.frame[own.response].to_numpy(float) / own.frame[own.trials].to_numpy(float)
        own = replace(own, frame=own.frame.assign(**{own.response: shares}), trials=None, weights=own.trials)
    return fit_observations(design, replace(settings, family="gaussian", trials=None), own)


def fit_observations(design: Design, settings: Settings, own: Observations) -> MixedFit:
    """The mixed model of these rows."""
    family = "binomial" if settings.binomial else "gaussian"
    if settings.formula:
        return fit_formula(
            own.frame,
            settings.formula,
            factors=list(design.factors),
            family=family,
            reml=settings.reml,
            trials=own.trials,
        )
    if not own.random:
        raise InputError(
            "statistics.method=mixed: no groups of rows are known",
            expected="columns of runs, seeds, folds or speakers whose rows are alike",
            remedy="name them: random=[speaker,run]",
        )
    return fit_mixed(
        own.frame,
        own.response,
        list(design.factors),
        list(own.random),
        terms=list_terms(design, settings),
        weights=own.weights,
        family=family,
        reml=settings.reml,
        trials=own.trials,
    )


def describe_model(fit: MixedFit, kind: int) -> dict[str, Any]:
    """As plain values, with tests of the type asked for, and likelihood-ratio tests where refitting is cheap."""
    tests, kind, notes = test_model(fit, kind)
    return {
        "formula": fit.formula,
        "family": fit.family,
        "method": fit.method,
        "type": kind,
        "loglik": fit.loglik,
        "aic": fit.aic,
        "bic": fit.bic,
        "rows": fit.rows,
        "groups": fit.groups,
        "converged": fit.converged,
        "singular": fit.singular,
        "separated": fit.separated,
        "fixed": fit.fixed,
        "random": fit.random,
        "correlations": fit.correlations,
        "tests": tests,
        "ratio_tests": test_likelihoods(fit, kind),
        "dropped": fit.dropped,
        "notes": [*fit.notes, *notes],
    }


def test_model(fit: MixedFit, kind: int) -> tuple[Rows, int, list[str]]:
    """Tests of terms with p adjusted over them (Benjamini–Hochberg), their type, and notes.

    Type III is refused, with words, where combinations of levels are missing.
    """
    notes = []
    if kind == 3 and not fit.is_estimable(np.eye(len(fit.beta))):
        kind, notes = 2, ["Type III is refused: some combinations of levels have no rows. Tests are of Type II."]
    tests = fit.tabulate_tests(kind)
    adjusted = adjust_p(np.array([float(str(row["p"])) for row in tests]), "bh")
    return [{**row, "p_adjusted": float(p)} for row, p in zip(tests, adjusted, strict=True)], kind, notes


def test_likelihoods(fit: MixedFit, kind: int) -> Rows:
    """Likelihood-ratio tests of the terms; none of large tables, and where a slope is random as well as fixed."""
    if fit.rows > MOST_REFITS or not fit.converged:
        return []
    try:
        return tabulate_ratio_tests(fit, kind=kind)
    except InputError:
        return []


# ---- tests of whatever was fitted


def list_tests(results: Mapping[str, Any]) -> Rows:
    """Tests of terms in the primary model, of factors only."""
    if results.get("mixed"):
        return results["mixed"]["tests"]
    if results.get("cluster"):
        return results["cluster"][0]["tests"]
    if results.get("anova"):
        return [row for row in results["anova"][0]["terms"] if row["role"] == "factor"]
    return []


def summarise_fit(fit: LinearFit, kind: int) -> dict[str, Any]:
    """Formula and tests of a second model."""
    if isinstance(fit, MixedFit):
        tests, kind, _ = test_model(fit, kind)
        return {"formula": fit.formula, "type": kind, "converged": fit.converged, "tests": tests}
    return {"formula": fit.formula, "type": 2, "tests": tabulate_terms(fit, 2)}
