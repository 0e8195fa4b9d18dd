import numpy as np
import pytest
from scipy.stats import spearmanr

from ser.explainer.evaluation.similarity import (
    compare_structure,
    correlate_ranks,
    measure_change,
    measure_complexity,
    overlap_tops,
)

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(size=(2, 20, 60))


def test_rank_correlation_is_spearmans():
    tied = np.round(A)
    assert correlate_ranks(tied, B) == pytest.approx(spearmanr(tied.ravel(), B.ravel()).statistic)
    assert correlate_ranks(A, np.exp(A)) == pytest.approx(1)
    assert np.isnan(correlate_ranks(A, np.ones_like(A)))


def test_tops_overlap_wholly_in_part_or_not_at_all():
    values = np.arange(10.0)
    assert overlap_tops(values, values) == 1
    assert overlap_tops(values, -values) == 0
    assert overlap_tops(values, np.roll(values, 1)) == pytest.approx(1 / 3)


def test_change_is_relative_to_the_first_map():
    assert measure_change(A, 1.1 * A) == pytest.approx(0.1)
    assert np.isnan(measure_change(np.zeros(3), np.ones(3)))


def test_structure_is_the_same_in_any_unit_and_differs_between_unrelated_maps():
    assert compare_structure(A, 7 * A) == pytest.approx(1)
    assert abs(compare_structure(A, B)) < 0.1
    assert compare_structure(A, -A) == pytest.approx(-1, abs=0.1)
    assert np.isnan(compare_structure(A, np.zeros_like(A)))


def test_a_map_of_few_values_is_less_complex():
    assert measure_complexity(np.zeros(50)) == 0
    assert measure_complexity(np.eye(20)) < measure_complexity(A)
    assert measure_complexity(3 * A) == pytest.approx(measure_complexity(A))
