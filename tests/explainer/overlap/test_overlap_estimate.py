"""Overlap of a layer: over divisions, with intervals over speakers and what permuted labels give."""

from dataclasses import replace

import numpy as np
import pytest

from ser.explainer.overlap.estimate import Held, Settings, average, measure_overlap
from ser.explainer.overlap.measures import GAUSSIAN, INTERVAL, NEIGHBOURS, PURITY
from ser.explainer.overlap.places import Division

FEW = Settings(dims=5, permutations=5)


def make_clips(apart, speakers=8, classes=3, takes=8, dims=12, seed=0):
    rng = np.random.default_rng(seed)
    speaker, kind, _ = (axis.ravel() for axis in np.mgrid[:speakers, :classes, :takes])
    values = rng.normal(size=(len(speaker), dims)) + 0.3 * rng.normal(size=(speakers, dims))[speaker]
    values[:, :classes] += apart * np.eye(classes)[kind]
    return values, kind, speaker


def halve(speakers):
    inside = speakers < (speakers.max() + 1) // 2
    rows = np.flatnonzero(inside), np.flatnonzero(~inside)
    return [Division("a", rows[1], rows[0]), Division("b", *rows)]


def measure(apart, settings=FEW, **shape):
    values, classes, speakers = make_clips(apart, **shape)
    divisions = halve(speakers)
    return measure_overlap([values] * 2, divisions, classes, speakers, settings)


def test_separated_classes_do_not_overlap():
    found = measure(60.0, dims=3)
    assert found[PURITY].mean == 1 and found[NEIGHBOURS].mean == 0
    np.testing.assert_allclose(found[NEIGHBOURS].value, np.eye(3))
    assert found[GAUSSIAN].mean < 1e-3 and np.diag(found[GAUSSIAN].value) == pytest.approx(1)
    assert found[INTERVAL].mean < 0.1


def test_classes_that_are_none_are_at_chance():
    found = measure(0.0, takes=40, settings=replace(FEW, permutations=20))
    for name, one in found.items():
        assert one.mean == pytest.approx(one.mean_chance, abs=0.06), name
    assert found[PURITY].mean == pytest.approx(1 / 3, abs=0.05)


def test_shuffled_labels_have_the_purity_of_their_shares():
    values, _, speakers = make_clips(5.0, takes=20)
    rng = np.random.default_rng(1)
    classes = rng.permutation(np.repeat([0, 1], [len(values) // 4, len(values) - len(values) // 4]))
    found = measure_overlap([values] * 2, halve(speakers), classes, speakers, FEW)[NEIGHBOURS]
    np.testing.assert_allclose(np.diag(found.value), [0.25, 0.75], atol=0.06)
    np.testing.assert_allclose(found.value.sum(1), 1)


def test_overlap_falls_as_classes_move_apart():
    courses = [
        [measure(apart)[name].mean for apart in (0.0, 1.5, 3.0, 8.0)] for name in (INTERVAL, GAUSSIAN, NEIGHBOURS)
    ]
    assert (np.diff(courses) < 0).all()
    assert (np.diff([measure(apart)[PURITY].mean for apart in (0.0, 1.5, 3.0)]) > 0).all()


def test_intervals_hold_the_estimate_and_shrink_with_speakers():
    few, many = (measure(2.0, speakers=number)[GAUSSIAN] for number in (6, 40))
    for one in (few, many):
        assert one.mean_interval[0] < one.mean < one.mean_interval[1]
        off = ~np.eye(3, dtype=bool)
        assert ((one.interval[0] <= one.value) & (one.value <= one.interval[1]))[off].all()
    assert np.ptp(many.mean_interval) < np.ptp(few.mean_interval) / 1.5


def test_intervals_are_as_wide_as_results_differ():
    """Of other samples of as many speakers: measures depend on how many clips there are."""
    found = [measure(2.0, speakers=12, seed=seed, settings=replace(FEW, permutations=1)) for seed in range(30)]
    for name in (INTERVAL, GAUSSIAN, PURITY):
        means = np.array([one[name].mean for one in found])
        limits = np.array([one[name].mean_interval for one in found])
        covered = (limits[:, 0] <= means.mean()) & (means.mean() <= limits[:, 1])
        assert covered.mean() >= 0.8, name
        assert 0.5 < np.ptp(limits, axis=1).mean() / (2 * 2.2 * means.std(ddof=1)) < 2, name


def test_a_class_of_too_few_clips_is_unknown_in_that_division():
    values, classes, speakers = make_clips(2.0)
    divisions = halve(speakers)
    rare = (classes == 2) & np.isin(np.arange(len(classes)), divisions[0].held)
    keep = ~rare | (np.cumsum(rare) <= 2)  # two clips in the first division
    rows = np.flatnonzero(keep)
    moved = [
        Division(one.name, *(np.flatnonzero(np.isin(rows, part)) for part in (one.fit, one.held))) for one in divisions
    ]
    args = [values[rows]] * 2, moved, classes[rows], speakers[rows]
    both = measure_overlap(*args, FEW)[GAUSSIAN].value
    second = measure_overlap(args[0][:1], moved[1:], *args[2:], FEW)[GAUSSIAN].value
    np.testing.assert_allclose(both[2], second[2])
    assert both[0, 1] != pytest.approx(second[0, 1], abs=1e-6)


def test_one_speaker_has_no_interval():
    values, classes, speakers = make_clips(2.0)
    one = Division("x", np.flatnonzero(speakers > 0), np.flatnonzero(speakers == 0))
    found = measure_overlap([values], [one], classes, speakers, FEW)
    assert np.isnan(found[PURITY].mean_interval).all() and 0 < found[PURITY].mean < 1


def test_divisions_weigh_by_their_clips():
    values, classes, speakers = make_clips(2.0)
    parts = [
        Division("small", np.flatnonzero(speakers > 1), np.flatnonzero(speakers == 0)),
        Division("large", np.flatnonzero(speakers < 2), np.flatnonzero(speakers > 3)),
    ]
    held = [Held.place(values, one, speakers, FEW) for one in parts]
    each = [average([one], classes, 3)[GAUSSIAN] for one in held]
    both = average(held, classes, 3)[GAUSSIAN]
    np.testing.assert_allclose(both, (each[0] + 4 * each[1]) / 5)
