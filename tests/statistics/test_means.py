import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_tools import check_means, check_pairs, fit_plain, read_data, read_expected

from ser.errors import InputError
from ser.statistics import linear, means

FACTORIAL = {
    "toothgrowth": ("len", ["supp", "dose"], None),
    "warpbreaks": ("breaks", ["wool", "tension"], None),
    "runs_balanced": ("uar", ["arch", "pft", "aug", "dataset"], None),
    "runs_unbalanced": ("uar", ["arch", "pft", "aug"], None),
    "runs_missing_cell": ("uar", ["arch", "pft"], None),
    "runs_missing_cell_additive": ("uar", ["arch", "pft"], [("arch",), ("pft",)]),
    "runs_balanced_seed_block": (
        "uar",
        ["seed", "arch", "pft", "aug", "dataset"],
        [("seed",), *linear.cross_factors(["arch", "pft", "aug", "dataset"])],
    ),
}
NAMES = {"fdr": "bh"}


def read_spec(spec):
    left, _, right = spec.strip("~").partition("|")
    return left.split("*"), right.split("*") if right else None


@pytest.mark.parametrize("name", FACTORIAL)
def test_means_and_pairs_equal_emmeans(name):
    response, factors, terms = FACTORIAL[name]
    source = name.removesuffix("_additive").removesuffix("_seed_block")
    fit = fit_plain(read_data(source), response, factors, terms)
    blocks = read_expected(f"{name}_anova")["emm"]
    assert blocks
    for block in blocks:
        names, by = read_spec(block["spec"])
        check_means(means.estimate_means(fit, names, by), block["means"], 1e-7, 1e-7, 1e-9)
        count = np.prod([len(fit.factors[factor]) for factor in names])
        check_block(fit, block, names, by, count)


def check_block(fit, block, names, by, count):
    pairs, adjusted = block["pairs_unadjusted"], block["p_adjusted"]
    for method, values in adjusted.items():
        rows = means.contrast_pairs(fit, names, by, NAMES.get(method, method))
        ordered = check_pairs(rows, pairs, count, 1e-7, 1e-7, 1e-9, 1e-6)
        rel = 1e-4 if method == "tukey" else 1e-6
        for row, want in zip(ordered, values if isinstance(values, list) else [values], strict=True):
            if want is None:
                assert np.isnan(row["p_adjusted"])
            else:
                np.testing.assert_allclose(row["p_adjusted"], want, rtol=rel, atol=1e-9)
    ordered = check_pairs(means.contrast_pairs(fit, names, by, "tukey"), pairs, count, 1e-7, 1e-7, 1e-9, 1e-6)
    for row, want in zip(ordered, block["pairs_tukey_ci"], strict=True):
        if want.get("lower.CL") is not None:
            limits = sorted(np.abs([row["ci_low"], row["ci_high"]]))
            np.testing.assert_allclose(
                limits, sorted(np.abs([want["lower.CL"], want["upper.CL"]])), rtol=1e-4, atol=1e-6
            )


@pytest.fixture(scope="module")
def fit():
    return fit_plain(read_data("runs_unbalanced"), "uar", ["arch", "pft", "aug"])


def test_rows_have_the_documented_columns(fit):
    row = means.contrast_pairs(fit, "arch", "pft", sesoi=0.02)[0]
    keys = ("contrast", "by", "estimate", "se", "df", "stat", "p", "p_adjusted", "adjust", "effect_size", "verdict")
    assert set(keys) <= set(row)
    assert row["by"] == {"pft": fit.factors["pft"][0]} and row["adjust"] == "holm" and row["ci_adjust"] == "none"
    assert row["effect_kind"] == "d" and row["effect_low"] < row["effect_size"] < row["effect_high"]
    assert means.contrast_pairs(fit, "arch")[0]["by"] is None


