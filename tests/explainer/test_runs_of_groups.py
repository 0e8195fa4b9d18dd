"""Groups of speakers, and the interval of what is left without each of them."""

import numpy as np
import pytest
from scipy import stats

from ser.explainer.groups import find_reach, group_speakers


def test_speakers_are_grouped_by_their_clips():
    speakers = np.repeat([f"{number:02d}" for number in range(23)], np.arange(1, 24))
    found = group_speakers(speakers)
    totals = np.bincount([found[speaker] for speaker in speakers])
    assert len(totals) == 10 and np.ptp(totals) < 12
    assert group_speakers(np.array(["a", "b", "a"])) == {"a": 0, "b": 1}


def test_of_a_mean_the_interval_is_students():
    values = np.random.default_rng(0).normal(size=(9, 4))
    left = np.stack([np.delete(values, row, axis=0).mean(0) for row in range(9)])
    low, high = stats.t.interval(0.95, 8, values.mean(0), stats.sem(values))
    np.testing.assert_allclose(2 * find_reach(left), high - low)


def test_one_group_or_an_unknown_value_leaves_none():
    assert np.isnan(find_reach(np.ones((1, 3)))).all()
    assert np.isnan(find_reach(np.array([[1.0, 2.0], [np.nan, 3.0]]))).tolist() == [True, False]
    assert find_reach(np.array([[1.0], [1.0]]))[0] == pytest.approx(0)
