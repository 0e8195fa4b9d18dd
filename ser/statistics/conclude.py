"""From contrasts to decisions and sentences: by rule, from templates, with nothing that was not computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ser.statistics.analyse import Analysis, list_tests
from ser.statistics.checks import NAN

#: A second opinion must point the same way with a p below this.
SECOND_ALPHA = 0.10
SCOPE = {
    "cells": "speakers and trainings like these",
    "runs": "these very test speakers, over repeated training",
    "table": "rows like these",
}
METHODS = {
    "mixed": "a linear mixed model",
    "anova": "an analysis of variance",
    "paired": "a paired comparison",
    "datasets": "ranks over data sets",
    "resampled": "the corrected resampled t test",
}

Rows = list[dict[str, Any]]


def decide(analysis: Analysis) -> Rows:
    """One decision a contrast.

    ``supported``: adjusted p below alpha, the interval beyond the smallest effect of interest, and second opinions of
    the same sign with p < .10. ``sensitive``: a second opinion disagrees. ``small``: different, but not by as much as
    matters. ``equivalent``: within it. ``inconclusive``: none of these.
    """
    rows = []
    for row in analysis.results.get("contrasts", []):
        disagree = [name for name, others in analysis.others.items() if not agrees(row, others)]
        rows.append(
            {
                "factor": row["factor"],
                "contrast": row["contrast"],
                "by": row["by"],
                "decision": name_decision(row, disagree, analysis.settings.alpha),
                "disagreeing": disagree,
            }
        )
    return rows


def name_decision(row: dict[str, Any], disagree: Sequence[str], alpha: float) -> str:
    """The word for a contrast."""
    if not row["estimable"]:
        return "not estimable"
    verdict = row.get("verdict")
    if verdict == "equivalent":
        return "equivalent"
    if row["p_adjusted"] >= alpha:
        return "inconclusive"
    if disagree:
        return "sensitive"
    return "small" if verdict == "different but small" else "supported"


def agrees(row: dict[str, Any], others: Rows) -> bool:
    """Whether a second opinion has the same sign and p < .10; one that does not know the contrast has no say."""
    same = [
        other for other in others if all(other[key] == row[key] for key in ("factor", "contrast", "by"))
    ]  # fmt: skip
    if not same or same[0]["p"] != same[0]["p"]:
        return True
    return same[0]["estimate"] * row["estimate"] > 0 and same[0]["p"] < SECOND_ALPHA


def conclude(analysis: Analysis, decisions: Rows) -> list[str]:
    """What a reader may quote: what differs, by how much, for whom it holds, what was not decided."""
    design, choice = analysis.design, analysis.choice
    if choice.method == "none":
        return [f"Nothing was tested: {choice.reason}."]
    if choice.method == "describe":
        return [f"The scores are described, not tested: {choice.reason}."]
    if choice.method in ("paired", "datasets", "resampled"):
        return conclude_other(analysis)
    pairs = [
        (row, made)
        for row, made in zip(analysis.results["contrasts"], decisions, strict=True)
        if ":" not in row["factor"] and row["by"] is None
    ]
    sentences = [describe_terms(analysis)]
    sentences += [describe_contrast(row, made["decision"], analysis) for row, made in pairs[:12]]
    if len(pairs) > 12:
        sentences.append(f"{len(pairs) - 12} further contrasts are in the table.")
    averaged = sorted(
        {
            row["term"]
            for row in list_tests(analysis.results)
            if ":" in row["term"] and row["p"] < analysis.settings.alpha
        }
    )
    if averaged:
        sentences.append(
            f"Factors of {', '.join(averaged)} interact: differences of one of them are averages over the others; "
            "the simple effects tell more."
        )
    sentences.append(f"This holds for {SCOPE[design.rows]}.")
    return sentences


def describe_terms(analysis: Analysis) -> str:
    """The omnibus tests in one sentence."""
    tests = list_tests(analysis.results)
    named = [f"{row['term']} ({describe_test(row)})" for row in tests]
    kind = METHODS[analysis.choice.method]
    if analysis.results.get("mixed", {}).get("family") == "binomial":
        kind = "a binomial mixed model"
    return f"By {kind} on {len(analysis.design.frame)} rows: {'; '.join(named)}."


def describe_test(row: dict[str, Any]) -> str:
    """F or chi-square, degrees of freedom and p."""
    if row.get("chi2") is not None and row.get("F") is None:
        return f"chi2({row['df']:g}) = {row['chi2']:.2f}, {describe_p(row['p'])}"
    resid = row.get("df_resid", row.get("df_denom", NAN))
    return f"F({row['df']:g}, {resid:.3g}) = {row['F']:.2f}, {describe_p(row['p'])}"


def describe_contrast(row: dict[str, Any], decision: str, analysis: Analysis) -> str:
    """One difference with its interval and what follows."""
    if decision == "not estimable":
        return f"{row['contrast']} cannot be estimated: combinations of levels are missing."
    if row.get("effect_kind") == "odds_ratio":
        size = f"odds ratio {row['effect_size']:.2f} ({row['effect_low']:.2f} to {row['effect_high']:.2f})"
    else:
        size = f"{row['estimate']:+.3f} ({1 - analysis.settings.alpha:.0%} interval {row['ci_low']:+.3f} to {row['ci_high']:+.3f})"
    endings = {
        "supported": "a difference that the data support",
        "small": f"a difference, but not shown to exceed {analysis.settings.sesoi:g}",
        "sensitive": "a difference that other analyses of the same data do not share",
        "equivalent": f"no difference larger than {analysis.settings.sesoi:g}",
        "inconclusive": "neither a difference nor its absence was shown",
    }
    return f"{row['contrast']}: {size}, adjusted {describe_p(row['p_adjusted'])}: {endings[decision]}."


def conclude_other(analysis: Analysis) -> list[str]:
    """Sentences of comparisons that have no model."""
    results, design = analysis.results, analysis.design
    if "paired" in results:
        found = [
            f"{pair['a']} against {pair['b']}: accuracy differs by {pair['mcnemar']['difference']:+.3f}, exact McNemar "
            f"{describe_p(pair['mcnemar']['p_exact'])}."
            for pair in results["paired"]["pairs"]
        ]
        return [*found, "This speaks of these trained models on these clips, not of the recipes that made them."]
    if "ranks" in results:
        ranks = sorted(results["ranks"]["mean_rank"].items(), key=lambda item: item[1])
        order = ", ".join(f"{name} {rank:.2f}" for name, rank in ranks)
        omnibus = results["ranks"]["omnibus"]
        return [f"Mean ranks over data sets (1 is best): {order}; Friedman {describe_p(omnibus['p'])}."]
    return [
        f"{one['a']} - {one['b']}: {one['difference']:+.3f}, corrected {describe_p(one['corrected']['p'])}."
        for one in results["resampled"]
    ] + [f"Rows are folds of {design.table.name}, which share training data; the test corrects for it."]


def describe_p(p: float) -> str:
    """As papers write it."""
    if p != p:
        return "p not defined"
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".")


def list_caveats(analysis: Analysis) -> list[str]:
    """What limits the conclusion: findings of the audit, notes of the model, variances at zero."""
    words = [finding.words for finding in analysis.design.findings if finding.severity != "refuse"]
    return list(dict.fromkeys([*analysis.design.table.notes, *words, *analysis.notes]))


def describe_methods(analysis: Analysis) -> str:
    """A paragraph for a paper."""
    design, settings = analysis.design, analysis.settings
    from importlib.metadata import version

    factors = ", ".join(f"{name} ({len(levels)} levels)" for name, levels in design.factors.items())
    text = f"{design.response} was analysed with {factors or 'no factor'} as fixed effects. "
    if "mixed" in analysis.results:
        fit = analysis.results["mixed"]
        df = "Wald chi-square tests" if fit["family"] == "binomial" else "Satterthwaite degrees of freedom"
        text += (
            f"The model was {fit['formula']} ({fit['method']}; glmm {version('glmm')}), with Type {'I' * fit['type']} "
            f"tests and {df}. "
        )
    elif analysis.results.get("anova"):
        first = analysis.results["anova"][0]
        text += (
            f"Analysis of variance used Type {'I' * first['type']} sums of squares with sum-to-zero contrasts "
            f"(statsmodels {version('statsmodels')}), with HC3 and permutation tests ({settings.draws} draws) beside them. "
        )
    return text + (
        f"Contrasts are of marginal means over a balanced grid; the smallest difference of interest was "
        f"{settings.sesoi:g}, alpha {settings.alpha:g}."
    )
