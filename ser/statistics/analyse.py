"""The analysis of a design: the model it calls for, marginal means and contrasts from it, and a second opinion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any

import pandas as pd

from ser.errors import InputError
from ser.statistics.anova import AnovaTable, analyse_variance
from ser.statistics.baseline import compare_baseline
from ser.statistics.checks import check_residuals
from ser.statistics.choose import DATASET_COLUMNS, Choice, check_method, choose_method
from ser.statistics.design import Design, describe_design
from ser.statistics.linear import LinearFit
from ser.statistics.means import contrast_baseline, contrast_differences, contrast_pairs, estimate_means
from ser.statistics.mixed import MixedFit, fit_formula, fit_mixed
from ser.statistics.likelihood import tabulate_ratio_tests
from ser.statistics.paired import compare_predictions
from ser.statistics.ranks import analyse_ranks
from ser.statistics.resampled import compare_resampled, find_ratio
from ser.statistics.settings import Settings
from ser.statistics.tables import Table

#: An interaction with a p below this has simple effects shown (stats design: shown, not tested by it).
SHOWN = 0.10
#: Rows up to which likelihood-ratio tests refit a mixed model.
MOST_REFITS = 5000
#: Up to so many factors all interactions are in the model, unless the user says otherwise.
MOST_CROSSED = 3
#: Speakers whose numbers of clips differ by more than this factor weigh by them.
UNEVEN = 3.0

Rows = list[dict[str, Any]]


@dataclass
class Analysis:
    """What was found.

    Attributes:
        design: what was analysed; choice: how, and why.
        settings: the user's.
        results: parts of ``statistics.json`` by key.
        fit: the primary model, ``None`` where there is none.
        others: second opinions: name → their contrasts.
        notes: what a reader must know, in words.
    """

    design: Design
    choice: Choice
    settings: Settings
    results: dict[str, Any] = field(default_factory=dict)
    fit: LinearFit | None = None
    others: dict[str, Rows] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def analyse(table: Table, design: Design, settings: Settings) -> Analysis:
    """Analyse a design.

    Args:
        table: what the design was read from.
        design: from :func:`ser.statistics.design.describe_design`.
        settings: the user's.

    Raises:
        InputError: a method that the rows do not bear.
    """
    choice = choose_method(design)
    if settings.method != "auto":
        check_method(design, settings.method)
        choice = Choice(settings.method, "asked for by statistics.method")
    elif settings.formula and choice.method != "none":
        choice = Choice("mixed", "statistics.formula names the model")
    analysis = Analysis(design, choice, settings)
    analysis.results["descriptives"] = design.counts.to_dict("records")
    run: Mapping[str, Callable[[Analysis], None]] = {
        "anova": analyse_by_anova,
        "mixed": analyse_by_model,
        "paired": lambda own: analyse_pairs(own, table),
        "datasets": analyse_datasets,
        "resampled": analyse_folds,
    }
    if choice.method in run:
        run[choice.method](analysis)
    if analysis.fit is not None:
        add_contrasts(analysis, analysis.fit)
        add_second_opinions(analysis, table)
    return analysis


# ---- one method each


def analyse_by_anova(analysis: Analysis) -> None:
    """Analysis of variance on rows that are independent, or alike within blocks."""
    design, settings = analysis.design, analysis.settings
    tables = tabulate_anova(design, settings)
    analysis.results["anova"] = [describe_anova(own) for own in tables]
    analysis.fit = tables[0].fit
    analysis.results["checks"] = [check._asdict() for check in check_residuals(tables[0].fit)]
    analysis.notes += [note for own in tables for note in own.notes]


def tabulate_anova(design: Design, settings: Settings) -> list[AnovaTable]:
    """ANOVA tables of a design; of a balanced one both types, which agree."""
    tables = analyse_variance(
        design.frame,
        design.response,
        list(design.factors),
        interactions=settings.interactions or (len(design.factors) if len(design.factors) <= MOST_CROSSED else None),
        blocks=[name for name in design.blocks if name in design.frame],
        kind=settings.anova_type,
        draws=settings.draws,
        seed=settings.seed,
        alpha=settings.alpha,
    )
    alone = settings.anova_type is None and len(tables) == 1 and tables[0].type == 2
    return [tables[0], replace(tables[0], type=3)] if alone and tables[0].scope == "full" else tables


def describe_anova(table: AnovaTable) -> dict[str, Any]:
    """As plain values."""
    return {
        "type": table.type,
        "formula": table.formula,
        "scope": table.scope,
        "terms": table.terms,
        "notes": table.notes,
    }


def analyse_by_model(analysis: Analysis) -> None:
    """A mixed model on rows that share units, speakers or blocks."""
    fit = fit_model(analysis.design, analysis.settings)
    analysis.results["mixed"] = describe_model(fit, analysis.settings.anova_type or 2)
    analysis.fit = fit
    analysis.notes += fit.notes


def fit_model(design: Design, settings: Settings) -> MixedFit:
    """The mixed model that the design implies, or the user's formula."""
    options: dict[str, Any] = {"family": settings.family, "trials": settings.trials}
    if settings.formula:
        return fit_formula(design.frame, settings.formula, factors=list(design.factors), **options)
    if not design.random:
        raise InputError(
            "statistics.method=mixed: no groups of rows are known",
            expected="columns of runs, seeds, folds or speakers whose rows are alike",
            remedy="name them: random=[speaker,run]",
        )
    clips = design.frame["n"] if design.rows == "cells" else pd.Series([1])
    weights = "n" if settings.family == "gaussian" and clips.max() > UNEVEN * clips.min() else None
    return fit_mixed(
        design.frame,
        design.response,
        list(design.factors),
        list(design.random),
        terms=list_terms(list(design.factors), settings.interactions),
        weights=weights,
        **options,
    )


