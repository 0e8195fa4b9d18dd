"""The analysis of a design: the model it calls for, what that says of every comparison, and second opinions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ser.errors import InputError
from ser.statistics.checks import check_normality, check_residuals
from ser.statistics.choose import DATASETS, Choice, check_method, choose_method, find_shared
from ser.statistics.cluster import ClusterFit, fit_cluster, fit_gee, tabulate_tests
from ser.statistics.comparisons import (
    MODEL,
    Found,
    compare_clips,
    compare_folds,
    compare_over_datasets,
    compare_with_baseline,
    has_models,
)
from ser.statistics.design import Design
from ser.statistics.families import Family, list_contrasts, list_families, list_means, list_simple_effects
from ser.statistics.figures.fitted import add_residuals
from ser.statistics.fitting import (
    FitFailed,
    describe_anova,
    describe_model,
    fit_model,
    fit_shares,
    list_tests,
    tabulate_anova,
)
from ser.statistics.formula import read_formula
from ser.statistics.linear import LinearFit
from ser.statistics.observations import choose_observations, list_terms
from ser.statistics.ols import OlsFit
from ser.statistics.opinions import gather_opinions
from ser.statistics.roles import FOLDS
from ser.statistics.settings import CLUSTER, Settings, find_sesoi

__all__ = ["Analysis", "analyse", "fit_model"]

#: Rows beyond the conditions that an analysis of variance of a table needs at least.
FEW_ROWS = 5

Rows = list[dict[str, Any]]


@dataclass
class Analysis:
    """What was found.

    Attributes:
        design: what was analysed; choice: how, and why.
        settings: the user's; sesoi: the smallest difference of interest, None where there is none.
        results: parts of ``statistics.json`` by key.
        fit: the primary model, None where there is none.
        others: second opinions: name → their contrasts.
        notes: what a reader must know, in words.
    """

    design: Design
    choice: Choice
    settings: Settings
    sesoi: float | None = None
    results: dict[str, Any] = field(default_factory=dict)
    fit: LinearFit | None = None
    others: dict[str, Rows] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def analyse(design: Design, settings: Settings, random: Sequence[str] = (), choice: Choice | None = None) -> Analysis:
    """Analyse a design.

    Args:
        design: from :func:`ser.statistics.design.describe_design`.
        settings: the user's.
        random: the random terms that the user named, if any; a mixed model then has exactly these.
        choice: of the method; by default :func:`choose`.

    Raises:
        InputError: a method that the rows do not bear.
    """
    analysis = Analysis(design, choice or choose(design, settings, random), settings)
    analysis.sesoi = find_sesoi(settings, design.frame[design.response])
    analysis.results["descriptives"] = design.counts.to_dict("records")
    run: Mapping[str, Callable[[], None]] = {
        "anova": lambda: analyse_by_anova(analysis, random),
        "mixed": lambda: analyse_by_model(analysis),
        "cluster": lambda: analyse_by_cluster(analysis),
        "paired": lambda: add_found(analysis, compare_clips(design, settings)),
        "datasets": lambda: add_found(analysis, compare_over_datasets(design, settings)),
        "resampled": lambda: add_found(analysis, compare_folds(design, settings)),
    }
    if analysis.choice.method in run:
        run[analysis.choice.method]()
        if settings.baseline is not None:
            analysis.results["baseline"] = compare_with_baseline(design, str(settings.baseline))
    return analysis


def choose(design: Design, settings: Settings, random: Sequence[str] = ()) -> Choice:
    """The method that the user asks for or implies, else that of the design.

    Raises:
        InputError: a method that the rows do not bear, or that contradicts the formula.
    """
    formula, method = read_formula(settings.formula) if settings.formula else None, settings.method
    if formula:
        implied = "mixed" if formula.random else "anova"
        if method not in ("auto", implied):
            raise InputError(
                f"statistics.method={method}: statistics.formula names another model",
                expected=f"a formula with{'out' if formula.random else ''} random terms, or no statistics.method",
            )
        check_method(design, implied)
        return Choice(implied, "statistics.formula names the model")
    if method != "auto":
        if method != CLUSTER:
            check_method(design, method)
        return Choice(method, f"statistics.method={method} asks for it")
    if random and not design.refused:
        return Choice("mixed", f"random=[{','.join(random)}] names what rows share")
    if has_models(design) and not design.refused:
        return choose_for_models(design)
    choice = choose_method(design)
    return choose_for_rows(design) if choice.method == "describe" and bears_anova(design) else choice


def choose_for_models(design: Design) -> Choice:
    """The method where every model has a column of scores, and rows are clips, folds or data sets."""
    names = {str(name).lower() for name in design.frame}
    if design.frame[design.response].isin((0, 1)).all():
        return Choice("paired", "right and wrong answers of models to the same clips: pair by pair")
    if names & set(FOLDS):
        words = "scores of folds without predictions: folds share training data, so the resampled t test is corrected"
        return Choice("resampled", words)
    sets = max((len(levels) for name, levels in design.factors.items() if name != MODEL), default=0)
    if sets >= DATASETS:
        return Choice("datasets", f"one score a model on {sets} data sets: ranks within data sets")
    return choose_method(design)


def bears_anova(design: Design) -> bool:
    """Whether a table of independent rows leaves enough of them to tell chance, however few some condition has."""
    known = int((design.counts["n_rows"] > 0).sum())
    independent = design.rows == "table" and not design.random and not design.within and not find_shared(design)
    return bool(design.factors) and independent and len(design.frame) - known >= FEW_ROWS


def choose_for_rows(design: Design) -> Choice:
    """Analysis of variance of few rows a condition."""
    fewest = int(design.counts["n_rows"].min())
    return Choice("anova", f"every row is independent, though some condition has {fewest}: analysis of variance")


# ---- one method each


def analyse_by_anova(analysis: Analysis, random: Sequence[str]) -> None:
    """Analysis of variance on rows that are independent, or alike within blocks."""
    design, settings = analysis.design, analysis.settings
    crossed = [name for name in random if ":" in name]
    if crossed:
        raise InputError(
            f"statistics.method=anova: random=[{crossed[0]}] is no block", remedy="use statistics.method=mixed"
        )
    tables = tabulate_anova(design, settings, random)
    fit = tables[0].fit
    analysis.fit = fit
    analysis.results["anova"] = [describe_anova(own) for own in tables]
    analysis.results["checks"] = [check._asdict() for check in check_residuals(fit)]
    if not fit.balanced:  # that all types of tests agree is no caveat
        analysis.notes += [note for own in tables for note in own.notes]
    families = add_comparisons(analysis, fit)
    lower = next((own.fit for own in tables if own.scope == "lower order"), None)
    if lower is not None:
        replace_missing(analysis, lower, families)
    add_opinions(analysis, fit, families)


def analyse_by_model(analysis: Analysis) -> None:
    """A mixed model on rows that share units, speakers or blocks; a linear one where a logit model has no fit."""
    design, settings = analysis.design, analysis.settings
    try:
        fit = fit_model(design, settings)
    except FitFailed as error:
        if not settings.binomial or settings.formula:
            raise
        fit = fit_shares(design, settings)
        analysis.notes.append(f"logit model: {str(error).partition(chr(10))[0]}; a linear model of shares stands in")
    analysis.fit = fit
    analysis.results["mixed"] = describe_model(fit, analysis.settings.anova_type or 2)
    analysis.notes += analysis.results["mixed"]["notes"]
    if not fit.converged:
        analysis.notes.append("the mixed model did not converge: its numbers are no result")
    residuals = add_residuals(fit.problem.table, fit)
    if "residual" in residuals:
        check = check_normality(residuals["residual"].to_numpy(float))
        analysis.results["checks"] = [check._asdict()]
    add_opinions(analysis, fit, add_comparisons(analysis, fit))


def analyse_by_cluster(analysis: Analysis) -> None:
    """A model of independent rows with covariances that are robust to what rows of one speaker share."""
    design, settings = analysis.design, analysis.settings
    own = choose_observations(design, replace(settings, family="gaussian", trials=None))
    single = [term[0] for term in design.random if len(term) == 1]
    cluster = single[0] if single else design.speaker
    if not cluster:
        raise InputError(
            "statistics.method=cluster: no clusters are known", remedy="name a column, such as random=[speaker]"
        )
    answers = own.frame[own.response].isin((0, 1)).all()
    terms = list_terms(design, settings)
    fits = [fit_cluster(own.frame, own.response, list(design.factors), cluster, terms)]
    if answers:
        fits.append(fit_cluster(own.frame, own.response, list(design.factors), cluster, terms, link="logit"))
        fits.append(fit_gee(own.frame, own.response, list(design.factors), cluster, terms))
    kind = settings.anova_type or 2
    analysis.results["cluster"] = [describe_cluster(fit, kind) for fit in fits]
    analysis.fit = fits[1] if answers and settings.binomial else fits[0]
    analysis.notes += fits[0].notes
    if len(design.random) > 1:
        analysis.notes.append(f"clusters are those of {cluster} only: what other groups share is ignored")
    add_comparisons(analysis, analysis.fit)


def describe_cluster(fit: ClusterFit, kind: int) -> dict[str, Any]:
    """As plain values, with tests of the type asked for."""
    return {**fit.describe(), "type": kind, "tests": tabulate_tests(fit, kind)}


def add_found(analysis: Analysis, found: Found) -> None:
    """The results of a comparison without a model."""
    analysis.results |= {**found.results, "contrasts": found.contrasts}
    analysis.notes += found.notes


# ---- means, contrasts, second opinions


def add_comparisons(analysis: Analysis, fit: LinearFit) -> list[Family]:
    """Marginal means and contrasts of a model; returns what was compared within what."""
    settings, results = analysis.settings, analysis.results
    unknown = [name for name in settings.by if name not in fit.factors]
    if unknown:
        raise InputError(f"statistics.by: {unknown[0]} is no factor", expected=", ".join(fit.factors))
    families = list_families(fit, list_tests(results), settings.by)
    results["means"] = list_means(fit, families, 1 - settings.alpha)
    results["contrasts"] = list_contrasts(fit, families, settings, analysis.sesoi)
    results["simple_effects"] = list_simple_effects(fit, families)
    return families


def replace_missing(analysis: Analysis, lower: OlsFit, families: Sequence[Family]) -> None:
    """Families of contrasts that need missing combinations, from the model without these interactions."""
    results = analysis.results
    for factor, by in families:
        inside = [row for row in results["contrasts"] if row["factor"] == factor and set(row["by"] or ()) == set(by)]
        if by or all(row["estimable"] for row in inside):
            continue
        rows = list_contrasts(lower, [(factor, ())], replace(analysis.settings, contrasts={}), analysis.sesoi)
        place = results["contrasts"].index(inside[0])
        kept = [row for row in results["contrasts"] if row not in inside]
        results["contrasts"] = [*kept[:place], *({**row, "scope": "lower order"} for row in rows), *kept[place:]]


def add_opinions(analysis: Analysis, fit: LinearFit, families: list[Family]) -> None:
    """The same contrasts by other models of the data."""
    found = gather_opinions(analysis.design, analysis.choice.method, fit, families, analysis.settings, analysis.sesoi)
    analysis.others = found.contrasts
    analysis.notes += found.notes
    if found.contrasts:
        analysis.results |= {"sensitivity": found.models, "sensitivity_contrasts": found.contrasts}


def describe_settings(analysis: Analysis) -> dict[str, Any]:
    """The settings as plain values, with the smallest difference of interest that was used."""
    return {**asdict(analysis.settings), "sesoi": analysis.sesoi}
