import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_tools import check_means, check_pairs, close, find_treatment_row, read_data, read_expected

from ser.errors import InputError
from ser.statistics import likelihood, means, mixed
from ser.statistics.formula import RandomTerm

CROSSED = "correct ~ arch * pft + (1 | speaker) + (1 | utterance) + (1 | run)"
GAUSSIAN = {
    "penicillin": ("penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
    "sleepstudy_slopes": ("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
    "sleepstudy_intercept": ("sleepstudy", "Reaction ~ Days + (1 | Subject)"),
    "machines": ("machines", "score ~ Machine + (1 | Worker) + (1 | Worker:Machine)"),
    "runs_balanced": ("runs_balanced", "uar ~ arch * pft * aug * dataset + (1 | seed)"),
    "runs_split_plot": ("runs_split_plot", "uar ~ arch * pft * test_set + (1 | seed) + (1 | run)"),
    "utterances_lpm": ("utterances", CROSSED),
    "utterances_lpm_speaker_by_arch": ("utterances", CROSSED + " + (1 | speaker:arch)"),
    "utterances_singular": ("utterances_singular", "correct ~ arch + (1 | speaker) + (1 | utterance) + (1 | run)"),
}
BINOMIAL = {
    "cbpp": ("cbpp", "incidence ~ period + (1 | herd)", {"factors": ["period"], "trials": "size"}),
    "utterances": ("utterances", CROSSED, {}),
    "utterances_singular": (
        "utterances_singular",
        "correct ~ arch + (1 | speaker) + (1 | utterance) + (1 | run)",
        {},
    ),
}


@cache
def fit_gaussian(name, reml=True):
    data, formula = GAUSSIAN[name]
    return mixed.fit_formula(read_data(data), formula, reml=reml)


@cache
def fit_binomial(name):
    data, formula, options = BINOMIAL[name]
    return mixed.fit_formula(read_data(data), formula, family="binomial", **options)


# ---- against lme4, lmerTest, emmeans and car


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", GAUSSIAN)
def test_linear_mixed_model_equals_lme4(name, reml):
    fit, expected = fit_gaussian(name, reml), read_expected(f"{name}_lmm")["reml" if reml else "ml"]
    assert fit.converged and fit.rows == read_expected(f"{name}_lmm")["n"]
    assert -1e-5 < fit.loglik - expected["loglik"] < 1e-3
    assert fit.parameters == expected["df"] and close(fit.aic, expected["aic"], 1e-6, 1e-4)
    assert fit.singular == expected["singular"]
    for row in fit.fixed:
        want = expected["fixef"][row["term"]]
        assert close(row["estimate"], want, 1e-4, 1e-4 * expected["se"][row["term"]])
        assert close(row["se"], expected["se"][row["term"]], 1e-3)
    check_variances(fit, expected["varcomp"])


def check_variances(fit, varcomp):
    shown = {(row["group"], row["term"]): row["sd"] for row in fit.random}
    total = sum(row["vcov"] for row in varcomp if row["var2"] is None)
    assert fit.random[-1]["group"] == "residual"
    for want in varcomp:
        if want["var2"] is not None:
            assert close(fit.correlations[0]["correlation"], want["sdcor"], 0, 1e-2)
            continue
        group = "residual" if want["grp"] == "Residual" else want["grp"]
        assert close(shown[group, want["var1"] or "(Intercept)"] ** 2, want["vcov"], 0, 1e-3 * total)


@pytest.mark.parametrize("kind", [2, 3])
@pytest.mark.parametrize("name", [name for name in GAUSSIAN if name != "penicillin"])
def test_terms_equal_lmertest(name, kind):
    wanted = {row["term"]: row for row in read_expected(f"{name}_lmm")[f"anova{kind}_satterthwaite"]}
    rows = fit_gaussian(name).tabulate_tests(kind)
    assert [row["term"] for row in rows] == list(wanted)
    for row in rows:
        want = wanted[row["term"]]
        assert row["df"] == want["NumDF"]
        assert close(row["df_denom"], want["DenDF"], 1e-2)
        assert close(row["F"], want["F value"], 1e-3, 1e-6)
        assert close(row["p"], want["Pr(>F)"], 2e-2, 1e-12)


@pytest.mark.parametrize("name", [name for name in GAUSSIAN if name != "penicillin"])
def test_coefficients_equal_lmertest(name):
    fit = fit_gaussian(name)
    rows = {row["term"]: row for row in fit.fixed}
    for want in read_expected(f"{name}_lmm")["coef_satterthwaite"]:
        row = rows[want["term"]]
        assert close(row["df"], want["df"], 1e-2)
        assert close(row["p"], want["Pr(>|t|)"], 2e-2, 1e-12)
        direct = fit.test_contrast(find_treatment_row(fit, want["term"]))
        np.testing.assert_allclose([direct.estimate, direct.se], [row["estimate"], row["se"]], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in GAUSSIAN if not name.startswith(("penicillin", "sleepstudy"))])
def test_marginal_means_equal_emmeans(name):
    fit, blocks = fit_gaussian(name), read_expected(f"{name}_lmm")["emm"]
    assert blocks
    for block in (block["satterthwaite"] for block in blocks):
        left, _, right = block["spec"].strip("~").partition("|")
        names, by = left.split("*"), right.split("*") if right else None
        check_means(means.estimate_means(fit, names, by), block["means"], 1e-4, 1e-3, 1e-2)
        for method, values in block["p_adjusted"].items():
            rows = means.contrast_pairs(fit, names, by, {"fdr": "bh"}.get(method, method))
            ordered = check_pairs(rows, block["pairs_unadjusted"], 0, 1e-4, 1e-3, 1e-2, 2e-2)
            for row, want in zip(ordered, values if isinstance(values, list) else [values], strict=True):
                assert close(row["p_adjusted"], want, 2e-2, 1e-9)


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("runs_balanced", "arch:pft:aug:dataset"),
        ("runs_split_plot", "arch:pft:test_set"),
        ("utterances_lpm", "arch:pft"),
        ("machines", "Machine"),
        ("sleepstudy_intercept", "Days"),
    ],
)
def test_likelihood_ratio_equals_lme4(name, term):
    want = read_expected(f"{name}_lmm")["lrt_ml"][0]
    (row,) = likelihood.tabulate_ratio_tests(fit_gaussian(name), [term])
    assert row["df"] == want["df"] and close(row["loglik_reduced"], want["loglik0"], 0, 1e-5)
    assert close(row["chi2"], want["chisq"], 0, 2e-5) and close(row["p"], want["p"], 1e-3)


