"""What a head uses: derivatives along directions, and erasure, on heads whose use is known."""

import numpy as np
import pytest
import torch
from probing_tools import make_toy
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from ser.audio.prepare import Preparation
from ser.explainer.probing.head import EmbeddingHead
from ser.explainer.probing.residuals import Residualiser
from ser.explainer.probing.ridge import Solver
from ser.explainer.probing.usage import erase, find_patterns, join_usage, measure_usage
from ser.head.emotion_network import EmotionNetwork, Shape
from ser.head.estimators import FittedEstimator
from ser.head.network import FittedNetwork
from ser.head.reader import StoredVectors
from ser.head.trunk import Trunk
from ser.model import TrainedModel

NAMES = np.array(["anger", "neutral", "sadness"])


def wrap(head):
    return TrainedModel("fold-0", Trunk(backbone=None), Preparation(), head, "cpu")


def make_network(dims, seed=0):
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Linear(dims, 8), nn.Tanh(), nn.Linear(8, 3))
    network = EmotionNetwork(None, StoredVectors(0), (dims,), layers)
    network.standardise(np.random.default_rng(seed).normal(2, 3, size=(50, dims)))
    return FittedNetwork(network, tuple(NAMES), Shape("vectors", (dims,)), 8)


def make_heads(toy):
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(toy.values, NAMES[toy.classes])
    bent = make_pipeline(StandardScaler(), SVC()).fit(toy.values, NAMES[toy.classes])
    return {
        "linear": FittedEstimator(linear),
        "svm": FittedEstimator(bent),
        "network": make_network(toy.values.shape[1]),
    }


@pytest.mark.parametrize("kind", ["linear", "svm", "network"])
def test_gradients_are_the_slopes_of_the_margins(kind):
    toy = make_toy(dims=6, speakers=4)
    head = EmbeddingHead(wrap(make_heads(toy)[kind]), toy.values.std(0))
    points, rng = toy.values[:5], np.random.default_rng(0)
    for number in range(3):
        gradients = head.differentiate(points, number)
        step = 1e-4 * rng.normal(size=points.shape)
        moved = head.find_margins(points + step)[:, number] - head.find_margins(points - step)[:, number]
        np.testing.assert_allclose(moved / 2, (gradients * step).sum(1), atol=2e-6)


def test_a_network_head_scores_what_it_predicts():
    fitted = make_network(6)
    head = EmbeddingHead(wrap(fitted), np.ones(6))
    values = np.random.default_rng(1).normal(2, 3, size=(7, 6)).astype(np.float32)
    with torch.no_grad():
        expected = fitted.network(torch.from_numpy(values), torch.ones(7)).numpy()
    np.testing.assert_allclose(head.score(values), expected, atol=1e-5)


@pytest.mark.parametrize("dims", [12, 300])
@pytest.mark.parametrize("alpha", [1.0, 1e4])
def test_erasure_leaves_nothing_linear(dims, alpha):
    toy = make_toy(dims=dims)
    division = toy.divisions[0]
    solver = Solver(toy.values * 5 + 1, division)
    solution = solver.fit(toy.targets, np.full(3, alpha))
    basis, rows = solver.basis, (toy.values * 5 + 1)[division.train]
    target = toy.targets[division.train, 0] - toy.targets[division.train, 0].mean()
    weight = basis.find_weights(solution.turned, solution.alphas)[:, 0]
    pattern = find_patterns(basis, solution.turned)[:, 0]
    np.testing.assert_allclose(pattern, ((rows - basis.mean) / basis.scale).T @ target, atol=1e-8)
    left = erase(rows, rows.mean(0), basis.scale, weight, pattern)
    assert np.abs((left - left.mean(0)).T @ target).max() < 1e-8 * np.abs((rows - rows.mean(0)).T @ target).max()
    again = erase(left, rows.mean(0), basis.scale, weight, pattern)
    np.testing.assert_allclose(again, left, atol=1e-8)  # there is nothing more to erase


def test_erasure_with_the_exact_covariance_changes_least():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3))
    target = rows @ [1.0, -1.0, 0.5] + rng.normal(size=500)
    centre, scale = rows.mean(0), rows.std(0)
    z = (rows - centre) / scale
    pattern = z.T @ (target - target.mean())
    best = np.linalg.solve(z.T @ z, pattern)

    def change(weight):
        return np.square((erase(rows, centre, scale, weight, pattern) - rows) / scale).sum()

    assert all(change(best) <= change(best + 0.1 * rng.normal(size=3) * np.abs(best)) + 1e-9 for _ in range(30))


def test_used_directions_are_told_from_encoded_ones():
    """Two cues vary in the embedding; the label, and so the head, follows one of them."""
    rng = np.random.default_rng(0)
    toy = make_toy(speakers=10, takes=12, dims=20, label=0.0)
    cues = rng.normal(size=(len(toy.classes), 2))
    cues[:, 0] += 1.5 * (toy.classes - 1)
    values = rng.normal(0, 0.5, size=toy.values.shape) + cues @ rng.normal(size=(2, 20))
    targets = np.column_stack([cues, rng.normal(size=len(cues))])
    found = []
    for place, division in enumerate(toy.divisions):
        fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(
            values[division.train], NAMES[toy.classes[division.train]]
        )
        head = EmbeddingHead(wrap(FittedEstimator(fitted)), values.std(0))
        solver = Solver(values, division, adjust=Residualiser(toy.classes, toy.speakers))
        solution = solver.solve(targets)
        own = measure_usage(head, values, solver, targets, solution, toy.classes, toy.cells, 60, (0, place))
        found.append(own)
    columns, by_class = join_usage(found)
    for name in ("used_direction", "used_erasure"):
        assert columns[f"{name}_z"][0] > 4 and columns[f"{name}_p_max"][0] < 0.05
        assert columns[f"{name}_z"][0] > 3 * abs(columns[f"{name}_z"][1])
    assert columns["erasure_uar"][0] > 0.15 > abs(columns["erasure_uar"][1]) + 0.05
    assert by_class["derivative"][0, 0] < 0 < by_class["derivative"][2, 0]  # the cue rises from anger to sadness
