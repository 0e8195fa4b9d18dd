"""Runs `ser stats` as its user does, in this process, and holds statistics.json against R's answers."""

import json

import numpy as np
from reference_tools import check_means, check_pairs, close, find_cell, find_folder

from ser.cli import main


def run_stats(folder, *arguments):
    """The results of `ser stats <arguments>`; asserts that it ends well."""
    assert main(["stats", *map(str, arguments), f"hydra.run.dir={folder}"]) == 0
    return json.loads((folder / "statistics.json").read_text())


def refuse_stats(capsys, *arguments):
    """What `ser stats <arguments>` says when it ends with 2."""
    assert main(["stats", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def analyse_reference(folder, data, *arguments, **settings):
    """The same of a reference data set; settings are those of the group statistics."""
    own = [f"statistics.{name}={value}" for name, value in {"draws": 0, **settings}.items()]
    return run_stats(folder, f"table={find_folder('data', data + '.csv')}", *arguments, *own)


def restore(row, *names):
    """A row with the NaN for which JSON has null."""
    return {**row, **{name: np.nan for name in names if row[name] is None}}


# ---- analysis of variance


def check_anova(table, expected):
    """One table of statistics.json against car's, with effect sizes and HC3."""
    kind = table["type"]
    key = "type2" if kind == 2 else "type3_sum_contrasts"
    wanted = {row["term"]: row for row in expected[key] if row["term"] != "(Intercept)"}
    residual = wanted.pop("Residuals")
    assert {row["term"] for row in table["terms"]} == set(wanted)
    assert table["df_resid"] == residual["Df"] and close(table["sum_sq_resid"], residual["Sum Sq"], 1e-7)
    effects = {row["term"]: row for row in expected[f"effects_type{kind}"]}
    robust = {row["term"]: row for row in expected.get(f"type{kind}_hc3", [])}
    for row in table["terms"]:
        want, effect = wanted[row["term"]], effects[row["term"]]
        assert row["df"] == want["Df"] and row["df_resid"] == residual["Df"]
        for name, other in (("sum_sq", "Sum Sq"), ("F", "F value"), ("p", "Pr(>F)")):
            assert close(row[name], want[other], 1e-7, 1e-14), (row, want)
        assert close(row["partial_eta_sq"], effect["partial_eta2"], 1e-7)
        assert close(row["omega_sq"], effect["partial_omega2"], 1e-6, 1e-9)
        assert close(row["partial_eta_sq_low"], effect["partial_eta2_ci90_low"], 1e-6, 1e-7)
        # R searches its upper limits coarsely; tests/statistics/test_effects.py checks ours exactly.
        assert close(row["partial_eta_sq_high"], effect["partial_eta2_ci90_high"], 5e-3, 1e-6)
        if robust:
            assert close(row["F_hc3"], robust[row["term"]]["F"], 1e-6)
            assert close(row["p_hc3"], robust[row["term"]]["Pr(>F)"], 1e-6, 1e-14)


def check_checks(statistics, expected):
    found = {row["check"]: row for row in statistics["checks"]}
    want = expected["checks"]
    assert close(found["shapiro_residuals"]["statistic"], want["shapiro_residuals"]["W"], 1e-4)
    assert close(found["shapiro_residuals"]["p"], want["shapiro_residuals"]["p"], 1e-4, 1e-6)
    for name in ("brown_forsythe_cells", "levene_mean_cells"):
        assert close(found[name]["statistic"], want[name]["F"], 1e-7) and close(found[name]["p"], want[name]["p"], 1e-7)
    for name, other in (("bartlett_cells", "K2"), ("breusch_pagan_fitted", "chisq")):
        assert close(found[name]["statistic"], want[name][other], 1e-7) and close(
            found[name]["p"], want[name]["p"], 1e-7
        )
    for name in ("max_abs_studentized", "max_cooks"):
        assert close(found[name]["statistic"], want[name], 1e-7)


# ---- mixed models


def check_model(mixed, expected, criterion="reml"):
    """Log-likelihood, coefficients and standard deviations against lme4's."""
    want = expected[criterion]
    gaussian = criterion in ("reml", "ml")
    assert mixed["converged"] and mixed["singular"] == want["singular"]
    assert mixed["loglik"] > want["loglik"] - (1e-5 if gaussian else 1e-4)
    assert all(close(mixed[name], want[name], 0, 2e-3) for name in ("loglik", "aic", "bic"))
    errors = want["se" if gaussian else "se_hessian"]
    assert {row["term"] for row in mixed["fixed"]} == set(want["fixef"])
    for row in mixed["fixed"]:
        se = errors[row["term"]]
        assert close(row["estimate"], want["fixef"][row["term"]], 1e-4, 2e-3 * se if gaussian else 2e-3), row
        assert close(row["se"], se, 1e-3 if gaussian else 1e-2), row
    known = {row["term"]: row for row in mixed["fixed"]}
    for row in expected.get("coef_satterthwaite", []) if criterion == "reml" else []:
        own = known[row["term"]]
        assert close(own["df"], row["df"], 1e-2) and close(own["p"], row["Pr(>|t|)"], 2e-2, 1e-12), (own, row)
    assert not gaussian or mixed["random"][-1]["group"] == "residual"
    known = {(row["group"], row["term"]): row["sd"] for row in mixed["random"]}
    total = sum(row["vcov"] for row in want["varcomp"] if row["var2"] is None)
    for row in want["varcomp"]:
        if row["var2"] is None:
            group = "residual" if row["grp"] == "Residual" else row["grp"]
            sd = known[group, row["var1"] or "(Intercept)"]
            assert close(sd**2, row["vcov"], 0, 1e-3 * total) if gaussian else close(sd, row["sdcor"], 0, 2e-3)


def check_tests(mixed, expected):
    """Tests of terms against lmerTest's (Satterthwaite), or Wald chi-square of car."""
    logit = mixed["family"] == "binomial"
    rows = expected["wald_chisq_type2" if logit else f"anova{mixed['type']}_satterthwaite"]
    wanted = {row["term"]: row for row in rows}
    assert {row["term"] for row in mixed["tests"]} == set(wanted)
    for row in mixed["tests"]:
        want = wanted[row["term"]]
        if logit:
            assert row["df"] == want["Df"] and close(row["chi2"], want["Chisq"], 2e-2)
            assert close(row["p"], want["Pr(>Chisq)"], 2e-2)
            continue
        assert row["df"] == want["NumDF"] and close(row["df_denom"], want["DenDF"], 1e-2), (row, want)
        assert close(row["F"], want["F value"], 1e-3, 1e-6) and close(row["p"], want["Pr(>F)"], 2e-2, 1e-12)


# ---- means and contrasts


def read_spec(text):
    """``~a|b*c`` as (a,), (b, c)."""
    first, _, second = text.lstrip("~").partition("|")
    return tuple(first.split("*")), tuple(second.split("*")) if second else ()


def check_block(statistics, block, tolerances, adjust="tukey"):
    """Means and pairs of one call of emmeans; tolerances of estimates, SE, df and p; R's name of the adjustment."""
    rel, rel_se, rel_df, rel_p = tolerances
    first, by = read_spec(block["spec"])
    names = {*first, *by}
    means = [restore(row, "mean", "se", "df", "ci_low", "ci_high") for row in statistics["means"]]
    means = [row for row in means if set(row["levels"]) == names]
    check_means(means, block["means"], rel, rel_se, rel_df)
    if len(first) > 1:
        return
    rows = [
        restore(row, "estimate", "se", "df", "stat", "p", "p_adjusted")
        for row in statistics["contrasts"]
        if row["factor"] == first[0] and set(row["by"] or {}) == set(by)
    ]
    # emmeans puts the factor's name before levels that are numbers.
    pairs = [{**want, "contrast": want["contrast"].replace(first[0], "")} for want in block["pairs_unadjusted"]]
    ordered = check_pairs(rows, pairs, len(first), rel, rel_se, rel_df, rel_p)
    adjusted = block["p_adjusted"][adjust]
    for row, want in zip(ordered, adjusted if isinstance(adjusted, list) else [adjusted], strict=True):
        assert want is None or close(row["p_adjusted"], want, max(1e-4, rel_p), 1e-7), (row, want)
    limits = block["pairs_tukey_ci"] if adjust == "tukey" else []
    for row, want in zip(ordered, limits, strict=bool(limits)) if limits else ():
        low, high = want.get("lower.CL", want.get("asymp.LCL")), want.get("upper.CL", want.get("asymp.UCL"))
        if low is not None:
            width = sorted((row["ci_low"], row["ci_high"], -row["ci_low"], -row["ci_high"]))
            near = max(1e-3, 3 * rel_se) * want["SE"]
            assert any(close(low, own, 10 * rel, near) for own in width), (row, want)
            assert close(row["ci_high"] - row["ci_low"], high - low, 10 * rel, 2 * near), (row, want)


def check_answers(statistics, expected):
    """Probabilities and odds ratios of a logit model against emmeans on the response scale."""
    for block, shares, odds in zip(
        expected["emm_logit"], expected["emm_response"], expected["odds_ratio_pairs"], strict=True
    ):
        first, by = read_spec(block["spec"])
        means = [row for row in statistics["means"] if set(row["levels"]) == {*first, *by}]
        for want in shares:
            row = find_cell(means, want)
            assert close(row["response"], want["prob"], 0, 1e-3) and close(row["response_se"], want["SE"], 1e-2)
            assert close(row["response_low"], want["asymp.LCL"], 0, 2e-3)
            assert close(row["response_high"], want["asymp.UCL"], 0, 2e-3)
        rows = [row for row in statistics["contrasts"] if row["factor"] == first[0] and set(row["by"] or {}) == set(by)]
        for want in odds:
            one, two = (part.strip().replace(first[0], "") for part in want["contrast"].split(" / "))
            row = next(
                row
                for row in rows
                if set(row["contrast"].split(" - ")) == {one, two}
                and all(str(want[name]) == level for name, level in (row["by"] or {}).items())
            )
            limits = [row["effect_size"], row["effect_low"], row["effect_high"]]
            if row["contrast"] != f"{one} - {two}":
                limits = [1 / limits[0], 1 / limits[2], 1 / limits[1]]
            known = (want["odds.ratio"], want["asymp.LCL"], want["asymp.UCL"])
            assert all(close(own, other, 1e-2) for own, other in zip(limits, known, strict=True)), (row, want)