@pytest.mark.parametrize("name", BINOMIAL)
def test_binomial_mixed_model_equals_glmer(name):
    fit, expected = fit_binomial(name), read_expected(f"{name}_glmm")
    want = expected["laplace"]
    assert fit.converged and not fit.separated and fit.link == "logit"
    assert -1e-4 < fit.loglik - want["loglik"] < 1e-2
    assert fit.singular == want["singular"] and close(fit.aic, want["aic"], 0, 1e-3)
    for row in fit.fixed:
        assert close(row["estimate"], want["fixef"][row["term"]], 0, 2e-3)
        assert close(row["se"], want["se_hessian"][row["term"]], 1e-2)
    shown = {row["group"]: row["sd"] for row in fit.random}
    for row in want["varcomp"]:
        assert close(shown[row["grp"]], row["sdcor"], 0, 2e-3)
    wanted = {row["term"]: row for row in expected["wald_chisq_type2"]}
    for row in fit.tabulate_tests(2):
        assert row["df"] == wanted[row["term"]]["Df"]
        assert close(row["chi2"], wanted[row["term"]]["Chisq"], 2e-2, 1e-3)


@pytest.mark.parametrize("name", BINOMIAL)
def test_binomial_means_equal_emmeans(name):
    fit, expected = fit_binomial(name), read_expected(f"{name}_glmm")
    parts = zip(expected["emm_logit"], expected["emm_response"], expected["odds_ratio_pairs"], strict=True)
    for block, shares, ratios in parts:
        left, _, right = block["spec"].strip("~").partition("|")
        names, by = left.split("*"), right.split("*") if right else None
        rows = means.estimate_means(fit, names, by)
        for want in block["means"]:
            row = next(row for row in rows if all(str(want[key]) == level for key, level in row["levels"].items()))
            assert close(row["mean"], want["emmean"], 0, 2e-3) and close(row["se"], want["SE"], 1e-2)
            assert np.isinf(row["df"])
        for want in shares:
            row = next(row for row in rows if all(str(want[key]) == level for key, level in row["levels"].items()))
            assert close(row["response"], want["prob"], 0, 1e-3) and close(row["response_se"], want["SE"], 1e-2)
            assert close(row["response_low"], want["asymp.LCL"], 0, 2e-3)
            assert abs(row["response_averaged"] - 0.5) < abs(row["response"] - 0.5)
        pairs = means.contrast_pairs(fit, names, by)
        for row, want, ratio in zip(pairs, block["pairs_unadjusted"], ratios, strict=True):
            assert row["contrast"] == want["contrast"].replace("period", "")
            assert close(row["estimate"], want["estimate"], 0, 2e-3) and close(row["p"], want["p.value"], 2e-2, 2e-3)
            assert row["effect_kind"] == "odds_ratio" and close(row["effect_size"], ratio["odds.ratio"], 5e-3)
            assert close(row["effect_low"], ratio["asymp.LCL"], 1e-2)


