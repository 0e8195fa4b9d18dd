"""Factorial ANOVA against R (car, effectsize, emmeans), statsmodels and a published table; what is refused and why."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from reference_tools import check_means, check_pairs, close, read_data, read_expected
from scipy import stats

from ser.errors import InputError
from ser.statistics import anova, cells, means

EXACT = 1e-7
#: reference, table, response, factors, blocks, order of interactions
REFERENCES = {
    "toothgrowth_anova": ("toothgrowth", "len", ["supp", "dose"], [], 2),
    "warpbreaks_anova": ("warpbreaks", "breaks", ["wool", "tension"], [], 2),
    "runs_balanced_anova": ("runs_balanced", "uar", ["arch", "pft", "aug", "dataset"], [], 4),
    "runs_balanced_seed_block_anova": ("runs_balanced", "uar", ["arch", "pft", "aug", "dataset"], ["seed"], 4),
    "runs_unbalanced_anova": ("runs_unbalanced", "uar", ["arch", "pft", "aug"], [], 3),
    "runs_missing_cell_additive_anova": ("runs_missing_cell", "uar", ["arch", "pft"], [], 1),
    "runs_missing_cell_anova": ("runs_missing_cell", "uar", ["arch", "pft"], [], 2),
}
COMPLETE = [name for name in REFERENCES if name != "runs_missing_cell_anova"]


def fit_reference(name, change=None):
    table, response, factors, blocks, order = REFERENCES[name]
    table = read_data(table)
    if change is not None:
        table = change(table, response, [*factors, *blocks])
    return anova.fit_ols(table, response, factors, interactions=order, blocks=blocks)


def by_term(rows):
    return {row["term"]: row for row in rows}


def check_table(rows, expected):
    rows = by_term(rows)
    for want in expected:
        if want["term"] in ("(Intercept)", "Residuals"):
            continue
        row = rows.pop(want["term"])
        assert row["df"] == want["Df"]
        for key, name in (("sum_sq", "Sum Sq"), ("F", "F value"), ("p", "Pr(>F)")):
            assert close(row[key], want[name], EXACT, 1e-200), (row["term"], key)
    assert not rows


def check_effects(rows, expected):
    rows = by_term(rows)
    for want in expected:
        row = rows[want["term"]]
        assert close(row["partial_eta_sq"], want["partial_eta2"], EXACT)
        assert close(row["omega_sq"], want["partial_omega2"], EXACT, 1e-12)
        assert close(row["partial_eta_sq_low"], want["partial_eta2_ci90_low"], 1e-6, 1e-7)
        # R's search for the upper limit stops up to 0.4 per cent short; what it seeks is that F has 5 % below it.
        assert close(row["partial_eta_sq_high"], want["partial_eta2_ci90_high"], 5e-3, 1e-6)
        for limit, share in ((row["partial_eta_sq_low"], 0.95), (row["partial_eta_sq_high"], 0.05)):
            found = stats.ncf.cdf(row["F"], row["df"], row["df_resid"], limit / (1 - limit) * row["df_resid"])
            assert close(found, share, EXACT) or limit == 0


def check_robust(tests, expected):
    for want in expected:
        if want["term"] not in ("(Intercept)", "Residuals"):
            value, p = tests[want["term"]]
            assert close(value, want["F"], EXACT), want["term"]
            assert close(p, want["Pr(>F)"], 1e-6, 1e-200), want["term"]


# ---- R


@pytest.mark.parametrize("name", REFERENCES)
def test_type2_and_effect_sizes_equal_r(name):
    expected = read_expected(name)
    fit = fit_reference(name)
    assert fit.df_resid == expected["df_resid"]
    assert close(fit.scale, expected["sigma"], EXACT)
    assert fit.completeness.rank == expected["rank"]
    rows = anova.test_terms(fit, 2)
    check_table(rows, expected["type2"])
    check_effects(rows, expected["effects_type2"])


@pytest.mark.parametrize("name", COMPLETE)
def test_type3_and_effect_sizes_equal_r(name):
    expected = read_expected(name)
    rows = anova.test_terms(fit_reference(name), 3)
    check_table(rows, expected["type3_sum_contrasts"])
    check_effects(rows, expected["effects_type3"])


@pytest.mark.parametrize("name", COMPLETE)
def test_hc3_equals_r(name):
    expected = read_expected(name)
    fit = fit_reference(name)
    check_robust(anova.test_terms_hc3(fit, 2), expected["type2_hc3"])
    check_robust(anova.test_terms_hc3(fit, 3), expected["type3_hc3"])


@pytest.mark.parametrize("name", REFERENCES)
def test_marginal_means_and_pairs_equal_r(name):
    fit = fit_reference(name)
    for block in read_expected(name)["emm"]:
        factors, _, by = block["spec"].lstrip("~").partition("|")
        factors, by = factors.split("*"), by.split("*") if by else None
        check_means(means.estimate_means(fit, factors, by), block["means"], EXACT, EXACT, EXACT)
        rows = means.contrast_pairs(fit, factors, by, adjust="none")
        check_pairs(rows, block["pairs_unadjusted"], block["means"], EXACT, EXACT, EXACT, 1e-6)


def test_split_plot_as_between_groups_equals_r_and_is_not_the_strata():
    """The wrong analysis is reproduced to show its size; ``mixed`` gives the right one."""
    expected = read_expected("runs_split_plot_aov")
    fit = anova.fit_ols(read_data("runs_split_plot"), "uar", ["arch", "pft", "test_set"], interactions=3)
    rows = anova.test_terms(fit, 2)
    check_table(rows, expected["between_wrong"]["type2"])
    check_effects(rows, expected["between_wrong"]["effects_type2"])
    strata = {row["term"]: row for stratum in expected["aov_run_strata"].values() for row in stratum}
    wrong = by_term(rows)
    assert wrong["arch"]["F"] > 1.7 * strata["arch"]["F value"]
    assert wrong["pft:test_set"]["F"] < 0.65 * strata["pft:test_set"]["F value"]


def test_hc3_of_the_same_contrasts():
    """In a balanced design of cells with unequal variance the averages stay the plain ones, as in Type III."""
    table, factors = build_grid((2, 2), rows=20)
    table["y"] = table["y"] * np.where(table["b"] == "b0", 1, 4) + (table["b"] == "b1") * (table["a"] == "a0")
    fit = anova.fit_ols(table, "y", factors, interactions=2)
    same, three, two = (
        anova.test_terms_hc3(fit, 2, reweigh=False),
        anova.test_terms_hc3(fit, 3),
        anova.test_terms_hc3(fit),
    )
    for term, (value, _) in same.items():
        assert close(value, three[term][0], 1e-9)
    assert abs(two["a"][0] - same["a"][0]) > 0.1 * same["a"][0]
    plain = by_term(anova.test_terms(fit))
    assert close(same["a"][0], plain["a"]["F"], 0.1)


# ---- statsmodels, where it is right


@pytest.mark.parametrize("seed", range(3))
def test_random_unbalanced_design_equals_statsmodels(seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {name: rng.choice(list(levels), 60) for name, levels in (("a", "xyz"), ("b", "uv"), ("c", "mn"))}
    )
    table["y"] = rng.normal(size=60) * (1 + (table["b"] == "u")) + (table["a"] == "x")
    fit = anova.fit_ols(table, "y", ["a", "b", "c"], interactions=2)
    other = smf.ols("y ~ (C(a, Sum) + C(b, Sum) + C(c, Sum))**2", table).fit()
    for kind in (2, 3):
        plain = sm.stats.anova_lm(other, typ=kind).drop(["Intercept", "Residual"], errors="ignore")
        robust = sm.stats.anova_lm(other, typ=kind, robust="hc3").drop(["Intercept", "Residual"], errors="ignore")
        rows, hc3 = anova.test_terms(fit, kind), anova.test_terms_hc3(fit, kind)
        np.testing.assert_allclose([row["sum_sq"] for row in rows], plain["sum_sq"], rtol=1e-9)
        np.testing.assert_allclose([row["F"] for row in rows], plain["F"], rtol=1e-9)
        np.testing.assert_allclose([value for value, _ in hc3.values()], robust["F"], rtol=1e-9)


# ---- what must change no F


@pytest.mark.parametrize("name", REFERENCES)
def test_row_order_level_names_and_scale_change_no_f(name):
    def shuffle(table, response, columns):
        return table.sample(frac=1, random_state=3)

    def rename(table, response, columns):
        reverse = {level: f"z{9 - place} {level}" for c in columns for place, level in enumerate(table[c].unique())}
        return table.assign(**{c: table[c].map(reverse) for c in columns})

    def scale(table, response, columns):
        return table.assign(**{response: table[response] * 100 - 7})

    kinds = (2, 3) if name in COMPLETE else (2,)
    plain = fit_reference(name)
    for change in (shuffle, rename, scale):
        other = fit_reference(name, change)
        for kind in kinds:
            old, new = anova.test_terms(plain, kind), anova.test_terms(other, kind)
            for one, two in zip(old, new, strict=True):
                assert close(two["F"], one["F"], 1e-8) and close(two["p"], one["p"], 1e-7)
            for term, (value, _) in anova.test_terms_hc3(plain, kind).items():
                assert close(anova.test_terms_hc3(other, kind)[term][0], value, 1e-8)


def test_numbers_and_text_as_levels_give_the_same():
    """A column of 0 and 1, as treatment-coded input has it, is a factor like any other."""
    table = read_data("runs_unbalanced")
    coded = table.assign(pft=(table["pft"] == "none").astype(int), aug=(table["aug"] == "noise").astype(float))
    plain = anova.test_terms(anova.fit_ols(table, "uar", ["arch", "pft", "aug"], interactions=3), 3)
    other = anova.test_terms(anova.fit_ols(coded, "uar", ["arch", "pft", "aug"], interactions=3), 3)
    for one, two in zip(plain, other, strict=True):
        assert close(two["F"], one["F"], 1e-9)


def test_order_of_factors_changes_no_f():
    table = read_data("runs_unbalanced")
    plain = by_term(anova.test_terms(anova.fit_ols(table, "uar", ["arch", "pft", "aug"], interactions=3), 2))
    other = anova.test_terms(anova.fit_ols(table, "uar", ["aug", "arch", "pft"], interactions=3), 2)
    for row in other:
        term = next(name for name in plain if set(name.split(":")) == set(row["term"].split(":")))
        assert close(row["F"], plain[term]["F"], 1e-9)


# ---- which tables are shown


def test_balanced_design_gives_one_table():
    table = read_data("runs_balanced")
    tables = anova.analyse_variance(table, "uar", ["arch", "pft"], draws=0)
    assert [each.type for each in tables] == [2]
    assert "agree" in tables[0].notes[0]
    three = anova.test_terms(tables[0].fit, 3)
    assert all(close(a["F"], b["F"], 1e-9) for a, b in zip(tables[0].terms, three, strict=True))


def test_unbalanced_design_gives_both_types():
    tables = anova.analyse_variance(read_data("runs_unbalanced"), "uar", ["arch", "pft", "aug"], draws=99)
    assert [each.type for each in tables] == [2, 3]
    assert tables[0].formula == "uar ~ arch + pft + aug + arch:pft + arch:aug + pft:aug"
    row = tables[0].terms[0]
    assert {"F_hc3", "p_hc3", "p_permutation", "sensitive", "p_adjusted", "omega_sq_low"} <= set(row)
    assert all(np.isfinite(each["p_permutation"]) for each in tables[0].terms)


def test_unequal_blocks_are_no_balance():
    table = read_data("runs_balanced")
    assert anova.fit_ols(table, "uar", ["arch"], blocks=["seed"]).balanced
    assert not anova.fit_ols(table.iloc[1:], "uar", ["arch"], blocks=["seed"]).balanced


def test_blocks_are_listed_and_left_out_of_the_family():
    table = read_data("runs_balanced")
    rows = anova.test_terms(anova.fit_ols(table, "uar", ["arch", "pft"], blocks=["seed"]))
    assert [row["role"] for row in rows] == ["block", "factor", "factor", "factor"]
    assert np.isnan(rows[0]["p_adjusted"])
    p = np.array([row["p"] for row in rows[1:]])
    ranks = p.argsort().argsort() + 1
    expected = [min(min(1, q * 3 / r) for q, r in zip(p, ranks, strict=True) if q >= own) for own in p]
    np.testing.assert_allclose([row["p_adjusted"] for row in rows[1:]], expected)


@pytest.mark.parametrize(
    ("factors", "order"), [(["arch", "pft", "aug", "dataset"], 3), (["arch", "pft"], 2), (["arch"], 1)]
)
def test_order_of_interactions_is_capped(factors, order):
    table = read_data("runs_balanced")
    assert cells.choose_order(table, factors) == order
    assert cells.choose_order(table.iloc[1:], factors) == min(order, 2)


def test_one_run_a_cell_leaves_no_interaction():
    table = read_data("runs_balanced").query("seed == 's0' and aug == 'clean' and dataset == 'emoz'")
    assert cells.choose_order(table, ["arch", "pft"]) == 1
    assert anova.fit_ols(table, "uar", ["arch", "pft"]).df_resid == 2
    with pytest.raises(InputError, match="nothing is left"):
        anova.fit_ols(table, "uar", ["arch", "pft"], interactions=2)


# ---- empty cells


def test_missing_cell_refuses_type3_and_names_the_cell():
    fit = fit_reference("runs_missing_cell_anova")
    with pytest.raises(InputError, match="arch=cnn, pft=ital") as error:
        anova.test_terms(fit, 3)
    assert "Type II" in str(error.value) and "without interactions" in str(error.value)
    with pytest.raises(InputError, match="arch=cnn, pft=ital"):
        anova.test_terms_hc3(fit, 3)


@pytest.mark.parametrize("kind", [None, 3])
def test_missing_cell_is_reduced_with_words(kind):
    table = read_data("runs_missing_cell")
    tables = anova.analyse_variance(table, "uar", ["arch", "pft"], kind=kind, draws=0)
    assert [each.scope for each in tables][:2] == ["full", "lower order"] and tables[-1].scope == "complete part"
    assert tables[0].type == 2 and "arch=cnn, pft=ital" in tables[0].notes[0] and "refused" in tables[0].notes[0]
    check_table(tables[0].terms, read_expected("runs_missing_cell_anova")["type2"])
    check_table(tables[1].terms, read_expected("runs_missing_cell_additive_anova")["type2"])
    assert "main effects" in tables[1].notes[0]
    part = tables[-1]
    assert "arch=hubert|wav2vec2, pft=ital|none" in part.notes[0]
    two = anova.fit_ols(table[table["arch"] != "cnn"], "uar", ["arch", "pft"], interactions=2)
    assert [row["F"] for row in part.terms] == pytest.approx([row["F"] for row in anova.test_terms(two)])


def build_grid(shape, rows=2, seed=0):
    names = "abcd"[: len(shape)]
    grid = np.indices(shape).reshape(len(shape), -1).T.repeat(rows, 0)
    table = pd.DataFrame({name: [f"{name}{level}" for level in grid[:, place]] for place, name in enumerate(names)})
    return table.assign(y=np.random.default_rng(seed).normal(size=len(table))), list(names)


def test_several_empty_cells_of_three_factors():
    table, factors = build_grid((3, 3, 2))
    gone = table.query("a == 'a0' and b == 'b1' and c == 'c0'").index.union(
        table.query("a == 'a2' and b == 'b1'").index
    )
    table = table.drop(gone)
    fit = anova.fit_ols(table, "y", factors, interactions=3)
    check = fit.completeness
    assert list(check.empty_cells) == [
        {"a": "a0", "b": "b1", "c": "c0"},
        {"a": "a2", "b": "b1", "c": "c0"},
        {"a": "a2", "b": "b1", "c": "c1"},
    ]
    # a x b lacks a cell too, so only main effects are complete.
    assert check.order == 1 and check.columns - check.rank == 3
    assert check.levels == {"a": ["a0", "a1", "a2"], "b": ["b0", "b2"], "c": ["c0", "c1"]}
    # Type II compares nested models by their ranks.
    for row in anova.test_terms(fit, 2):
        size, rank = compare_models(table, "y", factors, row["term"])
        assert row["df"] == rank
        assert row["sum_sq"] == pytest.approx(size, rel=1e-8)


def compare_models(table, response, factors, term):
    """Sum of squares and rank that a term adds to the terms which do not contain it."""
    own = set(term.split(":"))
    terms = [part for size in range(1, len(factors) + 1) for part in combinations(factors, size)]
    lower = [part for part in terms if not own <= set(part)]

    def project(parts):
        blocks = [np.ones((len(table), 1))]
        blocks += [pd.get_dummies(table[list(part)].agg(" ".join, axis=1)).to_numpy(float) for part in parts]
        left, sizes, _ = np.linalg.svd(np.hstack(blocks), full_matrices=False)
        basis = left[:, sizes > 1e-9]
        return ((basis.T @ table[response].to_numpy()) ** 2).sum(), basis.shape[1]

    small, large = project(lower), project([*lower, tuple(sorted(own))])
    return large[0] - small[0], large[1] - small[1]


def test_factors_that_change_together_are_named():
    table, _ = build_grid((2, 2), rows=3)
    table = table.assign(twin=table["a"].map({"a0": "t0", "a1": "t1"}))
    fit = anova.fit_ols(table, "y", ["a", "twin"], interactions=1)
    assert not fit.completeness.complete and "change together" in fit.completeness.explain()
    assert "a, twin" in fit.completeness.explain()
    assert all(row["df"] == 0 and np.isnan(row["F"]) for row in anova.test_terms(fit, 2))


def test_largest_part_of_many_levels_is_found_greedily(monkeypatch):
    table, factors = build_grid((4, 4, 3))
    table = table.query("not (a == 'a1' and b == 'b2')")
    exact = cells.find_complete_levels(table, factors)
    monkeypatch.setattr(cells, "SUBSETS", 1)
    greedy = cells.find_complete_levels(table, factors)
    for levels in (exact, greedy):
        assert sorted(map(len, levels.values())) == [3, 3, 4]
        part, left = cells.keep_levels(table, levels)
        assert left == factors and not cells.find_empty_cells(part, factors)


# ---- traps


def test_one_level_is_refused():
    table = read_data("runs_balanced").query("arch == 'cnn'")
    with pytest.raises(InputError, match="arch has one level"):
        anova.fit_ols(table, "uar", ["arch", "pft"])


def test_scores_without_variance_are_refused():
    table, factors = build_grid((2, 2))
    with pytest.raises(InputError, match="does not vary within"):
        anova.fit_ols(table.assign(y=0.7), "y", factors)
    with pytest.raises(InputError, match="does not vary within"):
        anova.fit_ols(table.assign(y=(table["a"] == "a0") * 0.3 + 0.1), "y", factors)


def test_missing_scores_are_counted():
    table = read_data("runs_unbalanced")
    table.loc[[0, 4], "uar"] = np.nan
    tables = anova.analyse_variance(table, "uar", ["arch", "pft"], draws=0)
    assert "2 rows" in tables[0].notes[0]
    assert len(tables[0].fit.observed) == len(table) - 2


def test_robust_test_needs_two_runs_a_cell():
    table, factors = build_grid((2, 2), rows=3)
    table = table.drop([0, 1])
    fit = anova.fit_ols(table, "y", factors, interactions=2)
    assert all(np.isnan(value) for value, _ in anova.test_terms_hc3(fit).values())
    assert all(np.isfinite(row["p"]) for row in anova.test_terms(fit))


# ---- a published table


def test_published_table_is_rebuilt_from_cell_means():
    """Every printed F lies within what rounding of the printed means and SDs allows; R rebuilds the same F."""
    table = read_data("seed_paper_table2")
    runs = cells.expand_cells(table, "mean", "sd", rows=110, ddof=0)
    found = runs.groupby(["arch", "pft", "test_set"], sort=False)["score"]
    np.testing.assert_allclose(found.mean(), table["mean"], rtol=1e-12)
    np.testing.assert_allclose(found.std(ddof=0), table["sd"], rtol=1e-12)
    fit = anova.fit_ols(runs, "score", ["arch", "pft", "test_set"], interactions=3)
    rows = by_term(anova.test_terms(fit))
    expected = read_expected("seed_paper_table2")
    assert fit.df_resid == expected["df_resid"]
    printed = dict(
        zip(
            ["arch", "pft", "test_set", "arch:pft", "pft:test_set", "arch:test_set", "arch:pft:test_set"],
            [431.2770, 7.5911, 15002.5765, 6.7778, 6.9061, 86.8540, 3.5519],
            strict=True,
        )
    )
    half = 0.00005
    error = [110 / 109 * np.mean((table["sd"] + sign * half) ** 2) for sign in (-1, 1)]
    for want in expected["rebuilt"]:
        row = rows[want["term"]]
        assert close(row["F"], want["F_rebuilt"], EXACT)
        assert close(row["partial_eta_sq"], want["partial_eta2"], EXACT)
        low, high = ((abs(want["effect"]) + sign * 2 * half) ** 2 * 110 * 2 for sign in (-1, 1))
        assert low / error[1] <= printed[want["term"]] <= high / error[0]
        assert close(row["F"], printed[want["term"]], 0.03)


def test_logit_of_counts_stays_finite():
    np.testing.assert_allclose(anova.transform_logit([0, 5, 10], [10, 10, 10]), [-3.0445224, 0, 3.0445224])
