import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ser.explainer.evaluation.curves import SHARES, find_counts, list_shares, make_masks, rank_cells, score_curves

EFFECTS = arrays(float, 40, elements=st.floats(-5, 5).map(lambda x: round(x, 2)))


def score_additive(values, effects, empty=0.0, steps=20):
    """Curves of a model whose margin is the sum of the effects of what is kept, above that of the fill."""
    shares, areas = list_shares(steps), np.ones(len(values))
    kept = make_masks(rank_cells(values, 0), areas, shares)
    deletion, insertion = (empty + mask.numpy() @ effects for mask in kept)
    return score_curves(deletion, insertion, shares, empty + effects.sum(), empty, steps)


def test_shares_include_those_of_comprehensiveness():
    assert set(SHARES) <= set(list_shares(20).tolist()) and len(list_shares(20)) == 22


def test_equal_cells_are_ranked_at_random_but_always_the_same():
    first, again, other = rank_cells(np.zeros(50), 1), rank_cells(np.zeros(50), 1), rank_cells(np.zeros(50), 2)
    assert (first == again).all() and (first != other).any() and sorted(first) == list(range(50))
    assert rank_cells(np.array([1.0, 3.0, 2.0]), 0).tolist() == [1, 2, 0]


def test_steps_are_of_equal_area_not_of_equal_count():
    assert find_counts(np.array([4.0, 2.0, 1.0, 1.0]), [0, 0.5, 0.75, 1]).tolist() == [0, 1, 2, 4]


def test_the_smallest_share_takes_a_cell():
    gone, alone = make_masks(np.arange(10), np.ones(10), np.array([0.0, 0.01, 1.0]))
    assert (~gone).sum(1).tolist() == alone.sum(1).tolist() == [0, 1, 10]


def test_curves_begin_and_end_where_they_are_normalised():
    # Equal effects: whatever the order, deletion falls in a straight line from 1 to 0, and insertion rises so.
    scores = score_additive(np.arange(40.0), np.full(40, 0.3), empty=-7.0)
    assert scores["deletion_auc"] == pytest.approx(0.5) and scores["insertion_auc"] == pytest.approx(0.5)
    assert scores["insertion_deletion"] == pytest.approx(0)
    assert scores["comprehensiveness"] == pytest.approx(np.mean([0.025, 0.05, 0.1, 0.2, 0.5]))
    assert scores["sufficiency"] == pytest.approx(np.mean([0.975, 0.95, 0.9, 0.8, 0.5]))


@given(EFFECTS)
def test_no_map_beats_the_exact_one(effects):
    if abs(effects.sum()) < 0.1:
        return
    best = score_additive(effects, effects)["insertion_deletion"]
    for seed in range(5):
        assert score_additive(np.random.default_rng(seed).normal(size=40), effects)["insertion_deletion"] <= best + 1e-9


@given(EFFECTS, st.integers(0, 5))
def test_a_map_turned_around_turns_the_score_around(effects, seed):
    if abs(effects.sum()) < 0.1:
        return
    values = np.random.default_rng(seed).permutation(40).astype(float)
    plain, turned = score_additive(values, effects), score_additive(-values, effects)
    assert turned["insertion_deletion"] == pytest.approx(-plain["insertion_deletion"], abs=1e-6)
    assert turned["deletion_auc"] == pytest.approx(plain["insertion_auc"], abs=1e-6)


@given(EFFECTS, st.floats(0.01, 100))
def test_only_the_order_of_a_map_counts(effects, factor):
    if abs(effects.sum()) < 0.1:
        return
    values = np.random.default_rng(0).normal(size=40)
    assert score_additive(values, effects) == score_additive(factor * values, effects)


def test_a_fill_that_the_model_takes_for_the_class_does_not_turn_the_score_around():
    effects = np.random.default_rng(0).normal(size=40) - 1  # the fill alone has the greater margin
    assert effects.sum() < -10
    assert score_additive(effects, effects)["insertion_deletion"] > 0.2
    assert score_additive(-effects, effects)["insertion_deletion"] < -0.2
