import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from ser import regression
from ser.metrics import resample_groups

DIMENSIONS = ("arousal", "valence")
ratings = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=30).map(
    lambda pairs: np.array(pairs, dtype=float)[:, :, None] / 8
)


def reference_ccc(true, predicted):
    """Lin (1989) clip by clip, population moments."""
    n = len(true)
    mean_t, mean_p = sum(true) / n, sum(predicted) / n
    var_t = sum((t - mean_t) ** 2 for t in true) / n
    var_p = sum((p - mean_p) ** 2 for p in predicted) / n
    cov = sum((t - mean_t) * (p - mean_p) for t, p in zip(true, predicted, strict=True)) / n
    return 2 * cov / (var_t + var_p + (mean_t - mean_p) ** 2)


def make_predictions(speakers=6, takes=5, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    true = rng.normal([4, 2], [1, 0.2], (speakers * takes, 2))
    predicted = true + rng.normal(0, noise, true.shape) * [1, 0.2]
    speaker = np.repeat([f"s{number}" for number in range(speakers)], takes)
    table = pd.DataFrame({"speaker": speaker, "gender": np.where(speaker < "s2", "female", "male")})
    table["clip"] = [f"clip{number}" for number in range(len(table))]
    for place, name in enumerate(DIMENSIONS):
        table[f"true_{name}"], table[f"pred_{name}"] = true[:, place], predicted[:, place]
    return table


def score(true, predicted):
    sums = regression.sum_clips(np.asarray(true), np.asarray(predicted))
    return tuple(float(statistic(sums)[0]) for statistic in (regression.ccc, regression.pcc, regression.mae))


def test_a_case_done_by_hand():
    # Means 2 and 3, variances 2/3 and 2/3, covariance 2/3 (population): 4/3 over 4/3 + 1.
    ccc, pcc, mae = score([[1], [2], [3]], [[2], [3], [4]])
    assert ccc == pytest.approx((4 / 3) / (4 / 3 + 1)) and pcc == pytest.approx(1) and mae == pytest.approx(1)
    # With variances divided by n - 1 it would be 2 / 3.
    assert ccc == pytest.approx(4 / 7)


@given(pairs=ratings)
@settings(max_examples=80, deadline=None)
def test_scores_are_those_of_slow_loops_and_scipy(pairs):
    true, predicted = pairs[:, 0], pairs[:, 1]
    assume(np.ptp(true) > 0 and np.ptp(predicted) > 0)
    ccc, pcc, mae = score(true, predicted)
    assert ccc == pytest.approx(reference_ccc(true[:, 0], predicted[:, 0]), abs=1e-9)
    assert pcc == pytest.approx(pearsonr(true[:, 0], predicted[:, 0]).statistic, abs=1e-9)
    assert mae == pytest.approx(np.abs(true - predicted).mean())


@given(pairs=ratings, shift=st.integers(-9, 9), factor=st.sampled_from([-3.0, -0.25, 0.5, 7.0]))
@settings(max_examples=80, deadline=None)
def test_what_changes_a_score_and_what_does_not(pairs, shift, factor):
    true, predicted = pairs[:, 0], pairs[:, 1]
    ccc, pcc, mae = score(true, predicted)
    back = score(predicted, true)
    alike = score(true * factor + shift, predicted * factor + shift)
    np.testing.assert_allclose(back, (ccc, pcc, mae), atol=1e-9)
    np.testing.assert_allclose(alike, (ccc, pcc, mae * abs(factor)), atol=1e-9)
    turned = score(true, predicted * factor + shift)
    np.testing.assert_allclose(turned[1], pcc * np.sign(factor), atol=1e-9)
    if not np.isnan(pcc):
        assert abs(ccc) <= abs(pcc) + 1e-9 and abs(pcc) <= 1
    if np.ptp(true) > 0:
        np.testing.assert_allclose(score(true, true), (1, 1, 0), atol=1e-9)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9 + 0.1])
def test_constant_predictions_agree_with_nothing(constant):
    true = np.random.default_rng(0).normal(3, 1, (50, 1))
    ccc, pcc, mae = score(true, np.full((50, 1), constant))
    assert ccc == 0 and np.isnan(pcc) and mae == pytest.approx(np.abs(true - constant).mean())
    assert np.isnan(score(np.full((9, 1), 0.1), np.full((9, 1), 0.1))[:2]).all()
    frame = make_predictions().assign(pred_valence=constant)
    scores = regression.score_values(frame, "test", DIMENSIONS)
    assert scores["test/ccc/valence"] == scores["test/ccc/valence_ci_low"] == scores["test/ccc/valence_ci_high"] == 0
    assert np.isnan(scores["test/pcc/valence"]) and np.isnan(scores["test/pcc/valence_ci_low"])
    assert np.isnan(scores["test/pcc"]) and scores["test/ccc"] == pytest.approx(scores["test/ccc/arousal"] / 2)


def test_a_speaker_of_constant_predictions_is_constant_beside_others():
    rng = np.random.default_rng(0)
    speaker = np.repeat([f"s{number:02d}" for number in range(50)], 7)
    constant = np.repeat(rng.normal(0.3, 1, 50), 7)[:, None]
    sums = regression.sum_by_group(rng.normal(size=(350, 1)), constant, speaker)
    assert np.isnan(regression.pcc(sums)).all() and (regression.ccc(sums) == 0).all()
    assert np.isfinite(regression.pcc(sums.sum(0)))


def test_large_offsets_cost_no_precision():
    rng = np.random.default_rng(1)
    true = rng.normal(0, 1, (200, 1))
    predicted = true + rng.normal(0, 0.5, true.shape)
    np.testing.assert_allclose(score(true + 1e7, predicted + 1e7), score(true, predicted), atol=1e-6)
    assert score(true, predicted + 1e7)[1] == pytest.approx(score(true, predicted)[1], abs=1e-6)