@pytest.mark.parametrize(("name", "term"), [("utterances", "arch:pft"), ("cbpp", "period")])
def test_binomial_likelihood_ratio(name, term):
    want = read_expected(f"{name}_glmm")["lrt"][0]
    (row,) = likelihood.tabulate_ratio_tests(fit_binomial(name), [term])
    assert row["df"] == want["df"] and close(row["chi2"], want["chisq"], 0, 4e-4) and row["converged"]


def test_singular_fit_is_named_and_kept():
    fit = fit_gaussian("utterances_singular")
    (zero,) = [row for row in fit.random if row["boundary"]]
    assert fit.singular and fit.converged and not fit.dropped
    assert any(f"estimated at 0, kept because the design implies it: {zero['group']}" in note for note in fit.notes)


def test_result_can_be_written_as_json():
    fit = fit_gaussian("runs_split_plot")
    text = json.dumps([fit.fixed, fit.random, fit.tabulate_tests(3), means.contrast_pairs(fit, "arch", "pft")])
    assert "NaN" not in text
    assert fit.formula == "uar ~ arch * pft * test_set + (1 | seed) + (1 | run)" and fit.method == "REML"
    assert fit.groups == {"seed": 8, "run": 32} and fit.dropped == [] and fit.notes == [] and abs(fit.gain) < 1e-6


# ---- what must not matter


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([100.0, 0.01]))
def test_order_names_and_scale_do_not_matter(seed, scale):
    table = read_data("runs_split_plot")
    rng = np.random.default_rng(seed)
    changed = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    for column in ("arch", "test_set", "run"):
        levels = changed[column].unique()
        changed[column] = (
            changed[column].map(dict(zip(levels, rng.permutation(len(levels)), strict=True))).map("z{}".format)
        )
    changed["uar"] *= scale
    first = fit_gaussian("runs_split_plot")
    again = mixed.fit_formula(changed, GAUSSIAN["runs_split_plot"][1], second_start=False)
    for kind in (2, 3):
        for one, two in zip(first.tabulate_tests(kind), again.tabulate_tests(kind), strict=True):
            np.testing.assert_allclose([two["F"], two["p"]], [one["F"], one["p"]], rtol=1e-4)
    np.testing.assert_allclose(
        [row["sd"] for row in again.random], [scale * row["sd"] for row in first.random], rtol=1e-3
    )
    np.testing.assert_allclose(again.loglik, first.loglik - (96 - 12) * np.log(scale), atol=1e-5)