def list_terms(factors: Sequence[str], order: int | None) -> list[tuple[str, ...]]:
    """All terms up to an order: by default all of up to three factors, and pairs of more."""
    highest = order or (len(factors) if len(factors) <= MOST_CROSSED else 2)
    return [term for size in range(1, highest + 1) for term in combinations(factors, size)]


def describe_model(fit: MixedFit, kind: int) -> dict[str, Any]:
    """As plain values, with likelihood-ratio tests where refitting is cheap."""
    ratio = tabulate_ratio_tests(fit) if fit.rows <= MOST_REFITS and fit.converged else []
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
        "tests": fit.tabulate_tests(kind),
        "ratio_tests": ratio,
        "dropped": fit.dropped,
        "notes": fit.notes,
    }


def analyse_pairs(analysis: Analysis, table: Table) -> None:
    """Two or more models, each trained once, on the clips that all of them were given."""
    design, settings = analysis.design, analysis.settings
    factor = find_only_factor(design, "paired")
    rows = table.runs if table.tidy else table.predictions
    clip = next((name for name in ("utterance", "utterance_id", "clip") if name in rows), None)
    if clip is None or "correct" not in rows:
        raise InputError(
            f"statistics.method=paired: {table.name} has no clips",
            expected="columns correct (0 or 1) and utterance, or runs whose predictions are left",
        )
    keys = [clip, *(["speaker"] if "speaker" in rows else [])]
    wide = rows.pivot_table(index=keys, columns=factor, values="correct", aggfunc="first").dropna().reset_index()
    models = list(design.factors[factor])
    compared = compare_predictions(
        wide, models, "speaker" if "speaker" in wide else None, settings.seed, 1 - settings.alpha
    )
    analysis.results["paired"] = compared.describe()


def analyse_datasets(analysis: Analysis) -> None:
    """Ranks of models over data sets."""
    wide, models = spread_models(analysis.design)
    analysis.results["ranks"] = analyse_ranks(wide, models, alpha=analysis.settings.alpha).describe()


def analyse_folds(analysis: Analysis) -> None:
    """Scores of folds, whose training data overlap."""
    wide, models = spread_models(analysis.design)
    repeats = wide["repetition"].to_numpy() if "repetition" in wide else None
    folds = len(wide) if repeats is None else int(wide.groupby("repetition").size().max())
    analysis.results["resampled"] = [
        compare_resampled(
            wide[one].to_numpy(float),
            wide[other].to_numpy(float),
            find_ratio(folds=folds),
            repeats,
            names=(one, other),
            level=1 - analysis.settings.alpha,
        ).describe()
        for one, other in combinations(models, 2)
    ]


def spread_models(design: Design) -> tuple[pd.DataFrame, list[str]]:
    """One column a model and one row a data set or fold."""
    rows = [name for name in (*DATASET_COLUMNS, "repetition", "fold") if name in design.frame]
    models = [name for name in design.factors if name not in rows]
    rows += [
        name for name in models[1:] if models[0] == "model"
    ]  # the other factors of a wide table tell its rows apart
    if (len(models) > 1 and models[0] != "model") or not models or not rows:
        raise InputError(
            f"{', '.join(design.factors)}: which of them names models, and which data sets or folds?",
            expected=f"one factor that names models, and a column {', '.join(DATASET_COLUMNS[1:])} or fold",
            remedy="pass factors=[…], or score=[one column a model] for a wide table",
        )
    wide = design.frame.pivot_table(index=rows, columns=models[0], values=design.response).dropna().reset_index()
    return wide, design.factors[models[0]]


def find_only_factor(design: Design, method: str) -> str:
    """The factor of a design with one."""
    if len(design.factors) != 1:
        raise InputError(
            f"statistics.method={method}: compares the levels of one factor",
            expected=f"one of {', '.join(design.factors)}",
            remedy="pass factors=[…]",
        )
    return next(iter(design.factors))


# ---- means and contrasts


def add_contrasts(analysis: Analysis, fit: LinearFit) -> None:
    """Marginal means and contrasts of a model; simple effects where factors may interact."""
    factors = list(fit.factors)
    families = [[name] for name in factors] + ([factors] if 1 < len(factors) <= 3 else [])
    analysis.results["means"] = [
        {"factors": ":".join(names), **row} for names in families for row in estimate_means(fit, names)
    ]
    analysis.results["contrasts"] = contrast_factors(analysis, fit)
    baseline = analysis.settings.baseline
    if baseline and isinstance(analysis.design.frame.get(analysis.design.response), pd.Series):
        analysis.results["baseline"] = compare_with_baseline(analysis.design, baseline)


