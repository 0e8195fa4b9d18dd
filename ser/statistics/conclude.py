"""Sentences to quote, caveats and the paragraph on methods: from templates, with nothing that was not computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from ser.statistics.analyse import Analysis
from ser.statistics.decide import MEANINGS
from ser.statistics.families import is_below
from ser.statistics.fitting import list_tests

#: Scores that are told in points, hundredths of what they can be at most.
SHARES = ("uar", "wa", "accuracy", "f1_macro", "recall")
#: Sentences on single contrasts; further ones are only counted.
MOST_CONTRASTS = 6
METHODS = {
    "anova": "an analysis of variance",
    "cluster": "a model with cluster-robust covariances",
    "mixed": "a linear mixed model",
}

Rows = list[dict[str, Any]]


def conclude(analysis: Analysis, decisions: Rows) -> list[str]:
    """What a reader may quote: what differs, by how much, for whom it holds, what was not decided."""
    choice = analysis.choice
    if choice.method == "none":
        return [f"Nothing was tested: {choice.reason}."]
    if choice.method == "describe":
        return [f"The scores are described, not tested: {choice.reason}."]
    sentences = [*tell_terms(analysis), *tell_ranks(analysis)]
    sentences += tell_contrasts(analysis, decisions)
    sentences += [*tell_interactions(analysis), tell_scope(analysis), *tell_detectable(analysis)]
    return [sentence for sentence in sentences if sentence]


# ---- what was tested


def tell_terms(analysis: Analysis) -> list[str]:
    """The tests of terms: what the score depends on, and what was not found to matter."""
    tests = list_tests(analysis.results)
    if not tests:
        return []
    alpha, results = analysis.settings.alpha, analysis.results
    mixed = results.get("mixed") or {}
    kind = "a logit mixed model" if mixed.get("family") == "binomial" else METHODS[analysis.choice.method]
    number = mixed.get("rows", len(analysis.design.frame))
    found = [f"{row['term']} ({describe_test(row)})" for row in tests if is_below(row["p"], alpha)]
    rest = [f"{row['term']} ({describe_test(row)})" for row in tests if not is_below(row["p"], alpha)]
    start = f"By {kind} of {number:,} rows, {analysis.design.response} "
    if not found:
        return [f"{start}was not shown to depend on {join_words(rest)}."]
    return [f"{start}depends on {join_words(found)}{f'; not shown: {join_words(rest)}' if rest else ''}."]


def describe_test(row: Mapping[str, Any]) -> str:
    """F or chi-square, degrees of freedom and p."""
    if row.get("F") is None:
        return f"chi2({row['df']:g}) = {row['chi2']:.2f}, {describe_p(row['p'])}"
    resid = row.get("df_resid", row.get("df_denom"))
    return f"F({row['df']:g}, {resid:.3g}) = {row['F']:.2f}, {describe_p(row['p'])}"


def tell_ranks(analysis: Analysis) -> list[str]:
    """Mean ranks of models over data sets."""
    ranks = analysis.results.get("ranks")
    if not ranks:
        return []
    order = sorted(ranks["mean_rank"].items(), key=lambda item: item[1])
    omnibus = ranks["omnibus"]
    words = ", ".join(f"{name} {rank:.2f}" for name, rank in order)
    return [
        f"Mean ranks over {ranks['n_datasets']} data sets (1 is best): {words}; Friedman chi2({omnibus['df']}) = "
        f"{omnibus['chisq']:.2f}, {describe_p(omnibus['p'])}."
    ]


# ---- single contrasts


def tell_contrasts(analysis: Analysis, decisions: Rows) -> list[str]:
    """Pairs of levels, averaged over other factors: what was found one by one, what was not in one sentence."""
    rows = analysis.results.get("contrasts", [])
    pairs = [
        (row, made["decision"])
        for row, made in zip(rows, decisions, strict=True)
        if row["by"] is None and row["factor"].count(":") == 0
    ]
    told = [(row, word) for row, word in pairs if word not in ("inconclusive", "not estimable")]
    sentences = [tell_contrast(row, word, analysis) for row, word in told[:MOST_CONTRASTS]]
    if len(told) > MOST_CONTRASTS:
        sentences.append(f"{len(told) - MOST_CONTRASTS} further differences are in the table.")
    open_pairs = [(row, word) for row, word in pairs if word == "inconclusive"]
    if 0 < len(open_pairs) <= 2:
        sentences += [tell_contrast(row, word, analysis) for row, word in open_pairs]
    elif open_pairs:
        sentences.append(
            f"{MEANINGS['inconclusive'].capitalize()} of {join_words([n['contrast'] for n, _ in open_pairs])}."
        )
    missing = [row["contrast"] for row, word in pairs if word == "not estimable"]
    return [*sentences, *([f"Not estimable without the missing conditions: {join_words(missing)}."] if missing else [])]


def tell_contrast(row: Mapping[str, Any], word: str, analysis: Analysis) -> str:
    """One difference with its interval and what follows."""
    sesoi = analysis.sesoi
    least = describe_size(sesoi, None, analysis).lstrip("+") if sesoi else ""
    meaning = MEANINGS[word].format(sesoi=least)
    if word == "supported" and row.get("verdict") == "inconclusive":
        meaning += f", though its interval does not exclude less than {least}"
    if row["effect_kind"] == "odds_ratio":
        low, high = row["effect_low"], row["effect_high"]
        sizes = f"odds ratio {row['effect_size']:.2f}, {name_level(analysis)} {low:.2f} to {high:.2f}"
    elif row["ci_low"] is None:
        sizes = describe_size(row["estimate"], row["se"], analysis)
    else:
        size = describe_size(row["estimate"], row["se"], analysis)
        low, high = (describe_size(row[key], row["se"], analysis, False) for key in ("ci_low", "ci_high"))
        sizes = f"{size}, {name_level(analysis)} {low} to {high}"
    return f"{row['factor']}, {row['contrast']}: {sizes}, adjusted {describe_p(row['p_adjusted'])}: {meaning}."


def name_level(analysis: Analysis) -> str:
    """``95 % interval``."""
    return f"{100 * (1 - analysis.settings.alpha):g} % interval"


def describe_size(value: float, se: float | None, analysis: Analysis, unit: bool = True) -> str:
    """A difference: shares of correct answers in points, others with two digits of their standard error."""
    if analysis.design.response.partition("/")[0] in SHARES:
        return f"{100 * value:+.1f}{' points' if unit else ''}"
    if se is None or not se > 0:
        return f"{value:+.3g}"
    return f"{value:+.{choose_decimals(se)}f}"


def choose_decimals(se: float) -> int:
    """Decimals that show two digits of a standard error."""
    return next((places for places in range(7) if se * 10**places >= 10), 6)


# ---- what limits it


def tell_interactions(analysis: Analysis) -> list[str]:
    """Which factors interact, so that differences of one of them are averages."""
    found = [row["term"] for row in list_tests(analysis.results) if ":" in row["term"]]
    tests = {row["term"]: row["p"] for row in list_tests(analysis.results)}
    averaged = [term for term in found if is_below(tests[term], analysis.settings.alpha)]
    if not averaged:
        return []
    return [
        f"As {join_words(averaged)} interact, a difference of one of these factors is an average over the others; the "
        "simple effects tell more."
    ]


def tell_scope(analysis: Analysis) -> str:
    """For whom the statement holds."""
    design, method = analysis.design, analysis.choice.method
    if method == "paired":
        return "This speaks of these trained models on these clips, not of the recipes that made them."
    if method == "datasets":
        return "This holds for data sets like these."
    if method == "resampled":
        return (
            "This holds for training on parts of these data; folds share training data, and the test corrects for it."
        )
    if design.rows == "cells":
        repeated = design.n_seeds > 1 or any(design.unit in term for term in design.random)
        return "This holds for speakers and trainings like these." if repeated else (
            "This holds for speakers like these, and for these very trained models."
        )  # fmt: skip
    if design.rows == "runs":
        return "This holds for training again, on these very test speakers."
    groups = list(dict.fromkeys(name for term in design.random for name in term if name not in design.factors))
    if method == "mixed" and groups:
        return f"This holds beyond the table for {join_words(groups)}, as far as those in it are a sample of them."
    return "This holds for more rows of the same conditions, and for nothing else that the rows share."


def tell_detectable(analysis: Analysis) -> list[str]:
    """The least differences that such an experiment detects, a factor."""
    found: dict[str, float] = {}
    for row in analysis.results.get("contrasts", []):
        if (
            row["by"] is None
            and row.get("mde")
            and row["effect_kind"] == "d"
            and row["factor"] in analysis.design.factors
        ):
            found[row["factor"]] = max(row["mde"], found.get(row["factor"], 0.0))
    if not found:
        return []
    sizes = [f"{describe_size(mde, mde, analysis).lstrip('+')} ({factor})" for factor, mde in found.items()]
    return [
        f"Such an experiment detects differences of {join_words(sizes)} in four of five cases, smaller ones less often."
    ]


def list_caveats(analysis: Analysis) -> list[str]:
    """What limits the conclusion: findings of the audit, notes of the model, variances at zero."""
    harmless = {("note", kind) for kind in ("unused", "within", "seed_label", "duplicates")}
    if analysis.choice.method in ("paired", "datasets", "resampled"):  # which know what their rows share
        harmless.add(("warn", "pseudo_replication"))
    if analysis.choice.method == "mixed":  # of covariates, or of random terms only
        harmless.add(("warn", "no_factor"))
    findings = [own for own in analysis.design.findings if own.severity != "refuse"]
    words = [own.words for own in findings if (own.severity, own.kind) not in harmless]
    return list(dict.fromkeys([*analysis.design.table.notes, *words, *analysis.notes]))


# ---- methods


def describe_methods(analysis: Analysis) -> str:
    """A paragraph for a paper."""
    design, settings, results = analysis.design, analysis.settings, analysis.results
    factors = join_words([f"{name} ({len(levels)} levels)" for name, levels in design.factors.items()])
    parts = [f"{design.response} of {len(design.frame):,} rows was compared by {factors or 'no factor'}."]
    if results.get("mixed"):
        fit = results["mixed"]
        df = "Wald chi-square tests" if fit["family"] == "binomial" else "F tests with Satterthwaite degrees of freedom"
        parts.append(
            f"A {'logit ' if fit['family'] == 'binomial' else ''}mixed model, {fit['formula']}, was fitted by "
            f"{fit['method']} (glmm {version('glmm')}) from two starts. Terms were tested by Type {'I' * fit['type']} "
            f"{df}."
        )
    elif results.get("anova"):
        own = results["anova"][0]
        parts.append(
            f"An analysis of variance, {own['formula']}, used Type {'I' * own['type']} sums of squares and sum-to-zero "
            f"coding, with HC3 tests and Freedman–Lane permutations ({settings.draws:,} draws) beside them."
        )
    elif results.get("cluster"):
        own = results["cluster"][0]
        parts.append(
            f"A model of independent rows, {own['formula']}, was given {own['correction']} covariances clustered by "
            f"{own['cluster']}, with Satterthwaite degrees of freedom and Hotelling's T² (HTZ)."
        )
    parts += name_comparison(results)
    if results.get("means"):
        parts.append(f"Contrasts are of marginal means over a balanced grid, adjusted by {name_adjustments(results)}.")
    small = f"; the smallest difference of interest was {analysis.sesoi:g}" if analysis.sesoi else ""
    return " ".join([*parts, f"The level was {settings.alpha:g}{small}."])


def name_comparison(results: Mapping[str, Any]) -> list[str]:
    """The comparison without a model, in a sentence."""
    names = {
        "paired": "Models were compared pair by pair on the same clips by exact McNemar tests with Holm's adjustment, "
        "and over speakers by bootstrap and sign flips.",
        "ranks": "Models were ranked within data sets (Friedman, Iman–Davenport) and compared by Wilcoxon's "
        "signed-rank tests with Holm's adjustment.",
        "resampled": "Models were compared by the resampled t test of Nadeau and Bengio, which corrects for training "
        "data that folds share.",
    }
    return [words for key, words in names.items() if results.get(key)]


def name_adjustments(results: Mapping[str, Any]) -> str:
    """The adjustments of p values."""
    names = {"tukey": "Tukey", "holm": "Holm", "bh": "Benjamini–Hochberg", "by": "Benjamini–Yekutieli"}
    known = dict.fromkeys(row["adjust"] for row in results.get("contrasts", []))
    return join_words([names.get(name, str(name).capitalize()) for name in known]) or "nothing"


# ---- words


def describe_p(p: float | None) -> str:
    """As papers write it."""
    if p is None or p != p:
        return "p not defined"
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".")


def join_words(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))
