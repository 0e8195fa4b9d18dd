"""Cluster-robust models against R (sandwich, clubSandwich, geepack), Hotelling's T² and the definitions."""

import json

import numpy as np
import pandas as pd
import pytest
from reference_tools import close, read_data, read_expected
from scipy import stats

from ser.errors import InputError
from ser.statistics import cluster, means

EXACT = 1e-7
FACTORS = ["arch", "pft"]


@pytest.fixture(scope="module")
def table():
    return read_data("utterances")


@pytest.fixture(scope="module")
def expected():
    return read_expected("utterances_cluster")


def fit(table, **choices):
    return cluster.fit_cluster(table, "correct", FACTORS, "speaker", **choices)


def read_fixed(model):
    return {row["term"]: row for row in model.describe()["fixed"]}


@pytest.mark.parametrize("link, key", [("identity", "lpm"), ("logit", "logit")])
@pytest.mark.parametrize("correction, name", [("CR0", "se_cluster_hc0"), ("CR1", "se_cluster_hc1")])
def test_sandwich_equals_r(table, expected, link, key, correction, name):
    fixed = read_fixed(fit(table, link=link, correction=correction))
    for term, want in expected[key][name].items():
        # R's own iterations stop at 1e-8 of the deviance: its logit coefficients are that exact.
        assert close(fixed[term]["se"], want, EXACT)
        assert close(fixed[term]["estimate"], expected[key]["coef"][term], EXACT if link == "identity" else 1e-6)
        assert fixed[term]["df"] == expected["n_clusters"] - 1


def test_cr2_equals_r(table, expected):
    model = fit(table)
    fixed = read_fixed(model)
    for want in expected["lpm"]["cr2"]:
        got = fixed[want["term"]]
        for ours, theirs in {"estimate": "beta", "se": "SE", "df": "df", "stat": "t", "p": "p"}.items():
            assert close(got[ours], want[theirs], EXACT), (want["term"], ours)
    for term, want in expected["lpm"]["cr2_htz"].items():
        got = cluster.test_treatment(model, term)
        assert got.df == want["df1"]
        assert close(got.df_denom, want["df2"], EXACT)
        assert close(got.F, want["F"], EXACT)
        assert close(got.p, want["p"], EXACT)


def test_gee_equals_r(table, expected):
    want = expected["gee_independence"]
    fixed = read_fixed(cluster.fit_gee(table, "correct", FACTORS, "speaker"))
    for term in want["coef"]:
        assert close(fixed[term]["estimate"], want["coef"][term], 1e-6)
        assert close(fixed[term]["se"], want["se_robust"][term], EXACT)


def make_cells(speakers=9, levels=4, seed=0):
    rng = np.random.default_rng(seed)
    values = 0.6 + 0.1 * rng.normal(size=(speakers, levels)) @ rng.normal(size=(levels, levels))
    return values, pd.DataFrame(
        {
            "y": values.ravel(),
            "speaker": np.repeat([f"s{i}" for i in range(speakers)], levels),
            "arch": np.tile([f"a{i}" for i in range(levels)], speakers),
        }
    )


def test_htz_is_hotelling_in_balanced_cells():
    # Every speaker once in every level: CR2's Wald test is Hotelling's T² of the speakers' contrasts, exactly.
    values, cells = make_cells()
    model = cluster.fit_cluster(cells, "y", ["arch"], "speaker")
    contrasts = values[:, 1:] - values[:, :1]
    size, count = contrasts.shape
    square = size * contrasts.mean(0) @ np.linalg.solve(np.cov(contrasts.T), contrasts.mean(0))
    for kind in (2, 3):
        (got,) = cluster.tabulate_tests(model, kind)
        assert got["df"] == count
        assert got["df_denom"] == pytest.approx(size - count)
        assert got["F"] == pytest.approx(square * (size - count) / ((size - 1) * count))
        assert got["p"] == pytest.approx(stats.f.sf(got["F"], count, size - count))


def test_two_levels_are_a_paired_t_test():
    values, cells = make_cells(levels=2)
    (row,) = means.contrast_pairs(cluster.fit_cluster(cells, "y", ["arch"], "speaker"), "arch")
    want = stats.ttest_rel(values[:, 0], values[:, 1])
    assert (row["df"], row["stat"], row["p"]) == pytest.approx((len(values) - 1, want.statistic, want.pvalue))