def contrast_factors(analysis: Analysis, fit: LinearFit) -> Rows:
    """Pairs of every factor, within the levels of others that it may interact with, and differences of differences."""
    settings = analysis.settings
    factors = [name for name in fit.factors if len(fit.factors[name]) > 1]
    rows: Rows = []
    for factor in factors:
        rows += label(factor, contrast_levels(fit, factor, None, settings))
        for partner in factors:
            if partner != factor and interacts(analysis, factor, partner):
                rows += label(factor, contrast_levels(fit, factor, partner, settings))
    for first, second in combinations(factors, 2):
        if interacts(analysis, first, second):
            made = contrast_differences(fit, first, second, adjust="holm", sesoi=settings.sesoi)
            rows += label(f"{first}:{second}", made)
    return rows


def contrast_levels(fit: LinearFit, factor: str, by: str | None, settings: Settings) -> Rows:
    """All pairs of a factor's levels, or all against the baseline."""
    level, sesoi = 1 - settings.alpha, settings.sesoi
    if settings.baseline in fit.factors[factor]:
        adjust = "dunnett" if settings.adjust == "auto" else settings.adjust
        return contrast_baseline(fit, factor, str(settings.baseline), by, adjust, level, sesoi)
    adjust = "tukey" if settings.adjust == "auto" else settings.adjust
    return contrast_pairs(fit, factor, by, adjust, level, sesoi)


def label(factor: str, rows: Rows) -> Rows:
    """The rows, each with the factor it compares."""
    return [{"factor": factor, **row} for row in rows]


def interacts(analysis: Analysis, first: str, second: str) -> bool:
    """Whether an interaction of two factors is near enough to show."""
    return any(
        {first, second} <= set(row["term"].split(":")) and row["p"] < SHOWN for row in list_tests(analysis.results)
    )


def list_tests(results: Mapping[str, Any]) -> Rows:
    """Tests of terms in the primary model."""
    if "mixed" in results:
        return results["mixed"]["tests"]
    return results["anova"][0]["terms"] if results.get("anova") else []


def compare_with_baseline(design: Design, baseline: str) -> Rows:
    """Rank tests against one level, as published studies do; beside the model's contrasts, with their warning."""
    found = []
    for factor, levels in design.factors.items():
        if baseline in levels:
            scores = {level: rows[design.response].to_numpy(float) for level, rows in design.frame.groupby(factor)}
            compared = compare_baseline(scores, baseline, "mann-whitney")  # type: ignore[arg-type]
            found.append({"factor": factor, **compared.describe()})
    return found


# ---- second opinions


def add_second_opinions(analysis: Analysis, table: Table) -> None:
    """The same contrasts from other models; a conclusion that they do not share is called sensitive."""
    design, settings = analysis.design, analysis.settings
    opinions: dict[str, Callable[[], LinearFit]] = {}
    if design.rows == "cells" and analysis.choice.method == "mixed":
        if design.n_seeds > 1 and not table.tidy:
            opinions["runs"] = lambda: fit_runs(table, design, settings)
        if {"n", "n_correct"} <= set(design.frame):
            opinions["clips"] = lambda: fit_mixed(
                design.frame, "n_correct", list(design.factors), list(design.random),
                terms=list_terms(list(design.factors), settings.interactions), family="binomial", trials="n",
            )  # fmt: skip
    for name, fit in opinions.items():
        try:
            found = fit()
        except InputError as error:
            analysis.notes.append(f"no second opinion from {name}: {str(error).partition(chr(10))[0]}")
            continue
        analysis.others[name] = contrast_factors(analysis, found)
        analysis.results.setdefault("sensitivity", {})[name] = summarise_fit(found, settings)
    if analysis.others:
        analysis.results["sensitivity_contrasts"] = analysis.others


def fit_runs(table: Table, design: Design, settings: Settings) -> LinearFit:
    """The model of whole runs: analysis of variance, or a mixed model where a factor varies within runs."""
    runs = describe_design(table, "", list(design.factors), rows="runs")
    if choose_method(runs).method == "mixed":
        return fit_model(runs, replace(settings, formula=None))
    return tabulate_anova(runs, settings)[0].fit


def summarise_fit(fit: LinearFit, settings: Settings) -> dict[str, Any]:
    """Formula and tests of a second model."""
    kind = settings.anova_type or 2
    if isinstance(fit, MixedFit):
        return {"formula": fit.formula, "converged": fit.converged, "tests": fit.tabulate_tests(kind)}
    from ser.statistics.linear import tabulate_terms

    return {"formula": fit.formula, "tests": tabulate_terms(fit, kind)}


def describe_settings(settings: Settings) -> dict[str, Any]:
    """As plain values."""
    return asdict(settings)
