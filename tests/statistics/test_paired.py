"""McNemar, Cochran, bootstraps and sign flips against R, exact enumeration and symmetry."""

import json
from itertools import product

import numpy as np
import pytest
from reference_tools import close, read_data, read_expected
from scipy import stats

from ser.errors import InputError
from ser.statistics import bootstrap, paired

EXACT = 1e-7
MODELS = ["m1", "m2", "m3", "m4"]


@pytest.fixture(scope="module")
def table():
    return read_data("paired_predictions")


@pytest.fixture(scope="module")
def expected():
    return read_expected("paired_predictions")


@pytest.fixture(scope="module")
def result(table):
    return paired.compare_predictions(table, MODELS, "speaker")


def test_mcnemar_equals_r(result, expected):
    keys = {
        "difference": "diff",
        "odds_ratio": "odds_ratio",
        "p_exact": "p_exact",
        "p_mid": "p_mid",
        "chisq": "chisq",
        "p": "p",
        "chisq_corrected": "chisq_cc",
        "p_corrected": "p_cc",
    }
    for pair, want in zip(result.pairs, expected["mcnemar"], strict=True):
        got = pair.mcnemar
        assert (got.a, got.b, got.n11, got.n10, got.n01, got.n00) == tuple(
            want[key] for key in ("a", "b", "n11", "n10", "n01", "n00")
        )
        assert all(close(getattr(got, ours), want[theirs], EXACT) for ours, theirs in keys.items())
        assert np.allclose(got.ci, want["wald_ci95"], rtol=EXACT)
    assert np.allclose(result.p_exact_holm, expected["mcnemar_exact_holm"], rtol=EXACT)
    assert np.allclose(result.p_exact_bh, expected["mcnemar_exact_bh"], rtol=EXACT)
    assert all(close(result.accuracy[model], expected["accuracy"][model], EXACT) for model in MODELS)


def test_cochran_equals_r(result, expected):
    want = expected["cochran_q"]
    assert result.cochran.df == want["df"]
    assert close(result.cochran.chisq, want["Q"], EXACT)
    assert close(result.cochran.p, want["p"], EXACT)


@pytest.mark.parametrize("average", ["pooled", "macro"])
def test_exact_bootstrap_equals_r(table, expected, average):
    # R's difference is second minus first model.
    want = expected["exact_cluster_bootstrap"]
    got = getattr(paired.compare_pair(table["m2"], table["m1"], table["speaker"]), average)
    assert got.exact
    assert got.n_resamples == want["n_resamples"]
    assert close(got.estimate, want[f"diff_{average}"], EXACT)
    want = want[average]
    assert close(got.mean, want["mean"], EXACT)
    assert close(got.sd, want["sd"], EXACT)
    assert close(got.share_le_0, want["share_le_0"], EXACT)
    for name, value in want["quantiles"].items():
        assert close(got.quantiles[name], value, EXACT), name
    assert np.allclose(got.ci, [want["quantiles"]["2.5%"], want["quantiles"]["97.5%"]], rtol=EXACT)


def test_random_bootstrap_nears_the_exact_one(table, expected):
    differences, counts = paired.average_speakers(table["m2"], table["m1"], table["speaker"])
    for weights, average in ((counts, "pooled"), (None, "macro")):
        want = expected["exact_cluster_bootstrap"][average]
        got = bootstrap.bootstrap_speakers(differences, weights, exact_up_to=0)
        assert not got.exact
        assert got.n_resamples == 20_000
        assert close(got.sd, want["sd"], 0.02)
        assert all(close(got.quantiles[name], value, absolute=0.004) for name, value in want["quantiles"].items())


