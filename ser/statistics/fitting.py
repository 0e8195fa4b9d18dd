"""The models of a design: which rows, which terms, fitted and described as ``statistics.json`` has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.adjust import adjust_p
from ser.statistics.anova import AnovaTable, analyse_variance, test_all
from ser.statistics.design import Design
from ser.statistics.formula import Formula, read_formula
from ser.statistics.likelihood import tabulate_ratio_tests
from ser.statistics.linear import LinearFit, tabulate_terms
from ser.statistics.mixed import MixedFit, fit_formula, fit_mixed
from ser.statistics.settings import Settings

#: Rows up to which likelihood-ratio tests refit a mixed model.
MOST_REFITS = 5000
#: Of a sweep with up to so many factors all interactions are in the model; of a table always, for its user named them.
MOST_CROSSED = 3
#: Speakers whose numbers of clips differ by more than this factor weigh by them.
UNEVEN = 3.0
#: A share times its trials may be off a whole number by so much, as far as printed digits go.
ROUNDED = 0.1

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Observations:
    """What a model is fitted to: the rows, their score, and the columns of its trials or weights."""

    frame: pd.DataFrame
    response: str
    trials: str | None = None
    weights: str | None = None
    random: tuple[tuple[str, ...], ...] = ()


# ---- rows and terms


def choose_observations(design: Design, settings: Settings) -> Observations:
    """The rows of a model: those of the design, their counts for a logit model, or single answers.

    Raises:
        InputError: a logit model of scores that are no counts.
    """
    frame, response, random = design.frame, design.response, design.random
    if design.rows == "table":
        known = frame if settings.trials is None else count_correct(frame, response, settings.trials)
        return Observations(known, response, settings.trials, None, random)
    if settings.rows == "clips":
        answers = design.table.predictions
        if "correct" not in answers:
            raise InputError("statistics.rows=clips: no predictions of emotions are left")
        return Observations(answers, "correct", None, None, (*random, ("utterance",)))
    if settings.binomial:
        if not {"n", "n_correct"} <= set(frame):
            raise InputError(
                "statistics.family=binomial: scores of whole runs are no counts",
                expected="statistics.rows=cells or clips, with predictions of emotions",
            )
        return Observations(frame, "n_correct", "n", None, random)
    uneven = design.rows == "cells" and frame["n"].max() > UNEVEN * frame["n"].min()
    return Observations(frame, response, None, "n" if uneven else None, random)


def count_correct(frame: pd.DataFrame, response: str, trials: str) -> pd.DataFrame:
    """The rows with counts for the response: shares of trials are multiplied out.

    Raises:
        InputError: no such column, or shares that are no shares of these trials.
    """
    if trials not in frame:
        raise InputError(f"statistics.trials={trials}: no such column", expected=", ".join(map(str, frame.columns)))
    scores = frame[response].to_numpy(dtype=float)
    if np.nanmax(scores) > 1 or (scores == np.round(scores)).all():
        return frame
    counts = scores * frame[trials].to_numpy(dtype=float)
    if (np.abs(counts - np.round(counts)) > ROUNDED).any():
        raise InputError(
            f"{response} is neither a count nor a share of {trials}",
            expected=f"whole numbers up to {trials}, or shares that times {trials} are whole numbers",
        )
    return frame.assign(**{response: np.round(counts)})


def find_order(design: Design, settings: Settings) -> int | None:
    """Highest order of interactions: the user's, all where these are few and rows repeat; None: by the rows."""
    if settings.interactions is not None:
        return min(settings.interactions, len(design.factors))
    few = len(design.factors) <= MOST_CROSSED or design.rows == "table"
    repeated = int((design.counts["n_rows"] > 0).sum()) < len(design.frame)
    return len(design.factors) if few and repeated else None


def list_terms(design: Design, settings: Settings) -> list[tuple[str, ...]]:
    """Terms of a mixed model: all interactions up to :func:`find_order`, pairs where that leaves it open."""
    highest = find_order(design, settings) or 2
    return [term for size in range(1, highest + 1) for term in combinations(design.factors, size)]


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
        InputError: no groups of rows are known, or a model that the rows do not bear.
    """
    own = choose_observations(design, settings)
    family = "binomial" if settings.binomial else "gaussian"
    if settings.formula:
        return fit_formula(own.frame, settings.formula, factors=list(design.factors), family=family, trials=own.trials)
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


def read_terms(settings: Settings) -> Formula | None:
    """The user's formula, taken apart."""
    return read_formula(settings.formula) if settings.formula else None
