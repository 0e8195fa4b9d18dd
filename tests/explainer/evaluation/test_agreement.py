import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.explainer.evaluation.agreement import score_agreement

RANDOM = np.random.default_rng(0)
REMOVED = RANDOM.random((200, 60)) < RANDOM.uniform(0.05, 0.5, (200, 1))
EFFECTS = RANDOM.normal(size=60) + 0.5
DROPS = REMOVED @ EFFECTS
AREAS = np.ones(60)


def test_an_exact_map_agrees_perfectly():
    scores = score_agreement(EFFECTS, REMOVED, DROPS, AREAS)
    assert scores["sensitivity_n"] == pytest.approx(1) and scores["infidelity"] == pytest.approx(0, abs=1e-12)


def test_a_map_turned_around_disagrees():
    scores = score_agreement(-EFFECTS, REMOVED, DROPS, AREAS)
    assert scores["sensitivity_n"] == pytest.approx(-1) and scores["infidelity"] == 1


def test_a_random_map_says_next_to_nothing():
    found = [score_agreement(np.random.default_rng(n).normal(size=60), REMOVED, DROPS, AREAS) for n in range(50)]
    assert abs(np.mean([one["sensitivity_n"] for one in found])) < 0.1


def test_how_much_is_removed_is_no_merit_of_a_map():
    # The more is removed the further the margin falls: a constant map predicts that, and nothing else.
    assert np.corrcoef(REMOVED.sum(1), DROPS)[0, 1] > 0.5
    assert score_agreement(np.ones(60), REMOVED, DROPS, AREAS)["sensitivity_n"] == 0


def test_a_map_of_zeros_explains_nothing():
    assert score_agreement(np.zeros(60), REMOVED, DROPS, AREAS) == {"sensitivity_n": 0.0, "infidelity": 1.0}


@given(st.floats(0.001, 1000))
def test_the_unit_of_a_map_does_not_matter(factor):
    values = EFFECTS + np.random.default_rng(1).normal(size=60)
    plain, scaled = (score_agreement(one, REMOVED, DROPS, AREAS) for one in (values, factor * values))
    assert scaled == pytest.approx(plain)