def test_cr2_follows_its_definition_in_unbalanced_data():
    # Dense matrices instead of the pieces per cluster: A_j, and the covariances of its Wald statistic, as defined.
    rng = np.random.default_rng(5)
    rows = pd.DataFrame(
        {
            "speaker": rng.choice(list("abcdefgh"), 90, p=np.arange(1, 9) / 36),
            "arch": rng.choice(["u", "v", "w"], 90),
            "pft": rng.choice(["x", "y"], 90),
            "y": rng.normal(size=90),
        }
    )
    model = cluster.fit_cluster(rows, "y", FACTORS, "speaker")
    x, y = model.matrix.coded, rows["y"].to_numpy()
    bread = np.linalg.inv(x.T @ x)
    residual_maker = np.eye(90) - x @ bread @ x.T
    names = sorted(set(rows["speaker"]))
    loads = []  # [P, N] per cluster: coefficient errors as they depend on the errors of the rows
    for name in names:
        own = np.flatnonzero(rows["speaker"] == name)
        values, vectors = np.linalg.eigh(residual_maker[np.ix_(own, own)])
        adjust = vectors @ np.diag(np.where(values > 1e-10, np.abs(values) ** -0.5, 0)) @ vectors.T
        loads.append(bread @ x[own].T @ adjust @ residual_maker[own])
    vcov = sum(np.outer(load @ y, load @ y) for load in loads)
    assert np.allclose(model.vcov, vcov, rtol=1e-9, atol=1e-14)
    places = model.columns["arch:pft"] + model.columns["arch"]
    expectation = sum(load @ load.T for load in loads)[np.ix_(places, places)]
    sizes, vectors = np.linalg.eigh(expectation)
    root = vectors @ np.diag(sizes**-0.5) @ vectors.T
    total = 0.0
    for one in loads:
        for two in loads:
            piece = root @ (one @ two.T)[np.ix_(places, places)] @ root
            total += np.trace(piece) ** 2 + np.trace(piece @ piece)
    count = len(places)
    eta = count * (count + 1) / total
    got = model.test_terms(np.eye(len(y), x.shape[1])[places])
    wald = model.beta[places] @ np.linalg.solve(vcov[np.ix_(places, places)], model.beta[places])
    assert got.df_denom == pytest.approx(eta - count + 1)
    assert close(got.F, wald * (eta - count + 1) / (eta * count), 1e-6)
    # CR2 is unbiased when rows are independent with equal variance.
    assert np.allclose(sum(load @ load.T for load in loads), bread, atol=1e-10)


def test_order_names_and_scale_change_nothing(table):
    tests = cluster.tabulate_tests(fit(table), 3)
    changed = table.sample(frac=1, random_state=1).assign(
        correct=lambda rows: 100 * rows["correct"],
        arch=lambda rows: rows["arch"].map({"hubert": "z", "wav2vec2": "b"}),
        speaker=lambda rows: "x" + rows["speaker"].str[::-1],
    )
    for one, two in zip(tests, cluster.tabulate_tests(fit(changed), 3), strict=True):
        assert one["F"] == pytest.approx(two["F"], rel=1e-8)
        assert one["p"] == pytest.approx(two["p"], rel=1e-8)


def test_means_and_signs(table):
    model = fit(table)
    cells = table.groupby(FACTORS)["correct"].mean()
    rows = means.estimate_means(model, FACTORS)
    assert all(row["mean"] == pytest.approx(cells[tuple(row["levels"].values())]) for row in rows)
    for row in means.contrast_pairs(model, "arch", "pft"):
        assert np.sign(row["stat"]) == np.sign(row["estimate"])
    json.dumps(model.describe(), allow_nan=False)


def test_empty_cell_is_not_estimable(table):
    part = table[~((table["arch"] == "hubert") & (table["pft"] == "none"))]
    model = fit(part)
    by_cell = {tuple(row["levels"].values()): row for row in means.estimate_means(model, FACTORS)}
    assert not by_cell["hubert", "none"]["estimable"]
    assert by_cell["hubert", "ital"]["mean"] == pytest.approx(part[part["arch"] == "hubert"]["correct"].mean())
    with pytest.raises(InputError, match="Type III"):
        cluster.tabulate_tests(model, 3)


def test_few_clusters_leave_no_joint_test():
    _, cells = make_cells(speakers=3, levels=4)
    (got,) = cluster.tabulate_tests(cluster.fit_cluster(cells, "y", ["arch"], "speaker"))
    assert np.isnan(got["p"])


def test_wrong_input_is_refused(table):
    with pytest.raises(InputError, match="separation"):
        fit(table.assign(correct=(table["arch"] == "hubert").astype(int)), link="logit")
    with pytest.raises(InputError, match="one value"):
        fit(table.assign(speaker="x"))
    with pytest.raises(InputError, match="missing values"):
        fit(table.assign(correct=np.nan))
    with pytest.raises(InputError, match="correction"):
        fit(table, correction="CR3")
    with pytest.raises(InputError, match="no column"):
        fit(table.drop(columns="speaker"))
