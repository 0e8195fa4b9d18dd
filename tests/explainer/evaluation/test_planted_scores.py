"""Scores on planted clips: perfect maps, random maps, constant maps, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from ser.explainer.evaluation.planted import (
    bootstrap,
    correlate_effects,
    find_auroc,
    find_excess,
    find_precision,
    find_reliance,
    mark_span,
    score_cues,
    score_map,
    score_shortcut,
    smooth,
)

TIMES = 0.005 + 0.01 * np.arange(240)
SPAN, DECOY = (0.6, 1.1), (1.5, 1.9)
INSIDE, BESIDE = (mark_span(TIMES, *span) for span in (SPAN, DECOY))

maps = st.lists(st.integers(-5, 5), min_size=2, max_size=40).flatmap(
    lambda values: st.tuples(
        st.just(np.array(values, dtype=float)),
        st.lists(st.booleans(), min_size=len(values), max_size=len(values)).map(np.array),
    )
)


def test_a_perfect_map_has_the_best_scores():
    scores = score_map(INSIDE.astype(float), TIMES, SPAN, DECOY, smoothing=0)
    share = INSIDE.mean()
    assert scores == pytest.approx(
        {
            "loc_auroc": 1,
            "loc_ap": 1,
            "point": 1,
            "enrichment": 1 / share,
            "decoy": 0,
            "excess": INSIDE.sum() * (1 - share),
            "prevalence": share,
        }
    )


def test_a_constant_map_is_at_chance_whatever_the_smoothing():
    for smoothing in (0, 0.09, 0.5):
        scores = score_map(np.full(240, 0.3), TIMES, SPAN, DECOY, smoothing)
        assert scores["loc_auroc"] == pytest.approx(0.5)
        assert scores["loc_ap"] == scores["point"] == pytest.approx(INSIDE.mean())
        assert scores["enrichment"] == pytest.approx(1) and scores["decoy"] == pytest.approx(1)
        assert scores["excess"] == pytest.approx(0, abs=1e-9)


def test_random_maps_are_at_chance_with_the_smoothing_that_all_maps_get():
    rng = np.random.default_rng(0)
    scores = [score_map(rng.standard_normal(240), TIMES, SPAN, DECOY) for _ in range(1500)]
    means = {name: np.mean([score[name] for score in scores]) for name in scores[0]}
    assert means["loc_auroc"] == pytest.approx(0.5, abs=0.02)
    assert means["enrichment"] == pytest.approx(1, abs=0.05) and means["decoy"] == pytest.approx(1, abs=0.05)
    assert means["point"] == pytest.approx(INSIDE.mean(), abs=0.05)
    assert means["excess"] == pytest.approx(0, abs=0.6)  # its SD over maps is about 7


def test_a_map_that_points_at_the_decoy_leaks():
    scores = score_map(BESIDE.astype(float), TIMES, SPAN, DECOY, smoothing=0)
    assert scores["decoy"] == pytest.approx(1 / BESIDE.mean()) and scores["enrichment"] == 0
    assert scores["loc_auroc"] < 0.5


@given(maps, st.floats(0.01, 100))
def test_the_size_of_a_map_does_not_matter(drawn, factor):
    values, _ = drawn
    times = 0.01 * np.arange(len(values))
    one, other = (score_map(size * values, times, (0.05, 0.1), (0.2, 0.25)) for size in (1.0, factor))
    for name in one:
        wanted = one[name] * (factor if name == "excess" else 1)
        assert other[name] == pytest.approx(wanted, nan_ok=True, abs=1e-9, rel=1e-6), name


@given(maps)
def test_areas_are_those_of_scikit_learn(drawn):
    values, inside = drawn
    if inside.any() and not inside.all():
        assert find_auroc(values, inside) == pytest.approx(roc_auc_score(inside, values))
        assert find_precision(values, inside) == pytest.approx(average_precision_score(inside, values))
    else:
        assert np.isnan(find_auroc(values, inside)) and np.isnan(find_precision(values, inside))


def test_smoothing_keeps_constants_and_mass_in_the_middle():
    np.testing.assert_allclose(smooth(np.full(7, 2.0), 0.01), 2.0)
    spike = np.zeros(50)
    spike[25] = 1
    smoothed = smooth(spike, 0.01)
    assert (smoothed > 0).sum() == 9 and smoothed.sum() == pytest.approx(1) and smoothed.argmax() in range(21, 30)
    np.testing.assert_array_equal(smooth(spike, 0.01, 0), spike)
    np.testing.assert_array_equal(smooth(spike, 0.2), spike)  # cells wider than the window


def test_spans_have_their_tolerance_and_missing_ones_no_cells():
    assert mark_span([0.0, 0.08, 0.1, 0.2, 0.224, 0.23], 0.1, 0.2).tolist() == [False, True, True, True, True, False]
    assert not mark_span(TIMES, float("nan"), float("nan")).any()
    missing = score_map(np.ones(240), TIMES, SPAN)
    assert np.isnan(missing["decoy"]) and missing["enrichment"] == pytest.approx(1)
    assert np.isnan(score_map(-np.ones(240), TIMES, SPAN)["enrichment"])  # nothing speaks for the class


def test_the_length_of_a_span_does_not_make_relevance_go_with_effects():
    rng = np.random.default_rng(3)
    lengths = rng.integers(20, 120, 300)
    even = [find_excess(np.ones(240) * rng.uniform(0.5, 2), np.arange(240) < length) for length in lengths]
    np.testing.assert_allclose(even, 0, atol=1e-9)
    effects = rng.uniform(1, 5, 300)
    marks = [np.arange(240) < length for length in lengths]
    true = [find_excess(effect * inside / inside.sum(), inside) for effect, inside in zip(effects, marks, strict=True)]
    assert correlate_effects(true, effects) > 0.7
    assert correlate_effects([*effects, np.nan], [*effects, 1.0]) == pytest.approx(1)


def test_importances_as_they_are_and_as_they_are_not():
    truth = np.random.default_rng(1).standard_normal((200, 5))
    exact = score_cues(3 * truth, truth)
    assert [exact[name].value for name in ("cue_rank", "cue_sign", "cue_mae")] == pytest.approx([1, 1, 0])
    assert exact["cue_rank"].chance == pytest.approx(0, abs=0.05)
    assert 0.5 < exact["cue_sign"].chance < 0.65 and exact["cue_mae"].chance > 0.1
    against = score_cues(-truth, truth)
    assert [against[name].value for name in ("cue_rank", "cue_sign")] == pytest.approx([1, 0])  # ranks are of sizes
    blind = score_cues(np.random.default_rng(2).standard_normal((200, 5)), truth)
    for name, score in blind.items():
        assert score.value == pytest.approx(score.chance, abs=0.1), name


def test_importances_that_are_missing_do_not_count():
    truth = np.ones((3, 2))
    reported = np.array([[1.0, 0.5], [0.0, 0.0], [np.nan, 1.0]])
    assert score_cues(reported, truth)["cue_sign"].clips == 1
    assert np.isfinite(score_cues(reported, truth)["cue_sign"].scores).tolist() == [True, False, False]
    assert np.isnan(score_cues(reported[1:], truth[1:])["cue_sign"].value)


def test_a_shortcut_is_found_where_it_decides():
    truth = np.tile([0.1, -0.1, 0.9], (60, 1))
    truth[:20] = [0.9, 0.1, 0.1]  # here a cue decides
    honest = score_shortcut(truth, truth, 2)
    assert honest.value == 1 and honest.clips == 40 and honest.chance == pytest.approx(1 / 3, abs=0.05)
    fooled = score_shortcut(truth[:, [2, 1, 0]], truth, 2)
    assert fooled.value == 0
    assert score_shortcut(np.ones((60, 3)), truth, 2).value == pytest.approx(1 / 3)
    assert score_shortcut(truth[:20], truth[:20], 2).clips == 0


def test_reliance_on_a_cue_is_its_share():
    np.testing.assert_allclose(find_reliance([[3.0, -1.0], [0.0, 2.0]], 0), [0.75, 0])


def test_intervals_resample_speakers_not_clips():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(8), 50)
    values = rng.standard_normal(8)[speakers] + 0.01 * rng.standard_normal(400)
    mean, (low, high) = values.mean(), bootstrap(lambda rows: float(values[rows].mean()), speakers)
    assert low < mean < high
    assert high - low == pytest.approx(2 * 1.96 * values[::50].std() / np.sqrt(8), rel=0.3)
    assert np.isnan(bootstrap(lambda rows: 1.0, ["one"] * 5)).all()
