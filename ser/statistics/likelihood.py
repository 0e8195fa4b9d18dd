"""Likelihood-ratio tests of the fixed terms of a mixed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from ser.errors import InputError
from ser.statistics.dense import find_dense_loglik
from ser.statistics.engine import find_loglik, has_slopes, run_engine
from ser.statistics.linear import name_term
from ser.statistics.matrix import find_basis
from ser.statistics.mixed import MixedFit


def list_models(fit: MixedFit, terms: Sequence[str], kind: int) -> list[tuple[str, list[int], list[int]]]:
    """Columns of the larger and the smaller model whose likelihoods test each term (Type II or III)."""
    everything = list(range(len(fit.beta)))
    pairs = []
    for parts in fit.terms:
        name = name_term(parts)
        if name not in terms:
            continue
        above = [name_term(other) for other in fit.terms if set(parts) < set(other)] if kind == 2 else []
        hidden = {place for other in above for place in fit.columns[other]}
        larger = [place for place in everything if place not in hidden]
        pairs.append((name, larger, [place for place in larger if place not in fit.columns[name]]))
    return pairs


def tabulate_ratio_tests(fit: MixedFit, terms: Sequence[str] | None = None, kind: int = 2) -> list[dict[str, object]]:
    """Likelihood-ratio test of every term (or of ``terms``), by ML refits with and without it.

    Type II compares the models that lack the terms containing it; Type III leaves only its own columns out. One or two
    refits a term. Rows of term, df, chi2, p, loglik, loglik_reduced, converged.

    Raises:
        InputError: a covariate whose slopes are random as well, in a logit model or a large table; Type III in a design
            with empty cells.
    """
    if kind == 3 and not fit.is_estimable(np.eye(len(fit.beta))):
        raise InputError("Type III tests need every combination of levels to be observed", remedy="use Type II")
    problem = replace(fit.problem, reml=False)
    known: dict[tuple[int, ...], tuple[float, int, bool]] = {}

    def find_end(places: list[int]) -> tuple[float, int, bool]:
        if tuple(places) not in known:
            basis = find_basis(problem.matrix.coded[:, places])
            fixed = problem.matrix.coded[:, places] @ basis
            if has_slopes(problem, fixed):
                engine = run_engine(problem, fixed)
                known[tuple(places)] = (find_loglik(problem, engine, 0.0), basis.shape[1], bool(engine.converged))
            else:
                loglik, ended = find_dense_loglik(problem, fixed)
                known[tuple(places)] = (loglik, basis.shape[1], ended)
        return known[tuple(places)]

    rows: list[dict[str, object]] = []
    for name, larger, smaller in list_models(fit, terms or list(fit.columns), kind):
        (high, many, ok), (low, few, also) = find_end(larger), find_end(smaller)
        chi2 = max(0.0, 2 * (high - low))
        p = float(stats.chi2.sf(chi2, many - few)) if many > few else float("nan")
        row = {"term": name, "df": many - few, "chi2": chi2, "p": p, "loglik": high, "loglik_reduced": low}
        rows.append({**row, "converged": ok and also})
    return rows