def test_baseline_is_the_second_part(fit):
    known = fit.factors["arch"]
    rows = means.contrast_baseline(fit, "arch", known[-1])
    assert [row["contrast"] for row in rows] == [f"{level} - {known[-1]}" for level in known[:-1]]
    shown = {row["levels"]["arch"]: row["mean"] for row in means.estimate_means(fit, "arch")}
    for row, level in zip(rows, known[:-1], strict=True):
        np.testing.assert_allclose(row["estimate"], shown[level] - shown[known[-1]])
        assert row["p"] <= row["p_adjusted"] <= 1
    with pytest.raises(InputError, match="no level"):
        means.contrast_baseline(fit, "arch", "perceptron")


def test_difference_of_differences_is_the_interaction():
    table = read_data("runs_split_plot")
    table = table[table.test_set != "ravdess"]
    fit = fit_plain(table, "uar", ["arch", "test_set"])
    (row,) = means.contrast_differences(fit, "arch", "test_set")
    test = fit.test_terms(linear.find_hypothesis(fit, "arch:test_set"))
    np.testing.assert_allclose(row["stat"] ** 2, test.F)
    shown = table.groupby(["arch", "test_set"]).uar.mean().to_numpy()
    np.testing.assert_allclose(row["estimate"], shown[0] - shown[2] - shown[1] + shown[3])


def test_custom_contrast_and_simple_effect(fit):
    one, two, *_ = fit.factors["arch"]
    (custom,) = means.contrast_custom(fit, "arch", {"mine": {one: 1, two: -1}}, adjust="none")
    pair = means.contrast_pairs(fit, "arch")[0]
    assert custom["contrast"] == "mine"
    np.testing.assert_allclose(custom["stat"], pair["stat"])
    cells = {"c": {(one, fit.factors["pft"][0]): 1, (two, fit.factors["pft"][1]): -1}}
    assert len(means.contrast_custom(fit, ["arch", "pft"], cells, by="aug")) == len(fit.factors["aug"])
    effects = means.tabulate_simple_effects(fit, "pft", "arch")
    pairs = means.contrast_pairs(fit, "pft", "arch")
    np.testing.assert_allclose([row["F"] for row in effects], [row["stat"] ** 2 for row in pairs])
    with pytest.raises(InputError, match="sum to 1"):
        means.contrast_custom(fit, "arch", {"mine": {one: 1}})
    with pytest.raises(InputError, match="all pairs"):
        means.contrast_custom(fit, "arch", {"mine": {one: 1, two: -1}}, adjust="tukey")
    with pytest.raises(InputError, match="no factor"):
        means.contrast_pairs(fit, "seed")


def test_what_needs_an_empty_cell_is_not_estimable():
    fit = fit_plain(read_data("runs_missing_cell"), "uar", ["arch", "pft"])
    rows = means.estimate_means(fit, ["arch", "pft"])
    assert sum(not row["estimable"] for row in rows) == 1
    averaged = means.estimate_means(fit, "arch")
    assert sum(not row["estimable"] for row in averaged) == 1
    assert any(np.isnan(row["p_adjusted"]) for row in means.contrast_pairs(fit, "arch", adjust="dunnett"))
    assert all(row["df"] >= 0 for row in means.tabulate_simple_effects(fit, "arch", "pft"))


def test_average_over_random_effects_is_nearer_to_one_half():
    assert means.average_over_random(2.0, 0.0) == pytest.approx(1 / (1 + np.exp(-2)))
    draws = 1 / (1 + np.exp(-(2 + 1.3 * np.random.default_rng(0).standard_normal(400_000))))
    assert means.average_over_random(2.0, 1.3) == pytest.approx(draws.mean(), abs=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_every_t_has_the_sign_of_its_difference(seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"a": rng.choice(list("xyz"), 60), "b": rng.choice(list("uv"), 60), "s": rng.normal(0, 1, 60)})
    fit = fit_plain(table, "s", ["a", "b"])
    for spec, by in (("a", None), ("a", "b"), (["a", "b"], None)):
        shown = {tuple(row["levels"].values()): row["mean"] for row in means.estimate_means(fit, spec, by)}
        for row in means.contrast_pairs(fit, spec, by):
            one, two = ((*(row["by"] or {}).values(), *side.split(" ")) for side in row["contrast"].split(" - "))
            assert np.sign(row["stat"]) == np.sign(shown[one] - shown[two])