def test_sign_flips_and_speaker_t_equal_r(table, expected):
    got = paired.compare_pair(table["m2"], table["m1"], table["speaker"])
    want = expected["exact_sign_flip_speakers"]
    assert close(got.sign_flip.estimate, want["stat"], EXACT)
    assert got.sign_flip.n_flips == want["n"]
    assert got.sign_flip.p == want["p_two_sided"]
    # One speaker has no difference, and does not move.
    assert got.sign_flip.smallest_p == 0.125
    assert got.sign_flip.notes == ("5 speakers, 1 of them without a difference: sign flips cannot reach .05",)
    assert bootstrap.flip_signs([0.1, 0.2, 0.3, 0.1, 0.4]).p == 0.0625
    assert not bootstrap.flip_signs([0.1, 0.2, 0.3, 0.1, 0.4, 0.2]).notes
    want = expected["speaker_paired_t"]
    for name in ("mean", "t", "df", "p"):
        assert close(getattr(got.speaker_t, name), want[name], EXACT)
    assert np.allclose(got.speaker_t.ci, want["ci95"], rtol=EXACT)


def test_exchanging_models_changes_signs_only(table):
    one = paired.compare_pair(table["m1"], table["m2"], table["speaker"])
    two = paired.compare_pair(table["m2"], table["m1"], table["speaker"])
    assert one.mcnemar.difference == -two.mcnemar.difference
    assert one.mcnemar.ci == tuple(-bound for bound in two.mcnemar.ci[::-1])
    for name in ("p", "p_corrected", "p_exact", "p_mid", "chisq"):
        assert getattr(one.mcnemar, name) == getattr(two.mcnemar, name)
    assert one.mcnemar.odds_ratio == pytest.approx(1 / two.mcnemar.odds_ratio)
    for average in ("pooled", "macro"):
        a, b = getattr(one, average), getattr(two, average)
        assert (a.estimate, a.sd, a.p) == pytest.approx((-b.estimate, b.sd, b.p))
        assert a.ci == pytest.approx((-b.ci[1], -b.ci[0]))
    assert (one.sign_flip.estimate, one.sign_flip.p) == (-two.sign_flip.estimate, two.sign_flip.p)
    assert (one.speaker_t.t, one.speaker_t.p) == pytest.approx((-two.speaker_t.t, two.speaker_t.p))


def test_order_of_rows_does_not_matter(table, result):
    shuffled = table.sample(frac=1, random_state=3)
    assert paired.compare_predictions(shuffled, MODELS, "speaker").cochran == result.cochran
    again = paired.compare_predictions(shuffled, MODELS, "speaker").pairs[0]
    assert again.mcnemar == result.pairs[0].mcnemar
    assert again.pooled == result.pairs[0].pooled


def test_tiny_tables_by_hand():
    got = paired.test_mcnemar([1, 1, 1, 0], [0, 0, 1, 0])
    assert (got.n10, got.n01, got.p_exact, got.p_mid) == (2, 0, 0.5, 0.25)
    assert got.describe()["odds_ratio"] is None
    same = paired.test_mcnemar([1, 0], [1, 0])
    assert (same.p, same.p_exact, same.p_mid, same.difference) == (1.0, 1.0, 1.0, 0.0)
    assert paired.test_cochran(np.ones((4, 3))).p == 1.0
    # Two models: Cochran's Q is McNemar's chi-square.
    a, b = np.array([1, 1, 1, 0, 0, 1]), np.array([0, 0, 1, 1, 0, 0])
    assert paired.test_cochran(np.column_stack([a, b])).chisq == pytest.approx(paired.test_mcnemar(a, b).chisq)


def test_enumerated_resamples_are_all_of_them():
    values = np.array([0.1, -0.2, 0.35])
    every = np.array([np.mean([values[i] for i in drawn]) for drawn in product(range(3), repeat=3)])
    got = bootstrap.bootstrap_speakers(values)
    assert got.n_resamples == 27
    assert got.sd == pytest.approx(every.std())
    assert got.ci == pytest.approx(tuple(np.quantile(every, [0.025, 0.975])))
    assert got.share_le_0 == pytest.approx((every <= 1e-12).mean())
    _, times = bootstrap.enumerate_resamples(8)
    assert times.sum() == 8**8


