"""Rankings of dimensions, how far they agree, curves over their number, and the classifier under them."""

import numpy as np
import pytest
from probing_tools import make_toy

from ser.explainer.probing.classify import classify, count_hits, find_uar
from ser.explainer.probing.curves import draw_chance, list_sizes, make_points, rank_by_classifier
from ser.explainer.probing.rank import (
    expect_overlap,
    measure_stability,
    overlap_ranks,
    rank_permutations,
    sort_dimensions,
)
from ser.explainer.probing.residuals import permute_within
from ser.explainer.probing.ridge import Solver, turn


def score_all(toy, values):
    scored = []
    for division in toy.divisions:
        found = classify(Solver(values, division), toy.classes, 3)
        scored.append((found.rows, found.scores))
    return count_hits(scored, toy.classes, toy.speakers)


def test_the_classifier_tells_classes_apart_and_noise_is_at_chance():
    toy = make_toy(speakers=12, takes=10, label=2.0)
    assert find_uar(score_all(toy, toy.values).joint)[0] > 0.9
    noise = np.random.default_rng(4).normal(size=toy.values.shape)
    counts = score_all(toy, noise)
    _, low, high = find_uar(counts.joint)
    assert low < 1 / 3 < high
    assert all(abs(find_uar(own)[0] - 0.5) < 0.1 for own in counts.single)


def test_rare_classes_are_not_neglected():
    toy = make_toy(speakers=12, takes=20, label=1.2)
    keep = np.flatnonzero((toy.classes != 0) | (np.arange(len(toy.classes)) % 8 == 0))
    from probing_tools import divide

    scored = []
    for division in divide(toy.speakers[keep]):
        found = classify(Solver(toy.values[keep], division), toy.classes[keep], 3)
        scored.append((found.rows, found.scores))
    counts = count_hits(scored, toy.classes[keep], toy.speakers[keep]).joint.sum(0)
    recall = np.diag(counts) / counts.sum(1)
    assert recall[0] > 0.6 and np.ptp(recall) < 0.25


def test_dimensions_that_know_the_class_come_first():
    toy = make_toy(label=2.0)
    importance, chosen = rank_by_classifier(toy.values, toy.divisions[0], toy.classes, list_sizes(40))
    orders = sort_dimensions(importance)
    assert set(orders[0][:3]) == {37, 38, 39}
    assert [order[0] for order in orders[1:]] == [37, 38, 39]
    assert max(chosen) < 40


def test_permutation_importance_is_the_mean_over_permutations():
    toy = make_toy(dims=6, label=1.0)
    solver = Solver(toy.values, toy.divisions[0])
    solution = classify(solver, toy.classes, 3).solution
    found = rank_permutations(solver, solution, toy.values, toy.classes, toy.speakers)
    rng, drawn = np.random.default_rng(0), np.zeros((3, 6))
    from ser.explainer.probing.classify import mark_classes

    marks = mark_classes(toy.classes, toy.divisions[0].train, 3)
    for fit, check, basis, _ in solver.steps:
        turned, mean = turn(basis, marks[fit])
        weights = basis.find_weights(turned, solution.alphas)
        rows = (toy.values[check] - basis.mean) / basis.scale
        before = ((marks[check] - mean - rows @ weights) ** 2).mean(0)
        for dim in range(6):
            for _ in range(400):
                moved = rows.copy()
                moved[:, dim] = rows[permute_within(toy.speakers[check], rng), dim]
                after = ((marks[check] - mean - moved @ weights) ** 2).mean(0)
                drawn[:, dim] += (after - before) / (400 * len(solver.steps))
    np.testing.assert_allclose(found, drawn, atol=0.02 * drawn.max())


def test_curves_rise_with_the_right_dimensions_only():
    toy = make_toy(speakers=8, takes=8, dims=64, label=2.0)
    sizes, arms = list_sizes(64), {}
    for division in toy.divisions:
        importance, _ = rank_by_classifier(toy.values, division, toy.classes, sizes)
        order = sort_dimensions(importance[0])
        for key, point in make_points(toy.values, order, division, toy.targets, toy.classes, sizes).items():
            arms.setdefault(key, []).append((point.tested.rows, point.scores))
    found = {key: find_uar(count_hits(own, toy.classes, toy.speakers).joint)[0] for key, own in arms.items()}
    assert found["top", 8] > 0.85
    assert found["rest", 8] < 0.45 and found["bottom", 8] < 0.45
    chance = draw_chance(toy.values, toy.divisions[0], toy.targets, toy.classes, [8], 30, (0, 0))[8]
    rates = np.diagonal(chance.joint, axis1=1, axis2=2).sum(1) / chance.joint.sum((1, 2))
    assert rates.mean() < found["top", 8] - 0.2
    assert chance.errors.shape == (30, 3)


@pytest.mark.parametrize(("dims", "sizes"), [(3, [1, 2, 3]), (40, [8, 16, 32, 40]), (64, [8, 16, 32, 64])])
def test_sizes_are_powers_and_all(dims, sizes):
    assert list_sizes(dims) == sizes


def test_overlap_of_rankings():
    rng = np.random.default_rng(0)
    order = rng.permutation(200)
    assert overlap_ranks(order, order) == pytest.approx(1)
    drawn = [overlap_ranks(rng.permutation(200), rng.permutation(200)) for _ in range(200)]
    assert np.mean(drawn) == pytest.approx(expect_overlap(200), abs=0.02)
    swapped = order.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    late = order.copy()
    late[[150, 151]] = late[[151, 150]]
    assert overlap_ranks(order, swapped) < overlap_ranks(order, late) < 1


def test_stability_of_choices():
    rng = np.random.default_rng(0)
    same = [np.arange(10)] * 5
    assert measure_stability(same, 100) == pytest.approx(1)
    drawn = [measure_stability([rng.choice(100, 10, replace=False) for _ in range(5)], 100) for _ in range(200)]
    assert np.mean(drawn) == pytest.approx(0, abs=0.02)
    assert np.isnan(measure_stability(same[:1], 100))
