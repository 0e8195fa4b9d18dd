"""Families of comparisons that a fitted model answers: marginal means, pairs of levels, simple effects, one's own.

Pairs of each factor come first, averaged over the others. Where factors may interact, or averages need a combination
that has no rows, the pairs within the levels of the others follow (simple effects), then differences of differences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import isfinite
from typing import Any

from ser.errors import InputError
from ser.statistics.effects import find_hedges_factor
from ser.statistics.linear import LinearFit
from ser.statistics.means import (
    contrast_baseline,
    contrast_custom,
    contrast_differences,
    contrast_pairs,
    estimate_means,
    tabulate_simple_effects,
)
from ser.statistics.power import find_mde
from ser.statistics.settings import Settings

#: An interaction with a p below this has its simple effects shown.
SHOWN = 0.10
#: Up to so many factors there are means of all their combinations.
MOST_CROSSED = 3

Rows = list[dict[str, Any]]
#: A factor, and those within whose levels it is compared.
Family = tuple[str, tuple[str, ...]]


def list_means(fit: LinearFit, families: Sequence[Family], level: float) -> Rows:
    """Marginal means of every factor, every two factors, all of up to three, and those that families compare."""
    factors = list(fit.factors)
    wanted = [names for size in (1, 2) for names in combinations(factors, size)]
    wanted += [tuple(factors)] if len(factors) <= MOST_CROSSED else []
    wanted += [tuple(name for name in factors if name in (factor, *by)) for factor, by in families]
    return [
        {"factors": ":".join(names), **row}
        for names in dict.fromkeys(wanted)
        for row in (estimate_means(fit, list(names), level=level) if names else [])
    ]


def list_families(fit: LinearFit, tests: Rows, by: Sequence[str] = ()) -> list[Family]:
    """What is compared within what: each factor alone, then within the factors that it may interact with.

    Args:
        fit: the model.
        tests: of its terms.
        by: factors within which the others are compared in any case.
    """
    families: list[Family] = []
    for factor in fit.factors:
        partners = [name for name in fit.factors if name != factor]
        groups = [group for size in (1, 2) for group in combinations(partners, size)]
        shown = [group for group in groups if set(group) <= set(by) or interact(fit, tests, (factor, *group))]
        families += [(factor, ()), *((factor, group) for group in shown)]
    return families


def interact(fit: LinearFit, tests: Rows, names: Sequence[str]) -> bool:
    """Whether an interaction of these factors is near enough to show, or has combinations without rows."""
    if len(names) == 2 and any(not row["estimable"] for row in estimate_means(fit, list(names))):
        return True
    return any(set(names) <= set(row["term"].split(":")) and is_below(row["p"], SHOWN) for row in tests)


def list_contrasts(fit: LinearFit, families: Sequence[Family], settings: Settings, sesoi: float | None) -> Rows:
    """Contrasts of all families, differences of differences, and the user's own."""
    rows: Rows = []
    for factor, by in families:
        rows += label(factor, compare_levels(fit, factor, by, settings, sesoi))
    pairs = [(factor, by[0]) for factor, by in families if len(by) == 1 and has_term(fit, (factor, by[0]))]
    adjust = "holm" if settings.adjust in ("auto", "tukey", "dunnett") else settings.adjust
    for first, second in dict.fromkeys(tuple(sorted(pair, key=list(fit.factors).index)) for pair in pairs):
        differences = contrast_differences(fit, first, second, None, adjust, 1 - settings.alpha, sesoi)
        rows += label(f"{first}:{second}", differences)
    return [*rows, *list_own(fit, settings, adjust, sesoi)]


def compare_levels(fit: LinearFit, factor: str, by: Sequence[str], settings: Settings, sesoi: float | None) -> Rows:
    """All pairs of a factor's levels, or all against the baseline, within each combination of ``by``."""
    level, chosen = 1 - settings.alpha, settings.adjust
    if settings.baseline is not None and str(settings.baseline) in fit.factors[factor]:
        adjust = "dunnett" if chosen == "auto" else chosen
        return contrast_baseline(fit, factor, str(settings.baseline), list(by), adjust, level, sesoi)
    return contrast_pairs(fit, factor, list(by), "tukey" if chosen == "auto" else chosen, level, sesoi)


def list_own(fit: LinearFit, settings: Settings, adjust: str, sesoi: float | None) -> Rows:
    """The user's contrasts: ``{name: {factor: {level: weight}}}``; those of one factor are a family."""
    factors: dict[str, dict[str, Mapping[str, float]]] = {}
    for name, parts in settings.contrasts.items():
        if not isinstance(parts, Mapping) or len(parts) != 1 or not isinstance(next(iter(parts.values())), Mapping):
            raise InputError(
                f"statistics.contrasts.{name}={parts}", expected="{factor: {level: weight, level: weight}}"
            )
        factor, weights = next(iter(parts.items()))
        factors.setdefault(str(factor), {})[str(name)] = {str(level): weight for level, weight in weights.items()}
    rows: Rows = []
    for factor, named in factors.items():
        rows += label(factor, contrast_custom(fit, factor, named, None, adjust, 1 - settings.alpha, sesoi))  # type: ignore[arg-type]
    return rows


def list_simple_effects(fit: LinearFit, families: Sequence[Family]) -> Rows:
    """Joint test of each factor within the levels of those that it is compared within."""
    return [row for factor, by in families if by for row in tabulate_simple_effects(fit, factor, list(by))]


def label(factor: str, rows: Sequence[Mapping[str, Any]]) -> Rows:
    """The rows, each with the factor it compares, Hedges' g beside Cohen's d, and the least detectable difference."""
    return [{"factor": factor, **row, "hedges_g": find_hedges_g(row), "mde": find_least(row)} for row in rows]


def find_least(row: Mapping[str, Any]) -> float:
    """The difference that 80 % of experiments with this standard error detect, at 5 % and without adjustment."""
    return find_mde(row["se"], row["df"])


def find_hedges_g(row: Mapping[str, Any]) -> float | None:
    """Cohen's d of a contrast without its small-sample bias; none of an odds ratio."""
    if row["effect_kind"] != "d":
        return None
    return row["effect_size"] * (find_hedges_factor(row["df"]) if isfinite(row["df"]) else 1.0)


def has_term(fit: LinearFit, names: Sequence[str]) -> bool:
    """Whether the model has the interaction of these factors."""
    return any(set(term) == set(names) for term in fit.terms)


def is_below(p: float | None, bound: float) -> bool:
    """Whether a p is known and below a bound."""
    return p is not None and p == p and p < bound