def test_sums_of_speakers_add_up_and_never_depend_on_order():
    frame = make_predictions()
    sides = [frame[[f"{side}_{name}" for name in DIMENSIONS]].to_numpy() for side in ("true", "pred")]
    groups = regression.sum_by_group(*sides, frame["speaker"])
    assert groups.shape == (6, 8, 2)
    np.testing.assert_allclose(groups.sum(0), regression.sum_clips(*sides), atol=1e-9)
    order = np.random.default_rng(0).permutation(len(frame))
    mixed = regression.sum_by_group(*(side[order] for side in sides), frame["speaker"].iloc[order])
    np.testing.assert_allclose(mixed, groups, atol=1e-9)


def test_intervals_are_those_of_tables_put_together_anew():
    frame = make_predictions()
    scores = regression.score_values(frame, "test", DIMENSIONS)
    # The same draws of speakers, as resample_groups weighs them, but with the clips themselves.
    weights = resample_groups(np.eye(6), 2000, 0)
    speakers = [part for _, part in frame.groupby("speaker")]
    values = []
    for weight in weights[:300]:
        table = pd.concat([part for part, times in zip(speakers, weight, strict=True) for _ in range(int(times))])
        values.append(
            [reference_ccc(table[f"true_{name}"].to_numpy(), table[f"pred_{name}"].to_numpy()) for name in DIMENSIONS]
        )
    sides = [frame[[f"{side}_{name}" for name in DIMENSIONS]].to_numpy() for side in ("true", "pred")]
    draws = regression.ccc(resample_groups(regression.sum_by_group(*sides, frame["speaker"])))
    np.testing.assert_allclose(draws[:300], values, atol=1e-9)
    low, high = np.quantile(draws[:, 0], [0.025, 0.975])
    assert scores["test/ccc/arousal_ci_low"] == pytest.approx(low)
    assert scores["test/ccc/arousal_ci_high"] == pytest.approx(high)
    low, high = np.quantile(draws.mean(1), [0.025, 0.975])
    assert (scores["test/ccc_ci_low"], scores["test/ccc_ci_high"]) == pytest.approx((low, high))
    assert low < scores["test/ccc"] < high


def test_names_and_levels():
    frame = make_predictions()
    scores = regression.score_values(frame, "test", DIMENSIONS, by=["gender"])
    each = [f"{name}{dimension}" for name in ("ccc", "pcc", "mae") for dimension in ("", "/arousal", "/valence")]
    expected = {f"test/{name}{end}" for name in each for end in ("", "_ci_low", "_ci_high")}
    levels = {f"test/gender/{level}/{name}" for level in ("female", "male") for name in (*each[:3], "n_clips")}
    assert set(scores) == expected | levels | {"test/n_clips", "test/n_predictions", "test/n_speakers"}
    assert (scores["test/n_clips"], scores["test/n_speakers"], scores["test/gender/female/n_clips"]) == (30, 6, 10)
    women = frame[frame["gender"] == "female"]
    assert scores["test/gender/female/ccc/valence"] == pytest.approx(
        reference_ccc(women["true_valence"].to_numpy(), women["pred_valence"].to_numpy())
    )
    assert scores["test/ccc"] == pytest.approx(regression.find_mean_ccc(frame, DIMENSIONS))
    for name in ("ccc", "pcc", "mae"):
        mean = np.mean([scores[f"test/{name}/{dimension}"] for dimension in DIMENSIONS])
        assert scores[f"test/{name}"] == pytest.approx(mean)


def test_one_speaker_has_scores_and_no_interval():
    scores = regression.score_values(make_predictions(speakers=1), "val", DIMENSIONS)
    assert np.isfinite(scores["val/ccc"]) and np.isnan(scores["val/ccc_ci_low"])
    assert np.isnan(scores["val/mae/arousal_ci_high"])


def test_a_column_without_levels_adds_nothing():
    scores = regression.score_values(make_predictions().assign(nothing=None), "test", DIMENSIONS, by=["nothing"])
    assert not any("nothing" in name for name in scores)


def test_several_sets_and_their_means():
    sets = {"test/one": make_predictions(seed=1), "test/two": make_predictions(seed=2, noise=2)}
    scores = regression.score_sets(sets, "test", DIMENSIONS)
    for name in ("ccc", "ccc/arousal", "mae/valence"):
        assert scores[f"test/{name}"] == pytest.approx((scores[f"test/one/{name}"] + scores[f"test/two/{name}"]) / 2)
    assert scores["test/ccc_ci_low"] < scores["test/ccc"] < scores["test/ccc_ci_high"]
    widths = {label: scores[f"{label}/ccc_ci_high"] - scores[f"{label}/ccc_ci_low"] for label in ("test", *sets)}
    assert widths["test"] < max(widths.values())
    only = make_predictions()
    assert regression.score_sets({"test": only}, "test", DIMENSIONS) == regression.score_values(
        only, "test", DIMENSIONS
    )


def test_two_thousand_draws_of_many_clips_take_no_time():
    rng = np.random.default_rng(0)
    n = 50_000
    frame = pd.DataFrame({f"{s}_{d}": rng.normal(size=n) for s in ("true", "pred") for d in ("a", "b", "c")})
    frame = frame.assign(clip=np.arange(n), speaker=rng.integers(0, 100, n).astype(str))
    began = time.perf_counter()
    regression.score_values(frame, "test", ("a", "b", "c"), by=())
    assert time.perf_counter() - began < 2