def simulate(rng, speakers=40, conditions=2, runs=12, sd=(0.06, 0.04, 0.03), noise=0.05, gap=0.0):
    """Cells run x speaker with known SDs of speaker, speaker x condition and run."""
    person, run = rng.normal(0, sd[0], speakers), rng.normal(0, sd[2], (conditions, runs))
    both = rng.normal(0, sd[1], (speakers, conditions))
    rows = [
        {
            "speaker": f"s{s}",
            "arch": f"a{c}",
            "run": f"a{c}r{r}",
            "pick": 0.6 + gap * c + person[s] + both[s, c] + run[c, r],
        }
        for s in range(speakers)
        for c in range(conditions)
        for r in range(runs)
    ]
    table = pd.DataFrame(rows)
    return table.assign(uar=table.pick + rng.normal(0, noise, len(table)))


def test_simulated_variance_components_are_recovered():
    random = ["speaker", ("speaker", "arch"), "run"]
    found = []
    for seed in range(6):
        table = simulate(np.random.default_rng(seed))
        fit = mixed.fit_mixed(table, "uar", ["arch"], random)
        assert fit.converged
        found.append([row["sd"] ** 2 for row in fit.random])
    np.testing.assert_allclose(np.sqrt(np.mean(found, axis=0)), [0.06, 0.04, 0.03, 0.05], rtol=0.15)


def test_t_has_the_sign_of_its_difference():
    for seed in range(3):
        table = simulate(np.random.default_rng(seed), speakers=8, runs=4, conditions=3)
        fit = mixed.fit_mixed(table, "uar", ["arch"], ["speaker", "run"], second_start=False)
        shown = table.groupby("arch").uar.mean()
        for row in means.contrast_pairs(fit, "arch"):
            one, two = row["contrast"].split(" - ")
            assert np.sign(row["stat"]) == np.sign(shown[one] - shown[two])


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_loglik_is_that_of_the_definition(reml, weighted):
    table = simulate(np.random.default_rng(5), speakers=7, runs=3)
    table["n"] = np.random.default_rng(6).integers(5, 40, len(table))
    fit = mixed.fit_mixed(table, "uar", ["arch"], ["speaker", "run"], reml=reml, weights="n" if weighted else None)
    sds = {row["group"]: row["sd"] for row in fit.random}
    v = np.diag(sds["residual"] ** 2 / (table.n.to_numpy() if weighted else np.ones(len(table))))
    for group in ("speaker", "run"):
        v += sds[group] ** 2 * (table[group].to_numpy()[:, None] == table[group].to_numpy())
    x, y = fit.problem.matrix.plain, table.uar.to_numpy()
    inner = x.T @ np.linalg.solve(v, x)
    beta = np.linalg.solve(inner, x.T @ np.linalg.solve(v, y))
    rest = y - x @ beta
    loglik = -0.5 * (np.linalg.slogdet(v)[1] + rest @ np.linalg.solve(v, rest) + len(y) * np.log(2 * np.pi))
    if reml:
        loglik += 0.5 * (x.shape[1] * np.log(2 * np.pi) - np.linalg.slogdet(inner)[1])
    np.testing.assert_allclose(fit.loglik, loglik, atol=1e-6)
    np.testing.assert_allclose([row["estimate"] for row in fit.fixed], beta, rtol=1e-6)
    np.testing.assert_allclose([row["se"] for row in fit.fixed], np.sqrt(np.diag(np.linalg.inv(inner))), rtol=1e-4)


# ---- what the data cannot tell


def test_groups_that_cannot_be_told_apart():
    table = simulate(np.random.default_rng(0), speakers=8, runs=3)
    table["fold"] = table.speaker
    table["house"] = "one"
    fit = mixed.fit_mixed(table, "uar", ["arch"], ["speaker", "fold", "house", "run", ("speaker", "run")])
    assert fit.dropped == ["(1 | fold)", "(1 | house)", "(1 | speaker:run)"]
    assert [row["group"] for row in fit.random] == ["speaker", "run", "residual"]
    assert any("its groups are those of speaker" in note for note in fit.notes)
    assert any("one row per group" in note for note in fit.notes)
    with pytest.raises(InputError, match="run cannot be told from the fixed effects"):
        mixed.fit_mixed(table[table.run.str.endswith("r0")], "uar", ["arch"], ["speaker", "run"])
    with pytest.raises(InputError, match="no random term is left"):
        mixed.fit_mixed(table, "uar", ["arch"], ["house"])