def test_sign_flips_are_all_of_them():
    rng = np.random.default_rng(0)
    values = rng.normal(0.4, 1, 9)
    signs = np.array(list(product([-1, 1], repeat=9)))
    want = (np.abs(signs @ values) >= abs(values.sum()) - 1e-12).mean()
    assert bootstrap.flip_signs(values).p == pytest.approx(want)
    sampled = bootstrap.flip_signs(values, exact_up_to=0)
    assert not sampled.exact
    assert sampled.p == pytest.approx(want, abs=0.02)
    assert bootstrap.flip_signs(np.abs(values)).p == 2.0**-8
    assert bootstrap.flip_signs(np.zeros(6)).p == 1.0
    assert "cannot reach .05" in bootstrap.flip_signs([0.1, 0.2, 0.3, 0, 0, 0.2, 0.1, 0]).notes[0]


def test_two_way_bootstrap_has_both_variances():
    rng = np.random.default_rng(1)
    speakers, runs = 12, 10
    sd_run, sd_cross = 0.03, 0.05
    a, b = (
        0.6 + rng.normal(0, sd_run, (runs, 1)) + rng.normal(0, sd_cross, (1, speakers)) + np.zeros((runs, speakers))
        for _ in range(2)
    )
    got = bootstrap.bootstrap_two_way(a, b)
    gaps = a.mean(0) - b.mean(0)
    variance = gaps.var() / speakers + a.mean(1).var() / runs + b.mean(1).var() / runs
    assert got.estimate == pytest.approx(gaps.mean())
    assert got.sd == pytest.approx(np.sqrt(variance), rel=0.05)
    assert got.n_runs == (runs, runs)
    alone = bootstrap.bootstrap_speakers(gaps)
    assert alone.sd < got.sd
    other = bootstrap.bootstrap_two_way(b, a)
    assert other.estimate == pytest.approx(-got.estimate)
    # Equal counts: pooling changes nothing.
    counts = np.full((runs, speakers), 7)
    pooled = bootstrap.bootstrap_two_way(a, b, counts, counts)
    assert pooled.ci == pytest.approx(got.ci)


def test_two_way_bootstrap_of_folds():
    # Under cross-validation a run scores only the speakers of its fold.
    rng = np.random.default_rng(2)
    folds, seeds, size = 4, 3, 2
    scores = np.full((folds * seeds, folds * size), np.nan)
    blocks = np.repeat(np.arange(folds), seeds)
    for run, fold in enumerate(blocks):
        scores[run, fold * size : (fold + 1) * size] = rng.normal(0.7, 0.05, size)
    other = scores - 0.1
    got = bootstrap.bootstrap_two_way(scores, other, blocks_a=blocks, blocks_b=blocks)
    assert got.estimate == pytest.approx(0.1)
    assert not got.notes
    assert got.ci[0] < 0.1 < got.ci[1]
    single = bootstrap.bootstrap_two_way(scores[::seeds], other[::seeds], blocks_a=range(folds), blocks_b=range(folds))
    assert "single run" in single.notes[0]


def test_interval_is_bias_corrected_above_20_speakers():
    values = np.random.default_rng(3).exponential(1, 30)
    got = bootstrap.bootstrap_speakers(values)
    assert got.method == "bias-corrected"
    assert got.ci[0] > got.quantiles["2.5%"]  # the skewed distribution lies below its mean more often
    assert stats.ttest_1samp(values, 0).pvalue < 0.05
    assert got.p < 0.05


def test_results_are_json(result):
    text = json.dumps(result.describe(), allow_nan=False)
    assert json.loads(text)["pairs"][0]["mcnemar"]["n10"] == 31


def test_wrong_input_is_refused(table):
    with pytest.raises(InputError, match="for every utterance"):
        paired.test_mcnemar([0.5, 1], [1, 0])
    with pytest.raises(InputError, match="two models"):
        paired.compare_predictions(table, ["m1"])
    with pytest.raises(InputError, match="same two or more speakers"):
        bootstrap.bootstrap_two_way(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(InputError, match="no score"):
        bootstrap.flip_signs([0.1, np.nan])
    one = paired.compare_pair([1, 0], [0, 0], ["x", "x"])
    assert one.n_speakers == 1
    assert one.pooled is None