def test_missing_values_are_counted():
    table = simulate(np.random.default_rng(0), speakers=6, runs=3)
    table.loc[:3, "uar"] = np.nan
    fit = mixed.fit_mixed(table, "uar", ["arch"], ["speaker", "run"])
    assert fit.rows == len(table) - 4 and fit.notes[0].startswith("4 rows with missing values")


def test_empty_cell_needs_no_type_iii():
    table = simulate(np.random.default_rng(1), speakers=10, runs=3, conditions=4)
    table["pft"] = table.arch.map({"a0": "none", "a1": "ital", "a2": "none", "a3": "none"})
    table["arch"] = table.arch.map({"a0": "cnn", "a1": "cnn", "a2": "hubert", "a3": "hubert"})
    fit = mixed.fit_mixed(table, "uar", ["arch", "pft"], ["speaker", "run"])
    assert fit.converged and [row["df"] for row in fit.tabulate_tests(2)] == [1, 1, 0]
    with pytest.raises(InputError, match="Type III"):
        fit.tabulate_tests(3)
    assert sum(row["estimable"] for row in means.estimate_means(fit, ["arch", "pft"])) == 3
    assert np.isnan(fit.fixed[-1]["estimate"]) and np.isfinite(fit.fixed[1]["estimate"])


def test_separation_is_named():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"speaker": np.tile([f"s{i}" for i in range(8)], 60), "arch": np.repeat(["cnn", "hubert"], 240)}
    )
    table["correct"] = np.where(table.arch == "hubert", 1, rng.integers(0, 2, len(table)))
    fit = mixed.fit_mixed(table, "correct", ["arch"], ["speaker"], family="binomial")
    assert fit.separated and any("separation: all answers alike in hubert" in note for note in fit.notes)


def test_random_terms_go_in_a_fixed_order(monkeypatch):
    table = simulate(np.random.default_rng(0), speakers=6, runs=3)
    real, seen = mixed._fit_problem, []

    def fail(problem, response, second):
        fit = real(problem, response, False)
        seen.append([term.group for term in problem.random])
        fit.converged = len(problem.random) < 3
        return fit

    monkeypatch.setattr(mixed, "_fit_problem", fail)
    table["seed"], table["pft"] = table.run.str[-1], table.run.str[-1]
    random = ["speaker", ("speaker", "arch"), ("speaker", "seed", "arch"), "run"]
    table = pd.concat([table, table.assign(uar=table.uar + 0.01 * table.index)])
    fit = mixed.fit_mixed(table, "uar", ["arch"], random)
    assert fit.dropped == ["(1 | speaker:seed:arch)", "(1 | speaker:arch)"] and seen[-1] == ["speaker", "run"]
    assert any("left out: the model with it did not converge" in note for note in fit.notes)


def test_what_is_refused():
    table = simulate(np.random.default_rng(0), speakers=4, runs=3)
    with pytest.raises(InputError, match="in every row"):
        mixed.fit_mixed(table.assign(uar=0.5), "uar", ["arch"], ["speaker"])
    with pytest.raises(InputError, match="no number of correct answers"):
        mixed.fit_mixed(table, "uar", ["arch"], ["speaker"], family="binomial")
    with pytest.raises(InputError, match="family=poisson"):
        mixed.fit_mixed(table, "uar", ["arch"], ["speaker"], family="poisson")
    with pytest.raises(InputError, match="needs pick among the fixed effects"):
        mixed.fit_mixed(table, "uar", ["arch"], [RandomTerm(("speaker",), ("pick",))])
    with pytest.raises(InputError, match="no column person"):
        mixed.fit_mixed(table, "uar", ["arch"], ["person"])
